"""Reads one picture file by the bit depth of the images that it is compared with.

Knows files and bit depths. Does not know banks, data sets or why a picture is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from exdd_core import images, pixels
from exdd_core.depth import Depth


@dataclass(frozen=True)
class Picture:
    """One picture, read for comparison with a bank.

    pixels: uint8 (H, W, 3). depth: the depth by which values of more than 8 bits were read; None for an image
    of 8 bits. clipped: share of its values beyond that depth, 0 to 1. pages: pages of its file; only the
    first is read.
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
    """Read a picture by the depth of the images that it is compared with.

    depth: None if these have 8 bits. Then `own`, the depth of the picture's own data set, is used, and
    without that a guess from the picture that ignores single bright pixels. by_brightest: use neither `own`
    nor that guess but 12 or 16 bits by the brightest value, as bank versions did that stored no depth. Raises
    `BadInput`.
    """
    pages = images.header(path, name).pages
    values = images.read_values(path, name)
    if values.dtype == np.uint8:
        return Picture(pixels.to_rgb(values, None), None, 0.0, pages)
    depth = depth or (None if by_brightest else own) or pixels.depth_of(values, by_brightest)
    return Picture(pixels.to_rgb(values, depth), depth, depth.beyond(values), pages)
