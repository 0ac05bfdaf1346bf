"""The anomaly map of an inspection as small as a screen or a figure needs it.

Knows inspections. Does not know colours or pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from exdd_core.images import restore_map

if TYPE_CHECKING:
    from exdd_core.detector import Inspection


def raw_range(inspection: Inspection) -> tuple[float, float]:
    """The lowest and highest value of the raw map, stretched to hold its median and threshold."""
    marks = (inspection.calibration.map_median, inspection.calibration.map_threshold)
    if not inspection.is_judged:
        return min(marks), max(marks)
    low, high = float(np.min(inspection.model_map)), float(np.max(inspection.model_map))
    return min(low, *marks), max(high, *marks)


def small_map(inspection: Inspection, longest: int, raw: bool = False) -> np.ndarray:
    """The calibrated (or raw) map in the image's proportions, float32, longer side `longest` pixels.

    A map is as fine as its patches, so this holds all of it however large the image is.
    """
    scale = longest / max(inspection.shape)
    height, width = (max(1, round(side * scale)) for side in inspection.shape)
    values = inspection.model_map if raw else inspection.calibrated_model_map
    return restore_map(values, inspection.size, (height, width))
