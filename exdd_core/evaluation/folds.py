"""Grouped cross-validation: every fold builds banks without its own physical parts and is measured on these.

Knows detectors and labelled images. Does not know the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from exdd_core import cluster, datasets
from exdd_core.detector import Detector, Settings, fusion
from exdd_core.detector.examples import Marked, TrainingImage, patch_set
from exdd_core.detector.feature_cache import FeatureCache
from exdd_core.errors import BadInput
from exdd_core.evaluation.account import account, over_folds
from exdd_core.evaluation.measure import measure
from exdd_core.evaluation.metrics import FALSE_ALARM_RATE, Labelled, Measured
from exdd_core.evaluation.test_images import (
    TestImages,
    judgeable,
    read_images,
    require_measurable,
    without_outside,
)
from exdd_core.measurements import Account, FiguresWithMasks, MaskCounts
from exdd_core.progress import Progress
from exdd_core.region import Region, counted

if TYPE_CHECKING:
    from exdd_core.detector.backbones import Backbone
    from exdd_core.detector.summary import Summary


class CrossValidation(Account):
    """What a cross-validation returns, as JSON.

    methods, deviation: {method: {metric: mean or standard deviation over folds}}. per_fold: {method: the
    figures of each fold}. banks: what the banks of each fold hold. fusion: the fusion of "exdd" in each fold.
    masks: the numbers of defective images with and without a mask.
    """

    folds: int
    seed: int
    max_real_parts: int | None
    methods: dict[str, FiguresWithMasks]
    deviation: dict[str, FiguresWithMasks]
    per_fold: dict[str, list[FiguresWithMasks]]
    banks: list[Summary]
    fusion: list[str]
    masks: MaskCounts


def cross_validate(
    rows: Sequence[Labelled],
    backbone: Backbone,
    settings: Settings,
    *,
    folds: int = 4,
    seed: int = 0,
    max_real_parts: int | None = None,
    fusions: Sequence[str] | None = None,
    rate: float = FALSE_ALARM_RATE,
    painted: Sequence[TrainingImage] | None = None,
    roi: np.ndarray | None = None,
    progress: Progress | None = None,
    cache: FeatureCache | None = None,
) -> CrossValidation:
    """Measure methods by grouped cross-validation. Each fold calibrates scores on its own training images.

    max_real_parts: of each training side, only defects of so many physical parts are used, drawn with `seed`;
    None: of all. fusions: names of methods; "exdd" is the fusion of the settings, or the default for the
    defects there are. None: PatchCore and "exdd". rate: the share of normal images that may be false alarms
    when recall is read. painted: synthetic defects for Table 1. "exdd" is then called "exdd_base", and
    "exdd_full" is fitted on these as well, except for those painted into a held-out part or copied from one;
    without any there is no "exdd_full". roi: bool (H, W), the region of interest; only defects and pixels
    inside count. None: the whole image. cache: of features.

    Pixel figures are None where no defect has a mask. Raises BadInput where there are fewer parts than folds,
    or a fold has one class only.
    """
    progress = progress or Progress()
    region = counted(roi, settings.size)
    rows, left_out = without_outside(rows, region)
    require_measurable(rows, rate)
    wanted = _wanted(fusions, painted is not None)
    _sides(rows, folds, seed)  # what cannot be measured is refused before images are read
    images = read_images(rows, backbone, settings, progress, region, cache)
    rows, images, unknown = judgeable(rows, images)
    sides = _sides(rows, folds, seed)
    synthetic = []
    if painted:
        size, reader = settings.size, settings.read
        of_painted = patch_set(backbone, list(painted), size, progress, reader, region, cache)
        synthetic = list(of_painted.marked())
    training = _Training(
        rows, images, backbone, replace(settings, seed=seed), region, wanted, synthetic, seed, max_real_parts
    )
    names = [*wanted, *(["exdd_full"] if painted else [])]
    return _measure_folds(training, sides, names, rate, [*left_out, *unknown], progress)


def _measure_folds(
    training: _Training,
    sides: Sequence[list[int]],
    names: Sequence[str],
    rate: float,
    left_out: Sequence[str],
    progress: Progress,
) -> CrossValidation:
    """Fit and measure the methods of these names on every fold, and put their figures together.

    sides: the numbers of the rows that each fold holds out. left_out: sentences about images that are not measured.
    """
    images = training.images
    measured: dict[str, list[Measured]] = {name: [] for name in names}
    banks, chosen = [], []
    for fold in _fitted(training, sides, progress):
        banks.append(fold.banks)
        chosen.append(fold.fusion)
        for name in names:
            measured[name].append(fold.measured[name])
    told = account(training.rows, sides, measured, rate, progress)
    return {
        "folds": len(sides),
        "seed": training.seed,
        "max_real_parts": training.max_real_parts,
        "methods": {name: images.told(over_folds(measured[name], np.mean)) for name in names},
        "deviation": {name: images.told(over_folds(measured[name], np.std)) for name in names},
        "per_fold": {name: [images.told(fold.figures) for fold in measured[name]] for name in names},
        "banks": banks,
        "fusion": chosen,
        **told,
        "masks": images.masked,
        "notes": [*left_out, *images.notes, *told["notes"]],
    }


def _fitted(training: _Training, sides: Sequence[list[int]], progress: Progress) -> Iterator[_Fold]:
    """The folds in their order, fitted and measured one by one, or at once on a cluster.

    Features that are on disk for their size do not travel: their folds are fitted here.
    """
    if cluster.address() and not training.images.patches.features.bytes_on_disk:
        progress.begin("Fitting and measuring folds", len(sides))
        for fold in cluster.map_tasks(_fold_there, training, sides, progress):
            yield fold
            progress.advance()
        return
    for number, held_out in enumerate(sides, 1):
        progress.begin(f"Fold {number} of {len(sides)}", 1)
        yield training.fold(held_out, progress)


def _fold_there(training: _Training, held_out: list[int]) -> _Fold:
    """A fold on a machine of a cluster, where nobody watches its progress."""
    return training.fold(held_out, Progress())


def _wanted(fusions: Sequence[str] | None, with_table_one: bool) -> dict[str, str]:
    """{method: name of its fusion}; "" is the fusion that the detector chooses."""
    own = "exdd_base" if with_table_one else "exdd"
    names = fusions or (fusion.PatchCore.name, "exdd")
    return dict((own, "") if name == "exdd" else (name, name) for name in names)


def _sides(rows: Sequence[Labelled], folds: int, seed: int) -> list[list[int]]:
    """The numbers of the rows that each fold holds out. Raises BadInput for a fold that has one class only."""
    sides = [sorted(test) for test in datasets.folds(rows, folds, seed)]
    for number, held_out in enumerate(sides, 1):
        if len({rows[i].label for i in held_out}) == 1:
            missing = "normal" if rows[held_out[0]].label == "defect" else "defective"
            raise BadInput(
                f"Fold {number} of {len(sides)} has no {missing} image to measure with; use fewer folds."
            )
    return sides


@dataclass(frozen=True)
class _Fold:
    """What one fold measured, {method: figures and scores}, and its banks and fusion."""

    measured: dict[str, Measured]
    banks: Summary
    fusion: str


@dataclass(frozen=True)
class _Training:
    """All that the folds of one cross-validation have in common; see `cross_validate`."""

    rows: Sequence[Labelled]
    images: TestImages
    backbone: Backbone
    settings: Settings
    region: Region | None
    wanted: Mapping[str, str]
    synthetic: Sequence[Marked]
    seed: int
    max_real_parts: int | None

    def fold(self, held_out: list[int], progress: Progress) -> _Fold:
        """Fit a detector on all but the held-out rows, and measure it on these. held_out: numbers of rows."""
        training, defective, patches = self._training_rows(held_out), self.images.labels, self.images.patches
        normals = patches.take([i for i in training if not defective[i]])
        defects = patches.take([i for i in training if defective[i]])
        named = [name for name in self.wanted.values() if name]
        detector = Detector(self.backbone, self.settings, self.region)
        detector.fit_patches(normals, defects, progress, named)
        measured = measure(detector, self.images, held_out, self.wanted, progress)
        fold = _Fold(measured, detector.summary(), detector.fusion.name)
        if self.synthetic:
            every = chain(defects.marked(), self._synthetic(held_out))
            detector.fit_defects(every, progress, named)
            measured |= measure(detector, self.images, held_out, {"exdd_full": ""}, progress)
        return fold

    def _training_rows(self, held_out: list[int]) -> list[int]:
        tested = set(held_out)
        others = [i for i in range(len(self.rows)) if i not in tested]
        kept = datasets.limit_parts([self.rows[i] for i in others], self.max_real_parts, self.seed)
        return [others[i] for i in kept]

    def _synthetic(self, held_out: list[int]) -> list[Marked]:
        """The synthetic defects that show nothing of a held-out part."""
        parts = {self.rows[i].group for i in held_out}
        return [one for one in self.synthetic if not parts & one.image.parts]
