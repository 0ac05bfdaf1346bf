"""Segments the part in an image from its background.

Knows pixels. Does not know masks of defects or data sets.
"""

from __future__ import annotations

import cv2
import numpy as np

from exdd_core.images import thumbnail
from exdd_core.synthesis.mask_geometry import Array, stretched

# In grey levels: the largest deviation within a background, and the smallest step from it to the part.
BACKGROUND_SPREAD, BACKGROUND_CONTRAST = 10, 30
BACKGROUND_SIDE = 256  # the longer side, in pixels, of the copy that is segmented


def foreground(image: Array) -> Array:
    """The mask of the part, bool (H, W), in an image, uint8 (H, W, 3); all True if no background is found.

    A background touches the border, is even, and ends at a step in brightness or colour. A surface that fills
    the image has no such region, however dark one of its sides is, because its brightness changes gradually.
    """
    small = cv2.GaussianBlur(thumbnail(image, BACKGROUND_SIDE), (3, 3), 0).astype(np.int16)
    background = np.zeros(small.shape[:2], bool)
    border = np.ones(small.shape[:2], bool)
    border[1:-1, 1:-1] = False
    for _ in range(4):  # there may be several backgrounds of different colours
        left = small[border & ~background]
        if len(left) < 8:
            break
        level = _commonest(left)
        alike = (np.abs(small - level).max(axis=2) <= BACKGROUND_SPREAD) & ~background
        found = _connected(alike, border)
        background |= np.where(_ends_at_step(small, found), found, False)
        border &= ~found
    if not background.any() or np.count_nonzero(~background) < 0.02 * background.size:
        return np.ones(image.shape[:2], bool)
    return stretched(~background, image.shape[:2])


def _commonest(colours: Array) -> Array:
    """The most frequent colour (3,) among `colours` (n, 3), up to small differences."""
    coarse = (colours // 8) @ np.array([1024, 32, 1])
    values, counts = np.unique(coarse, return_counts=True)
    return np.median(colours[coarse == values[counts.argmax()]], axis=0)


def _connected(region: Array, border: Array) -> Array:
    """The pieces of `region` that touch the border and are larger than a speck."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8), connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] >= max(12, region.size // 1000)
    large[0] = False
    touching = np.zeros(len(stats), bool)
    touching[labels[border & region]] = True
    return (large & touching)[labels]


def _ends_at_step(small: Array, found: Array) -> Array:
    """Keep the pieces of `found`, bool (h, w), that are solid and end at a step along most of their rim.

    A piece that fills most of the image is the surface, unless it encloses the part.
    """
    result = np.zeros(found.shape, bool)
    border = np.ones(found.shape, bool)
    border[1:-1, 1:-1] = False
    count, labels = cv2.connectedComponents(found.astype(np.uint8), connectivity=4)
    for label in range(1, count):
        piece = (labels == label).astype(np.uint8)
        solid = cv2.morphologyEx(piece, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        inner, outer = (cv2.dilate(piece, np.ones((side, side), np.uint8)) for side in (5, 13))
        beyond = (outer > 0) & (inner == 0)
        surface = piece.mean() > 0.5 and solid[border].mean() < 0.95
        if surface or not beyond.any() or piece.sum() < 0.8 * solid.sum():
            continue
        level = np.median(small[piece > 0], axis=0)
        steps = np.abs(small[beyond] - level).max(axis=1)
        result |= (piece > 0) & (np.quantile(steps, 0.2) >= BACKGROUND_CONTRAST)
    return result
