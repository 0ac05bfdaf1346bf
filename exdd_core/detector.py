"""Two memory banks and what they say of an image: heatmap, score, verdict and reason.

A detector with no positive bank is PatchCore; with one it is ExDD. It knows patches, banks and fusions. It does not
know the database, where images are kept, or who asks.

Fitting: normals and defects -> patch features -> coreset -> two banks -> every fusion, fitted and calibrated on
training images that meet no bank row of their own physical part.
Scoring: image -> patch features -> N, P, L of every patch -> fusion -> map and score, against a calibrated threshold.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from exdd_core import backbones, fusion, images, patches
from exdd_core.backbones import Backbone
from exdd_core.bank import Bank, BankImage
from exdd_core.coreset import greedy_coreset
from exdd_core.errors import BadInput
from exdd_core.fusion import Direction, Distances, Evidence, Fusion
from exdd_core.images import Size
from exdd_core.inspection import Calibration, Inspection, Match, Matches
from exdd_core.patches import Source
from exdd_core.progress import Progress

CALIBRATION_IMAGES = 150  # normal training images whose held-out scores set medians and thresholds
FIT_PATCHES = 10_000  # at most so many patches of each class in a logistic regression
FIT_FOLDS = 40  # more defective parts than this are left out a few at a time
FEWEST_POSITIVE_ROWS = 1_000  # a tenth of the few patches on a few small defects would be next to nothing
FORMAT = 1

__all__ = [
    "Calibration",
    "Detector",
    "Inspection",
    "Match",
    "Matches",
    "PatchSet",
    "Settings",
    "TrainingImage",
]


@dataclass(frozen=True)
class Settings:
    """Everything a person may set about a detector. JSON-able by `to_json` and `from_json`."""

    backbone: str = backbones.EMBEDDED
    size: Size = Size(256, 256)
    negative_ratio: float = 0.01  # share of normal patches kept (SPEC: the sections on implementation)
    positive_ratio: float = 0.10  # of patches on defects; never fewer than FEWEST_POSITIVE_ROWS of them
    fusion: str = "auto"
    false_alarm_rate: float = 0.02  # share of held-out normal images that may lie above the threshold
    seed: int = 0

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
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Settings:
        return cls(**{**values, "size": Size(**values["size"])})


@dataclass(frozen=True)
class TrainingImage:
    """An image to learn from: where it is, which physical part it shows, and where its defect lies."""

    id: str
    source: Source
    group: str
    mask: str | Path | np.ndarray | None = None  # a file, or bool (H, W) of the image's size
    defect_type: str = ""
    origin: str = "real"  # or "synthetic"

    @property
    def bank_image(self) -> BankImage:
        return BankImage(self.id, self.group, self.defect_type, self.origin)


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


class Detector:
    """A negative bank, perhaps a positive one, and the fusions fitted to them."""

    def __init__(self, backbone: Backbone, settings: Settings | None = None):
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

    # Fitting

    def fit(
        self,
        normals: Sequence[TrainingImage],
        defects: Sequence[TrainingImage] = (),
        progress: Progress | None = None,
    ) -> Detector:
        """Build both banks from training images and fit every fusion that they allow. Returns the detector.

        normals: defect-free images, at least two. defects: images with masks; without any the detector is PatchCore.
        A defect whose mask marks nothing is left out. Raises BadInput for too few images or a missing mask, `Cancelled`
        when asked to stop.
        """
        for image in defects:
            if image.mask is None:
                raise BadInput(
                    f"{image.id} has no mask, so its defect cannot be placed; give it one or leave it out."
                )
        everything = patch_set(self.backbone, [*normals, *defects], self.settings.size, progress)
        n = len(normals)
        return self.fit_patches(
            everything.take(range(n)), everything.take(range(n, n + len(defects))), progress
        )

    def fit_patches(self, normals: PatchSet, defects: PatchSet, progress: Progress | None = None) -> Detector:
        """`fit` on features already computed; `defects` may hold no image."""
        if len(normals.images) < 2:
            raise BadInput("At least two normal training images are needed to build a bank; import more.")
        settings, seed = self.settings, self.settings.seed
        self.grid = normals.features.shape[1:3]
        everywhere = np.ones(normals.features.shape[:3], bool)
        self.negative = _build_bank(normals, everywhere, settings.negative_ratio, seed, progress)
        self.positive, self.direction = None, None
        defects = defects.take(np.flatnonzero(defects.on_defect.any((1, 2))))  # a mask may mark nothing
        if defects.images:
            share = max(settings.positive_ratio, min(1, FEWEST_POSITIVE_ROWS / defects.on_defect.sum()))
            self.positive = _build_bank(defects, defects.on_defect, share, seed, progress)
        self._fit_fusions(normals, defects, progress or Progress())
        wanted = fusion.default(self._defective_parts) if settings.fusion == "auto" else settings.fusion
        self.fusion = self._fitted(wanted)[0]
        return self

    @property
    def _defective_parts(self) -> int:
        return len({i.group for i in self.positive.images}) if self.positive else 0

    def _fit_fusions(self, normals: PatchSet, defects: PatchSet, progress: Progress) -> None:
        """Every fusion that the banks allow, with its calibration, from images that meet no row of their own part."""
        rng = np.random.default_rng(self.settings.seed)
        flat = normals.features.reshape(-1, self.backbone.dimension)
        learnt = flat[np.sort(rng.permutation(len(flat))[:FIT_PATCHES])]
        on_defect = defects.features[defects.on_defect] if self.positive else flat[:0]
        defect_groups = (
            np.repeat(defects.groups, defects.on_defect.sum((1, 2))) if self.positive else np.zeros(0, str)
        )
        if len(on_defect) > FIT_PATCHES:
            some = np.sort(rng.permutation(len(on_defect))[:FIT_PATCHES])
            on_defect, defect_groups = on_defect[some], defect_groups[some]
        if self.positive:
            self.direction = Direction.fit(learnt, on_defect)

        held_out = self._held_out(normals, rng, progress)
        count = held_out.negative[..., 0].size
        sampled = np.sort(rng.permutation(count)[:FIT_PATCHES])
        of_normals = _each(held_out, lambda v: v.reshape(count, *v.shape[3:])[sampled])
        evidence = Evidence(of_normals, dimension=self.backbone.dimension)
        if self.positive:
            evidence = replace(evidence, defects=self._apart(on_defect, defect_groups, learnt, progress))
        self.fusions = {}
        for kind in self._possible():
            fitted = kind.fit(evidence)
            self.fusions[kind.name] = (fitted, self._calibrate(fitted, held_out))

    def _apart(
        self, defects: np.ndarray, groups: np.ndarray, normals: np.ndarray, progress: Progress
    ) -> Distances:
        """N, P and L of defect patches (b, d), from everything but the patch's own physical part."""
        assert self.positive is not None
        near = np.full((len(defects), fusion.NEIGHBOURS), np.inf, np.float32)
        far, along = near.copy(), np.zeros(len(defects), np.float32)
        parts = np.unique(groups)
        folds = np.array_split(parts, min(len(parts), FIT_FOLDS))
        progress.begin("Fitting with each defective part left out", len(folds))
        for fold in folds:
            own = np.isin(groups, fold)
            theirs = np.isin(self.negative.groups, fold)
            near[own] = self.negative.search(
                defects[own], fusion.NEIGHBOURS, None if theirs.all() else theirs
            )[0]
            far[own] = self.positive.search(
                defects[own], fusion.NEIGHBOURS, np.isin(self.positive.groups, fold)
            )[0]
            if len(folds) >= fusion.FEWEST_PARTS:  # with fewer, nothing that looks at L is fitted
                along[own] = Direction.fit(normals, defects[~own])(defects[own])
            progress.advance()
        return Distances(near, far, direction=along)

    def _possible(self) -> list[type[Fusion]]:
        return [k for k in fusion.FUSIONS.values() if self._defective_parts >= k.fewest_parts]

    def _held_out(self, normals: PatchSet, rng: np.random.Generator, progress: Progress) -> Distances:
        """Distances (m, h, w, ...) of up to CALIBRATION_IMAGES normals to the banks without their own part's rows."""
        chosen = normals.take(np.sort(rng.permutation(len(normals.images))[:CALIBRATION_IMAGES]))
        # Of a single part, leaving it out would leave nothing: images are left out instead.
        single = len(set(normals.groups)) == 1
        progress.begin("Calibrating on held-out normal images", len(chosen.images))
        found = []
        for image, features in zip(chosen.images, chosen.features, strict=True):
            own = image.id if single else image.group
            found.append(self._nearest(features, fusion.Paper().around, apart=own).distances)
            progress.advance()
        return _stacked(found)

    def _calibrate(self, fitted: Fusion, held_out: Distances) -> Calibration:
        scores, maps = [], []
        for i in range(len(held_out.negative)):
            one = _each(held_out, lambda v: v[i])  # noqa: B023
            scores.append(fitted.image_score(one))
            maps.append(self._map(fitted.patch_scores(one), fitted.sigma))
        keep = 1 - self.settings.false_alarm_rate
        peaks = [m.max() for m in maps]
        middle, map_middle = float(np.median(scores)), float(np.median(np.stack(maps)))
        limit = float(np.quantile(scores, keep, method="higher"))
        map_limit = float(np.quantile(peaks, keep, method="higher"))
        # Of identical images there is no spread at all, and a threshold must still lie above the median.
        return Calibration(
            median=middle,
            threshold=max(limit, middle + 1e-6 * (1 + abs(middle))),
            map_median=map_middle,
            map_threshold=max(map_limit, map_middle + 1e-6 * (1 + abs(map_middle))),
            usual_distance=max(float(np.median(held_out.negative[..., 0])), fusion.EPS),
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
            found = self._nearest(features)
            pairs.append((plain._inspect(features, shape, found), self._inspect(features, shape, found)))
        return pairs

    def score_patches(
        self, features: np.ndarray, fusions: Sequence[str] = ()
    ) -> list[tuple[float, np.ndarray]]:
        """(image score, map at the model's size) of one image's features (h, w, d), by each fusion named."""
        chosen = [self._fitted(name)[0] for name in fusions] or [self.fusion]
        distances = self._nearest(features, max(f.around for f in chosen)).distances
        return [(f.image_score(distances), self._map(f.patch_scores(distances), f.sigma)) for f in chosen]

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
        if name not in self.fusions:
            raise BadInput(
                f"The fusion {name} needs defects of {needed} or more physical parts, and the positive bank has "
                f"{self._defective_parts}; choose another fusion or build with more defects."
            )
        return self.fusions[name]

    def _features(self, sources: Sequence[Source]) -> list[tuple[np.ndarray, tuple[int, int]]]:
        """Features (h, w, d) and height and width of every image."""
        pairs = []
        for source in sources:
            image = source if isinstance(source, np.ndarray) else images.read_image(source)
            batch = images.resize_image(image, self.settings.size)[None]
            pairs.append((patches.features(self.backbone, batch)[0], (image.shape[0], image.shape[1])))
        return pairs

    def _nearest(self, features: np.ndarray, around: int | None = None, apart: str | None = None) -> _Nearest:
        """Distances of one image's patches (h, w, d), and which rows matched.

        apart: rows of the physical part, or of the image, of this name are not met.
        """
        if features.shape[:2] != self.grid:
            raise BadInput(
                f"Features of a {features.shape[1]} x {features.shape[0]} patch grid were compared with banks built on "
                f"{self.grid[1]} x {self.grid[0]}; use images of their size, {self.settings.size}."
            )
        around = self.fusion.around if around is None else around
        shape, queries = features.shape[:2], features.reshape(-1, features.shape[-1])

        def ask(bank: Bank) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
            without = None if apart is None else bank.of(apart)
            if without is not None and without.all():  # a bank of nothing else is met as it is
                without = None
            near, rows = bank.search(queries, fusion.NEIGHBOURS, without)
            beside = bank.around(queries, rows[:, 0], around, without).reshape(*shape, -1) if around else None
            return near.reshape(*shape, -1), rows[:, 0].reshape(shape), beside

        near, near_rows, near_around = ask(self.negative)
        if self.positive is None or self.direction is None:
            return _Nearest(Distances(near, negative_around=near_around), near_rows, None)
        far, far_rows, far_around = ask(self.positive)
        distances = Distances(near, far, near_around, far_around, self.direction(features))
        return _Nearest(distances, near_rows, far_rows)

    def _map(self, patch_scores: np.ndarray, sigma: float) -> np.ndarray:
        """Eq. 21-23: patch scores (h, w) bilinearly at the model's size, blurred; float32 (height, width)."""
        size = self.settings.size
        scores = np.ascontiguousarray(patch_scores, np.float32)
        large = cv2.resize(scores, (size.width, size.height), interpolation=cv2.INTER_LINEAR)
        return cv2.GaussianBlur(large, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)

    def _inspect(
        self, features: np.ndarray, shape: tuple[int, int], nearest: _Nearest | None = None
    ) -> Inspection:
        found = nearest or self._nearest(features)
        distances, with_positive = found.distances, self.positive is not None
        scores = self.fusion.patch_scores(distances)
        return Inspection(
            score=self.fusion.image_score(distances),
            fusion=self.fusion.name,
            calibration=self.fusions[self.fusion.name][1],
            shape=shape,
            size=self.settings.size,
            patch_scores=scores,
            model_map=self._map(scores, self.fusion.sigma),
            negative_distance=distances.negative[..., 0],
            positive_distance=distances.positive[..., 0]
            if with_positive and distances.positive is not None
            else None,
            direction=distances.direction if self.fusion.uses_direction else None,
            _negative_rows=found.negative_rows,
            _positive_rows=found.positive_rows if with_positive else None,
            _negative=self.negative,
            _positive=self.positive,
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
        }

    def save(self, folder: Path) -> None:
        """Write banks (safetensors) and everything else (detector.json) into an existing, empty folder."""
        self.negative.save(folder / "negative.safetensors")
        if self.positive is not None and self.direction is not None:
            self.positive.save(folder / "positive.safetensors")
            bias = np.array([self.direction.bias], np.float32)
            save_file({"weights": self.direction.weights, "bias": bias}, folder / "direction.safetensors")
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
            "fusion": self.fusion.name,
            "fusions": {
                n: {"state": f.state(), "calibration": asdict(c)} for n, (f, c) in self.fusions.items()
            },
        }
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
            detector = cls(backbone, settings)
            height, width = state["grid"]
            detector.grid = (int(height), int(width))
            for name, kept_fusion in state["fusions"].items():
                fitted = fusion.restore(kept_fusion["state"])
                detector.fusions[name] = (fitted, Calibration(**kept_fusion["calibration"]))
            detector.fusion = detector.fusions[state["fusion"]][0]
            detector.negative = Bank.load(folder / "negative.safetensors")
            if any(f.fewest_parts for f, _ in detector.fusions.values()):
                detector.positive = Bank.load(folder / "positive.safetensors")
                line = load_file(folder / "direction.safetensors")
                detector.direction = Direction(line["weights"], float(line["bias"][0]))
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


