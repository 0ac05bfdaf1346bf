"""The images of the active data set, by filter and page. Ticked ones can be moved, relabelled or retired.

Knows rows of images, thumbnails and the changes of a data set. Does not know pixels or reports.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import gradio as gr

from exdd_core.errors import BadInput
from exdd_core.sentences import count
from exdd_core.workspace import dataset_changes, image_windows
from exdd_core.workspace.image_windows import Which
from pages import answers, html
from pages.html import text
from pages.who import who_of

if TYPE_CHECKING:
    from exdd_core.workspace import DatasetInfo, ImageRow, Workspace

ALL, BOTH = "All", "Both"
SPLITS = {ALL: None, "Training": "train", "Test": "test"}
LABELS = {BOTH: None, "Normal": "normal", "Defect": "defect"}
ALL_TYPES = "All types"
PAGE_SIZE = 60
# The tab keeps the filters, so that a page that is opened again shows the same images.
# A browser may refuse to store anything.
KEEP_JS = "(...all) => { try { sessionStorage.setItem('exdd.gallery', JSON.stringify(all)); } catch {} return all; }"
KEPT_JS = "() => { try { return sessionStorage.getItem('exdd.gallery') ?? ''; } catch { return ''; } }"

# Actions on ticked images: name -> title and explanation.
ACTS: dict[str, tuple[str, str]] = {
    "test": ("Move to test", "With all images of their parts"),
    "train": ("Move to training", "With all images of their parts"),
    "defect": ("Label defective", "Their type and mask are kept"),
    "normal": ("Label normal", "Their type and mask are removed"),
    "retire": ("Retire", "They no longer count; Undo restores them"),
}

GRID_JS = "exdd.gallery(element, (asked) => trigger('act', asked));"


class Gallery:
    """The images of the active data set, by filter and page."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        with gr.Column(visible=False, elem_classes="section") as self.section:
            self.title = answers.markup()
            self._build_filters()
            self.note = answers.note()
            self.grid = answers.markup(elem_id="gallery", js_on_load=GRID_JS)
        self.page = gr.Number(0, precision=0, visible=False)
        self.kept = gr.Textbox(visible=False)  # KEPT_JS fills it in
        self.filters = [self.split, self.label, self.type]
        self.outputs = [self.section, self.title, *self.filters, self.note, self.grid, self.page]

    def _build_filters(self) -> None:
        with gr.Row(elem_classes="filters"):
            self.split = gr.Radio(list(SPLITS), value=ALL, label="Split", scale=0, min_width=272)
            self.label = gr.Radio(list(LABELS), value=BOTH, label="Label", scale=0, min_width=288)
            self.type = gr.Dropdown([ALL_TYPES], value=ALL_TYPES, label="Defect type", scale=1, min_width=144)

    def connect(self, refresh: Any, everything: list[Any]) -> None:
        """Connect the events. refresh: updates the whole page after a change."""

        @answers.toasted
        def filtered(*filters: str) -> dict[Any, Any]:
            return {self.grid: self._grid(0, *filters), self.page: 0}

        @answers.sentences(self.note)
        def act(page: int, split: str, label: str, kind: str, event: gr.EventData) -> dict[Any, Any]:
            asked = answers.told(event, "act", "next", "previous", *ACTS)
            if asked in ("next", "previous"):
                page = max(0, page + (1 if asked == "next" else -1))
                return {self.grid: self._grid(page, split, label, kind), self.page: page}
            said = self._change(asked, answers.told_several(event, "ids"), who_of(answers.told(event, "who")))
            return refresh() | {
                self.note: answers.say("done", f"{said} Undo is under State of the data set."),
                self.split: split,
                self.label: label,
                self.grid: self._grid(0, split, label, kind),
            }

        changed = [self.split.input, self.label.input, self.type.input]
        gr.on(changed, filtered, self.filters, [self.grid, self.page], js=KEEP_JS, **answers.HIDDEN)
        self.grid.act(act, [self.page, *self.filters], everything, **answers.HIDDEN)

    def _change(self, act: str, ids: list[str], who: str) -> str:
        if not ids:
            raise BadInput("No images are ticked; tick the images to change.")
        if act in ("train", "test"):
            return dataset_changes.move(self.workspace, ids, act, who).sentence
        if act == "retire":
            return dataset_changes.retire(self.workspace, ids, who).sentence
        return dataset_changes.relabel(self.workspace, ids, act, who).sentence

    def updates(self, info: DatasetInfo | None, kept: str = "") -> dict[Any, Any]:
        """Update everything for the active data set. kept: the filters that the tab keeps, as JSON, or ""."""
        if info is None:
            return {self.section: gr.update(visible=False)}
        types = [ALL_TYPES, *image_windows.types(self.workspace, Which(info.name, label="defect"))]
        split, label, kind = _filters(kept, types)
        return {
            self.section: gr.update(visible=True),
            self.title: f'<h2 class="section-title">Images of {text(info.called)}</h2>',
            self.split: split,
            self.label: label,
            self.type: gr.update(choices=types, value=kind),
            self.grid: self._grid(0, split, label, kind),
            self.note: answers.say("info", ""),
            self.page: 0,
        }

    def _grid(self, page: int, split: str, label: str, kind: str) -> str:
        info = self.workspace.dataset()
        which = Which(info.name, SPLITS[split], LABELS[label], None if kind == ALL_TYPES else kind)
        rows = image_windows.window(self.workspace, which, page * PAGE_SIZE, PAGE_SIZE)
        shown = _gallery_html(rows, image_windows.count(self.workspace, which), info, page)
        return f'<div data-of="{text("|".join((split, label, kind)))}">{shown}</div>'


