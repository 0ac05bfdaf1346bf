"""Answers the Evaluate page's script on one run: show, compare, rename, delete and restore it.

Knows runs and their figures. Does not know jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from exdd_core.errors import BadInput
from exdd_core.experiments import (
    changed_verdicts,
    differences,
    disagreements,
    other_images,
    short_title,
    shown,
    titled,
)
from exdd_core.review import Review, Wanted
from exdd_core.workspace import runs, thresholds
from exdd_core.workspace.dataset_settings import called
from pages.evaluate import questions
from pages.evaluate.listing import line, listed
from pages.evaluate.state import Evaluate
from pages.guard.visitors import without_places
from pages.html import Answer
from pages.questions import Named, One, Question

if TYPE_CHECKING:
    from exdd_core.experiments.report import Shown

RESTORABLE = 20  # deleted runs that can be restored
NOTHING = "–"  # shown where a run lacks a setting


def run(shared: Evaluate, asked: One) -> Answer:
    """Everything that the page shows of one run, and those bank versions of its methods that still exist."""
    workspace = shared.workspace
    found = runs.get(workspace, asked.id)
    there = {bank.id for bank in workspace.banks()}
    banks = {name: id for name, id in runs.banks_of(found).items() if id in there}
    ids = found.result.get("per_image", {}).get("id", [])
    command = f"python -m exdd_core runs rerun {found.id} --workspace {workspace.path}"
    return {
        "line": line(workspace, found, called(workspace)),
        "shown": _as_inspect(shared, found, banks),
        "banks": banks,
        "rows": disagreements(found, len(ids)) if banks and ids else [],
        "record": [[titled(name), _value(value)] for name, value in runs.settings(found).items()],
        "command": without_places(command, workspace),
    }


def _as_inspect(shared: Evaluate, run: runs.Run, banks: Mapping[str, str]) -> Shown:
    """What is shown of a run, with scores as on Inspect: 1 is the threshold that somebody chose for the version since.

    banks: ids of the existing versions of its methods.
    """
    found, scores = shown(run), dict(run.result.get("calibrated", {}))
    notes = list(run.result.get("notes", []))
    for method, own in scores.items():
        factor = _factor(shared, run, banks.get(method, ""))
        if factor == 1:
            continue
        scores[method] = [score / factor for score in own]
        name = shared.workspace.bank(banks[method]).name
        notes.append(
            f"The threshold of {name} has been changed to {factor:.2f} of the one that it was measured with. "
            "In the scores and counts by image it is 1, as on Inspect; tables and curves are as measured."
        )
    if scores:
        found["result"] = {**found["result"], "calibrated": scores, "notes": notes}
    return found


def _factor(shared: Evaluate, run: runs.Run, bank: str) -> float:
    """Where the threshold in force of a version lies on the scale that a run measured; 1 where it measured another."""
    if not bank:
        return 1.0
    version = shared.workspace.bank(bank)
    if run.spec.get("fusion") not in (None, version.summary["fusion"]):
        return 1.0
    return thresholds.factor(shared.workspace, version.id)


def use_threshold(shared: Evaluate, asked: questions.Used) -> Answer:
    """Judge with this threshold from now on, by the bank version that the method was measured with.

    Raises `BadInput` where the method was measured without a stored version, or by another fusion.
    """
    found = runs.get(shared.workspace, asked.id)
    measured = runs.banks_of(found).get(asked.method)
    if measured is None:
        raise BadInput(
            "This method was not measured with a stored bank version, so its threshold cannot be used."
        )
    bank = shared.workspace.bank(measured)
    if found.spec.get("fusion") not in (None, bank.summary["fusion"]):
        raise BadInput(f"{bank.name} judges by {bank.summary['fusion']}, which this run did not measure.")
    wanted = Wanted("hand", value=asked.value * _factor(shared, found, bank.id))
    return {"said": Review(shared.workspace).choose_threshold(wanted, asked.who, bank.id)[1]}


def _value(value: Any) -> str:
    if value is None:
        return "default"
    if isinstance(value, list):
        words = list(dict.fromkeys(map(str, value)))
        return ", ".join(words[:8]) + (f" and {len(words) - 8} more" if len(words) > 8 else "")
    return str(value)


def compare(shared: Evaluate, asked: questions.Two) -> Answer:
    """The differences between two runs: settings, figures, and images that the same method judged differently."""
    first, second = (runs.get(shared.workspace, id) for id in (asked.first, asked.second))
    figures, others, settings = [], [], []
    known = {"first": runs.settings(first), "second": runs.settings(second)}
    for found in differences(first, second):
        one = {"first": found.first, "second": found.second}
        if found.what == "setting":
            words = {side: _value(one[side]) if found.name in known[side] else NOTHING for side in one}
            settings.append({"name": titled(found.name), **words})
        elif None in one.values():
            continue  # one of the runs did not measure this method or type
        elif found.name.startswith("methods, "):
            figures.append({"name": titled(found.name), **one})
        else:
            others.append({"name": titled(found.name), **{k: _value(v) for k, v in one.items()}})
    both = [
        name for name in first.result.get("calibrated", {}) if name in second.result.get("calibrated", {})
    ]
    only = [
        [short_title(name) for name in one.result["methods"] if name not in other.result["methods"]]
        for one, other in ((first, second), (second, first))
    ]
    changed = {short_title(name): changed_verdicts(first, second, name) for name in both}
    return {
        "lines": [line(shared.workspace, one, called(shared.workspace)) for one in (first, second)],
        "images": other_images(first, second),
        "settings": settings,
        "figures": figures,
        "only": only,
        "others": others,
        "changed": {name: found for name, found in changed.items() if any(found.values())},
    }


def rename(shared: Evaluate, asked: Named) -> Answer:
    runs.rename(shared.workspace, asked.id, asked.name)
    return listed(shared, Question())


def delete(shared: Evaluate, asked: One) -> Answer:
    shared.deleted[asked.id] = runs.delete(shared.workspace, asked.id)
    while len(shared.deleted) > RESTORABLE:
        shared.deleted.pop(next(iter(shared.deleted)), None)
    return listed(shared, Question())


def restore(shared: Evaluate, asked: One) -> Answer:
    if asked.id not in shared.deleted:
        raise BadInput("This measurement can no longer be restored. Measure it again.")
    runs.restore(shared.workspace, shared.deleted.pop(asked.id))
    return listed(shared, Question())
