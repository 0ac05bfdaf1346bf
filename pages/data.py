"""The Data page: the data sets, import with a preview of the split, a gallery with filters, the integrity report.

It asks `datasets` what a folder would become and the workspace to import it; it knows no file formats.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import gradio as gr

from exdd_core import datasets, tasks
from exdd_core.datasets import GroupRule, Record
from exdd_core.errors import BadInput
from exdd_core.images import Size
from pages import _shared
from pages._shared import count, text

if TYPE_CHECKING:
    from exdd_core.workspace import DatasetInfo, ImageRow, Preview, Workspace

TITLE = "Data"
PATH = "/data"
HINT = "Bring images, look through them, and check that no physical part is on both sides of the split."

FOLDER, ZIP = "A folder on this machine", "A zip file to upload"
ALL, BOTH = "All", "Both"
SPLITS = {ALL: None, "Training": "train", "Test": "test"}
LABELS = {BOTH: None, "Normal": "normal", "Defect": "defect"}
ALL_TYPES = "All types"
DATASET_COLUMNS = [
    ("Name", "", ""),
    ("Images", "", "number"),
    ("Train", "normal · defect", "number"),
    ("Test", "normal · defect", "number"),
    ("Size", "", ""),
    ("Health", "", ""),
    ("", "", ""),
]
PAGE_SIZE = 60
PAIRS_SHOWN = 12

# What a person chooses -> the kind of a GroupRule; "" is one group an image.
GROUPINGS = {
    "Every image is a part of its own": "",
    "Subfolders are parts": "subfolder",
    "A CSV file says (path,group)": "csv",
    "A pattern on the file name": "pattern",
}
GROUP_HELP = {
    "csv": ("CSV file on this machine", "Columns path and group; paths relative to the folder."),
    "pattern": ("Pattern", "A regular expression; its first bracket is the part, such as (part\\d+)_"),
}


def render(workspace: Workspace) -> None:
    _shared.heading(TITLE, HINT)
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, min_width=560):
            sets = DatasetList(workspace)
            gallery = Gallery(workspace)
        with gr.Column(scale=4, min_width=368):
            importer = Importer(workspace)
            report = _shared.markup(visible=False, elem_id="report")
    everything = [*sets.outputs, *gallery.outputs, report]

    def refresh() -> dict[Any, Any]:
        info = _shared.active_dataset(workspace)
        shown = gr.update(visible=info is not None, value=_report_html(info) if info else "")
        return sets.updates() | gallery.updates(info) | {report: shown}

    importer.connect(refresh, everything)
    sets.connect(refresh, everything, importer)
    gallery.connect()
    _shared.on_load(_shared.sentences(sets.note)(refresh), outputs=everything)


# --- the data sets --------------------------------------------------------------------------------------


class DatasetList:
    """The table of data sets; opening one makes it the active one, which gallery, banks and Inspect use."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.table = _shared.buttons(elem_id="datasets")
        self.note = _shared.note()
        self.outputs = [self.table, self.note]

    def updates(self) -> dict[Any, Any]:
        active = self.workspace.setting("active_dataset")
        return {self.table: _datasets_html(self.workspace.datasets(), active)}

    def connect(self, refresh: Any, outputs: list[Any], importer: Importer) -> None:
        @_shared.sentences(self.note)
        def act(event: gr.EventData) -> dict[Any, Any]:
            if event.act == "demo":
                importer.make_demo()
                return {}
            self.workspace.activate_dataset(event.name)
            return refresh()

        acted = self.table.act(act, None, outputs, show_progress="hidden", api_visibility="private")
        importer.job.look_after(acted)


def _datasets_html(infos: list[DatasetInfo], active: str | None) -> str:
    if not infos:
        action = '<button type="button" class="main-button" data-act="demo">Make demo images</button>'
        hint = (
            "Import a folder or a zip file with the form beside this, or let ExDD draw images to try it on."
        )
        return _shared.empty("No data sets yet", hint, action)
    head = f'<p class="list-head"><strong>{count(len(infos), "data set")}</strong></p>'
    return head + _shared.table(DATASET_COLUMNS, [_dataset_row(info, info.name == active) for info in infos])


