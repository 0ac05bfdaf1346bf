"""What the kinds of background jobs do: each one function of the workspace, a specification and a progress.

Specifications and results are plain JSON, so that a job outlives the process that asked for it. A function that is
called again with the same job id goes on where it finds what is done already. Knows the core's long computations;
does not know queues or who asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exdd_core.progress import Progress

if TYPE_CHECKING:
    from exdd_core.datasets import Choices
    from exdd_core.images import Size
    from exdd_core.workspace import Workspace

Spec = dict[str, Any]
Result = dict[str, Any]

ALL = "all"
REASONS_KEPT = 5  # sentences on images that could not be read: results are read at every look at the list


def build(workspace: Workspace, spec: Spec, progress: Progress, job_id: str) -> Result:
    """spec: what `Workspace.build` takes, with `size` as "256x632" and `keep_aspect`; what is left out or null is
    the default."""
    given = {key: value for key, value in spec.items() if key != "keep_aspect" and value is not None}
    if "size" in given:
        given["size"] = _size(spec, workspace.dataset(spec.get("dataset")).size.keep_aspect)
    bank = workspace.build(**given, progress=progress)
    return {
        "bank": bank.id,
        "name": bank.name,
        "dataset": bank.dataset,
        "active": bank.active,
        "seconds": bank.seconds,
        "settings": bank.settings,
        "summary": bank.summary,
        "path": str(bank.path),
    }


def import_(workspace: Workspace, spec: Spec, progress: Progress, job_id: str) -> Result:
    """spec: `source`, the path of a folder or zip file, or `upload`, that of an uploaded one; then as `import_spec`.

    The result says which data set it is and whether anything is new; with `into` also all that `joining.Joined` does,
    but for the report.
    """
    from exdd_core import joining
    from exdd_core.datasets import Choices

    source, choices = spec.get("upload") or spec["source"], Choices.from_json(spec)
    if spec.get("into"):
        joined = joining.join(workspace, spec["into"], source, choices, spec.get("who") or "", progress)
        told = {key: value for key, value in vars(joined).items() if key != "report"}
        return {**told, "changed": bool(joined.joined), "images": joined.report["images"]}
    size = _size(spec, False) if spec.get("size") else None
    info = workspace.import_dataset(source, spec.get("name"), size=size, progress=progress, choices=choices)
    return {"dataset": info.name, "changed": info.changed, "images": info.report["images"]}


def import_spec(
    name: str | None, size: Size | None, choices: Choices, into: str | None = None, who: str = ""
) -> Spec:
    """What `import_` is given beside a source; None is the default.

    into: the data set that the images join, in place of `name` and `size`. who: whoever asked for that.
    """
    groups = choices.groups
    if groups is not None and groups.kind == "csv":
        groups = replace(groups, value=str(Path(groups.value).expanduser().resolve()))
    return {
        "name": name,
        "size": str(size) if size else None,
        "keep_aspect": size.keep_aspect if size else None,
        "into": into,
        "who": who,
        **replace(choices, groups=groups).to_json(),
    }


def demo(workspace: Workspace, spec: Spec, progress: Progress, job_id: str) -> Result:
    """Generated images and a first bank version, for who has no images yet."""
    from exdd_core.workspace import make_demo

    return {"dataset": make_demo(workspace.path, progress).dataset().name}


def score(workspace: Workspace, spec: Spec, progress: Progress, job_id: str) -> Result:
    """spec: `list`, the key of one of `Review.lists`, and `bank`, left out for the active version. What was scored
    before is not scored again."""
    from exdd_core.review import Review

    review = Review(workspace)
    reasons = review.score(review.images(spec["list"]), progress, spec.get("bank"))
    return {"unreadable": len(reasons), "reasons": reasons[:REASONS_KEPT]}


def export(workspace: Workspace, spec: Spec, progress: Progress, job_id: str) -> Result:
    """spec: `ids` of images, whose panes become one zip file, and `bank`, left out for the active version."""
    from exdd_core.review import Review

    return {"path": str(Review(workspace).export_all(spec["ids"], progress, spec.get("bank")))}


def export_dataset(workspace: Workspace, spec: Spec, progress: Progress, job_id: str) -> Result:
    """spec: what `exporting.export` takes."""
    from exdd_core import exporting

    return exporting.export(workspace, **spec, progress=progress)


def synthesize(workspace: Workspace, spec: Spec, progress: Progress, job_id: str) -> Result:
    """spec: a `studio.Order` as JSON."""
    from exdd_core import studio

    return studio.run(workspace, spec, progress, job_id)


def evaluate(workspace: Workspace, spec: Spec, progress: Progress, job_id: str) -> Result:
    """spec: `state` of the data set (null: as it is now), `folds` (null: the test split, by `bank` as it is after
    `changes`, the number of its last one; null: as it is now), `dataset`, `fusion`, `rate` (of false alarms, at which
    recall is read) and, for folds, the settings of banks. Stored as a run of the job's id."""
    from exdd_core import runs

    began = time.monotonic()
    result = (
        _evaluate_folds(workspace, spec, progress)
        if spec.get("folds")
        else _evaluate_split(workspace, spec, progress)
    )
    spec = spec | {name: result[name] for name in ("dataset", "state", "rate")}
    if not spec.get("folds"):
        spec |= {"bank": result["bank"], "changes": result["changes"]}
    how = f"{spec['folds']} grouped folds" if spec.get("folds") else f"test split, {result['bank_version']}"
    title, seconds = f"{result['dataset']}: {how}", time.monotonic() - began
    runs.store(workspace, job_id, "evaluate", title, spec, result, result.get("bank", ""), seconds)
    return _brief(result) | {"run": job_id}


