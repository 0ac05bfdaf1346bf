"""Fills a mask with the texture of a real defect, quilted of blocks of it: another defect of the same kind.

The defect's pixels are taken relative to the surface around it, so that light and colour stay the receiver's. No
network is involved. Knows one donor and one receiver. Does not know where donors come from, or which split may lend.
"""

from __future__ import annotations

import cv2
import numpy as np

from exdd_core.errors import BadInput
from exdd_core.images import read_image, read_mask
from exdd_core.synthesis.blending import TEXTURE, roughness, spread
from exdd_core.synthesis.controls import Control, SharedSettings, shared_controls
from exdd_core.synthesis.cutouts import RING, THICK, Cutout, cut
from exdd_core.synthesis.engine import Engine
from exdd_core.synthesis.foreground import foreground
from exdd_core.synthesis.mask_geometry import Array, depth_of, grown, half_width, stretched
from exdd_core.synthesis.posing import grain
from exdd_core.synthesis.quilting import Source, quilted
from exdd_core.synthesis.request import Step, Window

HALO = 4
REACH = 6  # pixels around a mask in which the guide still rises and falls
DEEPEST = 16.0  # pixels from the edge from which all of a defect is its core
SCALES = (0.5, 2.0)  # by which a thin defect is scaled to a thin mask


class QuiltSettings(SharedSettings):
    """The settings of a quilted defect, checked and complete."""

    strength: float


class Quilt(Engine[QuiltSettings]):
    NAME = "quilt"
    TITLE = "Quilt"
    DESCRIPTION = (
        "Fills the mask with blocks of a real defect from the training split; suits worn areas, not cracks."
    )
    CONTROLS = (
        Control("strength", "Strength", "number", 1.0, 0.2, 2, 0.05, help="contrast of the defect"),
        *shared_controls(geometry="native", feather=1.0, match_brightness=False, halo=HALO),
    )

    @property
    def version(self) -> str:
        return "1"

    def _render(self, window: Window[QuiltSettings], step: Step) -> Array:
        donor = window.request.donor
        if donor is None:
            raise BadInput("Quilting needs a real defect to take the texture from; choose one.")
        image = read_image(donor.image, donor.id, donor.depth)
        left, top, right, bottom = window.box
        part = stretched(foreground(window.request.image)[top:bottom, left:right], window.mask.shape)
        mask = window.mask & part
        if not mask.any():
            raise BadInput("The mask lies outside the part, on the background; paint it onto the part.")
        piece = _turned(cut(image, read_mask(donor.mask, image.shape[:2])), window, mask)
        ring = grown(mask, RING + HALO) & ~grown(mask, HALO) & part
        receiver = window.image.astype(np.float32)
        ground = spread(receiver, ring if ring.any() else mask)
        source, deepest = _source(piece, receiver, ring)
        share = receiver / np.maximum(ground, 1)
        fill = window.haloed & part
        made = quilted(source, share, _guide(mask, deepest), fill, window.rng)
        made = 1 + window.settings["strength"] * (made - 1)
        window.notes.append(f"Blocks of the {donor.defect_type or 'real'} defect of {donor.id}.")
        return np.rint(np.clip(np.where(fill[..., None], ground * made, receiver), 0, 255)).astype(np.uint8)


def _turned(piece: Cutout, window: Window[QuiltSettings], mask: Array) -> Cutout:
    """The donor with its grain as the receiver's, in one of its mirror images; a thin one as thick as the mask."""
    flip = bool(window.rng.integers(2))
    own = grain(piece.image, piece.surface & ~grown(piece.mask | piece.beyond, 3))
    wanted = grain(window.image, np.ones(mask.shape, bool))
    turn = 0.0 if own is None or wanted is None else wanted + own if flip else wanted - own
    turn = (turn + 90) % 180 - 90 + 180 * int(window.rng.integers(2))
    thick, lent = half_width(mask), half_width(piece.mask)
    scale = float(np.clip(thick / lent, *SCALES)) if min(thick, lent) < THICK else 1.0
    height, width = piece.mask.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -turn, scale)
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]]) @ matrix.T
    matrix[:, 2] -= corners.min(axis=0)
    size = tuple(int(side) for side in np.ceil(np.ptp(corners, axis=0)))

    def moved(layer: Array, how: int = cv2.INTER_LINEAR) -> Array:
        layer = np.ascontiguousarray(layer[:, ::-1] if flip else layer).astype(np.float32)
        return cv2.warpAffine(layer, matrix, size, flags=how)

    masks = (moved(layer) > 0.5 for layer in (piece.mask, piece.beyond))
    sure = (moved(layer) > 0.99 for layer in (piece.known, piece.surface))
    return Cutout(moved(piece.image, cv2.INTER_CUBIC), *masks, *sure)


def _source(piece: Cutout, receiver: Array, ring: Array) -> tuple[Source, float]:
    """What blocks are taken from: the donor relative to its surface, as rough as the receiver; and its depth."""
    around = grown(piece.mask, RING + HALO) & ~grown(piece.mask, HALO) & piece.surface
    if not around.any():
        around = piece.surface & piece.known
    ground = spread(piece.image, around)
    share = piece.image / np.maximum(ground, 1)
    if around.any() and ring.any():
        level = float(piece.image[around].mean()) + 1, float(receiver[ring].mean()) + 1
        rough = roughness(piece.image, around) / level[0], roughness(receiver, ring) / level[1]
        coarse = cv2.GaussianBlur(share, (0, 0), 3)
        share = coarse + float(np.clip(rough[1] / max(rough[0], 1e-3), *TEXTURE)) * (share - coarse)
    deepest = min(DEEPEST, max(1.0, half_width(piece.mask)))
    known = piece.known & piece.surface & grown(piece.mask, REACH + RING)
    return Source(share.astype(np.float32), _guide(piece.mask, deepest), known), deepest


def _guide(mask: Array, deepest: float) -> Array:
    """Depth in a mask, at most `deepest`, and below 0 the distance from it, float32 (h, w)."""
    inside = np.minimum(depth_of(mask), deepest)
    return np.where(mask, inside, -np.minimum(depth_of(~mask), REACH)).astype(np.float32)
