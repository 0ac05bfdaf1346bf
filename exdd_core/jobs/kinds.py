"""What the kinds of background jobs do: each one function of the workspace, a specification and a progress.

Specifications and results are plain JSON, so that a job outlives the process that asked for it. A function that is
called again with the same job id goes on where it finds what is done already. Knows the core's long computations;
does not know queues or who asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core.banks.building import build_bank
from exdd_core.datasets.sizes import size_of
from exdd_core.experiments.evaluation import evaluate
from exdd_core.progress import Progress
from exdd_core.workspace.imports import import_dataset
from exdd_core.workspace.specs import Result, Spec

if TYPE_CHECKING:
    from exdd_core.datasets import Choices
    from exdd_core.images import Size
    from exdd_core.workspace import Workspace

REASONS_KEPT = 5  # sentences on images that could not be read: results are read at every look at the list


def build(workspace: Workspace, spec: Spec, progress: Progress, job_id: str) -> Result:
    """spec: what `Workspace.build` takes, with `size` as "256x632" and `keep_aspect`; what is left out or null is
    the default."""
    given = {key: value for key, value in spec.items() if key != "keep_aspect" and value is not None}
    if "size" in given:
        given["size"] = size_of(spec, workspace.dataset(spec.get("dataset")).size.keep_aspect)
    bank = build_bank(workspace, **given, progress=progress)
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
    from exdd_core.datasets import Choices
    from exdd_core.workspace import joining

    source, choices = spec.get("upload") or spec["source"], Choices.from_json(spec)
    if spec.get("into"):
        joined = joining.join(workspace, spec["into"], source, choices, spec.get("who") or "", progress)
        told = {key: value for key, value in vars(joined).items() if key != "report"}
        return {**told, "changed": bool(joined.joined), "images": joined.report["images"]}
    size = size_of(spec, False) if spec.get("size") else None
    info = import_dataset(workspace, source, spec.get("name"), size=size, progress=progress, choices=choices)
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
    from exdd_core.banks.building import make_demo

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
    from exdd_core.workspace import exporting

    return exporting.export(workspace, **spec, progress=progress)


def synthesize(workspace: Workspace, spec: Spec, progress: Progress, job_id: str) -> Result:
    """spec: a `studio.Order` as JSON."""
    from exdd_core import studio

    return studio.run(workspace, spec, progress, job_id)


def table1(workspace: Workspace, spec: Spec, progress: Progress, job_id: str) -> Result:
    """spec: as `tables.table_one`."""
    from exdd_core.experiments import table_one

    return table_one.table_one(workspace, spec, progress, job_id)


def sweep(workspace: Workspace, spec: Spec, progress: Progress, job_id: str) -> Result:
    """spec: as `tables.sweep`; goes on after the last cell that was measured."""
    from exdd_core.experiments import sweep as sweep_

    return sweep_.sweep(workspace, spec, progress, job_id)


def map_(workspace: Workspace, spec: Spec, progress: Progress, job_id: str) -> Result:
    """spec: `bank`, the id of a version whose map by UMAP is made."""
    from exdd_core.banks import bank_map

    bank = workspace.bank(spec["bank"])
    made = bank_map.make(workspace, bank.id, progress)
    return {"bank": bank.id, "name": bank.name, "rows": len(made.place), "left_out": made.left_out}


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
