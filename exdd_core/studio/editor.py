"""The data of a mask editor: pictures to paint on, masks, and real defects to place.

Converts masks between an editor's reduced copy and the image. Knows orders, images and files of masks. Does not
know widgets, browsers or engines.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from exdd_core.datasets import incoming
from exdd_core.drawing import DEFECT, crop_around
from exdd_core.errors import BadInput
from exdd_core.files import changed
from exdd_core.geometry import MIN_SIDE
from exdd_core.images import read_image, read_layer, read_mask
from exdd_core.studio import ordering, painting
from exdd_core.synthesis import mask_layers, masks, orders, placing
from exdd_core.synthesis.mask_geometry import bounds
from exdd_core.workspace import drawn_masks
from exdd_core.workspace.decisions import in_force

if TYPE_CHECKING:
    from exdd_core.depth import Depth
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.candidates import Candidate

COLOUR = (*DEFECT, 255)  # RGBA of a mask in an editor
SIDE = 1024  # pixels of the longer side of an editor's copy
CONTEXT = 1.8  # side of a close-up, as a multiple of the defect's


@dataclass(frozen=True)
class Canvas:
    """A reduced picture to paint on, `pixels` uint8 (h, w, 3), of an image of `width` x `height` pixels."""

    pixels: np.ndarray
    width: int
    height: int


@dataclass(frozen=True)
class Shown:
    """A mask as an editor shows it: `layer` uint8 (h, w, 4). `mask` bool (H, W) is the image's own.

    share: of the image that it covers, 0 to 1. box: (left, top, width, height), pixels of the image. problem: a
    sentence where nothing can be painted into it, or "". note: a sentence on what is left out of it, or "".
    """

    layer: np.ndarray
    mask: np.ndarray
    share: float
    box: tuple[int, int, int, int]
    problem: str
    note: str = ""


@dataclass(frozen=True)
class Piece:
    """The mask of a real defect, bool (h, w), cut to its bounding box, and the box's middle as shares of its image."""

    mask: np.ndarray
    x: float
    y: float


def canvas(workspace: Workspace, source: str) -> Canvas:
    """An image of the workspace as an editor shows it."""
    row = workspace.image(source)
    return _canvas(row.path, row.id, row.depth, changed(row.path))


@functools.lru_cache(maxsize=2)
def _canvas(path: Path, id: str, depth: Depth | None, made: int) -> Canvas:
    image = _pixels(path, id, depth, made)
    return Canvas(mask_layers.editor_copy(image, _side(image)), image.shape[1], image.shape[0])


def _image(workspace: Workspace, source: str) -> np.ndarray:
    row = workspace.image(source)
    return _pixels(row.path, row.id, row.depth, changed(row.path))


@functools.lru_cache(maxsize=2)  # read at every stroke
def _pixels(path: Path, id: str, depth: Depth | None, made: int) -> np.ndarray:
    """made: as `changed`, since another data set of the same name may come to have such a file."""
    image = read_image(path, id, depth)
    image.flags.writeable = False
    return image


