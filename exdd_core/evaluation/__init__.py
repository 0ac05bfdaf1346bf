"""Evaluation: metrics, cross-validation by physical part, intervals, and what candidates would change.

The room knows detectors, labels and masks. It does not know the database or jobs.

>>> import numpy as np
>>> from exdd_core.evaluation import best_f1
>>> scores, labels = np.array([0.1, 0.9, 0.4]), np.array([False, True, False])
>>> best_f1(scores, labels)  # the largest F1, and its threshold
(1.0, 0.9)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