def _dataset_row(info: DatasetInfo, active: bool) -> str:
    sides = "".join(
        f'<td class="number">{_cell(info, split, "normal")} · {_cell(info, split, "defect")}</td>'
        for split in ("train", "test")
    )
    healthy = info.report["healthy"]
    health = "✓ healthy" if healthy else "! see report"
    name = f'<strong>{text(info.name)}</strong><span class="under">{text(info.title)}</span>'
    last = '<span class="tag active">active</span>'
    if not active:
        label = f'aria-label="Open {text(info.name)}"'
        button = f'data-act="open" data-name="{text(info.name)}" {label}'
        last = f'<button type="button" class="plain-button small" {button}>Open</button>'
    return f"""<tr{' class="selected"' if active else ""}><td>{name}</td><td class="number">{_total(info):,}</td>{sides}
<td>{text(info.size)}</td><td class="whole">{health}</td><td class="end">{last}</td></tr>"""


def _cell(info: DatasetInfo, split: str, label: str) -> str:
    return f"{info.counts[split][label]:,}"


def _total(info: DatasetInfo) -> int:
    return int(info.report["images"])


# --- import ---------------------------------------------------------------------------------------------


class Importer:
    """The form that imports, in two steps: choose a source; see what it would become, correct that, import it."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        with gr.Column(elem_id="import", elem_classes="card form-card"):
            _shared.markup('<h2 class="card-title">Import images</h2>')
            self._build_source()
            self._build_preview()
            self.note = _shared.note()
            self.job = _shared.JobPanel(workspace, "import", "demo")
        self.origin = [self.kind, self.path, self.file]
        self.settings = [
            self.layout,
            self.grouping,
            self.rule,
            self.name,
            self.width,
            self.height,
            self.aspect,
        ]

    def _build_source(self) -> None:
        with gr.Column(elem_classes="form-step") as self.source:
            self.kind = gr.Radio([FOLDER, ZIP], value=FOLDER, label="Where are the images?")
            self.path = gr.Textbox(
                label="Folder",
                info="The one that holds the images. A .zip file on this machine will do, too.",
                placeholder="/home/me/parts",
                max_lines=1,
                elem_id="import-path",
            )
            zip_file: dict[str, Any] = {"file_types": [".zip"], "type": "filepath", "height": 128}
            self.file = gr.File(label="Zip file", visible=False, elem_id="import-file", **zip_file)
            self.look = gr.Button("Look at it", variant="primary", elem_id="import-look")

    def _build_preview(self) -> None:
        layouts = [("Guess", "auto"), *((module.TITLE, name) for name, module in datasets.LAYOUTS.items())]
        with gr.Column(visible=False, elem_classes="form-step", elem_id="import-preview") as self.preview:
            self.summary = _shared.markup()
            with gr.Row():
                self.name = gr.Textbox(label="Name", info="For this workspace.", max_lines=1, min_width=120)
                self.layout = gr.Dropdown(
                    layouts, value="auto", label="Layout", info="How the folder is arranged.", min_width=160
                )
            self.grouping = gr.Dropdown(
                list(GROUPINGS),
                value=next(iter(GROUPINGS)),
                label="Which images show the same physical part?",
                info="Images of one part never go to both training and test.",
            )
            self.rule = gr.Textbox(label="Rule", visible=False, max_lines=1)
            with gr.Row():
                self.width = gr.Number(label="Width", info="Pixels, for banks.", precision=0, min_width=96)
                self.height = gr.Number(label="Height", info="Pixels, for banks.", precision=0, min_width=96)
            self.aspect = gr.Checkbox(
                label="Keep the aspect ratio",
                info="Fit images into this size instead of stretching them to it.",
            )
            with gr.Row():
                self.back = gr.Button("Another source", elem_id="import-back", min_width=96)
                self.start = gr.Button("Import", variant="primary", elem_id="import-start", min_width=160)

    def connect(self, refresh: Any, outputs: list[Any]) -> None:
        plain: dict[str, Any] = {"api_visibility": "private"}
        hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        shown = [self.note, self.source, self.preview, self.summary, self.start, *self.settings]
        said = _shared.sentences(self.note)

        self.kind.input(_fields_of_source, self.kind, [self.path, self.file], **hidden)
        gr.on([self.look.click, self.path.submit], said(self._look), self.origin, shown, **plain)
        asked = [*self.origin, self.layout, self.grouping, self.rule]
        again = [self.layout.input, self.grouping.input, self.rule.submit, self.rule.blur]
        gr.on(again, said(self._look_again), asked, shown, **hidden)
        self.back.click(self._back, None, shown, **hidden)
        given = [*self.origin, *self.settings]
        self.job.connect(refresh, outputs)
        self.job.look_after(self.start.click(said(self._begin), given, shown, **hidden))

    def _look(self, kind: str, path: str, file: str | None) -> dict[Any, Any]:
        """Show what the source would become, with everything at its defaults."""
        preview = self.workspace.preview_dataset(_chosen(kind, path, file))
        return self._shown(preview) | {
            self.source: gr.update(visible=False),
            self.preview: gr.update(visible=True),
            self.name: preview.name,
            self.layout: "auto",
            self.grouping: gr.update(value=next(iter(GROUPINGS)), visible=_is_plain(preview)),
            self.rule: gr.update(value="", visible=False),
            self.width: preview.size.width,
            self.height: preview.size.height,
            self.aspect: preview.size.keep_aspect,
        }

    def _look_again(
        self, kind: str, path: str, file: str | None, layout: str, grouping: str, rule: str
    ) -> dict[Any, Any]:
        """The same source with another layout or other groups."""
        field = _rule_field(grouping)
        if GROUPINGS[grouping] in GROUP_HELP and not rule.strip():
            return {self.rule: field}  # the rule is still to be typed
        groups = _group_rule(layout, grouping, rule)
        preview = self.workspace.preview_dataset(_chosen(kind, path, file), layout=layout, groups=groups)
        plain = _is_plain(preview)
        grouping_field = {
            self.grouping: gr.update(visible=plain),
            self.rule: field if plain else gr.update(visible=False),
        }
        return self._shown(preview) | grouping_field

    def _shown(self, preview: Preview) -> dict[Any, Any]:
        label = f"Import {count(len(preview.records), 'image')}"
        return {self.summary: _preview_html(preview), self.start: gr.update(value=label)}

    def _back(self) -> dict[Any, Any]:
        return {self.source: gr.update(visible=True), self.preview: gr.update(visible=False)}

    def _begin(self, *values: Any) -> dict[Any, Any]:
        kind, path, file, layout, grouping, rule, name, width, height, keep_aspect = values
        source = _chosen(kind, path, file)
        size = Size.parse(f"{width}x{height}", keep_aspect)
        groups = _group_rule(layout, grouping, rule)

        spec = tasks.import_spec(name.strip() or None, layout, size, groups)
        title = f"Importing {name.strip() or PurePosixPath(source).name}"
        if kind == ZIP:
            self.job.begin("import", title, spec, upload=Path(source))
        else:
            self.job.begin("import", title, spec | {"source": str(Path(source).expanduser().resolve())})
        return self._back()

    def make_demo(self) -> None:
        """For who has no images yet: generated ones and a first bank version, as a job like any other."""
        self.job.begin("demo", "Making demo images", {})


def _fields_of_source(kind: str) -> tuple[Any, Any]:
    return gr.update(visible=kind == FOLDER), gr.update(visible=kind == ZIP)


def _is_plain(preview: Preview) -> bool:
    """Whether the layout leaves it to people to say which images show one part."""
    return preview.layout == datasets.folder.NAME


def _chosen(kind: str, path: str, file: str | None) -> str:
    if kind == ZIP:
        if not file:
            raise BadInput("No zip file yet; drop one into the field or click it to choose one.")
        return file
    if not path.strip():
        raise BadInput("No folder yet; type the path of the folder that holds the images.")
    return path.strip()


def _group_rule(layout: str, grouping: str, rule: str) -> GroupRule | None:
    kind = GROUPINGS[grouping]
    if not kind or layout not in ("auto", datasets.folder.NAME):
        return None
    return GroupRule.parse(kind if kind == "subfolder" else f"{kind}:{rule.strip()}")


def _rule_field(grouping: str) -> Any:
    label, info = GROUP_HELP.get(GROUPINGS[grouping], ("", ""))
    return gr.update(visible=bool(label), label=label, info=info)


def _preview_html(preview: Preview) -> str:
    """Layout, the split by label with parts on each side, and what is missing, before anything is made."""
    records = preview.records
    sides = {"train": "Training", "test": "Test"}
    rows = "".join(
        f'<tr><th scope="row">{title}</th>'
        + "".join(f'<td class="number">{_of(records, split, label):,}</td>' for label in ("normal", "defect"))
        + f'<td class="number">{len({r.group for r in records if r.split == split}):,}</td></tr>'
        for split, title in sides.items()
    )
    types = Counter(r.defect_type for r in records if r.label == "defect")
    lines = (
        [f"Types of defect: {', '.join(f'{name} ({n})' for name, n in types.most_common())}."]
        if types
        else []
    )
    bare = sum(1 for r in records if r.label == "defect" and r.mask is None)
    if bare:
        lines.append(f"{count(bare, 'defective image')} without a mask: they are tested, but teach nothing.")
    if not types:
        lines.append("No defective images: ExDD will work as PatchCore does until it has some.")
    return f"""<h2 class="card-title">What it would become</h2>
