"""The Banks page: build bank versions, compare, activate, pin and delete them; see both banks of one on a map.

Builds are queued as jobs. The map with its histograms (assets/banks) runs in the browser and calls the functions of
`pages.banks.map`. Knows the page's parts and which of them update together. Does not know arrays or the database.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from pages import answers, frame
from pages.banks.builder import Builder
from pages.banks.comparison import Compared
from pages.banks.map import cancel_map, drop, histograms, image, news, open_picture, order_map, put_back
from pages.banks.rows import Rows
from pages.banks.versions import Versions

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

TITLE = "Banks"
PATH = "/banks"
HINT = "A bank version holds what normal surface and known defects look like. Inspect uses the active one."
TEMPLATE = (Path(__file__).resolve().parents[2] / "assets" / "banks.html").read_text("utf-8")


def render(workspace: Workspace) -> None:
    heading = frame.heading(TITLE, HINT)
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=560):
            version_list = Versions(workspace)
            bank_picture = _bank_picture(workspace)
            rows = Rows(workspace)
            compared = Compared(workspace)  # last, since what it shows comes late and is long
        with gr.Column(scale=2, min_width=368):
            builder = Builder(workspace, heading)
            version_list.bundle.render()
            version_list.due.render()  # last: it comes late
    changing = [*version_list.outputs, *compared.outputs, *rows.outputs]

    def lists() -> dict[Any, Any]:
        return version_list.updates() | compared.updates() | builder.updates()

    def refresh(shown: str = "") -> dict[Any, Any]:
        # The form is not updated, since somebody may be filling it in. The list is read last: the other parts
        # take seconds, and it would replace a newer answer by what was so before them.
        slow = version_list.state() | compared.updates() | rows.updates(shown)
        return slow | version_list.updates()

    def changed(pair: str, bank: str, side: str, page: int, event: gr.EventData) -> dict[Any, Any]:
        """Update every part that shows a bank, after a change on the map or elsewhere."""
        meant = answers.told(event, "bank")
        told = rows.again(bank, side, page) if meant == bank else rows.updates(meant)
        slow = version_list.state() | compared.again(pair) | told
        return slow | version_list.listed()

    builder.connect(refresh, changing, version_list.updates, version_list.outputs)
    version_list.connect(refresh, rows, builder, compared, changing)
    version_list.connect_bundle(refresh, changing)
    compared.connect(refresh, changing)
    rows.connect()
    said = answers.sentences(version_list.note, clears=False)
    bank_picture.act(
        said(changed),
        [compared.pair, rows.bank, rows.side, rows.page],
        [*changing, *compared.shown],
        **answers.HIDDEN,
    )
    answers.on_load(said(lists), outputs=[*version_list.outputs, *compared.outputs, *builder.outputs])
    # These load the bank and torch, so each runs separately after the lists are shown.
    answers.on_load(said(rows.updates), outputs=[version_list.note, *rows.outputs])
    answers.on_load(said(version_list.state), outputs=[version_list.note, version_list.due])
    answers.on_load(builder.choices, outputs=[builder.fusion, builder.backbone])


def _bank_picture(workspace: Workspace) -> gr.HTML:
    """The map of a bank with its histograms, whose script calls the functions of `pages.banks.map`."""
    functions: list[answers.Answerer] = [
        open_picture,
        histograms,
        image,
        drop,
        put_back,
        order_map,
        cancel_map,
        news,
    ]
    return answers.markup(
        "",
        html_template=TEMPLATE,
        js_on_load="exdd.banks(element, server, (bank) => trigger('act', { bank }))",
        server_functions=[answers.answering(function, workspace) for function in functions],
        elem_id="picture",
    )
