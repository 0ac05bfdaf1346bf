"""Regions of an anomaly map above its threshold: box, contour, area, peak and mean of each.

Knows maps as arrays, and sizes. Does not know detectors, files or what a region shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from exdd_core.geometry import Size, frame, patch_box, restore_map

Line = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class RegionRules:
    """Which pixels above the threshold make a region, in pixels of the model's input.

    area: a region of fewer pixels is left out. gap: regions with at most this many pixels between them are one.
    """

    area: int = 0
    gap: int = 0


@dataclass(frozen=True)
class AnomalyRegion:
    """One region of a map.

    box: (x0, y0, x1, y1), ends excluded. contour: closed lines of (x, y) along the edges of pixels, so that (0, 0) and
    (W, H) are the corners of the map; several where distant pixels were joined; without holes. area: pixels above the
    threshold. peak, mean: of the map's values. at: (x, y) of the pixel with the peak.
    """

    box: tuple[int, int, int, int]
    contour: tuple[Line, ...]
    area: int
    peak: float
    mean: float
    at: tuple[int, int]


def regions_above(
    values: np.ndarray, threshold: float, rules: RegionRules | None = None
) -> list[AnomalyRegion]:
    """The regions of a map, float (H, W), above a threshold, in pixels of the map, the highest peak first.

    Pixels that touch, diagonally too, are of one region.
    """
    parts = pixels_above(values, threshold, rules or RegionRules())
    return sorted((_region(values, part) for part in parts), key=lambda region: -region.peak)


def pixels_above(values: np.ndarray, threshold: float, rules: RegionRules) -> list[np.ndarray]:
    """The pixels of each region as flat numbers in the map, int (n,)."""
    above = values > threshold
    if not above.any():
        return []
    # A square of gap + 1 closes a gap of that many pixels; every pixel lies in its own square.
    side = min(rules.gap, max(above.shape)) + 1  # no gap is larger than the image
    grown = cv2.dilate(above.astype(np.uint8), np.ones((side, side), np.uint8))
    labels = cv2.connectedComponents(grown, connectivity=8)[1]
    pixels = np.flatnonzero(above)
    own = labels.ravel()[pixels]
    order = np.argsort(own, kind="stable")
    parts = np.split(pixels[order], np.flatnonzero(np.diff(own[order])) + 1)
    return [part for part in parts if len(part) >= rules.area]


def _region(values: np.ndarray, pixels: np.ndarray) -> AnomalyRegion:
    """The region of these pixels, flat numbers in the map."""
    rows, columns = np.divmod(pixels, values.shape[1])
    x0, y0, x1, y1 = (int(v) for v in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    own = values.ravel()[pixels]
    highest = int(own.argmax())
    corners = np.zeros((y1 - y0 + 1, x1 - x0 + 1), np.uint8)  # 1 where a pixel of the region touches it
    for down in (0, 1):
        for right in (0, 1):
            corners[rows - y0 + down, columns - x0 + right] = 1
    lines, _ = cv2.findContours(corners, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(x0, y0))
    return AnomalyRegion(
        box=(x0, y0, x1, y1),
        contour=tuple(tuple((float(x), float(y)) for x, y in line[:, 0]) for line in lines),
        area=len(pixels),
        peak=float(own[highest]),
        mean=float(own.mean(dtype=np.float64)),
        at=(int(columns[highest]), int(rows[highest])),
    )


def regions_of_image(
    shown: np.ndarray,
    scores: np.ndarray,
    rules: RegionRules,
    size: Size,
    shape: tuple[int, int],
    is_defect: bool,
) -> list[AnomalyRegion]:
    """The regions of an image in pixels of it, the highest peak first.

    shown: its map at the model's size on the scale of its score (`anomaly_map.on_scale_of_score`), 1 being the
    threshold. scores: of its patches, float (h, w), -inf for those that do not count. shape: (H, W) of the image. What
    lies in the border of a letterbox is part of no region. A defect has at least one region: where all are smaller than
    `rules.area`, it is the patch with the highest score.
    """
    left, top, width, height = frame(size, shape)
    within = np.full_like(shown, -np.inf)  # the border of a letterbox repeats the edge of its image
    within[top : top + height, left : left + width] = shown[top : top + height, left : left + width]
    found = [on_image(region, size, shape) for region in regions_above(within, 1.0, rules)]
    if found or not is_defect:
        return found
    row, column = np.unravel_index(int(scores.argmax()), scores.shape)
    x0, y0, x1, y1 = patch_box(int(row), int(column), (scores.shape[0], scores.shape[1]), size, shape)
    inside = restore_map(shown, size, shape)[y0:y1, x0:x1]
    line = tuple((float(x), float(y)) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1)))
    at = (x0 + x1 - 1) // 2, (y0 + y1 - 1) // 2
    return [
        AnomalyRegion((x0, y0, x1, y1), (line,), inside.size, float(inside.max()), float(inside.mean()), at)
    ]


def on_image(region: AnomalyRegion, size: Size, shape: tuple[int, int]) -> AnomalyRegion:
    """A region of a map at the model's size in pixels of its image.

    shape: (H, W) of the image. Box and peak are rounded to whole pixels of the image, and lie in it.
    """
    left, top, width, height = frame(size, shape)
    across, down = shape[1] / width, shape[0] / height

    def placed(x: float, y: float) -> tuple[float, float]:
        return min(max((x - left) * across, 0.0), shape[1]), min(max((y - top) * down, 0.0), shape[0])

    (x0, y0), (x1, y1) = placed(*region.box[:2]), placed(*region.box[2:])
    first = min(int(x0), shape[1] - 1), min(int(y0), shape[0] - 1)
    last = max(int(np.ceil(x1)), first[0] + 1), max(int(np.ceil(y1)), first[1] + 1)
    at = placed(region.at[0] + 0.5, region.at[1] + 0.5)
    return AnomalyRegion(
        box=(*first, *last),
        contour=tuple(tuple(placed(x, y) for x, y in line) for line in region.contour),
        area=max(1, round(region.area * across * down)),
        peak=region.peak,
        mean=region.mean,
        at=(min(int(at[0]), shape[1] - 1), min(int(at[1]), shape[0] - 1)),
    )
