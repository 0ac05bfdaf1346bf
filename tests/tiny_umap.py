"""In place of umap-learn, whose compiling takes half a minute: the same calls, and a progress bar that is written."""

from __future__ import annotations

from typing import Any

import numpy as np


class UMAP:
    def __init__(self, **given: Any):
        self.given = given
        numbers, distances, _ = given["precomputed_knn"]
        assert numbers.shape == distances.shape == (len(given["init"]), given["n_neighbors"])
        own = numbers[:, 0] == np.arange(len(numbers))
        assert own.mean() > 0.9  # each row is its own nearest neighbour, except where rows are copies

    def fit_transform(self, rows: np.ndarray) -> np.ndarray:
        bar = self.given["tqdm_kwds"]["file"]
        for done in (0, 50, 200):
            bar.write(f"\rEpochs completed: 25%| ## {done}/200 [00:01]")
        return np.asarray(self.given["init"]) * 2
