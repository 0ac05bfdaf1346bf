"""Generates masks of scratches, spots, cracks and blotches, and of any shape, from a spec and a seed.

Knows lines, outlines and how they become pixels. Does not know the part, borrowed masks or what is painted.
"""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from exdd_core.synthesis.mask_geometry import Array, pixels_of_box
from exdd_core.synthesis.mask_spec import ANY, MaskSpec

Stroke = tuple[Array, Array | None]  # points (n, 2) as x, y; widths (n,) of a line, None for a filled outline

# Of a shape of any kind: its width in percent of the shorter side, from a pit's to a field's; how often its length is
# its width, at most; and how ragged it is.
WIDTHS, STRETCH, RAGGED = (1.5, 50.0), 4.0, (0.1, 0.7)


def generate(spec: MaskSpec, shape: tuple[int, int]) -> Array:
    """A scratch, spot, crack, blotch or any shape on an image of `shape` (H, W): bool (H, W), never empty.

    `length` and `width` are percent of the shorter side, and at least one pixel; `angle` turns the shape
    clockwise; `irregularity` goes from 0 (straight, round) to 1 (ragged). The first of `count` shapes has its
    middle at (x, y), the others lie around it. `seed` decides everything random.
    """
    strokes = strokes_of(spec, shape, 1.0, np.random.default_rng(spec.seed))
    window, patch, _ = rasterised(strokes, shape, spec.x, spec.y, spec.angle)
    result = np.zeros(shape, bool)
    result[window] = patch
    if not result.any():  # the middle lies on the image's edge and the line outside it
        result[min(int(spec.y * shape[0]), shape[0] - 1), min(int(spec.x * shape[1]), shape[1] - 1)] = True
    return result


def strokes_of(spec: MaskSpec, shape: tuple[int, int], size: float, rng: np.random.Generator) -> list[Stroke]:
    """The lines and outlines of a spec's shapes along x, in pixels around (0, 0), `size` times as large."""
    side = min(shape)
    strokes: list[Stroke] = []
    turned = 0.0
    if spec.shape == ANY:
        spec, turned = _of_any_kind(spec, rng), float(rng.uniform(0, np.pi))
    for number in range(spec.count):
        each = size if number == 0 else size * float(rng.uniform(0.5, 1.1))
        long, wide = (max(1.0, each * share * side / 100) for share in (spec.length, spec.width))
        made = _DRAW[spec.shape](long, wide, spec.irregularity, rng)
        shift = np.zeros(2) if number == 0 else rng.normal(0, 0.2 * side, 2)
        turn = turned if number == 0 else turned + float(rng.normal(0, 0.15 + 0.6 * spec.irregularity))
        strokes += [(rotated(points, turn) + shift, widths) for points, widths in made]
    return strokes


def _of_any_kind(spec: MaskSpec, rng: np.random.Generator) -> MaskSpec:
    """A spot as small as a pit or as large as a field, round or long: no size is likelier than another."""
    width = math.exp(rng.uniform(*np.log(WIDTHS)))
    length = min(100.0, width * math.exp(rng.uniform(0, math.log(STRETCH))))
    return replace(spec, shape="spot", width=width, length=length, irregularity=rng.uniform(*RAGGED))


def _scratch(long: float, wide: float, irregularity: float, rng: np.random.Generator) -> list[Stroke]:
    """A slightly bowed line that gets thinner towards its ends and has gaps where the tool lifted."""
    along = np.linspace(-0.5, 0.5, 96)
    bow = irregularity * long * (0.15 * rng.normal() * (along**2 - 0.08) + 0.012 * _wander(along, 4, rng))
    points = np.stack([along * long, bow], axis=1)
    widths = wide * (
        1 - irregularity * (0.6 * (2 * along) ** 4 + 0.35 * (1 + np.tanh(_wander(along, 9, rng))))
    )
    lifted = _wander(along, 6, rng) > 2.6 - 1.4 * irregularity if irregularity > 0.1 else along > 1
    lifted[40:56] = False  # the middle is never a gap
    pieces = np.split(np.arange(len(along)), np.flatnonzero(np.diff(lifted.astype(int))) + 1)
    return [(points[piece], widths[piece]) for piece in pieces if not lifted[piece[0]]]


