"""The Banks page: build a bank version from a data set, see all versions, activate or delete them, look at rows.

The workspace builds and keeps bank versions; this page collects settings and shows what was made.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import gradio as gr

from exdd_core.errors import BadInput
from exdd_core.images import Size
from pages import _shared
from pages._shared import count, text

if TYPE_CHECKING:
    from exdd_core.workspace import BankVersion, Workspace

TITLE = "Banks"
PATH = "/banks"
HINT = "A bank version holds what normal surface and known defects look like. Inspect uses the active one."

POSITIVES = {"Real defects of the training split": "real", "None: normal images only, as PatchCore": "none"}
ALL_PARTS = "All of them"
OWN_BACKBONE = ""  # the workspace's
FUSION_HELP = {
    "auto": "Best for the defects there are",
    "context": "context: normal distance and what defects and their surroundings look like",
    "stacked": "stacked: weighs both banks and a learned direction",
    "open_set": "open_set: normal distance, more where a known defect is near",
    "distance_ratio": "distance_ratio: normal distance times the ratio",
    "ratio": "ratio: normal distance over defect distance",
    "supervised": "supervised: the learned direction alone",
    "paper": "paper: Eq. 12-20 with PatchCore's sign of the weights",
    "paper_literal": "paper_literal: Eq. 12-20 with the paper's sign",
    "patchcore": "patchcore: the normal bank alone",
}
VERSION_COLUMNS = [
    ("Version", "", ""),
    ("Data set", "", ""),
    ("Rows", "− normal · + defect", "number"),
    ("Fusion", "", ""),
    ("Took", "", "number"),
    ("", "", ""),
]
ROWS_PAGE = 20


def render(workspace: Workspace) -> None:
    _shared.heading(TITLE, HINT)
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, min_width=560):
            versions = Versions(workspace)
            rows = Rows(workspace)
        with gr.Column(scale=4, min_width=368):
            builder = Builder(workspace)
    changing = [*versions.outputs, *rows.outputs]

    def lists() -> dict[Any, Any]:
        return versions.updates() | builder.updates()

    def refresh(shown: str = "") -> dict[Any, Any]:
        return versions.updates() | rows.updates(shown)  # and not the form: somebody may be filling it in

    versions.connect(refresh, rows, changing)
    rows.connect()
    builder.connect(refresh, changing)
    said = _shared.sentences(versions.note)
    _shared.on_load(said(lists), outputs=[*versions.outputs, *builder.outputs])
    # Apart from the rest, which is there at once: these load the bank and torch.
    _shared.on_load(said(rows.updates), outputs=[versions.note, *rows.outputs])
    _shared.on_load(builder.choices, outputs=[builder.fusion, builder.backbone])


# --- versions -------------------------------------------------------------------------------------------


class Versions:
    """The table of bank versions: which is active, activate another, delete, choose whose rows are shown."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.note = _shared.note()
        self.confirm = _shared.buttons(visible=False, elem_id="confirm-delete")
        self.table = _shared.buttons(elem_id="versions")
        self.outputs = [self.note, self.confirm, self.table]

    def updates(self) -> dict[Any, Any]:
        ready = bool(self.workspace.datasets())
        return {
            self.table: _versions_html(self.workspace.banks(), ready),
            self.confirm: gr.update(visible=False),
        }

    def connect(self, refresh: Callable[..., dict[Any, Any]], rows: Rows, outputs: list[Any]) -> None:
        @_shared.sentences(self.note)
        def act(event: gr.EventData) -> dict[Any, Any]:
            bank = self.workspace.bank(event.id)
            if event.act == "rows":
                return rows.updates(bank.id)
            if event.act == "activate":
                self.workspace.activate_bank(bank.id)
                return refresh(bank.id)
            return {self.confirm: gr.update(value=_confirm_html(bank), visible=True)}

        @_shared.sentences(self.note)
        def decide(event: gr.EventData) -> dict[Any, Any]:
            if event.act == "keep":
                return {self.confirm: gr.update(visible=False)}
            name = self.workspace.bank(event.id).name
            self.workspace.delete_bank(event.id)
            return refresh() | {self.note: _shared.say("done", f"{name} is deleted.")}

        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        self.table.act(act, None, outputs, **hidden)
        self.confirm.act(decide, None, outputs, **hidden)


