"""How good it is, measured and kept: evaluate, sweep, runs.

Knows which figures there are and how a table of them looks. Does not know how a figure is computed.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exdd_core.cli.arguments import Add, at_least, bank_options, bank_spec, open_workspace, share
from exdd_core.cli.terminal import progress
from exdd_core.errors import BadInput

if TYPE_CHECKING:  # imported by the command that needs them: --help answers at once
    from exdd_core.runs import Run
    from exdd_core.workspace import Workspace

METRICS = {
    "image_auroc": "image AUROC",
    "image_ap": "image AP",
    "image_f1": "image F1",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel AP",
    "aupro": "AUPRO",
}
RUNS_NAMED = {
    "list": 0,
    "show": 1,
    "compare": 2,
    "rerun": 1,
    "report": 1,
    "figure": 1,
}  # how many ids each action of `runs` takes
RUN_SHOWN = ("id", "kind", "title", "spec", "bank", "created", "seconds")


def evaluate_options(add: Add) -> None:
    add("--dataset", metavar="NAME", help="default: the bank version's; with --folds, the active one")
    add("--bank", metavar="VERSION", help="such as v3; default: the active one")
    add(
        "--folds",
        type=at_least(2),
        metavar="K",
        help="grouped folds over all images, each with its own banks",
    )
    add(
        "--fusion",
        metavar="NAME",
        help="of ExDD; default: the bank version's; with --folds also: all",
    )
    add(
        "--table1",
        action="store_true",
        help="PatchCore, ExDD with real defects, and with accepted synthetic ones",
    )
    add(
        "--false-alarm-rate",
        type=_rate,
        metavar="R",
        help="share of normal test images at which recall is read, from 0 to below 1; default: 0.05",
    )
    bank_options(add)


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a share from 0 to below 1")
    return value


def evaluate(options: argparse.Namespace) -> dict[str, Any]:
    """Measure PatchCore and ExDD against the masks: the test split with the active bank, or grouped folds."""
    from exdd_core import jobs
    from exdd_core.images import Size

    workspace = open_workspace(options)
    if options.table1:
        return _table_one(workspace, options)
    given = bank_spec(options) | {"size": str(Size.parse(options.size)) if options.size else None}
    if options.folds:
        if options.bank is not None:
            raise BadInput("--bank and --folds exclude each other: every fold builds banks of its own.")
        dataset = workspace.dataset(options.dataset).name
        spec = given | {"folds": options.folds}
    else:
        for name in given:
            if name != "seed" and getattr(options, name) is not None:
                flag = "--" + name.replace("_", "-")
                raise BadInput(
                    f"{flag} needs --folds: without folds the bank version is used as it was built."
                )
        bank = workspace.bank(options.bank)
        dataset = workspace.dataset(options.dataset or bank.dataset).name
        spec = {"bank": bank.id}
    spec |= {"dataset": dataset, "fusion": options.fusion, "rate": options.false_alarm_rate}
    title = f"Evaluating {dataset}: {_how(options)}"
    result = jobs.run_here(workspace, "evaluate", title, spec, progress())
    if not options.json:
        print(f"{result['dataset']}: {_how(options)}")
        _print_metrics(result["methods"])
        _print_recall(result)
    return result


def _table_one(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import jobs, tables

    if options.bank or options.size:
        raise BadInput("--table1 builds its own bank versions; --bank and --size do not go with it.")
    dataset = workspace.dataset(options.dataset).name
    spec = bank_spec(options) | {"dataset": dataset, "rate": options.false_alarm_rate}
    spec |= {"folds": options.folds, "fusion": options.fusion}
    result = jobs.run_here(workspace, "table1", f"Evaluating {dataset}: Table 1", spec, progress())
    if not options.json:
        print(
            f"{dataset}: Table 1, {_how(options)}, {result['images']} images, "
            f"{result['synthetic']} synthetic defects"
        )
        _print_metrics({tables.TITLES[name]: values for name, values in result["methods"].items()})
        print(f"The paper's own figures, of its own experiments on {tables.PAPER_DATASET}:")
        _print_metrics({tables.TITLES[name]: values for name, values in tables.PAPER.items()})
        print("Differences, 95 % intervals and p, parts resampled:")
        for item in result["comparisons"]:
            if item["metric"] in ("image_auroc", "pixel_auroc"):
                print(
                    f"{tables.TITLES[item['method']]} - {tables.TITLES[item['against']]}, {METRICS[item['metric']]}: "
                    f"{item['difference']:+.4f} [{item['low']:+.4f}, {item['high']:+.4f}], {_p(item['p'])}"
                )
        _print_recall(result)
    return result | {"paper": tables.PAPER}


def _how(options: argparse.Namespace) -> str:
    if not options.folds:
        return "test split"
    parts = f", {options.max_real_parts} defective parts each" if options.max_real_parts is not None else ""
    return f"{options.folds} grouped folds, seed {options.seed}{parts}"


def _p(value: float | None) -> str:
    return "too few parts for p" if value is None or math.isnan(value) else f"p = {value:.3f}"


def sweep_options(add: Add) -> None:
    add("--dataset", metavar="NAME", help="default: the active one")
    add("--counts", type=_counts, default=[0, 50, 100, 150], metavar="N,N", help="default: 0,50,100,150")
    add("--seeds", type=at_least(1), default=3, metavar="K", help="draws of each count; default: 3")
    add("--max-real-parts", type=at_least(0), metavar="M", help="learn from at most M defective parts")
    add("--negative-ratio", type=share, metavar="R", help="share of normal patches kept, above 0 to 1")
    add("--positive-ratio", type=share, metavar="R", help="share of defect patches kept, above 0 to 1")
    add("--backbone", metavar="NAME", help="default: the workspace's")


def _counts(text: str) -> list[int]:
    return sorted({at_least(0)(part) for part in text.split(",")})


def sweep(options: argparse.Namespace) -> dict[str, Any]:
    """Measure ExDD with more and more accepted synthetic defects, several draws each (the paper's Table 2)."""
    from exdd_core import jobs

    workspace = open_workspace(options)
    names = ("max_real_parts", "negative_ratio", "positive_ratio", "backbone")
    spec = {name: getattr(options, name) for name in names}
    dataset = workspace.dataset(options.dataset).name
    spec |= {"dataset": dataset, "counts": options.counts, "seeds": options.seeds}
    title = f"Measuring {dataset} with {', '.join(map(str, options.counts))} synthetic defects"
    result = jobs.run_here(workspace, "sweep", title, spec, progress())
    if not options.json:
        print(f"{dataset}: mean of {options.seeds} seeds by the number of synthetic defects")
        _print_metrics(result["methods"])
        print("standard deviation")
        _print_metrics(result["deviation"])
        _print_notes(result)
    return result


def runs_options(add: Add) -> None:
    add("action", choices=tuple(RUNS_NAMED))
    add("ids", nargs="*", metavar="ID", help="of a measurement, as list shows it, or: last")
    add("--to", type=Path, metavar="FILE", help="report: an .html file; figure: a .png or .pdf file")
    add(
        "--image",
        action="append",
        default=[],
        metavar="ID",
        help="figure: one row's image, again for more; default: where the methods disagree most",
    )


def runs(options: argparse.Namespace) -> dict[str, Any]:
    """List the stored measurements; show, compare, measure again by the record, or write a report or Figure 2."""
    from exdd_core import jobs, runs

    workspace, ids = open_workspace(options), options.ids
    if len(ids) != RUNS_NAMED[options.action]:
        raise BadInput(f"{options.action} needs {RUNS_NAMED[options.action]} of the ids that list shows.")
    found = [runs.get(workspace, id) for id in ids]
    if options.action == "list":
        listed = runs.listed(workspace)
        if not options.json:
            for run in listed:
                print(f"{run.id}  {run.created}  {run.title}")
            print(f"{len(listed)} stored measurements")
        return {"runs": [{key: getattr(run, key) for key in RUN_SHOWN} for run in listed]}
    if options.action == "show":
        if not options.json:
            print(f"{found[0].title}, {found[0].created}")
            _print_metrics(found[0].result["methods"])
            _print_recall(found[0].result)
        return asdict(found[0])
    if options.action in ("report", "figure"):
        return _write_report(workspace, found[0], options)
    if options.action == "rerun":
        title = f"Measuring again: {found[0].title}"
        again = jobs.run_here(workspace, found[0].kind, title, found[0].spec, progress())
        found.append(runs.get(workspace, again["run"]))
    different = runs.differences(*found)
    if not options.json:
        for item in different:
            print(f"{item.what} {item.name}: {item.first} -> {item.second}")
        print(f"{len(different)} differences between {found[0].id} and {found[1].id}")
    return {"runs": [run.id for run in found], "differences": [asdict(item) for item in different]}


def _write_report(workspace: Workspace, run: Run, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import evaluation_report

    if options.to is None:
        raise BadInput(f"{options.action} needs --to with the name of the file to write.")
    if options.action == "report":
        evaluation_report.write_html(workspace, run, options.to, progress())
    else:
        sheet = evaluation_report.figure_two(workspace, run, options.image)
        evaluation_report.write_figure(sheet, options.to)
    if not options.json:
        print(f"Wrote {options.to}")
    return {"run": run.id, "path": options.to}


def _print_metrics(methods: dict[str, dict[str, Any]]) -> None:
    width = max(len(name) for name in methods) + 2
    print(" " * width + "".join(f"{title:>13}" for title in METRICS.values()))
    for name, values in methods.items():
        cells = [values.get(key) for key in METRICS]
        shown = ["-" if cell is None or math.isnan(cell) else f"{cell:.4f}" for cell in cells]
        print(f"{name:<{width}}" + "".join(f"{cell:>13}" for cell in shown))


def _print_recall(result: dict[str, Any]) -> None:
    """Defects found by type: at the wanted false-alarm rate, and at each method's own threshold."""
    at = {"at_rate": f"at {result.get('rate', 0):.1%} false alarms", "at_threshold": "at its own threshold"}
    for key, words in at.items():
        for name, found in result.get(key, {}).items():
            kinds = ", ".join(
                f"{kind or 'defect'} {n['found']}/{n['count']}" for kind, n in found["types"].items()
            )
            print(f"{name} {words}: found {kinds}; false alarms {found['false_alarms']}/{found['normal']}")
    _print_calibration(result)
    _print_notes(result)


def _print_calibration(result: dict[str, Any]) -> None:
    """How far probabilities are from what happens, in points (expected calibration error), of images and patches."""
    for name, images in result.get("reliability", {}).items():
        patches = result.get("patch_reliability", {}).get(name)
        more = f", of patches {100 * patches['ece']:.1f}" if patches else ""
        print(f"{name}: probabilities are off by {100 * images['ece']:.1f} points (ECE) of images{more}")


def _print_notes(result: dict[str, Any]) -> None:
    for sentence in result.get("notes", ()):
        print(sentence)