def table1(workspace: Workspace, spec: Spec, progress: Progress, job_id: str) -> Result:
    """spec: as `tables.table_one`."""
    from exdd_core import tables

    return tables.table_one(workspace, spec, progress, job_id)


def sweep(workspace: Workspace, spec: Spec, progress: Progress, job_id: str) -> Result:
    """spec: as `tables.sweep`; goes on after the last cell that was measured."""
    from exdd_core import tables

    return tables.sweep(workspace, spec, progress, job_id)


def map_(workspace: Workspace, spec: Spec, progress: Progress, job_id: str) -> Result:
    """spec: `bank`, the id of a version whose map by UMAP is made."""
    from exdd_core import landscape

    bank = workspace.bank(spec["bank"])
    made = landscape.make(workspace, bank.id, progress)
    return {"bank": bank.id, "name": bank.name, "rows": len(made.place), "left_out": made.left_out}


def _brief(result: Result) -> Result:
    """What a list of jobs can carry: the rest is in the stored run."""
    from exdd_core.runs import BULKY

    return {key: value for key, value in result.items() if key not in BULKY}


def _evaluate_split(workspace: Workspace, spec: Spec, progress: Progress) -> Result:
    from exdd_core import history, runs, tables
    from exdd_core.evaluation import evaluate_split, taught_by

    bank = workspace.bank(spec.get("bank"))
    dataset = workspace.dataset(spec.get("dataset") or bank.dataset, spec.get("state"))
    changes = spec.get("changes")
    if changes is None:
        with workspace.reading() as db:
            changes = history.newest(db, bank.id)
    detector = workspace.detector(bank.id, changes)
    rows, left_out = tables.unseen_images(workspace, dataset.name, taught_by(detector), dataset.state)
    result = evaluate_split(detector, rows, spec.get("fusion"), progress, rate=_rate(spec))
    made_of: Result = {
        "dataset": dataset.name,
        "bank_version": bank.name,
        "bank": bank.id,
        "changes": changes,
        "state": dataset.state,
        "fingerprint": runs.fingerprint(workspace, dataset.name, dataset.state),
    }
    return {**made_of, **result, "notes": [sentence for sentence in (left_out, *result["notes"]) if sentence]}


def _rate(spec: Spec) -> float:
    from exdd_core.evaluation import FALSE_ALARM_RATE

    rate = spec.get("rate")
    return FALSE_ALARM_RATE if rate is None else rate


def _evaluate_folds(workspace: Workspace, spec: Spec, progress: Progress) -> Result:
    from exdd_core import dataset_settings, runs, tables
    from exdd_core.detector.fusion import FUSIONS
    from exdd_core.evaluation import cross_validate

    dataset, guessed = dataset_settings.settled(workspace, spec.get("dataset"), spec.get("state"), progress)
    every = spec.get("fusion") == ALL
    methods = ["patchcore", "exdd"]
    methods += [name for name in FUSIONS if every and name not in methods]
    backbone, settings = tables.fold_settings(
        workspace, dataset.name, spec | {"state": dataset.state} | ({"fusion": None} if every else {})
    )
    result = cross_validate(
        workspace.images(dataset.name, state=dataset.state),
        backbone,
        settings,
        folds=spec["folds"],
        seed=settings.seed,
        max_real_parts=spec.get("max_real_parts"),
        fusions=methods,
        rate=_rate(spec),
        roi=workspace.region(dataset.name, dataset.state),
        progress=progress,
    )
    made_of = {
        "dataset": dataset.name,
        "state": dataset.state,
        "fingerprint": runs.fingerprint(workspace, dataset.name, dataset.state),
    }
    return {**made_of, **result, "notes": [*filter(None, [guessed]), *result["notes"]]}


def _size(spec: Spec, keep_aspect: bool) -> Size:
    from exdd_core.images import Size

    return Size.parse(spec["size"], spec.get("keep_aspect", keep_aspect))


KINDS: dict[str, Callable[[Workspace, Spec, Progress, str], Result]] = {
    "build": build,
    "import": import_,
    "demo": demo,
    "score": score,
    "export": export,
    "export_dataset": export_dataset,
    "synthesize": synthesize,
    "evaluate": evaluate,
    "table1": table1,
    "sweep": sweep,
    "map": map_,
}
