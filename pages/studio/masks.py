"""Answers the Studio page's script on images, donors and masks.

Knows the editor. Does not know prompts or results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exdd_core import datasets, drawing, studio
from exdd_core.errors import BadInput
from exdd_core.studio import editor
from exdd_core.synthesis import mask_layers, mask_spec
from exdd_core.synthesis.orders import Order
from exdd_core.workspace import candidates, drawn_masks, image_windows
from exdd_core.workspace.image_windows import Which
from pages import html
from pages.guard.uploads import allowed_path, uploaded
from pages.html import Answer
from pages.pictures import jpeg_url, png_url
from pages.questions import One
from pages.studio import questions
from pages.studio.state import Studio

if TYPE_CHECKING:
    import numpy as np


STRIP = 200  # small pictures that the strip of sources holds


def usable_sources(dataset: str, words: str = "") -> Which:
    """The images that may be painted on: normal ones of the training split. words: a part of the name."""
    return Which(dataset, "train", datasets.NORMAL, words=words)


def source(shared: Studio, asked: questions.Source) -> Answer:
    """A reduced copy of one image, to paint on: by its id, by its number among the sources, or the first.

    number: -1 where it may not be painted on any more.
    """
    workspace = shared.workspace
    which = usable_sources(workspace.dataset().name)
    id, number = asked.id, asked.number
    known = image_windows.number_of(workspace, which, id) if id else number
    if not id or (known < 0 and asked.instead):
        found = image_windows.window(workspace, which, max(0, known), 1)
        if not found:
            raise BadInput("This image no longer exists; choose another one.")
        id, known = found[0].id, max(0, known)
    made = editor.canvas(workspace, id)
    height, width = made.pixels.shape[:2]
    return {
        "id": id,
        "name": id.partition("/")[2],
        "number": known,
        "image": jpeg_url(made.pixels, quality=92),
        "width": made.width,
        "height": made.height,
        "editor": [width, height],
    }


def sources(shared: Studio, asked: questions.Sources) -> Answer:
    """Some images that may be painted on: those with `words` in their names from number `start` on; how many there
    are."""
    workspace = shared.workspace
    which = usable_sources(workspace.dataset().name, asked.words)
    total = image_windows.count(workspace, which)
    start = max(0, min(asked.start, total - STRIP))
    rows = image_windows.window(workspace, which, start, STRIP)
    return {
        "sources": [{"id": row.id, "name": row.id.partition("/")[2]} for row in rows],
        "start": start,
        "total": total,
    }


def donors(shared: Studio, asked: questions.Donors) -> Answer:
    """The real defects that may be transplanted or lend their mask."""
    workspace = shared.workspace
    info = workspace.dataset()
    found = studio.donors(workspace, info.name, asked.from_test)
    return {
        "donors": [
            {
                "id": donor.id,
                "name": donor.id.partition("/")[2],
                "type": donor.defect_type,
                "split": donor.split,
            }
            for donor in found
        ]
    }


def piece(shared: Studio, asked: One) -> Answer:
    """A real defect's mask as a movable picture. x, y: its middle in its own image."""
    made = editor.piece(shared.workspace, asked.id)
    height, width = made.mask.shape
    small = drawing.reduce(made.mask.astype("uint8"), editor.SIDE) > 0
    layer = mask_layers.to_editor(small, small.shape, editor.COLOUR)
    return {"mask": png_url(layer), "width": width, "height": height, "x": made.x, "y": made.y}


def mask(shared: Studio, asked: questions.Painting) -> Answer:
    """The mask of the next painting as a layer of the editor; with `keep` also stored, to be edited."""
    spec = asked.mask
    if spec.source == "drawn" and spec.layer and not spec.vary:
        shown = editor.drawn_shown(shared.workspace, asked.source, _drawn(shared, asked))
    else:
        shown = editor.mask_shown(shared.workspace, order_of(shared, asked))
    return _mask(shown) | {"file": drawn_masks.keep_mask(shared.workspace, shown.mask) if asked.keep else ""}


def _mask(shown: editor.Shown) -> Answer:
    return {
        "layer": png_url(shown.layer),
        "share": shown.share,
        "box": list(shown.box),
        "problem": shown.problem,
        "note": shown.note,
    }


def keep_mask(shared: Studio, asked: questions.KeptMask) -> Answer:
    """Store an uploaded mask file."""
    path = str(uploaded(asked.path))
    return {"file": editor.keep_upload(shared.workspace, asked.source, path, asked.name)}


def drawn(shared: Studio, asked: One) -> Answer:
    """The drawn mask of a candidate, to be edited."""
    shown, file = editor.painted_shown(shared.workspace, candidates.get(shared.workspace, asked.id))
    return _mask(shown) | {"file": file}


def like(shared: Studio, asked: questions.Like) -> Answer:
    """Where to begin with paintings like a defect: source, mask, type and words."""
    found = studio.more_like(shared.workspace, asked.id, asked.surface)
    if found.dataset != shared.workspace.dataset().name:
        raise BadInput(
            f'This image belongs to the data set "{found.dataset}"; choose that one above to paint more like it.'
        )
    told = {"file": found.file, "source": found.source, "fromTest": found.from_test}
    return _mask(found.shown) | told | _words(found.words) | {"type": found.defect_type}


def words_for(shared: Studio, asked: questions.OfType) -> Answer:
    """The words for a type of defect."""
    return _words(studio.words_for(shared.workspace, shared.workspace.dataset().name, asked.type))


def _words(words: studio.Words) -> Answer:
    return {"prompt": words.template, "negative": words.negative_prompt, "promptId": words.prompt_id}


def order_of(shared: Studio, asked: questions.Painting) -> Order:
    """The order of the page's form. Stores a mask that was drawn in the browser first."""
    spec = asked.mask.to_json()
    layer, _ = spec.pop("layer", ""), spec.pop("base", "")
    if asked.mask.source == "drawn":
        spec["file"] = drawn_masks.keep_mask(shared.workspace, _drawn(shared, asked)) if layer else ""
    order = Order(
        dataset=shared.workspace.dataset().name,
        engine=asked.engine,
        sources=[] if asked.where == "random" else [asked.source],
        template=asked.template,
        negative_prompt=asked.negative_prompt,
        prompt_id=asked.prompt_id,
        settings=asked.settings,
        mask=mask_spec.MaskSpec.from_json(spec).to_json(),
        donor=asked.donor,
        count=asked.count,
        seed=asked.seed,
        parent=asked.parent,
        defect_type=asked.defect_type,
    )
    return allowed(order)


def allowed(order: Order) -> Order:
    """The order, unless its settings name files where pages may not look. Raises `BadInput` then."""
    for path in studio.files_of(order):
        allowed_path(path)
    return order


def _drawn(shared: Studio, asked: questions.Painting) -> np.ndarray:
    """The mask that was drawn in the browser, bool (H, W) of the image."""
    content = html.layer_of(asked.mask.layer)
    return editor.drawn(shared.workspace, asked.source, content, asked.mask.base)
