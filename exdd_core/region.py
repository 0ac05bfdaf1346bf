"""The region of interest of a data set's images, outside of which nothing counts.

Knows a mask, where it lies in a model's input, and features that have a place. Does not know files, banks or scores.

A network sees more of an image than the patch whose features it computes. So what lies outside the region is painted
over with one grey before the network sees it: whatever shows up there changes nothing inside.
"""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
from scipy import ndimage

from exdd_core.errors import BadInput
from exdd_core.geometry import Size, mask_share

FILL = (124, 116, 104)  # the mean colour of the images that networks were trained on: they see it as nothing
# Of a pixel or patch must lie inside; averages of exactly a half may come out a little lower.
HALF = 0.5 - 1e-6


class Region:
    """A region of interest, drawn on one image and stretched to images of other sizes."""

    def __init__(self, mask: np.ndarray):
        """mask: bool (H, W), set where images count. Raises `BadInput` for one that marks nothing."""
        self.mask = np.asarray(mask)
        if self.mask.dtype != bool or self.mask.ndim != 2:
            raise ValueError("a region of interest is a bool (H, W)")
        if not self.mask.any():
            raise BadInput(
                "The region of interest is empty, so nothing would count; draw it where parts show."
            )
        self._shares: dict[tuple[Size, tuple[int, int]], np.ndarray] = {}
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
        """The region on an image of `shape` (H, W): bool (H, W)."""
        if self.mask.shape == tuple(shape):
            return self.mask
        whole, mask = (shape[1], shape[0]), self.mask.astype(np.uint8)
        return cv2.resize(mask, whole, interpolation=cv2.INTER_NEAREST_EXACT).astype(bool)

    def share(self, size: Size, shape: tuple[int, int] | None = None) -> np.ndarray:
        """How much of every pixel of the model's input lies inside, float32 (size.height, size.width), 0 to 1.

        shape: (H, W) of the image, which matters where its aspect is kept; None takes that of the region.
        """
        shape = shape if shape is not None and size.keep_aspect else (self.mask.shape[0], self.mask.shape[1])
        key = size, (int(shape[0]), int(shape[1]))
        if key not in self._shares:
            self._shares[key] = mask_share(self.at(shape), size)
        return self._shares[key]

    def painted_over(self, image: np.ndarray) -> np.ndarray:
        """uint8 (H, W, 3) to the same with `FILL` outside the region."""
        return np.where(self.at(image.shape[:2])[..., None], image, np.array(FILL, np.uint8))

    def spread(self, features: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Features (h, w, d) with those of the nearest patch inside in place of every patch outside.

        inside: bool (h, w). So what is averaged over an image, or is the highest of it, is that of patches inside.
        """
        key = inside.tobytes()
        if key not in self._nearest:
            found = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
            self._nearest[key] = found[0], found[1]
        row, column = self._nearest[key]
        return features[row, column]
