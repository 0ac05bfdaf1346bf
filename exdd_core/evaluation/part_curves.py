"""What each physical part adds to the curves that all figures are computed from, image by image.

Memory grows with the steps of a curve that an image has a pixel in, and not with its pixels. Knows scores, maps, masks
and parts. Does not know figures, how parts are drawn, or detectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from exdd_core.later import sparse

STEPS = 512  # of a pixel curve; image curves have a step for every score and are exact
SAMPLED = 500_000  # map values from which the steps are chosen

# n arrays of one shape, in memory or made when they are asked for.
Several = np.ndarray | Sequence[np.ndarray]


@dataclass(frozen=True)
class Curve:
    """What each physical part adds to a curve, step by step from the highest score to the lowest.

    positive, negative: float64 (parts, steps), sparse, the numbers of defective and normal images or pixels. overlap:
    float64 (parts, steps), sparse, the summed shares of defect regions; regions: float64 (parts,), their number. Both
    are None for curves of images.
    """

    positive: sparse.csr_array
    negative: sparse.csr_array
    overlap: sparse.csr_array | None = None
    regions: np.ndarray | None = None


@dataclass(frozen=True)
class Contributions:
    """What the parts of one fold add to its curves.

    parts: names. defective: bool (parts,), whether a part has a defect. images, pixels: the curves of both.
    """

    parts: list[str]
    defective: np.ndarray
    images: Curve
    pixels: Curve


def contributions(
    scores: np.ndarray,
    labels: np.ndarray,
    maps: Several,
    masks: Several,
    groups: Sequence[str],
    counted: Several | None = None,
) -> Contributions:
    """What the parts of n images add to the curves that all figures are computed from.

    scores: float (n,). labels: bool (n,), True for defective. maps: n times float32 (H, W). masks: n times bool (H, W).
    groups: the part of each image. counted: n times bool (H, W), the pixels that pixel figures count; None for all.
    """
    parts, own = np.unique(np.asarray(groups, str), return_inverse=True)
    defective = np.zeros(len(parts), bool)
    np.logical_or.at(defective, own, labels)
    values = np.unique(scores)
    step, shape = len(values) - 1 - np.searchsorted(values, scores), (len(parts), len(values))
    images = [
        sparse.coo_array((np.ones(side.sum()), (own[side], step[side])), shape).tocsr()
        for side in (labels, ~labels)
    ]
    pixels = pixel_curve(maps, masks, own, len(parts), counted)
    return Contributions(parts.tolist(), defective, Curve(*images), pixels)


def pixel_curve(
    maps: Several, masks: Several, own: np.ndarray, parts: int, counted: Several | None, steps: int = STEPS
) -> Curve:
    """What the parts of n images add to the curve of their pixels, image by image.

    maps, masks, counted: as for `contributions`. own: int (n,), the part of each image. steps: about so many.
    """
    edges = _edges(maps, masks, counted, steps)
    count = len(edges) + 1
    rows, regions = [_Rows(count) for _ in range(3)], np.zeros(parts)
    for part in range(parts):
        positive, negative, overlap = (np.zeros(count) for _ in rows)
        for number in np.flatnonzero(own == part).tolist():
            mask = _counted_mask(masks, counted, number)
            step = count - 1 - np.searchsorted(edges, maps[number].ravel(), side="right")
            marked = mask.ravel()
            clean = ~marked if counted is None else ~marked & counted[number].ravel()
            negative += np.bincount(step[clean], minlength=count)
            if marked.any():
                positive += np.bincount(step[marked], minlength=count)
                shares, found = region_shares(mask)
                overlap += np.bincount(step, shares.ravel(), minlength=count)
                regions[part] += found
        for kept, row in zip(rows, (positive, negative, overlap), strict=True):
            kept.add(row)
    made = [kept.stacked() for kept in rows]
    return Curve(made[0], made[1], made[2], regions)


class _Rows:
    """Rows of a sparse matrix, added one by one."""

    def __init__(self, width: int):
        self.width, self.columns, self.values = width, list[np.ndarray](), list[np.ndarray]()

    def add(self, row: np.ndarray) -> None:
        at = np.flatnonzero(row)
        self.columns.append(at.astype(np.int32))
        self.values.append(row[at])

    def stacked(self) -> sparse.csr_array:
        starts = np.cumsum([0, *map(len, self.columns)])
        content = np.concatenate(self.values), np.concatenate(self.columns), starts
        return sparse.csr_array(content, shape=(len(self.columns), self.width))


def _counted_mask(masks: Several, counted: Several | None, number: int) -> np.ndarray:
    return masks[number] if counted is None else masks[number] & counted[number]


def _edges(maps: Several, masks: Several, counted: Several | None, steps: int) -> np.ndarray:
    """The map values that separate the steps, ascending: quantiles of defect pixels and of all pixels.

    The quantiles of all pixels lie in the upper tail, where false alarms are decided.
    """
    on = [int(_counted_mask(masks, counted, number).sum()) for number in range(len(masks))]
    every = max(1, len(masks) * np.size(masks[0]) // SAMPLED)
    every_on = max(1, sum(on) // SAMPLED)
    some, some_on, before = [], [], 0
    for number, (values, marked) in enumerate(zip(maps, on, strict=True)):
        # From pixel 0 of the first image on, as if all lay in one row.
        some.append(values.ravel()[-number * values.size % every :: every].copy())  # a view would keep all
        if marked:
            inside = values[_counted_mask(masks, counted, number)]
            some_on.append(inside[-before % every_on :: every_on].copy())
        before += marked
    tail = 1 - np.logspace(-5, 0, steps // 2, endpoint=False)
    edges = [np.quantile(np.concatenate(some), tail)]
    if some_on:
        edges.append(np.quantile(np.concatenate(some_on), np.linspace(0, 1, steps // 2)))
    return np.unique(np.concatenate(edges))


def region_shares(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """The share that each pixel has in its region, and the number of regions (8-neighbourhood).

    mask: bool (H, W). Returns float64 (H, W), 1 / area of the region inside and 0 outside.
    """
    count, region = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    areas = np.bincount(region.ravel(), minlength=count)
    return np.concatenate([[0], 1 / areas[1:]])[region], count - 1
