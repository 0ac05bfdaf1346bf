"""Two memory banks and what they say of an image: heatmap, score, verdict and reason.

A detector with no positive bank is PatchCore; with one it is ExDD. It knows patches, banks and fusions. It does not
know the database, where images are kept, or who asks.

Fitting: normals and defects -> patch features -> clean rows -> coreset -> two banks -> every fusion, fitted and
calibrated on training images that meet no bank row of their own physical part.
Changing: rows of one image come to a bank or leave it; what that does not concern is kept, the rest fitted again.
Scoring: image -> patch features -> N, P, L of every patch -> fusion -> map and score, against a calibrated threshold.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from exdd_core import incoming
from exdd_core.depth import Depth
from exdd_core.detector import backbones, fusion, patches
from exdd_core.detector import context as surroundings
from exdd_core.detector import held_out as fitting
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.context import Discriminant
from exdd_core.detector.coreset import covering_radius, greedy_coreset
from exdd_core.detector.examples import (
    EMPTY,
    OUTSIDE,
    SMALL,
    Marked,
    PatchSet,
    TrainingImage,
    Unmarked,
    defect_patches,
    patch_set,
)
from exdd_core.detector.fusion import Direction, Distances, Evidence, Fusion
from exdd_core.detector.held_out import HeldOut, Lessons, Neighbours
from exdd_core.detector.inspection import Calibration, Inspection, Match, Matches
from exdd_core.detector.patches import Source
from exdd_core.errors import BadInput
from exdd_core.images import Size
from exdd_core.progress import Progress
from exdd_core.region import HALF, Region
from exdd_core.sentences import count, listed

CALIBRATION_IMAGES = 150  # normal training images whose held-out scores set medians and thresholds
FIT_PATCHES = 10_000  # at most so many patches of each class in a logistic regression
FIT_UNMARKED = 2_000  # of the other patches of images with real defects
FIT_FOLDS = 10  # more defective parts than this are left out a few at a time
FEWEST_POSITIVE_ROWS = 1_000  # a tenth of the few patches on a few small defects would be next to nothing
APART = 4  # so many times the parts that a guaranteed threshold needs, and they are kept apart for it
DOUBT = 5  # an image that so many times the wanted rate of normal images exceed is not surely normal
TOO_NORMAL = 0.5  # share of held-out normal patches that are nearer to normal rows than any positive row
VISIBLE = 0.99  # and the share that a patch must be beyond to count as visible
ROI = "roi.safetensors"  # in a bank version's folder: the region of interest
FORMAT = 2  # 1 had nothing with it that banks can be changed with

__all__ = [
    "Calibration",
    "Change",
    "Detector",
    "Drift",
    "Examined",
    "Inspection",
    "Match",
    "Matches",
    "Settings",
]


@dataclass(frozen=True)
class Settings:
    """Everything a person may set about a detector. JSON-able by `to_json` and `from_json`.

    depth: how images of more than 8 bits a channel are read; None where the bank was built from none. by_brightest:
    the bank is older than depths that are kept, and read each of these images by its brightest values.
    """

    backbone: str = backbones.EMBEDDED
    size: Size = Size(256, 256)
    negative_ratio: float = 0.01  # share of normal patches kept (SPEC: the sections on implementation)
    positive_ratio: float = 0.10  # of patches on defects; never fewer than FEWEST_POSITIVE_ROWS of them
    fusion: str = "auto"
    false_alarm_rate: float = 0.02  # share of held-out normal images that may lie above the threshold
    seed: int = 0
    depth: Depth | None = None
    by_brightest: bool = False

    def __post_init__(self) -> None:
        for name, share in (("negative", self.negative_ratio), ("positive", self.positive_ratio)):
            if not 0 < share <= 1:
                raise BadInput(f"The {name} kept share is {share}; give a number above 0 and up to 1.")
        if not 0 < self.false_alarm_rate < 1:
            raise BadInput(f"The false-alarm rate is {self.false_alarm_rate}; give a number between 0 and 1.")
        if self.seed < 0:
            raise BadInput(f"The seed is {self.seed}; give a whole number from 0 on.")
        if self.fusion != "auto":
            fusion.by_name(self.fusion)

    def to_json(self) -> dict[str, Any]:
        values = asdict(self) | {"depth": str(self.depth) if self.depth else None}
        del values["by_brightest"]
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Settings:
        depth = Depth.parse(values["depth"]) if values.get("depth") else None
        told = {"size": Size(**values["size"]), "depth": depth, "by_brightest": "depth" not in values}
        return cls(**{**values, **told})

    def read(self, path: str | Path) -> np.ndarray:
        """An image's file as the bank's own were read: uint8 (H, W, 3) RGB. Raises BadInput."""
        return incoming.read(Path(path), None, self.depth, self.by_brightest).pixels


@dataclass(frozen=True)
class Examined:
    """What marked patches would bring to the positive bank.

    distances: float32 (m, k), to the nearest negative rows of other parts. clean: bool (m,), False where normal
    surface comes so close that the patch teaches nothing.
    """

    marked: Marked
    distances: np.ndarray
    clean: np.ndarray


@dataclass(frozen=True)
class Change:
    """Rows of one image that come to a bank ("add"), leave it ("remove") or come back as they were ("return"); what a
    version's history is made of.

    side: "positive" or "negative". rows: float32 (m, d) with position int16 (m, 2); those where kept bool (m,) holds
    are in the bank, and the others lie within its covering radius. beside: as of `Marked`. taught: bool (m,), the
    rows that what is fitted learns from; None where it is all of them.
    """

    side: str
    action: str
    image: BankImage
    rows: np.ndarray
    position: np.ndarray
    kept: np.ndarray
    beside: np.ndarray | None = None
    taught: np.ndarray | None = None


@dataclass(frozen=True)
class Drift:
    """How far a positive bank has come from the one that a build would make of the same images.

    built, rows: rows when it was built, and now. uncovered: share of patches on known defects that are farther from
    the bank than its radius was. radius: the farthest of them. fresh_radius: the same after a build.
    """

    built: int
    rows: int
    uncovered: float
    radius: float
    fresh_radius: float


class Detector:
    """A negative bank, perhaps a positive one, and the fusions fitted to them.

    roi: bool (H, W), the region of interest of all images; patches outside of it teach nothing and score as nothing.
    None where everything counts.
    """

    def __init__(
        self, backbone: Backbone, settings: Settings | None = None, roi: np.ndarray | Region | None = None
    ):
        self.region = Region(roi) if isinstance(roi, np.ndarray) else roi
        self.settings = settings or Settings(backbone=backbone.name)
        if self.settings.backbone != backbone.name:
            raise BadInput(
                f"The settings name the backbone {self.settings.backbone} but {backbone.name} was given; use one."
            )
        self.backbone = backbone
        self.negative = _empty_bank(backbone.dimension)
        self.positive: Bank | None = None
        self.direction: Direction | None = None
        self.fusions: dict[str, tuple[Fusion, Calibration]] = {}
        self.fusion: Fusion = fusion.PatchCore()
        self.grid: tuple[int, int] = (0, 0)
        # Of defects it was fitted on, by image: what is wrong with the mask.
        self.amiss: Mapping[str, str] = {}
        self.guaranteed = False  # whether thresholds come from parts that nothing else has seen
        # What it was fitted on. A version of format 1 has only empty banks here and no held-out images.
        self.learnt = _empty_bank(backbone.dimension)  # some patches of all training normals
        self.defects = _empty_teachers(
            backbone.dimension
        )  # clean patches on known defects; `positive` covers them
        self.unmarked = _empty_teachers(backbone.dimension)  # of the same images, what their masks leave out:
        self._stand_for = np.zeros(0, np.float32)  # float32 (n,), how many patches each of them stands for
        self.discriminant: Discriminant | None = None  # learnt from both with their surroundings,
        self._lessons: tuple[Lessons, list[str]] | None = None  # with the ids of the images of the defects
        self._apart_from: dict[str, Discriminant] = {}  # and by part what has not seen that one
        self.held_out: HeldOut | None = None
        self.radius = 0.0  # of the positive bank: largest distance of any row of `defects` when it was built
        self.too_normal = self.visible_from = 0.0  # mean distances to negative rows
        self._near: dict[
            str, np.ndarray
        ] = {}  # by image, of its rows of `defects`: distances to negative rows
        self._unmarked_near: dict[str, np.ndarray] = {}  # the same of `unmarked`
        self._built = 0  # positive rows when it was built
        self._usual: tuple[Neighbours, _Usual] | None = None  # of PatchCore, for these distances
        self._seen: dict[str, Bank | None] = {}  # the banks as the held-out images last saw them,
        self._since: list[Change] = []  # and what has changed since

    # Fitting

    def fit(
        self,
        normals: Sequence[TrainingImage],
        defects: Sequence[TrainingImage] = (),
        progress: Progress | None = None,
    ) -> Detector:
        """Build both banks from training images and fit every fusion that they allow. Returns the detector.

        normals: defect-free images, at least two. defects: images with masks; without any the detector is PatchCore.
        A defect whose mask marks nothing, or nothing in the region of interest, is left out, as `notes` says. Raises
        BadInput for too few images or a missing mask, `Cancelled` when asked to stop.
        """
        for image in defects:
            if image.mask is None:
                raise BadInput(
                    f"{image.id} has no mask, so its defect cannot be placed; give it one or leave it out."
                )
        settings = self.settings
        everything = patch_set(
            self.backbone, [*normals, *defects], settings.size, progress, settings.read, self.region
        )
        n = len(normals)
        return self.fit_patches(
            everything.take(range(n)), everything.take(range(n, n + len(defects))), progress
        )

    def fit_patches(
        self,
        normals: PatchSet,
        defects: PatchSet,
        progress: Progress | None = None,
        fusions: Sequence[str] | None = None,
    ) -> Detector:
        """`fit` on features already computed; `defects` may hold no image. fusions: as `fit_defects` takes them."""
        if len(normals.images) < 2:
            raise BadInput("At least two normal training images are needed to build a bank; import more.")
        progress, settings, seed = progress or Progress(), self.settings, self.settings.seed
        self.grid = normals.features.shape[1:3]
        apart = self._set_apart(normals.groups, {i.group for i in defects.images})
        taught = normals.take(np.flatnonzero(~apart)) if apart.any() else normals
        counts = np.ones(taught.features.shape[:3], bool) if taught.inside is None else taught.inside
        self.negative = _build_bank(taught, counts, settings.negative_ratio, seed, progress)
        self._hold_out(taught, normals.take(np.flatnonzero(apart)) if apart.any() else taught, progress)
        self.guaranteed, self.amiss = bool(apart.any()), defects.amiss
        return self.fit_defects(defects.marked(), progress, fusions)

    def _set_apart(self, groups: np.ndarray, defective: set[str]) -> np.ndarray:
        """Which normal images neither bank nor direction learns from, so that the threshold keeps what it promises.

        groups: str (n,). Returns bool (n,): images of whole parts without a defect, where there are APART times as
        many as a threshold at the wanted false-alarm rate needs; none otherwise, as a bank needs few parts more.
        """
        parts = np.array(sorted(set(groups) - defective))
        needed = int(np.ceil(1 / self.settings.false_alarm_rate - 1e-9)) - 1
        if len(parts) < APART * needed:
            return np.zeros(len(groups), bool)
        count = min(max(needed, CALIBRATION_IMAGES), len(parts) // APART)
        return np.isin(groups, np.random.default_rng(self.settings.seed).permutation(parts)[:count])

    def fit_defects(
        self,
        defects: Sequence[Marked],
        progress: Progress | None = None,
        fusions: Sequence[str] | None = None,
    ) -> Detector:
        """Build the positive bank anew, of these and no others, beside the negative one that is there.

        fusions: names of those to fit beside the wanted one; all that the banks allow where None.
        """
        progress, settings = progress or Progress(), self.settings
        self.positive, self.direction, self._near, self._since = None, None, {}, []
        self.defects, self._seen = _empty_teachers(self.backbone.dimension), {"negative": self.negative}
        for marked in defects:
            self._know(self.examine(marked))
        self._leave_unmarked([(m.image, m.unmarked) for m in defects if m.unmarked is not None])
        if len(self.defects):
            kept = greedy_coreset(self.defects.rows, self._wanted_rows, seed=settings.seed, progress=progress)
            self.positive = self.defects.take(np.sort(kept))
            self.positive.beside = None
            self.radius = covering_radius(self.defects.rows, self.positive.rows)
        self._built = len(self.positive) if self.positive else 0
        self._follow()
        names = [kind.name for kind in self._possible()]
        wanted = {fusion.PatchCore.name, self._wanted, *(names if fusions is None else fusions)}
        self._fit_fusions([name for name in names if name in wanted], progress)
        self._fitted(fusion.default(self._defective_parts) if settings.fusion == "auto" else settings.fusion)
        return self

    def _leave_unmarked(self, several: Sequence[tuple[BankImage, Unmarked]]) -> None:
        """Keep some patches of images with real defects off their masks. They come to no bank; probabilities are
        fitted to them, as the ones beside a defect resemble it and are far more than those of normal images that do.
        """
        self.unmarked, self._unmarked_near = _empty_teachers(self.backbone.dimension), {}
        for image, found in several:
            self.unmarked.add(image, found.rows, found.position, found.beside)
        each = np.concatenate([np.zeros(0, np.float32), *[found.each for _, found in several]])
        kept = fitting.some(self.unmarked, FIT_UNMARKED, self.settings.seed)
        self.unmarked = self.unmarked.take(kept)
        self._stand_for = each[kept] * (each.sum() / max(1.0, each[kept].sum()))

    def _hold_out(self, normals: PatchSet, others: PatchSet, progress: Progress) -> None:
        """Choose normal patches for directions to learn from, and among the others images to set thresholds by."""
        rng = np.random.default_rng(self.settings.seed)
        count, each = len(normals.images), self.grid[0] * self.grid[1]
        order = rng.permutation(count * each)
        if normals.inside is not None:
            order = order[normals.inside.ravel()[order]]
        learnt = np.sort(order[:FIT_PATCHES])
        image, place = learnt // each, np.stack(np.divmod(learnt % each, self.grid[1]), 1)
        rows = normals.features[image, place[:, 0], place[:, 1]]
        beside = np.empty((len(rows), surroundings.width(rows.shape[1])), np.float32)
        for number in np.unique(image):
            own = image == number
            beside[own] = surroundings.around(normals.features[number])[place[own, 0], place[own, 1]]
        self.learnt = Bank(rows, image, place, normals.images, beside)
        chosen = np.sort(rng.permutation(len(others.images))[:CALIBRATION_IMAGES])
        # Of a single part, leaving it out would leave nothing: images are left out instead.
        single = len(set(normals.groups)) == 1
        apart = [others.images[i].id if single else others.images[i].group for i in chosen]
        features = [others.features[i].reshape(each, -1) for i in chosen]
        progress.begin("Comparing held-out normal images with the others", len(chosen))
        found = Neighbours.find(self.negative, features, apart, fusion.NEIGHBOURS, progress)
        inside = None if others.inside is None else others.inside[chosen].reshape(len(chosen), each)
        self.held_out = HeldOut([others.images[i] for i in chosen], apart, features, found, inside=inside)
        usual = found.distances.mean(-1)
        usual = usual if inside is None else usual[inside]
        self.too_normal, self.visible_from = (float(np.quantile(usual, q)) for q in (TOO_NORMAL, VISIBLE))

    @property
    def _held_out(self) -> HeldOut:
        if self.held_out is None:
            raise BadInput(
                "This bank version is of an older kind whose banks cannot be changed; build a new one."
            )
        return self.held_out

    @property
    def _wanted_rows(self) -> int:
        """How many rows cover the known defects in a bank that is built at once."""
        count = len(self.defects)
        return max(1, min(count, FEWEST_POSITIVE_ROWS), round(self.settings.positive_ratio * count))

    @property
    def _defective_parts(self) -> int:
        return len({i.group for i in self.positive.images}) if self.positive else 0

    def _possible(self) -> list[type[Fusion]]:
        whole = self.learnt.beside is not None and self.defects.beside is not None
        kinds = [k for k in fusion.FUSIONS.values() if whole or not k.uses_context]
        return [k for k in kinds if self._defective_parts >= k.fewest_parts]

    def _fit_fusions(self, names: Sequence[str], progress: Progress) -> None:
        """Fit and calibrate these fusions and take the one that is wanted, from what has a row in neither bank."""
        self.fusions = {}
        if not any(fusion.by_name(name).uses_direction for name in names):
            self.direction = None
        self._fit_discriminant()
        self._fit(names, progress)
        self.fusion = self.fusions[self._wanted][0]

    def _fit(self, names: Sequence[str], progress: Progress) -> None:
        if any(fusion.by_name(name).uses_direction for name in names):
            known = self.defects.rows[fitting.some(self.defects, FIT_PATCHES, self.settings.seed)]
            self.direction = fitting.direction(self.learnt.rows, known, self.direction)
        held = self._held_out_distances()
        evidence = self._evidence(held, progress)
        progress.begin("Setting thresholds", len(names))
        for name in names:
            fitted = fusion.by_name(name).fit(evidence)
            self.fusions[name] = (fitted, self._calibrate(fitted, evidence, held))
            progress.advance()

    def _fit_discriminant(self) -> None:
        """What defects and their surroundings look like, and the same for every fold of parts without them."""
        self.discriminant, self._apart_from = None, {}
        if self.positive is None:
            return
        lessons = self._sum_up()
        self._lessons = None
        if lessons:
            self._lessons = lessons, [image.id for image in self.defects.images]
            self.discriminant, several = lessons.discriminants()
            pairs = zip(lessons.folds, several, strict=True)
            self._apart_from = {part: one for parts, one in pairs if one is not None for part in parts}

    def prepare(self) -> None:
        """Do before the first change to the banks what no later one does again."""
        if self.positive is None or not self.can_change or self._lessons is not None:
            return
        near = self._held_out.negative.distances
        every = Distances(near.reshape(len(near), *self.grid, -1))
        self._of_held_out(self.fusions[fusion.PatchCore.name][0], every)
        if lessons := self._sum_up():
            self._lessons = lessons, [image.id for image in self.defects.images]

    def _sum_up(self) -> Lessons | None:
        """What discriminants learn from; where painted defects have come to what was known, only they are new."""
        folds, (lessons, known) = self._folds(), self._lessons or (None, [])
        before, new = [i.id for i in self.defects.images[: len(known)]], self.defects.images[len(known) :]
        grown = known == before and all(image.origin != "real" for image in new)
        if lessons and lessons.folds == folds and grown and len(self.defects) <= FIT_PATCHES:
            return lessons.plus(self.defects.take(np.flatnonzero(self.defects.image >= len(known))))
        defects = self.defects.take(fitting.some(self.defects, FIT_PATCHES, self.settings.seed))
        return Lessons.of(self.learnt, defects, folds)

    def _folds(self) -> list[list[str]]:
        """All parts dealt into folds, the ones with real defects evenly."""
        real = sorted({i.group for i in self.defects.images if i.origin == "real"})
        every = [i for bank in (self.learnt, self.defects) for i in bank.images]
        others = sorted({name for i in every for name in (i.group, i.donor) if name} - set(real))
        parts = [*real, *others]
        return [parts[at::FIT_FOLDS] for at in range(min(FIT_FOLDS, len(parts)))]

    def _without(self, part: str) -> Discriminant:
        """The discriminant that has not seen this part; that of all where nothing else is known."""
        assert self.discriminant is not None
        return self._apart_from.get(part, self.discriminant)

    @property
    def _wanted(self) -> str:
        """The fusion that was asked for where the banks allow it; what came may have gone again."""
        possible = [kind.name for kind in self._possible()]
        older = fusion.Stacked.name if fusion.Stacked.name in possible else fusion.OpenSet.name
        for name in (self.settings.fusion, fusion.default(self._defective_parts), older):
            if name in possible:
                return name
        return fusion.PatchCore.name

    def _evidence(self, held: Distances, progress: Progress) -> Evidence:
        """What fusions are fitted on: held-out normal patches (m, h, w), and defects apart from their own part."""
        count, inside = self._held_out.negative.distances[..., 0].size, self._held_out.inside
        order = np.random.default_rng(self.settings.seed).permutation(count)
        if inside is not None:
            order = order[inside.ravel()[order]]
        some_normal = np.sort(order[:FIT_PATCHES])
        normals = _each(held, lambda v: v.reshape(count, *v.shape[3:])[some_normal])
        if not self.positive:
            return Evidence(normals, dimension=self.backbone.dimension)
        some = fitting.some(self.defects, FIT_PATCHES, self.settings.seed)
        there = np.flatnonzero(self.unmarked.of_images(i.id for i in self.defects.images))
        known, others, each = self.defects.take(some), self.unmarked.take(there), self._stand_for[there]
        near = np.concatenate([self.negative_distances()[some], self._unmarked_distances()[there]])
        apart = self._apart(known, others, near, progress)
        of, b = known.image, len(known)
        real = [i.group if i.origin == "real" else "" for i in self.defects.images]
        marked = int(self.defects.real.sum()) or len(self.defects)
        all_normal = len(self.learnt.images) * self.grid[0] * self.grid[1]
        if inside is not None:
            all_normal = round(all_normal * float(inside.mean()))
        return Evidence(
            normals,
            _each(apart, lambda v: v[:b]),
            self.backbone.dimension,
            parts=np.array(real)[of],
            pictures=of,
            share=marked / (marked + all_normal + float(each.sum())),
            images=len(self.learnt.images),
            unmarked=_each(apart, lambda v: v[b:]),
            each=each,
            each_normal=all_normal / len(some_normal),
        )

    def _apart(self, known: Bank, unmarked: Bank, near: np.ndarray, progress: Progress) -> Distances:
        """N, P, L and C of patches on known defects and then of unmarked ones, from everything but the patch's own
        physical part. near: float32 (n, k), their distances to negative rows.

        Synthetic defects count as well: measured, a few real parts alone say too little of what P and L are worth.
        """
        assert self.positive is not None
        asked = known.joined(unmarked)
        far, along = np.full_like(near, np.inf), np.zeros(len(near), np.float32)
        groups = asked.groups
        parts = np.unique(groups)
        folds = np.array_split(parts, min(len(parts), FIT_FOLDS))
        progress.begin("Fitting with each defective part left out", len(folds))
        for fold in folds:
            own = np.isin(groups, fold)
            far[own] = self.positive.search(asked.rows[own], fusion.NEIGHBOURS, self.positive.of(*fold))[0]
            if self.direction is not None and len(folds) >= fusion.FEWEST_PARTS:  # fewer fit nothing with L
                others = fitting.direction(self.learnt.rows, known.rows[~known.of(*fold)], self.direction)
                along[own] = others(asked.rows[own])
            progress.advance()
        return Distances(near, far, direction=along, context=self._contexts(asked))

    def _contexts(self, known: Bank) -> np.ndarray | None:
        """C of rows (n, d), each from a discriminant that has not seen its part; NaN where not known."""
        if self.discriminant is None or known.beside is None:
            return None
        out = np.empty(len(known), np.float32)
        for part in np.unique(known.groups):
            own = known.groups == part
            out[own] = self._without(part)(known.rows[own], known.beside[own])
        return out

    def negative_distances(self) -> np.ndarray:
        """Distances of every row of `defects` to the nearest negative rows of other parts, float32 (n, k)."""
        return self._in_order(self.defects, self._near)

    def _unmarked_distances(self) -> np.ndarray:
        """The same of `unmarked`."""
        return self._in_order(self.unmarked, self._unmarked_near)

    def _in_order(self, bank: Bank, known: dict[str, np.ndarray]) -> np.ndarray:
        out = np.empty((len(bank), fusion.NEIGHBOURS), np.float32)
        for number, image in enumerate(bank.images):
            own = bank.image == number
            if image.id not in known:
                known[image.id] = self.normality(bank.rows[own], image)
            out[own] = known[image.id]
        return out

    def normality(self, rows: np.ndarray, image: BankImage) -> np.ndarray:
        """Distances of patches (n, d) of an image to the nearest negative rows of other parts, float32 (n, k)."""
        own = self.negative.of(image.group, image.id, image.donor)
        return self.negative.search(rows, fusion.NEIGHBOURS, None if own.all() else own)[0]

    def _held_out_distances(self, image: int | None = None, around: int = 0) -> Distances:
        """Of the held-out normals, (m, h, w, ...), or of one of them, (h, w, ...); `around` is for one only."""
        held, grid = self._held_out, self.grid
        at = slice(None) if image is None else slice(image, image + 1)
        assert held.features is not None
        columns: dict[str, np.ndarray] = {}
        for side in ("negative", "positive"):
            bank, found = getattr(self, side), getattr(held, side)
            if bank is None or found is None:
                continue
            columns[side] = found.distances[at]
            if around and image is not None:
                queries = np.asarray(held.features[image], np.float32)
                apart = fitting.without(bank, held.apart[image])
                columns[f"{side}_around"] = bank.around(queries, found.rows[image, :, 0], around, apart)[None]
        if self.direction is not None:
            columns["direction"] = np.stack(
                [self.direction(np.asarray(f, np.float32)) for f in held.features[at]]
            )
        if self.discriminant is not None:
            pairs = zip(held.images[at], held.features[at], strict=True)
            context = [
                self._without(i.group).of_image(np.asarray(f, np.float32).reshape(*grid, -1))
                for i, f in pairs
            ]
            if self.region is not None and held.inside is not None:
                several = zip(context, held.inside[at], strict=True)
                context = [self.region.spread(c, inside.reshape(grid)) for c, inside in several]
            columns["context"] = np.stack([c.ravel() for c in context])
        shaped = Distances(**{n: v.reshape(len(v), *grid, *v.shape[2:]) for n, v in columns.items()})
        return shaped if image is None else _each(shaped, lambda v: v[0])

    def _calibrate(self, fitted: Fusion, evidence: Evidence, every: Distances) -> Calibration:
        """every: of the held-out normals, (m, h, w)."""
        rate, parts = self.settings.false_alarm_rate, self._held_out.apart
        usual = self._of_held_out(fitted, every)
        middle, map_middle = float(np.median(usual.scores)), usual.map_middle
        limit, promised = fusion.conformal_threshold(usual.scores, parts, rate)
        map_limit = fusion.conformal_threshold(usual.peaks, parts, rate)[0]
        doubt = fusion.conformal_threshold(usual.scores, parts, min(0.5, DOUBT * rate))[0]
        image_odds, patch_odds = self._odds(fitted, evidence, usual.scores)
        distances, inside = every.negative[..., 0], self._held_out.inside
        if inside is not None:
            distances = distances[inside.reshape(distances.shape)]
        # Of identical images there is no spread at all, and a threshold must still lie above the median.
        return Calibration(
            median=middle,
            threshold=max(limit, middle + 1e-6 * (1 + abs(middle))),
            map_median=map_middle,
            map_threshold=max(map_limit, map_middle + 1e-6 * (1 + abs(map_middle))),
            usual_distance=max(float(np.median(distances)), fusion.EPS),
            doubt=doubt,
            promised=promised if self.guaranteed else None,
            odds=image_odds,
            patch_odds=patch_odds,
        )

    def _of_held_out(self, fitted: Fusion, every: Distances) -> _Usual:
        """PatchCore's is kept: what comes to the positive bank and leaves it changes nothing there."""
        plain, near = type(fitted) is fusion.PatchCore, self._held_out.negative
        if plain and self._usual is not None and self._usual[0] is near:
            return self._usual[1]
        size, scores = self.settings.size, []
        maps = np.empty((len(every.negative), size.height, size.width), np.float32)
        for i in range(len(maps)):
            one = _each(every, lambda v: v[i])  # noqa: B023
            if fitted.around:
                one = self._held_out_distances(i, fitted.around)
            scores.append(fitted.image_score(one))
            maps[i] = self._map(fitted.patch_scores(one), fitted.sigma)
        peaks = maps.max((1, 2))  # before their median turns the pixels over, as a copy would take too long
        inside = self._held_out.inside
        if inside is not None:  # what lies outside repeats what is nearest inside
            maps = np.concatenate(
                [m[_enlarged(i.reshape(self.grid), size)] for m, i in zip(maps, inside, strict=True)]
            )
        found = _Usual(np.array(scores), float(np.median(maps, overwrite_input=True)), peaks)
        if plain:
            self._usual = near, found
        return found

    def _odds(
        self, fitted: Fusion, evidence: Evidence, normals: np.ndarray
    ) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
        """Log-odds of an image and of a patch, by image scores of held-out normals (m,) and defects held out by part.

        A defective image counts with its clearest known patch. Real defects tell, painted ones where there are no real.
        """
        defects = evidence.defects
        if defects is None or evidence.pictures is None or evidence.parts is None or fitted.around:
            return None, None
        use = evidence.parts != "" if evidence.real_parts else np.ones(len(evidence.parts), bool)
        scores = fitted.patch_scores(_each(defects, lambda v: v[use]))
        known = np.isfinite(scores)
        if not known.any():
            return None, None
        scores, pictures = scores[known], evidence.pictures[use][known]
        clearest = np.array([scores[pictures == number].max() for number in np.unique(pictures)])
        share = len(clearest) / (len(clearest) + max(evidence.images, 1)) if evidence.real_parts else 0.5
        images = fusion.odds(normals, clearest, share)
        usual = fitted.patch_scores(evidence.normals)
        each = np.full(len(usual), evidence.each_normal)
        if evidence.unmarked is not None and evidence.each is not None:
            others = fitted.patch_scores(evidence.unmarked)
            finite = np.isfinite(others)
            usual = np.concatenate([usual, others[finite]])
            each = np.concatenate([each, evidence.each[finite]])
        of_patches = fusion.odds(usual, scores, min(evidence.share, 0.5), each)
        return images, of_patches

    # Rows that come and go

    @property
    def can_change(self) -> bool:
        """Whether it has with it what it was fitted on, but for the held-out features (see `recall`)."""
        return self.held_out is not None

    def recall(self, features: Sequence[np.ndarray]) -> None:
        """Bring back the held-out images' features, float16 or float32 (n, d) each, kept outside the bank version."""
        self.held_out = replace(self._held_out, features=features)

    @property
    def roi(self) -> str:
        """Names the region of interest: a few letters of its digest, "whole" where everything counts."""
        return self.region.digest if self.region is not None else "whole"

    def marks(self, mask: np.ndarray) -> np.ndarray:
        """Which patches of an image a mask, bool (H, W) of the image's size, marks: bool (h, w)."""
        return defect_patches(mask, self.settings.size, self.grid, self.region)

    def knows(self, image_id: str) -> bool:
        """Whether the image of this id has taught a bank, a fusion or a threshold."""
        rooms = (self.negative, self.positive, self.learnt, self.defects, self.held_out)
        return any(image.id == image_id for room in rooms if room is not None for image in room.images)

    def notes(self, larger: str = "") -> list[str]:
        """Sentences about defects that it was fitted on which taught less than one may think.

        larger: the size, as "WxH", that shows those that are smaller than a patch; "" where none is known.
        """
        of = {
            what: [id for id, found in self.amiss.items() if found == what]
            for what in (EMPTY, OUTSIDE, SMALL)
        }
        known = self.defects.rows_by_image()
        of["plain"] = [image.id for image in self.defects.images if image.id not in known]
        lie = "outside the region of interest and teach"
        look = "like normal surface everywhere and teach"
        words = {
            EMPTY: (
                "mask marks nothing, so its defect teaches",
                "masks mark nothing, so their defects teach",
            ),
            OUTSIDE: (f"defect lies {lie}es", f"defects lie {lie}"),
            "plain": (f"defect looks {look}es", f"defects look {look}"),
        }
        said = [f"{count(len(of[w]), *pair)} nothing: {listed(of[w])}." for w, pair in words.items() if of[w]]
        if of[SMALL]:
            few = count(len(of[SMALL]), "defect is", "defects are")
            advice = (
                f"; --size {larger} would show {'it' if len(of[SMALL]) == 1 else 'them'}" if larger else ""
            )
            said.append(f"{few} smaller than a patch at {self.settings.size}: {listed(of[SMALL])}{advice}.")
        if said and self.positive is None:
            said.insert(0, "No defect teaches the positive bank, so this is PatchCore.")
        return said

    def examine(self, marked: Marked) -> Examined:
        """What these patches would bring to the positive bank, which stays as it is."""
        near = self.normality(marked.rows, marked.image)
        usual, counts = near.mean(-1), self._counts(marked)
        clean = (usual > self.too_normal) & counts
        if marked.image.origin == "real" and counts.any() and not clean.any():
            clean = counts & (
                usual == usual[counts].max()
            )  # a person knows of it: its clearest patch is a defect
        return Examined(marked, near, clean)

    def _counts(self, marked: Marked) -> np.ndarray:
        """Which of these patches lie in the region of interest, bool (m,). Where letterboxes differ from image to
        image, only the masks that patches come from tell."""
        if self.region is None or self.settings.size.keep_aspect:
            return np.ones(len(marked.rows), bool)
        row, column = marked.position.T
        return self._inside()[row, column]

    def _know(self, seen: Examined) -> None:
        marked, clean = seen.marked, seen.clean
        beside = None if marked.beside is None else marked.beside[clean]
        self.defects.add(marked.image, marked.rows[clean], marked.position[clean], beside)
        self._near[marked.image.id] = seen.distances[clean]

    def additions(self, several: Sequence[Marked], side: str = "positive") -> list[Change]:
        """The changes that would add these images' patches, in turn: only rows that widen coverage.

        Positive: clean patches farther from the bank than its covering radius, or as many as the bank still has
        room for. Negative: patches farther than normal patches usually are. Raises BadInput for an image that is
        there already.
        """
        trial, changes = self._copy(), []
        for marked in several:
            if side == "negative":
                use = self._counts(marked)
                usual = self.fusions[fusion.PatchCore.name][1].usual_distance
                chosen, _ = trial.negative.widening(marked.rows[use], usual)
            else:
                use = trial.examine(marked).clean
                bank = trial.positive or _empty_bank(self.backbone.dimension)
                chosen, _ = bank.widening(marked.rows[use], trial.radius, trial._room(int(use.sum())))
            kept = np.zeros(int(use.sum()), bool)
            kept[chosen] = True
            beside = None if marked.beside is None else marked.beside[use]
            rows, position = marked.rows[use], marked.position[use]
            changes.append(Change(side, "add", marked.image, rows, position, kept, beside))
            trial._take(changes[-1])
        return changes

    def _room(self, more: int) -> int:
        """How many rows a bank built with `more` further patches would have beyond those that are there."""
        count = len(self.defects) + more
        wanted = max(min(count, FEWEST_POSITIVE_ROWS), round(self.settings.positive_ratio * count))
        return max(0, wanted - (len(self.positive) if self.positive else 0))

    def removals(self, image_id: str, side: str = "positive") -> list[Change]:
        """The change that takes every row of an image out of a bank, and holds all that it took, so that it can come
        back. Raises BadInput where it has none there."""
        bank, known = (self.positive, self.defects) if side == "positive" else (self.negative, self.learnt)
        image = next((i for i in bank.images if i.id == image_id), None) if bank else None
        if bank is None or image is None:
            raise BadInput(f"{image_id} is not in the {side} bank.")
        own, taught = bank.of_image(image_id), known.of_image(image_id)
        further = own.take(np.flatnonzero(~_among(own.position, taught.position)))
        position = np.concatenate([taught.position, further.position])
        beside = None
        if taught.beside is not None:
            unknown = np.full((len(further), taught.beside.shape[1]), np.nan, np.float32)
            beside = np.concatenate([taught.beside, unknown])
        return [
            Change(
                side,
                "remove",
                image,
                np.concatenate([taught.rows, further.rows]),
                position,
                _among(position, own.position),
                beside,
                np.arange(len(position)) < len(taught),
            )
        ]

    def changed(
        self, changes: Sequence[Change], state: dict[str, Any] | None = None, progress: Progress | None = None
    ) -> Detector:
        """A detector with these changes made in turn; this one stays as it is.

        state: what `fitted_state` said after the same changes, so that nothing needs fitting; without it the
        held-out features must be there. Raises BadInput for an image that comes twice or leaves without being there.
        """
        other = self._copy()
        for change in changes:
            other._take(change)
        if state is not None:
            other._restore(state)
            return other
        other._follow()
        names = {fusion.PatchCore.name, other._wanted}
        other._fit_fusions([k.name for k in other._possible() if k.name in names], progress or Progress())
        return other

    def _copy(self) -> Detector:
        """One whose banks can change without this one's; all that is large is shared until then."""
        other = copy(self)
        other.negative, other.learnt, other.defects = (
            copy(self.negative),
            copy(self.learnt),
            copy(self.defects),
        )
        other.positive = copy(self.positive) if self.positive else None
        other._near, other._since, other.fusions = dict(self._near), list(self._since), dict(self.fusions)
        other._unmarked_near = dict(self._unmarked_near)
        return other

    def _take(self, change: Change) -> None:
        """Make one change to the banks; what was fitted to them follows later."""
        image, rows, position = change.image, change.rows, change.position
        if change.side == "negative":
            self._near, self._unmarked_near, self._lessons = {}, {}, None
            if change.action == "remove":
                self.negative.remove(image.id)
                self.learnt.drop(image.id)
            else:
                use = slice(None) if change.taught is None else change.taught
                beside = None if change.beside is None else change.beside[use]
                self.negative.add(image, rows[change.kept], position[change.kept])
                self.learnt.add(image, rows[use], position[use], beside)
        elif change.action != "remove":
            self.positive = self.positive or _empty_bank(self.backbone.dimension)
            self.positive.add(image, rows[change.kept], position[change.kept])
            self.defects.add(image, rows, position, change.beside)
        elif self.positive is not None:
            self.positive.remove(image.id)
            self.defects.drop(image.id)
            self._near.pop(image.id, None)
            self.positive = self.positive if len(self.positive) else None
        self._since.append(change)

    def _follow(self) -> None:
        """Let the held-out normals look at what has changed in both banks since they last did."""
        for side, new in (("negative", self.negative), ("positive", self.positive)):
            old = self._seen.get(side)
            gone = {c.image.id for c in self._since if (c.side, c.action) == (side, "remove")}
            if old is not None and any(c.side == side for c in self._since):
                kept = ~old.of_images(gone)
                self.held_out = self._held_out.follow(side, old, new, kept, fusion.NEIGHBOURS)
            elif old is None:
                self.held_out = self._held_out.follow(side, None, new, np.zeros(0, bool), fusion.NEIGHBOURS)
        self._seen, self._since = {"negative": self.negative, "positive": self.positive}, []

    def fitted_state(self) -> dict[str, Any]:
        """What was fitted to the banks, JSON-able; `changed` takes it back."""
        line = self.direction
        return {
            "direction": {"weights": line.weights.tolist(), "bias": line.bias} if line else None,
            "discriminant": self.discriminant.state() if self.discriminant else None,
            "fusion": self.fusion.name,
            "fusions": {
                n: {"state": f.state(), "calibration": asdict(c)} for n, (f, c) in self.fusions.items()
            },
        }

    def _restore(self, state: dict[str, Any]) -> None:
        line = state["direction"]
        self.direction = (
            Direction(np.array(line["weights"], np.float32), float(line["bias"])) if line else None
        )
        whole = state.get("discriminant")
        self.discriminant = Discriminant.restore(whole) if whole else None
        self.fusions = {
            name: (fusion.restore(kept["state"]), Calibration.restore(kept["calibration"]))
            for name, kept in state["fusions"].items()
        }
        self.fusion = self.fusions[state["fusion"]][0]

    def drift(self) -> Drift:
        """How far the banks have come from what a build would make of the same images. Takes a second or two."""
        built, now = self._built, len(self.positive) if self.positive else 0
        if not self.positive or not len(self.defects):
            return Drift(built, now, 0.0, 0.0, 0.0)
        nearest = self.positive.search(self.defects.rows)[0][:, 0]
        kept = greedy_coreset(self.defects.rows, self._wanted_rows, seed=self.settings.seed)
        fresh = covering_radius(self.defects.rows, self.defects.rows[kept])
        return Drift(
            built, now, float((nearest > 1.001 * self.radius + 1e-6).mean()), float(nearest.max()), fresh
        )

    # Scoring

    def score(self, sources: Sequence[Source]) -> list[Inspection]:
        """Inspect images: paths, or uint8 (H, W, 3) RGB arrays of any size.

        Raises BadInput for an image that cannot be read.
        """
        return [self._inspect(features, shape) for features, shape in self._features(sources)]

    def compare(self, sources: Sequence[Source]) -> list[tuple[Inspection, Inspection]]:
        """(PatchCore's, this detector's) inspection of every image; features and distances are computed once."""
        plain = self.patchcore()
        pairs = []
        for features, shape in self._features(sources):
            found = self._nearest(features, inside=self._inside(shape) if self.region else None)
            pairs.append((plain._inspect(features, shape, found), self._inspect(features, shape, found)))
        return pairs

    def score_patches(
        self, features: np.ndarray, fusions: Sequence[str] = (), inside: np.ndarray | None = None
    ) -> list[tuple[float, np.ndarray, np.ndarray]]:
        """(image score, patch scores (h, w), map at the model's size) of one image's features (h, w, d), by each
        fusion named. inside: bool (h, w), its patches in the region of interest; the others repeat the nearest of
        them."""
        chosen = [self._fitted(name)[0] for name in fusions] or [self.fusion]
        distances = self._nearest(features, max(f.around for f in chosen), inside=inside).distances
        found = [(f, f.patch_scores(distances)) for f in chosen]
        return [(f.image_score(distances), scores, self._map(scores, f.sigma)) for f, scores in found]

    def distances(self, features: np.ndarray) -> Distances:
        """What is known of one image's patches (h, w, d), for its own fusion to judge."""
        return self._nearest(features).distances

    def patchcore(self) -> Detector:
        """The same negative bank without the positive one."""
        plain = self.with_fusion(fusion.PatchCore.name)
        plain.positive, plain.direction = None, None
        plain.fusions = {fusion.PatchCore.name: self.fusions[fusion.PatchCore.name]}
        return plain

    def with_fusion(self, name: str) -> Detector:
        """A detector with the same banks that scores by another fusion. Raises BadInput where it was not fitted."""
        other = copy(self)
        other.fusion = self._fitted(name)[0]
        return other

    def _fitted(self, name: str) -> tuple[Fusion, Calibration]:
        needed = fusion.by_name(name).fewest_parts
        if name not in self.fusions and needed <= self._defective_parts and self.can_change:
            return self._also(name)
        if name not in self.fusions:
            raise BadInput(
                f"The fusion {name} needs defects of {needed} or more physical parts, and the positive bank has "
                f"{self._defective_parts}; choose another fusion or build with more defects."
            )
        return self.fusions[name]

    def _also(self, name: str) -> tuple[Fusion, Calibration]:
        """Fit a fusion that was left out when the banks changed."""
        self._follow()
        self._fit_discriminant()
        self._fit([name], Progress())
        return self.fusions[name]

    def _features(self, sources: Sequence[Source]) -> list[tuple[np.ndarray, tuple[int, int]]]:
        """Features (h, w, d) and height and width of every image."""
        pairs, settings = [], self.settings
        for source in sources:
            image, shape = patches.read(source, settings.size, settings.read, self.region)
            found = patches.features(self.backbone, image[None])[0]
            if self.region is not None:
                found = self.region.spread(found, self._inside(shape))
            pairs.append((found, shape))
        return pairs

    def features(self, source: Source) -> np.ndarray:
        """Features of one image as its banks hold them, float32 (h, w, d). source: as of `score`."""
        return self._features([source])[0][0]

    def _inside(self, shape: tuple[int, int] | None = None) -> np.ndarray:
        """The patches of an image of `shape` (H, W), or of the region's own, that lie in the region of interest: bool
        (h, w)."""
        assert self.region is not None
        return patches.inside(self.region, self.settings.size, self.grid, shape)

    def _nearest(
        self,
        features: np.ndarray,
        around: int | None = None,
        inside: np.ndarray | None = None,
    ) -> _Nearest:
        """Distances of one image's patches (h, w, d), and which rows matched.

        inside: bool (h, w), the patches in the region of interest.
        """
        if features.shape[:2] != self.grid:
            raise BadInput(
                f"Features of a {features.shape[1]} x {features.shape[0]} patch grid were compared with banks built on "
                f"{self.grid[1]} x {self.grid[0]}; use images of their size, {self.settings.size}."
            )
        around = self.fusion.around if around is None else around
        shape, queries = features.shape[:2], features.reshape(-1, features.shape[-1])

        def ask(bank: Bank) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
            near, rows = bank.search(queries, fusion.NEIGHBOURS)
            beside = bank.around(queries, rows[:, 0], around).reshape(*shape, -1) if around else None
            return near.reshape(*shape, -1), rows[:, 0].reshape(shape), beside

        near, near_rows, near_around = ask(self.negative)
        if self.positive is None:
            return _Nearest(Distances(near, negative_around=near_around), near_rows, None)
        far, far_rows, far_around = ask(self.positive)
        along = self.direction(features) if self.direction else None
        context = self.discriminant.of_image(features) if self.discriminant else None
        if context is not None and self.region is not None and inside is not None:
            context = self.region.spread(context, inside)
        distances = Distances(near, far, near_around, far_around, along, context)
        return _Nearest(distances, near_rows, far_rows)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Values of patches (k, h, w) with that of the nearest patch inside in place of every patch outside the region
        of interest; as they are where there is none."""
        if self.region is None:
            return values
        inside = self._inside()
        return np.stack([self.region.spread(one, inside) for one in values])

    def _map(self, patch_scores: np.ndarray, sigma: float) -> np.ndarray:
        """Eq. 21-23: patch scores (h, w) bilinearly at the model's size, blurred; float32 (height, width)."""
        size = self.settings.size
        scores = np.ascontiguousarray(patch_scores, np.float32)
        large = cv2.resize(scores, (size.width, size.height), interpolation=cv2.INTER_LINEAR)
        return cv2.GaussianBlur(large, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)

    def _inspect(
        self, features: np.ndarray, shape: tuple[int, int], nearest: _Nearest | None = None
    ) -> Inspection:
        inside = self._inside(shape) if self.region else None
        found = nearest or self._nearest(features, inside=inside)
        distances, with_positive = found.distances, self.positive is not None
        scores = self.fusion.patch_scores(distances)
        calibration = self.fusions[self.fusion.name][1]
        anomaly_map = self._map(scores, self.fusion.sigma)
        if self.region is not None and inside is not None:
            scores = np.where(inside, scores, min(np.float32(calibration.median), scores[inside].min()))
            shown = _enlarged(inside, self.settings.size) & (
                self.region.share(self.settings.size, shape) >= HALF
            )
            anomaly_map = np.where(shown, anomaly_map, np.float32(calibration.map_median))
        return Inspection(
            score=self.fusion.image_score(distances),
            fusion=self.fusion.name,
            calibration=calibration,
            shape=shape,
            size=self.settings.size,
            patch_scores=scores,
            model_map=anomaly_map,
            negative_distance=distances.negative[..., 0],
            positive_distance=distances.positive[..., 0]
            if with_positive and distances.positive is not None
            else None,
            direction=distances.direction if self.fusion.uses_direction else None,
            _negative_rows=found.negative_rows,
            _positive_rows=found.positive_rows if with_positive else None,
            _negative=self.negative,
            _positive=self.positive,
            inside=inside,
            _region=self.region,
        )

    # On disk

    def summary(self) -> dict[str, Any]:
        """Counts and names for people and manifests; JSON-able."""
        positive = self.positive
        return {
            "fusion": self.fusion.name,
            "fusions": list(self.fusions),
            "negative_rows": len(self.negative),
            "negative_images": len(self.negative.images),
            "positive_rows": len(positive) if positive else 0,
            "positive_images": len(positive.images) if positive else 0,
            "defective_parts": self._defective_parts,
            "threshold": self.fusions[self.fusion.name][1].threshold,
            "guaranteed": self.guaranteed,
        } | ({"roi": round(float(self.region.mask.mean()), 4)} if self.region else {})

    def save(self, folder: Path) -> None:
        """Write banks (safetensors) and everything else (detector.json) into an existing, empty folder."""
        self.negative.save(folder / "negative.safetensors")
        if self.positive is not None:
            self.positive.save(folder / "positive.safetensors")
            learnt = {"near": self.negative_distances()}
            if len(self.unmarked):
                self.unmarked.save(folder / "unmarked.safetensors")
                learnt |= {"unmarked_near": self._unmarked_distances(), "stand_for": self._stand_for}
            if self.direction is not None:
                learnt["weights"] = self.direction.weights
                learnt["bias"] = np.array([self.direction.bias], np.float32)
            if self.discriminant is not None:
                learnt |= {"own": self.discriminant.own, "beside": self.discriminant.beside}
                learnt["middle"] = np.array([self.discriminant.bias])
            save_file(learnt, folder / "direction.safetensors")
        if self.region is not None:
            save_file({"roi": self.region.mask}, folder / ROI)
        self.learnt.save(folder / "learnt.safetensors")
        self.defects.save(folder / "defects.safetensors")
        self._held_out.save(folder / "held_out.safetensors")
        state = {
            "format": FORMAT,
            "settings": self.settings.to_json(),
            "backbone": {
                "name": self.backbone.name,
                "layers": list(self.backbone.layers),
                "dimension": self.backbone.dimension,
                "weights": self.backbone.weights,
                "fingerprint": self.backbone.fingerprint,
            },
            "grid": list(self.grid),
            "guaranteed": self.guaranteed,
            "roi": self.region is not None,
            "distances": {n: getattr(self, n) for n in ("radius", "too_normal", "visible_from")},
            "fusion": self.fusion.name,
            "fusions": {
                n: {"state": f.state(), "calibration": asdict(c)} for n, (f, c) in self.fusions.items()
            },
        }
        if self._usual is not None and self._usual[0] is self._held_out.negative:
            state["usual"] = self._usual[1].state()
        (folder / "detector.json").write_text(json.dumps(state, indent=1))

    @classmethod
    def load(cls, folder: Path, backbone: Backbone | None = None) -> Detector:
        """Read what `save` wrote. backbone: one already loaded; None loads the one that the banks were built with.

        Raises BadInput when the folder is damaged or the backbone is not the one that the banks were built with.
        """
        try:
            state = json.loads((folder / "detector.json").read_text())
            settings, kept = Settings.from_json(state["settings"]), state["backbone"]
            backbone = backbone or backbones.load(kept["name"])
            if backbone.fingerprint != kept["fingerprint"] or list(backbone.layers) != kept["layers"]:
                raise BadInput(
                    f"This bank version was built with {kept['name']} ({', '.join(kept['layers'])}; {kept['weights']}),"
                    f" not {backbone.name} ({', '.join(backbone.layers)}; {backbone.weights}); build a new one."
                )
            roi = load_file(folder / ROI)["roi"] if state.get("roi") else None
            detector = cls(backbone, settings, roi)
            height, width = state["grid"]
            detector.grid = (int(height), int(width))
            detector.guaranteed = bool(state.get("guaranteed"))
            for name, kept_fusion in state["fusions"].items():
                fitted = fusion.restore(kept_fusion["state"])
                detector.fusions[name] = (fitted, Calibration.restore(kept_fusion["calibration"]))
            detector.fusion = detector.fusions[state["fusion"]][0]
            detector.negative = Bank.load(folder / "negative.safetensors")
            if any(f.fewest_parts for f, _ in detector.fusions.values()):
                detector.positive = Bank.load(folder / "positive.safetensors")
                learnt = load_file(folder / "direction.safetensors")
                if "weights" in learnt:
                    detector.direction = Direction(learnt["weights"], float(learnt["bias"][0]))
                if "own" in learnt:
                    bias = float(learnt["middle"][0])
                    detector.discriminant = Discriminant(learnt["own"], learnt["beside"], bias)
            if state["format"] > 1:
                detector._load_fitting(folder, state["distances"])
                if detector.held_out is not None and "usual" in state:  # older versions have none
                    detector._usual = detector.held_out.negative, _Usual.restore(state["usual"])
                if detector.positive is not None:
                    detector._near = detector.defects.by_image(learnt["near"])
                    if "stand_for" in learnt:  # older versions have none
                        detector.unmarked = Bank.load(folder / "unmarked.safetensors")
                        detector._stand_for = learnt["stand_for"]
                        detector._unmarked_near = detector.unmarked.by_image(learnt["unmarked_near"])
        except BadInput:
            raise
        except (
            OSError,
            SafetensorError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            IndexError,
        ) as error:
            raise BadInput(f"The bank version in {folder} is missing or damaged; build it again.") from error
        return detector

    def _load_fitting(self, folder: Path, distances: dict[str, float]) -> None:
        self.learnt = Bank.load(folder / "learnt.safetensors")
        self.defects = Bank.load(folder / "defects.safetensors")
        self.held_out = HeldOut.load(folder / "held_out.safetensors")
        self.radius, self.too_normal, self.visible_from = (
            float(distances[name]) for name in ("radius", "too_normal", "visible_from")
        )
        self._built = len(self.positive) if self.positive else 0
        self._seen = {"negative": self.negative, "positive": self.positive}


