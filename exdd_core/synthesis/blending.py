"""Blending a real defect into another surface, under that surface's light and texture.

Knows cutouts and poses. Does not know where a defect fits or where donors come from.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from exdd_core.synthesis.cutouts import (
    BEYOND,
    RING,
    THICK,
    Cutout,
    Pose,
    TransplantSettings,
    matrix_of,
    warped,
)
from exdd_core.synthesis.mask_geometry import Array, grown, half_width

GAIN, TEXTURE = (0.15, 3.0), (0.7, 1.4)  # limits of the factors on the donor's brightness and contrast
# In standard deviations of the donor's surface: a pixel that deviates less than the first is surface, more than
# the second is defect. Labels include some surface, which would show as a band along a pasted crack.
DEFECTIVE = (1.0, 3.0)
# In the same unit: above the first a defect begins to replace the receiver's surface, above the second only the
# defect is left.
REPLACING = (4.0, 12.0)
FINEST = 3  # finest level of the pyramid, 2**3 pixels: finer detail is texture
EDGE = (1.5, 4.0)  # in the same unit: a step below the first is no edge, one above the second is an edge
OVERHANG = 8  # pixels by which a defect that its image's edge cuts off is continued


def blend(
    image: Array,
    part: Array,
    piece: Cutout,
    pose: Pose,
    squeeze: tuple[float, float],
    settings: TransplantSettings,
) -> Array:
    """Blend a piece at its pose into `image`, uint8 (h, w, 3): uint8 (h, w, 3).

    The donor is brought to the receiver's level by a smooth field that equals their difference in a ring
    around the defect, as in Poisson blending (Perez et al., 2003), but from smoothed levels: the pixels along
    the seam do not run into the defect as streaks.
    """
    matrix = matrix_of(piece, pose, squeeze)
    top, bottom, left, right = _reach(piece, matrix, settings["margin"], image.shape[:2])
    receiver, part = image[top:bottom, left:right].astype(np.float32), part[top:bottom, left:right]
    matrix[:, 2] -= left, top
    size = (right - left, bottom - top)
    donor = warped(piece.image, matrix, size, cv2.INTER_CUBIC)
    mask, known, beyond, surface = (
        warped(layer.astype(np.float32), matrix, size, cv2.INTER_LINEAR)
        for layer in (piece.mask, piece.known, piece.beyond, piece.surface)
    )
    behind = _depth_behind(beyond > 0.5, known > 0.5, part)
    if behind <= OVERHANG:  # a sliver that a small turn leaves along the edge
        mask, known = np.maximum(mask, beyond), np.ones_like(known)
    defect, margin = mask > 0.5, settings["margin"]
    seen = grown((mask > 0.02) | (beyond > 0.02), max(3.0, margin))
    ring = grown(seen, RING) & ~seen & (surface > 0.99) & part
    surrounded = np.count_nonzero(ring) >= 8
    if not surrounded:  # only the receiver's level under the defect is known
        ring = grown(defect, margin + 2) & part
    donor = _matched(donor, receiver, ring)
    donor += spread(receiver - donor, ring)
    ground = spread(receiver, ring)
    share, replacing = _share(defect, known > 0.5, margin) * part, defect.astype(np.float32)
    if surrounded and defect.any():
        difference = cv2.cvtColor(donor - ground, cv2.COLOR_RGB2GRAY)
        deviation = _deviation(difference, defect, ring)
        replacing = np.clip((deviation - REPLACING[0]) / (REPLACING[1] - REPLACING[0]), 0, 1)
        share *= _deviating(deviation, defect)
        share *= _soft(difference, defect, surface > 0.5, ring)
    donor = ground + settings["strength"] * (donor - ground)
    painted = _composited(receiver, donor, ground, share, replacing)
    result = image.copy()
    result[top:bottom, left:right] = np.rint(np.clip(painted, 0, 255))
    return result


def _deviating(deviation: Array, defect: Array) -> Array:
    """How much a pixel's deviation makes it a part of the defect, 0 to 1; in a faint defect the largest ones do."""
    faint = min(1.0, float(np.quantile(deviation[defect], 0.9)) / DEFECTIVE[1])
    return np.clip((deviation - faint * DEFECTIVE[0]) / (faint * (DEFECTIVE[1] - DEFECTIVE[0]) + 1e-3), 0, 1)


