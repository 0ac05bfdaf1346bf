"""Actions on a whole data set: undo, rename, settings, export and delete.

Knows the changes of data sets and what was made from them. Does not know single images.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import gradio as gr

from exdd_core.depth import Depth
from exdd_core.errors import BadInput
from exdd_core.mask_rules import MaskRule
from exdd_core.sentences import count
from exdd_core.workspace import dataset_changes, dataset_settings, dataset_uses, exporting, image_windows
from pages import answers, job_panel
from pages.html import text
from pages.who import NAMED_BUTTONS_JS, WHO_JS, who_of

if TYPE_CHECKING:
    from exdd_core.workspace import DatasetInfo, Workspace
    from exdd_core.workspace.dataset_states import Change

SHOWN = 12  # largest number of changes listed


class Manage:
    """A section for the active data set, and the banner that offers a rebuild after changes."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        with (
            gr.Column(visible=False, elem_classes="section", elem_id="manage") as self.section,
            answers.folded("State of the data set"),
        ):
            self.note = answers.note()
            self.states = answers.markup(js_on_load=NAMED_BUTTONS_JS, elem_id="states")
            with gr.Row():
                self.name = gr.Textbox(
                    label="Display name", info="Shown on all pages; ids keep the first name.", max_lines=1
                )
                self.depth = gr.Textbox(
                    label="Bit depth",
                    info="Bits, or black and white values such as 100-3000.",
                    max_lines=1,
                    visible=False,
                )
                self.masks = gr.Textbox(
                    label="What masks mark", info="labels or above:127, then inverted if needed.", max_lines=1
                )
            with gr.Row():
                self.type = gr.Dropdown(
                    [], label="Type to rename", info="A defect type of this data set.", min_width=160
                )
                self.kind = gr.Textbox(label="New type name", info="On all of its images.", max_lines=1)
            self.keep = gr.Button("Change", elem_id="manage-keep")
            self.actions = answers.markup(_ACTIONS, js_on_load=NAMED_BUTTONS_JS, elem_id="manage-actions")
            self.job = job_panel.JobPanel(workspace, "export_dataset")
        self.who = gr.Textbox(visible=False)
        self.fields = [self.name, self.depth, self.masks, self.type, self.kind]
        self.outputs = [self.section, self.note, self.states, *self.fields, self.actions]

    def updates(self, info: DatasetInfo | None) -> dict[Any, Any]:
        if info is None:
            return {self.section: gr.update(visible=False)}
        rule = self.workspace.dataset_row(info.name) or {}
        return {
            self.section: gr.update(visible=True),
            self.states: states_html(info, dataset_changes.changes(self.workspace, info.name)),
            self.name: info.called,
            self.depth: gr.update(value=str(info.depth or ""), visible=info.depth is not None),
            self.masks: rule.get("mask_rule") or "",
            self.type: gr.update(choices=_types(self.workspace, info), value=None),
            self.kind: "",
            self.actions: _ACTIONS,
            self.note: answers.say("info", ""),
        }

    def connect(self, refresh: Any, everything: list[Any]) -> None:
        said = answers.sentences(self.note)

        def done(sentence: str) -> dict[Any, Any]:
            return refresh() | {self.note: answers.say("done", sentence)}

        def act(event: gr.EventData) -> dict[Any, Any]:
            info = self.workspace.dataset()
            asked = answers.told(event, "act", "undo", "ask", "keep", "delete", *exporting.LAYOUTS)
            if asked == "undo":
                who = who_of(answers.told(event, "who"))
                return done(dataset_changes.undo(self.workspace, info.name, who).sentence)
            if asked == "ask":
                return {
                    self.actions: _confirm_html(info, dataset_uses.uses(self.workspace, info.name).sentence)
                }
            if asked == "keep":
                return {self.actions: _ACTIONS}
            if asked == "delete":
                return done(dataset_uses.delete(self.workspace, answers.told(event, "name")))
            self._export(info, asked)
            return {}

        def change(
            name: str, depth: str, masks: str, type: str | None, kind: str, who: str
        ) -> dict[Any, Any]:
            typed = name.strip(), depth.strip(), masks.strip(), type or "", kind.strip()
            return done(self._change(*typed, who_of(who)))

        self.states.act(said(act), None, everything, **answers.HIDDEN)
        acted = self.actions.act(said(act), None, everything, **answers.HIDDEN)
        self.job.connect(lambda: {}, [])
        self.job.look_after(acted)
        given = [*self.fields, self.who]
        whose = f"(...given) => [...given.slice(0, -1), {WHO_JS}]"
        self.keep.click(said(change), given, everything, js=whose, api_visibility="private")

    def _change(self, name: str, depth: str, masks: str, type: str, kind: str, who: str) -> str:
        info = self.workspace.dataset()
        row = self.workspace.dataset_row(info.name) or {}
        lines = []
        deeper = Depth.parse(depth) if depth and depth != str(info.depth or "") else None
        rule = MaskRule.parse(masks) if masks and masks != (row.get("mask_rule") or "") else None
        if name and name != info.called:
            lines.append(dataset_settings.rename(self.workspace, info.name, name, who).sentence)
        if deeper or rule:
            lines.append(dataset_settings.set_choices(self.workspace, info.name, who, deeper, rule).sentence)
        if kind and not type:
            raise BadInput("Choose the defect type to rename.")
        if type and kind:
            lines.append(dataset_settings.rename_type(self.workspace, info.name, type, kind, who).sentence)
        if not lines:
            raise BadInput(
                "Nothing to change; first edit the name, the bit depth, what masks mark or a type."
            )
        return " ".join(lines)

    def _export(self, info: DatasetInfo, layout: str) -> None:
        folder = self.workspace.path / "cache" / job_panel.EXPORTS
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{info.called}-{layout}.zip"
        target.unlink(missing_ok=True)  # a former export
        title = f"Exporting {info.called} as {exporting.LAYOUTS[layout]}"
        self.job.begin(
            "export_dataset", title, {"dataset": info.name, "layout": layout, "target": str(target)}
        )


