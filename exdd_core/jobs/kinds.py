"""The kinds of background jobs, each a function of the workspace, a specification and a progress.

Specifications and results are JSON in the table, so that a job outlives the process that submitted it. A function that
is called again with the same job id continues from the results that it finds. Each function imports what it runs,
because most need torch and the app starts without it. Knows the long computations. Does not know queues.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from exdd_core.banks.options import BuildOptions
from exdd_core.experiments import EvaluateSpec, SweepSpec, TableOneSpec
from exdd_core.jobs.results import Built, DemoMade, Exported, Imported, MapMade, Resembled, Scored
from exdd_core.jobs.specs import (
    CompareSpec,
    DemoSpec,
    ExportDatasetSpec,
    ExportSpec,
    ImportSpec,
    MapSpec,
    ScoreSpec,
)
from exdd_core.jobs.table import job_folder
from exdd_core.measurements import RunResult
from exdd_core.progress import Progress
from exdd_core.synthesis.lora_settings import TeachSpec
from exdd_core.synthesis.orders import Order

if TYPE_CHECKING:
    from exdd_core.studio.batch import Painted
    from exdd_core.studio.teaching import TaughtAdapter
    from exdd_core.workspace import Workspace, exporting

TRAINING = "training"  # folder in that of a job "teach": checkpoints, losses and samples
REASONS_KEPT = 5  # sentences on unreadable images; few, since every update of the list reads all results


def build(workspace: Workspace, options: BuildOptions, progress: Progress, job_id: str) -> Built:
    from exdd_core.curation.releasing import build_and_release

    state = job_folder(workspace, job_id) / "coreset.npz"  # goes with the folder when the job is done
    bank, held, lines = build_and_release(workspace, options, progress, state)
    return {
        "bank": bank.id,
        "name": bank.name,
        "dataset": bank.dataset,
        "active": bank.active,
        "seconds": bank.seconds,
        "settings": bank.settings,
        "summary": bank.summary,
        "path": str(bank.path),
        "held": held,
        "lines": list(lines),
    }


def import_(workspace: Workspace, spec: ImportSpec, progress: Progress, job_id: str) -> Imported:
    from exdd_core.workspace import imports, joining

    source, choices = spec.place, spec.choices
    if spec.into:
        joined = joining.join(workspace, spec.into, source, choices, spec.who, progress)
        told = {key: value for key, value in vars(joined).items() if key != "report"}
        known = {**told, "changed": bool(joined.joined), "images": joined.report["images"]}
        return cast(Imported, known)
    size = spec.model_size
    info = imports.import_dataset(workspace, source, spec.name, size=size, progress=progress, choices=choices)
    return {"dataset": info.name, "changed": info.changed, "images": info.report["images"]}


def demo(workspace: Workspace, spec: DemoSpec, progress: Progress, job_id: str) -> DemoMade:
    """Make demo images and a first bank version."""
    from exdd_core.banks.building import make_demo

    return {"dataset": make_demo(workspace.path, progress).dataset().name}


def score(workspace: Workspace, spec: ScoreSpec, progress: Progress, job_id: str) -> Scored:
    """Score the images of a list that have no result yet."""
    from exdd_core.review import Review

    review = Review(workspace)
    reasons = review.score(review.images(spec.list), progress, spec.bank)
    return {"unreadable": len(reasons), "reasons": reasons[:REASONS_KEPT]}


def export(workspace: Workspace, spec: ExportSpec, progress: Progress, job_id: str) -> Exported:
    from exdd_core.review import Review

    review = Review(workspace)
    write = review.export_coco if spec.what == "regions" else review.export_all
    return {"path": str(write(spec.ids, progress, spec.bank))}


def export_dataset(
    workspace: Workspace, spec: ExportDatasetSpec, progress: Progress, job_id: str
) -> exporting.Exported:
    from exdd_core.workspace import exporting

    return exporting.export(workspace, **spec.model_dump(), progress=progress)


def synthesize(workspace: Workspace, order: Order, progress: Progress, job_id: str) -> Painted:
    from exdd_core import studio
    from exdd_core.curation import searching

    if order.search:
        state = job_folder(workspace, job_id) / "search.json"
        return searching.search(workspace, order, progress, job_id, state)
    return studio.run_batch(workspace, order, progress, job_id)


def teach(workspace: Workspace, spec: TeachSpec, progress: Progress, job_id: str) -> TaughtAdapter:
    """Teach a model the defects of a data set, from the last checkpoint in the job's folder."""
    from exdd_core.studio import teaching

    return teaching.run_teaching(workspace, spec, progress, job_folder(workspace, job_id) / TRAINING)


def evaluate(workspace: Workspace, spec: EvaluateSpec, progress: Progress, job_id: str) -> RunResult:
    from exdd_core import experiments

    return experiments.evaluate(workspace, spec, progress, job_id)


def table1(workspace: Workspace, spec: TableOneSpec, progress: Progress, job_id: str) -> RunResult:
    from exdd_core import experiments

    return experiments.table_one(workspace, spec, progress, job_id)


def sweep(workspace: Workspace, spec: SweepSpec, progress: Progress, job_id: str) -> RunResult:
    """Measure the cells of a sweep that have no result yet."""
    from exdd_core import experiments

    return experiments.sweep(workspace, spec, progress, job_id)


def map_(workspace: Workspace, spec: MapSpec, progress: Progress, job_id: str) -> MapMade:
    from exdd_core.banks import bank_map

    bank = workspace.bank(spec.bank)
    made = bank_map.make_umap(workspace, bank.id, progress)
    return {"bank": bank.id, "name": bank.name, "rows": len(made.place), "left_out": made.left_out}


def compare(workspace: Workspace, spec: CompareSpec, progress: Progress, job_id: str) -> Resembled:
    """Compare candidates with real defects; what is found is kept with the data set."""
    from exdd_core.curation import resembling

    found = resembling.compare_and_keep(workspace, spec.dataset, progress)
    return {"dataset": spec.dataset, "groups": len(found.groups)}


class Kind(NamedTuple):
    """Reads a job's specification from JSON (raises `BadInput`), and runs the job.

    work: takes the workspace, the specification, a progress and the job's id. clears: whether large models that stay
    loaded for painting make room for it.
    """

    read: Callable[[Mapping[str, Any]], Any]
    work: Callable[[Workspace, Any, Progress, str], Mapping[str, Any]]
    clears: bool = False


KINDS = {
    "build": Kind(BuildOptions.from_json, build, clears=True),
    "import": Kind(ImportSpec.from_json, import_),
    "demo": Kind(DemoSpec.from_json, demo, clears=True),
    "score": Kind(ScoreSpec.from_json, score, clears=True),
    "export": Kind(ExportSpec.from_json, export),
    "export_dataset": Kind(ExportDatasetSpec.from_json, export_dataset),
    "synthesize": Kind(Order.from_json, synthesize),
    "teach": Kind(TeachSpec.from_json, teach, clears=True),
    "evaluate": Kind(EvaluateSpec.from_json, evaluate, clears=True),
    "table1": Kind(TableOneSpec.from_json, table1, clears=True),
    "sweep": Kind(SweepSpec.from_json, sweep, clears=True),
    "map": Kind(MapSpec.from_json, map_),
    "compare": Kind(CompareSpec.from_json, compare, clears=True),
}