def _versions_html(banks: list[BankVersion], ready: bool) -> str:
    if not banks and ready:
        return _shared.empty(
            "No bank version yet", "Build the first one with the form beside this; it takes a minute or two."
        )
    if not banks:
        action = '<a class="main-button" href="/data">Import images in Data</a>'
        return _shared.empty(
            "No bank version yet", "Banks are learned from images, and there are none here yet.", action
        )
    head = f'<p class="list-head"><strong>{count(len(banks), "bank version")}</strong></p>'
    return head + _shared.table(VERSION_COLUMNS, [_version_row(bank) for bank in banks])


def _version_row(bank: BankVersion) -> str:
    summary, settings = bank.summary, bank.settings
    tag = ' <span class="tag active">active</span>' if bank.active else ""
    made = _under(_when(bank.created))
    images = f"of {summary['negative_images']:,} · {summary['positive_images']:,} images"
    cells = [
        f'<td class="whole" data-sort="{bank.number}"><strong>{text(bank.name)}</strong>{tag}{made}</td>',
        f"<td>{text(bank.dataset)}{_under(settings['size'])}</td>",
        f'<td class="number">{summary["negative_rows"]:,} · {summary["positive_rows"]:,}{_under(images)}</td>',
        f"<td>{text(summary['fusion'])}{_under(settings['backbone'])}</td>",
        f'<td class="number" data-sort="{bank.seconds}">{_shared.duration(bank.seconds)}{_under(_disk(bank))}</td>',
        f'<td class="end">{_actions(bank)}</td>',
    ]
    selected = ' class="selected"' if bank.active else ""
    return f"<tr{selected}>{''.join(cells)}</tr>"


def _actions(bank: BankVersion) -> str:
    def button(act: str, what: str, shown: str) -> str:
        label = f'aria-label="{what} {text(bank.name)}" title="{what} {text(bank.name)}" data-id="{text(bank.id)}"'
        return f'<button type="button" class="plain-button small" data-act="{act}" {label}>{shown}</button>'

    others = (
        "" if bank.active else button("activate", "Activate", "Activate") + button("delete", "Delete", "✕")
    )
    return f'<span class="actions">{button("rows", "Rows of", "Rows")}{others}</span>'


def _confirm_html(bank: BankVersion) -> str:
    rows = f"{bank.summary['negative_rows']:,} normal and {bank.summary['positive_rows']:,} defect rows"
    where = f"learned from {bank.dataset}, {_disk(bank)}"
    return f"""<div class="card padded confirm" role="alertdialog" aria-label="Delete {text(bank.name)}">
<p><strong>Delete {text(bank.name)}?</strong> Its {rows} ({text(where)}) go for good. The images stay.</p>
<p class="actions"><button type="button" class="plain-button" data-act="delete" data-id="{text(bank.id)}">Delete
{text(bank.name)}</button><button type="button" class="plain-button" data-act="keep">Keep it</button></p></div>"""


def _under(line: str) -> str:
    return f'<span class="under">{text(line)}</span>'


def _when(created: str) -> str:
    """ISO 8601 in UTC -> this machine's day and time."""
    return f"{datetime.fromisoformat(created).astimezone():%d %b %H:%M}"


def _disk(bank: BankVersion) -> str:
    return _shared.file_size(sum(file.stat().st_size for file in bank.path.rglob("*") if file.is_file()))


# --- rows by image ----------------------------------------------------------------------------------------


