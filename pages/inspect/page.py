"""The Inspect page: image, PatchCore, ExDD and their difference side by side, for one image or for many.

The viewer itself (assets/inspect/) runs in the browser and calls the functions of this package, which return values and
pictures of `Review`. Does not know arrays or the database.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core import drawing
from exdd_core.errors import BadInput
from exdd_core.files import changed
from exdd_core.images import thumbnail
from exdd_core.review import BankState, ImageList, Review, sheet
from exdd_core.review.lists import Entry, ShownImage
from exdd_core.workspace import image_windows
from exdd_core.workspace.dataset_settings import called
from pages import answers
from pages.guard.uploads import allowed_path, uploaded
from pages.html import Answer
from pages.inspect import questions
from pages.inspect.image import inspect, picture, point
from pages.inspect.marking import alarm, mark, outline, proposal, truth, undo, undo_outline
from pages.inspect.scoring import active_job, cancel, export_all, export_panes, export_table, progress, score
from pages.inspect.state import asked_or_active, bank_answer, short_sides_of, sides_of
from pages.inspect.threshold import threshold, undo_threshold, use_threshold
from pages.pictures import jpeg_url, png_url

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

TITLE = "Inspect"
PATH = "/"
TEMPLATE = (Path(__file__).resolve().parents[2] / "assets" / "inspect.html").read_text("utf-8")
THUMBNAIL_SIDE = 144
LONG = 1000  # images of a list whose results come without what only their lines in the table show
# The initial opacity of the maps, in percent.
TERMS = {"opacity": round(100 * sheet.OPACITY)}
NO_DATASET = {
    "title": "No images yet",
    "text": "Import a data set: a folder or zip with normal images and, if there are any, images of defects.",
    "link": "./data",
    "button": "Import images in Data",
}


def render(workspace: Workspace) -> None:
    """Build the page's content between header and footer."""
    review = Review(workspace)
    functions: list[answers.Answerer] = [
        open_list, add_files, add_folder, clear_list, put_back, thumbnails, picture, inspect, point,
        score, progress, cancel, known, rows, alarm, mark, undo, export_table, export_panes, export_all,
        proposal, outline, truth, undo_outline, threshold, use_threshold, undo_threshold,
    ]  # fmt: skip
    answers.markup(
        "",
        html_template=TEMPLATE,
        js_on_load=f"exdd.inspect(element, server, upload, {json.dumps(TERMS)})",
        server_functions=[answers.answering(function, review) for function in functions],
        elem_id="inspect",
    )


def open_list(review: Review, asked: questions.OpenList) -> Answer:
    """The list with `image`, or the one named `list`, or the first: its images and their known results.

    bank: the bank version, if not the active one.
    """
    lists = review.lists()
    keys = [known.key for known in lists]
    key, gone = _list_of(review, asked.image)
    bank_state, unknown = asked_or_active(review, asked.bank)
    key = key or asked.list
    key = key if key in keys else (keys or [""])[0]
    images = review.entries(key) if key else []
    return _known(review, bank_state, images) | {
        "need": None if review.workspace.datasets() else NO_DATASET,
        "links": {"banks": "./banks"},
        "lists": [_listed(known) for known in lists],
        "list": key,
        "images": [_entry(image) for image in images],
        "types": _types(review, bank_state),
        "scales": {
            "score": png_url(drawing.colour_scale()),
            "difference": png_url(drawing.colour_scale(diverging=True)),
            "range": drawing.CALIBRATED,
            "difference_range": drawing.DIFFERENCE,
        },
        "job": active_job(review),
        "note": " ".join(
            filter(
                None, [gone, unknown, _note(key, bank_state, called(review.workspace)), *review.left_out(key)]
            )
        ),
    }


def _listed(known: ImageList) -> Answer:
    left = f", {known.left_out} left out" if known.left_out else ""
    return {"key": known.key, "title": known.title, "count": known.count, "left": left}


def known(review: Review, asked: questions.Listed) -> Answer:
    """The known results of a list's images after a change of the banks."""
    bank_state, _ = asked_or_active(review, asked.bank)
    return _known(review, bank_state, review.entries(asked.list))


