"""The k nearest rows of queries, kept up to date when rows are added: the one place that merges neighbours.

Arrays in, arrays out. Does not know banks, images or why rows are added.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from exdd_core.later import torch

QUERIES_AT_ONCE = 8_192


def merge(
    distances: np.ndarray,
    queries: np.ndarray,
    rows: np.ndarray,
    numbers: np.ndarray | None = None,
    new_numbers: np.ndarray | None = None,
    sets: Sequence[int] = (0,),
) -> None:
    """Merge further rows into the nearest rows that queries have so far, in place.

    distances: float32 (q, k), Euclidean and ascending; or several sets of them, (s, q, k), of which `sets`
    are changed. queries: float32 (q, d). rows: float32 (r, d). numbers: int (q, k), the row numbers that
    belong to `distances`, and new_numbers: int (r,), the numbers of `rows`; only for distances of one set.
    """
    if not len(rows):
        return
    several = distances if distances.ndim == 3 else distances[None]
    k = several.shape[-1]
    # Moving everything by the rows' mean loses no digits where vectors are long and alike.
    middle = rows.mean(0)
    there = torch.from_numpy(rows - middle)
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        part = slice(start, start + QUERIES_AT_ONCE)
        found = torch.cdist(torch.from_numpy(queries[part] - middle), there)
        closer = np.flatnonzero(found.min(1).values.numpy() < several[list(sets), part, -1].max(0))
        if not len(closer):
            continue
        at, further = start + closer, found[closer]
        if numbers is None:  # a few distances are sorted sooner than all
            further = further.topk(min(k, len(rows)), dim=1, largest=False).values
        for one in sets:
            joined = np.concatenate([several[one, at], further.numpy()], 1)
            best = joined.argsort(1, kind="stable")[:, :k]
            several[one, at] = np.take_along_axis(joined, best, 1)
            if numbers is not None and new_numbers is not None:
                named = [numbers[at], np.broadcast_to(new_numbers, (len(at), len(new_numbers)))]
                numbers[at] = np.take_along_axis(np.concatenate(named, 1), best, 1)


def merged(several: Sequence[np.ndarray], k: int) -> np.ndarray:
    """The k smallest of several arrays of distances, float32 (..., k_i), ascending: (..., k)."""
    return np.sort(np.concatenate(several, axis=-1), axis=-1)[..., :k]
