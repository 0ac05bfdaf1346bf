"""The region of interest of the active data set: drawn, made by a threshold, or read from a file.

The editor (assets/data) runs in the browser on a copy of an image and calls the functions of this module. Knows masks
and images of the most common size. Does not know how banks use a region.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from exdd_core import images, region
from exdd_core.errors import BadInput
from exdd_core.sentences import count, percent
from exdd_core.studio.editor import COLOUR
from exdd_core.synthesis import mask_layers
from exdd_core.workspace import dataset_changes, dataset_settings, image_windows
from exdd_core.workspace.dataset_settings import set_region
from exdd_core.workspace.image_windows import Which
from pages import answers, html
from pages.data import questions
from pages.guard.uploads import uploaded
from pages.html import Answer, text
from pages.pictures import jpeg_url, png_url
from pages.who import who_of

if TYPE_CHECKING:
    from exdd_core.workspace import DatasetInfo, ImageRow, Workspace

SIDE = 1024  # pixels of the longer side of the copy that is drawn on
KEPT = 8  # masks from uploaded files that stay in memory
MOST_SHOWN = 4096  # the largest side in pixels of a picture that a browser may request


class Region:
    """The section with the editor, for the active data set."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        editor = Editor(workspace)
        functions: list[answers.Answerer] = [look, propose, take, save, remove, undo]
        column = gr.Column(visible=False, elem_classes="section", elem_id="region")
        with column as self.section, answers.folded("Region of interest"):
            self.card = answers.markup(
                "",
                js_on_load="exdd.data(element, server, { upload, watch, changed: () => trigger('act', {}) })",
                server_functions=[answers.answering(function, editor) for function in functions],
                elem_id="region-editor",
            )
        self.outputs = [self.section, self.card]

    def updates(self, info: DatasetInfo | None) -> dict[Any, Any]:
        """Update everything for the active data set."""
        if info is None:
            return {self.section: gr.update(visible=False)}
        # The editor's script reads this element whenever it changes.
        now = f'<div data-dataset="{text(info.name)}" data-state="{info.state}" hidden></div>'
        return {self.section: gr.update(visible=True), self.card: now}

    def connect(self, refresh: Any, everything: list[Any]) -> None:
        """Connect the events. refresh: updates the whole page after a change."""

        def changed() -> dict[Any, Any]:
            return refresh()

        self.card.act(changed, None, everything, **answers.HIDDEN)


class Editor:
    """The workspace, uploaded masks and the last median brightness of one app."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self._files: OrderedDict[str, tuple[np.ndarray, tuple[int, int]]] = OrderedDict()
        self._brightness: tuple[Any, np.ndarray] | None = None

    def number(self, info: DatasetInfo) -> tuple[int, int]:
        """How many images have the most common size: normal ones, and others. Raises `BadInput` where there is none."""
        size = info.commonest_size
        every = image_windows.count(self.workspace, Which(info.name, size=size))
        if not every:
            raise BadInput(
                "No image has the most common size any more; import some, or undo the last change."
            )
        normal = image_windows.count(self.workspace, Which(info.name, label="normal", size=size))
        return normal, every - normal

    def picture(self, info: DatasetInfo, index: int) -> ImageRow:
        """An image of the most common size; normal ones come first."""
        normal, _ = self.number(info)
        label, place = ("normal", index) if index < normal else ("defect", index - normal)
        which = Which(info.name, label=label, size=info.commonest_size)
        return image_windows.window(self.workspace, which, place, 1)[0]

    def brightness(self, info: DatasetInfo) -> np.ndarray:
        """As `dataset_settings.usual_brightness`, cached, since people try several thresholds."""
        about, known = (info.name, str(info.depth), info.state), self._brightness
        if known is None or known[0] != about:  # another thread may put another data set's there
            known = self._brightness = about, dataset_settings.usual_brightness(self.workspace, info.name)
        return known[1]

    def keep(self, mask: np.ndarray) -> str:
        """Keep the last few uploaded masks, bool (H, W), in memory; returns the mask's name."""
        packed = np.packbits(mask)
        name = hashlib.sha256(packed.tobytes()).hexdigest()[:16]
        self._files[name] = packed, (mask.shape[0], mask.shape[1])
        while len(self._files) > KEPT:
            self._files.popitem(last=False)
        return name

    def given(self, info: DatasetInfo, name: str) -> np.ndarray | None:
        """The mask that the editor got under a name, bool (H, W) in full size; None for ""."""
        kind, _, which = name.partition(":")
        if kind == "above":
            return self.brightness(info) > int(which)
        if kind == "file":
            found = self._files.get(which)
            if found is None:
                raise BadInput("The workbench has been restarted since the file was chosen; choose it again.")
            packed, shape = found
            return np.unpackbits(packed, count=shape[0] * shape[1]).reshape(shape).astype(bool)
        if kind == "state":
            return _region(self.workspace, info, int(which))
        return None