def _types(workspace: Workspace, info: DatasetInfo) -> list[str]:
    return image_windows.types(workspace, image_windows.Which(info.name, label="defect"))


def due_html(workspace: Workspace) -> str:
    """The banner that offers a rebuild, "" without a reason for one."""
    sentence = dataset_changes.due(workspace)
    if not sentence:
        return ""
    return (
        f'<p class="note info" role="status"><span class="note-icon" aria-hidden="true">i</span><span>{text(sentence)} '
        '<a href="./banks">Rebuild in Banks</a></span></p>'
    )


_ACTIONS = (
    '<div class="acts">'
    + "".join(
        f'<button type="button" class="plain-button" data-act="{layout}">Export as {title}</button>'
        for layout, title in exporting.LAYOUTS.items()
    )
    + '<button type="button" class="plain-button" data-act="ask">Delete…</button></div>'
)


def _confirm_html(info: DatasetInfo, used: str) -> str:
    with_it = f", along with {used}" if used else ""
    images = count(info.report["images"], "image")
    return (
        '<div class="note error" role="alert"><span class="note-icon" aria-hidden="true">!</span>'
        f"<span>Delete {text(info.called)} with {images}{text(with_it)}? This cannot be undone.</span></div>"
        '<div class="acts"><button type="button" class="plain-button" data-act="delete"'
        f' data-name="{text(info.name)}">Delete permanently</button>'
        '<button type="button" class="plain-button" data-act="keep">Cancel</button></div>'
    )


def states_html(info: DatasetInfo, changes: list[Change]) -> str:
    """A data set's state and the changes that led to it, the newest first."""
    head = f'<p class="lead">{text(info.called)} is in state {info.state}.</p>'
    if not changes:
        return head + '<p class="aside">Nothing has changed since it was imported.</p>'
    last = next((c for c in changes if c.undone is None and c.action != "undo"), None)
    rows = "".join(_change_html(change, change is last) for change in changes[:SHOWN])
    more = f'<p class="aside">and {len(changes) - SHOWN} earlier ones</p>' if len(changes) > SHOWN else ""
    return f'{head}<ol class="changes">{rows}</ol>{more}'


def _change_html(change: Change, last: bool) -> str:
    when = datetime.fromisoformat(change.created).astimezone().strftime("%Y-%m-%d %H:%M")
    undo = '<button type="button" class="plain-button small" data-act="undo">Undo</button>' if last else ""
    gone = " gone" if change.undone is not None else ""
    back = " · undone" if change.undone is not None else ""
    return (
        f'<li class="change{gone}"><span><b>{change.state}</b> {text(change.sentence)}<span class="aside"> '
        f"{text(change.who)} · {when}{back}</span></span>{undo}</li>"
    )
