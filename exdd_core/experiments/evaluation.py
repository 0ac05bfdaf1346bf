"""Evaluate a bank version on the test split, or settings by grouped folds, and store that as a run.

Knows the workspace, banks and evaluation. Does not know jobs or pages.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from exdd_core.banks.detectors import load_detector
from exdd_core.experiments.specs import EvaluateSpec
from exdd_core.measurements import RunResult
from exdd_core.progress import Progress

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

ALL = "all"


def evaluate(workspace: Workspace, spec: EvaluateSpec, progress: Progress, job_id: str) -> RunResult:
    """Measure on the test split or by folds, and store that as a run of the job's id."""
    from exdd_core.workspace import runs

    began = time.monotonic()
    result = (
        _evaluate_folds(workspace, spec, progress)
        if spec.folds
        else _evaluate_split(workspace, spec, progress)
    )
    known = ("dataset", "state", "rate") if spec.folds else ("dataset", "state", "rate", "bank", "changes")
    record = spec.to_json() | {name: result.get(name) for name in known}
    how = f"{spec.folds} grouped folds" if spec.folds else f"test split, {result['bank_version']}"
    title, seconds = f"{result['dataset']}: {how}", time.monotonic() - began
    runs.store(workspace, job_id, "evaluate", title, record, result, result.get("bank", ""), seconds)
    return {**runs.without_bulky(result), "run": job_id}


def _evaluate_split(workspace: Workspace, spec: EvaluateSpec, progress: Progress) -> RunResult:
    from exdd_core.banks import features, history
    from exdd_core.evaluation import evaluate_split, images_in_banks
    from exdd_core.experiments import unseen
    from exdd_core.workspace import dataset_files, runs

    bank = workspace.bank(spec.bank)
    dataset = workspace.dataset(spec.dataset or bank.dataset, spec.state)
    changes = spec.changes
    if changes is None:
        with workspace.reading() as db:
            changes = history.newest(db, bank.id)
    detector = load_detector(workspace, bank.id, changes)
    rows, left_out = unseen.unseen_images(workspace, dataset.name, images_in_banks(detector), dataset.state)
    rows, lost = dataset_files.intact(workspace, rows, spec.without_missing)
    cache = features.shared(workspace, detector.settings)
    result = evaluate_split(detector, rows, spec.fusion, progress, rate=_rate(spec), cache=cache)
    made_of: RunResult = {
        "dataset": dataset.name,
        "bank_version": bank.name,
        "bank": bank.id,
        "changes": changes,
        "state": dataset.state,
        "fingerprint": runs.fingerprint(workspace, dataset.name, dataset.state),
    }
    return {
        **made_of,
        **result,
        "notes": [sentence for sentence in (left_out, lost, *result["notes"]) if sentence],
    }


def _rate(spec: EvaluateSpec) -> float:
    from exdd_core.evaluation import FALSE_ALARM_RATE

    return FALSE_ALARM_RATE if spec.rate is None else spec.rate


def _evaluate_folds(workspace: Workspace, spec: EvaluateSpec, progress: Progress) -> RunResult:
    from exdd_core.banks import features
    from exdd_core.detector.fusion import FUSIONS
    from exdd_core.evaluation import cross_validate
    from exdd_core.workspace import dataset_files, dataset_settings, runs

    dataset, guessed = dataset_settings.settled(workspace, spec.dataset, spec.state, progress)
    every = spec.fusion == ALL
    methods = ["patchcore", "exdd"]
    methods += [name for name in FUSIONS if every and name not in methods]
    asked = spec.model_copy(update={"fusion": None}) if every else spec
    assert spec.folds is not None
    backbone = workspace.backbone(spec.backbone)
    settings = asked.settings_on(dataset, backbone.name)
    every_row = workspace.images(dataset.name, state=dataset.state)
    rows, lost = dataset_files.intact(workspace, every_row, spec.without_missing)
    result = cross_validate(
        rows,
        backbone,
        settings,
        folds=spec.folds,
        seed=settings.seed,
        max_real_parts=spec.max_real_parts,
        fusions=methods,
        rate=_rate(spec),
        roi=workspace.region(dataset.name, dataset.state),
        progress=progress,
        cache=features.shared(workspace, settings),
    )
    made_of: RunResult = {
        "dataset": dataset.name,
        "state": dataset.state,
        "fingerprint": runs.fingerprint(workspace, dataset.name, dataset.state),
    }
    return {**made_of, **result, "notes": [*filter(None, [guessed, lost]), *result["notes"]]}