@dataclass(frozen=True)
class _Nearest:
    """Distances of one image's patches, and the number of the matched row of each bank, int64 (h, w)."""

    distances: Distances
    negative_rows: np.ndarray
    positive_rows: np.ndarray | None


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
    """Which patches lie on the defect: bool (h, w). At least half covered, or the most covered of a small defect."""
    mask, source = image.mask, image.source
    shape = source.shape[:2] if isinstance(source, np.ndarray) else images.probe(source)[::-1]
    if isinstance(mask, str | Path):
        mask = images.read_mask(mask, shape)
    elif mask is not None and mask.shape != shape:
        raise BadInput(f"The mask of {image.id} has another size than the image; give one of the same size.")
    assert mask is not None
    share = patches.covered(images.resize_mask(mask, size), grid)
    return (share > 0) & (share >= min(0.5, share.max()))


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


def _stacked(several: list[Distances]) -> Distances:
    """Distances of images (h, w, ...) as one (m, h, w, ...); k is that of the image that has fewest."""
    columns: dict[str, np.ndarray] = {}
    for name in [name for name, value in vars(several[0]).items() if value is not None]:
        values = [getattr(d, name) for d in several]
        fewest = min(v.shape[-1] for v in values)
        columns[name] = np.stack([v[..., :fewest] for v in values])
    return Distances(**columns)


def _each(distances: Distances, change: Callable[[np.ndarray], np.ndarray]) -> Distances:
    return Distances(**{k: change(v) for k, v in vars(distances).items() if v is not None})
