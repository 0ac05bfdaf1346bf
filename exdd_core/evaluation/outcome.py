"""The figures of a leave-one-part-out validation.

Knows numbers alone; modules that must not load torch import it from here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """How well a detector separates defects of held-out parts from held-out normal images.

    parts: {part: image AUROC}. auroc: their mean, so that a part with many images does not count for more.
    ap: average precision, mean over folds. found: of all `defects`, the images above the threshold of their
    fold. false_alarms: of all `normals`, the images above a threshold set without them; mean over folds.
    """

    parts: dict[str, float]
    auroc: float
    ap: float
    found: int
    defects: int
    false_alarms: float
    normals: int
