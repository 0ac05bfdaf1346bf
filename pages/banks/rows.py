"""The rows of one bank, image by image.

Knows Gradio and rows. Does not know features.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import gradio as gr

from exdd_core.banks.detectors import load_detector
from exdd_core.banks.teachers import marked_images
from exdd_core.sentences import count
from pages import answers, html
from pages.banks.parts import fact, page_of, patch_url, setting
from pages.html import text

if TYPE_CHECKING:
    from exdd_core.curation.blaming import Blame
    from exdd_core.workspace import BankVersion, Workspace

ROWS_PAGE = 20
BLAMED_SHOWN = 10
_BLAME = (
    '<button type="button" class="plain-button small" data-act="blame">Which images cause misses and false alarms?'
    "</button>"
)


class Rows:
    """The number of rows of each image in a bank version, most first, and its settings."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        with gr.Column(visible=False, elem_classes="section", elem_id="rows") as self.section:
            self.title = answers.markup()
            self.side = gr.Radio(
                [("Positive bank: defects", "positive"), ("Negative bank: normal", "negative")],
                value="positive",
                label="Bank",
                show_label=False,
                elem_classes="compact-radio",
            )
            self.list = answers.buttons()
            self.blame = answers.buttons(visible=False, elem_id="blame")
            self.about = answers.markup(elem_id="about")
            self.bank, self.page = gr.Textbox(visible=False), gr.Number(0, precision=0, visible=False)
        self.outputs = [
            self.about,
            self.section,
            self.title,
            self.side,
            self.list,
            self.blame,
            self.bank,
            self.page,
        ]

    def updates(self, id: str = "") -> dict[Any, Any]:
        """Show the rows of that bank version, or of the active one."""
        bank = self.workspace.bank(id) if id else self.workspace.active_bank()
        if bank is None:
            return {self.section: gr.update(visible=False), self.about: ""}
        side = "positive" if bank.summary["positive_rows"] else "negative"
        return {
            self.section: gr.update(visible=True),
            self.about: _told(bank),
            self.title: f'<h2 class="section-title">Rows of {text(bank.name)} by image</h2>',
            self.side: side,
            self.list: self._list(bank.id, side, 0),
            self.blame: gr.update(value=_BLAME, visible=bool(marked_images(self.workspace, bank.dataset))),
            self.bank: bank.id,
            self.page: 0,
        }

    def again(self, bank: str, side: str, page: int) -> dict[Any, Any]:
        """Update the shown rows."""
        return {self.list: self._list(bank, side, page)}

    def connect(self) -> None:

        @answers.toasted
        def change(bank: str, side: str) -> dict[Any, Any]:
            return {self.list: self._list(bank, side, 0), self.page: 0}

        @answers.toasted
        def turn(bank: str, side: str, page: int, event: gr.EventData) -> dict[Any, Any]:
            page = max(0, page + (1 if answers.told(event, "act", "next", "previous") == "next" else -1))
            return {self.list: self._list(bank, side, page), self.page: page}

        @answers.toasted
        def blame(bank: str) -> str:
            from exdd_core.curation import blaming

            return _blamed_html(self.workspace, blaming.blame(self.workspace, bank))

        self.blame.act(blame, self.bank, self.blame, **answers.HIDDEN)
        self.side.input(change, [self.bank, self.side], [self.list, self.page], **answers.HIDDEN)
        self.list.act(turn, [self.bank, self.side, self.page], [self.list, self.page], **answers.HIDDEN)

    def _list(self, id: str, side: str, page: int) -> str:
        detector = load_detector(self.workspace, id)
        bank = detector.positive if side == "positive" else detector.negative
        if bank is None:
            return html.empty(
                "No defect rows", "This version knows only normal surfaces and scores like PatchCore."
            )
        return _rows_html(self.workspace, id, list(bank.rows_by_image().items()), page)


def _blamed_html(workspace: Workspace, found: Blame) -> str:
    shown = found.images[:BLAMED_SHOWN]
    links = ((one, text((page_of(workspace, one.image) or ("", "#picture"))[1])) for one in shown)
    lines = "".join(
        f'<li><a href="{address}">{text(_name(one.image))}</a>{text(one.sentence.removeprefix(one.image))}</li>'
        for one, address in links
    )
    return f'<p class="list-head"><strong>{text(found.sentence)}</strong></p><ul class="blamed">{lines}</ul>'


def _told(bank: BankVersion) -> str:
    """The note of the build, and every setting, folded."""
    note = f'<p class="aside">{text(bank.summary["note"])}</p>' if bank.summary.get("note") else ""
    facts = {**bank.settings, **bank.summary}
    lines = "".join(
        f"<div><dt>{text(setting(name))}</dt><dd>{text(fact(value))}</dd></div>"
        for name, value in facts.items()
        if name != "note" and value is not None
    )
    title = f"All settings and counts of {text(bank.name)}"
    return f'{note}<details class="settings"><summary>{title}</summary><dl>{lines}</dl></details>'


def _rows_html(workspace: Workspace, bank: str, rows: list[tuple[str, int]], page: int) -> str:
    most = max((number for _, number in rows), default=1)
    page = min(page, max(0, len(rows) - 1) // ROWS_PAGE)
    shown = rows[page * ROWS_PAGE : (page + 1) * ROWS_PAGE]
    head = f"{count(sum(number for _, number in rows), 'row')} from {count(len(rows), 'image')}"
    body = "".join(_row_html(workspace, bank, image, number, most) for image, number in shown)
    pager = html.pager(page, ROWS_PAGE, len(rows))
    return f'<p class="list-head"><strong>{head}</strong>{pager}</p><ul class="row-bars">{body}</ul>'


def _row_html(workspace: Workspace, bank: str, image: str, number: int, most: int) -> str:
    address = (page_of(workspace, image) or ("", "#picture"))[1]
    return (
        f'<li><a href="{text(address)}"><img loading="lazy" src="{text(patch_url(bank, image))}" alt="">'
        f'<span class="row-name">{text(_name(image))}</span></a><span class="row-bar" aria-hidden="true">'
        f'<span style="width:{number / most:.1%}"></span></span><span class="row-count">{number:,}</span></li>'
    )


def _name(image: str) -> str:
    """An image's path in its data set; a candidate has none."""
    path = PurePosixPath(image)
    return "/".join(path.parts[1:]) or f"painted {image}"
