"""Answers programs that look at painted defects and decide on them.

Knows curation. Does not know how a candidate is painted or measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query

from exdd_core.api import answers, questions
from exdd_core.api.questions import Id, Limit, Offset
from exdd_core.api.served import Here, Sentences, Served

if TYPE_CHECKING:
    from exdd_core.curation import Decided

router = APIRouter(route_class=Sentences, tags=["candidates"])
Status = Literal["draft", "pending", "accepted", "rejected", "deleted"]
Dataset = Annotated[Id | None, Query(description="name of a data set (default: the active one)")]


@router.get("/candidates")
def candidates(
    here: Here,
    status: Status = "pending",
    engine: Id | None = None,
    job: Id | None = None,
    dataset: Dataset = None,
    limit: Limit = 1000,
    offset: Offset = 0,
) -> list[answers.Candidate]:
    """The painted defects with a status and their stored measures, newest first: all of them, or those of one engine or
    of one job, by its id."""
    from exdd_core.curation.queue import kept_quality
    from exdd_core.workspace import candidates as stored

    name = here.workspace.dataset(dataset).name
    found = stored.listed(here.workspace, name, status, engine, job=job, limit=limit, offset=offset)
    answer = []
    for candidate in found:
        known = kept_quality(candidate)
        measures = {one.name: one.value for one in known.measures} if known else {}
        made = answers.Candidate.model_validate(candidate)
        answer.append(made.model_copy(update={"measures": measures}))
    return answer


@router.get("/candidates/effect")
def effect(here: Here, ids: Annotated[list[Id], Query(alias="id", min_length=1)]) -> list[answers.Measure]:
    """What accepting candidates would change on held-out training parts: every measure of one candidate, or, if id is
    sent several times, the effect of all of them together."""
    found = here.judge.quality(ids[0]).measures if len(ids) == 1 else [here.judge.effect(ids)]
    return [answers.Measure.model_validate(one) for one in found]


@router.post("/candidates/accept")
def accept(here: Here, asked: questions.Accept) -> answers.Decision:
    """Accept candidates; they join the positive bank of their data set's version before its next use."""
    from exdd_core import curation

    who = here.person(asked.who)
    return _decided(here, curation.accept(here.workspace, asked.ids, who, asked.type, wait=False))


@router.post("/candidates/reject")
def reject(here: Here, asked: questions.Reject) -> answers.Decision:
    """Reject candidates."""
    from exdd_core import curation

    who = here.person(asked.who)
    return _decided(here, curation.reject(here.workspace, asked.ids, who, asked.reasons))


def _decided(here: Served, decided: Decided) -> answers.Decision:
    from exdd_core.workspace import decisions

    numbers = [decisions.history(here.workspace, id, limit=1)[0].id for id in decided.ids]
    return answers.Decision.model_validate(decided).model_copy(update={"numbers": numbers})
