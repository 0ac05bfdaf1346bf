"""Where a defect is to be painted: masks that are drawn, uploaded, borrowed from a real defect or generated.

A `MaskSpec` says how a mask comes about; `realise` turns it into pixels, the same ones for the same spec and
seed. Knows arrays and geometry, and where the part lies in its image (`foreground`). Does not know files, data
sets, which split may lend a mask, or what is painted.

Places are given as shares of the image (0 to 1 from its left and top edge), lengths and widths of generated
shapes in percent of the image's shorter side, angles in degrees, counted clockwise on the screen. A borrowed
mask keeps its own pixels: at scale 1 a defect is as large as in the image it comes from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import cv2
import numpy as np

from exdd_core.errors import BadInput
from exdd_core.images import thumbnail
from exdd_core.synthesis.engine import Control

Array = np.ndarray
Stroke = tuple[Array, Array | None]  # points (n, 2) as x, y; widths (n,) of a line, None for a filled outline

SOURCES = ("drawn", "uploaded", "real", "generated")
SHAPES = ("scratch", "spot", "crack", "blotch")

CONTROLS = {
    control.name: control
    for control in (
        Control("x", "Across", "number", 0.5, 0, 1, 0.005, help="middle, as a share of the image's width"),
        Control("y", "Down", "number", 0.5, 0, 1, 0.005, help="middle, as a share of the image's height"),
        Control("angle", "Angle", "number", 0.0, -180, 180, 1, unit="°", help="turned clockwise"),
        Control("scale", "Size", "number", 1.0, 0.1, 4, 0.05, help="1: as large as the real one, in pixels"),
        Control("flip", "Flip", "switch", False, help="left to right, before it is turned"),
        Control(
            "length", "Length", "number", 30.0, 1, 100, 0.5, unit="%", help="of the image's shorter side"
        ),
        Control("width", "Width", "number", 1.0, 0.2, 50, 0.1, unit="%", help="of the image's shorter side"),
        Control(
            "irregularity", "Irregularity", "number", 0.3, 0, 1, 0.05, help="0: straight and even; 1: ragged"
        ),
        Control("count", "Count", "integer", 1, 1, 20, 1, help="how many lie around the first"),
        Control("seed", "Seed", "integer", 0, 0, 2**31 - 1, 1, help="another seed draws another one"),
    )
}
BORROWED = ("x", "y", "angle", "scale", "flip")
GENERATED = ("length", "width", "angle", "irregularity", "count", "x", "y", "seed")

# What a shape's sliders start from where that is not the control's own default: about what real ones look like.
STARTS: dict[str, dict[str, float]] = {
    "scratch": {"angle": 20.0},
    "spot": {"length": 6.0, "width": 5.0},
    "crack": {"length": 35.0, "irregularity": 0.5},
    "blotch": {"width": 20.0, "irregularity": 0.5},
}

# Of the part's area. The largest real defect of the data we know covers 49 %, and an engine that is to paint
# a defect into a surface has to see some of the surface.
TOO_LARGE = 0.75
ON_PART = 0.5  # the share of a mask that has to lie on the part
ATTEMPTS = 24  # places tried for a varied mask before the best of them is taken
VARIED_ANGLE = 20.0  # degrees by which a varied mask is turned, standard deviation
VARIED_SIZE = 1.4  # times larger or smaller it is at most, where the part has room
# Alpha above which an editor's pixel is painted: that of see-through brushes is, what an eraser leaves is not.
PAINTED = 32

# Of a background, in grey levels: how even it is, and how far from the part beside it.
BACKGROUND_SPREAD, BACKGROUND_CONTRAST = 10, 30
BACKGROUND_SIDE = 256  # the longer side of the copy in which it is looked for


@dataclass(frozen=True)
class MaskSpec:
    """How one mask comes about. Numbers out of range and unknown words raise `BadInput`.

    `file` names the mask of a drawn or uploaded one, `image` the defective image that lends a real one ("" =
    any). `x`, `y` is the centre (of a borrowed mask: of its bounding box), `angle`, `scale` and `flip` (left to
    right, before turning) move a real one; `shape`, `length`, `width`, `angle`, `irregularity`, `count` and
    `seed` make a generated one. With `vary` every painting gets another place, angle and size. `region` names the
    file of the region of interest that the mask stays in, "" for none.
    """

    source: str = "drawn"
    file: str = ""
    image: str = ""
    x: float = 0.5
    y: float = 0.5
    angle: float = 0.0
    scale: float = 1.0
    flip: bool = False
    shape: str = "scratch"
    length: float = 30.0
    width: float = 1.0
    irregularity: float = 0.3
    count: int = 1
    seed: int = 0
    vary: bool = False
    from_test: bool = False
    region: str = ""

    def __post_init__(self) -> None:
        _require_choice("source", self.source, SOURCES)
        _require_choice("shape", self.shape, SHAPES)
        for name, control in CONTROLS.items():
            object.__setattr__(self, name, control.read(getattr(self, name)))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MaskSpec:
        """The inverse of `to_json`; fields left out take their defaults. Raises `BadInput`."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise BadInput(f'A mask has no setting "{unknown[0]}"; leave it out.')
        return cls(**values)


