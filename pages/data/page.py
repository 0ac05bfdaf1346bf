"""The Data page: the list of data sets, the import form, and gallery and report of the active data set.

Knows the page's parts and the rows of data sets. Does not know file formats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from exdd_core import jobs
from exdd_core.sentences import count
from exdd_core.workspace import context
from pages import answers, frame, html
from pages.data.gallery import KEPT_JS, Gallery
from pages.data.importer import Importer
from pages.data.manage import Manage, due_html
from pages.data.region import Region
from pages.data.report import report_html
from pages.html import text

if TYPE_CHECKING:
    from exdd_core.workspace import DatasetInfo, Workspace

TITLE = "Data"
PATH = "/data"
HINT = "Import images, look through them, and check that no physical part is on both sides of the split."

DATASET_COLUMNS = [
    ("Name", "", ""),
    ("Images", "", "number"),
    ("Train", "normal · defect", "number"),
    ("Test", "normal · defect", "number"),
    ("Size", "", ""),
    ("Health", "", ""),
    ("", "", ""),
]


def render(workspace: Workspace) -> None:
    heading = frame.heading(TITLE, HINT)
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, min_width=560):
            sets = DatasetList(workspace)
            manage = Manage(workspace)
            gallery = Gallery(workspace)
            region = Region(workspace)
        with gr.Column(scale=4, min_width=368):
            importer = Importer(workspace, heading)
            report = answers.markup(visible=False, elem_id="report")
            due = answers.markup(visible=False, elem_id="data-due")  # last: it comes and goes
    everything = [
        due,
        *sets.outputs,
        *manage.outputs,
        *gallery.outputs,
        *region.outputs,
        *importer.outputs,
        report,
    ]

    def refresh(kept: str = "") -> dict[Any, Any]:
        info = workspace.active_dataset()
        shown = gr.update(visible=info is not None, value=report_html(info) if info else "")
        banner = due_html(workspace)
        updates = {due: gr.update(value=banner, visible=bool(banner)), report: shown}
        for part in (sets, importer):
            updates |= part.updates()
        for section in (manage, region):
            updates |= section.updates(info)
        return updates | gallery.updates(info, kept)

    def imported() -> dict[Any, Any]:
        with context.working_on(importer.newest()):
            return refresh()

    importer.connect(imported, everything, sets.updates, sets.outputs)
    sets.connect(refresh, everything, importer)
    manage.connect(refresh, everything)
    gallery.connect(refresh, everything)
    region.connect(refresh, everything)
    said = answers.sentences(sets.note, clears=False)
    answers.on_load(said(refresh), inputs=gallery.kept, outputs=everything, js=KEPT_JS)


# --- the data sets --------------------------------------------------------------------------------------


class DatasetList:
    """The table of data sets. Opening one lets the tab work on it, and those that are opened later."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.table = answers.markup(elem_id="datasets", js_on_load=answers.BUTTONS_JS + answers.GROWING_JS)
        self.note = answers.note()
        self.outputs = [self.table, self.note]

    def updates(self) -> dict[Any, Any]:
        infos = self.workspace.datasets()
        found = jobs.coming(self.workspace, ["demo", "import"], [info.created for info in infos])
        coming = [job.title for job in found if not job.spec.get("into")]
        return {self.table: _datasets_html(infos, self.workspace.active_name(), coming)}

    def connect(self, refresh: Any, outputs: list[Any], importer: Importer) -> None:
        @answers.sentences(self.note)
        def act(event: gr.EventData) -> dict[Any, Any]:
            if answers.told(event, "act") == "demo":
                importer.make_demo()
                return {}
            name = answers.told(event, "name")
            self.workspace.activate_dataset(name)
            with context.working_on(name):
                return refresh()

        acted = self.table.act(act, None, outputs, **answers.HIDDEN)
        importer.job.look_after(acted)


def _datasets_html(infos: list[DatasetInfo], active: str | None, coming: list[str]) -> str:
    """coming: what data sets on their way are called, each of which has its row already."""
    if not infos and not coming:
        action = '<button type="button" class="main-button" data-act="demo">Create demo images</button>'
        hint = (
            "Import a folder or a zip file with the form on this page, or let ExDD draw images to try it out."
        )
        return html.empty("No data sets yet", hint, action)
    head = f'<p class="list-head"><strong>{count(len(infos), "data set")}</strong></p>'
    rows = [html.coming_row(title, len(DATASET_COLUMNS)) for title in coming]
    rows += [_dataset_row(info, info.name == active) for info in infos]
    return head + html.table(DATASET_COLUMNS, rows)


def _dataset_row(info: DatasetInfo, active: bool) -> str:
    sides = "".join(
        f'<td class="number">{_cell(info, split, "normal")} · {_cell(info, split, "defect")}</td>'
        for split in ("train", "test")
    )
    healthy = info.report["healthy"]
    health = "✓ healthy" if healthy else "! see report"
    name = f'<strong>{text(info.called)}</strong><span class="under">{text(info.title)}</span>'
    last = '<span class="tag active">active</span>'
    if not active:
        label = f'aria-label="Open {text(info.called)}"'
        button = f'data-act="open" data-name="{text(info.name)}" {label}'
        last = f'<button type="button" class="plain-button small" {button}>Open</button>'
    selected, images = ' class="selected"' if active else "", f"{info.report['images']:,}"
    return f"""<tr{selected}><td class="named">{name}</td><td class="number">{images}</td>{sides}
<td>{text(info.size)}</td><td class="whole">{health}</td><td class="end">{last}</td></tr>"""


def _cell(info: DatasetInfo, split: str, label: str) -> str:
    return f"{info.counts[split][label]:,}"
