"""The rows of a positive bank as each fold of a validation sees them: without those of its held-out parts.

Knows banks and neighbour distances. Does not know fusions or scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from exdd_core.detector import fusion, nearest
from exdd_core.detector.bank import Bank

K = fusion.NEIGHBOURS
NO_ROW = 1e3  # the distance to a row that does not exist, larger than any other


class FoldRows:
    """Rows of a positive bank, grouped by the folds that must not see them.

    Distances to each group are computed once and serve all folds. hidden: for each group the numbers of these
    folds. group: int (n,), the group of each row.
    """

    def __init__(self, bank: Bank, fold_of: dict[str, int]):
        sets = [frozenset(fold_of[n] for n in i.parts if n in fold_of) for i in bank.images]
        self.hidden = sorted(set(sets), key=sorted)
        self.group = np.array([self.hidden.index(s) for s in sets], int)[bank.image]
        self.rows, self.bank = bank.rows, bank

    def nearest(self, queries: np.ndarray, *parts: str) -> np.ndarray:
        """Distances of queries (q, d) to the nearest K rows of each group, without rows of these parts.

        Returns float32 (groups, q, K).
        """
        out = np.full((len(self.hidden), len(queries), K), NO_ROW, np.float32)
        for group, rows in self._by_group(self.bank.of(*parts)):
            nearest.merge(out[group], queries, rows)
        return out

    def seen_by(self, fold: int, distances: np.ndarray) -> np.ndarray:
        """The nearest K of all groups that a fold may see. distances: (groups, ..., K). Returns (..., K)."""
        seen = [found for found, hidden in zip(distances, self.hidden, strict=True) if fold not in hidden]
        if not seen:
            return np.full(distances.shape[1:], NO_ROW, np.float32)
        return seen[0] if len(seen) == 1 else nearest.merged(seen, K)

    def merge_into(
        self, distances: np.ndarray, queries: np.ndarray, folds: Sequence[int], *parts: str
    ) -> None:
        """Merge these rows, without those of `parts`, into what queries (q, d) have nearest so far.

        distances: float32 (folds, q, K), changed in place.
        """
        for group, rows in self._by_group(self.bank.of(*parts)):
            seeing = [i for i, fold in enumerate(folds) if fold not in self.hidden[group]]
            if seeing:
                nearest.merge(distances, queries, rows, sets=seeing)

    def _by_group(self, without: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        for group in range(len(self.hidden)):
            rows = self.rows[(self.group == group) & ~without]
            if len(rows):
                yield group, rows