<p class="lead">{text(preview.title)}: {count(len(records), "image")}</p>
<table class="table compact"><thead><tr><th></th><th class="number">Normal</th><th class="number">Defect</th>
<th class="number">Parts</th></tr></thead><tbody>{rows}</tbody></table>
{"".join(f'<p class="aside">{text(line)}</p>' for line in lines)}"""


def _of(records: list[Record], split: str, label: str) -> int:
    return sum(1 for record in records if (record.split, record.label) == (split, label))


# --- gallery and report -----------------------------------------------------------------------------------


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
        return _gallery_html(rows, _total(info), page)


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


def _report_html(info: DatasetInfo) -> str:
    """The integrity report: its sentences, then every file that they are about."""
    report = info.report
    verdict = "✓ Nothing to worry about" if report["healthy"] else "! Something to look at"
    sentences = "".join(f"<li>{text(sentence)}</li>" for sentence in report["sentences"])
    return f"""<div class="card padded"><h3 class="card-title">Integrity of {text(info.name)}</h3>
<p class="lead">{verdict}</p><ul class="sentences">{sentences}</ul>{_files_html(info)}</div>"""


def _files_html(info: DatasetInfo) -> str:
    report, masks = info.report, info.report["masks"]
    lists = [
        ("Cannot be read", report["unreadable"]),
        ("Defect without a mask", masks["missing"]),
        ("Empty mask", masks["empty"]),
        ("Mask of another size", masks["wrong_size"]),
        ("Mask cannot be used", masks["unreadable"]),
    ]
    parts = [_file_list(f"{title}: {count(len(files), 'image')}", files) for title, files in lists if files]
    pairs = report["near_duplicates"]["listed"]
    if pairs:
        shown = "".join(_pair_html(info.name, pair) for pair in pairs[:PAIRS_SHOWN])
        more = f", the first {PAIRS_SHOWN}" if len(pairs) > PAIRS_SHOWN else ""
        title = f"Look like one part: {count(len(pairs), 'pair')} of groups{more}"
        parts.append(f'<details class="files"><summary>{title}</summary>{shown}</details>')
    return "".join(parts)


def _file_list(title: str, files: list[Any]) -> str:
    """`files`: paths, or {path, reason}."""
    items = "".join(
        f"<li>{text(file)}</li>"
        if isinstance(file, str)
        else f"<li>{text(file['path'])}: {text(file['reason'])}</li>"
        for file in files
    )
    return f'<details class="files"><summary>{text(title)}</summary><ul>{items}</ul></details>'


def _pair_html(dataset: str, pair: dict[str, Any]) -> str:
    pictures = "".join(
        f'<a href="{_shared.inspect_url(f"{dataset}/{path}")}" title="{text(path)}"><img loading="lazy"'
        f' src="{_shared.thumbnail_url(f"{dataset}/{path}")}" alt="{text(path)}"></a>'
        for path in pair["images"]
    )
    where = "one in training, one in test" if pair["across_split"] else "on the same side of the split"
    names = " and ".join(PurePosixPath(path).name for path in pair["images"])
    return f'<div class="pair">{pictures}<p class="aside">{text(names)}: {where}</p></div>'
