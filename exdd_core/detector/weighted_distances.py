"""The mean distance to the nearest rows where some count for less: arrays in, arrays out. Bundles hold this file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def weighted_mean(several: Sequence[tuple[float, np.ndarray]], k: int) -> np.ndarray:
    """The mean distance to the nearest rows that together have the weight of k, float32 (*S).

    several: by kind of row, what each counts for, 0 to 1, and distances to the k nearest of the kind, float32 (*S, k),
    ascending. Rows of the first kind count fully; those of another are at most its weight as a share of all.
    """
    if len(several) == 1:
        return several[0][1].mean(-1)
    found = np.concatenate([distances for _, distances in several], -1)
    order = found.argsort(-1, kind="stable")
    weights = np.repeat(
        np.array([weight for weight, _ in several], np.float32), [v.shape[-1] for _, v in several]
    )[order]
    share = np.clip(k - (weights.cumsum(-1) - weights), 0, weights)
    counting = np.where(share > 0, np.take_along_axis(found, order, -1), 0)
    return (counting * share).sum(-1) / np.float32(k)