def _crack(long: float, wide: float, irregularity: float, rng: np.random.Generator) -> list[Stroke]:
    """A jagged line, widest in its middle, with branches."""
    points = _jagged(long, irregularity, rng)
    taper = 1 - 0.75 * np.abs(np.linspace(-1, 1, len(points))) ** 1.5
    strokes: list[Stroke] = [(points - points[len(points) // 2], wide * taper)]
    for _ in range(rng.poisson(3 * irregularity)):
        start = int(rng.integers(len(points) // 6, len(points) - len(points) // 6))
        branch = _jagged(long * rng.uniform(0.1, 0.35), irregularity, rng)
        branch = rotated(branch - branch[0], float(rng.choice([-1, 1]) * rng.uniform(0.3, 1.0)))
        thin = wide * taper[start] * np.linspace(0.8, 0.2, len(branch))
        strokes.append((branch + strokes[0][0][start], thin))
    return strokes


def _jagged(long: float, irregularity: float, rng: np.random.Generator) -> Array:
    """A line (65, 2) from -long/2 to long/2, by midpoint displacement."""
    points = np.array([[-long / 2, 0.0], [long / 2, 0.0]])
    for step in range(6):
        middles = (points[1:] + points[:-1]) / 2
        middles += rng.normal(0, 0.16 * irregularity * long * 0.55**step, middles.shape) * [0.4, 1.0]
        points = np.insert(points, np.arange(1, len(points)), middles, axis=0)
    return points


def _spot(long: float, wide: float, irregularity: float, rng: np.random.Generator) -> list[Stroke]:
    """An ellipse with an irregular rim."""
    around = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    radius = np.exp(0.28 * irregularity * _harmonics(around, 7, rng))
    return [
        (np.stack([np.cos(around) * long / 2, np.sin(around) * wide / 2], axis=1) * radius[:, None], None)
    ]


def _blotch(long: float, wide: float, irregularity: float, rng: np.random.Generator) -> list[Stroke]:
    """Several ragged spots that overlap."""
    strokes = _spot(long * (1 - 0.3 * irregularity), wide * (1 - 0.3 * irregularity), irregularity, rng)
    for _ in range(round(7 * irregularity)):
        toward, size = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.6)
        middle = np.array([np.cos(toward) * long, np.sin(toward) * wide]) * rng.uniform(0.2, 0.45)
        (points, _), = _spot(long * size, wide * size, irregularity, rng)  # fmt: skip
        strokes.append((points + middle, None))
    return strokes


_DRAW = {"scratch": _scratch, "spot": _spot, "crack": _crack, "blotch": _blotch}


def _wander(along: Array, waves: int, rng: np.random.Generator) -> Array:
    """A smooth random line of about unit variance, a sum of `waves` sines."""
    phases, heights = rng.uniform(0, 2 * np.pi, waves), rng.normal(0, 1, waves) / np.sqrt(waves / 2)
    return np.sum(heights * np.sin(np.pi * np.arange(1, waves + 1) * along[:, None] + phases), axis=1)


def _harmonics(around: Array, waves: int, rng: np.random.Generator) -> Array:
    """As `_wander`, periodic, with the largest amplitudes at the lowest frequencies."""
    numbers = np.arange(2, waves + 2)
    phases, heights = rng.uniform(0, 2 * np.pi, waves), rng.normal(0, 1, waves) * 1.6 / numbers**0.8
    return np.sum(heights * np.sin(numbers * around[:, None] + phases), axis=1)


def rotated(points: Array, turn: float) -> Array:
    """Points (n, 2) turned around (0, 0) by `turn` radians, clockwise on the screen."""
    cos, sin = math.cos(turn), math.sin(turn)
    return points @ np.array([[cos, sin], [-sin, cos]])


def rasterised(
    strokes: list[Stroke], shape: tuple[int, int], x: float, y: float, angle: float
) -> tuple[tuple[slice, slice], Array, float]:
    """Draw strokes, turned by `angle` and centred at (x, y), into the window of the image that they touch.

    Returns the window, its pixels, bool (h, w), and the area in pixels before the window cut the strokes.
    """
    # In OpenCV a pixel's middle has integer coordinates.
    middle = np.array([x * shape[1] - 0.5, y * shape[0] - 0.5])
    turned = [(rotated(points, math.radians(angle)), widths) for points, widths in strokes]
    margin = max([2.0, *(float(widths.max()) for _, widths in turned if widths is not None)])
    everything = np.concatenate([points for points, _ in turned])
    low, high = np.floor(everything.min(axis=0) - margin), np.ceil(everything.max(axis=0) + margin)
    canvas = np.zeros((int(high[1] - low[1]) + 1, int(high[0] - low[0]) + 1), np.uint8)
    corner = np.floor(middle + low).astype(int)  # of the canvas in the image
    for points, widths in turned:
        at = np.round((points + middle - corner) * 16).astype(np.int32)  # with shift 4, sixteenths of a pixel
        if widths is None:
            cv2.fillPoly(canvas, [at], 1, shift=4)
            continue
        for a, b, wide in zip(at[:-1], at[1:], widths[:-1], strict=True):
            start, end = (int(a[0]), int(a[1])), (int(b[0]), int(b[1]))
            cv2.line(canvas, start, end, 1, max(1, round(float(wide))), shift=4)
    window = pixels_of_box(shape, corner[0] + 1, corner[1] + 1, corner[0] + canvas.shape[1] - 1,
                     corner[1] + canvas.shape[0] - 1)  # fmt: skip
    drawn = canvas.astype(bool)
    cut = drawn[
        max(0, window[0].start - corner[1]) : max(0, window[0].stop - corner[1]),
        max(0, window[1].start - corner[0]) : max(0, window[1].stop - corner[0]),
    ]
    return window, cut, float(np.count_nonzero(drawn))
