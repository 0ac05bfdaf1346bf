"""What several parts of the Inspect page ask: versions, sides, pictures as data.

Knows the review. Does not know Gradio's layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exdd_core import drawing, jobs, sentences
from exdd_core.errors import BadInput
from exdd_core.review import BankState, Mark, Review
from pages import html
from pages.html import Answer


def bank_answer(review: Review, standing: BankState | None) -> Answer:
    """The version that is looked with; `stamp` differs wherever scores may, `active` names the active version."""
    active = review.workspace.active_bank()
    return {
        "bank": standing.version.name if standing else None,
        "stamp": standing.stamp if standing else "",
        "active": active.name if active else None,
    }


def asked_or_active(review: Review, bank: str | None) -> tuple[BankState | None, str]:
    """The version that the page's address names, or the active one and why it is that."""
    try:
        return review.bank_state(bank), ""
    except BadInput as error:
        return review.bank_state(), f"{error} Here is the active one."


def sides_of(row: Mapping[str, Any]) -> Answer:
    parts = ("score", "threshold", "calibrated", "verdict", "probability", "reason")
    sides = {m: {part: row.get(f"{m}_{part}") for part in parts} for m in ("patchcore", "exdd")}
    return sides | {"stale": row.get("stale", False)}


def asked_bank(asked: Answer) -> Answer:
    """The version to look with, as jobs are told: nothing where it is the active one."""
    return {"bank": asked["bank"]} if asked.get("bank") else {}


def job_answer(job: jobs.Job) -> Answer:
    """One of the page's own jobs as the viewer shows it."""
    shown: Answer = {"id": job.id, "running": job.active, "fraction": job.fraction, "text": job.text}
    shown["error"] = job.error
    if job.state in ("cancelled", "interrupted"):
        kept = {"score": "What was scored until then is kept.", "export": "No file was written."}
        shown["note"] = f"{job.state.capitalize()}. {kept[job.kind]}"
    elif job.kind == "score" and job.result and job.result["unreadable"]:
        broken = sentences.count(job.result["unreadable"], "image")
        shown["error"] = f"{broken} could not be read. {job.result['reasons'][0]}"
    elif job.kind == "export" and job.result:
        shown["download"] = download_answer(Path(job.result["path"]))
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
