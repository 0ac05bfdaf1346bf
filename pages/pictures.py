"""Encodes pictures for browsers: small JPEGs, data URLs, and outlines drawn over an image.

Knows pixels and formats. Does not know the workspace.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from exdd_core.drawing import DEFECT
from exdd_core.images import encode_jpeg, encode_png, thumbnail

if TYPE_CHECKING:
    import numpy as np

Line = list[tuple[int, int]]  # the corners (x, y) of a closed line


def small_jpeg(pixels: np.ndarray, side: int) -> bytes:
    """Encode uint8 (H, W, 3) as a JPEG of at most `side` pixels on its longer side."""
    return encode_jpeg(thumbnail(pixels, side))


def small_svg(pixels: np.ndarray, side: int, lines: list[Line]) -> str:
    """A small JPEG in an SVG as large as the image, so that `lines` keep their coordinates in the image's pixels."""
    return picture_svg(small_jpeg(pixels, side), pixels.shape[:2], lines)


def jpeg_url(pixels: np.ndarray, quality: int = 85) -> str:
    """Encode uint8 (H, W, 3) as a JPEG in a data URL."""
    return f"data:image/jpeg;base64,{base64.b64encode(encode_jpeg(pixels, quality)).decode()}"


def png_url(pixels: np.ndarray) -> str:
    """Encode uint8 (H, W) or (H, W, 3 or 4), or a mask, bool (H, W), as a PNG in a data URL."""
    return f"data:image/png;base64,{base64.b64encode(encode_png(pixels)).decode()}"


def picture_svg(jpeg: bytes, shape: tuple[int, ...], lines: list[Line]) -> str:
    """An SVG of an image of `shape` (H, W) under closed lines, which are in the image's own pixels."""
    height, width = shape[:2]
    area = f'width="{width}" height="{height}"'
    paths = "".join("M" + "L".join(f"{x} {y}" for x, y in line) + "Z" for line in lines)
    stroke = 'fill="none" stroke-linejoin="round" vector-effect="non-scaling-stroke"'
    outline = (
        f'<path d="{paths}" {stroke} stroke="#000" stroke-opacity=".55" stroke-width="4"/>'
        f'<path d="{paths}" {stroke} stroke="rgb{DEFECT}" stroke-width="2"/>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {area}>'
        f'<image href="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" {area}'
        f' preserveAspectRatio="none"/>{outline if paths else ""}</svg>'
    )
