"""Queues measurements and reports their progress.

Knows jobs and the words that people type. Does not know what a measurement computes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exdd_core import jobs
from exdd_core.errors import BadInput
from exdd_core.experiments import require_accepted
from exdd_core.sentences import quoted
from exdd_core.workspace import image_windows, runs
from pages.evaluate import questions
from pages.evaluate.state import KINDS, Evaluate
from pages.html import Answer
from pages.questions import One

if TYPE_CHECKING:
    from exdd_core.jobs import Job


def start(shared: Evaluate, asked: questions.Start) -> Answer:
    """Queue a measurement with the form's values. Raises `BadInput` for a value that is no number or out of range."""
    workspace, kind = shared.workspace, asked.kind
    dataset = workspace.dataset(asked.dataset).name
    spec: Answer = {"dataset": dataset}
    if kind == "sweep":
        counts = _counts(asked.counts)
        spec |= {"counts": counts, "seeds": whole(asked.seeds, "seeds", 1, 100)}
        require_accepted(workspace, dataset, counts)
        title = f"Measuring {dataset} with synthetic defects: {', '.join(map(str, counts))}"
    else:
        spec |= {"rate": _percent(asked.rate), "fusion": asked.fusion or None}
        if asked.folds.strip():
            spec |= {"folds": whole(asked.folds, "folds", 2, 50)}
            spec |= {"seed": whole(asked.seed or "0", "seed", 0, 2**31 - 1)}
        elif not image_windows.count(workspace, image_windows.Which(dataset, "test")):
            raise BadInput(f'The data set "{dataset}" has no test images; measure it with folds instead.')
        if kind == "evaluate" and "folds" not in spec:
            bank = workspace.bank(asked.bank or None)
            spec |= {"bank": bank.id, "dataset": bank.dataset}
        title = f"Evaluating {spec['dataset']}: {KINDS[kind]}"
    for job in jobs.listed(workspace, active=True):
        if (job.kind, job.spec) == (kind, spec):
            raise BadInput(
                f'"{job.title}" with these exact settings is already queued or running; see Jobs above.'
            )
    return {"job": _job(jobs.submit(workspace, kind, title, spec))}


def again(shared: Evaluate, asked: One) -> Answer:
    """Queue the measurement of a run again."""
    found = runs.get(shared.workspace, asked.id)
    title = f"Measuring again: {found.title}"
    return {"job": _job(jobs.submit(shared.workspace, found.kind, title, found.spec))}


def _percent(words: str) -> float:
    """Parse "5", "5 %" or "2.5%" as a share. Raises `BadInput`."""
    try:
        value = float(words.replace("%", "").replace(",", ".").strip()) / 100
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise BadInput(
            f"{quoted(words)} is not a valid false-alarm rate; enter a percentage from 0 to below 100, such as 2."
        )
    return value


def whole(words: str, name: str, low: int, high: int) -> int:
    number = int(words) if re.fullmatch(r"\s*\d{1,10}\s*", words) else low - 1
    if not low <= number <= high:
        raise BadInput(
            f"{quoted(words)} is not valid for {name}; enter a whole number from {low:,} to {high:,}."
        )
    return number


def _counts(words: str) -> list[int]:
    parts = [part for part in re.split(r"[,;\s]+", words.strip()) if part]
    if not parts or not all(re.fullmatch(r"\d{1,6}", part) for part in parts):
        raise BadInput(
            f"{quoted(words)} is not a list of counts; enter whole numbers separated by commas, such as 0, 50, 100."
        )
    return sorted({int(part) for part in parts})


def work(shared: Evaluate, asked: questions.Work) -> Answer:
    """The jobs of measurements, and a stamp that changes whenever the stored runs do."""
    mine = [job for job in jobs.listed(shared.workspace) if job.kind in KINDS]
    return {
        "jobs": [_job(job) for job in mine if job.active or job.id in asked.watched],
        "stamp": runs.stamp(shared.workspace),
    }


def cancel(shared: Evaluate, asked: One) -> Answer:
    return {"job": _job(jobs.cancel(shared.workspace, asked.id))}


def without(shared: Evaluate, asked: One) -> Answer:
    """Queue a measurement again that failed as files are lost; it goes on without them."""
    return {"job": _job(jobs.resume(shared.workspace, asked.id, without_missing=True))}


def _job(job: Job) -> Answer:
    shown = ("id", "kind", "title", "state", "active", "text", "fraction", "error", "lost")
    return {name: getattr(job, name) for name in shown} | {"run": (job.result or {}).get("run", "")}
