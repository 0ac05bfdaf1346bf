"""A real defect, cut out of its image, and the pose that it takes in another one.

Knows pixels, masks and affine maps. Does not know where a defect fits or how it is blended.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from exdd_core.errors import BadInput
from exdd_core.synthesis.controls import SharedSettings
from exdd_core.synthesis.foreground import foreground
from exdd_core.synthesis.mask_geometry import Array, bounds

BEYOND = 24  # pixels by which a defect that its image's edge cuts off is extended beyond that edge
RING = 12  # width in pixels of the ring around the defect that is compared with the receiver
# Half the width, in pixels, from which a defect counts as a field. A field may end without an edge.
THICK = 12


class TransplantSettings(SharedSettings):
    """The settings of a transplant, checked and complete. `Transplant.CONTROLS` explains each."""

    placing: str
    angle: float
    scale: float
    flip: bool
    strength: float
    margin: float


@dataclass(frozen=True)
class Cutout:
    """A defect with some of its surroundings, cut out of its image.

    image: float32 (h, w, 3). The masks are bool (h, w). mask: the defect. beyond: where the defect would
    continue beyond an edge of its image. known: False beyond such an edge, where `image` repeats its last
    pixels. surface: where `image` shows the part.
    """

    image: Array
    mask: Array
    beyond: Array
    known: Array
    surface: Array


def cut(image: Array, mask: Array) -> Cutout:
    """Cut the main defect out of an image, uint8 (H, W, 3), by its mask, bool (H, W).

    Raises `BadInput` for an empty mask.
    """
    if not mask.any():
        raise BadInput("The mask of the real defect is empty; choose another one.")
    mask = _main(mask)
    top, bottom, left, right = bounds(mask)
    pad = 3 * RING
    y0, y1 = max(0, top - pad), min(mask.shape[0], bottom + pad)
    x0, x1 = max(0, left - pad), min(mask.shape[1], right + pad)
    above, below = (BEYOND if cut_off else 0 for cut_off in (top == 0, bottom == mask.shape[0]))
    before, after = (BEYOND if cut_off else 0 for cut_off in (left == 0, right == mask.shape[1]))

    def extended(array: Array, how: int) -> Array:
        return cv2.copyMakeBorder(array, above, below, before, after, how)

    inside = mask[y0:y1, x0:x1].astype(np.uint8)
    known = extended(np.ones_like(inside), cv2.BORDER_CONSTANT) > 0
    within = extended(inside, cv2.BORDER_CONSTANT) > 0
    return Cutout(
        image=extended(image[y0:y1, x0:x1].astype(np.float32), cv2.BORDER_REPLICATE),
        mask=within,
        beyond=(extended(inside, cv2.BORDER_REPLICATE) > 0) & ~known,
        known=known,
        surface=extended(foreground(image)[y0:y1, x0:x1].astype(np.uint8), cv2.BORDER_CONSTANT) > 0,
    )


def _main(mask: Array) -> Array:
    """The largest group of neighbouring pieces of a mask, without distant specks."""
    reach = max(5, int(0.04 * min(mask.shape))) | 1
    _, labels = cv2.connectedComponents(cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8)))
    areas = np.bincount(labels[mask])
    return mask & (labels == areas.argmax())


@dataclass(frozen=True)
class Pose:
    """The position of a cutout in a window: flipped left to right, turned clockwise by `angle` degrees, scaled.

    (x, y) is the middle of its mask, in pixels.
    """

    angle: float
    scale: float
    flip: bool
    x: float = 0.0
    y: float = 0.0


def matrix_of(piece: Cutout, pose: Pose, squeeze: tuple[float, float], reduced: float = 1.0) -> Array:
    """The affine map (2, 3) from the piece's pixel indices to those of a window reduced by `reduced`."""
    top, bottom, left, right = bounds(piece.mask)
    middle = np.array([(left + right - 1) / 2, (top + bottom - 1) / 2])
    turn = math.radians(pose.angle)
    cos, sin = math.cos(turn), math.sin(turn)
    linear = pose.scale * np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if pose.flip else 1.0, 1.0])
    linear = reduced * np.diag(squeeze) @ linear
    target = np.array([pose.x, pose.y]) * reduced
    return np.column_stack([linear, target - linear @ middle])


def warped(layer: Array, matrix: Array, size: tuple[int, int], how: int) -> Array:
    """Warp `layer` by an affine map. A layer that shrinks is smoothed first."""
    shrink = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    if shrink < 0.9:
        layer = cv2.GaussianBlur(layer, (0, 0), 0.4 / shrink)
    border = cv2.BORDER_REPLICATE if layer.ndim == 3 else cv2.BORDER_CONSTANT
    return cv2.warpAffine(layer, matrix, size, flags=how, borderMode=border)
