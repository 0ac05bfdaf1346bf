"""The anomaly map of an inspection as it is shown: on the scale of the image's score, as small as a screen needs it.

Knows inspections. Does not know colours or pages, and changes no stored score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from exdd_core.detector.anomaly_map import middle_of_patch
from exdd_core.images import restore_map

if TYPE_CHECKING:
    from exdd_core.detector import Inspection


def score_at(inspection: Inspection, row: int, column: int) -> float:
    """The shown map's value at the middle of a patch."""
    shown = inspection.shown_model_map
    return float(shown[middle_of_patch(inspection.patch_scores, shown.shape, (row, column))])


def raw_range(inspection: Inspection) -> tuple[float, float]:
    """The lowest and highest value of the shown map as raw scores, stretched to hold their median and threshold."""
    marks = (inspection.calibration.median, inspection.calibration.threshold)
    if not inspection.is_judged:
        return min(marks), max(marks)
    values = _raw(inspection, inspection.shown_model_map)
    return min(float(values.min()), *marks), max(float(values.max()), *marks)


def _raw(inspection: Inspection, calibrated: np.ndarray) -> np.ndarray:
    """Calibrated scores as the method gives them: the inverse of `Calibration.calibrated`."""
    median, threshold = inspection.calibration.median, inspection.calibration.threshold
    return (calibrated * (threshold - median) + median).astype(np.float32)


def small_map(inspection: Inspection, longest: int, raw: bool = False) -> np.ndarray:
    """The shown map (or as raw scores) in the image's proportions, float32, longer side `longest` pixels.

    A map is as fine as its patches, so this holds all of it however large the image is.
    """
    scale = longest / max(inspection.shape)
    height, width = (max(1, round(side * scale)) for side in inspection.shape)
    values = inspection.shown_model_map
    return restore_map(_raw(inspection, values) if raw else values, inspection.size, (height, width))