def controls(source: str, shape: str = "scratch") -> tuple[Control, ...]:
    """The sliders of a "real" or a "generated" mask, with the shape's own starting values; else none."""
    if source == "real":
        return tuple(CONTROLS[name] for name in BORROWED)
    if source != "generated":
        return ()
    _require_choice("shape", shape, SHAPES)
    return tuple(
        replace(CONTROLS[name], default=STARTS[shape].get(name, CONTROLS[name].default)) for name in GENERATED
    )


def _require_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise BadInput(f'The mask\'s {name} is "{value}"; choose one of {", ".join(choices)}.')


# --- from a spec to pixels ----------------------------------------------------------------------------


def realise(
    spec: MaskSpec, image: Array, seed: int, lender: Array | None = None, region: Array | None = None
) -> Array:
    """The mask for one painting of `image` (H, W, 3): bool (H, W), the same for the same arguments.

    `lender` is the bool mask that `spec.file` or `spec.image` names, of any size; a drawn or uploaded one of
    another size is stretched to the image, a real one keeps its pixels. `seed` matters with `spec.vary` alone;
    a varied mask lies on the part. `region` is the region of interest, bool (H, W), None where everything counts: a
    varied mask lies in it, too; any other stays where it was put, and `check` and `within` say what becomes of it.
    Raises `BadInput` where a mask is needed and is missing or empty, and where nothing of the part is in the region.
    """
    shape = image.shape[:2]
    if spec.source == "generated":
        if spec.vary:
            return _varied(spec, image, seed, None, region)
        return generate(spec, shape)
    if lender is None:
        raise BadInput(
            "No mask was drawn or chosen; draw one, borrow one from a real defect or generate one."
        )
    if spec.source != "real":
        lender = _stretch(lender, shape)
    if not lender.any():
        raise BadInput("The mask is empty; paint where the defect is to be.")
    if spec.vary:
        return _varied(spec, image, seed, lender, region)
    if spec.source == "real":
        return place(lender, shape, spec.x, spec.y, spec.angle, spec.scale, spec.flip)
    return lender.copy()


