"""A fitted detector as a value: its banks, what it was fitted on, and the models fitted to them.

The other modules of the room are functions over it, which return a new value and leave the old one as it is.
Does not know how any of its fields is computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from exdd_core.detector import context
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.context import Discriminant, TrainingSums
from exdd_core.detector.direction import Direction
from exdd_core.detector.fusion import Context, Fusion, PatchCore
from exdd_core.detector.held_out import HeldOut, Neighbours
from exdd_core.detector.records import Change
from exdd_core.detector.settings import Settings
from exdd_core.detector.thresholds import Calibration, NormalScores
from exdd_core.detector.transfer import Paintings
from exdd_core.errors import BadInput
from exdd_core.region import Region

FIXED = "imported or in an older format, so its banks cannot be changed"


@dataclass(frozen=True)
class Setup:
    """How images become features.

    grid: (h, w), the patch grid of an image; (0, 0) before the first fit. engine: what computed the features that the
    banks were built from, with its version; "" where nobody noted it.
    """

    backbone: Backbone
    settings: Settings
    region: Region | None = None
    grid: tuple[int, int] = (0, 0)
    engine: str = ""

    @property
    def region_name(self) -> str:
        """The digest of the region of interest; "whole" without a region."""
        return self.region.digest if self.region is not None else "whole"


@dataclass(frozen=True)
class Banks:
    """The two memory banks. positive: None for PatchCore."""

    negative: Bank
    positive: Bank | None = None


@dataclass(frozen=True)
class Examples:
    """The patches that models are fitted on, all with their surroundings.

    normals: a sample of the patches of all normal training images. defects: the clean patches on known
    defects, which the positive bank covers. unmarked: a sample of patches outside the masks of the same
    images, and stand_for: float32 (n,), how many patches each of them stands for. mask_faults: as in
    `PatchSet`, of the defects that were given.
    """

    normals: Bank
    defects: Bank
    unmarked: Bank
    stand_for: np.ndarray
    mask_faults: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reference:
    """Distances and counts from the time of the build.

    radius: covering radius of the positive bank over `Examples.defects`, and radius_of_full: of its rows that counted
    fully over the defects that did (`Models.counts`). built: number of positive rows.
    too_normal, visible_from: quantiles of the mean distance of held-out normal patches to negative rows:
    defect patches below the first are not clean, and those above the second are visible. guaranteed: whether
    thresholds are set by physical parts that neither banks nor models have seen.
    """

    radius: float = 0.0
    built: int = 0
    too_normal: float = 0.0
    visible_from: float = 0.0
    guaranteed: bool = False
    radius_of_full: float = 0.0


@dataclass(frozen=True)
class Models:
    """What was fitted to the banks.

    fusions: every fitted fusion with its calibration, by name. fusion: the one that scores.
    discriminants_without: by physical part, the discriminant of the fold that leaves the part out. paintings: of each
    engine, what its paintings find of real defects and count for; empty without painted defects.
    """

    fusions: Mapping[str, tuple[Fusion, Calibration]] = field(default_factory=dict)
    fusion: Fusion = field(default_factory=PatchCore)
    direction: Direction | None = None
    discriminant: Discriminant | None = None
    discriminants_without: Mapping[str, Discriminant] = field(default_factory=dict)
    paintings: Sequence[Paintings] = ()

    @property
    def counts(self) -> Mapping[str, float]:
        """By engine, what painted rows count for in the fusion that weighs them, where that is below 1."""
        one = self.fusions[Context.name][0] if Context.name in self.fusions else None
        return one.counts if isinstance(one, Context) else {}

    def discriminant_for(self, part: str) -> Discriminant:
        """The discriminant without this part; the one of all parts where the part was not in training."""
        assert self.discriminant is not None
        return self.discriminants_without.get(part, self.discriminant)


@dataclass(frozen=True)
class Refit:
    """What refitting after a change reuses.

    defect_distances, unmarked_distances: by image id, the distances of its rows of `Examples` to negative
    rows; filled when first asked for. sums: the sums over training patches, with the ids of the images of the
    defects in them. patchcore: the scores of held-out images by PatchCore, valid for these very neighbours.
    seen: the banks that the neighbours of the held-out images belong to, and changes: what has changed in the
    banks since. counting: parts of the positive bank, and the neighbours of the held-out images in them.
    """

    defect_distances: dict[str, np.ndarray] = field(default_factory=dict)
    unmarked_distances: dict[str, np.ndarray] = field(default_factory=dict)
    sums: tuple[TrainingSums, list[str]] | None = None
    patchcore: tuple[Neighbours, NormalScores] | None = None
    seen: Banks | None = None
    changes: tuple[Change, ...] = ()
    counting: list[tuple[Bank, Neighbours]] = field(default_factory=list)


@dataclass(frozen=True)
class Fitted:
    """Everything that a detector consists of. held_out: None where banks cannot change: in format 1, and in what
    `judging_alone` returns."""

    setup: Setup
    banks: Banks
    examples: Examples
    held_out: HeldOut | None = None
    reference: Reference = field(default_factory=Reference)
    models: Models = field(default_factory=Models)
    refit: Refit = field(default_factory=Refit)

    @property
    def can_change(self) -> bool:
        """Whether images can be added to the banks and removed, once the held-out features are there."""
        return self.held_out is not None

    def known(self) -> Iterator[BankImage]:
        """Every image that a bank, a fusion or a threshold was made from; some several times."""
        banks, examples = self.banks, self.examples
        places = (banks.negative, banks.positive, examples.normals, examples.defects, self.held_out)
        return (image for place in places if place is not None for image in place.images)

    def judging_alone(self) -> Fitted:
        """The detector with what scoring needs alone: it cannot change, but still names every image of `known`."""
        none = unfitted(self.setup.backbone, self.setup.settings).examples
        names = replace(none, normals=empty_examples(self.setup.backbone.dimension))
        names.normals.images = list({image.id: image for image in self.known()}.values())
        negative, positive = self.banks.negative, self.banks.positive
        banks = Banks(negative.without_surroundings(), positive and positive.without_surroundings())
        return replace(self, banks=banks, examples=names, held_out=None, refit=Refit())

    @property
    def held(self) -> HeldOut:
        """The held-out images. Raises BadInput where there are none."""
        if self.held_out is None:
            raise BadInput(f"This bank version is {FIXED}; build a new one.")
        return self.held_out

    @property
    def defective_parts(self) -> int:
        """The number of physical parts whose defects are in the positive bank."""
        return len({i.group for i in self.banks.positive.images}) if self.banks.positive else 0


def unfitted(backbone: Backbone, settings: Settings | None = None, region: Region | None = None) -> Fitted:
    """A value with empty banks. Raises BadInput where the settings name another backbone."""
    settings = settings or Settings(backbone=backbone.name)
    if settings.backbone != backbone.name:
        raise BadInput(
            f"The settings name the backbone {settings.backbone} but {backbone.name} was passed; use the same one."
        )
    d = backbone.dimension
    examples = Examples(empty_bank(d), empty_examples(d), empty_examples(d), np.zeros(0, np.float32))
    return Fitted(Setup(backbone, settings, region), Banks(empty_bank(d)), examples)


def empty_bank(dimension: int) -> Bank:
    """A bank without rows, for features of length `dimension`."""
    return Bank(np.zeros((0, dimension)), np.zeros(0), np.zeros((0, 2)), [])


def empty_examples(dimension: int) -> Bank:
    """A bank without rows whose rows will have surroundings."""
    surroundings = np.zeros((0, context.width(dimension)))
    return Bank(np.zeros((0, dimension)), np.zeros(0), np.zeros((0, 2)), [], surroundings)
