"""Answers that several parts of the Inspect page share: bank versions, results, jobs, marks.

Knows the review. Does not know Gradio's layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from exdd_core import drawing, jobs, sentences
from exdd_core.errors import BadInput
from exdd_core.jobs.results import Exported, Scored
from exdd_core.review import BankState, Mark, Review
from exdd_core.review.table import agreeing
from exdd_core.workspace import thresholds
from pages import html
from pages.html import Answer
from pages.inspect import questions

METHODS = ("patchcore", "exdd")


def bank_answer(review: Review, bank_state: BankState | None) -> Answer:
    """The bank version in use. stamp: changes whenever scores may. active: the name of the active version. coming:
    whether there is none yet and a job makes the first one."""
    active = review.workspace.active_bank(bank_state.version.dataset if bank_state else "")
    coming = bank_state is None and bool(jobs.coming(review.workspace, ("build", "demo"), ()))
    return {
        "threshold": threshold_answer(review, bank_state),
        "bank": bank_state.version.name if bank_state else None,
        "stamp": bank_state.stamp if bank_state else "coming" if coming else "",
        "coming": coming,
        "active": active.name if active else None,
    }


def threshold_answer(review: Review, bank_state: BankState | None) -> Answer | None:
    """Where a version's threshold lies on its own scale, and who chose it how; None without a version."""
    if bank_state is None:
        return None
    choice = thresholds.in_force(review.workspace, bank_state.version.id)
    chosen = {"said": choice.said, "who": choice.who, "created": choice.created} if choice else None
    return {"value": choice.value if choice else 1.0, "chosen": chosen}


def asked_or_active(review: Review, bank: str | None) -> tuple[BankState | None, str]:
    """The version in the page's address; or the active one, with a sentence why."""
    try:
        return review.bank_state(bank), ""
    except BadInput as error:
        return review.bank_state(), f"{error} Here is the active one."


def sides_of(row: Mapping[str, Any]) -> Answer:
    return _sides(row, "score", "threshold", "calibrated", "verdict", "reason")


def short_sides_of(row: Mapping[str, Any]) -> Answer:
    """As `sides_of`, with what filters and orders need alone: the reason is None until somebody asks for it."""
    return _sides(row, "score", "calibrated", "verdict", reason=None)


def _sides(row: Mapping[str, Any], *parts: str, **more: None) -> Answer:
    """Some columns of a row, by method, with the probability where it agrees with the verdict, and `more`."""
    sides: Answer = {"stale": row.get("stale", False)}
    for method in METHODS:
        likely = agreeing(row.get(f"{method}_verdict", ""), row.get(f"{method}_probability"))
        sides[method] = {part: row.get(f"{method}_{part}") for part in parts} | {
            "probability": likely,
            **more,
        }
    return sides


def asked_bank(asked: questions.OfBank) -> Answer:
    """The bank version as a job's spec has it: left out for the active one."""
    return {"bank": asked.bank} if asked.bank else {}


def job_answer(job: jobs.Job) -> Answer:
    """A job for the viewer."""
    shown: Answer = {"id": job.id, "running": job.active, "fraction": job.fraction, "text": job.text}
    shown["error"] = job.error
    if job.state in ("cancelled", "interrupted"):
        kept = {"score": "The scores so far were saved.", "export": "No file was written."}
        shown["note"] = f"{job.state.capitalize()}. {kept[job.kind]}"
    elif job.kind == "score" and job.result:
        scored = cast(Scored, job.result)
        if scored["unreadable"]:
            broken = sentences.count(scored["unreadable"], "image")
            shown["error"] = f"{broken} could not be read. {scored['reasons'][0]}"
    elif job.kind == "export" and job.result:
        shown["download"] = download_answer(Path(cast(Exported, job.result)["path"]))
    return shown


def mark_answer(mark: Mark) -> Answer:
    return {
        "decision": mark.decision,
        "action": mark.action,
        "who": mark.who,
        "created": mark.created,
        "type": mark.defect_type,
        "lines": drawing.outline(mark.mask),
    }


def download_answer(path: Path) -> Answer:
    return {"address": html.download_url(path), "name": path.name}
