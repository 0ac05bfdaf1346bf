"""The Banks page: build bank versions, compare, activate, pin and delete them; see both banks of one on a map.

The workspace builds and keeps bank versions; this page collects settings and shows what was made. The map with its
histograms (assets/banks*) runs in the browser and asks the functions at the end of this module. Knows neither arrays
nor the database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import gradio as gr

from exdd_core import candidates, jobs
from exdd_core.errors import BadInput
from exdd_core.images import Size, encode_jpeg, read_image, thumbnail
from pages import _shared
from pages._shared import count, text

if TYPE_CHECKING:
    from exdd_core.versions import Comparison, Measured, State
    from exdd_core.workspace import BankVersion, Workspace

TITLE = "Banks"
PATH = "/banks"
HINT = "A bank version holds what normal surface and known defects look like. Inspect uses the active one."

POSITIVES = {
    "Real defects of the training split": "real",
    "Real and accepted painted ones": "both",
    "Accepted painted ones only": "synthetic",
    "None: normal images only, as PatchCore": "none",
}
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
    ("Made", "by", ""),
    ("Data set", "", ""),
    ("Rows built", "− normal · + defect", "number"),
    ("Radius", "of defects", "number"),
    ("Image AUROC", "test split", "number"),
    ("Fusion", "", ""),
    ("", "", ""),
]
METRICS = {
    "image_auroc": "Image AUROC",
    "image_ap": "Image AP",
    "pixel_auroc": "Pixel AUROC",
    "pixel_ap": "Pixel AP",
}
SETTINGS = {
    "positives": "Defects learned from",
    "max_real_parts": "Defective parts, at most",
    "negative_ratio": "Share of normal patches kept",
    "positive_ratio": "Share of defect patches kept",
    "keep_aspect": "Aspect ratio kept",
    "guaranteed": "False alarm rate guaranteed",
    "depth": "Bit depth",
    "state": "State of the data set",
    "roi": "Region of interest, share of an image",
}
SIDES = {"negative": "negative bank", "positive": "positive bank"}
ROWS_PAGE = 20
SHOWN = 12  # images that only one of two versions holds
SMALL, LARGE = 240, 720  # pixels of a picture's longer side
TEMPLATE = (Path(__file__).resolve().parent.parent / "assets" / "banks.html").read_text("utf-8")

NOBODY = "someone"  # who never said their name
# The name that this browser knows from Curate: with what `_shared.buttons` tell, and as the last of a form's values.
WHO_JS = "localStorage.getItem('exdd.who')"
DUE_JS = _shared.BUTTONS_JS.replace("...button.dataset", f"...button.dataset, who: {WHO_JS}")
# A second press while the first is under way would do it twice; an error leaves the button, to be pressed again.
DUE_JS += """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-act]'), words = button?.textContent;
  if (!button) return;
  Object.assign(button, { disabled: true, textContent: `${words}…` });
  setTimeout(() => Object.assign(button, { disabled: false, textContent: words }), 10000);
});
"""
FORM_JS = f"(...given) => [...given.slice(0, -1), {WHO_JS} || '']"

Answer = dict[str, Any]


def render(workspace: Workspace) -> None:
    _shared.heading(TITLE, HINT)
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=560):
            versions = Versions(workspace)
            about = _shared.markup(elem_id="about")
            compared = Compared(workspace)
        with gr.Column(scale=2, min_width=368):
            builder = Builder(workspace)
    questions = [open_picture, histograms, image, drop, put_back, order_map, cancel_map, news]
    landscape = _shared.markup(
        "",
        html_template=TEMPLATE,
        js_on_load="exddBanks(element, server, (bank) => trigger('act', { bank }))",
        server_functions=[_shared.answering(question, workspace) for question in questions],
        elem_id="picture",
    )
    rows = Rows(workspace, about)
    changing = [*versions.outputs, *compared.outputs, *rows.outputs]

    def lists() -> dict[Any, Any]:
        return versions.updates() | compared.updates() | builder.updates()

    def refresh(shown: str = "") -> dict[Any, Any]:
        # and not the form: somebody may be filling it in
        return versions.updates() | versions.state() | compared.updates() | rows.updates(shown)

    def changed(
        pair: tuple[str, str] | None, bank: str, side: str, page: int, event: gr.EventData
    ) -> dict[Any, Any]:
        """A bank is another now, by what was done on the map or elsewhere: what stands of it, where it stands."""
        told = rows.again(bank, side, page) if event.bank == bank else rows.updates(event.bank)
        return versions.listed() | versions.state() | compared.again(pair) | told

    builder.connect(refresh, changing)
    versions.connect(refresh, rows, builder, compared, changing)
    compared.connect(refresh, changing)
    rows.connect()
    said = _shared.sentences(versions.note)
    landscape.act(
        said(changed),
        [compared.pair, rows.bank, rows.side, rows.page],
        [*changing, compared.result],
        show_progress="hidden",
        api_visibility="private",
    )
    _shared.on_load(said(lists), outputs=[*versions.outputs, *compared.outputs, *builder.outputs])
    # Apart from the rest, which is there at once: these load the bank and torch.
    _shared.on_load(said(rows.updates), outputs=[versions.note, *rows.outputs])
    _shared.on_load(said(versions.state), outputs=[versions.note, versions.due])
    _shared.on_load(builder.choices, outputs=[builder.fusion, builder.backbone])


# --- versions -------------------------------------------------------------------------------------------


class Versions:
    """The table of bank versions: which is active; activate, roll back, pin, delete, choose which one is shown."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.note = _shared.note()
        self.confirm = _shared.buttons(visible=False, elem_id="confirm-delete")
        self.table = _shared.buttons(elem_id="versions")
        self.due = _shared.markup(visible=False, elem_id="due", js_on_load=DUE_JS)
        self.outputs = [self.note, self.confirm, self.table, self.due]

    def updates(self) -> dict[Any, Any]:
        return self.listed() | {self.confirm: gr.update(visible=False)}

    def listed(self) -> dict[Any, Any]:
        from exdd_core import versions

        ready = bool(self.workspace.datasets())
        before, found = versions.former(self.workspace), versions.measured(self.workspace)
        rows = [
            _version_row(bank, found.get(bank.id), versions.changes(self.workspace, bank.id))
            for bank in self.workspace.banks()
        ]
        return {self.table: _versions_html(rows, ready, before)}

    def state(self) -> dict[Any, Any]:
        """Whether the active version should be built again; takes a moment."""
        from exdd_core import dataset_changes, versions

        bank = self.workspace.active_bank()
        if bank is None:
            return {self.due: gr.update(visible=False)}
        html = _due_html(bank, versions.state(self.workspace, bank.id), dataset_changes.due(self.workspace))
        return {self.due: gr.update(value=html, visible=True)}

    def connect(
        self,
        refresh: Callable[..., dict[Any, Any]],
        rows: Rows,
        builder: Builder,
        compared: Compared,
        outputs: list[Any],
    ) -> None:
        @_shared.sentences(self.note)
        def act(event: gr.EventData) -> dict[Any, Any]:
            if event.act == "back":
                bank = self.workspace.roll_back()
                return refresh(bank.id) | {self.note: _shared.say("done", f"{bank.name} is active again.")}
            bank = self.workspace.bank(event.id)
            if event.act == "rows":
                return rows.updates(bank.id)
            if event.act == "activate":
                self.workspace.activate_bank(bank.id)
                return refresh(bank.id)
            if event.act in ("pin", "unpin"):
                self.workspace.pin_bank(bank.id, event.act == "pin")
                return self.updates()
            return {self.confirm: gr.update(value=_confirm_html(bank), visible=True)}

        @_shared.sentences(self.note)
        def decide(event: gr.EventData) -> dict[Any, Any]:
            if event.act == "keep":
                return {self.confirm: gr.update(visible=False)}
            name = self.workspace.bank(event.id).name
            self.workspace.delete_bank(event.id)
            return refresh() | {self.note: _shared.say("done", f"{name} is deleted.")}

        @_shared.sentences(self.note)
        def mend(pair: tuple[str, str] | None, event: gr.EventData) -> dict[Any, Any]:
            from exdd_core import versions

            if event.act == "rebuild":
                builder.rebuild(event.id, event.who or "")
                return {}
            decided = versions.catch_up(self.workspace, event.who or NOBODY)
            return refresh() | compared.again(pair) | {self.note: _shared.say("done", decided.sentence)}

        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        self.table.act(act, None, outputs, **hidden)
        self.confirm.act(decide, None, outputs, **hidden)
        builder.job.look_after(self.due.act(mend, compared.pair, [*outputs, compared.result], **hidden))


