"""Between an image and the window that an engine paints: box, size, compositing, and what changed visibly.

Knows boxes, masks and pixels. Does not know how a defect is made.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from exdd_core.errors import BadInput
from exdd_core.images import Size, resize_image
from exdd_core.later import ndimage
from exdd_core.synthesis.mask_geometry import bounds, depth_of
from exdd_core.synthesis.request import PaintRequest, Window

CONTEXT = 0.5  # share of the mask's longer side that a native window shows around the mask
LEAST_CONTEXT = 32  # the least number of pixels that a native window shows around the mask
LARGEST_RATIO = 4.0  # of the sides of a resized window: diffusion models know no narrower images
VISIBLE = 3.0  # difference in CIE Lab (Delta E 76), averaged over 3 x 3 pixels; 2.3 is just noticeable
SPECK = 6  # pixels: a smaller changed spot is noise if there is a larger one
GREY = 3  # grey levels by which the channels of a grey camera's image may differ (JPEG)


Box = tuple[int, int, int, int]  # left, top, right, bottom, ends excluded


def with_halo(request: PaintRequest, halo: int) -> np.ndarray:
    """The request's mask and all pixels at most `halo` from it within the region of interest: bool (H, W)."""
    if not halo:
        return request.mask
    grown = depth_of(~request.mask) <= halo
    return grown if request.region is None else (grown & request.region) | request.mask


