"""Draws outlines as masks: polygons, boxes, discs, lines and COCO's run lengths.

Pixel (x, y) covers x to x + 1 and y to y + 1, as in COCO. Outlines are clipped at the image's border. Knows
numbers. Does not know files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco

from exdd_core.datasets.record import Outline
from exdd_core.errors import BadInput

LINE_SHARE, LINE_LEAST = 200, 3  # a line is 1/200 of the longer side wide, and 3 pixels at least
SLIVER = 0.05  # pixels at the sides of a box that rounding causes, as of shares with 6 digits
NEAREST = 0.71  # pixels: the centre of some pixel is at most this far from any point
LARGEST = 1e9  # the largest coordinate that is accepted
MOST_PIXELS = 80_000_000  # of a mask of run lengths, as of images


def draw(outlines: Sequence[Outline], shape: tuple[int, int], name: str) -> np.ndarray:
    """Draw the union of outlines on an image of `shape` (H, W) as bool (H, W).

    name: what messages call the image. Raises `BadInput` for an outline that cannot be drawn or is of another
    size.
    """
    mask = np.zeros(shape, bool)
    for outline in outlines:
        if why := fault(outline):
            raise BadInput(f"An outline on {name} {why}; correct its annotation file.")
        size = _size_of(outline)
        if size is not None and size != shape[::-1]:
            raise BadInput(
                f"The annotation of {name} is for {size[0]} x {size[1]} pixels but its image has {shape[1]} "
                f"x {shape[0]}; correct one of them."
            )
        if outline.kind == "runs":
            mask |= _filled(outline)
            continue
        points = np.array(outline.points, np.float64)
        if outline.share:
            points[:] = (points.reshape(-1, 2) * shape[::-1]).ravel()
        if outline.kind == "disc":
            _mark_within(mask, points[:2], points[:2], points[2])
        elif outline.kind == "line":
            pairs = points.reshape(-1, 2)
            for start, end in zip(
                pairs[: max(1, len(pairs) - 1)], pairs[min(1, len(pairs) - 1) :], strict=True
            ):
                _mark_within(mask, start, end, line_width(shape) / 2)
        elif outline.kind == "box":
            left, right = np.clip(np.sort(points[[0, 2]]), 0, shape[1])
            top, bottom = np.clip(np.sort(points[[1, 3]]), 0, shape[0])
            first = np.floor([top + SLIVER, left + SLIVER]).astype(int)
            last = np.maximum(np.ceil([bottom - SLIVER, right - SLIVER]).astype(int), first + 1)
            if left < right and top < bottom:
                mask[first[0] : last[0], first[1] : last[1]] = True
        else:
            _mark_polygon(mask, points.reshape(-1, 2))
    return mask


def box(sides: tuple[float, ...], label: str, size: tuple[int, int] | None, degrees: float = 0) -> Outline:
    """A box by its left, top, right and bottom in pixels, turned clockwise around its centre as CVAT does."""
    if not degrees % 360:
        return Outline("box", sides, label, size=size)
    left, top, right, bottom = sides
    turn = np.deg2rad(degrees)
    matrix = np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])
    middle = np.array([left + right, top + bottom]) / 2
    corners = (
        np.array([(left, top), (right, top), (right, bottom), (left, bottom)]) - middle
    ) @ matrix + middle
    return Outline("polygon", tuple(corners.ravel().tolist()), label, size=size)


def line_width(shape: tuple[int, int]) -> int:
    """The width in pixels of a line on an image of `shape` (H, W): annotations have lines without a width."""
    return max(LINE_LEAST, round(max(shape) / LINE_SHARE))


def fault(outline: Outline) -> str:
    """What is wrong with an outline, as a verb and its object; "" if it can be drawn."""
    points, kind = outline.points, outline.kind
    if not all(abs(value) <= LARGEST for value in points):  # False for NaN
        return "has points that are not numbers"
    if kind == "runs":
        return _fault_of_runs(outline)
    if kind != "disc" and len(points) % 2:
        return "has an x without a y"
    if kind == "polygon" and len({*zip(points[::2], points[1::2], strict=True)}) < 3:
        return "has fewer than 3 points"
    if kind == "box" and (len(points) != 4 or points[0] == points[2] or points[1] == points[3]):
        return "is a box without width or height"
    if kind == "disc" and (len(points) != 3 or points[2] <= 0):
        return "is a circle without a radius"
    return "" if points else "has no points"


def may_be_of(outlines: Sequence[Outline], shape: tuple[int, int]) -> bool:
    """Whether outlines can be of an image of `shape` (H, W), by the sizes that their files state."""
    return all(size in (None, shape[::-1]) for size in map(_size_of, outlines))


def beyond(outline: Outline) -> bool:
    """Whether an outline exceeds its image by more than a pixel or, for shares, a hundredth.

    False if the size of the image is not known.
    """
    if outline.kind == "runs" or not (outline.share or outline.size):
        return False
    (width, height), slack = (1, 1) if outline.share else outline.size or (1, 1), 0.01 if outline.share else 1
    across, down = outline.points[::2], outline.points[1::2]
    if outline.kind == "disc":
        x, y, radius = outline.points
        across, down = (x - radius, x + radius), (y - radius, y + radius)
    return bool(min(*across, *down) < -slack or max(across) > width + slack or max(down) > height + slack)


def area(outline: Outline) -> float:
    """The approximate area of an outline, in its own units squared."""
    points = np.array(outline.points, np.float64)
    if outline.kind == "runs":
        return float(sum(map(int, outline.runs.split()[1::2])))
    if outline.kind == "disc":
        return float(np.pi * points[2] ** 2)
    pairs = points.reshape(-1, 2)
    if outline.kind == "line":
        return float(LINE_LEAST * (1 + np.hypot(*np.diff(pairs, axis=0).T).sum()))
    if outline.kind == "box":
        return float(np.prod(np.abs(pairs[1] - pairs[0])))
    x, y = pairs.T
    return float(abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2)


def runs_of(mask: np.ndarray, label: str = "") -> Outline:
    """A mask, bool (H, W), as an outline of COCO's run lengths."""
    flat = np.concatenate(([False], mask.T.ravel(), [True]))
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    if not len(edges) or edges[-1] != mask.size:
        edges = np.append(edges, mask.size)
    counts = np.diff(edges, prepend=0)
    return Outline("runs", mask.shape, label, " ".join(map(str, counts.tolist())))