def _shape(info: DatasetInfo) -> tuple[int, int]:
    """(H, W) of the most common size."""
    width, height = info.commonest_size
    return height, width


def _region(workspace: Workspace, info: DatasetInfo, state: int | None = None) -> np.ndarray | None:
    mask = workspace.region(info.name, state)
    return None if mask is None else region.Region(mask).at(_shape(info))


# --- pictures ---------------------------------------------------------------------------------------------


def look(shared: Editor, asked: questions.Look) -> Answer:
    """One image as a picture to draw on, and the current region. index: of the image, modulo their number."""
    info = shared.workspace.dataset(asked.dataset)
    number = sum(shared.number(info))
    index = asked.index % number
    row = shared.picture(info, index)
    small = mask_layers.editor_copy(images.read_image(row.path, row.id, row.depth), SIDE)
    height, width = small.shape[:2]
    others = int(info.report["images"]) - number
    mask = _region(shared.workspace, info)
    return {
        "picture": jpeg_url(small, 90),
        "name": row.id.removeprefix(f"{info.name}/"),
        "label": row.defect_type or row.label,
        "index": index,
        "number": number,
        "size": [row.width, row.height],
        "shown": [width, height],
        "others": f"{count(others, 'image')} of another size: the region is stretched to fit"
        if others
        else "",
        "base": f"state:{info.state}" if mask is not None else "",
        **(_layer(mask, (height, width)) if mask is not None else {"layer": "", "share": 1.0}),
    }


def _layer(mask: np.ndarray, shown: tuple[int, int]) -> Answer:
    """A mask as a picture for the editor, and the share of the image that it covers."""
    layer = mask_layers.to_editor(mask, shown, COLOUR)
    return {"layer": png_url(layer), "share": float(mask.mean())}


def _shown(asked: questions.Propose | questions.Take) -> tuple[int, int]:
    """(h, w) of the editor's copy. Raises `BadInput` where it is too large."""
    width, height = asked.shown
    if not (0 < width <= MOST_SHOWN and 0 < height <= MOST_SHOWN):
        raise BadInput("The picture has an unsupported size; reload this page.")
    return height, width


# --- masks by threshold or file -----------------------------------------------------------------------------


def propose(shared: Editor, asked: questions.Propose) -> Answer:
    """The region where the median of normal images is brighter than a grey value."""
    info, threshold = shared.workspace.dataset(asked.dataset), asked.threshold
    return _layer(shared.brightness(info) > threshold, _shown(asked)) | {"base": f"above:{threshold}"}


def take(shared: Editor, asked: questions.Take) -> Answer:
    """Read an uploaded mask of the most common size, white in the region of interest."""
    info = shared.workspace.dataset(asked.dataset)
    mask = images.take_mask(uploaded(asked.path), _shape(info), asked.name)
    if not mask.any():
        raise BadInput(
            f"{asked.name} marks nothing: it has one value everywhere. A region is white where the image counts "
            "and black elsewhere."
        )
    return _layer(mask, _shown(asked)) | {"base": f"file:{shared.keep(mask)}"}


# --- changes --------------------------------------------------------------------------------------------------


def save(shared: Editor, asked: questions.Save) -> Answer:
    """Set the region from the editor.

    layer: a PNG of the editor's copy. base: the name of the mask that the editor started from, whose finer pixels stay
    wherever nobody changed it.
    """
    info = shared.workspace.dataset(asked.dataset)
    mask = mask_layers.from_editor(html.drawn(asked.layer), _shape(info), shared.given(info, asked.base))
    made = set_region(shared.workspace, info.name, mask, who_of(asked.who))
    said = f"Saved: {_percent(mask)} of an image counts. Existing banks keep their own region."
    return {"said": said, "state": made.state}


def _percent(mask: np.ndarray) -> str:
    share = float(mask.mean())
    return "Less than 1 %" if share < 0.01 else "More than 99 %" if share > 0.99 else percent(share)


def remove(shared: Editor, asked: questions.Owned) -> Answer:
    made = set_region(shared.workspace, asked.dataset, None, who_of(asked.who))
    said = "Removed: the whole image counts again. Existing banks keep their own region."
    return {"said": said, "state": made.state}


def undo(shared: Editor, asked: questions.Undo) -> Answer:
    """Undo the change that made `state`, unless another one followed."""
    info = shared.workspace.dataset(asked.dataset)
    if info.state != asked.state:
        raise BadInput(
            "The data set has changed again since then; its last change is under State of the data set."
        )
    return {"said": dataset_changes.undo(shared.workspace, info.name, who_of(asked.who)).sentence}
