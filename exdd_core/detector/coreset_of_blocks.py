"""A coreset of rows that come in blocks and are never together in memory; their projections are.

Knows the projection and the selection of `coreset`. Does not know images, or what the rows mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from exdd_core.detector.coreset import CHUNK, check_size, projection, select
from exdd_core.device import chosen
from exdd_core.progress import Progress

PROJECTION_DIM = 128


def coreset_of_blocks(
    blocks: Iterable[np.ndarray],
    count: int,
    dimension: int,
    size: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> np.ndarray:
    """`greedy_coreset` of `count` rows that come in blocks, float32 (m, dimension) each: int64 (size,)."""
    check_size(size, count)
    projected = project_blocks(blocks, count, dimension, PROJECTION_DIM, seed)
    return select(projected, size, seed=seed, progress=progress)


def project_blocks(
    blocks: Iterable[np.ndarray], count: int, dimension: int, projection_dim: int, seed: int
) -> torch.Tensor:
    """`coreset.project` of `count` rows that come in blocks, float32 (m, dimension) each.

    How they are cut into blocks changes no bit of the result: CHUNK rows are multiplied at a time. Returns float32
    (count, p), on the device that EXDD_DEVICE says.
    """
    device = chosen()
    matrix = projection(dimension, projection_dim, seed).to(device) if dimension > projection_dim else None
    out, start = torch.empty(count, min(dimension, projection_dim), device=device), 0
    for block in _rechunked(blocks, dimension):
        rows = torch.from_numpy(block).to(device)
        out[start : start + len(rows)] = rows if matrix is None else rows @ matrix
        start += len(rows)
    return out


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
