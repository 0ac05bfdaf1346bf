"""Lines within a mask: its centreline, chords across it, and the pixels around a line.

A line is a sequence of points (x, y) in pixels, float32 (n, 2), about half a pixel from each other, so that the
number of points measures its length. Knows masks and geometry. Does not know images or defects.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

SPACING = 0.5  # pixels between the points of a line
COARSE = 96  # the longer side, in pixels, of the reduced mask in which a centreline is searched
LONG = 3.5  # ratio of length to width from which a line follows the mask's centreline


@dataclass(frozen=True)
class Band:
    """The k pixels around a line.

    rows, columns: int (k,). across: float (k,), signed distance from the line in pixels. nearest: int (k,), the
    index of the nearest point of the line. normal: float (k, 2), the direction in which `across` is positive.
    """

    rows: np.ndarray
    columns: np.ndarray
    across: np.ndarray
    nearest: np.ndarray
    normal: np.ndarray


def centreline(mask: np.ndarray) -> np.ndarray:
    """The longest path through the middle of one connected piece, bool (h, w), smoothed: float32 (n, 2)."""
    scale = min(1.0, COARSE / max(mask.shape))
    size = (max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale)))
    small = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.0
    graph, steps, rows, columns = _graph(small)
    start = int(np.argmax(_reached(dijkstra(steps, indices=0))))
    end = int(np.argmax(_reached(dijkstra(steps, indices=start))))
    before = dijkstra(graph, indices=start, return_predecessors=True)[1]
    path = [end]
    while path[-1] != start and before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    points = np.stack([columns[path] + 0.5, rows[path] + 0.5], axis=1)
    points = points * (mask.shape[1] / size[0], mask.shape[0] / size[1]) - 0.5
    return resample(_smoothed(points, 2.0))


def _reached(distance: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(distance), distance, -1)


def _graph(mask: np.ndarray) -> tuple[coo_array, coo_array, np.ndarray, np.ndarray]:
    """Two graphs of a mask's pixels and their 8 neighbours, with the pixels' rows and columns.

    The first one's weights favour the middle of the mask, the second one's are lengths in pixels.
    """
    rows, columns = np.nonzero(mask)
    number = np.full(np.add(mask.shape, 2), -1)
    number[1:-1, 1:-1][mask] = np.arange(len(rows))
    depth = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1][mask]
    starts, ends, lengths = [], [], []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        neighbour = number[rows + 1 + down, columns + 1 + right]
        there = np.flatnonzero(neighbour >= 0)
        starts.append(there)
        ends.append(neighbour[there])
        lengths.append(np.full(len(there), np.hypot(down, right)))
    a, b, length = np.concatenate(starts), np.concatenate(ends), np.concatenate(lengths)
    cost = length / (np.minimum(depth[a], depth[b]) / depth.max()) ** 2
    shape = (len(rows), len(rows))
    both = (np.concatenate([a, b]), np.concatenate([b, a]))
    weighted = coo_array((np.tile(cost, 2), both), shape=shape).tocsr()
    return weighted, coo_array((np.tile(length, 2), both), shape=shape).tocsr(), rows, columns


def chord(
    mask: np.ndarray, through: tuple[float, float], angle: float, bend: float, rng: np.random.Generator
) -> np.ndarray:
    """The line through a point of a mask, in both directions along `angle` (radians, y downwards), bending."""
    reach = float(np.hypot(*mask.shape))
    turn = rng.normal(0, 0.35) * bend / max(mask.shape)
    halves = []
    for sense in (1.0, -1.0):
        t = np.arange(0.0, reach, SPACING)
        heading = angle + turn * t * sense
        x = through[0] + sense * SPACING * np.cumsum(np.cos(heading))
        y = through[1] + sense * SPACING * np.cumsum(np.sin(heading))
        columns, rows = np.rint(x).astype(int), np.rint(y).astype(int)
        inside = (rows >= 0) & (rows < mask.shape[0]) & (columns >= 0) & (columns < mask.shape[1])
        inside[inside] = mask[rows[inside], columns[inside]]
        end = len(t) if inside.all() else int(np.argmin(inside))
        halves.append(np.stack([x[:end], y[:end]], axis=1))
    return np.concatenate([halves[1][::-1], halves[0]]).astype(np.float32)


def resample(points: np.ndarray) -> np.ndarray:
    """The same line, sampled every `SPACING` pixels; a single point becomes two."""
    if len(points) < 2:
        points = np.concatenate([points - 0.5, points + 0.5])
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.arange(0, lengths[-1] + SPACING / 2, SPACING)
    if len(at) < 2:
        at = np.array([0, lengths[-1]])
    return np.stack([np.interp(at, lengths, points[:, i]) for i in (0, 1)], axis=1).astype(np.float32)


def _smoothed(points: np.ndarray, sigma: float) -> np.ndarray:
    if len(points) < 5:
        return points.astype(np.float32)
    smooth = gaussian_filter1d(points, sigma, axis=0, mode="nearest")
    smooth[0], smooth[-1] = points[0], points[-1]
    return smooth


def normals(points: np.ndarray) -> np.ndarray:
    """Unit vectors across the line, all to the same side of it: float (n, 2)."""
    ahead = np.gradient(gaussian_filter1d(points, 2.0, axis=0, mode="nearest"), axis=0)
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-6)
    return np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)


def shifted(points: np.ndarray, across: np.ndarray) -> np.ndarray:
    """The line, moved sideways by `across`, float (n,), pixels."""
    return resample(points + normals(points) * across[:, None])


def wave(length: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise along a line, of variance about 1, that changes within `scale` points: float (length,)."""
    sigma = max(0.5, scale)
    knots = rng.standard_normal(int(np.ceil(length / sigma)) + 9)
    smooth = gaussian_filter1d(knots, 1.0) * 1.88  # the filter divides the deviation of white noise by 1.88
    return np.interp(np.arange(length) / sigma + 4, np.arange(len(knots)), smooth)


def band(points: np.ndarray, reach: float, mask: np.ndarray) -> Band:
    """The pixels of `mask`, bool (h, w), within `reach` pixels of a line."""
    drawn = np.zeros(mask.shape, np.uint8)
    line = np.rint(points * 16).astype(np.int32)[None]
    cv2.polylines(drawn, line, False, 1, thickness=int(np.ceil(2 * reach)) + 3, shift=4)
    rows, columns = np.nonzero((drawn > 0) & mask)
    pixels = np.stack([columns, rows], axis=1).astype(np.float32)
    _, nearest = cKDTree(points).query(pixels)
    normal = normals(points)[nearest]
    offset = pixels - points[nearest]
    distance = np.linalg.norm(offset, axis=1)
    across = np.where((offset * normal).sum(axis=1) < 0, -distance, distance)
    return Band(rows, columns, across, nearest, normal)


def at(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The values of a field (h, w) at a line's points; for points outside it, those of the nearest pixel."""
    rows = np.clip(np.rint(points[:, 1]).astype(int), 0, field.shape[0] - 1)
    columns = np.clip(np.rint(points[:, 0]).astype(int), 0, field.shape[1] - 1)
    return field[rows, columns]