def _versions_html(rows: list[str], ready: bool, former: BankVersion | None) -> str:
    if not rows and ready:
        return _shared.empty(
            "No bank version yet", "Build the first one with the form beside this; it takes a minute or two."
        )
    if not rows:
        action = '<a class="main-button" href="/data">Import images in Data</a>'
        return _shared.empty(
            "No bank version yet", "Banks are learned from images, and there are none here yet.", action
        )
    back = (
        f'<button type="button" class="plain-button small" data-act="back" title="Make {former.name} active again, '
        f'which was so before">Roll back to {former.name}</button>'
        if former
        else ""
    )
    head = f'<p class="list-head"><strong>{count(len(rows), "bank version")}</strong>{back}</p>'
    return head + _shared.table(VERSION_COLUMNS, rows)


def _version_row(bank: BankVersion, found: Measured | None, changes: int) -> str:
    summary, settings = bank.summary, bank.settings
    tags = ' <span class="tag active">active</span>' if bank.active else ""
    tags += ' <span class="tag">pinned</span>' if bank.pinned else ""
    since = f"{count(changes, 'change')} since" if changes else ""
    took = f"Took {_shared.duration(bank.seconds)}, {_disk(bank)}"
    made = f"{_when(bank.created)}{_under(bank.who or '–')}"
    version = f"<strong>{text(bank.name)}</strong>{tags}{_under(since)}"
    images = f"of {summary['negative_images']:,} · {summary['positive_images']:,} images"
    reached = summary.get("radius") if summary["positive_rows"] else None
    cells = [
        f'<td class="whole" data-sort="{bank.number}">{version}</td>',
        f'<td class="whole" data-sort="{bank.created}" title="{took}">{made}</td>',
        f"<td>{text(bank.dataset)}{_under(settings['size'])}</td>",
        f'<td class="number">{summary["negative_rows"]:,} · {summary["positive_rows"]:,}{_under(images)}</td>',
        f'<td class="number" data-sort="{reached or 0}">{_figure(reached, 2)}</td>',
        f'<td class="number">{_measured_html(found)}</td>',
        f"<td>{text(summary['fusion'])}{_under(settings['backbone'])}</td>",
        f'<td class="end">{_actions(bank)}</td>',
    ]
    selected = ' class="selected"' if bank.active else ""
    return f"<tr{selected}>{''.join(cells)}</tr>"