def _known(review: Review, bank_state: BankState | None, images: list[Entry]) -> Answer:
    seen, rows = review.results(bank_state.version).known(bank_state.state) if bank_state else (0, {})
    marked = review.marked()
    sides = sides_of if len(images) <= LONG else short_sides_of
    return bank_answer(review, bank_state) | {
        "rows": {image.id: sides(rows[image.id]) for image in images if image.id in rows},
        "seen": seen,
        "marked": [image.id for image in images if image.id in marked],
    }


def _list_of(review: Review, id: str) -> tuple[str | None, str]:
    """The list of the image in the page's address; None with a sentence where there is none."""
    try:
        return (review.list_of(id), "") if id else (None, "")
    except BadInput:
        return None, f'Image "{id}" is no longer in this workspace; here is another one.'


def _note(key: str, bank_state: BankState | None, names: Mapping[str, str]) -> str:
    dataset = key.rpartition("/")[0]
    if bank_state is None or key.startswith("folder:") or dataset in ("", bank_state.version.dataset):
        return ""
    bank = bank_state.version
    learned, shown = names.get(bank.dataset, bank.dataset), names.get(dataset, dataset)
    return (
        f'Bank {bank.name} was built from the data set "{learned}", but these images are from "{shown}", '
        "so scores mean little. Build or activate a bank version of this data set in Banks."
    )


def _types(review: Review, bank_state: BankState | None) -> list[str]:
    """The known defect types, to choose from."""
    if bank_state is None:
        return []
    which = image_windows.Which(bank_state.version.dataset, label="defect")
    return image_windows.types(review.workspace, which)


def rows(review: Review, asked: questions.Images) -> Answer:
    """The whole results of some images: those of a long list come without their reasons."""
    bank_state, _ = asked_or_active(review, asked.bank)
    if bank_state is None:
        return {"rows": {}}
    found = review.results(bank_state.version).of_images(asked.ids, bank_state.state)
    return {"rows": {id: sides_of(row) for id, row in found.items()}}


def _entry(image: Entry) -> Answer:
    known = {"id": image.id, "name": image.name, "label": image.label, "type": image.defect_type}
    return known | {"ratio": image.ratio, "mask_noted": image.mask_noted}


def add_files(review: Review, asked: questions.AddFiles) -> Answer:
    """Add uploaded files and open the list of uploads."""
    ids, refused = review.add_files([(uploaded(file.path), file.name) for file in asked.files])
    if not ids:
        raise BadInput(" ".join(refused) or "No files were received; choose some.")
    opened = open_list(review, questions.OpenList(image=ids[0]))
    note = " ".join([*refused, str(opened["note"])]).strip()
    return opened | {"note": note, "first": ids[0]}


def add_folder(review: Review, asked: questions.AddFolder) -> Answer:
    return open_list(review, questions.OpenList(list=review.open_folder(allowed_path(asked.path))))


def clear_list(review: Review, asked: questions.Listed) -> Answer:
    """Take the uploaded images away, or a folder off the lists, and open another list."""
    said = review.clear(asked.list)
    return open_list(review, questions.OpenList(bank=asked.bank, list=asked.list)) | {"said": said}


def put_back(review: Review, asked: questions.Listed) -> Answer:
    """Bring back the uploaded images that were taken away last, and open them."""
    said = review.put_back()
    return open_list(review, questions.OpenList(bank=asked.bank, list=asked.list)) | {"said": said}


def thumbnails(review: Review, asked: questions.Images) -> Answer:
    """Small pictures by id; "" for an unreadable image, whose reason is shown when it is opened."""
    state = review.bank_state()
    return {"thumbnails": {id: _thumbnail(review, id, state.version.id if state else "") for id in asked.ids}}


def _thumbnail(review: Review, id: str, bank: str) -> str:
    try:
        image = review.image(id)
        # A file of no data set has the depth of the bank.
        return _drawn_thumbnail(review, image, changed(image.path), bank if id.startswith("file:") else "")
    except BadInput:  # not remembered: the image may be readable next time
        return ""


@functools.lru_cache(maxsize=4096)
def _drawn_thumbnail(review: Review, image: ShownImage, made: int, bank: str) -> str:
    """made: as `changed`, since another data set of the same name may come to have such a file."""
    return jpeg_url(thumbnail(review.read(image).pixels, THUMBNAIL_SIDE))
