"""The discriminant of `exdd_core.detector.context`, fitted at once instead of bank by bank."""

from __future__ import annotations

import numpy as np

from exdd_core.detector.context import Discriminant, Scale, Sums, TrainingPatches, solved


def fit(normals: TrainingPatches, defects: TrainingPatches) -> tuple[Discriminant, list[Discriminant | None]]:
    """What `solved` finds of all these patches."""
    scale = Scale.of(normals)
    count = int(np.count_nonzero(defects.weights))
    a, b = Sums.of(normals, scale).all(), Sums.of(defects, scale).all()
    return solved(scale, zip(a, b, [count] * len(a), strict=True))
