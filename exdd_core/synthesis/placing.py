"""Places masks of real defects on another image, and masks at a random position in each painting.

A borrowed mask keeps its own pixels: at scale 1 a defect is as large as in the image that it comes from.
Knows masks, the part and random numbers. Does not know files, or which split may lend a mask.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from exdd_core.errors import BadInput
from exdd_core.synthesis.foreground import foreground
from exdd_core.synthesis.mask_geometry import Array, bounds, pixels_of_box
from exdd_core.synthesis.mask_shapes import generate, rasterised, rotated, strokes_of
from exdd_core.synthesis.mask_spec import ANY, MaskSpec
from exdd_core.synthesis.prior import Lying

# The window of the image that a mask touches, the mask's pixels there, and its area before the window cut it.
Placed = tuple[tuple[slice, slice], Array, float]

ATTEMPTS = 24  # positions that are tried for a varied mask; the best is taken
VARIED_ANGLE = 20.0  # degrees: standard deviation of the angle by which a varied mask is turned
LARGER = 3.0  # a generated mask is enlarged or reduced by at most this factor to be as large as known defects
ON_PART = 0.95  # the share of a varied mask that shall lie on the part
ANY_ON_PART = (
    0.4  # the same for a mask of any shape: edges of the part may cut it off, as they do large defects
)
MOST_OF_PART = 0.5  # largest share of the part that a mask of any shape covers
VARIED_SIZE = 1.4  # a varied mask is larger or smaller by at most this factor, where the part has room


def varied(
    spec: MaskSpec, image: Array, seed: int, lender: Array | None, region: Array | None = None
) -> Array:
    """A mask at a random position on the part, turned and resized a little, and cut to the part.

    A lender that an edge of its image cuts off, such as a crack that starts there, is placed at the same edge
    of the part; one that several edges cut off is placed in the same corner. With a region of interest, only
    the part inside it counts. With `spec.place` the position is like that known defect's, and so are angle and
    area of a generated mask, except of one of any shape. If half of the attempts find the part in no such place,
    any position is taken.
    """
    part = foreground(image)
    if region is not None:
        part = part & region
        if not part.any():
            raise BadInput(
                "The region of interest does not contain the part, so there is no place for a defect; draw "
                "the region over the part."
            )
    rng = np.random.default_rng([seed, spec.seed])
    edges = [] if lender is None else _cut_off(lender)
    free = spec.shape == ANY and lender is None
    enough, most = (ANY_ON_PART, MOST_OF_PART * np.count_nonzero(part)) if free else (ON_PART, np.inf)
    best, best_share = np.zeros(part.shape, bool), -1.0
    for attempt in range(ATTEMPTS):
        # The edges of the part, or the known places, may lie outside the region of interest.
        if best_share < 0 and attempt == ATTEMPTS // 2 and (region is not None or spec.place):
            spec, edges = replace(spec, place=None), []
        window, patch, area = _tried(spec, part, lender, edges, attempt, rng)
        inside = np.count_nonzero(patch & part[window])
        share = inside / max(area, 1)
        if share > best_share and 0 < inside <= most:
            best_share, best = share, np.zeros(part.shape, bool)
            best[window] = patch
        if best_share > enough:
            break
    if best_share < 0 and region is not None:
        raise BadInput(
            "No place was found for this mask in the region of interest; make the mask smaller or the region larger."
        )
    if best_share < 0:  # no attempt touched the part
        x, y = _anywhere(part, rng)
        best[int(y * part.shape[0]), int(x * part.shape[1])] = True
    return best & part


def _tried(
    spec: MaskSpec,
    part: Array,
    lender: Array | None,
    edges: list[str],
    attempt: int,
    rng: np.random.Generator,
) -> Placed:
    """One attempt at a varied mask; later attempts are smaller. edges: those that the mask has to touch."""
    size = float(np.exp(rng.uniform(-1, 1) * math.log(VARIED_SIZE))) * 0.9**attempt
    angle = spec.angle + float(np.clip(rng.normal(0, VARIED_ANGLE), -90, 90))
    over = bool(rng.integers(2))  # a borrowed mask is flipped, a generated one is turned by 180 degrees
    lying = spec.place.drawn(rng) if spec.place else None
    if lender is None:
        if lying and spec.shape != ANY:
            angle, size = lying.angle, _size_for(spec, lying.area, part.shape) * 0.9**attempt
        strokes = strokes_of(spec, part.shape, size, rng)
        x, y = (lying.x, lying.y) if lying else _anywhere(part, rng)
        return rasterised(strokes, part.shape, x, y, angle + 180 * over)
    scale, flip = max(spec.scale * size, 0.05), spec.flip != over
    if not edges:
        x, y = (lying.x, lying.y) if lying else _anywhere(part, rng)
        return _moved(lender, part.shape, x, y, angle + 180 * rng.integers(2), scale, flip)
    if len(edges) == 1:
        return _at_edge(lender, edges[0], part, angle, scale, over, lying, rng)
    sizes = spec.scale * np.exp(rng.uniform(-1, 1, 2) * math.log(VARIED_SIZE)) * 0.9**attempt
    patch = _in_corner(lender, edges, part.shape, sizes, flip)
    return np.s_[: part.shape[0], : part.shape[1]], patch, float(np.count_nonzero(patch))


def _size_for(spec: MaskSpec, area: float, shape: tuple[int, int]) -> float:
    """The factor by which a generated mask is enlarged to cover the share `area` of an image, at most LARGER."""
    usual = np.count_nonzero(generate(replace(spec, x=0.5, y=0.5), shape)) / (shape[0] * shape[1])
    return float(np.clip(math.sqrt(area / usual), 1 / LARGER, LARGER))


def _anywhere(part: Array, rng: np.random.Generator) -> tuple[float, float]:
    """A pixel of the part, as shares (x, y) of the image."""
    at = np.flatnonzero(part)
    row, column = divmod(int(at[rng.integers(len(at))]), part.shape[1])
    return (column + 0.5) / part.shape[1], (row + 0.5) / part.shape[0]


def _cut_off(mask: Array) -> list[str]:
    """The edges of its image that cut a mask off: "left", "right", "top", "bottom", the longest cut first."""
    cuts = {"left": mask[:, 0], "right": mask[:, -1], "top": mask[0], "bottom": mask[-1]}
    length = {edge: int(np.count_nonzero(cut)) for edge, cut in cuts.items()}
    longest = max(length.values())
    edges = [edge for edge, cut in length.items() if cut == longest > 0 or cut >= max(3, 0.1 * longest)]
    return sorted(edges, key=lambda edge: -length[edge])


def _in_corner(lender: Array, edges: list[str], shape: tuple[int, int], size: Array, flip: bool) -> Array:
    """A lender that several edges cut off (a field in a corner, a band across) at the same edges: bool (H, W).

    It is stretched to the image, and by `size`, (2,), down and across, with its edges fixed; `flip` exchanges
    left and right.
    """
    where = []
    for length, wanted, low, high, factor in (
        (lender.shape[0], shape[0], "top" in edges, "bottom" in edges, size[0]),
        (lender.shape[1], shape[1], "left" in edges, "right" in edges, size[1]),
    ):
        fixed = 0.5 if low == high else float(high)  # the fixed point, as a share of the image
        at = ((np.arange(wanted) + 0.5) / wanted - fixed) / (1.0 if low and high else factor) + fixed
        where.append(np.floor(at * length + 1e-6).astype(int))
    rows, columns = where
    inside = (rows >= 0) & (rows < lender.shape[0]), (columns >= 0) & (columns < lender.shape[1])
    result = np.zeros(shape, bool)
    result[np.ix_(*inside)] = lender[np.ix_(rows[inside[0]], columns[inside[1]])]
    return result[:, ::-1] if flip else result


def _at_edge(
    lender: Array,
    edge: str,
    part: Array,
    angle: float,
    scale: float,
    over: bool,
    lying: Lying | None,
    rng: np.random.Generator,
) -> Placed:
    """As `_moved`, with the lender's cut at that edge of the part; `over` mirrors it along the edge.

    lying: where along the edge; None for anywhere.
    """
    # Turn the edge to the right, place the mask there, and turn back.
    turns = {"right": 0, "bottom": 1, "left": 2, "top": 3}[edge]
    lender, field = np.rot90(lender, turns), np.rot90(part, turns)
    lender = lender[::-1] if over else lender
    rows = np.flatnonzero(field.any(axis=1))
    row = int(rows[rng.integers(len(rows))])
    if lying:
        along = {"right": lying.y, "bottom": 1 - lying.x, "left": 1 - lying.y, "top": lying.x}[edge]
        row = int(rows[np.abs(rows + 0.5 - along * len(field)).argmin()])
    last = int(np.flatnonzero(field[row])[-1])
    touched = np.flatnonzero(lender[:, -1])
    reach = max(4, math.ceil(0.5 * len(touched)))  # extends the mask, so that a turn leaves no gap
    longer = np.pad(lender, ((0, 0), (0, reach)), mode="edge")
    top, bottom, left, right = bounds(longer)
    away = np.array(
        [(left + right) / 2 - lender.shape[1], (top + bottom) / 2 - (touched[0] + touched[-1] + 1) / 2]
    )
    middle = rotated(away[None] * scale, math.radians(angle))[0] + [last + 1, row + 0.5]
    window, patch, _ = _moved(
        longer, field.shape, middle[0] / field.shape[1], middle[1] / field.shape[0], angle, scale, False
    )
    result = np.zeros(field.shape, bool)
    result[window] = patch
    area = np.count_nonzero(lender) * scale**2
    return (slice(0, part.shape[0]), slice(0, part.shape[1])), np.rot90(result, -turns), area


def place(
    lender: Array,
    shape: tuple[int, int],
    x: float = 0.5,
    y: float = 0.5,
    angle: float = 0.0,
    scale: float = 1.0,
    flip: bool = False,
) -> Array:
    """Place the mask `lender`, bool of any size, on an image of `shape` (H, W): bool (H, W).

    Its bounding box is flipped left to right, scaled, turned clockwise by `angle` degrees and centred at (x, y),
    shares of the image; what leaves the image is cut off. With nearest-neighbour sampling, every pixel of the
    lender is kept at scale 1 and right angles. A smaller mask sets every pixel that one of the lender's falls
    into, so that a hairline stays whole. `centre` gives a lender's own (x, y).
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
    top, bottom, left, right = bounds(mask)
    return (left + right) / 2 / mask.shape[1], (top + bottom) / 2 / mask.shape[0]


