"""Answers programs that ask which bank version judges, and by which threshold.

Knows versions, the gate and the review. Does not know how a version is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from exdd_core.api import answers, questions
from exdd_core.api.questions import Bank, Limit
from exdd_core.api.served import Here, Sentences, Served

if TYPE_CHECKING:
    from exdd_core.workspace import BankVersion

router = APIRouter(route_class=Sentences, tags=["versions"])


@router.get("/versions")
def versions(here: Here) -> list[answers.Version]:
    """The bank versions, newest first."""
    return [_version(bank) for bank in here.workspace.banks()]


@router.post(
    "/versions/{version}/activate",
    response_model=answers.Activated,
    responses={409: {"model": answers.HeldBack}},
)
def activate(here: Here, version: str, asked: questions.Activate) -> answers.Activated | Response:
    """Activate a version, unless the gate holds it back."""
    from exdd_core.curation.releasing import release

    bank = here.workspace.bank(version)
    found = release(here.workspace, bank.id, asked.anyway)
    lines = found.lines if found else []
    if found and found.holds:
        return JSONResponse(answers.HeldBack(detail=found.sentence, lines=lines).model_dump(), 409)
    return answers.Activated(sentence=f"{bank.name} is now active.", lines=lines)


@router.get("/blame")
def blame(here: Here, bank: Bank = None, limit: Limit = 10) -> answers.Blame:
    """The bank images of a version that cause its marked misses and false alarms, suspicious normal images first."""
    from exdd_core.curation import blaming

    found = answers.Blame.model_validate(blaming.blame(here.workspace, bank))
    return found.model_copy(update={"images": found.images[:limit]})


@router.get("/threshold")
def threshold(here: Here, bank: Bank = None) -> answers.Threshold:
    """The threshold that a version uses."""
    return _threshold(here, bank)


@router.post("/threshold")
def choose_threshold(here: Here, asked: questions.FindThreshold) -> answers.Threshold:
    """Find a threshold, and use it from now on."""
    from exdd_core.review import Wanted

    wanted = Wanted(asked.way, asked.list, asked.rate, asked.miss, asked.value)
    here.review.choose_threshold(wanted, here.person(asked.who), asked.bank)
    return _threshold(here, asked.bank)


@router.post("/threshold/undo")
def undo_threshold(here: Here, asked: questions.UndoThreshold) -> answers.Threshold:
    """Undo the last threshold choice; the previous threshold applies again."""
    here.review.undo_threshold(here.person(asked.who), asked.bank)
    return _threshold(here, asked.bank)


def _version(bank: BankVersion) -> answers.Version:
    return answers.Version(
        id=bank.id,
        name=bank.name,
        dataset=bank.dataset,
        created=bank.created,
        who=bank.who,
        active=bank.active,
        pinned=bank.pinned,
        negative_rows=bank.summary["negative_rows"],
        positive_rows=bank.summary["positive_rows"],
    )


def _threshold(here: Served, bank: str | None) -> answers.Threshold:
    from exdd_core.workspace import thresholds

    version = here.workspace.bank(bank)
    choice = thresholds.in_force(here.workspace, version.id)
    if choice is None:
        return answers.Threshold(bank=version.name, value=1.0, said="set by the build", who="")
    return answers.Threshold(bank=version.name, value=choice.value, said=choice.said, who=choice.who)
