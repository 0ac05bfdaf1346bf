"""The commands that measure detectors and show stored measurements: evaluate, sweep, runs.

Knows the figures and how to print them. Does not know how a figure is computed.
"""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from exdd_core.cli.arguments import (
    BANK,
    Add,
    Group,
    at_least,
    bank_option,
    bank_options,
    bank_spec,
    new_file,
    open_workspace,
    without_missing_option,
)
from exdd_core.cli.printing import print_differences, print_metrics, print_notes, print_recall
from exdd_core.cli.terminal import print_result, progress
from exdd_core.errors import BadInput
from exdd_core.measurements import RunResult
from exdd_core.sentences import count

if TYPE_CHECKING:  # commands import what they need when they run, so that --help answers at once
    from exdd_core.cli import answers
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.runs import Run

# The options of banks that a sweep takes.
SWEPT = ("max_real_parts", "negative_ratio", "positive_ratio", "backbone")


def evaluate_options(add: Add) -> None:
    add(
        "--dataset",
        metavar="NAME",
        help="data set (default: the bank version's; with --folds, the active one)",
    )
    add("--bank", metavar="VERSION", help="bank version, such as v3 (default: the active one)")
    add(
        "--folds",
        type=at_least(2),
        metavar="K",
        help="number of grouped folds over all images, each with its own banks",
    )
    add(
        "--fusion",
        metavar="NAME",
        help="fusion of ExDD (default: the bank version's); with --folds, also: all",
    )
    add(
        "--table1",
        action="store_true",
        help="compare PatchCore, ExDD with real defects, and ExDD with accepted synthetic ones too",
    )
    add(
        "--false-alarm-rate",
        type=_rate,
        metavar="R",
        help="false-alarm rate on normal test images at which recall is measured, from 0 to below 1 (default: 0.02)",
    )
    bank_options(add)
    without_missing_option(add)


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a fraction from 0 to below 1")
    return value


def evaluate(options: argparse.Namespace) -> RunResult:
    """Measure PatchCore and ExDD against the masks, on the test split or over grouped folds."""
    from exdd_core import jobs
    from exdd_core.experiments import EvaluateSpec

    workspace = open_workspace(options)
    if options.table1:
        return _table_one(workspace, options)
    if options.folds:
        if options.bank is not None:
            raise BadInput("--bank cannot be combined with --folds, because every fold builds its own banks.")
        dataset = workspace.dataset(options.dataset).name
        spec = bank_spec(options) | {"folds": options.folds}
    else:
        for name in BANK:
            if getattr(options, name) is not None:
                flag = "--" + name.replace("_", "-")
                raise BadInput(
                    f"{flag} requires --folds; without folds, the bank version is used as it was built."
                )
        bank = workspace.bank(options.bank)
        dataset = workspace.dataset(options.dataset or bank.dataset).name
        spec = {"bank": bank.id}
    spec |= {"dataset": dataset, "fusion": options.fusion, "rate": options.false_alarm_rate}
    spec |= {"without_missing": options.without_missing}
    title = f"Evaluating {dataset}: {_how(options)}"
    result = jobs.run_here(workspace, "evaluate", title, EvaluateSpec.from_json(spec).to_json(), progress())
    if not options.json:
        print(f"{result['dataset']}: {_how(options)}")
        print_metrics(result["methods"], result)
        print_recall(result)
    return result


