"""The paper's tables on one's own images: methods side by side (Table 1), and more and more synthetic ones (Table 2).

Table 1 builds two bank versions from the training split, with real defects only and with accepted synthetic ones too,
and measures both and PatchCore on the test split, or does so by grouped folds of all images. Table 2 draws that many
of the accepted ones, with several seeds.
What taught the banks beyond the training split is left out of the test images, with its whole physical part.

Knows the workspace's banks and candidates, and stores what it measures as runs. Does not know pages or commands.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from exdd_core.banks.detectors import load_detector
from exdd_core.experiments.names import NO_FULL
from exdd_core.experiments.unseen import accepted, fold_settings, those, unseen_images, version_of
from exdd_core.progress import Progress
from exdd_core.workspace import dataset_settings, runs

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace


def table_one(workspace: Workspace, spec: dict[str, Any], progress: Progress, job_id: str) -> dict[str, Any]:
    """PatchCore, ExDD base and ExDD full on the test split or by folds, stored as a run of the job's id.

    spec: `dataset`, its `state` (null: as it is now), `rate`, `seed`, `fusion`, `max_real_parts` and the kept shares
    as `Workspace.build` takes them; `folds` (null: the test split); `base` and `full`, ids of bank versions that are
    built already, and `changes`, the number of the last change of each; by folds `synthetic`, ids of accepted
    defects (null: all). Without accepted synthetic defects full is left out.
    """
    from exdd_core.evaluation import FALSE_ALARM_RATE

    began = time.monotonic()
    info, guessed = dataset_settings.settled(workspace, spec.get("dataset"), spec.get("state"), progress)
    dataset = info.name
    spec = {
        **spec,
        "dataset": dataset,
        "state": info.state,
        "rate": FALSE_ALARM_RATE if spec.get("rate") is None else spec["rate"],
    }
    measure = _by_folds if spec.get("folds") else _by_test_split
    result, banks = measure(workspace, dataset, spec, progress)
    made_of = {"state": info.state, "fingerprint": runs.fingerprint(workspace, dataset, info.state)}
    notes = [*filter(None, [guessed]), *result["notes"]]
    result = {"dataset": dataset, **made_of, **result, "notes": notes}
    title = f"{dataset}: Table 1" + (f", {spec['folds']} grouped folds" if spec.get("folds") else "")
    seconds = time.monotonic() - began
    runs.store(workspace, job_id, "table1", title, {**spec, **banks}, result, seconds=seconds)
    return {key: value for key, value in result.items() if key not in runs.BULKY} | {"run": job_id}


def _by_test_split(
    workspace: Workspace, dataset: str, spec: dict[str, Any], progress: Progress
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was measured, and the ids of the bank versions that were, with their last changes."""
    from exdd_core.banks import history
    from exdd_core.evaluation import evaluate_methods, require_measurable, taught_by

    require_measurable(unseen_images(workspace, dataset, [], spec["state"])[0], spec["rate"])
    banks = {"exdd_base": version_of(workspace, dataset, spec, "base", "real", progress)}
    note = NO_FULL
    if spec.get("full") or accepted(workspace, dataset):
        banks["exdd_full"], note = version_of(workspace, dataset, spec, "full", "both", progress), ""
    with workspace.reading() as db:
        changes = {name.removeprefix("exdd_"): history.newest(db, bank.id) for name, bank in banks.items()}
    changes |= spec.get("changes") or {}
    detectors = {
        name: load_detector(workspace, bank.id, changes[name.removeprefix("exdd_")])
        for name, bank in banks.items()
    }
    learnt = taught_by(*detectors.values())
    rows, left_out = unseen_images(workspace, dataset, learnt, spec["state"])
    methods = {"patchcore": detectors["exdd_base"].patchcore(), **detectors}
    result = evaluate_methods(methods, rows, progress, rate=spec["rate"])
    result = {
        "banks": {name: bank.name for name, bank in banks.items()},
        "synthetic": len({image.id for image in learnt if image.origin == "synthetic"}),
        **result,
        "notes": [sentence for sentence in (note, left_out, *result["notes"]) if sentence],
    }
    return result, {name.removeprefix("exdd_"): bank.id for name, bank in banks.items()} | {
        "changes": changes
    }


def _by_folds(
    workspace: Workspace, dataset: str, spec: dict[str, Any], progress: Progress
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was measured, and the ids of the synthetic defects; every fold builds its own banks, which nobody keeps."""
    from exdd_core.banks import teachers
    from exdd_core.evaluation import cross_validate

    backbone, settings = fold_settings(workspace, dataset, spec)
    painted = those(teachers.accepted(workspace, dataset), spec.get("synthetic"))
    rows = workspace.images(dataset, state=spec["state"])
    result = cross_validate(
        rows,
        backbone,
        settings,
        folds=spec["folds"],
        seed=settings.seed,
        max_real_parts=spec.get("max_real_parts"),
        rate=spec["rate"],
        painted=painted,
        roi=workspace.region(dataset, spec["state"]),
        progress=progress,
    )
    labels = result["per_image"]["label"]  # without the images that were left out
    counts = {"images": len(labels), "defective": labels.count("defect")}
    notes = [*([] if painted else [NO_FULL]), *result["notes"]]
    made_of = {"synthetic": [image.id for image in painted]}
    return {**counts, "synthetic": len(painted), **result, "notes": notes}, made_of
