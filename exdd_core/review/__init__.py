"""Review: images with the anomaly maps of both methods side by side, verdicts, marks and exports.

Knows banks, marks and drawing. Does not know pages or HTTP.

    >>> from exdd_core.review import Review
    >>> Review(workspace).lists()  # doctest: +SKIP
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
