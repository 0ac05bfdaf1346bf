"""What a detector learns from: images with the part they show, their patches, and which of them a mask marks.

Knows patches and masks; knows neither banks nor scores, nor where images are kept.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from exdd_core import images, patches, surroundings
from exdd_core.backbones import Backbone
from exdd_core.bank import BankImage
from exdd_core.errors import BadInput
from exdd_core.images import Size
from exdd_core.patches import Source
from exdd_core.progress import Progress

FRINGE = 3  # patches from a marked one, within which others see much of the same defect
UNMARKED = 30  # patches kept of an image's fringe, and as many of what lies farther off


@dataclass(frozen=True)
class TrainingImage:
    """An image to learn from: where it is, which physical part it shows, and where its defect lies."""

    id: str
    source: Source
    group: str
    mask: str | Path | np.ndarray | None = None  # a file, or bool (H, W) of the image's size
    defect_type: str = ""
    origin: str = "real"  # or "synthetic"
    donor: str = ""  # the physical part whose defect was transplanted into it

    @property
    def bank_image(self) -> BankImage:
        return BankImage(self.id, self.group, self.defect_type, self.origin, self.donor)


@dataclass(frozen=True)
class PatchSet:
    """The patches of some images: features float32 (n, h, w, d), which lie on a defect bool (n, h, w), origins (n)."""

    features: np.ndarray
    on_defect: np.ndarray
    images: list[BankImage]

    @property
    def groups(self) -> np.ndarray:
        return np.array([i.group for i in self.images], dtype=str)

    def take(self, numbers: Sequence[int] | np.ndarray) -> PatchSet:
        """The same for the images of these numbers."""
        at = np.asarray(numbers, int)
        return PatchSet(self.features[at], self.on_defect[at], [self.images[i] for i in at])

    def marked(self) -> list[Marked]:
        """The patches on a defect, image by image; images without any are left out."""
        found = []
        for number in np.flatnonzero(self.on_defect.any((1, 2))):
            found.append(Marked.of(self.images[number], self.features[number], self.on_defect[number]))
        return found


@dataclass(frozen=True)
class Marked:
    """The patches of one image that a mask marks. rows: float32 (m, d). position: int16 (m, 2), row and column.

    beside: float32 (m, e), what surrounds each (see `surroundings`); None where that is not known. unmarked: some of
    the others of an image with a real defect, where they are known.
    """

    image: BankImage
    rows: np.ndarray
    position: np.ndarray
    beside: np.ndarray | None = None
    unmarked: Unmarked | None = None

    @classmethod
    def of(cls, image: BankImage, features: np.ndarray, on: np.ndarray) -> Marked:
        """features: float32 (h, w, d) of the whole image. on: bool (h, w), what is marked."""
        row, column = np.nonzero(on)
        around = surroundings.around(features)
        unmarked = Unmarked.of(image, features, around, on) if image.origin == "real" and on.any() else None
        position = np.stack([row, column], 1).astype(np.int16)
        return cls(image, features[row, column], position, around[row, column], unmarked)


@dataclass(frozen=True)
class Unmarked:
    """Some patches of an image with a defect that its mask does not mark; the ones beside the defect resemble it.

    rows, position, beside: as of `Marked`. each: float32 (m,), how many patches each stands for: the few in the fringe
    are kept more often than what lies farther off.
    """

    rows: np.ndarray
    position: np.ndarray
    beside: np.ndarray
    each: np.ndarray

    @classmethod
    def of(cls, image: BankImage, features: np.ndarray, around: np.ndarray, on: np.ndarray) -> Unmarked:
        """features, around: float32 (h, w, ...) of the whole image. on: bool (h, w), what is marked."""
        square = np.ones((2 * FRINGE + 1, 2 * FRINGE + 1), np.uint8)
        fringe = cv2.dilate(on.astype(np.uint8), square).astype(bool)
        rng = np.random.default_rng(zlib.crc32(image.id.encode()))
        places, each = [], []
        for side in (fringe & ~on, ~fringe):
            there = np.argwhere(side)
            places.append(rng.permutation(there)[:UNMARKED])
            each.append(np.full(len(places[-1]), len(there) / max(1, len(places[-1])), np.float32))
        position = np.concatenate(places).astype(np.int16)
        row, column = position.T
        return cls(features[row, column], position, around[row, column], np.concatenate(each))


def patch_set(
    backbone: Backbone, training: Sequence[TrainingImage], size: Size, progress: Progress | None = None
) -> PatchSet:
    """Features of images, with their masks placed on the patch grid."""
    features = patches.extract(backbone, [t.source for t in training], size, progress)
    on_defect = np.zeros(features.shape[:3], bool)
    for i, image in enumerate(training):
        if image.mask is not None:
            on_defect[i] = _defect_patches(image, size, features.shape[1:3])
    return PatchSet(features, on_defect, [t.bank_image for t in training])


def _defect_patches(image: TrainingImage, size: Size, grid: tuple[int, int]) -> np.ndarray:
    mask, source = image.mask, image.source
    shape = source.shape[:2] if isinstance(source, np.ndarray) else images.probe(source)[::-1]
    if isinstance(mask, str | Path):
        mask = images.read_mask(mask, shape)
    elif mask is not None and mask.shape != shape:
        raise BadInput(f"The mask of {image.id} has another size than the image; give one of the same size.")
    assert mask is not None
    return defect_patches(mask, size, grid)


def defect_patches(mask: np.ndarray, size: Size, grid: tuple[int, int]) -> np.ndarray:
    """Which patches lie on a defect: bool (h, w). At least half covered, or the most covered of a small defect.

    mask: bool (H, W) of the image's own size.
    """
    share = patches.covered(images.resize_mask(mask, size), grid)
    return (share > 0) & (share >= min(0.5, share.max()))
