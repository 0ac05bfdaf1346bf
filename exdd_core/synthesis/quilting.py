"""Image quilting: a texture made of blocks of another one, each cut along the line where neighbours differ least.

After Efros and Freeman (SIGGRAPH 2001), with a guide, as their texture transfer: blocks are chosen where the guide of
the source is like the guide of the target, here the depth in a mask, so that a defect's rim comes to the rim and its
core to the core. Knows arrays. Does not know what they show.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

LARGEST, SMALLEST = 32, 4  # sides in pixels of blocks
MOST_CHOICES = 600  # blocks of the source that are compared for each block laid
TOLERANCE = 0.1  # how much worse than the best block a chosen one may fit, as a share
GUIDE = 0.5  # weight of the guide beside the overlap


@dataclass(frozen=True)
class Source:
    """A texture to take blocks from. pixels: float32 (H, W, 3). guide: float32 (H, W). known: bool (H, W)."""

    pixels: np.ndarray
    guide: np.ndarray
    known: np.ndarray

    def blocks(self, side: int) -> tuple[np.ndarray, np.ndarray]:
        """The whole known blocks of this side, at most MOST_CHOICES: float32 (n, side, side, 3) and (n, side, side)."""
        size = (side, side)
        whole = np.lib.stride_tricks.sliding_window_view(self.known, size)[::2, ::2].all(axis=(2, 3))
        rows, columns = (2 * at for at in np.nonzero(whole))
        some = np.linspace(0, len(rows) - 1, min(len(rows), MOST_CHOICES)).round().astype(int)
        pixels = np.lib.stride_tricks.sliding_window_view(self.pixels, size, axis=(0, 1))
        guide = np.lib.stride_tricks.sliding_window_view(self.guide, size)
        at = rows[some], columns[some]
        return np.moveaxis(pixels[at], 1, -1), guide[at]


def quilted(
    source: Source, canvas: np.ndarray, guide: np.ndarray, fill: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """`canvas`, float32 (h, w, 3), with blocks of the source where `fill`, bool (h, w), is True.

    guide: float32 (h, w), in the unit of the source's. Where the source has no known block of SMALLEST pixels, the
    canvas stays as it is.
    """
    side = min(LARGEST, *source.known.shape, *fill.shape)
    while not len((choices := source.blocks(side))[0]) and side > SMALLEST:
        side = max(SMALLEST, side * 2 // 3)
    if not len(choices[0]):
        return canvas
    pixels, guides = choices
    out, known = canvas.copy(), ~fill
    laid = np.zeros(fill.shape, bool)
    grey, heights = pixels.mean(axis=3).reshape(len(pixels), -1), guides.reshape(len(guides), -1)
    scale = float(grey.var()) + 1e-6, float(heights.var()) + 1e-6
    squares = grey**2, (heights**2).sum(axis=1)
    for top, left in _places(fill, side):
        at = np.s_[top : top + side, left : left + side]
        seen, own = known[at].ravel().astype(np.float32), out[at].mean(axis=2).ravel()
        apart = squares[0] @ seen - 2 * grey @ (seen * own) + float(seen @ own**2)
        wanted = guide[at].ravel()
        other = squares[1] - 2 * heights @ wanted + float(wanted @ wanted)
        worth = apart / scale[0] / max(1.0, float(seen.sum())) + GUIDE * other / scale[1] / side**2
        close = np.flatnonzero(worth <= worth.min() + TOLERANCE * abs(float(worth.min())) + 1e-6)
        chosen = pixels[close[int(rng.integers(len(close)))]]
        new = _cut((out[at] - chosen).sum(axis=2) ** 2, laid[at]) & fill[at]
        out[at][new] = chosen[new]
        laid[at] |= fill[at]
        known[at] = True
    return out


def _places(fill: np.ndarray, side: int) -> Iterator[tuple[int, int]]:
    """Top and left of the blocks that cover `fill`, line by line."""
    rows, columns = np.flatnonzero(fill.any(axis=1)), np.flatnonzero(fill.any(axis=0))
    step = max(1, side * 2 // 3)
    for top in _starts(int(rows[0]), int(rows[-1]) + 1, side, step, fill.shape[0]):
        for left in _starts(int(columns[0]), int(columns[-1]) + 1, side, step, fill.shape[1]):
            if fill[top : top + side, left : left + side].any():
                yield top, left


def _starts(first: int, last: int, side: int, step: int, limit: int) -> list[int]:
    """The starts, within 0..limit, of blocks that cover first..last."""
    begins = range(first - side // 3, last, step)
    return sorted({min(max(0, begin), limit - side) for begin in begins})


def _cut(error: np.ndarray, laid: np.ndarray) -> np.ndarray:
    """Which pixels of a block are taken, bool (b, b), where `laid` of it lie there already.

    error: float32 (b, b), squared differences from them. The block begins behind the cheapest path through what it
    overlaps at its left and at its top.
    """
    taken = np.ones(error.shape, bool)
    for turned in (False, True):
        own, there = (error.T, laid.T) if turned else (error, laid)
        reach = int(there.all(axis=0).argmin()) if not there.all() else len(there) // 3
        if reach > 1:
            behind = np.arange(len(own))[None] >= _path(own[:, :reach])[:, None]
            taken &= behind.T if turned else behind
    return taken | ~laid


def _path(error: np.ndarray) -> np.ndarray:
    """The column of the cheapest path from the first row to the last, which moves by at most one a row: int (b,)."""
    costs = np.full((len(error), error.shape[1] + 2), np.inf)  # with a column beyond either side
    costs[0, 1:-1] = error[0]
    for number in range(1, len(error)):
        before = costs[number - 1]
        np.minimum(np.minimum(before[:-2], before[1:-1]), before[2:], out=costs[number, 1:-1])
        costs[number, 1:-1] += error[number]
    costs = costs[:, 1:-1]
    path = [int(costs[-1].argmin())]
    for cost in costs[-2::-1]:
        first = max(0, path[-1] - 1)
        path.append(first + int(cost[first : path[-1] + 2].argmin()))
    return np.array(path[::-1])
