"""Decisions on many candidates at once, in the background.

Knows curation. Does not know how one candidate is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from exdd_core import curation, sentences
from exdd_core.curation import sifting
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.workspace import decisions
from pages.curate import questions
from pages.curate.state import Curate, decided_answer
from pages.html import Answer

if TYPE_CHECKING:
    from exdd_core.curation import Decided
    from exdd_core.workspace import Workspace


def undo_all(shared: Curate, asked: questions.SeveralOwned) -> Answer:
    """Begin to undo this person's decisions on these candidates that are in force."""

    def work(progress: Progress) -> Answer:
        return shared.recorded(_undo_all(shared.workspace, asked.ids, asked.who, progress))

    return {"run": shared.bulks.begin("at work", work)}


def _undo_all(workspace: Workspace, ids: Sequence[str], who: str, progress: Progress) -> Decided:
    to_undo = [
        decision
        for id in ids
        for decision in decisions.in_force(workspace, "accept", "reject", subject=id)
        if decision.who == who
    ]
    progress.begin("Undoing", len(to_undo))
    back = []
    for decision in to_undo:
        back += curation.undo(workspace, decision.id, who, wait=False).ids
        progress.advance()
    said = f"{sentences.count(len(back), 'decision')} undone."
    return curation.Decided(back, {}, "", 0, said)


def chosen(shared: Curate, asked: questions.Sought) -> Answer:
    """The pending candidates that pass the filters, and how many of them somebody else has open."""
    free, held = _chosen(shared.workspace, asked)
    return {"ids": free, "held": held}


def _chosen(workspace: Workspace, asked: questions.Sought) -> tuple[list[str], int]:
    found = sifting.passing(workspace, workspace.dataset().name, asked.filters)
    holders = decisions.claims(workspace)
    free = [id for id in found if holders.get(id, asked.who) == asked.who]
    return free, len(found) - len(free)


def recommend(shared: Curate, asked: questions.Sought) -> Answer:
    """Begin to choose the candidates of `chosen` that would improve the bank."""
    (ids, _), dataset = _chosen(shared.workspace, asked), shared.workspace.dataset().name

    def work(progress: Progress) -> Answer:
        advice = shared.measuring.judge.recommend(dataset, ids, progress)
        return {"ids": advice.ids, "sentence": advice.sentence}

    return {"run": shared.bulks.begin("at work", work)}


def bulk(shared: Curate, asked: questions.Bulk) -> Answer:
    """Begin to accept or reject candidates."""
    workspace, ids, who = shared.workspace, asked.ids, asked.who
    if not ids:
        raise BadInput("None of these candidates is waiting for a decision any more.")

    def work(progress: Progress) -> Answer:
        if asked.action == "accept":
            return shared.recorded(curation.accept(workspace, ids, who, wait=False))
        return decided_answer(curation.reject(workspace, ids, who, asked.reasons))

    return {"run": shared.bulks.begin("at work", work)}


def look(shared: Curate, asked: questions.Run) -> Answer:
    """The progress of a background run, and its result once it has ended."""
    run = shared.bulks.get(asked.run)
    if run is None:
        raise BadInput(
            "The workbench has been restarted since this began; the history shows what was decided."
        )
    if not run.over.is_set():
        return {"over": False, "text": run.progress.text, "fraction": run.progress.fraction}
    shared.bulks.pop(asked.run, None)  # another tab may have asked at the same time
    if run.was_cancelled:
        said = "Cancelled; candidates not yet decided were left unchanged."
        return {"over": True, "cancelled": True, "ids": [], "sentence": said}
    if run.error is not None:
        raise run.error
    return {"over": True} | (run.result or {})


def stop(shared: Curate, asked: questions.Run) -> Answer:
    if run := shared.bulks.get(asked.run):
        run.cancel()
    return {}
