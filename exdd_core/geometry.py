"""Converts between an image and a model's input: sizes, letterboxes, patches.

There are three spaces: the *original image* (H, W), the *model input* (`Size`, the input of a backbone) and
the *grid* of patches (h, w), which divides the model input evenly. `Frame` is the rectangle of the model
input that the original image fills; with `keep_aspect` the border around it repeats the image's edge. OpenCV
resizes. Knows numbers and arrays. Does not know files.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from exdd_core.errors import BadInput

MIN_MODEL_SIDE, MAX_MODEL_SIDE = 32, 4096
MIN_SIDE = 16  # pixels of an image that one step of the deepest feature map covers
# What turns an array upright, by the EXIF orientation of its file.
TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@dataclass(frozen=True)
class Size:
    """The size of a model's input in pixels; `keep_aspect` letterboxes instead of stretching."""

    width: int
    height: int
    keep_aspect: bool = False

    @classmethod
    def parse(cls, text: str, keep_aspect: bool = False) -> Size:
        """Read "256x632" (width x height). Raises `BadInput`."""
        match = re.fullmatch(r"\s*(\d{1,6})\s*[xX×]\s*(\d{1,6})\s*", text)
        if not match:
            shown = f'"{text}"' if text.strip() else "An empty field"
            raise BadInput(f"{shown} is not a valid size; use width x height in pixels, such as 256x632.")
        width, height = int(match[1]), int(match[2])
        for side in (width, height):
            if not MIN_MODEL_SIDE <= side <= MAX_MODEL_SIDE:
                raise BadInput(
                    f"The size {width}x{height} is out of range; "
                    f"choose sides from {MIN_MODEL_SIDE} to {MAX_MODEL_SIDE} pixels."
                )
        return cls(width, height, keep_aspect)

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


class Frame(NamedTuple):
    """The rectangle of the model input that the original image fills."""

    left: int
    top: int
    width: int
    height: int


def frame(size: Size, shape: tuple[int, int]) -> Frame:
    """The frame of an image of `shape` (H, W): all of the model input, or centred if the aspect is kept."""
    if not size.keep_aspect:
        return Frame(0, 0, size.width, size.height)
    height, width = shape
    scale = min(size.width / width, size.height / height)
    inner_width = min(size.width, max(1, round(width * scale)))
    inner_height = min(size.height, max(1, round(height * scale)))
    left, top = (size.width - inner_width) // 2, (size.height - inner_height) // 2
    return Frame(left, top, inner_width, inner_height)


def turned(array: np.ndarray, turn: int) -> np.ndarray:
    """An array (H, W, ...) as stored in a file, turned by its EXIF orientation, 1 to 8."""
    return TURNS[turn](array) if turn in TURNS else array


def fit(array: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize an array (H, W, ...): by area averaging along sides that shrink, bilinear along sides that grow."""
    # OpenCV's INTER_AREA works like nearest-neighbour if one side grows, hence two steps.
    small = (min(array.shape[1], width), min(array.shape[0], height))
    if small != (array.shape[1], array.shape[0]):
        array = cv2.resize(array, small, interpolation=cv2.INTER_AREA)
    if small != (width, height):
        array = cv2.resize(array, (width, height), interpolation=cv2.INTER_LINEAR)
    return array


def resize_image(image: np.ndarray, size: Size) -> np.ndarray:
    """Resize uint8 (H, W, 3) to (size.height, size.width, 3); a letterbox repeats the image's edge."""
    left, top, width, height = frame(size, image.shape[:2])
    inner = fit(image, width, height)
    right, bottom = size.width - width - left, size.height - height - top
    if not (left or top or right or bottom):
        return np.ascontiguousarray(inner)
    return cv2.copyMakeBorder(inner, top, bottom, left, right, cv2.BORDER_REPLICATE)


def resize_mask(mask: np.ndarray, size: Size) -> np.ndarray:
    """Resize bool (H, W) to (size.height, size.width): True where a mask covers at least half of a pixel.

    A region that covers half of no pixel keeps the pixels that it covers most, so no defect vanishes. The
    letterbox is False.
    """
    share = mask_share(mask, size)
    result = share >= 0.5
    if not mask.any() or not (size.width < mask.shape[1] or size.height < mask.shape[0]):
        return result
    count, regions = cv2.connectedComponents((share > 0).astype(np.uint8))
    most = np.zeros(count, np.float32)  # of each region: the smallest share of a pixel that is kept
    np.maximum.at(most, regions.ravel().astype(np.intp), share.ravel())
    most[0] = most[regions[result]] = np.inf
    return result | (share >= most[regions])


def mask_share(mask: np.ndarray, size: Size) -> np.ndarray:
    """The share of each pixel that a mask, bool (H, W), covers: float32 (size.height, size.width), letterbox 0."""
    left, top, width, height = frame(size, mask.shape[:2])
    result = np.zeros((size.height, size.width), np.float32)
    result[top : top + height, left : left + width] = fit(mask.astype(np.float32), width, height)
    return result


def restore_map(map: np.ndarray, size: Size, shape: tuple[int, int]) -> np.ndarray:
    """Resize a map (size.height, size.width) to float32 (H, W) of the original image, bilinear."""
    if map.shape != (size.height, size.width):
        raise ValueError(f"a map of {map.shape} is not at model size {(size.height, size.width)}")
    left, top, width, height = frame(size, shape)
    inner = np.ascontiguousarray(map[top : top + height, left : left + width], dtype=np.float32)
    return cv2.resize(inner, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)


def patch_box(
    row: int, column: int, grid: tuple[int, int], size: Size, shape: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The box (x0, y0, x1, y1), ends excluded, of the original image that a patch covers; never empty.

    A pixel belongs to the patch that its centre lies in, so the boxes of a grid tile the image. A patch in
    the letterbox gets the closest pixels of the image, and a patch smaller than a pixel gets that pixel.
    """
    inside = frame(size, shape)
    x0, x1 = _span(column, grid[1], size.width, inside.left, inside.width, shape[1])
    y0, y1 = _span(row, grid[0], size.height, inside.top, inside.height, shape[0])
    return x0, y0, x1, y1


def patch_at(y: int, x: int, grid: tuple[int, int], size: Size, shape: tuple[int, int]) -> tuple[int, int]:
    """The (row, column) of the patch that covers pixel (y, x) of the original image, or else of the closest patch."""
    inside = frame(size, shape)
    return (
        _step(y, grid[0], size.height, inside.top, inside.height, shape[0]),
        _step(x, grid[1], size.width, inside.left, inside.width, shape[1]),
    )


# Along one axis: model coordinate X = offset + x * inner / length, patch = floor(X * steps / side). Both
# functions compute with integers only, so they agree on every pixel.
def _span(step: int, steps: int, side: int, offset: int, inner: int, length: int) -> tuple[int, int]:
    def first_pixel(edge: int) -> int:  # the first x whose centre x + 1/2 is not before this patch edge
        twice = 2 * length * (edge * side - offset * steps) - inner * steps
        return -(-twice // (2 * inner * steps))

    start = min(max(first_pixel(step), 0), length - 1)
    return start, min(max(first_pixel(step + 1), start + 1), length)


def _step(pixel: int, steps: int, side: int, offset: int, inner: int, length: int) -> int:
    step = ((2 * int(pixel) + 1) * inner + 2 * length * offset) * steps // (2 * length * side)
    return min(max(step, 0), steps - 1)
