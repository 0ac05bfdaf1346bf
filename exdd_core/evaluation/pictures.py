"""The features of images that a validation reads again and again: in memory where they are few.

Knows arrays. Does not know where features come from, nor what is measured on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from exdd_core.detector import patch_features
from exdd_core.detector.examples import DefectImage

AT_ONCE = 1 << 28  # bytes of features that are in memory together where not all are


class Pictures(Sequence[np.ndarray]):
    """m images of n patches, float32 (n, d) each.

    several: float16 or float32 (n, d) each. Where they take more than `patch_features.IN_MEMORY` bytes together, none
    stays in memory, and each is read from `several` whenever it is looked at.
    """

    def __init__(self, several: Sequence[np.ndarray]):
        first = several[0]
        self._shape, self._several = first.shape, several
        self._whole: np.ndarray | None = None
        if not patch_features.on_disk(len(several), first.shape):
            self._whole = np.stack([np.asarray(one, np.float32) for one in several])

    def __len__(self) -> int:
        return len(self._several)

    def __getitem__(self, number):
        if self._whole is not None:
            return self._whole[number]
        return np.asarray(self._several[number], np.float32)

    def together(self) -> Iterator[tuple[slice, np.ndarray]]:
        """All images, as many at once as may be in memory: their numbers, and float32 (b, n, d)."""
        if self._whole is not None:
            yield slice(0, len(self)), self._whole
            return
        step = max(1, AT_ONCE // (4 * int(np.prod(self._shape))))
        for start in range(0, len(self), step):
            part = slice(start, min(start + step, len(self)))
            yield part, np.stack([self[i] for i in range(part.start, part.stop)])


class Some(Sequence[np.ndarray]):
    """The first few of several arrays, none of which is read before it is looked at."""

    def __init__(self, several: Sequence[np.ndarray], count: int):
        self._several, self._count = several, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number):
        return self._several[range(self._count)[number]]


class FeaturesOf(Sequence[np.ndarray]):
    """The features of defective images, none of which is read before it is looked at."""

    def __init__(self, several: Sequence[DefectImage]):
        self._several = several

    def __len__(self) -> int:
        return len(self._several)

    def __getitem__(self, number):
        return self._several[number].features
