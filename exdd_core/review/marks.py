"""Marks of people on images: missed defects and false alarms, as shown in a list.

Knows decisions. Does not know scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mark:
    """What somebody taught the banks by an image. action: missed or false_alarm. mask: bool (H, W)."""

    decision: int
    action: str
    who: str
    created: str  # ISO 8601, UTC
    defect_type: str
    mask: np.ndarray