def buckets(side: int) -> list[tuple[int, int]]:
    """The (width, height) in which a diffusion model paints about side x side pixels, from 1 : 4 to 4 : 1.

    At 1024 the multiples of 64 on which SDXL was trained (Podell et al. 2023, appendix I); fewer sizes than all
    multiples of 8 let windows share a call.
    """
    unit = max(8, side // 16 // 8 * 8)
    longest = int(side * math.sqrt(LARGEST_RATIO)) // unit
    heights = [unit * step for step in range(1, longest + 1) if step * unit * LARGEST_RATIO >= longest * unit]
    return [(width, height) for height in heights if (width := side * side // height // unit * unit) > 0]


def bucketed(box: Box, limits: tuple[int, int], side: int) -> tuple[Box, tuple[int, int]]:
    """A box grown to the sides' ratio of the bucket that suits it best, and that bucket's (width, height).

    limits: (width, height) of the image, out of which the box does not grow.
    """
    wide, high = box[2] - box[0], box[3] - box[1]
    width, height = min(buckets(side), key=lambda size: abs(math.log(size[0] * high / (size[1] * wide))))
    wanted = max(wide, round(high * width / height)), max(high, round(wide * height / width))
    left, right = _span(box[0], wide, wanted[0], limits[0])
    top, bottom = _span(box[1], high, wanted[1], limits[1])
    return (left, top, right, bottom), (width, height)


def box_around(mask: np.ndarray, resized: bool, padding: int = -1) -> Box:
    """The box around a mask and its context, within the image; a `resized` one is not too narrow.

    padding: how many pixels around the mask it shows; -1 for half of the mask's longer side, and at least 32.
    """
    top, bottom, left, right = bounds(mask)
    height, width = bottom - top, right - left
    pad = padding if padding >= 0 else max(LEAST_CONTEXT, math.ceil(CONTEXT * max(height, width)))
    wide, high = width + 2 * pad, height + 2 * pad
    if resized:
        wide, high = max(wide, math.ceil(high / LARGEST_RATIO)), max(high, math.ceil(wide / LARGEST_RATIO))
    left, right = _span(left, width, wide, mask.shape[1])
    top, bottom = _span(top, height, high, mask.shape[0])
    return left, top, right, bottom


def _span(start: int, length: int, wanted: int, limit: int) -> tuple[int, int]:
    """The first and last of `wanted` pixels around `length` pixels from `start`, moved and cut to fit 0..limit."""
    first = min(max(0, start - (wanted - length) // 2), max(0, limit - wanted))
    return first, min(limit, first + wanted)


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The image, uint8 or float32 (h, w) or (h, w, 3), at another size, (width, height)."""
    if (image.shape[1], image.shape[0]) == size:
        return np.ascontiguousarray(image)
    return resize_image(np.ascontiguousarray(image), Size(*size))


def resized_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The mask at another size. A mask that shrinks sets every pixel that it touches, to keep thin scratches."""
    share = resized(mask.astype(np.float32), size) if (mask.shape[1], mask.shape[0]) != size else mask
    return share > 0 if share.dtype == bool or min(size) < min(mask.shape) else share >= 0.5


def composite(window: Window, pixels: np.ndarray) -> np.ndarray:
    """Lay a painted window `pixels`, uint8 (h, w, 3), into the request's image inside its mask: uint8 (H, W, 3).

    Pixels outside the mask and its halo stay bit-identical. A grey image stays grey.
    """
    request, settings = window.request, window.settings
    left, top, right, bottom = window.box
    source = request.image[top:bottom, left:right]
    mask = request.mask[top:bottom, left:right]
    painted = resized(pixels, (right - left, bottom - top)).astype(np.float32)
    if is_grey(source):
        painted[:] = cv2.cvtColor(painted, cv2.COLOR_RGB2GRAY)[..., None]
    if settings["match_brightness"]:
        painted += _brightness_gap(source, painted, mask)[..., None]
    haloed = with_halo(request, settings["halo"])[top:bottom, left:right]
    share = _feathered(mask, settings["feather"], settings["halo"])[..., None]
    blended = np.rint(np.clip(source + share * (painted - source), 0, 255)).astype(np.uint8)
    result = request.image.copy()
    result[top:bottom, left:right][haloed] = blended[haloed]
    return result


def is_grey(image: np.ndarray) -> bool:
    """Whether uint8 (H, W, 3) shows no colour at all."""
    low = np.minimum(np.minimum(image[..., 0], image[..., 1]), image[..., 2])
    high = np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])
    return bool((high - low).max() <= GREY)


def _feathered(mask: np.ndarray, feather: float, halo: int = 0) -> np.ndarray:
    """Weights, float32 (h, w): 0 beyond `halo` pixels around the mask, rising to 1 over `feather` pixels inside it.

    The innermost pixels of every connected piece get 1, so that a soft edge does not hide a thin scratch. The
    image's border is no edge.
    """
    depth = depth_of(mask)
    count, pieces = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    deepest = np.zeros(count, np.float32)
    np.maximum.at(deepest, pieces[mask], depth[mask])
    width = np.clip(deepest - 1, 0, feather)[pieces]
    if halo and not mask.all():
        away, nearest = ndimage.distance_transform_edt(~mask, return_indices=True)
        depth, width = np.where(mask, depth, 1 - away), width[tuple(nearest)]
    return np.clip((depth + halo) / (width + 1 + halo), 0, 1).astype(np.float32)


def _brightness_gap(source: np.ndarray, painted: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The grey levels that `painted` lacks to be as bright as `source` along the mask's edge: float32 (h, w).

    The gap is measured in a ring inside the mask and extrapolated inwards. A ring outside would include the
    background where the mask touches an edge of the part.
    """
    depth = depth_of(mask)
    ring = (mask & (depth <= max(3.0, 0.25 * float(depth[mask].max())))).astype(np.float32)
    gap = cv2.cvtColor(source.astype(np.float32) - painted, cv2.COLOR_RGB2GRAY) * ring
    sigma = max(4.0, float(depth[mask].max()))
    known = cv2.GaussianBlur(ring, (0, 0), sigma)
    return cv2.GaussianBlur(gap, (0, 0), sigma) / np.maximum(known, 1e-3)


def measure(original: np.ndarray, result: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """The mask, bool (H, W), of where two images, uint8 (H, W, 3), differ visibly within `drawn`, a mask with its halo.

    A visible difference is a Delta E (CIE 1976) of 3, averaged over 3 x 3 pixels. Gaps of a pixel or two are
    closed, and specks removed unless there is nothing else. Raises `BadInput` when nothing differs.
    """
    top, bottom, left, right = bounds(drawn)
    # An average of 3 x 3 needs one more pixel around the mask's box.
    window = np.s_[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1]
    before, after = (
        cv2.cvtColor(image[window].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        for image in (original, result)
    )
    difference = np.linalg.norm(after - before, axis=2)
    # The average widens changes by one pixel, which the second condition removes.
    visible = ((cv2.blur(difference, (3, 3)) >= VISIBLE) & (difference >= VISIBLE / 3)).astype(np.uint8)
    closed = cv2.morphologyEx(visible, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) & drawn[window]
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    if count == 1:
        raise BadInput(
            "Nothing visible changed inside the mask; enlarge the mask, ask for a stronger defect or try "
            "another seed."
        )
    areas = stats[:, cv2.CC_STAT_AREA]
    keep = areas >= min(SPECK, int(areas[1:].max()))
    keep[0] = False
    measured = np.zeros(drawn.shape, bool)
    measured[window] = keep[pieces]
    return measured
