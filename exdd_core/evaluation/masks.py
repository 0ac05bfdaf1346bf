"""Masks of many images in little memory: packed bits of those that mark something, on disk where they are many.

Knows pixels, regions of interest and files without a name. Does not know where masks come from or what is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from exdd_core.geometry import Size, frame
from exdd_core.region import HALF, Region
from exdd_core.spill import array_or_spill

IN_MEMORY = 64 << 20  # bytes of packed masks that are held in memory


class _Pixels(Sequence[np.ndarray]):
    """bool (height, width) for each of n images, made when it is asked for."""

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))


class Masks(_Pixels):
    """The masks of n images, bool (height, width) each; nothing is marked before it is written.

    All selections share what is stored: a bit a pixel of every image that may get a mask.
    """

    def __init__(self, size: Size, may_have: Sequence[bool] | np.ndarray):
        """may_have: bool (n,), the images that a mask may be written for."""
        own = np.asarray(may_have, bool)
        self._shape = size.height, size.width
        length = -(-size.height * size.width // 8)
        self._bits = array_or_spill(int(own.sum()), (length,), np.uint8, IN_MEMORY)
        self._place = np.where(own, np.cumsum(own) - 1, -1)
        self._marked = np.zeros(len(own), bool)

    def __len__(self) -> int:
        return len(self._place)

    def write(self, number: int, mask: np.ndarray) -> None:
        """Store the mask of one image, bool (height, width)."""
        self._bits[self._place[number]] = np.packbits(mask)
        self._marked[number] = True

    def __getitem__(self, number):
        if not self._marked[number]:
            return np.zeros(self._shape, bool)
        bits = self._bits[int(self._place[number])]
        return np.unpackbits(bits, count=self._shape[0] * self._shape[1]).reshape(self._shape).view(bool)

    def take(self, numbers: Sequence[int] | np.ndarray) -> Masks:
        """The masks of the images with these numbers."""
        at, own = np.asarray(numbers, int), object.__new__(Masks)
        own._shape, own._bits = self._shape, self._bits
        own._place, own._marked = self._place[at], self._marked[at]
        return own


class Counted(_Pixels):
    """The pixels of n images that pixel figures count, bool (height, width) each: those in the region of interest.

    The border of a letterbox does not count, and of an image whose mask is not known no pixel does.
    """

    def __init__(
        self, size: Size, shapes: Sequence[tuple[int, int]], known: np.ndarray, region: Region | None
    ):
        """shapes: (H, W) of every image; may be empty without a region and a letterbox. known: bool (n,)."""
        self._size, self._shapes, self._known, self._region = size, shapes, known, region

    def __len__(self) -> int:
        return len(self._known)

    def __getitem__(self, number):
        if self._known[number] and self._region is not None:
            return self._region.share(self._size, self._shapes[number]) >= HALF
        counted = np.zeros((self._size.height, self._size.width), bool)
        if not self._known[number]:
            return counted
        shape = self._shapes[number] if self._size.keep_aspect else counted.shape
        left, top, width, height = frame(self._size, shape)
        counted[top : top + height, left : left + width] = True
        return counted

    def take(self, numbers: Sequence[int] | np.ndarray) -> Counted:
        """Those of the images with these numbers."""
        at = np.asarray(numbers, int)
        shapes = [self._shapes[i] for i in at] if self._shapes else self._shapes
        return Counted(self._size, shapes, self._known[at], self._region)
