"""The patch at one pixel of a compared image: its nearest rows in both banks, and what the shown maps say of it.

Knows compared images. Does not know how rows are found or pictures are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exdd_core.detector import reduced_map
from exdd_core.errors import BadInput
from exdd_core.review.table import agreeing

if TYPE_CHECKING:
    from exdd_core.detector.inspection import Matches
    from exdd_core.review.comparing import ComparedImage


@dataclass(frozen=True)
class Pointed:
    """The patch at a pixel. patchcore, exdd: the shown maps there, 1 being the threshold. probability: of a defect,
    None where it is unknown or contradicts the map."""

    matches: Matches
    patchcore: float
    exdd: float
    probability: float | None


def at_pixel(made: ComparedImage, x: float, y: float) -> Pointed:
    """The patch at pixel (x, y). Raises BadInput outside the image, and where the image cannot be judged."""
    height, width = made.pixels.shape[:2]
    if not (0 <= x < width and 0 <= y < height):
        raise BadInput(f"There is no pixel ({x:g}, {y:g}) in an image of {width} x {height}.")
    found, probabilities = made.exdd.at(int(y), int(x)), made.exdd.patch_probabilities
    patchcore, exdd = (reduced_map.score_at(s, found.row, found.column) for s in (made.patchcore, made.exdd))
    likely = None if probabilities is None else float(probabilities[found.row, found.column])
    return Pointed(found, patchcore, exdd, agreeing("defect" if exdd > 1 else "normal", likely))
