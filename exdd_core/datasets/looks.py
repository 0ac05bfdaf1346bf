"""What the pixels of a data set say of its labels and masks: colours, inverted masks, defects smaller than a patch.

Sees each image once, with its mask, and keeps a few numbers of it. Knows nothing of files or sentences.
"""

from __future__ import annotations

from collections import defaultdict

import cv2
import numpy as np

from exdd_core.datasets.record import DEFECT, NORMAL, Record
from exdd_core.geometry import MAX_MODEL_SIDE, Size, mask_share

STRIDE = 8  # pixels of the model's input under one patch, for every backbone
HALF = 0.5  # share of a patch that its defect covers, so that the patch shows it
INVERTED_FROM = 0.3  # share of an image that a mask must mark before it is suspected


class Looks:
    """Fed with images one by one; `size` is what banks are built at, None where that is not asked."""

    def __init__(self, size: Size | None):
        self._size = size
        self._coloured: dict[str, list[bool]] = defaultdict(list)
        self._normal: list[np.ndarray] = []
        self._sides: dict[
            str, tuple[np.ndarray, np.ndarray]
        ] = {}  # image -> looks inside and outside of its mask
        self._needed: list[
            tuple[float, float]
        ] = []  # of small defects: factors by which the sides would have to grow
        self.small: list[str] = []

    def add(self, record: Record, image: np.ndarray, mask: np.ndarray | None) -> None:
        """image: uint8 (H, W, 3). mask: bool (H, W) of a defective image, not empty; None where there is none."""
        step = max(1, min(image.shape[:2]) // 64)
        few = image[::step, ::step]
        self._coloured[record.label].append(bool((few != few[..., :1]).any()))
        if record.label == NORMAL:
            self._normal.append(_look(image, np.ones(image.shape[:2], bool)))
        if mask is None or record.label != DEFECT:
            return
        if INVERTED_FROM < mask.mean() < 1:
            self._sides[record.path] = (_look(image, mask), _look(image, ~mask))
        if self._size is not None:
            self._note_if_small(record.path, mask, self._size)

    def grey(self) -> dict[str, float]:
        """label -> share of its images without colour, 0 to 1."""
        return {label: 1 - float(np.mean(found)) for label, found in self._coloured.items()}

    def inverted(self) -> list[str]:
        """Images whose mask marks what looks like normal surface, and leaves out what does not."""
        if not self._normal:
            return []
        usual = np.median(self._normal, axis=0)
        spread = np.median(np.abs(np.array(self._normal) - usual), axis=0) + 1.0
        return [
            path
            for path, (inside, outside) in self._sides.items()
            if np.abs((inside - usual) / spread).sum() < np.abs((outside - usual) / spread).sum()
        ]

    def size_that_shows(self) -> str:
        """The smallest size, in multiples of 32, at which every small defect covers half of a patch; "" for none."""
        if self._size is None or not self._needed:
            return ""
        wide, high = (max(factors) for factors in zip(*self._needed, strict=True))
        width, height = (
            -(-round(side * factor) // 32) * 32
            for side, factor in ((self._size.width, wide), (self._size.height, high))
        )
        return f"{width}x{height}" if max(width, height) <= MAX_MODEL_SIDE else ""

    def _note_if_small(self, path: str, mask: np.ndarray, size: Size) -> None:
        grid = (size.width // STRIDE, size.height // STRIDE)
        share = cv2.resize(mask_share(mask, size), grid, interpolation=cv2.INTER_AREA)
        if float(share.max()) >= HALF:
            return
        self.small.append(path)
        self._needed.append(_growth(mask, size))


def _look(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Brightness and roughness of a part of an image: float (2,)."""
    grey = image.mean(axis=2)
    rough = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 2))
    return np.array([grey[where].mean(), rough[where].mean()])


def _growth(mask: np.ndarray, size: Size) -> tuple[float, float]:
    """By how much width and height of the model's input have to grow until the mask covers half of a patch."""
    for factor in (1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 16):
        for wide, high in ((factor, 1.0), (1.0, factor), (factor, factor)):
            larger = Size(
                round(size.width * wide / 32) * 32, round(size.height * high / 32) * 32, size.keep_aspect
            )
            if max(larger.width, larger.height) > MAX_MODEL_SIDE:
                continue
            grid = (larger.width // STRIDE, larger.height // STRIDE)
            share = cv2.resize(mask_share(mask, larger), grid, interpolation=cv2.INTER_AREA)
            if float(share.max()) >= HALF:
                return larger.width / size.width, larger.height / size.height
    return float("inf"), float("inf")
