"""How well held-out parts are separated with and without a candidate.

Knows figures alone.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """How held-back defects fare among held-out normals.

    parts: image AUROC of each part. auroc: their mean, so that a part photographed often does not count for more.
    ap: mean over folds. found: images above their fold's threshold, of `defects`. false_alarms: normal images above a
    threshold that others set, of `normals`; mean over folds.
    """

    parts: dict[str, float]
    auroc: float
    ap: float
    found: int
    defects: int
    false_alarms: float
    normals: int
