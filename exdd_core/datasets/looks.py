"""Statistics of a data set's pixels: colours, blank images, inverted masks and defects smaller than a patch.

Takes each image once, with its mask, and keeps a few numbers. Knows arrays. Does not know files or sentences.
"""

from __future__ import annotations

from collections import defaultdict

import cv2
import numpy as np

from exdd_core.datasets.record import DEFECT, NORMAL, Record
from exdd_core.geometry import MAX_MODEL_SIDE, Size, mask_share

STRIDE = 8  # pixels of the model's input in a patch, for every backbone
SHOWN = 0.25  # share of a patch that a defect must cover to be large enough
# Factors that are tried to find a size at which small defects are large enough.
FACTORS = (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 16)
INVERTED_FROM = 0.3  # a mask that marks less of its image is never called inverted


class Looks:
    """Collects statistics image by image. size: the model's input; None finds no small defects."""

    def __init__(self, size: Size | None):
        self._size = size
        self._coloured: dict[str, list[bool]] = defaultdict(list)
        self._normal: list[np.ndarray] = []
        # Image -> brightness and roughness inside and outside of its mask.
        self._sides: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._small: list[tuple[np.ndarray, tuple[int, int]]] = []  # packed bits and shapes of masks
        self.small: list[str] = []
        self.blank: list[str] = []  # images of one value everywhere

    def add(self, record: Record, image: np.ndarray, mask: np.ndarray | None) -> None:
        """Add an image, uint8 (H, W, 3), and the mask of a defective one: bool (H, W), not empty, or None."""
        step = max(1, min(image.shape[:2]) // 64)
        few = image[::step, ::step]
        if few.min() == few.max() and image.min() == image.max():
            self.blank.append(record.path)
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
        """Label -> share of its images without colour, 0 to 1."""
        return {label: 1 - float(np.mean(found)) for label, found in self._coloured.items()}

    def inverted(self) -> list[str]:
        """Images that look more like normal images inside of their mask than outside of it."""
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
        """The smallest of the tried sizes at which every small defect is large enough, as "WxH", or ""."""
        if self._size is None or not self._small:
            return ""
        sides = {
            (_side(self._size.width, wide), _side(self._size.height, high))
            for wide in FACTORS
            for high in FACTORS
        }
        for width, height in sorted(sides, key=lambda pair: (pair[0] * pair[1], pair)):
            larger = Size(width, height, self._size.keep_aspect)
            if max(width, height) <= MAX_MODEL_SIDE and all(
                _shown(np.unpackbits(bits, count=shape[0] * shape[1]).reshape(shape).astype(bool), larger)
                for bits, shape in self._small
            ):
                return str(larger)
        return ""

    def _note_if_small(self, path: str, mask: np.ndarray, size: Size) -> None:
        if not _shown(mask, size):
            self.small.append(path)
            self._small.append((np.packbits(mask), (mask.shape[0], mask.shape[1])))


def _side(length: int, factor: float) -> int:
    """A side of the model's input times `factor`, rounded to a multiple of 32 pixels."""
    return round(length * factor / 32) * 32


def _shown(mask: np.ndarray, size: Size) -> bool:
    """Whether a mask, bool (H, W), covers the share `SHOWN` of any patch of the model's input."""
    grid = (size.width // STRIDE, size.height // STRIDE)
    return float(cv2.resize(mask_share(mask, size), grid, interpolation=cv2.INTER_AREA).max()) >= SHOWN


def _look(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Mean brightness and roughness of the pixels `where`, bool (H, W), of an image: float (2,)."""
    grey = image.mean(axis=2)
    rough = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 2))
    return np.array([grey[where].mean(), rough[where].mean()])
