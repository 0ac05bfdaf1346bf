"""The region of interest of a data set's images: pixels outside of it, and the border of a letterbox, are ignored.

The receptive field of a feature is larger than its patch. So all pixels outside of the region get one colour
before the backbone reads the image, and nothing outside changes features inside. Knows a mask, the model's
input and maps of features. Does not know files, banks or scores.
"""

from __future__ import annotations

import hashlib

import cv2
import numpy as np

from exdd_core.errors import BadInput
from exdd_core.geometry import Size, frame, mask_share

FILL = (124, 116, 104)  # the mean colour of ImageNet, which is 0 in a backbone's normalised input
# The share of a pixel or patch that must lie inside; averages of exactly a half may be slightly lower.
HALF = 0.5 - 1e-6


def counted(roi: np.ndarray | None, size: Size) -> Region | None:
    """Return the region that counts in a model's input: the region of interest `roi`, bool (H, W), or with letterboxes
    the whole image without its border. None where the whole input counts."""
    if roi is None and size.keep_aspect:
        return Region(np.ones((1, 1), bool))
    return None if roi is None else Region(roi)


class Region:
    """A region of interest, drawn on one image and stretched to images of other sizes.

    is_whole: whether all of an image counts; then only the border of a letterbox does not.
    """

    def __init__(self, mask: np.ndarray):
        """mask: bool (H, W), True inside of the region. Raises `BadInput` for a mask that marks nothing."""
        self.mask = np.asarray(mask)
        if self.mask.dtype != bool or self.mask.ndim != 2:
            raise ValueError("a region of interest is a bool (H, W)")
        if not self.mask.any():
            raise BadInput(
                "The region of interest is empty, so nothing would count; draw it where parts are visible."
            )
        self.is_whole = bool(self.mask.all())
        self._shares: dict[tuple[Size, tuple[int, int]], np.ndarray] = {}
        self._insides: dict[tuple[Size, tuple[int, int], tuple[int, int]], np.ndarray] = {}
        self._nearest: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Region) and np.array_equal(self.mask, other.mask)

    __hash__ = None  # type: ignore[assignment]

    @property
    def digest(self) -> str:
        """Twelve letters that no other region has."""
        content = repr(self.mask.shape).encode() + np.packbits(self.mask).tobytes()
        return hashlib.sha256(content).hexdigest()[:12]

    def at(self, shape: tuple[int, int]) -> np.ndarray:
        """The region on an image of `shape` (H, W), as bool (H, W)."""
        if self.mask.shape == tuple(shape):
            return self.mask
        whole, mask = (shape[1], shape[0]), self.mask.astype(np.uint8)
        return cv2.resize(mask, whole, interpolation=cv2.INTER_NEAREST_EXACT).astype(bool)

    def share(self, size: Size, shape: tuple[int, int] | None = None) -> np.ndarray:
        """The share of each pixel of the model's input that lies inside, float32 (size.height, size.width).

        shape: (H, W) of the image, used if its aspect is kept; None takes that of the region.
        """
        shape = shape if shape is not None and size.keep_aspect else (self.mask.shape[0], self.mask.shape[1])
        if self.is_whole:
            return _of_image(size, shape)
        key = size, (int(shape[0]), int(shape[1]))
        if key not in self._shares:
            self._shares[key] = mask_share(self.at(shape), size)
        return self._shares[key]

    def inside(self, size: Size, grid: tuple[int, int], shape: tuple[int, int] | None = None) -> np.ndarray:
        """Find the patches of an image that lie inside by half or more, bool (h, w); see `filled` for whole images.

        shape: (H, W) of the image; None for the image that the region was drawn on. Raises BadInput where no patch
        does.
        """
        height, width = shape if shape is not None and size.keep_aspect else self.mask.shape
        if self.is_whole:
            return filled(size, grid, (height, width))
        key = size, grid, (int(height), int(width))
        if key not in self._insides:
            counts = covered(self.share(size, shape), grid) >= HALF
            if not counts.any():
                raise BadInput(
                    f"The region of interest does not cover half of any patch at {size}; "
                    "draw it larger, or build at a larger size."
                )
            self._insides[key] = counts
        return self._insides[key]

    def kept(self, of_pixels: np.ndarray, outside: float) -> np.ndarray:
        """An array (H, W) of an image's size, with the value `outside` beyond the region."""
        return np.where(self.at(of_pixels.shape), of_pixels, np.array(outside, of_pixels.dtype))

    def painted_over(self, image: np.ndarray) -> np.ndarray:
        """An image, uint8 (H, W, 3), with `FILL` outside of the region."""
        if self.is_whole:
            return image
        return np.where(self.at(image.shape[:2])[..., None], image, np.array(FILL, np.uint8))

    def spread(self, features: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Features (h, w, d) in which each patch outside has the features of the closest patch inside.

        inside: bool (h, w). So averages and maxima over an image only contain features of patches inside.
        """
        row, column = self.nearest(inside)
        return features[row, column]

    def nearest(self, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the patch inside that is closest to each patch, int (h, w) each. inside: bool (h, w)."""
        key = inside.tobytes()
        if key not in self._nearest:
            self._nearest[key] = _nearest(inside)
        return self._nearest[key]


def _of_image(size: Size, shape: tuple[int, int]) -> np.ndarray:
    """Mark the pixels of the model's input that an image of `shape` fills with 1, and its letterbox with 0: float32
    (size.height, size.width)."""
    left, top, width, height = frame(size, shape)
    result = np.zeros((size.height, size.width), np.float32)
    result[top : top + height, left : left + width] = 1
    return result


def covered(mask: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """The share of every patch's area that a mask covers.

    mask: at the model's size, bool (H, W), or float32 (H, W), the covered share of every pixel. Returns float32 (h, w),
    0 to 1.
    """
    sums = cv2.integral(mask.astype(np.float32), sdepth=cv2.CV_64F)
    (top, bottom), (left, right) = (_edges(n, side) for n, side in zip(grid, mask.shape, strict=True))
    sums = sums[bottom] - sums[top]
    return ((sums[:, right] - sums[:, left]) / np.outer(bottom - top, right - left)).astype(np.float32)


def _edges(steps: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each of `steps` patches along a side begins and ends; where they do not divide it, they share pixels."""
    step = np.arange(steps)
    return step * side // steps, -(-(step + 1) * side // steps)


def filled(size: Size, grid: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """Find the patches that an image of `shape` (H, W) fills by half or more, bool (h, w). An image that is too narrow
    for that gets the patches that it fills most."""
    left, top, width, height = frame(size, shape)
    share = np.outer(_filled(grid[0], size.height, top, height), _filled(grid[1], size.width, left, width))
    return share >= min(HALF, share.max())


def _filled(steps: int, side: int, start: int, length: int) -> np.ndarray:
    """The share of each of `steps` patches along a side that `length` pixels from `start` fill, float64 (steps,)."""
    first, end = _edges(steps, side)
    return np.clip(np.minimum(end, start + length) - np.maximum(first, start), 0, None) / (end - first)


def _nearest(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the patches that `Region.nearest` returns, as scipy's `distance_transform_edt` does, which bundles lack."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all():  # a rectangle, as in a letterbox
        row, column = np.indices(inside.shape)
        return row.clip(rows[0], rows[-1]), column.clip(columns[0], columns[-1])
    steps, (height, width) = np.arange(max(inside.shape)), inside.shape
    closest = np.full(inside.shape, -1)  # the row of the closest patch inside of the same column
    for column in columns:
        there = np.flatnonzero(inside[:, column])
        closest[:, column] = there[np.abs(steps[:height, None] - there).argmin(1)]
    found = np.empty(inside.shape, int)
    across = (steps[:width, None] - columns) ** 2
    for y in range(height):  # the leftmost, then the uppermost of those that are equally close
        found[y] = columns[(across + (closest[y, columns] - y) ** 2).argmin(1)]
    return np.take_along_axis(closest, found, 1), found
