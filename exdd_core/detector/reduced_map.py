"""The anomaly map of an inspection as it is shown: on the scale of the image's score, as small as a screen needs it.

A map is calibrated by the maps of held-out normal images and a score by their scores, so the same place would have two
numbers. What is shown is therefore scaled once more for each image: where its score comes from, the map has the score's
value, and nowhere a higher one. Knows inspections. Does not know colours or pages, and changes no stored score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from exdd_core.images import restore_map

if TYPE_CHECKING:
    from exdd_core.detector import Inspection


def score_map(inspection: Inspection) -> np.ndarray:
    """The map on the scale of calibrated scores, float32 at the model's size: 0 is the median of normal images, 1 the
    threshold, and the patch with the highest score has the image's.

    A score above the median stretches the map from 0, the median of normal maps; any other moves it as a whole.
    """
    values = inspection.calibrated_model_map
    if not inspection.is_judged:
        return values
    score, there = inspection.calibrated_score, float(values[_middle(inspection, *inspection.peak_patch)])
    shown = values * (score / there) if score > 0 and there > 0 else values + (score - there)
    return np.minimum(shown, score).astype(np.float32)


def score_at(inspection: Inspection, row: int, column: int) -> float:
    """The shown map's value at the middle of a patch."""
    return float(score_map(inspection)[_middle(inspection, row, column)])


def _middle(inspection: Inspection, row: int, column: int) -> tuple[int, int]:
    """(y, x) of a patch's middle at the model's size."""
    height, width = inspection.patch_scores.shape
    return (
        int((row + 0.5) * inspection.model_map.shape[0] / height),
        int((column + 0.5) * inspection.model_map.shape[1] / width),
    )


def raw_range(inspection: Inspection) -> tuple[float, float]:
    """The lowest and highest value of the shown map as raw scores, stretched to hold their median and threshold."""
    marks = (inspection.calibration.median, inspection.calibration.threshold)
    if not inspection.is_judged:
        return min(marks), max(marks)
    values = _raw(inspection, score_map(inspection))
    return min(float(values.min()), *marks), max(float(values.max()), *marks)


def _raw(inspection: Inspection, calibrated: np.ndarray) -> np.ndarray:
    """Calibrated scores as the method gives them: the inverse of `Calibration.calibrated`."""
    median, threshold = inspection.calibration.median, inspection.calibration.threshold
    return (calibrated * (threshold - median) + median).astype(np.float32)


def small_map(inspection: Inspection, longest: int, raw: bool = False) -> np.ndarray:
    """`score_map` (or as raw scores) in the image's proportions, float32, longer side `longest` pixels.

    A map is as fine as its patches, so this holds all of it however large the image is.
    """
    scale = longest / max(inspection.shape)
    height, width = (max(1, round(side * scale)) for side in inspection.shape)
    values = score_map(inspection)
    return restore_map(_raw(inspection, values) if raw else values, inspection.size, (height, width))
