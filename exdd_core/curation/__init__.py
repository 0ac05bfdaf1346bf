"""Curation: measures of candidates, what people decide on them, and what that does to the active bank version.

Knows the workspace, banks and evaluation. Does not know pages or how a candidate was painted.

    >>> from exdd_core import curation
    >>> curation.accept(workspace, ["8f2c01d7a9b3"], who="Ben").sentence  # doctest: +SKIP
    'Accepted 1 candidate: 14 rows came to the positive bank of v2.'
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
