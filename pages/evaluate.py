"""The Evaluate page: measurements that are kept, what came out of each, and a threshold to drag.

The page itself (assets/evaluate* and measured*) runs in the browser; this module answers its questions with what
`runs` and `evaluation_report` return and queues jobs. Every number on it is a stored run's or follows from its
scores. It knows neither arrays nor the database, and keeps nothing but the files that are on their way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exdd_core import jobs, sentences
from exdd_core.background import Background
from exdd_core.errors import BadInput
from exdd_core.experiments import figure_two, names as names_, report as report_, run_differences, sweep
from exdd_core.progress import Progress
from exdd_core.workspace import candidates, runs
from pages import answers, html

if TYPE_CHECKING:
    from exdd_core.jobs import Job
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.runs import Run

TITLE = "Evaluate"
PATH = "/evaluate"

TEMPLATE = (Path(__file__).resolve().parent.parent / "assets" / "evaluate.html").read_text("utf-8")
KINDS = {
    "table1": "Table 1",
    "sweep": "Table 2",
    "evaluate": "One bank version",
}  # of `tasks`, and what people call them
SETTINGS = {  # where the record's own name says too little
    "rate": "false alarms, share",
    "fingerprint": "fingerprint of the images",
    "bank": "bank version, id",
    "base": "ExDD base, bank version, id",
    "full": "ExDD full, bank version, id",
    "changes": "bank's last change",
}
NOTHING = "–"  # where a run has no such setting
MOST_ROWS = 24  # of Figure 2
NO_DATASET = {
    "title": "No images yet",
    "text": "Methods are measured on test images whose defects are marked: import a data set that has some.",
    "link": "/data",
    "button": "Import images in Data",
}

Answer = dict[str, Any]


class Evaluate:
    """What the questions of one app's pages share."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.making: dict[str, Background[Sequence[Path]]] = {}  # files that are on their way
        self.deleted: dict[str, Run] = {}  # until the program ends they can come back


def render(workspace: Workspace) -> None:
    """Put the page's own part between header and footer."""
    shared = Evaluate(workspace)
    questions = [
        open_page,
        listed,
        run,
        compare,
        delete,
        restore,
        start,
        again,
        work,
        cancel,
        figure,
        report,
        look,
        stop,
    ]
    answers.markup(
        "",
        html_template=TEMPLATE,
        js_on_load="exdd.evaluate(element, server)",
        server_functions=[answers.answering(question, shared) for question in questions],
        elem_id="evaluate",
    )


# --- what there is ----------------------------------------------------------------------------------------


def open_page(shared: Evaluate, asked: Answer) -> Answer:
    """The runs and what can be measured, or what is missing for it."""
    from exdd_core.detector.fusion import FUSIONS

    workspace = shared.workspace
    info = workspace.active_dataset()
    if info is None:
        return {"need": NO_DATASET}
    accepted = candidates.count(workspace, info.name, status="accepted")
    counts = [count for count in names_.COUNTS if count <= accepted]
    return {
        "need": None,
        "datasets": [known.name for known in workspace.datasets()],
        "dataset": info.name,
        "kinds": KINDS,
        "fusions": [fusion.name for fusion in reversed(FUSIONS.values())],
        "banks": [
            {"id": bank.id, "title": f"{bank.name} · {bank.dataset}{' · active' if bank.active else ''}"}
            for bank in workspace.banks()
        ],
        "accepted": accepted,
        "counts": sorted({*counts, accepted} if accepted < names_.COUNTS[-1] else counts),
        **listed(shared, asked),
    }


def listed(shared: Evaluate, asked: Answer) -> Answer:
    return {"runs": [_line(shared.workspace, run) for run in runs.listed(shared.workspace)]}


def _line(workspace: Workspace, run: Run) -> Answer:
    """One run as the list shows it."""
    methods = run.result.get("methods", {})
    return {
        "id": run.id,
        "kind": run.kind,
        "title": "By folds" if run.kind == "evaluate" and run.spec.get("folds") else KINDS[run.kind],
        "dataset": run.spec.get("dataset", ""),
        "how": _how(run),
        "created": run.created,
        "seconds": run.seconds,
        "complete": run.result.get("complete", True),
        "figures": [
            [name if run.kind == "sweep" else names_.short_title(name), values.get("image_auroc")]
            for name, values in methods.items()
        ],
    }


def _how(run: Run) -> str:
    """What it was measured with, in a few words."""
    if run.kind == "sweep":
        return sentences.count(run.result["seeds"], "seed")
    if run.spec.get("folds"):
        return f"{run.spec['folds']} grouped folds"
    banks = run.result.get("banks") or [run.result.get("bank_version", "")]
    names = list(dict.fromkeys(banks.values() if isinstance(banks, dict) else banks))
    return f"test split, bank{'s' if len(names) > 1 else ''} {' and '.join(names)}"


