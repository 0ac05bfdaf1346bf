"""The start of an order for paintings like one known defect: its mask on a normal image, its type, and the words for
it.

Knows marks, masks and what was accepted before. Does not know engines, or how a painting is judged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exdd_core import datasets
from exdd_core.errors import BadInput
from exdd_core.images import read_mask
from exdd_core.studio import editor
from exdd_core.studio.editor import Shown
from exdd_core.synthesis import placing
from exdd_core.workspace import decisions, drawn_masks, prompts

if TYPE_CHECKING:
    import numpy as np

    from exdd_core.workspace import ImageRow, Workspace

UNNAMED = ("", "defect")  # types that say nothing about how a defect looks
MOST_ACCEPTED = """select template, prompt_id, negative_prompt from candidates
                   where dataset = ? and defect_type = ? and status = 'accepted' and template <> ''
                   group by template order by count(*) desc limit 1"""


@dataclass(frozen=True)
class Words:
    """A prompt template, its negative prompt, and its id in the library, "" for none. All "" where nothing is known."""

    template: str = ""
    negative_prompt: str = ""
    prompt_id: str = ""


@dataclass(frozen=True)
class MoreLike:
    """The start of an order. source: a normal training image. shown: the defect's mask on it, stored as `file`.

    from_test: whether the mask is of a test image that evaluation still counts, which every candidate's record says.
    """

    dataset: str
    source: str
    shown: Shown
    file: str
    defect_type: str
    words: Words
    from_test: bool


def more_like(workspace: Workspace, image: str, surface: str = "") -> MoreLike:
    """The start of an order for paintings like the defect of `image`: with the mask that a mark drew, else its own.

    surface: the normal training image to paint on, where it is one of the same data set; else the first one. The mask
    keeps its size in pixels and its place. Raises `BadInput` for an image without a mask.
    """
    mask, dataset, defect_type, from_test = _defect(workspace, image)
    source = _source(workspace, dataset, surface)
    placed = placing.place(mask, (source.height, source.width), *placing.centre(mask))
    return MoreLike(
        dataset,
        source.id,
        editor.drawn_shown(workspace, source.id, placed),
        drawn_masks.keep_mask(workspace, placed),
        defect_type,
        words_for(workspace, dataset, defect_type),
        from_test,
    )


def _defect(workspace: Workspace, image: str) -> tuple[np.ndarray, str, str, bool]:
    """Mask, bool (H, W), data set and type of an image's defect, and whether evaluation counts the image."""
    for mark in decisions.in_force(workspace, "missed", subject=image):
        drawn = read_mask(workspace.path / drawn_masks.MASKS / mark.detail["mask"], None, "the mask")
        return drawn, mark.detail["dataset"], mark.detail["defect_type"], False
    row = None if image.startswith("file:") else workspace.image(image)
    mask = read_mask(row.mask, (row.height, row.width)) if row and row.mask else None
    if row is None or mask is None or not mask.any():
        raise BadInput("This image has no mask that marks a defect; mark it as a missed defect first (M).")
    return mask, row.dataset, row.defect_type, row.split == "test"


def _source(workspace: Workspace, dataset: str, surface: str) -> ImageRow:
    rows = workspace.images(dataset, split="train", label=datasets.NORMAL)
    if not rows:
        raise BadInput(f'The training split of "{dataset}" has no normal images to paint on.')
    return next((row for row in rows if row.id == surface), rows[0])


def words_for(workspace: Workspace, dataset: str, defect_type: str) -> Words:
    """The words for a type of defect: those whose paintings were accepted most, a prompt of the library that names
    the type, or the type itself."""
    named = re.sub(r"[\W_]+", " ", defect_type).strip().lower()
    if named in UNNAMED:
        return Words()
    with workspace.reading() as db:
        accepted = db.execute(MOST_ACCEPTED, [dataset, defect_type]).fetchone()
    if accepted:
        template, prompt_id, negative_prompt = accepted
        return Words(template, negative_prompt, prompt_id)
    for prompt in prompts.library(workspace):
        if named in prompt.prompt.lower():
            return Words(prompt.prompt, prompt.negative_prompt, prompt.id)
    return Words(named)
