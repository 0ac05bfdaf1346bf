"""Cross-validation over folds of physical parts.

Knows detectors and labelled images. Does not know the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from exdd_core import datasets
from exdd_core.detector import Detector, Settings, fusion
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.examples import TrainingImage, patch_set
from exdd_core.errors import BadInput
from exdd_core.evaluation.account import account, over_folds
from exdd_core.evaluation.measure import measure
from exdd_core.evaluation.metrics import FALSE_ALARM_RATE, Labelled, Measured
from exdd_core.evaluation.test_images import read_images, require_measurable, without_outside
from exdd_core.progress import Progress
from exdd_core.region import Region


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
) -> dict[str, Any]:
    """Grouped cross-validation: every fold has its own banks, built without its physical parts.

    fusions: names; "exdd" is the settings' own (its name, or the default for the defects at hand). Of each training
    side the defects of `max_real_parts` physical parts enter (all where None), drawn with `seed`.
    painted: synthetic defects, for Table 1: "exdd" is then "exdd_base", and "exdd_full" learns from these as well, but
    for those that were painted into, or lent by, a held-out part; with an empty list there is no "exdd_full".
    roi: bool (H, W), the region of interest, outside of which nothing counts; None where everything does.
    Returns {"folds", "seed", "methods": {name: {metric: mean over folds}}, "deviation": {name: {metric: standard
    deviation}}, "per_fold": {name: [...]}, "banks": what each fold's banks hold, "fusion": what "exdd" was in each
    fold, "masks": as `TestImages.masked`} and what `_account` tells, of scores that each fold calibrated on its own
    training images. Without a mask of any defect pixel figures are None.
    Raises BadInput when there are fewer groups than folds or a fold has only one class.
    """
    progress = progress or Progress()
    own = "exdd" if painted is None else "exdd_base"
    region = None if roi is None else Region(roi)
    rows, left_out = without_outside(rows, region)
    require_measurable(rows, rate)
    wanted = {name: name for name in fusions or (fusion.PatchCore.name, "exdd")}
    wanted = {own if name == "exdd" else name: "" if name == "exdd" else name for name in wanted}
    names = [*wanted, *(["exdd_full"] if painted else [])]
    sides = datasets.folds(rows, folds, seed)
    for fold, test in enumerate(sides, 1):
        if len({rows[i].label for i in test}) == 1:
            missing = "normal" if rows[min(test)].label == "defect" else "defective"
            raise BadInput(f"Fold {fold} of {folds} has no {missing} image to measure with; use fewer folds.")
    read = read_images(rows, backbone, settings, progress, region)
    patches, labels, more = read.patches, read.labels, []
    if painted:
        size, reader = settings.size, settings.read
        more = patch_set(backbone, list(painted), size, progress, reader, region).marked()
    measured: dict[str, list[Measured]] = {name: [] for name in names}
    banks, chosen = [], []
    for fold, test in enumerate(sides):
        held_out = sorted(test)
        training = [i for i in range(len(rows)) if i not in test]
        training = [
            training[j] for j in datasets.limit_parts([rows[i] for i in training], max_real_parts, seed)
        ]
        detector = Detector(backbone, replace(settings, seed=seed), region)
        progress.begin(f"Fold {fold + 1} of {folds}", 1)
        defects = patches.take([i for i in training if labels[i]])
        normals, asked = (
            patches.take([i for i in training if not labels[i]]),
            [n for n in wanted.values() if n],
        )
        detector.fit_patches(normals, defects, progress, asked)
        found = measure(detector, read, held_out, wanted, progress)
        banks.append(detector.summary())
        chosen.append(detector.fusion.name)
        if more:
            known = {rows[i].group for i in held_out}
            apart = [m for m in more if not known & {m.image.group, m.image.donor}]
            detector.fit_defects([*defects.marked(), *apart], progress, asked)
            found |= measure(detector, read, held_out, {"exdd_full": ""}, progress)
        for name in names:
            measured[name].append(found[name])
    per_fold = {name: [read.told(fold.figures) for fold in measured[name]] for name in names}
    mean, spread = ({n: read.told(over_folds(measured[n], by)) for n in names} for by in (np.mean, np.std))
    told = account(rows, [sorted(test) for test in sides], measured, rate, progress)
    return {
        "folds": folds,
        "seed": seed,
        "max_real_parts": max_real_parts,
        "methods": mean,
        "deviation": spread,
        "per_fold": per_fold,
        "banks": banks,
        "fusion": chosen,
        **told,
        "masks": read.masked,
        "notes": [*left_out, *read.notes, *told["notes"]],
    }
