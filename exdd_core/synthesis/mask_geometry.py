"""Geometry of masks: bounding boxes, depth, growth, and masks of another size.

Knows bool arrays. Does not know images, where a mask comes from or what is painted.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

Array = np.ndarray


def stretched(mask: Array, shape: tuple[int, int]) -> Array:
    """The mask at another size, bool (H, W): each pixel takes the value of the mask's pixel that holds its middle."""
    if mask.shape == shape:
        return mask
    rows, columns = _nearest(shape[0], mask.shape[0]), _nearest(shape[1], mask.shape[1])
    return mask[np.ix_(rows, columns)]


def pixels_of_box(
    shape: tuple[int, int], left: float, top: float, right: float, bottom: float
) -> tuple[slice, slice]:
    """The pixels around a box that lie in the image; empty slices where none do."""
    y0, x0 = max(0, math.floor(top) - 1), max(0, math.floor(left) - 1)
    y1, x1 = min(shape[0], math.ceil(bottom) + 1), min(shape[1], math.ceil(right) + 1)
    return slice(y0, max(y0, y1)), slice(x0, max(x0, x1))


def bounds(mask: Array) -> tuple[int, int, int, int]:
    """top, bottom, left, right (ends excluded) of the True pixels of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def reduced_mask(mask: Array, height: int, width: int) -> Array:
    """The mask in another size, bool (height, width); a smaller one sets every pixel that a True pixel falls into."""
    if mask.shape[0] <= height and mask.shape[1] <= width:
        return stretched(mask, (height, width))
    result = np.zeros((height, width), bool)
    rows, columns = np.nonzero(mask)
    result[_nearest(mask.shape[0], height)[rows], _nearest(mask.shape[1], width)[columns]] = True
    return result


def _nearest(length: int, other: int) -> Array:
    """For each of `length` pixels along an axis, the index of the one of `other` pixels that holds its middle."""
    return (2 * np.arange(length) + 1) * other // (2 * length)


def depth_of(mask: np.ndarray) -> np.ndarray:
    """The distance in pixels from the mask's edge, 0 outside: float32 (h, w). The array's border is no edge."""
    if mask.all():
        return np.full(mask.shape, float(max(mask.shape)), np.float32)
    padded = np.pad(mask.astype(np.uint8), 1, mode="edge")
    return cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]


def half_width(mask: Array) -> float:
    """Half the width of a mask at its widest point, in pixels."""
    return float(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5).max())


def grown(mask: Array, pixels: float) -> Array:
    """The mask, dilated by `pixels`."""
    if not mask.any():
        return mask
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) <= pixels