def _moved(
    lender: Array, shape: tuple[int, int], x: float, y: float, angle: float, scale: float, flip: bool
) -> Placed:
    """The window of the image that a placed mask touches, its pixels there, and its area before it was cut."""
    top, bottom, left, right = bounds(lender)
    piece = lender[top:bottom, left:right]
    if flip:
        piece = piece[:, ::-1]
    height, width = piece.shape
    turn = math.radians(angle)
    cos, sin = math.cos(turn), math.sin(turn)
    at_x, at_y = x * shape[1], y * shape[0]
    reach_x = scale * (abs(cos) * width + abs(sin) * height) / 2
    reach_y = scale * (abs(sin) * width + abs(cos) * height) / 2
    window = pixels_of_box(shape, at_x - reach_x, at_y - reach_y, at_x + reach_x, at_y + reach_y)
    # From the image to the lender, by the pixels' middles. The tiny shift decides ties alike on every machine.
    down = (np.arange(window[0].start, window[0].stop) + 0.5 - at_y)[:, None] / scale
    across = (np.arange(window[1].start, window[1].stop) + 0.5 - at_x)[None, :] / scale
    column = np.floor(cos * across + sin * down + width / 2 + 1e-6).astype(np.int64)
    row = np.floor(-sin * across + cos * down + height / 2 + 1e-6).astype(np.int64)
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    patch = np.zeros(inside.shape, bool)
    patch[inside] = piece[row[inside], column[inside]]
    # From the lender to the image, since thin lines or a single pixel would fall between the image's pixels.
    if scale < 1 or not patch.any():
        rows, columns = np.nonzero(piece)
        across, down = (columns + 0.5 - width / 2) * scale, (rows + 0.5 - height / 2) * scale
        column = np.floor(cos * across - sin * down + at_x).astype(np.int64) - window[1].start
        row = np.floor(sin * across + cos * down + at_y).astype(np.int64) - window[0].start
        inside = (row >= 0) & (row < patch.shape[0]) & (column >= 0) & (column < patch.shape[1])
        patch[row[inside], column[inside]] = True
    return window, patch, np.count_nonzero(piece) * scale**2