def _measured_html(found: Measured | None) -> str:
    if found is None:
        return f"–{_under('not measured')}"
    since = _under(f"{count(found.changes, 'change')} ago") if found.changes else ""
    return _figure(found.metrics["image_auroc"]) + since


def _figure(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _actions(bank: BankVersion) -> str:
    def button(act: str, what: str, shown: str) -> str:
        label = f'aria-label="{what} {text(bank.name)}" title="{what} {text(bank.name)}" data-id="{text(bank.id)}"'
        return f'<button type="button" class="plain-button small" data-act="{act}" {label}>{shown}</button>'

    pin = button("unpin", "Unpin", "Unpin") if bank.pinned else button("pin", "Pin", "Pin")
    activate = "" if bank.active else button("activate", "Activate", "Activate")
    delete = "" if bank.active or bank.pinned else button("delete", "Delete", "✕")
    return f'<span class="actions">{button("rows", "Show", "Show")}{activate}{pin}{delete}</span>'


def _due_html(bank: BankVersion, found: State, grown: str) -> str:
    """grown: what the data set's images have become since the version was built, "" for nothing."""

    def button(act: str, kind: str, words: str) -> str:
        return f'<button type="button" class="{kind}" data-act="{act}" data-id="{text(bank.id)}">{text(words)}</button>'

    due = found.due or bool(grown)
    if not due and not found.behind:
        return f'<p class="aside">{text(bank.name)}: {text(found.sentence)}</p>'
    buttons = button("align", "main-button", "Bring it in line") if found.behind else ""
    if due:
        kind = "plain-button" if found.behind else "main-button"
        buttons += button("rebuild", kind, f"Rebuild {bank.name}")
    meanwhile = " Scoring goes on with this version meanwhile." if due else ""
    sentences = " ".join(
        filter(None, (grown, found.sentence if found.due or found.behind or not grown else ""))
    )
    said = f"<span><strong>{text(bank.name)}.</strong> {text(sentences)}{meanwhile}</span>"
    sign = '<span class="note-icon" aria-hidden="true">i</span>'
    return f'<p class="note info due" role="status">{sign}{said}{buttons}</p>'


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


# --- two versions beside each other -------------------------------------------------------------------------


class Compared:
    """Two versions side by side: rows, radius, measurements, settings, and the images that only one of them holds."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        with gr.Column(visible=False, elem_classes="section", elem_id="compared") as self.section:
            with gr.Row(elem_classes="compare-bar", equal_height=True):
                _shared.markup('<h2 class="section-title">Compare</h2>')
                plain: dict[str, Any] = {"show_label": False, "container": False, "min_width": 96, "scale": 0}
                self.first = gr.Dropdown([], label="First version", **plain)
                _shared.markup('<span class="aside">with</span>')
                self.second = gr.Dropdown([], label="Second version", **plain)
                self.go = gr.Button("Compare", size="sm", min_width=96, scale=0, elem_id="compare-go")
            self.note = _shared.note()
            self.job = _shared.JobPanel(workspace, "evaluate")
            self.result = _shared.buttons(visible=False)
            self.pair = gr.State(None)  # what is shown
        self.outputs = [self.section, self.first, self.second]

    def updates(self) -> dict[Any, Any]:
        banks = self.workspace.banks()
        first, second = self._usual()
        choices = [(f"{bank.name} · {bank.dataset}", bank.id) for bank in banks]
        return {
            self.section: gr.update(visible=len(banks) > 1),
            self.first: gr.update(choices=choices, value=first),
            self.second: gr.update(choices=choices, value=second),
        }

    def _usual(self) -> tuple[str | None, str | None]:
        """The active version and the one that was so before, or else the newest other."""
        from exdd_core import versions

        banks = self.workspace.banks()
        active = next((bank.id for bank in banks if bank.active), None)
        before = versions.former(self.workspace)
        return active, before.id if before else next((bank.id for bank in banks if bank.id != active), None)

    def _beside(self, first: str, second: str) -> dict[Any, Any]:
        from exdd_core import versions

        found = versions.compare(self.workspace, first, second)
        return {self.result: gr.update(value=_comparison_html(self.workspace, found), visible=True)}

    def again(self, pair: tuple[str, str] | None) -> dict[Any, Any]:
        """What is compared, as it is now."""
        there = {bank.id for bank in self.workspace.banks()}
        return self._beside(*pair) if pair and there >= set(pair) else {}

    def connect(self, refresh: Callable[..., dict[Any, Any]], outputs: list[Any]) -> None:
        said = _shared.sentences(self.note)
        shown = [self.note, self.result, self.pair]

        def compare(first: str, second: str) -> dict[Any, Any]:
            return self._beside(first, second) | {self.pair: (first, second)}

        def follow(first: str | None, second: str | None, pair: tuple[str, str] | None) -> dict[Any, Any]:
            if not first or not second or (first, second) == tuple(pair or ()):
                return {}
            return compare(first, second)

        def measured() -> dict[Any, Any]:
            first, second = self._usual()
            return refresh() | (compare(first, second) if first and second else {})

        def measure(event: gr.EventData) -> dict[Any, Any]:
            bank = self.workspace.bank(event.id)
            spec = {"bank": bank.id, "dataset": bank.dataset, "fusion": None, "rate": None}
            self.job.begin("evaluate", f"Measuring {bank.name} on the test split of {bank.dataset}", spec)
            return {}

        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        self.go.click(said(compare), [self.first, self.second], shown, **hidden)
        # By themselves, too, when the page is opened and when something has changed which two these are.
        chosen = [self.first, self.second, self.pair]
        gr.on(
            [self.first.change, self.second.change, self.pair.change], said(follow), chosen, shown, **hidden
        )
        self.job.connect(measured, [*outputs, self.result, self.pair])
        self.job.look_after(self.result.act(said(measure), None, self.note, **hidden))


def _comparison_html(workspace: Workspace, found: Comparison) -> str:
    first, second = found.versions
    heads = [(bank.name, bank.dataset, "number") for bank in found.versions]
    columns = [("", "", ""), *heads, ("Change", f"from {second.name} to {first.name}", "number")]
    measure = "".join(
        f'<button type="button" class="plain-button small" data-act="measure" data-id="{text(bank.id)}">'
        f"Measure {text(bank.name)}</button>"
        for bank, last in zip(found.versions, found.measured, strict=True)
        if last is None or last.changes
    )
    hint = f'<p class="actions">{measure}</p>' if measure else ""
    only = "".join(
        _only_html(workspace, f"{SIDES[side].capitalize()}: only in {bank.name}", bank, images)
        for bank, by_side in zip((first, second), found.only, strict=True)
        for side, images in reversed(by_side.items())
    )
    same = '<p class="aside">Both hold rows of the same images.</p>' if not only else ""
    return f'<div class="compared">{_shared.table(columns, _compared(found))}{hint}{only or same}</div>'


def _compared(found: Comparison) -> list[str]:
    """Lines of the table: rows, images and radius of both banks, figures, settings that differ."""
    lines = []
    for side, name in (("positive", "Defect"), ("negative", "Normal")):
        a, b = (sides[side] for sides in found.sides)
        lines.append(_compared_row(f"{name} rows", a.rows, b.rows))
        lines.append(_compared_row(f"Images with {name.lower()} rows", a.images, b.images))
        lines.append(_compared_row(f"Radius of the {SIDES[side]}", a.radius, b.radius, 2))
    for key, name in METRICS.items():
        first, second = (last.metrics[key] if last else None for last in found.measured)
        lines.append(_compared_row(f"{name}, test split", first, second))
    changes = [last.changes if last else 0 for last in found.measured]
    if any(changes):
        lines.append(_compared_row("Changes since it was measured", *changes))
    lines += [
        _line(_setting(key), _fact(one), _fact(other), "") for key, (one, other) in found.settings.items()
    ]
    return lines


def _compared_row(name: str, first: float | None, second: float | None, digits: int = 3) -> str:
    whole = isinstance(first, int) and isinstance(second, int)
    shown = [f"{value:,}" if whole else _figure(value, digits) for value in (first, second)]
    change = ""
    if first is not None and second is not None and shown[0] != shown[1]:
        change = f"{first - second:+,}" if whole else f"{first - second:+.{digits}f}"
    return _line(name, *shown, change.replace("-", "−"))


def _line(name: str, *values: str) -> str:
    cells = "".join(f'<td class="number">{text(value)}</td>' for value in values)
    return f'<tr><th scope="row">{text(name)}</th>{cells}</tr>'


def _only_html(workspace: Workspace, title: str, bank: BankVersion, images: list[str]) -> str:
    if not images:
        return ""
    shown = ""
    for image in images[:SHOWN]:
        address = (_page_of(workspace, image) or ("", "#picture"))[1]
        picture = f'<img loading="lazy" src="{text(patch_url(bank.id, image))}" alt="">'
        shown += f'<li><a href="{text(address)}" title="{text(image)}">{picture}</a></li>'
    more = f'<li class="aside">and {len(images) - SHOWN:,} more</li>' if len(images) > SHOWN else ""
    head = f'<p class="only-head">{text(title)} <span class="tag">{count(len(images), "image")}</span></p>'
    return f'{head}<ul class="only">{shown}{more}</ul>'


def patch_url(bank: str, image: str, large: bool = False) -> str:
    """Address of a picture of an image that a bank has rows of, see `picture`."""
    asked: dict[str, Any] = {"bank": bank, "image": image}
    return f"/patch?{urlencode(asked | ({'large': 1} if large else {}))}"


# --- rows by image ----------------------------------------------------------------------------------------


class Rows:
    """How many rows each image has in a bank version, most first; `about` is where its settings stand."""

    def __init__(self, workspace: Workspace, about: gr.HTML):
        self.workspace, self.about = workspace, about
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
        self.outputs = [self.about, self.section, self.title, self.side, self.list, self.bank, self.page]

    def updates(self, id: str = "") -> dict[Any, Any]:
        """Show the rows of that bank version, or of the active one."""
        bank = self.workspace.bank(id) if id else self.workspace.active_bank()
        if bank is None:
            return {self.section: gr.update(visible=False), self.about: ""}
        side = "positive" if bank.summary["positive_rows"] else "negative"
        return {
            self.section: gr.update(visible=True),
            self.about: _told(bank, alone=len(self.workspace.banks()) == 1),
            self.title: f'<h2 class="section-title">Rows of {text(bank.name)} by image</h2>',
            self.side: side,
            self.list: self._list(bank.id, side, 0),
            self.bank: bank.id,
            self.page: 0,
        }

    def again(self, bank: str, side: str, page: int) -> dict[Any, Any]:
        """The rows that are shown, as they are now."""
        return {self.list: self._list(bank, side, page)}

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
        return _rows_html(self.workspace, id, list(bank.rows_by_image().items()), page)


def _told(bank: BankVersion, alone: bool) -> str:
    """The note that the build left, and every setting: folded where other versions are to be compared with."""
    note = f'<p class="aside">{text(bank.summary["note"])}</p>' if bank.summary.get("note") else ""
    facts = {**bank.settings, **bank.summary}
    lines = "".join(
        f"<div><dt>{text(_setting(name))}</dt><dd>{text(_fact(value))}</dd></div>"
        for name, value in facts.items()
        if name != "note" and value is not None
    )
    title = f"Every setting and count of {text(bank.name)}"
    opened = " open" if alone else ""
    return f'{note}<details class="settings"{opened}><summary>{title}</summary><dl>{lines}</dl></details>'


def _setting(name: str) -> str:
    return SETTINGS.get(name, name.replace("_", " ").capitalize())


def _fact(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "–", True: "yes", False: "no"}[value]
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _rows_html(workspace: Workspace, bank: str, rows: list[tuple[str, int]], page: int) -> str:
    most = max((number for _, number in rows), default=1)
    page = min(page, max(0, len(rows) - 1) // ROWS_PAGE)
    shown = rows[page * ROWS_PAGE : (page + 1) * ROWS_PAGE]
    head = f"{count(sum(number for _, number in rows), 'row')} from {count(len(rows), 'image')}"
    body = "".join(_row_html(workspace, bank, image, number, most) for image, number in shown)
    pager = _shared.pager(page, ROWS_PAGE, len(rows))
    return f'<p class="list-head"><strong>{head}</strong>{pager}</p><ul class="row-bars">{body}</ul>'


def _row_html(workspace: Workspace, bank: str, image: str, number: int, most: int) -> str:
    address = (_page_of(workspace, image) or ("", "#picture"))[1]
    return (
        f'<li><a href="{text(address)}"><img loading="lazy" src="{text(patch_url(bank, image))}" alt="">'
        f'<span class="row-name">{text(_name(image))}</span></a><span class="row-bar" aria-hidden="true">'
        f'<span style="width:{number / most:.1%}"></span></span><span class="row-count">{number:,}</span></li>'
    )


def _name(image: str) -> str:
    """An image's path without its data set; a candidate has no path."""
    path = PurePosixPath(image)
    return "/".join(path.parts[1:]) or f"painted {image}"


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
            self.who = gr.Textbox(visible=False)  # FORM_JS fills it in
        self.given = [self.dataset, self.positives, self.parts, self.negative, self.positive, self.size]
        self.given += [self.aspect, self.fusion, self.backbone, self.seed, self.who]
        self.outputs = [self.dataset, self.positives, self.size, self.aspect, self.start]

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
        self.job.look_after(self.start.click(begin, self.given, self.note, js=FORM_JS, **hidden))

    def rebuild(self, id: str, who: str) -> None:
        """Queue a build with the settings of that version, of what is known and decided now."""
        from exdd_core import versions

        name, spec = self.workspace.bank(id).name, versions.rebuild_spec(self.workspace, id)
        self.job.begin("build", f"Rebuilding {name}", spec | {"who": who})

    def updates(self) -> dict[Any, Any]:
        """The data sets there are, and the active one's size."""
        names = [info.name for info in self.workspace.datasets()]
        active = _shared.active_dataset(self.workspace)
        painted = active is not None and candidates.count(self.workspace, active.name, "accepted") > 0
        return {
            self.positives: list(POSITIVES)[1 if painted else 0],
            self.dataset: gr.update(choices=names, value=active.name if active else None),
            self.size: str(active.size) if active else "",
            self.aspect: active.size.keep_aspect if active else False,
            self.start: gr.update(interactive=bool(names)),
        }

    def choices(self) -> tuple[Any, Any]:
        """The fusions and backbones there are."""
        from exdd_core.detector import backbones
        from exdd_core.detector.fusion import FUSIONS

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
        dataset, positives, parts, negative, positive, size, aspect, fusion, backbone, seed, who = given
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
            "who": who,
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


# --- what the map asks ------------------------------------------------------------------------------------------


def picture(workspace: Workspace, asked: Mapping[str, str]) -> str:
    """An SVG for the address /patch: an image that the version `bank` names, with the patch at `row` and `column`
    marked. Raises BadInput."""
    from exdd_core import landscape

    patches = []
    if "row" in asked or "column" in asked:
        patches = [(_whole(asked.get("row"), "row"), _whole(asked.get("column"), "column"))]
    found = landscape.seen(workspace, asked.get("bank", ""), asked.get("image", ""), patches)
    small = thumbnail(
        read_image(found.path, found.id, found.depth), LARGE if asked.get("large") == "1" else SMALL
    )
    squares = [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for x0, y0, x1, y1 in found.boxes]
    return _shared.picture_svg(encode_jpeg(small), found.shape, squares)


def open_picture(workspace: Workspace, asked: Answer) -> Answer:
    """The map of a version (the active one where it is not there any more), by `method` if that one is made."""
    from exdd_core import landscape

    banks = {bank.id: bank for bank in workspace.banks()}
    bank = banks.get(asked.get("bank", "")) or next((b for b in banks.values() if b.active), None)
    if bank is None:
        return {"bank": None, "stamp": _stamp(workspace, "")}
    made = landscape.is_made(workspace, bank.id)
    method = "umap" if made and asked.get("method") == "umap" else "pca"
    return {
        "bank": {"id": bank.id, "name": bank.name, "active": bank.active},
        "made": made,
        "map": landscape.landscape(workspace, bank.id, method).to_json(),
        "stamp": _stamp(workspace, bank.id),
    }


def histograms(workspace: Workspace, asked: Answer) -> Answer:
    """How far normal, real and painted patches lie from both banks of the version `bank`."""
    from exdd_core import landscape

    return asdict(landscape.distances(workspace, asked["bank"]))


def image(workspace: Workspace, asked: Answer) -> Answer:
    """Where on an image all its rows in one bank come from, the chosen one first, and pages that show it."""
    from exdd_core import landscape

    chosen = (asked["row"], asked["column"])
    every = landscape.rows_of(workspace, asked["bank"], asked["image"], asked["side"])
    others = [patch for patch in every if patch != chosen]
    found = landscape.seen(workspace, asked["bank"], asked["image"], [chosen, *others])
    return {
        "url": patch_url(asked["bank"], found.id, large=True),
        "height": found.shape[0],
        "width": found.shape[1],
        "boxes": found.boxes,
        "link": _page_of(workspace, found.id),
    }


def _page_of(workspace: Workspace, id: str) -> tuple[str, str] | None:
    """Where an image can be seen in full: (title, address)."""
    try:
        return ("Open in Inspect", _shared.inspect_url(workspace.image(id).id))
    except BadInput:
        return None if id.startswith("file:") else ("Open in Curate", f"/curate?{urlencode({'id': id})}")


def drop(workspace: Workspace, asked: Answer) -> Answer:
    """Take an image out of a bank of the active version, which is the one that is shown."""
    from exdd_core import versions

    bank = workspace.bank(asked["bank"])
    if not bank.active:
        raise BadInput(f"{bank.name} is not active any more; activate it to drop images from it.")
    return {"sentence": versions.drop(workspace, asked["image"], asked["side"], _who(asked)).sentence}


def put_back(workspace: Workspace, asked: Answer) -> Answer:
    """Undo `drop`."""
    from exdd_core import versions

    return {"sentence": versions.put_back(workspace, asked["image"], _who(asked)).sentence}


def _who(asked: Answer) -> str:
    who = " ".join(str(asked.get("who", "")).split())[:40]
    if not who:
        raise BadInput("Type your name first: it stands beside what you decide.")
    return who


def order_map(workspace: Workspace, asked: Answer) -> Answer:
    """Queue the making of a map by UMAP."""
    bank = workspace.bank(asked["bank"])
    if _map_job(workspace, bank.id) is None:
        jobs.submit(workspace, "map", f"Making a map of {bank.name} by UMAP", {"bank": bank.id})
    return news(workspace, asked)


def cancel_map(workspace: Workspace, asked: Answer) -> Answer:
    job = _map_job(workspace, asked["bank"])
    if job is not None:
        jobs.cancel(workspace, job.id)
    return news(workspace, asked)


def news(workspace: Workspace, asked: Answer) -> Answer:
    """Whether the picture of the version `bank` is another now (`stamp`), and how far a map by UMAP is on its way."""
    id = asked.get("bank", "")
    job, last = _map_job(workspace, id), _last_map(workspace, id)
    return {
        "stamp": _stamp(workspace, id),
        "job": {"text": job.text, "fraction": job.fraction} if job else None,
        "failed": last.error if last and last.state == "failed" else "",
    }


def _stamp(workspace: Workspace, id: str) -> str:
    from exdd_core import landscape

    active = workspace.active_bank()
    there = any(bank.id == id for bank in workspace.banks())
    return f"{active.id if active else ''} {landscape.stamp(workspace, id) if there else ''}"


def _map_job(workspace: Workspace, bank: str) -> jobs.Job | None:
    found = jobs.listed(workspace, active=True)
    return next((job for job in found if job.kind == "map" and job.spec["bank"] == bank), None)


def _last_map(workspace: Workspace, bank: str) -> jobs.Job | None:
    found = jobs.listed(workspace)
    return next((job for job in found if job.kind == "map" and job.spec["bank"] == bank), None)