def run(shared: Evaluate, asked: Answer) -> Answer:
    """All of one run, and the bank versions of its methods that are still there."""
    workspace = shared.workspace
    found = runs.get(workspace, asked["id"])
    there = {bank.id for bank in workspace.banks()}
    banks = {name: id for name, id in runs.banks_of(found).items() if id in there}
    ids = found.result.get("per_image", {}).get("id", [])
    return {
        "line": _line(workspace, found),
        "shown": report_.shown(found),
        "banks": banks,
        "rows": figure_two.disagreements(found, len(ids)) if banks and ids else [],
        "record": [[_named(name), _value(value)] for name, value in runs.settings(found).items()],
        "command": f"python -m exdd_core runs rerun {found.id} --workspace {workspace.path}",
    }


def _named(setting: str) -> str:
    return SETTINGS.get(setting, setting.replace("_", " "))


def _value(value: Any) -> str:
    if value is None:
        return "default"
    if isinstance(value, list):
        words = list(dict.fromkeys(map(str, value)))
        return ", ".join(words[:8]) + (f" and {len(words) - 8} more" if len(words) > 8 else "")
    return str(value)


def compare(shared: Evaluate, asked: Answer) -> Answer:
    """What differs between two runs: settings, figures, and images that the same method judged otherwise."""
    first, second = (runs.get(shared.workspace, asked[which]) for which in ("first", "second"))
    figures, others, settings = [], [], []
    known = {"first": runs.settings(first), "second": runs.settings(second)}
    for found in run_differences.differences(first, second):
        one = {"first": found.first, "second": found.second}
        if found.what == "setting":
            words = {side: _value(one[side]) if found.name in known[side] else NOTHING for side in one}
            settings.append({"name": _named(found.name), **words})
        elif None in one.values():
            continue  # of a method or type that one of them did not measure
        elif found.name.startswith("methods, "):
            _, method, metric = found.name.split(", ")
            figures.append({"name": f"{names_.short_title(method)}, {names_.METRIC_TITLES[metric]}", **one})
        else:
            others.append({"name": found.name.replace("_", " "), **{k: _value(v) for k, v in one.items()}})
    both = [
        name for name in first.result.get("calibrated", {}) if name in second.result.get("calibrated", {})
    ]
    only = [
        [names_.short_title(name) for name in one.result["methods"] if name not in other.result["methods"]]
        for one, other in ((first, second), (second, first))
    ]
    changed = {
        names_.short_title(name): run_differences.changed_verdicts(first, second, name) for name in both
    }
    return {
        "lines": [_line(shared.workspace, one) for one in (first, second)],
        "images": run_differences.other_images(first, second),
        "settings": settings,
        "figures": figures,
        "only": only,
        "others": others,
        "changed": {name: found for name, found in changed.items() if any(found.values())},
    }


def delete(shared: Evaluate, asked: Answer) -> Answer:
    shared.deleted[asked["id"]] = runs.delete(shared.workspace, asked["id"])
    return listed(shared, asked)


def restore(shared: Evaluate, asked: Answer) -> Answer:
    if asked["id"] not in shared.deleted:
        raise BadInput("The workbench was started anew since; this measurement is gone. Measure it again.")
    runs.restore(shared.workspace, shared.deleted.pop(asked["id"]))
    return listed(shared, asked)


# --- measuring --------------------------------------------------------------------------------------------


def start(shared: Evaluate, asked: Answer) -> Answer:
    """Queue a measurement from what somebody typed. Raises BadInput for what is no number or out of range."""
    workspace, kind = shared.workspace, asked["kind"]
    dataset = workspace.dataset(asked["dataset"]).name
    spec: Answer = {"dataset": dataset}
    if kind == "sweep":
        spec |= {"counts": _counts(asked["counts"]), "seeds": _whole(asked["seeds"], "seeds", 1, 100)}
        sweep.require_accepted(workspace, dataset, spec["counts"])
        title = f"Measuring {dataset} with {', '.join(map(str, spec['counts']))} synthetic defects"
    else:
        spec |= {"rate": _percent(asked["rate"]), "fusion": asked["fusion"] or None}
        if asked["folds"].strip():
            spec |= {"folds": _whole(asked["folds"], "folds", 2, 50)}
            spec |= {"seed": _whole(asked["seed"] or "0", "seed", 0, 2**31 - 1)}
        elif not workspace.images(dataset, split="test"):
            raise BadInput(f'The data set "{dataset}" has no test images; measure it by folds instead.')
        if kind == "evaluate" and "folds" not in spec:
            bank = workspace.bank(asked["bank"] or None)
            spec |= {"bank": bank.id, "dataset": bank.dataset}
        title = f"Evaluating {spec['dataset']}: {KINDS[kind]}"
    for job in jobs.listed(workspace, active=True):
        if (job.kind, job.spec) == (kind, spec):
            raise BadInput(f'"{job.title}" with these very settings is on its way already; see Jobs above.')
    return {"job": _job(jobs.submit(workspace, kind, title, spec))}


