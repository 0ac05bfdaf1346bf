"""What is recorded of a change to a bank: the rows that it concerns, what was examined before it, and how far
banks have drifted since they were built.

Knows rows of one image. Does not know how a change is made, stored or decided.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from exdd_core.detector.bank import BankImage
from exdd_core.detector.examples import Marked


@dataclass(frozen=True)
class Examined:
    """What marked patches would add to the positive bank.

    distances: float32 (m, k), to the nearest negative rows of other parts. clean: bool (m,), False for
    patches that are too close to normal surface for the positive bank.
    """

    marked: Marked
    distances: np.ndarray
    clean: np.ndarray

    def cleaned(self) -> Examined:
        """The clean patches alone."""
        own, clean = self.marked, self.clean
        around = None if own.surroundings is None else own.surroundings[clean]
        marked = Marked(own.image, own.rows[clean], own.position[clean], around)
        return Examined(marked, self.distances[clean], clean[clean])


@dataclass(frozen=True)
class Change:
    """Rows of one image that are added to a bank, removed from it or put back as they were.

    side: "positive" or "negative". action: "add", "remove" or "return". rows: float32 (m, d). position: int16
    (m, 2), row and column on the patch grid. kept: bool (m,), the rows that are in the bank; it covers the
    others within its radius. surroundings: float32 (m, e), as in `Marked`. fitted_on: bool (m,), the rows
    that fusions are fitted on; None for all of them.
    """

    side: str
    action: str
    image: BankImage
    rows: np.ndarray
    position: np.ndarray
    kept: np.ndarray
    surroundings: np.ndarray | None = None
    fitted_on: np.ndarray | None = None


@dataclass(frozen=True)
class Drift:
    """How a positive bank that was changed differs from one that is built anew from the same images.

    built, rows: number of rows when it was built, and now. uncovered: share of patches on known defects with
    a larger distance to the bank than its covering radius when it was built. radius: largest of these
    distances. fresh_radius: covering radius of a new build.
    """

    built: int
    rows: int
    uncovered: float
    radius: float
    fresh_radius: float
