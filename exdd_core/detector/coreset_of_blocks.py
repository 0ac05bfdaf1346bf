"""A coreset of rows that come in blocks: only their projections, or a share of these, are in memory together.

Knows the projection and the selection of `coreset`. Does not know images, or what the rows mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from exdd_core.detector.coreset import CHUNK, check_size, projection, select
from exdd_core.device import chosen
from exdd_core.errors import BadInput
from exdd_core.later import torch
from exdd_core.progress import Progress

PROJECTION_DIM = 128
# Projected rows in memory, 2.6 GB; KolektorSDD2's normal training images have 4.6 million.
MOST_ROWS = 5_000_000
THINNED_AT_ONCE = 1_024  # rows of which a share is kept where there are more than MOST_ROWS


def coreset_of_blocks(
    blocks: Iterable[np.ndarray],
    count: int,
    dimension: int,
    size: int,
    seed: int = 0,
    progress: Progress | None = None,
    state: Path | None = None,
) -> np.ndarray:
    """`greedy_coreset` of `count` rows that come in blocks, float32 (m, dimension) each: int64 (size,).

    Of more than MOST_ROWS rows, a coreset of every THINNED_AT_ONCE of them is taken first, MOST_ROWS in all, and then
    the coreset of these. Its covering radius is at most the sum of both steps' (Malkomes et al. 2015, "Fast distributed
    k-center clustering with outliers on massive data"). state: the file of the last selection, see `select`. Raises
    BadInput for a size above MOST_ROWS.
    """
    check_size(size, count)
    if size > MOST_ROWS:
        raise BadInput(
            f"{size:,} of {count:,} patches would be kept, but a bank holds at most {MOST_ROWS:,}; choose a "
            "smaller share."
        )
    if count <= MOST_ROWS:
        projected = project_blocks(blocks, count, dimension, PROJECTION_DIM, seed)
        return select(projected, size, seed=seed, progress=progress, state=state)
    several, progress = _projected(blocks, dimension, PROJECTION_DIM, seed), progress or Progress()
    numbers, projected = _thinned(several, count, seed, progress)
    return numbers[select(projected, size, seed=seed, progress=progress, state=state)]


def project_blocks(
    blocks: Iterable[np.ndarray], count: int, dimension: int, projection_dim: int, seed: int
) -> torch.Tensor:
    """`coreset.project` of `count` rows that come in blocks, float32 (m, dimension) each.

    How they are cut into blocks changes no bit of the result: CHUNK rows are multiplied at a time. Returns float32
    (count, p), on the GPU where there is one.
    """
    out, start = torch.empty(0), 0
    for rows in _projected(blocks, dimension, projection_dim, seed):
        if not start:
            out = torch.empty(count, rows.shape[1], device=rows.device)
        out[start : start + len(rows)] = rows
        start += len(rows)
    return out


def _projected(
    blocks: Iterable[np.ndarray], dimension: int, projection_dim: int, seed: int
) -> Iterator[torch.Tensor]:
    """The projections of all rows, CHUNK at a time."""
    device = chosen()
    matrix = projection(dimension, projection_dim, seed).to(device) if dimension > projection_dim else None
    for block in _rechunked(blocks, dimension):
        rows = torch.from_numpy(block).to(device)
        yield rows if matrix is None else rows @ matrix


def _thinned(
    several: Iterable[torch.Tensor], count: int, seed: int, progress: Progress
) -> tuple[np.ndarray, torch.Tensor]:
    """The numbers of MOST_ROWS of `count` rows, int64 ascending, and these rows: a share of every few."""
    numbers, kept = np.empty(MOST_ROWS, np.int64), torch.empty(0)
    seen = filled = 0
    progress.begin("Thinning the patches", count)
    for rows in several:
        for part in rows.split(THINNED_AT_ONCE):
            wanted = MOST_ROWS * (seen + len(part)) // count - filled
            if wanted:
                own = np.sort(select(part, wanted, seed=seed))
                if not filled:
                    kept = torch.empty(MOST_ROWS, part.shape[1], device=part.device)
                kept[filled : filled + wanted] = part[own]
                numbers[filled : filled + wanted] = seen + own
            seen, filled = seen + len(part), filled + wanted
        progress.advance(len(rows))
    return numbers, kept


def _rechunked(blocks: Iterable[np.ndarray], dimension: int) -> Iterator[np.ndarray]:
    """The same rows in blocks of CHUNK; the last one may have fewer. A block is valid until the next one."""
    gathered, filled = np.empty((CHUNK, dimension), np.float32), 0
    for block in blocks:
        done = 0
        while done < len(block):
            taken = min(len(block) - done, CHUNK - filled)
            gathered[filled : filled + taken] = block[done : done + taken]
            done, filled = done + taken, filled + taken
            if filled == CHUNK:
                yield gathered
                filled = 0
    if filled:
        yield gathered[:filled]
