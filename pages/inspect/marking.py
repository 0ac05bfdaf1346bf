"""Answers the Inspect page's script on marks and outlines that people draw.

Knows the review. Does not know maps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exdd_core import curation, sentences
from exdd_core.errors import BadInput
from exdd_core.review import ComparedImage, Review, score_change, truth_of
from exdd_core.studio import editor
from exdd_core.synthesis import mask_layers
from pages import html
from pages.html import Answer
from pages.inspect import questions
from pages.inspect.image import inspection_answer, picture
from pages.pictures import png_url

if TYPE_CHECKING:
    from exdd_core.curation import Decided


def alarm(review: Review, asked: questions.Editor) -> Answer:
    """The region that a false alarm would add to the bank, as a layer of an editor of width x height."""
    region, words = review.alarm(asked.id)
    layer = mask_layers.to_editor(region, (asked.height, asked.width), editor.COLOUR)
    return {"layer": png_url(layer) if region.any() else "", "words": words}


def truth(review: Review, asked: questions.Editor) -> Answer:
    """The image's true mask as a layer of an editor of width x height."""
    image = review.image(asked.id)
    found = truth_of(image, review.read(image, asked.bank).pixels.shape[:2])
    if found is None or not found.any():
        raise BadInput("This image has no mask in its data set; draw over the defect.")
    return {
        "layer": png_url(mask_layers.to_editor(found, (asked.height, asked.width), editor.COLOUR)),
        "words": "",
    }


def mark(review: Review, asked: questions.Marked) -> Answer:
    """Mark a missed defect or a false alarm; returns the image's new inspection.

    layer: what was drawn, "" for the region of `alarm`.
    """
    id, who, layer = asked.id, asked.who, asked.layer
    before = review.compare(id)
    mask = None
    if layer:
        mask = mask_layers.from_editor(html.drawn(layer), before.pixels.shape[:2])
    if asked.action == "missed":
        if mask is None or not mask.any():
            raise BadInput("The mask is empty; draw over the defect that was missed.")
        decided = review.mark_missed(id, mask, who, asked.type)
    else:
        decided = review.mark_false_alarm(id, mask, who)
    return _marked(review, before, decided)


def proposal(review: Review, asked: questions.Editor) -> Answer:
    """The region that the heatmap shows, as a layer of an editor of width x height."""
    region, words = review.shown(asked.id)
    layer = mask_layers.to_editor(region, (asked.height, asked.width), editor.COLOUR)
    return {"layer": png_url(layer), "words": words}


def outline(review: Review, asked: questions.Outlined) -> Answer:
    """Store a drawn mask for an image; returns the shown picture. layer: "" for the region of `proposal`."""
    id, mask, before = asked.id, None, None
    if asked.layer:
        before = review.shown(id)[0] if asked.proposed else None
        image = review.image(id)
        mask = mask_layers.from_editor(html.drawn(asked.layer), review.read(image).pixels.shape[:2], before)
    changed = review.outline(id, mask, asked.who)
    return {
        "picture": picture(review, questions.OneImage(id=id, bank=asked.bank)),
        "said": f"The mask was saved with {changed.dataset}.",
    }


def undo_outline(review: Review, asked: questions.Owned) -> Answer:
    """Undo the drawn mask of an image; returns the shown picture."""
    changed = review.undo_outline(asked.id, asked.who)
    return {
        "picture": picture(review, questions.OneImage(id=asked.id, bank=asked.bank)),
        "said": changed.sentence,
    }


def undo(review: Review, asked: questions.Undone) -> Answer:
    """Undo a mark; returns the image's new inspection."""
    before = review.compare(asked.id)
    return _marked(review, before, curation.undo(review.workspace, asked.decision, asked.who))


def _marked(review: Review, before: ComparedImage, decided: Decided) -> Answer:
    after = review.compare(before.image.id)
    said = score_change(before.exdd, after.exdd)
    rows = sentences.count(abs(decided.rows), "row")
    if decided.bank:
        said += f" · {rows} {'added to' if decided.rows >= 0 else 'removed from'} bank {decided.bank}"
    was = {"calibrated": float(before.exdd.calibrated_score), "score": float(before.exdd.score)}
    return inspection_answer(review, after) | {"said": said, "was": was | {"verdict": before.exdd.verdict}}
