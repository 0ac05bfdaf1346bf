"""Decodes images with OpenCV alone, as the workbench reads them.

Knows files, bytes and bit depths. Does not know what an image is for.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from exdd_core.depth import Depth
from exdd_core.errors import BadInput

Source = str | Path | bytes | np.ndarray


def read(source: Source, depth: Depth | None) -> np.ndarray:
    """An image upright as uint8 (H, W, 3) RGB: of a file, its bytes, or such an array as it is.

    Transparent pixels are laid on black. depth: of images with more than 8 bits; None where the bank was built from
    none. Raises BadInput for what cannot be read so.
    """
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3:
            raise BadInput("An array is no uint8 (H, W, 3) RGB image; convert it, or give a file.")
        return source
    name = "The image" if isinstance(source, bytes) else str(source)
    try:
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
    except OSError as error:
        raise BadInput(f"{name} cannot be opened ({error.strerror}); check the path.") from None
    data = np.frombuffer(content, np.uint8)
    stored = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None  # without EXIF orientation
    if stored is None or stored.ndim not in (2, 3):
        raise BadInput(
            f"{name} is no image that OpenCV reads, or it is damaged; give a PNG, JPEG or TIFF file."
        )
    if stored.dtype == np.uint8:
        return _upright(data, stored)
    if stored.dtype != np.uint16:
        raise BadInput(f"{name} has neither 8 nor 16 bits a channel; save it with one of them.")
    if depth is None:
        raise BadInput(f"{name} has more than 8 bits a channel, and the bank knows images of 8 bits alone.")
    values = cv2.imdecode(data, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
    small = depth.to_8_bits(np.asarray(values))
    return cv2.cvtColor(small, cv2.COLOR_GRAY2RGB if small.ndim == 2 else cv2.COLOR_BGR2RGB)


def _upright(data: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """An image of 8 bits from its file's bytes. stored: as it lies in the file, with its alpha channel."""
    turned = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))  # by its EXIF data
    pixels = cv2.cvtColor(turned, cv2.COLOR_BGR2RGB)
    if stored.ndim == 3 and stored.shape[2] == 4 and stored.shape[:2] == pixels.shape[:2]:
        opaque = stored[..., 3:].astype(np.float32) / 255
        return np.rint(stored[..., 2::-1] * opaque).astype(np.uint8)
    return pixels
