"""Answers the Evaluate page's script on the list of runs and the possible measurements.

Knows runs, bank versions and data sets. Does not know how anything is measured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from exdd_core import sentences
from exdd_core.experiments import COUNTS, short_title
from exdd_core.workspace import candidates, runs
from exdd_core.workspace.dataset_settings import called
from pages.evaluate.state import KINDS, Evaluate
from pages.html import Answer
from pages.questions import Question

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.runs import Run

# Titles as exdd_core/experiments makes them: the data set, and what was measured.
GIVEN_BY_ITSELF = re.compile(
    r".*: (Table 1(, \d+ grouped folds)?|\d+ grouped folds|test split, .+|synthetic defects [\d, ]*)"
)
NO_DATASET = {
    "title": "No images yet",
    "text": "Methods are measured on test images whose defects are marked: import a data set that has some.",
    "link": "./data",
    "button": "Import images in Data",
}


def open_page(shared: Evaluate, asked: Question) -> Answer:
    """The runs and the choices for a measurement, or what is missing for one."""
    from exdd_core.detector.fusion import FUSIONS

    workspace = shared.workspace
    info = workspace.active_dataset()
    if info is None:
        return {"need": NO_DATASET}
    names = called(workspace)
    accepted = candidates.count(workspace, info.name, status="accepted")
    counts = [count for count in COUNTS if count <= accepted]
    return {
        "need": None,
        "datasets": list(names.items()),
        "dataset": info.name,
        "kinds": KINDS,
        "fusions": [fusion.name for fusion in reversed(FUSIONS.values())],
        "banks": [
            {
                "id": bank.id,
                "title": f"{bank.title} · {names.get(bank.dataset, bank.dataset)}{' · active' if bank.active else ''}",
            }
            for bank in workspace.banks()
            if not bank.is_measurement
        ],
        "accepted": accepted,
        "counts": sorted({*counts, accepted} if accepted < COUNTS[-1] else counts),
        "damaged": " ".join(runs.damaged(workspace)),
        **listed(shared, asked),
    }


def listed(shared: Evaluate, asked: Question) -> Answer:
    names = called(shared.workspace)
    return {"runs": [line(shared.workspace, run, names) for run in runs.listed(shared.workspace)]}


def line(workspace: Workspace, run: Run, names: Mapping[str, str]) -> Answer:
    """One run for the list. names: of data sets, by those in specs."""
    methods, dataset = run.result.get("methods", {}), run.spec.get("dataset", "")
    return {
        "id": run.id,
        "kind": run.kind,
        "title": _title(run),
        "dataset": dataset,
        "called": names.get(dataset, dataset),
        "how": _how(run),
        "created": run.created,
        "seconds": run.seconds,
        "complete": run.result.get("complete", True),
        "figures": [
            [name if run.kind == "sweep" else short_title(name), values.get("image_auroc")]
            for name, values in methods.items()
        ],
    }


def _title(run: Run) -> str:
    """The name that somebody gave a run, or else its kind: the page shows data set and settings beside it."""
    if not GIVEN_BY_ITSELF.fullmatch(run.title):
        return run.title
    return "By folds" if run.kind == "evaluate" and run.spec.get("folds") else KINDS[run.kind]


def _how(run: Run) -> str:
    """The settings of a run in a few words."""
    if run.kind == "sweep":
        return sentences.count(run.result["seeds"], "seed")
    if run.spec.get("folds"):
        return f"{run.spec['folds']} grouped folds"
    banks = run.result.get("banks")
    names = banks.values() if isinstance(banks, dict) else [run.result.get("bank_version", "")]
    called = list(dict.fromkeys(names))
    return f"test split, bank{'s' if len(called) > 1 else ''} {' and '.join(called)}"