def again(shared: Evaluate, asked: Answer) -> Answer:
    """Queue what a run's record says once more."""
    found = runs.get(shared.workspace, asked["id"])
    title = f"Measuring again: {found.title}"
    return {"job": _job(jobs.submit(shared.workspace, found.kind, title, found.spec))}


def _percent(words: str) -> float:
    """A share from "5", "5 %" or "2.5%". Raises BadInput."""
    try:
        value = float(words.replace("%", "").replace(",", ".").strip()) / 100
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise BadInput(
            f'"{words}" is no rate of false alarms; give a number of percent from 0 to below 100, such as 5.'
        )
    return value


def _whole(words: str, name: str, low: int, high: int) -> int:
    number = int(words) if re.fullmatch(r"\s*\d{1,10}\s*", words) else low - 1
    if not low <= number <= high:
        raise BadInput(f'"{words}" does not fit {name}; give a whole number from {low:,} to {high:,}.')
    return number


def _counts(words: str) -> list[int]:
    parts = [part for part in re.split(r"[,;\s]+", words.strip()) if part]
    if not parts or not all(re.fullmatch(r"\d{1,6}", part) for part in parts):
        raise BadInput(
            f'"{words}" are no counts of synthetic defects; give whole numbers with commas, such as 0, 50, 100.'
        )
    return sorted({int(part) for part in parts})


def work(shared: Evaluate, asked: Answer) -> Answer:
    """The measurements that run, wait or have ended, and a stamp that differs as soon as there is another run."""
    mine = [job for job in jobs.listed(shared.workspace) if job.kind in KINDS]
    return {
        "jobs": [_job(job) for job in mine if job.active or job.id in asked["watched"]],
        "stamp": runs.stamp(shared.workspace),
    }


def cancel(shared: Evaluate, asked: Answer) -> Answer:
    return {"job": _job(jobs.cancel(shared.workspace, asked["id"]))}


def _job(job: Job) -> Answer:
    shown = ("id", "kind", "title", "state", "active", "text", "fraction", "error")
    return {name: getattr(job, name) for name in shown} | {"run": (job.result or {}).get("run", "")}


# --- files to take along ----------------------------------------------------------------------------------


def figure(shared: Evaluate, asked: Answer) -> Answer:
    """Begin to draw Figure 2, as PNG and PDF: of the images chosen, or of those that methods disagree on most."""
    found, ids = runs.get(shared.workspace, asked["id"]), asked["images"]
    count = _whole(asked["count"], "rows", 1, MOST_ROWS)
    if len(ids) > MOST_ROWS:
        raise BadInput(f"{len(ids)} rows are too many for one figure; choose at most {MOST_ROWS}.")

    def draw(progress: Progress) -> list[Path]:
        sheet = figure_two.figure_two(shared.workspace, found, ids, count, progress)
        files = [_file(shared.workspace, f"figure-2-{found.id}.{ending}") for ending in ("png", "pdf")]
        for file in files:
            figure_two.write_figure(sheet, file)
        return files

    return _begin(shared, draw)


def report(shared: Evaluate, asked: Answer) -> Answer:
    """Begin to write the report: one HTML file that opens offline."""
    found = runs.get(shared.workspace, asked["id"])

    def write(progress: Progress) -> list[Path]:
        file = _file(shared.workspace, f"report-{found.id}.html")
        report_.write_html(shared.workspace, found, file, progress)
        return [file]

    return _begin(shared, write)


def _file(workspace: Workspace, name: str) -> Path:
    folder = workspace.path / "cache" / "exports"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def _begin(shared: Evaluate, make: Callable[[Progress], Sequence[Path]]) -> Answer:
    made = Background("making", make)
    shared.making[made.id] = made
    return {"making": made.id}


def look(shared: Evaluate, asked: Answer) -> Answer:
    """How far a file is; at its end where it is."""
    made = shared.making.get(asked["making"])
    if made is None:
        raise BadInput("The workbench was started anew meanwhile; ask for the file once more.")
    if not made.over.is_set():
        return {"over": False, "text": made.progress.text, "fraction": made.progress.fraction}
    del shared.making[asked["making"]]
    if made.was_cancelled:
        return {"over": True, "files": []}
    if made.error is not None:
        raise made.error
    return {
        "over": True,
        "files": [{"address": html.download_url(file), "name": file.name} for file in made.result or ()],
    }


def stop(shared: Evaluate, asked: Answer) -> Answer:
    if asked["making"] in shared.making:
        shared.making[asked["making"]].cancel()
    return {}
