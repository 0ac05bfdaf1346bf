"""Studio: orders, recipes, masks and painting of candidates.

Knows the workspace and the engines of synthesis. Does not know banks, decisions or the queue of jobs.

    >>> from exdd_core import studio
    >>> studio.default_engine()  # doctest: +SKIP
    'procedural'
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
