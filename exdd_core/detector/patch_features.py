"""The patch features of many images: in memory where they are few, else at half precision on disk.

Knows arrays and files. Does not know where features come from, nor what they are compared with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from exdd_core.spill import Spill

# Bytes of float32 features that are held in memory. It does not depend on the memory that is free: the same images give
# the same features on every machine.
IN_MEMORY = 1 << 30
Stored = np.ndarray | Spill


class PatchFeatures(Sequence[np.ndarray]):
    """The features of n images, float32 (h, w, d) each.

    Images whose features take more than IN_MEMORY bytes are stored at half precision: each feature is then off by at
    most 2^-11 of itself, or by 3e-8 where it is smaller than 6e-5, and a distance by at most 2^-11 of the length of
    each of both rows that were rounded. All selections share what is stored.
    """

    def __init__(self, stored: Stored, numbers: np.ndarray | None = None):
        """stored: (N, h, w, d), float32 in memory, or a file. numbers: int (n,), the images of it; None for all."""
        self.stored = stored
        self.numbers = np.arange(len(stored)) if numbers is None else np.asarray(numbers, int)

    @classmethod
    def room(cls, count: int, shape: Sequence[int], folder: Path | None = None) -> PatchFeatures:
        """Room for the features of `count` images of this shape, (h, w, d), to be written.

        folder: on the disk to use. Raises BadInput where that lacks the room.
        """
        if not on_disk(count, shape):
            return cls(np.empty((count, *shape), np.float32))
        return cls(Spill(count, shape, np.float16, folder, f"The features of {count:,} images"))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(n, h, w, d)."""
        h, w, d = self.stored.shape[1:]
        return len(self), h, w, d

    @property
    def bytes_on_disk(self) -> int:
        return self.stored.bytes if isinstance(self.stored, Spill) else 0

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, number):
        """The features of one image, float32 (h, w, d); a list of them for a slice."""
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        return np.asarray(self.stored[self.numbers[number]], np.float32)

    def write(self, first: int, features: np.ndarray) -> None:
        """Store features, float32 (m, h, w, d), as those of image number `first` and the following ones."""
        if isinstance(self.stored, Spill):
            self.stored.write(first, features)
        else:
            self.stored[first : first + len(features)] = features

    def take(self, numbers: Sequence[int] | np.ndarray) -> PatchFeatures:
        """The features of the images with these numbers."""
        return PatchFeatures(self.stored, self.numbers[np.asarray(numbers, int)])

    def rows(self, image: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """The features of single patches, float32 (m, d), by number of image, row and column: int (m,) each."""
        _, h, w, _ = self.shape
        stored = self.numbers[image]
        if isinstance(self.stored, Spill):
            return self.stored.rows((stored * h + row) * w + column).astype(np.float32)
        return self.stored[stored, row, column]

    def copied(self) -> PatchFeatures:
        """A copy of these images alone, so that the file with all of them can go; `self` where all are in memory."""
        if not isinstance(self.stored, Spill):
            return self
        own = PatchFeatures(Spill(len(self), self.shape[1:], self.stored.dtype, self.stored.folder))
        for number, features in enumerate(self):
            own.write(number, features[None])
        return own


class FlatFeatures(Sequence[np.ndarray]):
    """`PatchFeatures` with the patch grid of each image flattened: float32 (h * w, d) each."""

    def __init__(self, features: PatchFeatures):
        self.features = features

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, number):
        """Those of one image; a list of them for a slice."""
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        return self.features[number].reshape(-1, self.features.shape[-1])


def on_disk(count: int, shape: Sequence[int]) -> bool:
    """Whether the features of so many images of this shape, (h, w, d), are stored at half precision."""
    return 4 * count * int(np.prod(shape, dtype=np.int64)) > IN_MEMORY
