"""One picture file read by the bit depth of the images that it is compared with.

Knows files and bit depths. Does not know banks, data sets or why a picture is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from exdd_core import depth as depths, images
from exdd_core.depth import Depth


@dataclass(frozen=True)
class Picture:
    """One picture as a bank sees it.

    pixels: uint8 (H, W, 3). depth: by which its values of more than 8 bits were read, None for an image of 8 bits.
    clipped: share of its values beyond that depth, 0 to 1. pages: of its file; only the first is read.
    """

    pixels: np.ndarray
    depth: Depth | None
    clipped: float
    pages: int


def read(
    path: Path,
    name: str | None = None,
    depth: Depth | None = None,
    by_brightest: bool = False,
    own: Depth | None = None,
) -> Picture:
    """Read a picture by the depth of the images that it is compared with; None where those have 8 bits.

    Without such a depth, the depth of the picture's own data set (`own`) is used; without that too, the depth is
    guessed from the picture itself, ignoring single bright pixels. by_brightest: guess 12 or 16 bits from the brightest
    value instead, whatever `own` is, as versions did that stored no depth. Raises `BadInput`.
    """
    told = images.header(path, name)
    values = images.read_deep(path, name) if told.deep else None
    if values is None:
        return Picture(images.read_image(path, name), None, 0.0, told.pages)
    if depth is None:
        depth = (
            images.by_brightest(values) if by_brightest else own or depths.guess([cv2.medianBlur(values, 3)])
        )
        assert depth is not None  # a guess from an image is one
    return Picture(images.read_image(path, name, depth), depth, depth.beyond(values), told.pages)
