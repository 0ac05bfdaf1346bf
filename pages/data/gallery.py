"""The images of the active data set, by filter and page.

Knows the workspace's rows and how they look as thumbnails.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import gradio as gr

from pages import _shared
from pages._shared import count, text

if TYPE_CHECKING:
    from exdd_core.workspace import DatasetInfo, ImageRow, Workspace

ALL, BOTH = "All", "Both"
SPLITS = {ALL: None, "Training": "train", "Test": "test"}
LABELS = {BOTH: None, "Normal": "normal", "Defect": "defect"}
ALL_TYPES = "All types"
PAGE_SIZE = 60


class Gallery:
    """The images of the active data set, by filter and page."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        with gr.Column(visible=False, elem_classes="section") as self.section:
            self.title = _shared.markup()
            self._build_filters()
            self.grid = _shared.buttons(elem_id="gallery")
        self.page = gr.State(0)
        self.filters = [self.split, self.label, self.type]
        self.outputs = [self.section, self.title, *self.filters, self.grid, self.page]

    def _build_filters(self) -> None:
        with gr.Row(elem_classes="filters"):
            self.split = gr.Radio(list(SPLITS), value=ALL, label="Split", scale=0, min_width=272)
            self.label = gr.Radio(list(LABELS), value=BOTH, label="Label", scale=0, min_width=288)
            self.type = gr.Dropdown(
                [ALL_TYPES], value=ALL_TYPES, label="Type of defect", scale=1, min_width=144
            )

    def connect(self) -> None:
        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

        def filtered(*filters: str) -> dict[Any, Any]:
            return {self.grid: self._grid(0, *filters), self.page: 0}

        def turn(page: int, split: str, label: str, kind: str, event: gr.EventData) -> dict[Any, Any]:
            page += 1 if event.act == "next" else -1
            return {self.grid: self._grid(page, split, label, kind), self.page: page}

        changed = [self.split.input, self.label.input, self.type.input]
        gr.on(changed, filtered, self.filters, [self.grid, self.page], **hidden)
        self.grid.act(turn, [self.page, *self.filters], [self.grid, self.page], **hidden)

    def updates(self, info: DatasetInfo | None) -> dict[Any, Any]:
        """Everything afresh for the data set that is active now."""
        if info is None:
            return {self.section: gr.update(visible=False)}
        types = sorted({row.defect_type for row in self.workspace.images(info.name, label="defect")})
        return {
            self.section: gr.update(visible=True),
            self.title: f'<h2 class="section-title">Images of {text(info.name)}</h2>',
            self.split: ALL,
            self.label: BOTH,
            self.type: gr.update(choices=[ALL_TYPES, *types], value=ALL_TYPES),
            self.grid: self._grid(0, ALL, BOTH, ALL_TYPES),
            self.page: 0,
        }

    def _grid(self, page: int, split: str, label: str, kind: str) -> str:
        info = self.workspace.dataset()
        rows = self.workspace.images(
            info.name,
            split=SPLITS[split],
            label=LABELS[label],
            defect_type=None if kind == ALL_TYPES else kind,
        )
        return _gallery_html(rows, int(info.report["images"]), page)


def _gallery_html(rows: list[ImageRow], total: int, page: int) -> str:
    shown = rows[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
    found = count(total, "image") if len(rows) == total else f"{len(rows):,} of {count(total, 'image')}"
    head = f'<p class="list-head"><strong>{found}</strong>{_shared.pager(page, PAGE_SIZE, len(rows))}</p>'
    if not rows:
        return head + _shared.empty("No image is like that", "Choose another split, label or type above.")
    return head + f'<div class="gallery">{"".join(map(_thumbnail_html, shown))}</div>'


def _thumbnail_html(row: ImageRow) -> str:
    name = row.id.removeprefix(f"{row.dataset}/")
    tail = "/".join(PurePosixPath(name).parts[-2:])
    return (
        f'<a class="thumb" href="{_shared.inspect_url(row.id)}" title="{text(name)}, {row.width} x {row.height}">'
        f'<img loading="lazy" src="{_shared.thumbnail_url(row.id)}" alt="{text(name)}">'
        f'<span class="thumb-name"><bdi>{text(tail)}</bdi></span>'
        f'<span class="thumb-label {row.label}">{text(row.defect_type or row.label)} · {text(row.split)}</span></a>'
    )
