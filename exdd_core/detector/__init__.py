"""Two memory banks, and from them for every image: anomaly map, score, verdict and the matched bank rows.

The room knows arrays, the paper's equations and safetensors files. It does not know the database, candidates,
decisions or who asks.

>>> import numpy as np
>>> from exdd_core.detector import greedy_coreset
>>> features = np.array([[0, 0], [1, 0], [9, 0], [9, 1]], np.float32)  # two clusters of two rows
>>> sorted(row // 2 for row in greedy_coreset(features, 2).tolist())  # one row of each
[0, 1]

torch and faiss are imported when a name that needs them is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exdd_core.detector.bank import Bank
    from exdd_core.detector.coreset import greedy_coreset
    from exdd_core.detector.detector import Detector
    from exdd_core.detector.fusion import FUSIONS
    from exdd_core.detector.inspection import Inspection
    from exdd_core.detector.records import Change
    from exdd_core.detector.settings import Settings

__all__ = ["FUSIONS", "Bank", "Change", "Detector", "Inspection", "Settings", "greedy_coreset"]

_PLACES = {
    "Bank": "bank",
    "Change": "records",
    "Detector": "detector",
    "FUSIONS": "fusion",
    "Inspection": "inspection",
    "Settings": "settings",
    "greedy_coreset": "coreset",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
