"""Evaluation: metrics of detectors on labelled images, over folds of physical parts, with intervals.

Knows detectors, labels and masks. Does not know the database or jobs.

    >>> from exdd_core.evaluation import best_f1
    >>> best_f1([False, True], [0.1, 0.9])  # doctest: +SKIP
    1.0
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
