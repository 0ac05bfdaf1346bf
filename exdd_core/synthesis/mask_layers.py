"""Converts masks to layers of an editor in the browser, and back. The editor shows a reduced copy of the image.

Knows Gradio's layers as arrays. Does not know widgets, pages or what a mask is for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from exdd_core.images import thumbnail
from exdd_core.synthesis.mask_geometry import Array, reduced_mask, stretched

Layers = Array | Sequence[Array]  # one layer of an editor, or several
# Alpha from which an editor's pixel is painted: translucent brushes lie above it, remains of an eraser below.
PAINTED = 32


def editor_copy(image: Array, side: int = 1024) -> Array:
    """An image, uint8 (H, W, 3), reduced to at most `side` pixels on its longer side, for a smooth editor."""
    return thumbnail(image, side)


def from_editor(
    painted: Mapping[str, Any] | Layers | None, shape: tuple[int, int], shown: Array | None = None
) -> Array:
    """Convert what was painted on an editor's copy to a mask of the image's `shape`: bool (H, W).

    painted: the value of a Gradio image editor (its layers count, not its composite), a list of layers, or one
    layer: uint8 (h, w, 4), or alpha alone, (h, w), or bool; None gives an empty mask. A pixel of the image takes
    the value of the editor's pixel that holds its middle. shown: the mask (H, W) that `to_editor` converted,
    whose finer pixels stay wherever the person did not change it.
    """
    layers = painted.get("layers") if isinstance(painted, Mapping) else painted
    if layers is None:
        layers = []
    result = np.zeros(shape, bool)
    for layer in [layers] if isinstance(layers, np.ndarray) else layers:
        result |= stretched(_painted(layer), shape)
    if shown is None:
        return result
    untouched = result == stretched(reduced_mask(shown, *_editor_shapes(layers, shape)), shape)
    return np.where(untouched, shown, result)


def _editor_shapes(layers: Layers, shape: tuple[int, int]) -> tuple[int, int]:
    first = layers if isinstance(layers, np.ndarray) else layers[0] if len(layers) else np.zeros(shape)
    return first.shape[0], first.shape[1]


def _painted(layer: Array) -> Array:
    if layer.dtype == bool:
        return layer
    if layer.ndim == 3:
        if layer.shape[2] != 4:
            raise ValueError("an editor's layer needs its alpha channel: use image_mode RGBA")
        layer = layer[:, :, 3]
    return layer > PAINTED


def to_editor(
    mask: Array, shape: tuple[int, int], colour: tuple[int, int, int, int] = (227, 64, 64, 255)
) -> Array:
    """Convert a mask, bool (H, W), to a layer of an editor whose copy has `shape` (h, w): uint8 (h, w, 4).

    A pixel is painted where any pixel of the mask falls into it, so that hairlines can be seen.
    """
    layer = np.zeros((*shape, 4), np.uint8)
    layer[reduced_mask(mask, *shape)] = colour
    return layer
