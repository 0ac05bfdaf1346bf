"""Cuts the squares that the engine `learned` learns from: defects and normal surface, at the image's own scale.

The same pictures and seed give the same squares. Knows images, masks and what may be turned. Does not know networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from exdd_core.progress import Progress
from exdd_core.synthesis.learned_network import SIDE
from exdd_core.synthesis.lora_crops import Picture, Symmetry, pieces, turned
from exdd_core.synthesis.mask_geometry import grown

EACH = 48  # squares of a defect
GROWN = 6.0  # pixels by which a mask is dilated at most, as a halo does
MOST = 4000  # squares of either kind; 50 MB


@dataclass(frozen=True)
class Squares:
    """n squares. pixels: uint8 (n, SIDE, SIDE, 3). mask: bool (n, SIDE, SIDE). kind: int64 (n,), 0 for normal."""

    pixels: np.ndarray
    mask: np.ndarray
    kind: np.ndarray

    def __len__(self) -> int:
        return len(self.kind)


def of_defects(
    pictures: Sequence[Picture],
    types: Sequence[str],
    allowed: Sequence[Symmetry],
    each: int,
    seed: int,
    progress: Progress,
) -> Squares:
    """`each` squares of every picture, or fewer of many, each around a pixel of its defect."""
    each = max(1, min(each, MOST // max(1, len(pictures))))
    found = []
    progress.begin("Cutting out defects", len(pictures))
    for number, picture in enumerate(pictures):
        image, mask = picture.read()
        assert mask is not None
        boxes = pieces(mask)
        kind = 1 + types.index(picture.defect_type) if picture.defect_type in types else 0
        for variant in range(each if boxes else 0):
            rng = np.random.default_rng([seed, 0, number, variant])
            top, left, bottom, right = boxes[int(rng.integers(len(boxes)))]
            rows, columns = np.nonzero(mask[top:bottom, left:right])
            at = int(rng.integers(len(rows)))
            here = _around(top + int(rows[at]), left + int(columns[at]), image.shape[:2], rng)
            drawn = grown(_square(mask[here]), rng.uniform(0, GROWN))
            symmetry = allowed[int(rng.integers(len(allowed)))]
            found.append((turned(_square(image[here]), symmetry), turned(drawn, symmetry), kind))
        progress.advance()
    return _stacked(found)


def of_normals(
    pictures: Sequence[Picture], lent: np.ndarray, allowed: Sequence[Symmetry], count: int, seed: int,
    progress: Progress,
) -> Squares:  # fmt: skip
    """`count` squares of normal images, MOST at most, under masks of defects. lent: bool (n, SIDE, SIDE)."""
    found = []
    count = min(count, MOST)
    progress.begin("Cutting out normal surface", len(pictures))
    for number, picture in enumerate(pictures):
        image, _ = picture.read()
        for variant in range(count * number // len(pictures), count * (number + 1) // len(pictures)):
            rng = np.random.default_rng([seed, 1, variant])
            row, column = (int(rng.integers(side)) for side in image.shape[:2])
            here = _around(row, column, image.shape[:2], rng)
            mask = turned(lent[int(rng.integers(len(lent)))], (bool(rng.integers(2)), int(rng.integers(4))))
            symmetry = allowed[int(rng.integers(len(allowed)))]
            found.append((turned(_square(image[here]), symmetry), mask, 0))
        progress.advance()
    return _stacked(found)


def _around(row: int, column: int, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[slice, slice]:
    """The pixels of a square that shows a pixel of the image, not too near to the square's edge."""
    ends = []
    for at, limit in ((row, shape[0]), (column, shape[1])):
        start = at - int(rng.integers(SIDE // 8, SIDE - SIDE // 8))
        start = min(max(0, start), max(0, limit - SIDE))
        ends.append(slice(start, start + SIDE))
    return ends[0], ends[1]


def _square(layer: np.ndarray) -> np.ndarray:
    """A layer of an image, (h, w) or (h, w, 3), padded to a square: with its edge pixels, a mask with False."""
    lacking = [(0, SIDE - layer.shape[0]), (0, SIDE - layer.shape[1])]
    return np.pad(layer, [*lacking, (0, 0)][: layer.ndim], mode="edge" if layer.ndim > 2 else "constant")


def _stacked(found: Sequence[tuple[np.ndarray, np.ndarray, int]]) -> Squares:
    if not found:
        square = (0, SIDE, SIDE)
        return Squares(np.zeros((*square, 3), np.uint8), np.zeros(square, bool), np.zeros(0, np.int64))
    pixels, masks, kinds = zip(*found, strict=True)
    return Squares(np.stack(pixels), np.stack(masks), np.array(kinds, np.int64))