def _varied(
    spec: MaskSpec, image: Array, seed: int, lender: Array | None, region: Array | None = None
) -> Array:
    """A mask somewhere on the part, turned and resized a little; cut to the part where it does not fit.

    A lender that is cut off by an edge of its image, as a crack that comes in from there, lies at that edge of
    the part again; one that several edges cut off lies in that corner again. With a region of interest, only what
    of the part is in it counts as the part, and a corner outside of it is given up for any place inside.
    """
    part = foreground(image)
    if region is not None:
        part = part & region
        if not part.any():
            raise BadInput(
                "Nothing of the part lies in the region of interest, so there is no place for a defect; draw the "
                "region where the part shows."
            )
    rng = np.random.default_rng([seed, spec.seed])
    edges = [] if lender is None else _cut_off(lender)
    best, best_share = np.zeros(part.shape, bool), -1.0
    for attempt in range(ATTEMPTS):
        size = float(np.exp(rng.uniform(-1, 1) * math.log(VARIED_SIZE))) * 0.9**attempt
        angle = spec.angle + float(np.clip(rng.normal(0, VARIED_ANGLE), -90, 90))
        over = bool(rng.integers(2))  # a flip, or for a generated one half a turn
        if lender is None:
            window, patch, area = _rasterise(
                _strokes(spec, part.shape, size, rng), part.shape, *_anywhere(part, rng), angle + 180 * over
            )
        else:
            scale = max(spec.scale * size, 0.05)
            flip = spec.flip != over
            if not edges or (region is not None and best_share < 0 and attempt >= ATTEMPTS // 2):
                window, patch, area = _moved(
                    lender, part.shape, *_anywhere(part, rng), angle + 180 * rng.integers(2), scale, flip
                )
            elif len(edges) == 1:
                window, patch, area = _at_edge(lender, edges[0], part, angle, scale, over, rng)
            else:
                sizes = spec.scale * np.exp(rng.uniform(-1, 1, 2) * math.log(VARIED_SIZE)) * 0.9**attempt
                patch = _in_corner(lender, edges, part.shape, sizes, flip)
                window, area = np.s_[: part.shape[0], : part.shape[1]], float(np.count_nonzero(patch))
        share = np.count_nonzero(patch & part[window]) / max(area, 1)
        if share > best_share and (patch & part[window]).any():
            best_share, best = share, np.zeros(part.shape, bool)
            best[window] = patch
        if share > 0.95:
            break
    if best_share < 0 and region is not None:
        raise BadInput(
            "No place was found for this mask in the region of interest; make the mask smaller or the region larger."
        )
    if best_share < 0:  # nothing fits this part at all
        x, y = _anywhere(part, rng)
        best[int(y * part.shape[0]), int(x * part.shape[1])] = True
    return best & part


def _anywhere(part: Array, rng: np.random.Generator) -> tuple[float, float]:
    """A pixel of the part, as shares (x, y) of the image."""
    at = np.flatnonzero(part)
    row, column = divmod(int(at[rng.integers(len(at))]), part.shape[1])
    return (column + 0.5) / part.shape[1], (row + 0.5) / part.shape[0]


def _cut_off(mask: Array) -> list[str]:
    """The edges of its image that a mask is cut off by: "left", "right", "top", "bottom", the longest cut first."""
    cuts = {"left": mask[:, 0], "right": mask[:, -1], "top": mask[0], "bottom": mask[-1]}
    length = {edge: int(np.count_nonzero(cut)) for edge, cut in cuts.items()}
    longest = max(length.values())
    edges = [edge for edge, cut in length.items() if cut == longest > 0 or cut >= max(3, 0.1 * longest)]
    return sorted(edges, key=lambda edge: -length[edge])


def _in_corner(lender: Array, edges: list[str], shape: tuple[int, int], size: Array, flip: bool) -> Array:
    """A lender that several edges cut off, a field in a corner or a band across, at these edges: bool (H, W).

    Stretched with the image, and by `size`, (2,), down and across, away from the edges it lies at; a `flip`
    exchanges left and right.
    """
    where = []
    for length, wanted, low, high, factor in (
        (lender.shape[0], shape[0], "top" in edges, "bottom" in edges, size[0]),
        (lender.shape[1], shape[1], "left" in edges, "right" in edges, size[1]),
    ):
        fixed = 0.5 if low == high else float(high)  # the share of the image that stays where it is
        at = ((np.arange(wanted) + 0.5) / wanted - fixed) / (1.0 if low and high else factor) + fixed
        where.append(np.floor(at * length + 1e-6).astype(int))
    rows, columns = where
    inside = (rows >= 0) & (rows < lender.shape[0]), (columns >= 0) & (columns < lender.shape[1])
    result = np.zeros(shape, bool)
    result[np.ix_(*inside)] = lender[np.ix_(rows[inside[0]], columns[inside[1]])]
    return result[:, ::-1] if flip else result


def _at_edge(
    lender: Array, edge: str, part: Array, angle: float, scale: float, over: bool, rng: np.random.Generator
) -> tuple[tuple[slice, slice], Array, float]:
    """As `_moved`, with where the lender is cut off at that edge of the part; `over`: mirrored along it."""
    # Everything as if the edge were the right one, then back.
    turns = {"right": 0, "bottom": 1, "left": 2, "top": 3}[edge]
    lender, field = np.rot90(lender, turns), np.rot90(part, turns)
    lender = lender[::-1] if over else lender
    rows = np.flatnonzero(field.any(axis=1))
    row = int(rows[rng.integers(len(rows))])
    last = int(np.flatnonzero(field[row])[-1])
    touched = np.flatnonzero(lender[:, -1])
    reach = max(4, math.ceil(0.5 * len(touched)))  # goes on, so that a turn leaves no gap
    longer = np.pad(lender, ((0, 0), (0, reach)), mode="edge")
    top, bottom, left, right = _bounds(longer)
    away = np.array(
        [(left + right) / 2 - lender.shape[1], (top + bottom) / 2 - (touched[0] + touched[-1] + 1) / 2]
    )
    middle = _turned(away[None] * scale, math.radians(angle))[0] + [last + 1, row + 0.5]
    window, patch, _ = _moved(
        longer, field.shape, middle[0] / field.shape[1], middle[1] / field.shape[0], angle, scale, False
    )
    result = np.zeros(field.shape, bool)
    result[window] = patch
    area = np.count_nonzero(lender) * scale**2
    return (slice(0, part.shape[0]), slice(0, part.shape[1])), np.rot90(result, -turns), area


def _stretch(mask: Array, shape: tuple[int, int]) -> Array:
    if mask.shape == shape:
        return mask
    rows, columns = _nearest(shape[0], mask.shape[0]), _nearest(shape[1], mask.shape[1])
    return mask[np.ix_(rows, columns)]


# --- borrowed -----------------------------------------------------------------------------------------


def place(
    lender: Array,
    shape: tuple[int, int],
    x: float = 0.5,
    y: float = 0.5,
    angle: float = 0.0,
    scale: float = 1.0,
    flip: bool = False,
) -> Array:
    """`lender`'s mask, bool of any size, on an image of `shape` (H, W): bool (H, W).

    Its bounding box is flipped left to right, scaled, turned clockwise by `angle` degrees and centred at (x, y),
    shares of the image; what leaves the image is cut off. Nearest neighbour: at scale 1, moved, flipped or
    turned by right angles, every pixel of the lender is found again. Shrunk, a pixel is set where any of the
    lender's pixels falls, so that a hairline stays whole. `centre` gives the (x, y) where it lay.
    """
    result = np.zeros(shape, bool)
    if lender.any():
        window, patch, _ = _moved(lender, shape, x, y, angle, scale, flip)
        result[window] = patch
    return result


def centre(mask: Array) -> tuple[float, float]:
    """The middle of a mask's bounding box as shares (x, y) of its image; (0.5, 0.5) of an empty one."""
    if not mask.any():
        return 0.5, 0.5
    top, bottom, left, right = _bounds(mask)
    return (left + right) / 2 / mask.shape[1], (top + bottom) / 2 / mask.shape[0]


def _moved(
    lender: Array, shape: tuple[int, int], x: float, y: float, angle: float, scale: float, flip: bool
) -> tuple[tuple[slice, slice], Array, float]:
    """The window of the image that a placed mask touches, its pixels there, and its area before it was cut."""
    top, bottom, left, right = _bounds(lender)
    piece = lender[top:bottom, left:right]
    if flip:
        piece = piece[:, ::-1]
    height, width = piece.shape
    turn = math.radians(angle)
    cos, sin = math.cos(turn), math.sin(turn)
    at_x, at_y = x * shape[1], y * shape[0]
    reach_x = scale * (abs(cos) * width + abs(sin) * height) / 2
    reach_y = scale * (abs(sin) * width + abs(cos) * height) / 2
    window = _window(shape, at_x - reach_x, at_y - reach_y, at_x + reach_x, at_y + reach_y)
    # Image to lender, by the pixels' middles. The tiny shift decides ties the same way on every machine.
    down = (np.arange(window[0].start, window[0].stop) + 0.5 - at_y)[:, None] / scale
    across = (np.arange(window[1].start, window[1].stop) + 0.5 - at_x)[None, :] / scale
    column = np.floor(cos * across + sin * down + width / 2 + 1e-6).astype(np.int64)
    row = np.floor(-sin * across + cos * down + height / 2 + 1e-6).astype(np.int64)
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    patch = np.zeros(inside.shape, bool)
    patch[inside] = piece[row[inside], column[inside]]
    if scale < 1:  # and from the lender to the image, or thin lines would fall between its pixels
        rows, columns = np.nonzero(piece)
        across, down = (columns + 0.5 - width / 2) * scale, (rows + 0.5 - height / 2) * scale
        column = np.floor(cos * across - sin * down + at_x).astype(np.int64) - window[1].start
        row = np.floor(sin * across + cos * down + at_y).astype(np.int64) - window[0].start
        inside = (row >= 0) & (row < patch.shape[0]) & (column >= 0) & (column < patch.shape[1])
        patch[row[inside], column[inside]] = True
    return window, patch, np.count_nonzero(piece) * scale**2


def _window(
    shape: tuple[int, int], left: float, top: float, right: float, bottom: float
) -> tuple[slice, slice]:
    """The pixels around a box that lie in the image; empty slices where none do."""
    y0, x0 = max(0, math.floor(top) - 1), max(0, math.floor(left) - 1)
    y1, x1 = min(shape[0], math.ceil(bottom) + 1), min(shape[1], math.ceil(right) + 1)
    return slice(y0, max(y0, y1)), slice(x0, max(x0, x1))


def _bounds(mask: Array) -> tuple[int, int, int, int]:
    """top, bottom, left, right (ends excluded) of what is set in a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


# --- generated ----------------------------------------------------------------------------------------


def generate(spec: MaskSpec, shape: tuple[int, int]) -> Array:
    """A scratch, spot, crack or blotch on an image of `shape` (H, W): bool (H, W), never empty.

    `length` along and `width` across, in percent of the shorter side and at least one pixel; `angle` turns it
    clockwise; `irregularity` goes from 0 (straight, round) to 1 (ragged). The first of `count` lies with its
    middle at (x, y), the others around it. `seed` draws all that is left to chance.
    """
    strokes = _strokes(spec, shape, 1.0, np.random.default_rng(spec.seed))
    window, patch, _ = _rasterise(strokes, shape, spec.x, spec.y, spec.angle)
    result = np.zeros(shape, bool)
    result[window] = patch
    if not result.any():  # its middle at the very edge, and the line beside it
        result[min(int(spec.y * shape[0]), shape[0] - 1), min(int(spec.x * shape[1]), shape[1] - 1)] = True
    return result


def _strokes(spec: MaskSpec, shape: tuple[int, int], size: float, rng: np.random.Generator) -> list[Stroke]:
    """The lines and outlines of a spec's shapes, `size` times as large, in pixels around (0, 0), along x."""
    side = min(shape)
    strokes: list[Stroke] = []
    for number in range(spec.count):
        each = size if number == 0 else size * float(rng.uniform(0.5, 1.1))
        long, wide = (max(1.0, each * share * side / 100) for share in (spec.length, spec.width))
        made = _DRAW[spec.shape](long, wide, spec.irregularity, rng)
        shift = np.zeros(2) if number == 0 else rng.normal(0, 0.2 * side, 2)
        turn = 0.0 if number == 0 else float(rng.normal(0, 0.15 + 0.6 * spec.irregularity))
        strokes += [(_turned(points, turn) + shift, widths) for points, widths in made]
    return strokes


def _scratch(long: float, wide: float, irregularity: float, rng: np.random.Generator) -> list[Stroke]:
    """One stroke of a hard point: slightly bowed, thinner at its ends, broken where it skips."""
    along = np.linspace(-0.5, 0.5, 96)
    bow = irregularity * long * (0.15 * rng.normal() * (along**2 - 0.08) + 0.012 * _wander(along, 4, rng))
    points = np.stack([along * long, bow], axis=1)
    widths = wide * (
        1 - irregularity * (0.6 * (2 * along) ** 4 + 0.35 * (1 + np.tanh(_wander(along, 9, rng))))
    )
    lifted = _wander(along, 6, rng) > 2.6 - 1.4 * irregularity if irregularity > 0.1 else along > 1
    lifted[40:56] = False  # its middle is always there
    pieces = np.split(np.arange(len(along)), np.flatnonzero(np.diff(lifted.astype(int))) + 1)
    return [(points[piece], widths[piece]) for piece in pieces if not lifted[piece[0]]]


def _crack(long: float, wide: float, irregularity: float, rng: np.random.Generator) -> list[Stroke]:
    """A jagged line of broken material, widest in its middle, with branches that run on along it."""
    points = _jagged(long, irregularity, rng)
    taper = 1 - 0.75 * np.abs(np.linspace(-1, 1, len(points))) ** 1.5
    strokes: list[Stroke] = [(points - points[len(points) // 2], wide * taper)]
    for _ in range(rng.poisson(3 * irregularity)):
        start = int(rng.integers(len(points) // 6, len(points) - len(points) // 6))
        branch = _jagged(long * rng.uniform(0.1, 0.35), irregularity, rng)
        branch = _turned(branch - branch[0], float(rng.choice([-1, 1]) * rng.uniform(0.3, 1.0)))
        thin = wide * taper[start] * np.linspace(0.8, 0.2, len(branch))
        strokes.append((branch + strokes[0][0][start], thin))
    return strokes


def _jagged(long: float, irregularity: float, rng: np.random.Generator) -> Array:
    """A line from -long/2 to long/2 by displacing the middles of its pieces, (65, 2)."""
    points = np.array([[-long / 2, 0.0], [long / 2, 0.0]])
    for step in range(6):
        middles = (points[1:] + points[:-1]) / 2
        middles += rng.normal(0, 0.16 * irregularity * long * 0.55**step, middles.shape) * [0.4, 1.0]
        points = np.insert(points, np.arange(1, len(points)), middles, axis=0)
    return points


def _spot(long: float, wide: float, irregularity: float, rng: np.random.Generator) -> list[Stroke]:
    """A pit or a stain: an ellipse whose rim wanders."""
    around = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    radius = np.exp(0.28 * irregularity * _harmonics(around, 7, rng))
    return [
        (np.stack([np.cos(around) * long / 2, np.sin(around) * wide / 2], axis=1) * radius[:, None], None)
    ]


def _blotch(long: float, wide: float, irregularity: float, rng: np.random.Generator) -> list[Stroke]:
    """A field without a form of its own: ragged spots that run into each other."""
    strokes = _spot(long * (1 - 0.3 * irregularity), wide * (1 - 0.3 * irregularity), irregularity, rng)
    for _ in range(round(7 * irregularity)):
        toward, size = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.6)
        middle = np.array([np.cos(toward) * long, np.sin(toward) * wide]) * rng.uniform(0.2, 0.45)
        (points, _), = _spot(long * size, wide * size, irregularity, rng)  # fmt: skip
        strokes.append((points + middle, None))
    return strokes


_DRAW = {"scratch": _scratch, "spot": _spot, "crack": _crack, "blotch": _blotch}


def _wander(along: Array, waves: int, rng: np.random.Generator) -> Array:
    """A smooth random line of about unit variance with up to `waves` half waves per length."""
    phases, heights = rng.uniform(0, 2 * np.pi, waves), rng.normal(0, 1, waves) / np.sqrt(waves / 2)
    return np.sum(heights * np.sin(np.pi * np.arange(1, waves + 1) * along[:, None] + phases), axis=1)


def _harmonics(around: Array, waves: int, rng: np.random.Generator) -> Array:
    """As `_wander`, closed on itself, with slow waves the largest."""
    numbers = np.arange(2, waves + 2)
    phases, heights = rng.uniform(0, 2 * np.pi, waves), rng.normal(0, 1, waves) * 1.6 / numbers**0.8
    return np.sum(heights * np.sin(numbers * around[:, None] + phases), axis=1)


def _turned(points: Array, turn: float) -> Array:
    cos, sin = math.cos(turn), math.sin(turn)
    return points @ np.array([[cos, sin], [-sin, cos]])


def _rasterise(
    strokes: list[Stroke], shape: tuple[int, int], x: float, y: float, angle: float
) -> tuple[tuple[slice, slice], Array, float]:
    """As `_moved`, for strokes; the area before cutting counts what lies beyond the edge of the image."""
    middle = np.array(
        [x * shape[1] - 0.5, y * shape[0] - 0.5]
    )  # in OpenCV a pixel's middle is a whole number
    turned = [(_turned(points, math.radians(angle)), widths) for points, widths in strokes]
    margin = max([2.0, *(float(widths.max()) for _, widths in turned if widths is not None)])
    everything = np.concatenate([points for points, _ in turned])
    low, high = np.floor(everything.min(axis=0) - margin), np.ceil(everything.max(axis=0) + margin)
    canvas = np.zeros((int(high[1] - low[1]) + 1, int(high[0] - low[0]) + 1), np.uint8)
    corner = np.floor(middle + low).astype(int)  # of the canvas in the image
    for points, widths in turned:
        at = np.round((points + middle - corner) * 16).astype(
            np.int32
        )  # OpenCV's shift: sixteenths of a pixel
        if widths is None:
            cv2.fillPoly(canvas, [at], 1, shift=4)
            continue
        for a, b, wide in zip(at[:-1], at[1:], widths[:-1], strict=True):
            start, end = (int(a[0]), int(a[1])), (int(b[0]), int(b[1]))
            cv2.line(canvas, start, end, 1, max(1, round(float(wide))), shift=4)
    window = _window(shape, corner[0] + 1, corner[1] + 1, corner[0] + canvas.shape[1] - 1,
                     corner[1] + canvas.shape[0] - 1)  # fmt: skip
    drawn = canvas.astype(bool)
    cut = drawn[
        max(0, window[0].start - corner[1]) : max(0, window[0].stop - corner[1]),
        max(0, window[1].start - corner[0]) : max(0, window[1].stop - corner[0]),
    ]
    return window, cut, float(np.count_nonzero(drawn))


# --- the part and its background ----------------------------------------------------------------------


def foreground(image: Array) -> Array:
    """Where the part is: bool (H, W) for uint8 (H, W, 3); True everywhere where no background can be told.

    A background touches the border, is even, and ends at a step in brightness or colour. A surface that fills
    the image has no such region, however dark one of its sides is: its brightness runs on without a step.
    """
    small = cv2.GaussianBlur(thumbnail(image, BACKGROUND_SIDE), (3, 3), 0).astype(np.int16)
    background = np.zeros(small.shape[:2], bool)
    border = np.ones(small.shape[:2], bool)
    border[1:-1, 1:-1] = False
    for _ in range(4):  # at most so many backgrounds of different colours
        left = small[border & ~background]
        if len(left) < 8:
            break
        level = _commonest(left)
        near = (np.abs(small - level).max(axis=2) <= BACKGROUND_SPREAD) & ~background
        found = _connected(near, border)
        background |= np.where(_is_apart(small, found), found, False)
        border &= ~found
    if not background.any() or np.count_nonzero(~background) < 0.02 * background.size:
        return np.ones(image.shape[:2], bool)
    return _stretch(~background, image.shape[:2])


def _commonest(colours: Array) -> Array:
    """The colour (3,) that most of `colours` (n, 3) are close to."""
    coarse = (colours // 8) @ np.array([1024, 32, 1])
    values, counts = np.unique(coarse, return_counts=True)
    return np.median(colours[coarse == values[counts.argmax()]], axis=0)


def _connected(region: Array, border: Array) -> Array:
    """The pieces of `region` that reach the border and are more than a speck."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8), connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] >= max(12, region.size // 1000)
    large[0] = False
    touching = np.zeros(len(stats), bool)
    touching[labels[border & region]] = True
    return (large & touching)[labels]


def _is_apart(small: Array, found: Array) -> Array:
    """Per pixel of `found`: is its piece solid, and does it end at a step along most of its rim?

    What fills most of the image is the surface, unless it is all around the part.
    """
    result = np.zeros(found.shape, bool)
    border = np.ones(found.shape, bool)
    border[1:-1, 1:-1] = False
    count, labels = cv2.connectedComponents(found.astype(np.uint8), connectivity=4)
    for label in range(1, count):
        piece = (labels == label).astype(np.uint8)
        solid = cv2.morphologyEx(piece, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        near, far = (cv2.dilate(piece, np.ones((side, side), np.uint8)) for side in (5, 13))
        beyond = (far > 0) & (near == 0)
        surface = piece.mean() > 0.5 and solid[border].mean() < 0.95
        if surface or not beyond.any() or piece.sum() < 0.8 * solid.sum():
            continue
        level = np.median(small[piece > 0], axis=0)
        steps = np.abs(small[beyond] - level).max(axis=1)
        result |= (piece > 0) & (np.quantile(steps, 0.2) >= BACKGROUND_CONTRAST)
    return result


def check(mask: Array, image: Array, region: Array | None = None) -> None:
    """Raise `BadInput`, one sentence, where nothing sensible can be painted into `mask` (H, W) of `image`.

    region: the region of interest, bool (H, W); only what of the mask is in it counts. None where everything does.
    """
    if mask.shape != image.shape[:2]:
        (height, width), (wanted_height, wanted_width) = mask.shape, image.shape[:2]
        raise BadInput(
            f"The mask is {width} x {height} pixels but the image is {wanted_width} x {wanted_height}; "
            "use a mask of the image's size."
        )
    if not mask.any():
        raise BadInput("The mask is empty; paint where the defect is to be.")
    mask = within(mask, region)[0]
    if not mask.any():
        raise BadInput(
            "The mask lies outside the region of interest, where nothing counts; paint it inside the region."
        )
    part = foreground(image)
    on_part = np.count_nonzero(mask & part)
    if on_part < ON_PART * np.count_nonzero(mask):
        raise BadInput("The mask lies outside the part, on the background; paint it onto the part.")
    if on_part > TOO_LARGE * np.count_nonzero(part):
        raise BadInput(
            f"The mask covers {100 * on_part / np.count_nonzero(part):.0f} % of the part, so nothing of its surface "
            f"would be left to go by; paint at most {100 * TOO_LARGE:.0f} % of it."
        )


def within(mask: Array, region: Array | None) -> tuple[Array, str]:
    """What of a mask, bool (H, W), is in the region of interest, and a sentence on what was cut off, "" for nothing."""
    if region is None or not (mask & ~region).any():
        return mask, ""
    share = np.count_nonzero(mask & ~region) / np.count_nonzero(mask)
    cut = "Less than 1 %" if share < 0.01 else f"{100 * share:.0f} %"
    return mask & region, f"{cut} of the mask lay outside the region of interest and was left out."


# --- the editor ---------------------------------------------------------------------------------------


def editor_copy(image: Array, side: int = 1024) -> Array:
    """uint8 (H, W, 3) reduced to at most `side` pixels on its longer side: what a browser paints on smoothly."""
    return thumbnail(image, side)


def from_editor(painted: Any, shape: tuple[int, int], shown: Array | None = None) -> Array:
    """What was painted on an editor's copy, as a mask of the image's `shape`: bool (H, W).

    `painted` is the value of a Gradio image editor (its layers count, not its composite), a list of layers, or
    one layer: uint8 (h, w, 4), or alpha alone, (h, w), or bool. A pixel of the image takes the editor's pixel
    that its middle lies in, so the outermost pixels are reached. `shown` is the mask (H, W) that `to_editor`
    had put there: where the person left it alone its own, finer pixels stay. None painted: an empty mask.
    """
    layers = painted.get("layers") if isinstance(painted, Mapping) else painted
    if layers is None:
        layers = []
    result = np.zeros(shape, bool)
    for layer in [layers] if isinstance(layers, np.ndarray) else layers:
        result |= _stretch(_painted(layer), shape)
    if shown is None:
        return result
    untouched = result == _stretch(_reduced(shown, *_editor_shapes(layers, shape)), shape)
    return np.where(untouched, shown, result)


def _editor_shapes(layers: Any, shape: tuple[int, int]) -> tuple[int, int]:
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
    """A mask bool (H, W) as a layer of an editor whose copy has `shape` (h, w): uint8 (h, w, 4).

    A pixel is painted where any pixel of the mask falls into it, so that hairlines can be seen.
    """
    layer = np.zeros((*shape, 4), np.uint8)
    layer[_reduced(mask, *shape)] = colour
    return layer


def _reduced(mask: Array, height: int, width: int) -> Array:
    """bool (height, width): True where any True pixel of the mask has its middle, or its nearest, in it."""
    if mask.shape[0] <= height and mask.shape[1] <= width:
        return _stretch(mask, (height, width))
    result = np.zeros((height, width), bool)
    rows, columns = np.nonzero(mask)
    result[_nearest(mask.shape[0], height)[rows], _nearest(mask.shape[1], width)[columns]] = True
    return result


def _nearest(length: int, other: int) -> Array:
    """For each of `length` pixels along an axis the one of `other` that its middle lies in; whole numbers."""
    return (2 * np.arange(length) + 1) * other // (2 * length)