@dataclass(frozen=True)
class _Usual:
    """What one fusion says of m held-out normal images: their scores and the peaks of their maps, float (m,), and the
    median of all maps."""

    scores: np.ndarray
    map_middle: float
    peaks: np.ndarray

    def state(self) -> dict[str, Any]:
        """JSON-able; `restore` takes it back."""
        return {"scores": self.scores.tolist(), "map_middle": self.map_middle, "peaks": self.peaks.tolist()}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> _Usual:
        scores, peaks = np.array(state["scores"]), np.array(state["peaks"], np.float32)
        return cls(scores, float(state["map_middle"]), peaks)


@dataclass(frozen=True)
class _Nearest:
    """Distances of one image's patches, and the number of the matched row of each bank, int64 (h, w)."""

    distances: Distances
    negative_rows: np.ndarray
    positive_rows: np.ndarray | None


def _build_bank(
    patch_set: PatchSet, chosen: np.ndarray, ratio: float, seed: int, progress: Progress | None
) -> Bank:
    """The coreset of the patches where `chosen` bool (n, h, w) holds, each with its origin."""
    image, row, column = np.nonzero(chosen)
    features = (
        patch_set.features[image, row, column]
        if not chosen.all()
        else patch_set.features.reshape(len(image), -1)
    )
    kept = np.sort(
        greedy_coreset(features, max(1, round(ratio * len(features))), seed=seed, progress=progress)
    )
    position = np.stack([row[kept], column[kept]], axis=1)
    return Bank(features[kept], image[kept], position, patch_set.images)


def _empty_bank(dimension: int) -> Bank:
    return Bank(np.zeros((0, dimension)), np.zeros(0), np.zeros((0, 2)), [])


def _empty_teachers(dimension: int) -> Bank:
    """A bank whose rows come with their surroundings."""
    beside = np.zeros((0, surroundings.width(dimension)))
    return Bank(np.zeros((0, dimension)), np.zeros(0), np.zeros((0, 2)), [], beside)


def _among(position: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which places (m, 2) are among those (n, 2): bool (m,)."""
    return (position[:, None] == others[None]).all(-1).any(1)


def _enlarged(of_patches: np.ndarray, size: Size) -> np.ndarray:
    """bool (h, w) of patches to bool (size.height, size.width) of pixels."""
    whole = (size.width, size.height)
    return cv2.resize(of_patches.astype(np.uint8), whole, interpolation=cv2.INTER_NEAREST).astype(bool)


def _each(distances: Distances, change: Callable[[np.ndarray], np.ndarray]) -> Distances:
    return Distances(**{k: change(v) for k, v in vars(distances).items() if v is not None})
