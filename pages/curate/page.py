"""The Curate page: pending candidates, to be accepted or rejected one after another.

The page itself (assets/curate*) runs in the browser and calls the functions of this package, which return values of
`curation` and `candidates`. Keeps only running work in memory; decisions are in the workspace. Does not know arrays or
the database.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core import curation
from exdd_core.curation.sifting import TRAITS
from exdd_core.workspace import candidates, decisions
from pages import answers
from pages.curate import questions
from pages.curate.blind import answer_blind, begin_blind, blind_tests, delete_blind, end_blind, restore_blind
from pages.curate.bulk import bulk, chosen, look, recommend, stop, undo_all
from pages.curate.candidate import ahead, candidate, effect, history, mask, measures, trim
from pages.curate.cards import offered_reasons, queue
from pages.curate.likeness import compare_all, likeness, stop_comparing
from pages.curate.state import LIGHTS, MEASURES, Curate, decided_answer, queue_stamp
from pages.html import Answer
from pages.questions import Question

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

TITLE = "Curate"
PATH = "/curate"
TEMPLATE = (Path(__file__).resolve().parents[2] / "assets" / "curate.html").read_text("utf-8")
TERMS = {"traits": TRAITS, "measures": MEASURES, "lights": LIGHTS}  # given to the script with the template
NO_DATASET = {
    "title": "No images yet",
    "text": "Defects are painted into normal images and reviewed here: import a data set that has some.",
    "link": "./data",
    "button": "Import images in Data",
}
NO_CANDIDATES = {
    "title": "Nothing to decide yet",
    "text": "Painted defects wait here until someone accepts them into the positive bank or rejects them.",
    "link": "./studio",
    "button": "Paint defects in Studio",
}


def render(workspace: Workspace) -> None:
    """Build the page's content between header and footer."""
    shared = Curate(workspace)
    shared.refitting.wake()  # for decisions that a killed program has left
    functions: list[answers.Answerer] = [
        open_page, queue, candidate, ahead, stay, leave, accept, reject, name_type, mask, trim,
        undo, undo_last, undo_all, history, chosen, recommend, bulk, look, stop, news, start_anew, measures, effect,
        likeness, compare_all, stop_comparing, blind_tests, begin_blind, answer_blind, end_blind, delete_blind,
        restore_blind, leave_reason, offer_reason, rename_reason,
    ]  # fmt: skip
    answers.markup(
        "",
        html_template=TEMPLATE,
        js_on_load=f"exdd.curate(element, server, {json.dumps(TERMS)})",
        server_functions=[answers.answering(function, shared) for function in functions],
        elem_id="curate",
    )


def open_page(shared: Curate, asked: questions.Sought) -> Answer:
    """The queue, or what is missing to have one."""
    info = shared.workspace.active_dataset()
    if info is None:
        return {"need": NO_DATASET, "dataset": ""}
    if candidates.count(shared.workspace, info.name) == candidates.count(
        shared.workspace, info.name, "draft"
    ):
        return {"need": NO_CANDIDATES, "dataset": info.name}
    shared.measuring.want()  # also loads the active version, so that the first decision does not wait for it
    return {"need": None, "dataset": info.name, "queue": queue(shared, asked)}


def news(shared: Curate, asked: questions.Stamp) -> Answer:
    """Whether anything has changed since `stamp`. Called every few seconds."""
    info = shared.workspace.active_dataset()
    stamp = queue_stamp(shared, info.name) if info else ""
    shared.refitting.wake()  # the command line decides, too
    return {"dataset": info.name if info else "", "changed": stamp != asked.stamp}


def start_anew(shared: Curate, asked: Question) -> Answer:
    """Measure effects against the bank as it is now."""
    shared.measuring.start_anew()
    return {}


def stay(shared: Curate, asked: questions.Owned) -> Answer:
    """Renew the claim of the person who has a candidate open."""
    made = candidates.get(shared.workspace, asked.id)
    return {
        "holder": decisions.claim(shared.workspace, made.id, asked.who) if made.status == "pending" else ""
    }


def leave(shared: Curate, asked: questions.Owned) -> Answer:
    decisions.release(shared.workspace, asked.id, asked.who)
    return {}


def accept(shared: Curate, asked: questions.Owned) -> Answer:
    return shared.recorded(curation.accept(shared.workspace, [asked.id], asked.who, wait=False))


def leave_reason(shared: Curate, asked: questions.Reason) -> Answer:
    """Offer a reason that people added no longer, until somebody gives it again."""
    decisions.leave_reason(shared.workspace, asked.reason)
    return offered_reasons(shared.workspace)


def rename_reason(shared: Curate, asked: questions.ReasonCalled) -> Answer:
    """Give a reason that people added another name, also where it was given."""
    curation.rename_reason(shared.workspace, asked.reason, asked.called)
    return offered_reasons(shared.workspace)


def offer_reason(shared: Curate, asked: questions.Reason) -> Answer:
    decisions.leave_reason(shared.workspace, asked.reason, restored=True)
    return offered_reasons(shared.workspace)


def reject(shared: Curate, asked: questions.Rejected) -> Answer:
    return decided_answer(curation.reject(shared.workspace, [asked.id], asked.who, asked.reasons))


def name_type(shared: Curate, asked: questions.Named) -> Answer:
    return decided_answer(curation.set_type(shared.workspace, [asked.id], asked.type, asked.who))


def undo(shared: Curate, asked: questions.Undone) -> Answer:
    return shared.recorded(curation.undo(shared.workspace, asked.decision, asked.who, wait=False))


def undo_last(shared: Curate, asked: questions.Person) -> Answer:
    return shared.recorded(curation.undo_last(shared.workspace, asked.who, wait=False))