def faded(receiver: Array, painted: Array, region: Array) -> Array:
    """`painted` inside `region`, faded out towards the region's edge, so that no visible step is left there."""
    depth = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 5)
    share = np.clip(depth / np.clip(depth.max() / 4, 1, 4), 0, 1)[..., None]
    return np.rint(receiver + share * (painted.astype(np.float32) - receiver)).astype(np.uint8)


def _reach(piece: Cutout, matrix: Array, margin: float, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """top, bottom, left, right of the section of a window, (h, w), that the piece and its ring cover."""
    rows, columns = np.nonzero(piece.mask)
    corners = np.array([[x, y, 1] for x in (columns.min(), columns.max()) for y in (rows.min(), rows.max())])
    pad = math.ceil(2 * RING + BEYOND + margin)
    (left, top), (right, bottom) = (corners @ matrix.T).min(axis=0), (corners @ matrix.T).max(axis=0)
    y0, x0 = (
        min(max(0, math.floor(at) - pad), side - 1) for at, side in zip((top, left), shape, strict=True)
    )
    y1, x1 = (min(max(0, math.ceil(at) + pad), side) for at, side in zip((bottom, right), shape, strict=True))
    return y0, max(y1, y0 + 1), x0, max(x1, x0 + 1)


def _depth_behind(beyond: Array, known: Array, part: Array) -> float:
    """The extent of the part, in pixels, beyond the edge that cut the defect off."""
    behind = beyond & part
    if not behind.any():
        return 0.0
    return float(cv2.distanceTransform((~known).astype(np.uint8), cv2.DIST_L2, 5)[behind].max())


def _matched(donor: Array, receiver: Array, ring: Array) -> Array:
    """The donor with the receiver's brightness and texture contrast, as measured in the ring."""
    if not ring.any():
        return donor
    donor = donor * float(np.clip((receiver[ring].mean() + 4) / (donor[ring].mean() + 4), *GAIN))
    rough_donor, rough = (roughness(pixels, ring) for pixels in (donor, receiver))
    mean = donor[ring].mean(axis=0)
    return mean + float(np.clip(math.sqrt((rough + 0.5) / (rough_donor + 0.5)), *TEXTURE)) * (donor - mean)


def roughness(image: Array, where: Array) -> float:
    """The median strength of fine texture in grey levels. image: float32 (h, w, 3). where: bool (h, w)."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return float(np.median(np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 3))[where]))


def _share(defect: Array, known: Array, margin: float) -> Array:
    """The donor's weight, float32 (h, w): 1 in the defect, fading out around it.

    Where an edge of its image cut the defect off and the receiver continues, it fades before that edge.
    """
    if not defect.any():
        return np.zeros(defect.shape, np.float32)
    away = cv2.distanceTransform((~defect).astype(np.uint8), cv2.DIST_L2, 5)
    share = np.clip(1 - (away - 0.5) / (margin + 1), 0, 1)
    if not known.all():
        to_edge = cv2.distanceTransform(known.astype(np.uint8), cv2.DIST_L2, 5)
        share = share * np.clip(to_edge / np.clip(half_width(defect) / 2, RING, 2 * RING), 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)


def _soft(difference: Array, defect: Array, surface: Array, ring: Array) -> Array:
    """A weight that fades along the inside of a label's outline where the donor has no edge: float32 (h, w).

    A stain ends at its outline. The outline of an uneven field is where the annotator stopped drawing, and a
    sharp seam there would be more visible than the defect. 0 to 1.
    """
    depth = cv2.distanceTransform(defect.astype(np.uint8), cv2.DIST_L2, 5)
    thick = float(depth.max())
    if thick < THICK:
        return np.ones(defect.shape, np.float32)
    reach = min(thick / 4, RING)
    inside, outside = defect & (depth <= reach), ~defect & surface & grown(defect, reach)
    (level_in, near_in), (level_out, near_out) = (
        _local(difference, band, reach) for band in (inside, outside)
    )
    smooth = cv2.GaussianBlur(difference, (0, 0), reach / 2)
    usual = 1.48 * float(np.median(np.abs(smooth - np.median(smooth[ring]))[ring])) + 0.5
    edge = np.clip((np.abs(level_in - level_out) / usual - EDGE[0]) / (EDGE[1] - EDGE[0]), 0, 1)
    outline = inside & (depth <= 2) & (near_in > 0.01) & (near_out > 0.01)
    if not outline.any():
        return np.ones(defect.shape, np.float32)
    sharp, _ = _local(edge, outline, thick / 2)
    return np.clip(depth / (1 + (1 - sharp) * 0.6 * thick), 0, 1).astype(np.float32)


def _local(values: Array, where: Array, sigma: float) -> tuple[Array, Array]:
    """The local average of `values` over `where`, and the local share of `where`; both float32 (h, w)."""
    known = cv2.GaussianBlur(where.astype(np.float32), (0, 0), sigma)
    total = cv2.GaussianBlur(np.where(where, values, 0).astype(np.float32), (0, 0), sigma)
    return total / np.maximum(known, 1e-6), known


def _deviation(difference: Array, defect: Array, ring: Array) -> Array:
    """Each donor pixel's difference from the surface, in standard deviations of that surface: float32 (h, w).

    It is smoothed to about the label's thickness, since a large faint field differs as a whole rather than
    pixel by pixel.
    """
    sigma = min(max(half_width(defect) / 4, 0.8), 8.0)
    grey = cv2.GaussianBlur(difference, (0, 0), sigma)
    usual = 1.48 * float(np.median(np.abs(grey[ring]))) + 0.5
    sign = np.sign(grey[defect].mean())
    grey = np.where(defect, np.abs(grey), sign * grey)  # in the margin, only the defect's sign counts
    reach = 2 * math.ceil(2 * sigma) + 1  # closes gaps between deviating pixels
    grey = (grey / usual).astype(np.float32)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return cv2.GaussianBlur(cv2.morphologyEx(grey, cv2.MORPH_CLOSE, kernel), (0, 0), 0.7)


def _composited(receiver: Array, donor: Array, ground: Array, share: Array, replacing: Array) -> Array:
    """The defect on the receiver, float32 (h, w, 3).

    A faint defect darkens or brightens the receiver's surface and keeps its texture, because a faint rim with
    the donor's texture would be visible. `replacing`, float32 (h, w), 0 to 1, says how far the defect replaces
    the surface instead.
    """
    light = np.clip((donor + 1) / (np.maximum(ground, 0) + 1), 0.02, 4)
    faint = (receiver + 1) * light ** share[..., None] - 1
    return faint + (share * replacing)[..., None] * (donor - faint)


def spread(values: Array, where: Array) -> Array:
    """A smooth field, float32 (h, w, 3), that follows `values` where they are known and continues elsewhere."""
    layer = np.dstack([values, np.ones(where.shape)]).astype(np.float32) * where[..., None]
    layers = [layer]  # sums, and their weights in the last channel
    while min(layer.shape[:2]) > 4:  # averages over ever larger areas
        layer = cv2.pyrDown(layer)
        layers.append(layer)
    total = layers.pop().sum(axis=(0, 1), keepdims=True)
    field = np.broadcast_to(total[..., :3] / np.maximum(total[..., 3:], 1e-6), (*layer.shape[:2], 3))
    for number, layer in reversed(list(enumerate(layers))):
        field = cv2.pyrUp(np.ascontiguousarray(field, np.float32), dstsize=layer.shape[1::-1])
        if number >= FINEST:
            trust = np.clip(4 * layer[..., 3:], 0, 1)
            field = field + trust * (layer[..., :3] / np.maximum(layer[..., 3:], 1e-4) - field)
    return field.astype(np.float32)
