"""Metrics of images and pixels: AUROC, AP, F1, AUPRO, thresholds and the recall of each defect type.

Knows labels, masks, scores and maps. Does not know detectors or who asks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from exdd_core.errors import BadInput
from exdd_core.evaluation import resampling
from exdd_core.evaluation.part_curves import Contributions, Several, pixel_curve, region_shares
from exdd_core.evaluation.resampling import FPR_LIMIT
from exdd_core.measurements import FoundByType, FoundOfType, RegionCounts
from exdd_core.sentences import count

METRIC_THREADS = 2  # each takes some 50 bytes for each pixel
EXACT_PIXELS = 25_000_000  # figures of more pixels are read off curves of FINE_STEPS, image by image
FINE_STEPS = 1 << 14
METRICS = resampling.FIGURES
# The default share of normal test images that may be false alarms when recall is read: as that of `Settings`.
FALSE_ALARM_RATE = 0.02


class Labelled(Protocol):
    """An image with its label, mask, part and defect type, such as a row of a workspace."""

    @property
    def id(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def label(self) -> str: ...
    @property
    def mask(self) -> Path | None: ...
    @property
    def group(self) -> str: ...
    @property
    def defect_type(self) -> str: ...


def compute_metrics(
    scores: np.ndarray,
    labels: np.ndarray,
    maps: Several,
    masks: Several,
    counted: Several | None = None,
) -> dict[str, float]:
    """AUROC and AP of images and pixels, the best F1 of images, and AUPRO; NaN where a class is missing.

    scores: float (n,). labels: bool (n,), True for defective. maps: n times float32 (H, W), in memory or on disk.
    masks: n times bool (H, W). counted: as masks, the pixels that pixel figures count; None for all. Figures of
    pixels are exact for EXACT_PIXELS of them, and for more off by less than 0.0005; memory then does not grow with
    the number of images.
    """
    of_images = {
        "image_auroc": _if_both(roc_auc_score, labels, scores),
        "image_ap": _if_both(average_precision_score, labels, scores),
        "image_f1": _if_both(lambda truth, values: best_f1(values, truth)[0], labels, scores),
    }
    if len(masks) * np.size(masks[0]) > EXACT_PIXELS or not isinstance(maps, np.ndarray):
        curve = pixel_curve(maps, masks, np.zeros(len(masks), int), 1, counted, FINE_STEPS)
        figures = resampling.figures_of(curve, np.ones((1, 1)))
        return of_images | {name: float(figures[name][0]) for name in resampling.PIXEL_FIGURES}
    masks, counted = np.stack(list(masks)), None if counted is None else np.stack(list(counted))
    order = np.argsort(maps, axis=None)[::-1]  # sorted once: every metric sorts again, cheaply
    if counted is not None:
        order, masks = order[counted.ravel()[order]], masks & counted
    flat_maps, flat_masks = maps.ravel()[order], masks.ravel()[order]
    return of_images | {
        "pixel_auroc": _if_both(roc_auc_score, flat_masks, flat_maps),
        "pixel_ap": _if_both(average_precision_score, flat_masks, flat_maps),
        "aupro": aupro(maps, masks, order=order, counted=counted),
    }


def aupro(
    maps: np.ndarray,
    masks: np.ndarray,
    limit: float = FPR_LIMIT,
    order: np.ndarray | None = None,
    counted: np.ndarray | None = None,
) -> float:
    """Area under the per-region overlap curve up to the false-positive rate `limit`, divided by `limit`.

    The overlap at a threshold is the share of a region above it, averaged over the connected regions
    (8-neighbourhood) of all masks; the false-positive rate is that of all pixels outside the masks (Bergmann
    et al. 2020). maps: float32 (n, H, W). masks: bool (n, H, W). order: pixel numbers by falling map value,
    where they are known already. counted: as in `compute_metrics`; only counted pixels belong to a region.
    Returns NaN without defect pixels or without other pixels.
    """
    if counted is not None:
        masks = masks & counted
    weights = np.zeros(masks.shape)
    regions = 0
    for i in np.flatnonzero(masks.any((1, 2))):
        weights[i], count = region_shares(masks[i])
        regions += count
    outside = int((~masks).sum() if counted is None else (counted & ~masks).sum())
    if not regions or not outside:
        return math.nan
    if order is None:
        order = np.argsort(maps, axis=None)[::-1]
        order = order if counted is None else order[counted.ravel()[order]]
    values = maps.ravel()[order]
    last = np.flatnonzero(np.diff(values, append=-np.inf))  # pixels of one value pass the threshold together
    overlap = np.concatenate([[0], np.cumsum(weights.ravel()[order])[last] / regions])
    false = np.concatenate([[0], np.cumsum(~masks.ravel()[order])[last] / outside])
    at_limit = np.interp(limit, false, overlap)
    inside = false <= limit
    return float(np.trapezoid([*overlap[inside], at_limit], [*false[inside], limit]) / limit)


def best_f1(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """The largest F1 over all thresholds, and its threshold: images with at least this score are alarms.

    scores: float (n,). labels: bool (n,), with at least one True.
    """
    precision, recall, thresholds = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    best = int(np.argmax(f1[:-1]))  # the last point has no threshold
    return float(f1[best]), float(thresholds[best])


def threshold_at(normal_scores: np.ndarray, rate: float) -> float:
    """The lowest threshold with at most the share `rate` of these scores above it, as alarms are.

    normal_scores: float (n,) of normal images. Raises BadInput for a rate outside 0 to 1, or without a score.
    """
    if not 0 <= rate < 1 or not len(normal_scores):
        raise BadInput(
            f"A false-alarm rate of {rate} cannot be measured on {count(len(normal_scores), 'normal image')}; use "
            "a share from 0 to below 1 and images without a defect."
        )
    falling = np.sort(normal_scores)[::-1]
    return float(falling[math.floor(rate * len(falling) + 1e-9)])


def found_by_type(
    scores: np.ndarray, labels: np.ndarray, types: Sequence[str], threshold: float
) -> FoundByType:
    """Count the images above a threshold, by defect type.

    scores: float (n,). labels: bool (n,). types: n names; "" for a defect of no named type.
    """
    alarm, kinds = scores > threshold, np.asarray(types, str)
    by_type: dict[str, FoundOfType] = {
        kind: {
            "found": int((alarm & labels & (kinds == kind)).sum()),
            "count": int((labels & (kinds == kind)).sum()),
        }
        for kind in sorted(set(kinds[labels]))
    }
    false = int((alarm & ~labels).sum())
    return {"threshold": threshold, "false_alarms": false, "normal": int((~labels).sum()), "types": by_type}


@dataclass(frozen=True)
class Measured:
    """One method on the n held-out images of one fold.

    figures: {metric: share}. scores: float (n,). calibrated: float (n,), as `Inspection.calibrated_score`.
    promised: the false-alarm rate that the threshold is guaranteed to keep, None without a guarantee. doubt:
    the calibrated score above which the verdict is "not sure" and no longer "normal". unsure: bool (n,), the
    images with that verdict. probabilities: float (n,), of a defect. patches: the probabilities of all
    patches, as `resampling.tally`. Both are None where the fusion gives no probability. contributions: what
    the parts add to the curves. regions: found at the method's own threshold of maps.
    """

    figures: dict[str, float]
    scores: np.ndarray
    calibrated: np.ndarray
    promised: float | None
    doubt: float
    unsure: np.ndarray
    probabilities: np.ndarray | None
    patches: np.ndarray | None
    contributions: Contributions
    regions: RegionCounts


def _if_both(
    measure: Callable[[np.ndarray, np.ndarray], float], truth: np.ndarray, values: np.ndarray
) -> float:
    """A metric of these values; NaN where one class is missing."""
    return float(measure(truth, values)) if truth.any() and not truth.all() else math.nan
