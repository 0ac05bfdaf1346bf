"""Answers programs that say where the detector is wrong: missed defects, false alarms, and decisions taken back.

Knows the review and curation. Does not know how a bank changes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, File, Form, Path as InPath, UploadFile

from exdd_core.api import answers, questions
from exdd_core.api.images import received
from exdd_core.api.questions import Id
from exdd_core.api.served import Here, Sentences, Served

if TYPE_CHECKING:
    import numpy as np

    from exdd_core.curation import Decided

router = APIRouter(route_class=Sentences, tags=["marks"])
Image = Annotated[Id, Form(description="id of an image, as returned in lists and results")]
Type = Annotated[Id, Form(description='defect type, such as scratch; "" for none')]
Who = Annotated[Id, Form(description="who decides; replaced by the account if one is signed in")]
MEANT = "mask of the same size as the image, white where the mark applies"
Mask = Annotated[UploadFile, File(description=MEANT)]
OwnMask = Annotated[UploadFile | None, File(description=f"{MEANT} (default: what lies above the threshold)")]
Number = Annotated[int, InPath(ge=1, le=2**53)]


@router.post("/marks/missed")
def mark_missed(here: Here, image: Image, mask: Mask, type: Type = "", who: Who = "") -> answers.Marked:
    """Mark a missed defect; its patches go into the positive bank of the active version."""
    from exdd_core.curation import check_missed

    with received([mask]) as [(place, name)]:
        drawn = _mask(here, image, place, name)
    check_missed(drawn, drawn.shape[:2])
    return _marked(here, image, lambda: here.review.mark_missed(image, drawn, here.person(who), type))


@router.post("/marks/false-alarm")
def mark_false_alarm(here: Here, image: Image, mask: OwnMask = None, who: Who = "") -> answers.Marked:
    """Mark a false alarm; what the mask marks, or what lies above the threshold, goes into the negative bank."""
    drawn = None
    if mask is not None:
        with received([mask]) as [(place, name)]:
            drawn = _mask(here, image, place, name)
    return _marked(here, image, lambda: here.review.mark_false_alarm(image, drawn, here.person(who)))


@router.post("/decisions/{number}/undo")
def undo(here: Here, number: Number, asked: questions.By) -> answers.Decision:
    """Undo a decision or a mark exactly, by its number, which was returned in `numbers`."""
    from exdd_core import curation

    made = curation.undo(here.workspace, number, here.person(asked.who), wait=False)
    return answers.Decision.model_validate(made)


def _mask(here: Served, image: str, place: Path, name: str) -> np.ndarray:
    """An uploaded mask, bool (H, W) of the image."""
    from exdd_core.datasets import incoming
    from exdd_core.images import probe

    file = here.review.image(image).path
    return incoming.take_mask(place, probe(file)[::-1], name, file)


def _marked(here: Served, image: str, mark: Callable[[], Decided]) -> answers.Marked:
    """Mark, and say what became of the image's score."""
    from exdd_core.review import finite, score_change
    from exdd_core.workspace import decisions

    before = here.review.compare(image).exdd
    made = answers.Decision.model_validate(mark())
    after = here.review.compare(image).exdd
    told = made.model_dump() | {
        "sentence": f"{made.sentence} {score_change(before, after)}.",
        "numbers": [decisions.history(here.workspace, image, limit=1)[0].id],
    }
    scores = {"before": finite(before.calibrated_score), "after": finite(after.calibrated_score)}
    return answers.Marked.model_validate(told | scores | {"verdict": after.verdict})