def _table_one(workspace: Workspace, options: argparse.Namespace) -> RunResult:
    from exdd_core import jobs
    from exdd_core.experiments import PAPER, PAPER_DATASET, TableOneSpec

    if options.bank or options.size:
        raise BadInput(
            "--table1 cannot be combined with --bank or --size, because it builds its own bank versions."
        )
    dataset = workspace.dataset(options.dataset).name
    spec = bank_spec(options) | {"dataset": dataset, "rate": options.false_alarm_rate}
    spec |= {"folds": options.folds, "fusion": options.fusion, "without_missing": options.without_missing}
    del spec["size"]
    title, spec = f"Evaluating {dataset}: Table 1", TableOneSpec.from_json(spec).to_json()
    result = jobs.run_here(workspace, "table1", title, spec, progress())
    if not options.json:
        print(
            f"{dataset}: Table 1, {_how(options)}, {count(result['images'], 'image')}, "
            f"{count(result['synthetic'], 'synthetic defect')}"
        )
        print_metrics(result["methods"], result)
        print(f"The paper's figures, from its own experiments on {PAPER_DATASET}:")
        print_metrics(PAPER)
        print_differences(result)
        print_recall(result)
    return result | {"paper": PAPER}


def _how(options: argparse.Namespace) -> str:
    if not options.folds:
        return "test split"
    parts = (
        f", {count(options.max_real_parts, 'defective part')} each"
        if options.max_real_parts is not None
        else ""
    )
    return f"{options.folds} grouped folds, seed {options.seed or 0}{parts}"


def sweep_options(add: Add) -> None:
    bank_option(add, "dataset")
    add(
        "--counts",
        type=_counts,
        default=[0, 50, 100, 150],
        metavar="N,N",
        help="numbers of defects (default: 0,50,100,150)",
    )
    add(
        "--seeds",
        type=at_least(1),
        default=3,
        metavar="K",
        help="number of draws for each count (default: 3)",
    )
    for name in SWEPT:
        bank_option(add, name)
    without_missing_option(add)


def _counts(text: str) -> list[int]:
    return sorted({at_least(0)(part) for part in text.split(",")})


def sweep(options: argparse.Namespace) -> RunResult:
    """Measure ExDD with increasing numbers of accepted synthetic defects, as in the paper's Table 2."""
    from exdd_core import jobs
    from exdd_core.experiments import SweepSpec

    workspace = open_workspace(options)
    dataset = workspace.dataset(options.dataset).name
    given = {name: getattr(options, name) for name in (*SWEPT, "without_missing")}
    spec = SweepSpec(dataset=dataset, counts=options.counts, seeds=options.seeds, **given).to_json()
    title = f"Measuring {dataset} with synthetic defects: {', '.join(map(str, options.counts))}"
    result = jobs.run_here(workspace, "sweep", title, spec, progress())
    if not options.json:
        print(f"{dataset}: mean over {count(options.seeds, 'seed')}, by number of synthetic defects")
        print_metrics(result["methods"], result)
        if options.seeds > 1:
            print("standard deviation")
            print_metrics(result["deviation"], result)
        print_notes(result)
    return result


def list_runs(options: argparse.Namespace) -> dict[str, list[answers.RunRow]]:
    """List stored measurements, newest first."""
    from exdd_core.workspace import runs

    workspace = open_workspace(options)
    listed = runs.listed(workspace)
    if not options.json:
        for run in listed:
            print(f"{run.id}  {run.created}  {run.title}")
        print(count(len(listed), "stored measurement"))
        for sentence in runs.damaged(workspace):
            print(sentence)
    return {"runs": [_run_row(run) for run in listed]}


def _run_row(run: Run) -> answers.RunRow:
    return {
        "id": run.id,
        "kind": run.kind,
        "title": run.title,
        "spec": run.spec,
        "bank": run.bank,
        "created": run.created,
        "seconds": run.seconds,
    }


def one_run(add: Add) -> None:
    add("id", metavar="ID", help="measurement id, as shown by runs list, or last")


def show_run(options: argparse.Namespace) -> Run:
    """Show the figures of a measurement."""
    from exdd_core.workspace import runs

    found = runs.get(open_workspace(options), options.id)
    if not options.json:
        state = found.result.get("state")
        seen = f", data set state {state}" if state else ""
        print(f"{found.title}, {found.created}{seen}")
        print_metrics(found.result["methods"], found.result)
        print_recall(found.result)
    return found


def compare_options(add: Add) -> None:
    add("ids", nargs=2, metavar="ID", help="ids of two measurements, as shown by runs list, or last")


