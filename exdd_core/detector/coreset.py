"""Coreset subsampling (Eq. 7-8): arrays in, row numbers out.

Greedy k-center: start at a random row, then always pick the row with the largest distance to the picked ones.
The largest distance of any row to its nearest picked row (the covering radius) is then at most twice the best
possible for that many rows. Does not know images, banks or what the rows mean.
"""

from __future__ import annotations

import numpy as np
import torch

from exdd_core.device import chosen
from exdd_core.errors import BadInput
from exdd_core.progress import Progress

CHUNK = 16_384  # rows projected or compared at a time
WATCH_ALL = 8_192  # up to this many rows, the distances of all are updated after every pick
WATCHED = 1 / 32  # with more rows, the share that is updated


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
    in_place: bool = False,
) -> np.ndarray:
    """Eq. 8: `size` distinct row numbers whose rows cover all rows, in the order in which they were picked.

    projected: (n, p) float32 or float16 array, memory map or tensor. Rows are compared by Euclidean distance as
    they are. The first row is drawn with `seed`; nothing else is random. in_place: whether `projected` may be
    changed, which saves a copy of it. Returns int64 (size,). Raises BadInput when size is not between 1 and n,
    or when a value is not finite.
    """
    n = len(projected)
    check_size(size, n)
    rows = torch.as_tensor(projected).float()
    if not all(torch.isfinite(part).all() for part in rows.split(CHUNK)):
        raise BadInput(
            "Some features are not finite numbers, so no coreset can be taken; rebuild them from the images."
        )
    # Distances stay the same, and dot products of long vectors lose no digits.
    rows = rows.sub_(rows.mean(0)) if in_place else rows - rows.mean(0)
    first = int(torch.randint(n, (1,), generator=torch.Generator().manual_seed(seed)))
    picked = torch.empty(size, dtype=torch.int64)
    nearest = torch.full((n,), torch.inf, device=rows.device)  # from each row to its nearest picked one
    compared = 0  # number of picked rows that `nearest` includes
    # Distances to the nearest picked row only shrink. While the largest watched distance is at least the
    # largest of the other rows at their last update (`floor`), the next row is a watched one, and only
    # watched rows are updated.
    watched, floor = torch.arange(n, device=rows.device), -torch.inf
    near, points = nearest.clone(), rows
    progress = progress or Progress()
    progress.begin("Choosing the rows to keep", size)
    for i in range(size):
        if i and float(near.max()) < floor:
            nearest[watched] = near
            _compare(nearest, rows, rows[picked[compared:i]])
            compared = i
            watched, floor = _farthest(nearest)
            near, points = nearest[watched], rows[watched]
        at = int(near.argmax()) if i else first
        picked[i] = watched[at]
        torch.minimum(near, _distances(points, rows[picked[i]][None])[:, 0], out=near)
        near[at] = -1  # not picked again, even where only copies of picked rows are left
        progress.advance()
        if i == 0 and n > WATCH_ALL:
            floor = torch.inf  # all distances are current: watch only the largest from here on
    return picked.numpy()


def check_size(size: int, n: int) -> None:
    """Raise BadInput where a coreset of `size` rows cannot be taken from n."""
    if not 1 <= size <= n:
        raise BadInput(f"A coreset of {size} rows cannot be taken from {n}; ask for between 1 and {n}.")


def _farthest(nearest: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The rows to watch, those with the largest distances, and the largest distance among the others."""
    if len(nearest) <= WATCH_ALL:
        return torch.arange(len(nearest), device=nearest.device), -torch.inf
    values, order = nearest.topk(max(WATCH_ALL, int(WATCHED * len(nearest))) + 1)
    return order[:-1].sort().values, float(values[-1])


def _compare(nearest: torch.Tensor, rows: torch.Tensor, points: torch.Tensor) -> None:
    """Update the distances `nearest`, (n,), with further picked `points`, (m, d), in place."""
    for start in range(0, len(rows), CHUNK):
        part = slice(start, start + CHUNK)
        nearest[part] = torch.minimum(nearest[part], torch.cdist(rows[part], points).min(1).values)


def _distances(rows: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Euclidean distances (n, m) by subtraction: dot products give equal rows a distance above 0."""
    return torch.cdist(rows, points, compute_mode="donot_use_mm_for_euclid_dist")


def covering_radius(features: np.ndarray, rows: np.ndarray) -> float:
    """Largest Euclidean distance from any of `features` (n, d) to its nearest of `rows` (m, d)."""
    points = torch.as_tensor(features, dtype=torch.float32)
    return float(
        torch.stack(
            [torch.cdist(c, torch.as_tensor(rows)).min(1).values.max() for c in points.split(8192)]
        ).max()
    )