def _filters(kept: str, types: Sequence[str]) -> tuple[str, str, str]:
    """Split, label and type of defect that the tab kept; all images where these are none of the choices."""
    try:
        split, label, kind = map(str, json.loads(kept))
    except (TypeError, ValueError):
        return ALL, BOTH, ALL_TYPES
    known = split in SPLITS and label in LABELS and kind in types
    return (split, label, kind) if known else (ALL, BOTH, ALL_TYPES)


def _gallery_html(rows: list[ImageRow], passing: int, info: DatasetInfo, page: int) -> str:
    """A page of the images that pass the filters. passing: how many do."""
    total = int(info.report["images"])
    found = count(total, "image") if passing == total else f"{passing:,} of {count(total, 'image')}"
    head = f'<p class="list-head"><strong>{found}</strong>{html.pager(page, PAGE_SIZE, passing)}</p>'
    if not rows:
        return head + html.empty("No matching images", "Choose another split, label or type above.")
    return (
        head
        + _acts_html(len(rows))
        + f'<div class="gallery">{"".join(_thumbnail_html(row, info.state) for row in rows)}</div>'
        + '<p class="aside">Keys: arrows go from image to image, Space ticks, Enter opens.</p>'
    )


def _acts_html(shown: int) -> str:
    """The buttons of the actions on ticked images."""
    acts = "".join(
        f'<button type="button" class="plain-button small" data-act="{act}" title="{text(hint)}">{text(title)}</button>'
        for act, (title, hint) in ACTS.items()
    )
    every = f'<label><input type="checkbox" class="tick-all"> Tick all {shown} on this page</label>'
    return f'<div class="ticked">{every}<span class="acts"><strong>0 ticked</strong>{acts}</span></div>'


def _thumbnail_html(row: ImageRow, state: int) -> str:
    name = row.id.removeprefix(f"{row.dataset}/")
    tail = "/".join(PurePosixPath(name).parts[-2:])
    id = text(row.id)
    tick = f'<input type="checkbox" class="tick" value="{id}" data-id="{id}" aria-label="Tick {text(name)}">'
    return (
        f'<div class="thumb-cell">{tick}'
        f'<a class="thumb" tabindex="-1" href="{html.inspect_url(row.id)}" '
        f'title="{text(name)}, {row.width} x {row.height}">'
        f'<img loading="lazy" src="{html.thumbnail_url(row.id)}&amp;state={state}" alt="{text(name)}">'
        f'<span class="thumb-name"><bdi>{text(tail)}</bdi></span>'
        f'<span class="thumb-label {row.label}">{text(row.defect_type or row.label)} · {text(row.split)}</span>'
        "</a></div>"
    )
