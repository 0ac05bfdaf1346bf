"""Reads TIFF files that OpenCV refuses or misreads: of 1, 2 or 4 bits a pixel, in tiles of odd sizes, and damaged ones.

Knows tags, bits and tiles. Does not know files, limits or what an image is for.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from exdd_core import file_tags as tags

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE = range(4)
DEFLATE = (8, 32946)  # compressions whose data end with a checksum
PIECE = 1 << 20  # bytes that are unpacked at a time
WHOLE = 1024  # bytes; libtiff reads uncompressed tiles only of whole multiples where a file lies in memory
Number = Callable[..., int]


def values_of(content: bytes) -> np.ndarray | None:
    """The values of a TIFF file of these kinds, uint8 (H, W) or (H, W, 3) BGR; None for others, and for damaged ones.

    0 is black in them. Files that are rotated, or that differ in another way from what most programs write, are others.
    """
    number: Number = partial(tags.tag, io.BytesIO(content))
    bits, meant = tags.tags(io.BytesIO(content), tags.BITS), number(tags.PHOTOMETRIC)
    if any(number(one) != 1 for one in (tags.ORIENTATION, tags.PREDICTOR, tags.FILL_ORDER, tags.PLANES)):
        return None
    try:
        if (
            bits in ([2], [4])
            and meant in (WHITE_IS_ZERO, BLACK_IS_ZERO)
            or bits in ([1], [2])
            and meant == PALETTE
        ):
            return _of_few_bits(content, number, bits[0], meant)
        if (bits == [8] and meant in (WHITE_IS_ZERO, BLACK_IS_ZERO)) or (bits == [8, 8, 8] and meant == RGB):
            return _of_tiles(content, number, len(bits), meant)
    except (KeyError, IndexError, ValueError, struct.error, cv2.error):
        pass
    return None


def is_damaged(content: bytes) -> bool:
    """Whether data that Deflate compressed differ from their checksum, which OpenCV reads as other pixels."""
    number: Number = partial(tags.tag, io.BytesIO(content))
    if number(tags.COMPRESSION) not in DEFLATE:
        return False
    bits = tags.tags(io.BytesIO(content), tags.BITS) or [1]
    left = (
        number(tags.WIDTH) * number(tags.HEIGHT) * max(bits) * number(tags.SAMPLES) // 2
    )  # bytes, and many to spare
    for places, lengths in ((tags.STRIPS, tags.STRIP_LENGTHS), (tags.TILES, tags.TILE_LENGTHS)):
        for at, length in zip(
            *(tags.tags(io.BytesIO(content), tag) for tag in (places, lengths)), strict=False
        ):
            unpacking, packed = zlib.decompressobj(), content[at : at + length]
            try:
                while packed and left > 0 and not unpacking.eof:
                    left -= len(unpacking.decompress(packed, PIECE))
                    packed = unpacking.unconsumed_tail
            except zlib.error:
                return True
    return False


def _of_few_bits(content: bytes, number: Number, bits: int, meant: int) -> np.ndarray | None:
    """The pixels of a file that is decoded as one of fewer pixels of 8 bits, which any compression leaves alone."""
    changed = {tags.BITS: 8, tags.PHOTOMETRIC: BLACK_IS_ZERO}
    widths = (tags.WIDTH, tags.TILE_WIDTH)
    changed |= {tag: -(-width * bits // 8) for tag in widths if (width := number(tag, 0))}
    for tag, value in changed.items():
        content = tags.with_tag(content, tag, [value])
    stored = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype != np.uint8 or stored.ndim != 2:
        return None
    several = stored.astype(np.uint8, copy=False)
    parts = [several >> (8 - bits - at) & (2**bits - 1) for at in range(0, 8, bits)]
    values = np.stack(parts, axis=-1).reshape(len(stored), -1)[:, : number(tags.WIDTH)]
    if meant == PALETTE:
        colours = np.array(tags.tags(io.BytesIO(content), tags.COLOURS)).reshape(3, 2**bits)
        return (colours[::-1] * 255 // 65535).astype(np.uint8).T[values]
    levels = (np.arange(2**bits) * 255 // (2**bits - 1)).astype(np.uint8)
    return (levels if meant == BLACK_IS_ZERO else levels[::-1])[values]


def _of_tiles(content: bytes, number: Number, channels: int, meant: int) -> np.ndarray | None:
    """The pixels of a file of uncompressed tiles of 8 bits that libtiff refuses for their size."""
    wide, high = number(tags.TILE_WIDTH, 0), number(tags.TILE_HEIGHT, 0)
    if number(tags.COMPRESSION) != 1 or not wide * high * channels % WHOLE:
        return None
    width, height = number(tags.WIDTH), number(tags.HEIGHT)
    starts = tags.tags(io.BytesIO(content), tags.TILES)
    across, down = -(-width // wide), -(-height // high)
    shape, length = (high, wide, channels), high * wide * channels
    tiles = [np.frombuffer(content, np.uint8, length, at).reshape(shape) for at in starts[: across * down]]
    rows = [np.concatenate(tiles[row * across : (row + 1) * across], axis=1) for row in range(down)]
    values = np.concatenate(rows)[:height, :width, ::-1]
    if values.shape != (height, width, channels):
        return None
    return values if channels == 3 else values[..., 0] if meant == BLACK_IS_ZERO else 255 - values[..., 0]
