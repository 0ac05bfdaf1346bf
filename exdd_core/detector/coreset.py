"""Coreset subsampling (Eq. 7-8): arrays in, row numbers out.

Greedy k-center: start at a random row, then always pick the row with the largest distance to the picked ones.
The largest distance of any row to its nearest picked row (the covering radius) is then at most twice the best
possible for that many rows. Does not know images, banks or what the rows mean.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from exdd_core.detector.greedy import Greedy
from exdd_core.device import chosen
from exdd_core.errors import BadInput
from exdd_core.later import torch
from exdd_core.progress import Progress

CHUNK = 16_384  # rows projected at a time


def projection(dimension: int, projection_dim: int, seed: int) -> torch.Tensor:
    """Eq. 7: a Gaussian matrix (dimension, projection_dim), float32, its columns of unit length."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(dimension, projection_dim, generator=generator)
    return matrix / matrix.norm(dim=0, keepdim=True)


def project(features: np.ndarray | torch.Tensor, projection_dim: int, seed: int) -> torch.Tensor:
    """Rows of `features`, (n, d), in `projection_dim` dimensions, float32; unchanged where d is no larger."""
    n, dimension = features.shape
    device = features.device if isinstance(features, torch.Tensor) else chosen()
    matrix = projection(dimension, projection_dim, seed).to(device) if dimension > projection_dim else None
    out = torch.empty(n, min(dimension, projection_dim), device=device)
    for start in range(0, n, CHUNK):
        rows = torch.as_tensor(features[start : start + CHUNK], dtype=torch.float32, device=device)
        out[start : start + CHUNK] = rows if matrix is None else rows @ matrix
    return out


def greedy_coreset(
    features: np.ndarray | torch.Tensor,
    size: int,
    *,
    projection_dim: int = 128,
    seed: int = 0,
    progress: Progress | None = None,
) -> np.ndarray:
    """Eq. 7-8: `size` distinct row numbers whose rows cover all rows, in the order in which they were picked.

    features: (n, d) float32 array or tensor. Rows are compared by Euclidean distance after a projection to
    `projection_dim` dimensions where d is larger. The first row is drawn with `seed`; nothing else is random.
    Returns int64 (size,). Raises BadInput when size is not between 1 and n, or when a feature is not finite.
    """
    check_size(size, len(features))
    return select(project(features, projection_dim, seed), size, seed=seed, progress=progress)


def select(
    projected: np.ndarray | torch.Tensor,
    size: int,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    state: Path | None = None,
) -> np.ndarray:
    """Eq. 8: `size` distinct row numbers whose rows cover all rows, in the order in which they were picked.

    projected: (n, p) float32 or float16 array, memory map or tensor; it is not changed. Needs 25 bytes a row
    more than that, and a sixteenth of the rows in float32. Rows are compared by Euclidean distance as they are,
    and of rows at one distance the first is picked. The first pick is drawn with `seed`; nothing else is random. state:
    a file that picks are written to now and then, and continued from where they are picks of the same rows; the
    result is the same. Its owner deletes it. Returns int64 (size,). Raises BadInput when size is not between 1 and
    n, or when a value is not finite.
    """
    check_size(size, len(projected))
    rows = projected if isinstance(projected, torch.Tensor) else _tensor(projected)
    first = int(torch.randint(len(rows), (1,), generator=torch.Generator().manual_seed(seed)))
    return Greedy(rows, size, first, progress or Progress()).run(state)


def _tensor(rows: np.ndarray) -> torch.Tensor:
    """The rows on the device that EXDD_DEVICE says; on the CPU in the memory where they are."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.as_tensor(rows, device=chosen())


def check_size(size: int, n: int) -> None:
    """Raise BadInput where a coreset of `size` rows cannot be taken from n."""
    if not 1 <= size <= n:
        raise BadInput(f"A coreset of {size} rows cannot be taken from {n}; choose a number from 1 to {n}.")


def covering_radius(features: np.ndarray, rows: np.ndarray) -> float:
    """Largest Euclidean distance from any of `features` (n, d) to its nearest of `rows` (m, d).

    Matrix products find the nearest row, subtraction measures its distance: products alone give a row a distance
    above 0 to itself.
    """
    points, there = (torch.as_tensor(np.asarray(part), dtype=torch.float32) for part in (features, rows))
    middle = there.mean(0)
    largest = 0.0
    for chunk in points.split(8_192):
        nearest = torch.cdist(chunk - middle, there - middle).argmin(1)
        largest = max(largest, float((chunk - there[nearest]).norm(dim=1).max()))
    return largest
