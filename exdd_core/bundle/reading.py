"""Decodes images with OpenCV alone, as the workbench reads them.

Knows files, bytes and bit depths. Does not know what an image is for.
"""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np

from exdd_core.depth import Depth
from exdd_core.errors import BadInput
from exdd_core.geometry import MIN_SIDE, turned

ORIENTATION = 0x0112  # the tag of EXIF data
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
    stored = _decoded(content)
    if stored is None or stored.shape[2:] not in ((), (3,), (4,)):
        raise BadInput(
            f"{name} is no image that OpenCV reads, or it is damaged; give a PNG, JPEG or TIFF file."
        )
    height, width = stored.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise BadInput(
            f"{name} is {width} x {height} pixels; an image needs at least {MIN_SIDE} on each side."
        )
    if stored.dtype not in (np.uint8, np.uint16):
        raise BadInput(f"{name} has neither 8 nor 16 bits a channel; save it with one of them.")
    deep = stored.dtype == np.uint16
    if deep and depth is None:
        raise BadInput(f"{name} has more than 8 bits a channel, and the bank knows images of 8 bits alone.")
    tiff = content[:2] in (b"II", b"MM")  # OpenCV turns it, and has multiplied 8 bits by alpha
    if stored.ndim == 3 and stored.shape[2] == 4:
        opaque = stored[..., 3:]
        stored = stored[..., :3]
        if deep:
            stored = np.where(opaque > 0, stored, 0)
        elif not tiff:
            stored = np.rint(stored * (opaque.astype(np.float32) / 255)).astype(np.uint8)
    upright = np.ascontiguousarray(stored if tiff else turned(stored, _orientation(content)))
    if deep and depth is not None:
        upright = depth.to_8_bits(upright)
    return cv2.cvtColor(upright, cv2.COLOR_GRAY2RGB if upright.ndim == 2 else cv2.COLOR_BGR2RGB)


def _decoded(content: bytes) -> np.ndarray | None:
    """The pixels as they lie in a file, without EXIF orientation, blue first; None where there are none."""
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if content else None
    except cv2.error:  # more pixels than OpenCV reads
        return None


def _orientation(content: bytes) -> int:
    """The EXIF orientation, 1 to 8, in the bytes of a JPEG, PNG or WebP file; 1 where there is none."""
    for order, header in (("<", b"II*\0"), (">", b"MM\0*")):
        at = content.find(header)
        while at >= 0:
            before = content[max(0, at - 8) : at]
            if before.endswith((b"Exif\0\0", b"eXIf")) or before.startswith(b"EXIF"):
                return _tag(content[at:], order)
            at = content.find(header, at + 1)
    return 1


def _tag(exif: bytes, order: str) -> int:
    """The value of the orientation in the first directory of EXIF data. order: "<" or ">", of bytes."""
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        entries = (
            struct.unpack_from(f"{order}HHIH", exif, start + 2 + 12 * number) for number in range(count)
        )
        return next((value for name, _, _, value in entries if name == ORIENTATION), 1)
    except struct.error:  # malformed EXIF data do not make the pixels unreadable
        return 1
