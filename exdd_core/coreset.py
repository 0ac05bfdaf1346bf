"""Coreset subsampling (Eq. 7-8): arrays in, row numbers out.

Greedy k-center: start somewhere, then always take the row farthest from those taken. The largest distance of any
row to its nearest taken row (the covering radius) is then at most twice the best possible for that many rows.
Knows nothing of images, banks or what the rows mean.
"""

from __future__ import annotations

import numpy as np
import torch

from exdd_core.errors import BadInput
from exdd_core.progress import Progress

CHUNK = 65_536  # rows projected at a time


def projection(dimension: int, projection_dim: int, seed: int) -> torch.Tensor:
    """Eq. 7: a Gaussian matrix (dimension, projection_dim), float32, its columns of unit length."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(dimension, projection_dim, generator=generator)
    return matrix / matrix.norm(dim=0, keepdim=True)


def project(features: np.ndarray | torch.Tensor, projection_dim: int, seed: int) -> torch.Tensor:
    """The rows of `features` (n, d) in `projection_dim` dimensions, float32; unchanged where d is no larger."""
    n, dimension = features.shape
    device = (
        features.device
        if isinstance(features, torch.Tensor)
        else ("cuda" if torch.cuda.is_available() else "cpu")
    )
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
    """Eq. 8: `size` distinct row numbers whose rows cover all rows, in the order in which they were picked.

    features: (n, d) float32 array or tensor. Rows are compared by Euclidean distance after projection to
    `projection_dim` dimensions (before it where d is no larger). The first row is drawn with `seed`; ties go to
    the lowest row number, so the result depends on nothing else. Returns int64 (size,).
    Raises BadInput when size is not between 1 and n, or when a feature is not finite.
    """
    n = len(features)
    if not 1 <= size <= n:
        raise BadInput(f"A coreset of {size} rows cannot be taken from {n}; ask for between 1 and {n}.")
    rows = project(features, projection_dim, seed)
    if not torch.isfinite(rows).all():
        raise BadInput(
            "Some features are not finite numbers, so no coreset can be taken; rebuild them from the images."
        )
    first = int(torch.randint(n, (1,), generator=torch.Generator().manual_seed(seed)))
    picked = torch.empty(size, dtype=torch.int64)
    nearest = torch.full(
        (n,), torch.inf, device=rows.device
    )  # distance of each row to its nearest picked one
    progress = progress or Progress()
    progress.begin("Choosing the rows to keep", size)
    for i in range(size):
        current = first if i == 0 else int(nearest.argmax())
        picked[i] = current
        # Written out, not expanded into dot products: those would give equal rows a distance above zero.
        distance = torch.cdist(rows, rows[current : current + 1], compute_mode="donot_use_mm_for_euclid_dist")
        torch.minimum(nearest, distance[:, 0], out=nearest)
        nearest[current] = -1  # never again, even where only copies of picked rows are left
        progress.advance()
    return picked.numpy()


def covering_radius(features: np.ndarray, rows: np.ndarray) -> float:
    """Largest Euclidean distance from any of `features` (n, d) to its nearest of `rows` (m, d)."""
    points = torch.as_tensor(features, dtype=torch.float32)
    return float(
        torch.stack(
            [torch.cdist(c, torch.as_tensor(rows)).min(1).values.max() for c in points.split(8192)]
        ).max()
    )
