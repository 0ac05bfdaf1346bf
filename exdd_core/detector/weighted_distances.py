"""The mean distance to the nearest rows where some count for less: arrays in, arrays out. Bundles hold this file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def weighted_mean(several: Sequence[tuple[float, np.ndarray]], k: int) -> np.ndarray:
    """The mean distance to the nearest rows that together have the weight of k, float32 (*S).

    several: for each kind of row its weight, 0 to 1, and the distances to the k nearest rows of the kind, float32
    (*S, k), ascending. Rows of the first kind count fully; a kind of weight w makes up at most the share w of the mean.
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