def unpacked(text: str) -> str:
    """Decode COCO's compressed run lengths to numbers joined by spaces. Raises `ValueError` for other text.

    Each character minus 48 holds 5 bits of a number, the lowest first; bit 32 says that more follow. From the
    fourth number on, the value is the difference to the number two places before.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"{character!r} is no part of run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            if shift > 60:
                raise ValueError("a run that has no end")
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("cut off")
    return " ".join(map(str, counts))


def stated_size(width: Any, height: Any) -> tuple[int, int] | None:
    """The (width, height) of an image as its annotation file states it; None unless both are numbers above
    0."""
    try:
        size = int(width), int(height)
    except (OverflowError, TypeError, ValueError):
        return None
    return size if min(size) > 0 else None


def _size_of(outline: Outline) -> tuple[int, int] | None:
    """The (width, height) of the image that an outline is for; None if it is not known."""
    if outline.kind == "runs":
        return int(outline.points[1]), int(outline.points[0])
    return outline.size


def _fault_of_runs(outline: Outline) -> str:
    counts = outline.runs.split()
    if (
        len(outline.points) != 2
        or not counts
        or not all(c.isascii() and c.isdigit() and len(c) < 12 for c in counts)
    ):
        return "has run lengths that cannot be read"
    pixels = outline.points[0] * outline.points[1]
    if not 0 < pixels <= MOST_PIXELS or sum(map(int, counts)) != pixels:
        return "has run lengths that do not fill its image"
    return ""


def _filled(outline: Outline) -> np.ndarray:
    """Decode COCO's run lengths to bool (H, W): they run down the columns and begin with unmarked pixels."""
    height, width = (int(side) for side in outline.points)
    counts = np.array([int(count) for count in outline.runs.split()])
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(width, height).T


def _mark_within(mask: np.ndarray, start: np.ndarray, end: np.ndarray, radius: float) -> None:
    """Mark the pixels whose centre lies within `radius` of the line from `start` to `end`, points (x, y)."""
    radius = max(radius, NEAREST)
    limits = np.array(mask.shape[::-1])
    left, top = np.clip(np.floor(np.minimum(start, end) - radius), 0, limits).astype(int)
    right, bottom = np.clip(np.ceil(np.maximum(start, end) + radius), 0, limits).astype(int)
    across, down = np.arange(left, right) + 0.5, (np.arange(top, bottom) + 0.5)[:, None]
    (x, y), (along, aside) = start, end - start
    length = along**2 + aside**2
    at = np.clip(((across - x) * along + (down - y) * aside) / length, 0, 1) if length else 0.0
    mask[top:bottom, left:right] |= (across - x - at * along) ** 2 + (down - y - at * aside) ** 2 <= radius**2


def _mark_polygon(mask: np.ndarray, pairs: np.ndarray) -> None:
    """Mark a polygon (n, 2) as COCO fills it; mark its border if that is no pixel, as for a thin scratch."""
    height, width = mask.shape
    pairs = _clipped(pairs, width, height)
    if len(pairs) < 3:
        return
    filled = coco.decode(coco.frPyObjects([pairs.ravel().tolist()], height, width))[..., 0]
    if not filled.any():
        pixels = np.minimum(np.floor(pairs), (width - 1, height - 1)).astype(np.int32)
        cv2.fillPoly(filled := np.zeros((height, width), np.uint8), [pixels], 1)
    mask |= filled.astype(bool)


def _clipped(pairs: np.ndarray, width: int, height: int) -> np.ndarray:
    """The part of a polygon (n, 2) inside an image, clipped at each of its four edges (Sutherland,
    Hodgman)."""
    for axis, limit, sign in ((0, 0, 1), (0, width, -1), (1, 0, 1), (1, height, -1)):
        inside = sign * (pairs[:, axis] - limit) >= 0
        if inside.all():
            continue
        kept: list[np.ndarray] = []
        for i in range(len(pairs)):
            if inside[i] != inside[i - 1]:
                share = (limit - pairs[i - 1, axis]) / (pairs[i, axis] - pairs[i - 1, axis])
                kept.append(pairs[i - 1] + share * (pairs[i] - pairs[i - 1]))
            if inside[i]:
                kept.append(pairs[i])
        pairs = np.array(kept).reshape(-1, 2)
    return np.clip(pairs, 0, (width, height))
