"""Table 2 of the paper on one's own images: ExDD with more and more accepted synthetic defects.

Knows the workspace and evaluation, and stores runs. Does not know jobs or pages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from exdd_core.banks.building import training_split
from exdd_core.banks.options import BuildOptions
from exdd_core.errors import BadInput
from exdd_core.experiments.specs import SweepSpec
from exdd_core.experiments.unseen import accepted, accepted_by_id, unseen_images
from exdd_core.measurements import ByCount, Cell, FiguresWithMasks, MaskCounts, RunResult
from exdd_core.progress import Progress
from exdd_core.sentences import count
from exdd_core.spec import Json
from exdd_core.workspace import dataset_files, dataset_settings, runs

if TYPE_CHECKING:
    from exdd_core.detector import Detector
    from exdd_core.detector.examples import PatchSet
    from exdd_core.evaluation import TestImages
    from exdd_core.workspace import DatasetInfo, Workspace

Statistic = Callable[[Sequence[float]], float | np.floating]  # such as np.mean


def sweep(workspace: Workspace, spec: SweepSpec, progress: Progress, job_id: str) -> RunResult:
    """Measure ExDD with each of `counts` synthetic defects, drawn `seeds` times, and store that as one run.

    Every cell is stored as soon as it is measured; with the same job id the sweep goes on after the last one.
    Raises BadInput where a count is larger than the number of accepted defects.
    """
    began = time.monotonic()
    info, guessed = dataset_settings.settled(workspace, spec.dataset, spec.state, progress)
    dataset, counts, seeds = info.name, sorted(set(spec.counts)), spec.seeds
    require_accepted(workspace, dataset, counts)
    work = _Sweep(workspace, info, spec, progress)
    work.notes[:0] = filter(None, [guessed])
    painted = [image.id for image in work.pool]
    result: RunResult = {
        "dataset": dataset,
        "state": info.state,
        "fingerprint": runs.fingerprint(workspace, dataset, info.state),
        "counts": counts,
        "seeds": seeds,
        "synthetic": painted,
        "cells": [],
        "complete": False,
        "notes": work.notes,
        "masks": None,
    }
    result.update(_so_far(workspace, job_id, result))
    record = {"dataset": dataset, "state": info.state, "counts": counts, "synthetic": painted}
    record = spec.to_json() | record
    wanted = [(seed, number) for seed in range(seeds) for number in counts]
    there = {(cell["seed"], cell["count"]) for cell in result["cells"]}
    for seed, number in wanted:
        if (seed, number) in there:
            continue
        result["cells"].append({"seed": seed, "count": number, **work.measure(seed, number)})
        result["notes"], result["masks"] = work.notes, work.masks
        _keep(workspace, job_id, record, {**result, **_by_count(result["cells"])}, began)
    result.update(_by_count(result["cells"]))
    result["complete"] = True
    _keep(workspace, job_id, record, result, began)
    return {**result, "synthetic": len(painted), "run": job_id}


def require_accepted(workspace: Workspace, dataset: str, counts: Sequence[int]) -> None:
    """Raise BadInput where more synthetic defects are asked for than have been accepted."""
    there = accepted(workspace, dataset)
    if max(counts) > there:
        raise BadInput(
            f"{count(max(counts), 'synthetic defect is', 'synthetic defects are')} needed, but only {there} "
            f"{'is' if there == 1 else 'are'} accepted; accept more in Curate, or choose smaller numbers."
        )


def _by_count(cells: Sequence[Cell]) -> ByCount:
    from exdd_core.evaluation import METRICS

    of = {
        str(count): [cell["figures"] for cell in cells if cell["count"] == count]
        for count in sorted({cell["count"] for cell in cells})
    }

    def over_seeds(combine: Statistic) -> dict[str, FiguresWithMasks]:
        return {n: {m: _combined(own, m, combine) for m in METRICS} for n, own in of.items()}

    return {"methods": over_seeds(np.mean), "deviation": over_seeds(np.std)}


def _combined(figures: Sequence[FiguresWithMasks], metric: str, combine: Statistic) -> float | None:
    """A statistic of one metric over several draws; None where it was not measured, as without masks."""
    known = [value for value in (own[metric] for own in figures) if value is not None]
    return float(combine(known)) if known else None


def _so_far(workspace: Workspace, job_id: str, result: RunResult) -> RunResult:
    """What an interrupted sweep had measured, unless images or accepted defects have changed."""
    try:
        former = runs.get(workspace, job_id).result
    except BadInput:
        return {}
    if any(former.get(key) != result.get(key) for key in ("fingerprint", "synthetic")):
        return {}
    return {"cells": former["cells"], "notes": former["notes"], "masks": former.get("masks")}


def _keep(workspace: Workspace, job_id: str, record: Json, result: RunResult, began: float) -> None:
    title = f"{result['dataset']}: synthetic defects {', '.join(map(str, result['counts']))}"
    runs.store(workspace, job_id, "sweep", title, record, result, seconds=time.monotonic() - began)


class _Sweep:
    """What the cells of one sweep share: features of all images, and the negative bank of a seed."""

    def __init__(self, workspace: Workspace, info: DatasetInfo, spec: SweepSpec, progress: Progress):
        from exdd_core.banks import features
        from exdd_core.evaluation import require_measurable, without_outside
        from exdd_core.region import counted

        dataset, state = info.name, info.state
        self.workspace, self.dataset, self.progress = workspace, dataset, progress
        kind = "both" if accepted(workspace, dataset) else "real"
        options = BuildOptions(
            positives=kind, max_real_parts=spec.max_real_parts, without_missing=spec.without_missing
        )
        self.normals, defects, _ = training_split(workspace, info, options)
        self.real = [image for image in defects if image.origin != "synthetic"]
        synthetic = [image for image in defects if image.origin == "synthetic"]
        self.pool = accepted_by_id(synthetic, spec.synthetic)
        self.backbone = workspace.backbone(spec.backbone)
        roi = workspace.region(dataset, state)
        self.settings = spec.settings_on(info, self.backbone.name)
        self.region = counted(roi, self.settings.size)
        self.cache = features.shared(workspace, self.settings)
        rows, left_out = unseen_images(workspace, dataset, self.pool, state)
        rows, lost = dataset_files.intact(workspace, rows, spec.without_missing)
        self.rows, outside = without_outside(rows, self.region)
        self.notes = [*filter(None, [left_out, lost]), *outside]
        require_measurable(self.rows)
        self._begun: tuple[int, Detector] | None = None
        self._features: PatchSet | None = None
        self._test: TestImages | None = None
        self.masks: MaskCounts | None = None  # known when the test images are read

    def measure(self, seed: int, count: int) -> Cell:
        """Fit and measure one cell."""
        from exdd_core.banks import teachers
        from exdd_core.evaluation import judgeable, measure_images, read_images

        if self._test is None:
            read = read_images(
                self.rows, self.backbone, self.settings, self.progress, self.region, self.cache
            )
            self.rows, self._test, unknown = judgeable(self.rows, read)
            self.masks, self.notes = self._test.masked, [*self.notes, *unknown, *self._test.notes]
        detector = self._detector(seed, count)
        detector = teachers.without_false_alarms(self.workspace, self.dataset, detector, self.progress)
        figures = measure_images(detector, self.rows, self._test, self.progress)
        summary = detector.summary()
        return {"figures": figures, "fusion": summary["fusion"], "positive_rows": summary["positive_rows"]}

    def _detector(self, seed: int, count: int) -> Detector:
        """A detector of all normals, all real defects and the first `count` synthetic ones of a draw."""
        from exdd_core.detector import Detector
        from exdd_core.detector.examples import patch_set

        n, m = len(self.normals), len(self.real)
        if self._features is None:
            images = [*self.normals, *self.real, *self.pool]
            size, reader = self.settings.size, self.settings.read
            self._features = patch_set(
                self.backbone, images, size, self.progress, reader, self.region, self.cache
            )
            self._features.require_finite()
        drawn = np.random.default_rng(seed).permutation(len(self.pool))[:count]
        defects = self._features.take([*range(n, n + m), *(n + m + i for i in np.sort(drawn))])
        if self._begun is None or self._begun[0] != seed:
            detector = Detector(self.backbone, replace(self.settings, seed=seed), self.region)
            detector.fit_patches(self._features.take(range(n)), defects, self.progress)
            self._begun = (seed, detector)
            return detector
        return self._begun[1].fit_defects(defects.marked(), self.progress)