def compare_runs(options: argparse.Namespace) -> answers.Compared:
    """Compare the settings and figures of two measurements."""
    from exdd_core.workspace import runs

    workspace = open_workspace(options)
    first, second = (runs.get(workspace, id) for id in options.ids)
    return _differences(first, second, options)


def rerun(options: argparse.Namespace) -> answers.Compared:
    """Repeat a measurement from its record, and compare the results."""
    from exdd_core import jobs
    from exdd_core.workspace import dataset_states, runs

    workspace = open_workspace(options)
    first = runs.get(workspace, options.id)
    # Runs from before data sets had states are of the first one.
    spec = {"state": dataset_states.FIRST, **first.spec}
    again = jobs.run_here(workspace, first.kind, f"Measuring again: {first.title}", spec, progress())
    return _differences(first, runs.get(workspace, again["run"]), options)


def _differences(first: Run, second: Run, options: argparse.Namespace) -> answers.Compared:
    from exdd_core.experiments import differences, titled

    different = differences(first, second)
    if not options.json:
        for item in different:
            print(f"{item.what} {titled(item.name)}: {item.first} -> {item.second}")
        print(f"{count(len(different), 'difference')} between {first.id} and {second.id}")
    return {"runs": [first.id, second.id], "differences": different}


def report_options(add: Add) -> None:
    one_run(add)
    add("--to", type=new_file(".html"), required=True, metavar="FILE", help=".html file to write")


def report(options: argparse.Namespace) -> answers.Written:
    """Write a full report on a measurement to one HTML file."""
    from exdd_core.experiments import write_html
    from exdd_core.workspace import runs

    workspace = open_workspace(options)
    found = runs.get(workspace, options.id)
    write_html(workspace, found, options.to, progress())
    return _written(found, options)


def figure_options(add: Add) -> None:
    one_run(add)
    add(
        "--to",
        type=new_file(".png", ".pdf"),
        required=True,
        metavar="FILE",
        help=".png or .pdf file to write",
    )
    add(
        "--image",
        action="append",
        default=[],
        metavar="ID",
        help="image for one row; may be repeated (default: where the methods disagree most)",
    )


def figure(options: argparse.Namespace) -> answers.Written:
    """Write the paper's Figure 2 for a measurement: images with both methods' heatmaps."""
    from exdd_core.experiments import figure_two, write_figure
    from exdd_core.workspace import runs

    workspace = open_workspace(options)
    found = runs.get(workspace, options.id)
    sheet = figure_two(workspace, found, options.image)
    write_figure(sheet, options.to)
    return _written(found, options)


def _written(run: Run, options: argparse.Namespace) -> answers.Written:
    if not options.json:
        print(f"Wrote {options.to}")
    return {"run": run.id, "path": options.to}


def rename_options(add: Add) -> None:
    one_run(add)
    add("title", metavar="NAME", help="new name")


def rename_run(options: argparse.Namespace) -> answers.RunSaid:
    """Rename a measurement."""
    from exdd_core.workspace import runs

    run = runs.rename(open_workspace(options), options.id, options.title)
    answer: answers.RunSaid = {"run": run.id, "title": run.title}
    return print_result(f'{run.id} is now named "{run.title}".', answer, options)


def delete_run(options: argparse.Namespace) -> answers.RunSaid:
    """Delete a measurement; its bank versions are kept."""
    from exdd_core.workspace import runs

    run = runs.delete(open_workspace(options), options.id)
    answer: answers.RunSaid = {"run": run.id, "title": run.title}
    return print_result(f'"{run.title}" was deleted.', answer, options)


RUNS = Group(
    "Manage stored measurements",
    {
        "list": (list_runs, None),
        "show": (show_run, one_run),
        "compare": (compare_runs, compare_options),
        "rerun": (rerun, one_run),
        "report": (report, report_options),
        "figure": (figure, figure_options),
        "rename": (rename_run, rename_options),
        "delete": (delete_run, one_run),
    },
)
