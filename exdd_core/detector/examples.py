"""What a detector learns from: images with the part they show, their patches, and which of them a mask marks.

Knows patches and masks; knows neither banks nor scores, nor where images are kept.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from exdd_core import images
from exdd_core.detector import context as surroundings
from exdd_core.detector import patches
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.bank import BankImage
from exdd_core.detector.patches import Reader, Source
from exdd_core.errors import BadInput
from exdd_core.images import Size
from exdd_core.progress import Progress
from exdd_core.region import HALF, Region

FRINGE = 3  # patches from a marked one, within which others see much of the same defect
UNMARKED = 30  # patches kept of an image's fringe, and as many of what lies farther off
TIE = 1e-6  # shares that differ by less are alike
SHOWN = 0.25  # of a patch that a defect has to cover, else it is smaller than a patch
EMPTY, OUTSIDE, SMALL = "empty", "outside", "small"  # what may be wrong with a defect's mask


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
    """The patches of some images: features float32 (n, h, w, d), which lie on a defect bool (n, h, w), origins (n).

    inside: bool (n, h, w), those that lie in the region of interest; None where everything counts. amiss: of some
    images, by id, what is wrong with the mask: it is EMPTY, lies wholly OUTSIDE the region, or its defect is SMALL.
    """

    features: np.ndarray
    on_defect: np.ndarray
    images: list[BankImage]
    inside: np.ndarray | None = None
    amiss: Mapping[str, str] = field(default_factory=dict)

    @property
    def groups(self) -> np.ndarray:
        return np.array([i.group for i in self.images], dtype=str)

    def take(self, numbers: Sequence[int] | np.ndarray) -> PatchSet:
        """The same for the images of these numbers."""
        at = np.asarray(numbers, int)
        inside = None if self.inside is None else self.inside[at]
        images = [self.images[i] for i in at]
        amiss = {image.id: self.amiss[image.id] for image in images if image.id in self.amiss}
        return PatchSet(self.features[at], self.on_defect[at], images, inside, amiss)

    def marked(self) -> list[Marked]:
        """The patches on a defect, image by image; images without any are left out."""
        found = []
        for number in np.flatnonzero(self.on_defect.any((1, 2))):
            inside = None if self.inside is None else self.inside[number]
            on = self.on_defect[number]
            found.append(Marked.of(self.images[number], self.features[number], on, inside))
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
    def of(
        cls, image: BankImage, features: np.ndarray, on: np.ndarray, inside: np.ndarray | None = None
    ) -> Marked:
        """features: float32 (h, w, d) of the whole image. on: bool (h, w), what is marked. inside: bool (h, w), the
        patches that count; None where all do."""
        row, column = np.nonzero(on)
        around = surroundings.around(features)
        unmarked = None
        if image.origin == "real" and on.any():
            unmarked = Unmarked.of(image, features, around, on, inside)
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
    def of(
        cls,
        image: BankImage,
        features: np.ndarray,
        around: np.ndarray,
        on: np.ndarray,
        inside: np.ndarray | None = None,
    ) -> Unmarked:
        """features, around: float32 (h, w, ...) of the whole image. on: bool (h, w), what is marked. inside: as of
        `Marked`."""
        square = np.ones((2 * FRINGE + 1, 2 * FRINGE + 1), np.uint8)
        fringe = cv2.dilate(on.astype(np.uint8), square).astype(bool)
        rng = np.random.default_rng(zlib.crc32(image.id.encode()))
        places, each = [], []
        for side in (fringe & ~on, ~fringe):
            there = np.argwhere(side if inside is None else side & inside)
            places.append(rng.permutation(there)[:UNMARKED])
            each.append(np.full(len(places[-1]), len(there) / max(1, len(places[-1])), np.float32))
        position = np.concatenate(places).astype(np.int16)
        row, column = position.T
        return cls(features[row, column], position, around[row, column], np.concatenate(each))


def patch_set(
    backbone: Backbone,
    training: Sequence[TrainingImage],
    size: Size,
    progress: Progress | None = None,
    reader: Reader = images.read_image,
    region: Region | None = None,
) -> PatchSet:
    """Features of images, with their masks placed on the patch grid. reader, region: as of `patches.extract`."""
    features = patches.extract(backbone, [t.source for t in training], size, progress, reader, region)
    on_defect = np.zeros(features.shape[:3], bool)
    inside = None if region is None else np.zeros(features.shape[:3], bool)
    grid, amiss = features.shape[1:3], {}
    for i, image in enumerate(training):
        if inside is not None and region is not None:
            inside[i] = patches.inside(region, size, grid, _shape(image))
        if image.mask is not None:
            mask = _mask(image)
            on_defect[i] = defect_patches(mask, size, grid, region)
            if said := _amiss(mask, on_defect[i], size):
                amiss[image.id] = said
    return PatchSet(features, on_defect, [t.bank_image for t in training], inside, amiss)


def _shape(image: TrainingImage) -> tuple[int, int]:
    """Height and width, of a file by its header."""
    if isinstance(image.source, np.ndarray):
        return image.source.shape[0], image.source.shape[1]
    width, height = images.probe(image.source)
    return height, width


def _mask(image: TrainingImage) -> np.ndarray:
    mask, shape = image.mask, _shape(image)
    if isinstance(mask, str | Path):
        mask = images.read_mask(mask, shape)
    elif mask is not None and mask.shape != shape:
        raise BadInput(f"The mask of {image.id} has another size than the image; give one of the same size.")
    assert mask is not None
    return mask


def _amiss(mask: np.ndarray, on: np.ndarray, size: Size) -> str:
    """What is wrong with a mask, bool (H, W), of which patches `on`, bool (h, w), are left; "" for nothing."""
    if not mask.any():
        return EMPTY
    if not on.any():
        return OUTSIDE
    return SMALL if patches.covered(images.mask_share(mask, size), on.shape)[on].max() < SHOWN else ""


def defect_patches(
    mask: np.ndarray, size: Size, grid: tuple[int, int], region: Region | None = None
) -> np.ndarray:
    """Which patches lie on a defect: bool (h, w). Those that are covered by half or more, and of every region of the
    mask that covers half of none the one that is covered most.

    mask: bool (H, W) of the image's own size. region: only what lies inside is looked at.
    """
    if region is not None:
        mask = mask & region.at(mask.shape)
    share = patches.covered(images.mask_share(mask, size), grid)
    if region is not None:
        share[~patches.inside(region, size, grid, mask.shape)] = 0
    on = share >= HALF
    count, regions = cv2.connectedComponents(mask.astype(np.uint8))
    if count == 1:
        return on
    row, column = _patch_of_pixels(mask, size, grid)
    marked = regions[mask]
    at_pixel = share[row, column]
    most = np.zeros(count, np.float32)  # of each region: the share from which on its patches are taken
    np.maximum.at(most, marked, at_pixel)
    most[marked[on[row, column]]] = np.inf
    taken = (at_pixel > 0) & (at_pixel >= most[marked] - TIE)
    on[row[taken], column[taken]] = True
    return on


def _patch_of_pixels(mask: np.ndarray, size: Size, grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of the patch that each marked pixel lies in, int (m,) each, of a mask, bool (H, W)."""
    y, x = np.nonzero(mask)
    rows = np.array([images.patch_at(i, 0, grid, size, mask.shape)[0] for i in range(mask.shape[0])])
    columns = np.array([images.patch_at(0, i, grid, size, mask.shape)[1] for i in range(mask.shape[1])])
    return rows[y], columns[x]
