"""Metrics by region: which regions of the masks a method finds, and how many false ones it shows.

Knows maps, masks and thresholds. Does not know detectors or who asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from exdd_core.detector.anomaly_regions import RegionRules, pixels_above
from exdd_core.evaluation.part_curves import Several
from exdd_core.measurements import RegionCounts


def region_counts(
    maps: Several,
    masks: Several,
    threshold: float,
    rules: RegionRules,
    known: Sequence[bool] | np.ndarray,
    counted: Several | None = None,
) -> RegionCounts:
    """Count the regions that a method finds and shows.

    maps, masks, counted: as `metrics.compute_metrics` takes them. threshold: of maps. known: bool (n,), the images
    whose mask is known; others are left out. A region of a mask (8-neighbourhood) is found where a region of the map
    shares a pixel with it, and a region of the map is false where it shares none with any mask.
    """
    totals: RegionCounts = {"found": 0, "count": 0, "false": 0, "images": 0}
    for number in np.flatnonzero(known).tolist():
        values, truth = maps[number], masks[number]
        if counted is not None:
            values = np.where(counted[number], values, np.float32(-np.inf))
            truth = truth & counted[number]
        count, labels = cv2.connectedComponents(truth.astype(np.uint8), connectivity=8)
        touched = [
            set(labels.ravel()[part].tolist()) - {0} for part in pixels_above(values, threshold, rules)
        ]
        totals["found"] += len(set().union(*touched))
        totals["count"] += count - 1
        totals["false"] += sum(not labels_there for labels_there in touched)
        totals["images"] += 1
    return totals


def summed(several: Iterable[RegionCounts]) -> RegionCounts:
    """The counts of all folds together."""
    total: RegionCounts = {"found": 0, "count": 0, "false": 0, "images": 0}
    for one in several:
        total = {
            "found": total["found"] + one["found"],
            "count": total["count"] + one["count"],
            "false": total["false"] + one["false"],
            "images": total["images"] + one["images"],
        }
    return total
