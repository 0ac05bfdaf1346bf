"""The import form, in two steps: choose a source; then check the preview, answer questions and import.

Knows Gradio, previews and jobs. Does not know file formats.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import gradio as gr

from exdd_core import datasets, jobs, sentences
from exdd_core.datasets import Choices, GroupRule
from exdd_core.depth import Depth
from exdd_core.errors import BadInput
from exdd_core.images import Size
from exdd_core.jobs.specs import ImportSpec
from exdd_core.mask_rules import MaskRule
from exdd_core.progress import Progress
from exdd_core.workspace.imports import check_name, preview_dataset
from pages import answers, job_panel
from pages.data.preview import asked_of, details_html, questions_html, summary_html
from pages.guard.uploads import allowed_path
from pages.who import WHO_JS, who_of

if TYPE_CHECKING:
    from exdd_core.workspace import DatasetPreview, Workspace

FOLDER, ZIP = "A folder on this machine", "A zip file to upload"

# A person's choice -> the kind of a GroupRule; "" is one group for each image.
GROUPINGS = {
    "Each image is its own part": "",
    "Subfolders are parts": "subfolder",
    "Listed in a CSV file (path,group)": "csv",
    "A pattern in the file name": "pattern",
}
GROUP_HELP = {
    "csv": ("CSV file on this machine", "Columns path and group; paths relative to the folder."),
    "pattern": ("Pattern", "A regular expression; its first group is the part, such as (part\\d+)_"),
}
NEW = ""  # in place of a data set's name: a new one
AS_FOUND = ""  # the value of a field that keeps the guess
DEPTHS = ["8", "10", "12", "14", "16"]
MASK_RULES = [
    ("Every value but 0 is a defect (labels)", "labels"),
    ("Values above 127 are a defect", "above:127"),
    ("Values above 127 are normal (inverted)", "above:127 inverted"),
    ("Only 0 is a defect (inverted)", "labels inverted"),
]


class Importer:
    """The card with the form; `job` shows the progress of the import in the row of the page's heading."""

    def __init__(self, workspace: Workspace, heading: gr.Row):
        self.workspace = workspace
        with gr.Column(elem_id="import", elem_classes="card form-card"):
            answers.markup('<h2 class="card-title">Import images</h2>')
            self._build_source()
            self._build_preview()
            with gr.Column(elem_classes="form-foot"):
                self.note = answers.note()
                self.look = gr.Button("Preview", variant="primary", elem_id="import-look")
                with gr.Row(visible=False) as self.ends:
                    self.back = gr.Button("Another source", elem_id="import-back", min_width=96)
                    self.start = gr.Button("Import", variant="primary", elem_id="import-start", min_width=160)
        with heading, gr.Column(elem_classes="heading-job"):
            self.job = job_panel.JobPanel(workspace, "import", "demo")
        # What is shown, and whether in the second step or in the first.
        self.steps = {self.source: False, self.look: False, self.preview: True, self.ends: True}
        self.origin = [self.kind, self.path, self.file]
        self.said = [self.layout, self.grouping, self.rule, self.roles, self.depth, self.masks]
        self.settings = [*self.said, self.name, self.width, self.height, self.aspect, self.into]
        self.who = gr.Textbox(visible=False)
        self.outputs = [self.into]

    def updates(self) -> dict[Any, Any]:
        """The data sets that images may join."""
        known = [(f"Add to {info.called}", info.name) for info in self.workspace.datasets()]
        return {self.into: gr.update(choices=[("A new data set", NEW), *known], visible=bool(known))}

    def _build_source(self) -> None:
        with gr.Column(elem_classes="form-step") as self.source:
            self.kind = gr.Radio([FOLDER, ZIP], value=FOLDER, label="Where are the images?")
            self.path = gr.Textbox(
                label="Folder",
                info="The folder with the images, or a .zip file on this machine.",
                placeholder="/home/me/parts",
                max_lines=1,
                elem_id="import-path",
            )
            self.file = gr.File(
                label="Zip file",
                visible=False,
                elem_id="import-file",
                file_types=[".zip"],
                type="filepath",
                height=128,
            )

    def _build_preview(self) -> None:
        layouts = [("Detect", "auto"), *((module.TITLE, name) for name, module in datasets.LAYOUTS.items())]
        with gr.Column(visible=False, elem_classes="form-step", elem_id="import-preview") as self.preview:
            self.summary = answers.markup()
            self.questions = answers.buttons(visible=False, elem_id="import-questions")
            self.details = answers.markup()
            self.roles = gr.JSON({}, visible=False)
            self.into = gr.Dropdown(
                [("A new data set", NEW)],
                value=NEW,
                label="Destination",
                info="Images added to a data set are read like its own; known parts stay in their split.",
                visible=False,
                elem_id="import-into",
            )
            with gr.Row():
                self.name = gr.Textbox(label="Name", info="For this workspace.", max_lines=1, min_width=120)
                self.layout = gr.Dropdown(
                    layouts, value="auto", label="Layout", info="How the folder is arranged.", min_width=160
                )
            self._build_reading()
            self.grouping = gr.Dropdown(
                list(GROUPINGS),
                value=next(iter(GROUPINGS)),
                label="Which images show the same physical part?",
                info="They stay on one side of the split, unless folders put them on both; the report then names them.",
            )
            self.rule = gr.Textbox(label="Rule", visible=False, max_lines=1)
            self.read = gr.Textbox(visible=False)  # the rule that the preview was made by
            with gr.Row() as self.sizes:
                self.width = gr.Number(label="Width", info="Pixels, for banks.", precision=0, min_width=96)
                self.height = gr.Number(label="Height", info="Pixels, for banks.", precision=0, min_width=96)
            self.aspect = gr.Checkbox(
                label="Keep the aspect ratio",
                info="Fit images into this size instead of stretching them to it.",
            )

    def _build_reading(self) -> None:
        """Fields for masks and bit depth, shown only where a source leaves these open."""
        self.masks = gr.Dropdown(
            MASK_RULES,
            label="What masks mark",
            info="The same for all masks.",
            visible=False,
            elem_id="import-masks",
        )
        self.depth = gr.Dropdown(
            DEPTHS,
            label="Bit depth",
            info="Bits per channel, or black and white values such as 100-3000; the same for all images.",
            allow_custom_value=True,
            visible=False,
            elem_id="import-depth",
        )

    def connect(self, refresh: Any, outputs: list[Any], begun: Any, listed: list[Any]) -> None:
        """refresh: updates `outputs` when an import has ended; begun: updates `listed` when one was ordered."""
        shown = [
            self.note,
            *self.steps,
            self.summary,
            self.questions,
            self.details,
            self.start,
            self.sizes,
            self.read,
            *self.settings,
        ]
        said = answers.sentences(self.note)

        self.kind.input(_fields_of_source, self.kind, [self.path, self.file], **answers.HIDDEN)
        gr.on([self.look.click, self.path.submit], said(self._look), self.origin, shown, **answers.PRIVATE)
        asked = [*self.origin, *self.said]
        again = [self.layout.input, self.grouping.input, self.rule.submit]
        again += [self.depth.input, self.masks.input]
        # What is chosen while a preview is made counts after it: by default Gradio drops it.
        last: Any = {**answers.HIDDEN, "trigger_mode": "always_last"}
        gr.on(again, said(self._look_again), asked, shown, **last)
        self.rule.blur(said(self._left), [self.read, *asked], shown, **answers.HIDDEN)
        self.questions.act(said(self._answer), asked, shown, **answers.HIDDEN)
        self.back.click(self._step, None, shown, **answers.HIDDEN)
        own = [self.name, self.sizes, self.aspect]
        self.into.input(
            lambda into: [gr.update(visible=into == NEW)] * len(own), self.into, own, **answers.HIDDEN
        )
        given = [*self.origin, *self.settings, self.who]
        whose = f"(...given) => [...given.slice(0, -1), {WHO_JS}]"
        self.job.connect(refresh, outputs)

        # In one answer: a list that comes by a later event could replace the one that the end of a short import brings.
        def begin(*values: Any) -> dict[Any, Any]:
            return self._begin(*values) | begun()

        ordered = self.start.click(said(begin), given, [*shown, *listed], js=whose, **answers.QUIET)
        self.job.look_after(ordered).then(None, js=job_panel.SEEN_JS)

    # --- preview ---------------------------------------------------------------------------------------------

    def _look(
        self,
        kind: str,
        path: str,
        file: str | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> dict[Any, Any]:
        """Preview a source with all choices at their defaults."""
        preview = self._previewed(_chosen(kind, path, file), Choices(), progress)
        return self._shown(preview, {}) | {
            **self._step(second=True),
            self.name: gr.update(value=preview.name, visible=True),
            self.sizes: gr.update(visible=True),
            self.into: NEW,
            self.layout: "auto",
            self.grouping: gr.update(value=next(iter(GROUPINGS)), visible=_takes_groups(preview)),
            self.rule: gr.update(value="", visible=False),
            self.read: "",
            self.depth: _depth_field(preview),
            self.masks: _mask_field(preview),
            self.width: preview.size.width,
            self.height: preview.size.height,
            self.aspect: gr.update(value=preview.size.keep_aspect, visible=True),
        }

    def _look_again(self, *values: Any) -> dict[Any, Any]:
        """Preview the same source with another layout, other groups, another depth or another rule for masks."""
        kind, path, file, layout, grouping, rule, roles, depth, masks = values
        field = _rule_field(grouping)
        if GROUPINGS[grouping] in GROUP_HELP and not rule.strip():
            return {self.rule: field}  # the rule is not typed yet
        choices = _choices(layout, grouping, rule, roles, depth, masks)
        preview = self._previewed(_chosen(kind, path, file), choices)
        takes = _takes_groups(preview)
        return self._shown(preview, roles) | {
            self.read: rule,
            self.grouping: gr.update(visible=takes),
            self.rule: field if takes else gr.update(visible=False),
            self.depth: gr.update(visible=_is_deep(preview)),
            self.masks: gr.update(visible=_has_masks(preview)),
        }

    def _left(self, read: str, *values: Any) -> dict[Any, Any]:
        """Preview again with a rule that was typed without Enter. With the same one, what was said since stays."""
        return {self.note: gr.skip()} if read == values[5] else self._look_again(*values)

    def _answer(
        self,
        kind: str,
        path: str,
        file: str | None,
        layout: str,
        grouping: str,
        rule: str,
        roles: dict[str, str],
        depth: str,
        masks: str,
        event: gr.EventData,
    ) -> dict[Any, Any]:
        """Set the role of a folder's images, or unset it by a second click."""
        meant, chosen = answers.told(event, "folder"), answers.told(event, "role")
        others = {folder: role for folder, role in roles.items() if folder != meant}
        if roles.get(meant) != chosen:
            others[meant] = chosen
        return self._look_again(kind, path, file, layout, grouping, rule, others, depth, masks)

    def _previewed(self, source: str, choices: Choices, bar: gr.Progress | None = None) -> DatasetPreview:
        def show(progress: Progress) -> None:
            if bar is not None and progress.total:
                bar((progress.done, progress.total), desc=progress.stage, unit="files")

        return preview_dataset(self.workspace, source, progress=Progress(show), choices=choices)

    def _shown(self, preview: DatasetPreview, roles: dict[str, str]) -> dict[Any, Any]:
        asked = asked_of(preview, roles)
        ready = any(record.label == datasets.NORMAL for record in preview.records)
        label = (
            f"Import {sentences.count(len(preview.records), 'image')}"
            if ready
            else "Choose the normal images"
        )
        return {
            self.summary: summary_html(preview),
            self.details: details_html(preview),
            self.questions: gr.update(value=questions_html(asked, roles), visible=bool(asked)),
            self.roles: roles,
            self.start: gr.update(value=label, interactive=ready),
        }

    def _step(self, second: bool = False) -> dict[Any, Any]:
        """Show the first step's components, or the second's."""
        return {part: gr.update(visible=second == own) for part, own in self.steps.items()}

    # --- import ----------------------------------------------------------------------------------------------

    def _begin(self, *values: Any) -> dict[Any, Any]:
        kind, path, file, layout, grouping, rule, roles, depth, masks, *own = values
        name, width, height, keep_aspect, into, who = own
        source, is_taken = _chosen(kind, path, file), False
        choices = _choices(layout, grouping, rule, roles, depth, masks)
        if into != NEW:
            spec = ImportSpec.of(None, None, choices, into, who_of(who)).to_json()
            title = f"Adding {PurePosixPath(source).name} to {self.workspace.dataset(into).called}"
        else:
            size = Size.parse(f"{width}x{height}", keep_aspect)
            is_taken = check_name(self.workspace, Path(source), name.strip() or None)
            spec = ImportSpec.of(name.strip() or None, size, choices).to_json()
            title = f"Importing {name.strip() or PurePosixPath(source).name}"
        if kind == ZIP:
            self.job.begin("import", title, spec, upload=Path(source))
        else:
            self.job.begin("import", title, spec | {"source": str(Path(source).expanduser().resolve())})
        # Images of a name that is taken may be refused only once they are read: the form then stays for another name.
        return {} if is_taken else self._step()

    def newest(self) -> str:
        """The data set that the last job brought in, "" for none."""
        done = [
            job for job in jobs.listed(self.workspace) if job.kind in self.job.kinds and job.state == "done"
        ]
        return str((done[0].result or {}).get("dataset", "")) if done else ""

    def make_demo(self) -> None:
        """Queue the job that makes demo images and a first bank version, for people without images."""
        self.job.begin("demo", "Creating demo images", {})


# --- fields ---------------------------------------------------------------------------------------------------


def _fields_of_source(kind: str) -> tuple[Any, Any]:
    return gr.update(visible=kind == FOLDER), gr.update(visible=kind == ZIP)


def _takes_groups(preview: DatasetPreview) -> bool:
    """Whether people may say which images of this layout show one part."""
    return hasattr(datasets.LAYOUTS[preview.layout], "GROUPS")


def _is_deep(preview: DatasetPreview) -> bool:
    return preview.report["depth"] is not None


def _has_masks(preview: DatasetPreview) -> bool:
    return bool(preview.report["mask_rule"]["sentence"])


def _depth_field(preview: DatasetPreview) -> Any:
    """The field for the bit depth, with the guess as its value; hidden unless images have more than 8 bits."""
    found = preview.report["depth"]
    if found is None:
        return gr.update(value=AS_FOUND, visible=False)
    return gr.update(
        choices=[(f"Detected: {found['title']}", AS_FOUND), *DEPTHS], value=AS_FOUND, visible=True
    )


def _mask_field(preview: DatasetPreview) -> Any:
    found = preview.report["mask_rule"]["rule"]
    choices = [(f"Detected: {found}", AS_FOUND), *MASK_RULES]
    return gr.update(choices=choices, value=AS_FOUND, visible=_has_masks(preview))


def _chosen(kind: str, path: str, file: str | None) -> str:
    if kind == ZIP:
        if not file:
            raise BadInput("No zip file selected; drop one into the field or click it to choose one.")
        return file
    if not path.strip():
        raise BadInput("No folder selected; enter the path of the folder with the images.")
    return allowed_path(path.strip())


def _choices(layout: str, grouping: str, rule: str, roles: dict[str, str], depth: str, masks: str) -> Choices:
    return Choices(
        layout,
        _group_rule(layout, grouping, rule),
        roles,
        Depth.parse(str(depth)) if depth else None,
        MaskRule.parse(masks) if masks else None,
    )


def _group_rule(layout: str, grouping: str, rule: str) -> GroupRule | None:
    kind = GROUPINGS[grouping]
    if not kind or (layout != "auto" and not hasattr(datasets.LAYOUTS[layout], "GROUPS")):
        return None
    value = allowed_path(rule.strip()) if kind == "csv" and rule.strip() else rule.strip()
    return GroupRule.parse(kind if kind == "subfolder" else f"{kind}:{value}")


def _rule_field(grouping: str) -> Any:
    label, info = GROUP_HELP.get(GROUPINGS[grouping], ("", ""))
    return gr.update(visible=bool(label), label=label, info=info)