def _side(image: np.ndarray) -> int:
    """The longer side of the editor's copy: larger for a very long image, so that its shorter side is usable."""
    height, width = image.shape[:2]
    return max(SIDE, -(-MIN_SIDE * max(height, width) // min(height, width)))


def drawn(workspace: Workspace, source: str, layer: bytes, base: str = "") -> np.ndarray:
    """Convert what was painted on an editor's copy of an image to a mask of that image, bool (H, W).

    layer: a PNG file's bytes, transparent where nothing is painted. base: the name of the stored mask that the
    editor started from, whose finer pixels stay wherever nobody changed it.
    """
    row = workspace.image(source)
    shape = (row.height, row.width)
    before = read_mask(_file(workspace, base), None) if base else None
    if before is not None and before.shape != shape:  # of an image of another size
        before = None
    return mask_layers.from_editor(read_layer(layer, "The drawing"), shape, before)


def _file(workspace: Workspace, name: str) -> Any:
    path = workspace.path / drawn_masks.MASKS / name
    if path.parent != workspace.path / drawn_masks.MASKS or not path.is_file():
        raise BadInput("The drawn mask is no longer in the workspace; draw it again.")
    return path


def keep_upload(workspace: Workspace, source: str, path: str, name: str) -> str:
    """Store an uploaded mask file, which must have the image's size, and return its name for `MaskSpec.file`."""
    row = workspace.image(source)
    mask = incoming.take_mask(Path(path), (row.height, row.width), name, row.path)
    return drawn_masks.keep_mask(workspace, mask)


def mask_shown(workspace: Workspace, order: orders.Order) -> Shown:
    """The mask of the order's first painting. Raises `BadInput` without one."""
    # The mask depends on neither engine nor prompt, so it is shown before they are complete.
    plain = replace(order, engine="procedural", settings={}, template="scratch", count=1, each=False)
    recipe = ordering.recipes(workspace, plain)[0]
    mask = painting.mask_of(workspace, recipe, _image(workspace, recipe.source))
    return _shown(workspace, recipe.source, mask)


def drawn_shown(workspace: Workspace, source: str, mask: np.ndarray) -> Shown:
    """A mask, bool (H, W), that was drawn on an image of the workspace."""
    return _shown(workspace, source, mask)


def painted_shown(workspace: Workspace, candidate: Candidate) -> tuple[Shown, str]:
    """The mask that a candidate was painted into, and its name for `MaskSpec.file`."""
    mask = read_mask(candidate.drawn, None)
    return _shown(workspace, candidate.source, mask), drawn_masks.keep_mask(workspace, mask)


def _shown(workspace: Workspace, source: str, mask: np.ndarray) -> Shown:
    problem, dataset = "", workspace.dataset(workspace.image(source).dataset)
    region = painting.region_of(workspace, dataset.name, dataset.roi or "", mask.shape)
    try:
        masks.check(mask, _image(workspace, source), region)
    except BadInput as error:
        problem = str(error)
    height, width = canvas(workspace, source).pixels.shape[:2]
    left, top, right, bottom = _bounds(mask)
    return Shown(
        layer=mask_layers.to_editor(mask, (height, width), COLOUR),
        mask=mask,
        share=float(mask.mean()),
        box=(left, top, right - left, bottom - top),
        problem=problem,
        note=masks.within(mask, region)[1],
    )


def _bounds(mask: np.ndarray) -> tuple[int, int, int, int]:
    """left, top, right, bottom (ends excluded) of a mask's True pixels; all 0 for an empty mask."""
    if not mask.any():
        return 0, 0, 0, 0
    top, bottom, left, right = bounds(mask)
    return left, top, right, bottom


def piece(workspace: Workspace, id: str) -> Piece:
    """The mask of a defective image, to be placed on another one."""
    mask = _defect(workspace, id)[1]
    left, top, right, bottom = _bounds(mask)
    return Piece(mask[top:bottom, left:right], *placing.centre(mask))


def close_up(workspace: Workspace, id: str) -> tuple[np.ndarray, ...]:
    """A square view of a real defect, uint8 (s, s, 3), and its mask there, bool (s, s)."""
    pixels, mask = _defect(workspace, id)
    return tuple(crop_around(array, _bounds(mask), CONTEXT)[0] for array in (pixels, mask))


def painted_close_up(candidate: Candidate) -> np.ndarray:
    """A square view of a candidate's drawn mask, uint8 (s, s, 3), the same for all cells of a comparison."""
    return crop_around(read_image(candidate.image), _bounds(read_mask(candidate.drawn, None)), CONTEXT)[0]


def defect_files(workspace: Workspace, id: str) -> tuple[Path, Path | None, Depth | None]:
    """The files of a real defect and of its mask, and the bit depth: of a data set's image, or as a file elsewhere is
    marked. Raises `BadInput`."""
    for mark in in_force(workspace, "missed", subject=id) if id.startswith("file:") else ():
        return (
            workspace.path / mark.detail["path"],
            workspace.path / drawn_masks.MASKS / mark.detail["mask"],
            None,
        )
    row = workspace.image(id)
    return row.path, row.mask, row.depth


def _defect(workspace: Workspace, id: str) -> tuple[np.ndarray, np.ndarray]:
    path, file, depth = defect_files(workspace, id)
    pixels = read_image(path, id, depth)
    mask = read_mask(file, pixels.shape[:2]) if file else np.zeros(pixels.shape[:2], bool)
    if not mask.any():
        raise BadInput(f"{id} has no mask that marks a defect; choose another one.")
    return pixels, mask
