"""Finds the nearest rows of a bundle's bank exactly, with numpy alone.

Knows rows and queries. Does not know what a bundle is.
"""

from __future__ import annotations

import numpy as np

from exdd_core.detector import fusion

QUERIES_AT_ONCE = 256
CLOSE = 1e-3  # share of a query's length below which its distances are measured again
SPARE = 16  # further candidates for that


class SearchedRows:
    """The rows of a bank, float32 (n, d), ready to be searched.

    Dot products find the nearest rows. They lose digits where vectors are long and alike, so all are first moved by the
    rows' mean, and distances that are small even then are measured again by subtraction.
    """

    def __init__(self, rows: np.ndarray):
        self._middle = rows.mean(0)
        self._there = rows - self._middle
        lengths = np.einsum("nd,nd->n", self._there, self._there)
        # The product of a query and a 1 with these is |b|^2 - 2ab.
        self._factors = np.vstack([-2 * self._there.T, lengths])

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
        values = np.empty((len(moved), k), np.float32)
        numbers = np.empty((len(moved), k), np.int64)
        for start in range(0, len(moved), QUERIES_AT_ONCE):
            part = slice(start, start + QUERIES_AT_ONCE)
            products = moved[part] @ self._factors
            each = np.arange(len(products))
            for column in range(k):
                numbers[part, column] = at = products.argmin(axis=1)
                values[part, column] = products[each, at]
                products[each, at] = np.inf
        return values, numbers
