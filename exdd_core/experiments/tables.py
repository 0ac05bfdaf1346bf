"""Table 1 of the paper on one's own images: PatchCore, ExDD base and ExDD full.

ExDD base learns from real defects, ExDD full from accepted synthetic ones as well. All three are measured on
the test split, with two bank versions that are built for this, or by grouped folds of all images. Test images
of a part that a bank was built from are left out.

Knows banks, candidates and evaluation, and stores runs. Does not know pages or commands.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.banks.options import BuildOptions
from exdd_core.experiments.names import NO_FULL
from exdd_core.experiments.specs import TableOneSpec
from exdd_core.experiments.unseen import accepted, accepted_by_id, unseen_images
from exdd_core.measurements import RunResult
from exdd_core.progress import Progress
from exdd_core.spec import Json
from exdd_core.workspace import dataset_files, dataset_settings, runs

if TYPE_CHECKING:
    from exdd_core.workspace import BankVersion, DatasetInfo, Workspace


def table_one(workspace: Workspace, spec: TableOneSpec, progress: Progress, job_id: str) -> RunResult:
    """Measure Table 1 and store it as a run of the job's id. Without accepted synthetic defects, full is left out.

    Returns the result without the scores of images. Raises BadInput where nothing can be measured.
    """
    from exdd_core.evaluation import FALSE_ALARM_RATE

    began = time.monotonic()
    info, guessed = dataset_settings.settled(workspace, spec.dataset, spec.state, progress)
    dataset = info.name
    rate = FALSE_ALARM_RATE if spec.rate is None else spec.rate
    spec = spec.model_copy(update={"dataset": dataset, "state": info.state, "rate": rate})
    measure = _by_folds if spec.folds else _by_test_split
    result, banks = measure(workspace, info, spec, rate, progress)
    made_of: RunResult = {
        "dataset": dataset,
        "state": info.state,
        "fingerprint": runs.fingerprint(workspace, dataset, info.state),
    }
    result = {**made_of, **result, "notes": [*filter(None, [guessed]), *result["notes"]]}
    title = f"{dataset}: Table 1" + (f", {spec.folds} grouped folds" if spec.folds else "")
    seconds = time.monotonic() - began
    runs.store(workspace, job_id, "table1", title, {**spec.to_json(), **banks}, result, seconds=seconds)
    return {**runs.without_bulky(result), "run": job_id}


def _by_test_split(
    workspace: Workspace, info: DatasetInfo, spec: TableOneSpec, rate: float, progress: Progress
) -> tuple[RunResult, Json]:
    """The result, and for the record the ids of the bank versions and their last changes."""
    from exdd_core.banks import features, history
    from exdd_core.evaluation import evaluate_methods, images_in_banks, require_measurable

    dataset = info.name
    require_measurable(unseen_images(workspace, dataset, [], info.state)[0], rate)
    banks = {"exdd_base": _version(workspace, spec, spec.base, "real", progress)}
    note = NO_FULL
    if spec.full or accepted(workspace, dataset):
        banks["exdd_full"], note = _version(workspace, spec, spec.full, "both", progress), ""
    with workspace.reading() as db:
        changes = {name.removeprefix("exdd_"): history.newest(db, bank.id) for name, bank in banks.items()}
    changes |= spec.changes or {}
    detectors = {
        name: load_detector(workspace, bank.id, changes[name.removeprefix("exdd_")])
        for name, bank in banks.items()
    }
    known = images_in_banks(*detectors.values())
    rows, left_out = unseen_images(workspace, dataset, known, info.state)
    rows, lost = dataset_files.intact(workspace, rows, spec.without_missing)
    methods = {"patchcore": detectors["exdd_base"].patchcore(), **detectors}
    cache = features.shared(workspace, detectors["exdd_base"].settings)
    measured = evaluate_methods(methods, rows, progress, rate=rate, cache=cache)
    result: RunResult = {
        "banks": {name: bank.name for name, bank in banks.items()},
        "synthetic": len({image.id for image in known if image.origin == "synthetic"}),
        **measured,
        "notes": [sentence for sentence in (note, left_out, lost, *measured["notes"]) if sentence],
    }
    ids = {name.removeprefix("exdd_"): bank.id for name, bank in banks.items()}
    return result, {**ids, "changes": changes}


def _version(
    workspace: Workspace, spec: TableOneSpec, built: str | None, positives: str, progress: Progress
) -> BankVersion:
    """The named bank version, or a new one, which does not become the active one."""
    if built:
        return workspace.bank(built)
    names = ["state", "seed", "max_real_parts", "negative_ratio", "positive_ratio", "backbone", "fusion"]
    names.append("without_missing")
    given = {name: getattr(spec, name) for name in names}
    options = BuildOptions(
        dataset=spec.dataset, positives=positives, activate=False, made_for="table1", **given
    )
    return build_bank(workspace, options, progress=progress)


def _by_folds(
    workspace: Workspace, info: DatasetInfo, spec: TableOneSpec, rate: float, progress: Progress
) -> tuple[RunResult, Json]:
    """The result, and for the record the ids of the synthetic defects. The banks of folds are not stored."""
    from exdd_core.banks import features, teachers
    from exdd_core.evaluation import cross_validate

    assert spec.folds is not None
    backbone = workspace.backbone(spec.backbone)
    settings = spec.settings_on(info, backbone.name)
    gone: list[str] | None = [] if spec.without_missing else None
    painted = accepted_by_id(teachers.accepted(workspace, info.name, gone), spec.synthetic)
    every_row = workspace.images(info.name, state=info.state)
    rows, lost = dataset_files.intact(workspace, every_row, spec.without_missing)
    result = cross_validate(
        rows,
        backbone,
        settings,
        folds=spec.folds,
        seed=settings.seed,
        max_real_parts=spec.max_real_parts,
        rate=rate,
        painted=painted,
        roi=workspace.region(info.name, info.state),
        progress=progress,
        cache=features.shared(workspace, settings),
    )
    labels = result["per_image"]["label"]  # without the images that were left out
    counts: RunResult = {"images": len(labels), "defective": labels.count("defect")}
    notes = [*([] if painted else [NO_FULL]), *filter(None, [lost]), *result["notes"]]
    found: RunResult = {**counts, "synthetic": len(painted), **result, "notes": notes}
    return found, {"synthetic": [image.id for image in painted]}
