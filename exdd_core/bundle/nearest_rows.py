"""Finds the rows of a bank that are nearest to the features of patches.

Knows vectors and products. Does not know images, banks' files or what computes a product faster than numpy.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from exdd_core.bundle.engines import Product
from exdd_core.detector import fusion

QUERIES_AT_ONCE = 256
CLOSE = 1e-3  # share of a query's length below which its distances are measured again
SPARE = 16  # further candidates for that
FURTHER, FEWEST = (
    5,
    1200,
)  # candidates beyond the nearest by a rough product; rows from which on it saves time


class NearestRows:
    """The rows of a bank, float32 (n, d), ready to be searched.

    Dot products find the nearest rows; rough ones, where faster, a few more, whose distances are then measured.
    Products lose digits where vectors are long and alike, so all are first moved by the rows' mean, and distances that
    are small even then are measured again by subtraction.
    """

    def __init__(self, rows: np.ndarray, rough: Callable[[np.ndarray], Product] | None = None):
        self._middle = rows.mean(0)
        self._there = rows - self._middle
        self._lengths = np.einsum("nd,nd->n", self._there, self._there)
        # The product of a query and a 1 with these is |b|^2 - 2ab.
        self._factors = np.vstack([-2 * self._there.T, self._lengths])
        self._rough = rough(self._there) if rough is not None and len(rows) >= FEWEST else None

    def nearest(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distances float32 (q, k) to the nearest rows, ascending, and their numbers; the last repeats where few."""
        k, there = fusion.NEIGHBOURS, len(self._there)
        moved = np.ones((len(queries), queries.shape[1] + 1), np.float32)
        moved[:, :-1] = queries - self._middle
        squared, numbers = self._smallest(moved, min(k, there))
        length = np.einsum("qd,qd->q", moved[:, :-1], moved[:, :-1])
        squared += length[:, None]
        close = np.flatnonzero(squared[:, 0] < CLOSE * length)
        if len(close):
            squared[close], numbers[close] = self._measured(moved[close], min(k, there))
        last = np.minimum(np.arange(k), there - 1)
        return np.sqrt(np.maximum(squared, 0))[:, last], numbers[:, last]

    def _measured(self, moved: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Squared distances and numbers (q, k), by subtraction from k + SPARE candidates."""
        some = self._smallest(moved, min(k + SPARE, len(self._there)))[1]
        gap = moved[:, None, :-1] - self._there[some]
        squared = np.einsum("qkd,qkd->qk", gap, gap)
        order = squared.argsort(axis=1, kind="stable")[:, :k]
        return np.take_along_axis(squared, order, 1), np.take_along_axis(some, order, 1)

    def _smallest(self, moved: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k smallest products, ascending, and the numbers of their rows, (q, k) each."""
        rough = self._rough
        if rough is None:
            return _least(moved, k, lambda queries: queries @ self._factors)
        some = _least(moved, min(k + FURTHER, len(self._there)), lambda queries: rough(queries[:, :-1]))[1]
        exact = self._lengths[some] - 2 * np.matmul(self._there[some], moved[:, :-1, None])[..., 0]
        order = exact.argsort(axis=1, kind="stable")[:, :k]
        return np.take_along_axis(exact, order, 1), np.take_along_axis(some, order, 1)


def _least(moved: np.ndarray, k: int, product: Product) -> tuple[np.ndarray, np.ndarray]:
    """The k smallest of a product, ascending, and the numbers of their rows, (q, k) each."""
    values = np.empty((len(moved), k), np.float32)
    numbers = np.empty((len(moved), k), np.int64)
    for start in range(0, len(moved), QUERIES_AT_ONCE):
        part = slice(start, start + QUERIES_AT_ONCE)
        products = product(moved[part])
        each = np.arange(len(products))
        for column in range(k):
            numbers[part, column] = at = products.argmin(axis=1)
            values[part, column] = products[each, at]
            products[each, at] = np.inf
    return values, numbers
