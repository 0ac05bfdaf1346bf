"""Queues the jobs of the Inspect page, which score lists and export results.

Knows jobs and the review. Does not know maps.
"""

from __future__ import annotations

from exdd_core import jobs, sentences
from exdd_core.errors import BadInput
from exdd_core.review import Review
from pages.html import Answer
from pages.inspect import questions
from pages.inspect.state import (
    asked_bank,
    asked_or_active,
    bank_answer,
    download_answer,
    job_answer,
    sides_of,
)

JOBS = ("score", "export")


def score(review: Review, asked: questions.Listed) -> Answer:
    """Queue the scoring of a list's images."""
    number = sentences.count(len(review.images(asked.list)), "image")
    spec = {"list": asked.list} | asked_bank(asked)
    job = jobs.submit(review.workspace, "score", f"Scoring {number}", spec)
    return {"job": job_answer(job)}


def progress(review: Review, asked: questions.Progress) -> Answer:
    """The page's job, if any, and the rows that were added after the first `seen`."""
    # Read the job before the rows: if it has ended, the rows are complete.
    job = jobs.get(review.workspace, asked.job) if asked.job is not None else None
    bank_state, _ = asked_or_active(review, asked.bank)
    seen, rows = (
        review.results(bank_state.version).since(asked.seen, bank_state.state) if bank_state else (0, [])
    )
    return bank_answer(review, bank_state) | {
        "job": job_answer(job) if job else None,
        "seen": seen,
        "rows": {row["id"]: sides_of(row) for row in rows},
    }


def cancel(review: Review, asked: questions.OfJob) -> Answer:
    jobs.cancel(review.workspace, asked.job)
    return {}


def active_job(review: Review) -> Answer | None:
    """The first active job of the page's kinds."""
    active = (job for job in jobs.listed(review.workspace, active=True) if job.kind in JOBS)
    return next(map(job_answer, active), None)


def export_table(review: Review, asked: questions.Images) -> Answer:
    return {"download": download_answer(review.export_table(asked.ids, asked.bank))}


def export_panes(review: Review, asked: questions.OneImage) -> Answer:
    return {"download": download_answer(review.export_panes(asked.id, asked.bank))}


def export_all(review: Review, asked: questions.Exported) -> Answer:
    """Queue the export of these images' panes as one zip file, or of their regions as COCO."""
    ids = list(asked.ids)
    if not ids:
        raise BadInput("The list shows no images; choose another filter.")
    title = f"Exporting {sentences.count(len(ids), 'image')}"
    spec = {"ids": ids, "what": asked.what} | asked_bank(asked)
    return {"job": job_answer(jobs.submit(review.workspace, "export", title, spec))}