class Rows:
    """How many rows each image has in a bank version, most first."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        with gr.Column(visible=False, elem_classes="section", elem_id="rows") as self.section:
            self.title = _shared.markup()
            self.side = gr.Radio(
                [("Positive bank: defects", "positive"), ("Negative bank: normal", "negative")],
                value="positive",
                label="Bank",
                show_label=False,
                elem_classes="compact-radio",
            )
            self.list = _shared.buttons()
        self.bank = gr.State("")
        self.page = gr.State(0)
        self.outputs = [self.section, self.title, self.side, self.list, self.bank, self.page]

    def updates(self, id: str = "") -> dict[Any, Any]:
        """Show the rows of that bank version, or of the active one."""
        bank = self.workspace.bank(id) if id else self.workspace.active_bank()
        if bank is None:
            return {self.section: gr.update(visible=False)}
        side = "positive" if bank.summary["positive_rows"] else "negative"
        return {
            self.section: gr.update(visible=True),
            self.title: f'<h2 class="section-title">Rows of {text(bank.name)} by image</h2>{_told(bank)}',
            self.side: side,
            self.list: self._list(bank.id, side, 0),
            self.bank: bank.id,
            self.page: 0,
        }

    def connect(self) -> None:
        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

        def change(bank: str, side: str) -> dict[Any, Any]:
            return {self.list: self._list(bank, side, 0), self.page: 0}

        def turn(bank: str, side: str, page: int, event: gr.EventData) -> dict[Any, Any]:
            page += 1 if event.act == "next" else -1
            return {self.list: self._list(bank, side, page), self.page: page}

        self.side.input(change, [self.bank, self.side], [self.list, self.page], **hidden)
        self.list.act(turn, [self.bank, self.side, self.page], [self.list, self.page], **hidden)

    def _list(self, id: str, side: str, page: int) -> str:
        detector = self.workspace.detector(id)
        bank = detector.positive if side == "positive" else detector.negative
        if bank is None:
            return _shared.empty(
                "No defect rows", "This version knows normal surface only and scores as PatchCore does."
            )
        return _rows_html(list(bank.rows_by_image().items()), len(bank), page)


def _told(bank: BankVersion) -> str:
    """The note that the build left, and every setting, folded."""
    note = f'<p class="aside">{text(bank.summary["note"])}</p>' if bank.summary.get("note") else ""
    facts = {**bank.settings, **bank.summary}
    lines = "".join(
        f"<div><dt>{text(name.replace('_', ' '))}</dt><dd>{text(_fact(value))}</dd></div>"
        for name, value in facts.items()
        if name != "note" and value is not None
    )
    return f'{note}<details class="settings"><summary>Every setting and count</summary><dl>{lines}</dl></details>'


def _fact(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _rows_html(rows: list[tuple[str, int]], total: int, page: int) -> str:
    most = max((number for _, number in rows), default=1)
    shown = rows[page * ROWS_PAGE : (page + 1) * ROWS_PAGE]
    head = f"{count(total, 'row')} from {count(len(rows), 'image')}"
    body = "".join(_row_html(image, number, most) for image, number in shown)
    pager = _shared.pager(page, ROWS_PAGE, len(rows))
    return f'<p class="list-head"><strong>{head}</strong>{pager}</p><ul class="row-bars">{body}</ul>'


def _row_html(image: str, number: int, most: int) -> str:
    name = "/".join(PurePosixPath(image).parts[1:])
    return (
        f'<li><a href="{_shared.inspect_url(image)}"><img loading="lazy" src="{_shared.thumbnail_url(image)}" alt="">'
        f'<span class="row-name">{text(name)}</span></a><span class="row-bar" aria-hidden="true">'
        f'<span style="width:{number / most:.1%}"></span></span><span class="row-count">{number:,}</span></li>'
    )


# --- build ------------------------------------------------------------------------------------------------


class Builder:
    """The form that builds a bank version, its progress and how it ended."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        with gr.Column(elem_id="build", elem_classes="card form-card"):
            _shared.markup('<h2 class="card-title">Build a bank version</h2>')
            self.dataset = gr.Dropdown(
                [], label="Data set", info="Its training split is what banks learn from."
            )
            self.positives = gr.Radio(
                list(POSITIVES),
                value=next(iter(POSITIVES)),
                label="Defects to learn from",
                info="Patches that lie on a defect, by its mask.",
            )
            self.parts = gr.Textbox(
                label="Defective parts",
                info="At most so many, to see how few would do. Empty: all.",
                placeholder=ALL_PARTS,
                max_lines=1,
            )
            self._build_advanced()
            self.start = gr.Button("Build", variant="primary", elem_id="build-start")
            self.note = _shared.note()
            self.job = _shared.JobPanel(workspace, "build")
        self.given = [self.dataset, self.positives, self.parts, self.negative, self.positive, self.size]
        self.given += [self.aspect, self.fusion, self.backbone, self.seed]
        self.outputs = [self.dataset, self.size, self.aspect, self.start]

    def _build_advanced(self) -> None:
        with _shared.folded("More settings"):
            self.fusion = gr.Dropdown(
                [("Best for the defects there are", "auto")],
                value="auto",
                label="Fusion",
                info="How both distances become one score.",
            )
            share: dict[str, Any] = {"min_width": 120, "precision": 3}
            with gr.Row():
                self.negative = gr.Number(
                    1, label="Negative share kept", info="% of normal patches, up to 100.", **share
                )
                self.positive = gr.Number(
                    10, label="Positive share kept", info="% of defect patches, up to 100.", **share
                )
            with gr.Row():
                self.size = gr.Textbox(
                    label="Size", info="Width x height in pixels.", max_lines=1, min_width=120
                )
                self.seed = gr.Number(
                    0, label="Seed", info="Same seed, same bank.", precision=0, min_width=120
                )
            self.aspect = gr.Checkbox(
                label="Keep the aspect ratio", info="Fit images into the size; do not stretch them."
            )
            self.backbone = gr.Dropdown(
                [("This workspace's", OWN_BACKBONE)],
                value=OWN_BACKBONE,
                label="Backbone",
                info="The network that describes patches.",
            )

    def connect(self, refresh: Callable[..., dict[Any, Any]], outputs: list[Any]) -> None:
        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        begin = _shared.sentences(self.note)(self._begin)
        self.dataset.input(self._size_of, self.dataset, [self.size, self.aspect], **hidden)
        self.job.connect(refresh, outputs)
        self.job.look_after(self.start.click(begin, self.given, self.note, **hidden))

    def updates(self) -> dict[Any, Any]:
        """The data sets there are, and the active one's size."""
        names = [info.name for info in self.workspace.datasets()]
        active = _shared.active_dataset(self.workspace)
        return {
            self.dataset: gr.update(choices=names, value=active.name if active else None),
            self.size: str(active.size) if active else "",
            self.aspect: active.size.keep_aspect if active else False,
            self.start: gr.update(interactive=bool(names)),
        }

    def choices(self) -> tuple[Any, Any]:
        """The fusions and backbones there are."""
        from exdd_core import backbones
        from exdd_core.fusion import FUSIONS

        own = self.workspace.backbone_name
        fusions = [(FUSION_HELP.get(name, name), name) for name in ("auto", *reversed(FUSIONS))]
        networks = [
            (f"This workspace's: {own}", OWN_BACKBONE),
            *((n, n) for n in backbones.NAMES if n != own),
        ]
        return gr.update(choices=fusions), gr.update(choices=networks)

    def _size_of(self, name: str) -> tuple[str, bool]:
        size = self.workspace.dataset(name).size
        return str(size), size.keep_aspect

    def _begin(self, *given: Any) -> dict[Any, Any]:
        dataset, positives, parts, negative, positive, size, aspect, fusion, backbone, seed = given
        if not dataset:
            raise BadInput("There is no data set yet; import images on the Data page first.")
        settings = {
            "positives": POSITIVES[positives],
            "max_real_parts": _whole(parts, "number of defective parts") if parts.strip() else None,
            "negative_ratio": _share(negative, "negative"),
            "positive_ratio": _share(positive, "positive"),
            "size": str(Size.parse(size)),
            "keep_aspect": aspect,
            "fusion": fusion,
            "backbone": backbone or None,
            "seed": _whole(seed, "seed"),
        }

        self.job.begin("build", f"Building a bank version from {dataset}", {"dataset": dataset} | settings)
        return {}


def _share(percent: float | None, bank: str) -> float:
    if percent is None or not 0 < percent <= 100:
        raise BadInput(f"The {bank} share kept must be above 0 and at most 100 %.")
    return percent / 100


def _whole(value: Any, what: str) -> int:
    try:
        return int(str(value).strip())
    except ValueError:
        raise BadInput(f'"{value}" is no {what}; type a whole number.') from None
