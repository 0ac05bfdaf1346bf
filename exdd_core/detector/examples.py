"""Training examples: images with their physical parts, their patches, and the patches that a mask marks.

Knows patches and masks. Does not know distances or scores, or where images are stored.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from exdd_core import images
from exdd_core.detector import context, patches
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.bank import BankImage
from exdd_core.detector.feature_cache import FeatureCache
from exdd_core.detector.patch_features import PatchFeatures
from exdd_core.detector.patches import Reader, Source
from exdd_core.errors import BadInput
from exdd_core.images import Size
from exdd_core.progress import Progress
from exdd_core.region import HALF, Region, covered
from exdd_core.sentences import listed

FRINGE = 3  # distance in patches from a marked patch within which unmarked ones still show much of the defect
UNMARKED = 30  # unmarked patches kept of an image's fringe, and as many of the rest of the image
TIE = 1e-6  # covered shares that differ by less count as equal
SHOWN = 0.25  # a defect that covers less than this share of every patch is smaller than a patch
MOST_BYTES = 512 << 20  # of patches on defects with their surroundings; of more, an even sample is used
EMPTY, OUTSIDE, SMALL = "empty", "outside", "small"  # faults of a defect's mask


@dataclass(frozen=True)
class TrainingImage:
    """An image to train on.

    source: a path, or uint8 (H, W, 3) RGB. group: the physical part it shows. mask: where its defect lies, a
    path or bool (H, W) of the image's size. origin, donor, engine, vouched, taught_by: as of
    `BankImage`.
    """

    id: str
    source: Source
    group: str
    mask: str | Path | np.ndarray | None = None
    defect_type: str = ""
    origin: str = "real"
    donor: str = ""
    engine: str = ""
    vouched: bool = False
    taught_by: tuple[str, ...] = ()

    @property
    def bank_image(self) -> BankImage:
        return BankImage(
            self.id,
            self.group,
            self.defect_type,
            self.origin,
            self.donor,
            self.engine,
            self.vouched,
            self.taught_by,
        )

    @property
    def parts(self) -> frozenset[str]:
        return self.bank_image.parts


@dataclass(frozen=True)
class PatchSet:
    """The patches of n images.

    features: (n, h, w, d). on_defect: bool (n, h, w), the patches on a defect. images: where they
    come from. inside: bool (n, h, w), the patches in the region of interest; None without a region.
    mask_faults: by image id, the fault of its mask, if any: it is EMPTY, lies wholly OUTSIDE the region, or
    its defect is SMALL.
    """

    features: PatchFeatures
    on_defect: np.ndarray
    images: list[BankImage]
    inside: np.ndarray | None = None
    mask_faults: Mapping[str, str] = field(default_factory=dict)

    @property
    def groups(self) -> np.ndarray:
        return np.array([i.group for i in self.images], dtype=str)

    def not_finite(self) -> list[int]:
        """The numbers of the images with a feature that is not finite, as after an overflow."""
        return [i for i, features in enumerate(self.features) if not np.isfinite(features).all()]

    def require_finite(self) -> None:
        """Raise BadInput where an image has a feature that is not finite."""
        if unknown := [self.images[i].id for i in self.not_finite()]:
            raise BadInput(
                f"The network's features of {listed(unknown)} are not finite, so no bank can learn from "
                "them; retire each image named here and try again."
            )

    def take(self, numbers: Sequence[int] | np.ndarray) -> PatchSet:
        """The patches of the images with these numbers."""
        at = np.asarray(numbers, int)
        inside = None if self.inside is None else self.inside[at]
        images = [self.images[i] for i in at]
        mask_faults = {
            image.id: self.mask_faults[image.id] for image in images if image.id in self.mask_faults
        }
        return PatchSet(self.features.take(at), self.on_defect[at], images, inside, mask_faults)

    def marked(self) -> Iterator[Marked]:
        """The patches on a defect of every image that has some, image by image.

        Where they would take more than MOST_BYTES, the same share of each image's patches is kept, at least one.
        """
        dimension = self.features.shape[-1]
        most = MOST_BYTES // (4 * (dimension + context.width(dimension)))
        share = min(1.0, most / max(1, int(self.on_defect.sum())))
        for number in np.flatnonzero(self.on_defect.any((1, 2))):
            inside = None if self.inside is None else self.inside[number]
            on = self.on_defect[number]
            marked = Marked.of(self.images[number], self.features[number], on, inside)
            yield marked if share == 1 else marked.thinned(share)


@dataclass(frozen=True)
class Marked:
    """The m patches of one image that a mask marks.

    rows: float32 (m, d). position: int16 (m, 2), row and column on the patch grid. surroundings: float32 (m,
    e), the mean features around each patch (`context.around`), or None where unknown. unmarked: a sample of
    the other patches of an image with a real defect, or None.
    """

    image: BankImage
    rows: np.ndarray
    position: np.ndarray
    surroundings: np.ndarray | None = None
    unmarked: Unmarked | None = None

    @classmethod
    def of(
        cls, image: BankImage, features: np.ndarray, on: np.ndarray, inside: np.ndarray | None = None
    ) -> Marked:
        """features: float32 (h, w, d), of the whole image. on: bool (h, w), the marked patches. inside: bool
        (h, w), the patches in the region of interest; None without a region."""
        row, column = np.nonzero(on)
        around = context.around(features)
        unmarked = None
        if image.origin == "real" and on.any():
            unmarked = Unmarked.of(image, features, around, on, inside)
        position = np.stack([row, column], 1).astype(np.int16)
        return cls(image, features[row, column], position, around[row, column], unmarked)

    def thinned(self, share: float) -> Marked:
        """The given share of these patches, at least one, the same ones every time. Unmarked patches stay."""
        rng = np.random.default_rng(zlib.crc32(self.image.id.encode()))
        kept = np.sort(rng.permutation(len(self.rows))[: max(1, round(share * len(self.rows)))])
        around = None if self.surroundings is None else self.surroundings[kept]
        return Marked(self.image, self.rows[kept], self.position[kept], around, self.unmarked)


@dataclass(frozen=True)
class Unmarked:
    """A sample of the patches outside a defect's mask. Those in the fringe of the mask resemble the defect.

    rows, position, surroundings: as in `Marked`. each: float32 (m,), the number of patches that each stands
    for: the fringe is sampled more densely than the rest of the image.
    """

    rows: np.ndarray
    position: np.ndarray
    surroundings: np.ndarray
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
        """around: float32 (h, w, e), the mean features around each patch. The others: as in `Marked.of`."""
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


@dataclass(frozen=True)
class DefectImage:
    """All patches of a training image with a defect. features: float16 or float32 (n, d)."""

    image: BankImage
    features: np.ndarray


def patch_set(
    backbone: Backbone,
    training: Sequence[TrainingImage],
    size: Size,
    progress: Progress | None = None,
    reader: Reader = images.read_image,
    region: Region | None = None,
    cache: FeatureCache | None = None,
) -> PatchSet:
    """Compute the features of images, and the patches that their masks mark. Arguments: see `patches.extract`."""
    features = patches.extract(backbone, [t.source for t in training], size, progress, reader, region, cache)
    on_defect = np.zeros(features.shape[:3], bool)
    inside = None if region is None else np.zeros(features.shape[:3], bool)
    grid, mask_faults = features.shape[1:3], {}
    for i, image in enumerate(training):
        if inside is not None and region is not None:
            inside[i] = region.inside(size, grid, _shape(image))
        if image.mask is not None:
            mask = _mask(image)
            on_defect[i] = defect_patches(mask, size, grid, region)
            if said := _fault(mask, on_defect[i], size):
                mask_faults[image.id] = said
    return PatchSet(features, on_defect, [t.bank_image for t in training], inside, mask_faults)


def _shape(image: TrainingImage) -> tuple[int, int]:
    """Height and width of an image; of a file by its header."""
    if isinstance(image.source, np.ndarray):
        return image.source.shape[0], image.source.shape[1]
    width, height = images.probe(image.source)
    return height, width


def _mask(image: TrainingImage) -> np.ndarray:
    mask, shape = image.mask, _shape(image)
    if isinstance(mask, str | Path):
        mask = images.read_mask(mask, shape)
    elif mask is not None and mask.shape != shape:
        raise BadInput(f"The mask of {image.id} is not the size of the image; use one of the same size.")
    assert mask is not None
    return mask


def _fault(mask: np.ndarray, on: np.ndarray, size: Size) -> str:
    """The fault of a mask, bool (H, W), that marks the patches `on`, bool (h, w); "" for none."""
    if not mask.any():
        return EMPTY
    if not on.any():
        return OUTSIDE
    return SMALL if covered(images.mask_share(mask, size), on.shape)[on].max() < SHOWN else ""


def defect_patches(
    mask: np.ndarray, size: Size, grid: tuple[int, int], region: Region | None = None
) -> np.ndarray:
    """Which patches lie on a defect: bool (h, w).

    These are the patches that the mask covers by half or more, and for every connected area of the mask
    without such a patch the one that it covers most. mask: bool (H, W) of the image's size. region: the mask
    outside it is ignored.
    """
    if region is not None:
        mask = mask & region.at(mask.shape)
    share = covered(images.mask_share(mask, size), grid)
    if region is not None:
        share[~region.inside(size, grid, mask.shape)] = 0
    on = share >= HALF
    count, regions = cv2.connectedComponents(mask.astype(np.uint8))
    if count == 1:
        return on
    row, column = _patch_of_pixels(mask, size, grid)
    marked = regions[mask]
    at_pixel = share[row, column]
    most = np.zeros(count, np.float32)  # by connected area, the covered share from which its patches count
    np.maximum.at(most, marked, at_pixel)
    most[marked[on[row, column]]] = np.inf
    taken = (at_pixel > 0) & (at_pixel >= most[marked] - TIE)
    on[row[taken], column[taken]] = True
    return on


def _patch_of_pixels(mask: np.ndarray, size: Size, grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Row and column, int (m,) each, of the patch of every marked pixel of a mask, bool (H, W)."""
    y, x = np.nonzero(mask)
    rows = np.array([images.patch_at(i, 0, grid, size, mask.shape)[0] for i in range(mask.shape[0])])
    columns = np.array([images.patch_at(0, i, grid, size, mask.shape)[1] for i in range(mask.shape[1])])
    return rows[y], columns[x]
