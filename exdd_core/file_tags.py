"""Finds tags in image files: the EXIF orientation of JPEG, PNG and WebP files, and the tags of TIFF files.

Whoever looks at a header and whoever decodes pixels ask here, so both turn an image alike. The EXIF data of previews
and of further images in a file are not the image's own. Knows the structure of these files. Does not know pixels.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO

ORIENTATION, PHOTOMETRIC, PLANES = 0x0112, 0x0106, 0x011C
WIDTH, HEIGHT, BITS, COMPRESSION, FILL_ORDER, SAMPLES = 0x0100, 0x0101, 0x0102, 0x0103, 0x010A, 0x0115
PREDICTOR, COLOURS, EXTRA, SAMPLE_FORMAT = 0x013D, 0x0140, 0x0152, 0x0153
STRIPS, STRIP_LENGTHS = 0x0111, 0x0117
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_LENGTHS = 0x0142, 0x0143, 0x0144, 0x0145
DNG_VERSION = 0xC612  # of the raw files of cameras
ONE_PAGE = "Only page 1 of {} was inspected; save each page as a separate file."
LARGEST = 1 << 20  # bytes of EXIF data that are read
MOST = 100_000  # pieces of a file that are looked at; a PNG file of 256 MB has some 30,000
MOST_NUMBERS = 1 << 24  # of a tag, such as the lengths of tiles
ORDERS = {b"II": "<", b"MM": ">"}  # of bytes in TIFF, as `struct` names them
_NUMBERS = {1: "B", 3: "H", 4: "I", 16: "Q"}  # kinds of whole numbers in TIFF, as `struct` names them
_START_OF_SCAN, _END, _APP1 = 0xDA, 0xD9, 0xE1


def orientation(stream: BinaryIO) -> int:
    """The EXIF orientation, 1 to 8, of a JPEG, PNG or WebP file; 1 where there is none, and for other files."""
    stream.seek(0)
    head = stream.read(12)
    if head[:3] == b"\xff\xd8\xff":
        pieces, wanted = _segments(stream), b"\xe1"
    elif head[:8] == b"\x89PNG\r\n\x1a\n":
        pieces, wanted = _chunks(stream, 8, ">I4s", 4), b"eXIf"
    elif head[:4] == b"RIFF" and head[8:] == b"WEBP":
        pieces, wanted = _chunks(stream, 12, "<4sI", 0), b"EXIF"
    else:
        return 1
    for kind, length in pieces:
        if kind == wanted:
            found = stream.read(max(0, min(length, LARGEST)))
            if wanted != b"\xe1" or found.startswith(b"Exif\0\0"):
                value = tag(io.BytesIO(found.removeprefix(b"Exif\0\0")), ORIENTATION)
                return value if 1 <= value <= 8 else 1
    return 1


def pages(stream: BinaryIO) -> int:
    """The pages of a TIFF file, the frames of a PNG or WebP file; 1 for other files and for damaged ones."""
    stream.seek(0)
    head = stream.read(16)
    try:
        if head[:8] == b"\x89PNG\r\n\x1a\n":
            for name, _ in _chunks(stream, 8, ">I4s", 4):
                if name == b"acTL":
                    return max(1, int.from_bytes(stream.read(4), "big"))
                if name == b"IDAT":
                    break
        elif head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return max(1, sum(name == b"ANMF" for name, _ in _chunks(stream, 12, "<4sI", 0)))
        elif head[:2] in ORDERS:
            return max(1, sum(1 for _ in _directories(stream)))
    except (struct.error, OSError, OverflowError, ValueError):
        pass
    return 1


def tag(stream: BinaryIO, wanted: int, lacking: int = 1) -> int:
    """The first whole number of a tag in the first directory of a TIFF file, or of EXIF data; `lacking` where it lacks
    or is damaged."""
    return next(iter(tags(stream, wanted)), lacking)


def tags(stream: BinaryIO, wanted: int) -> list[int]:
    """All whole numbers of a tag, see `tag`; none where it lacks or is damaged."""
    try:
        at, numbers = _place(stream, wanted)
        stream.seek(at)
        return list(numbers.unpack(stream.read(numbers.size)))
    except (struct.error, KeyError, OSError, OverflowError, ValueError, MemoryError):
        return []  # malformed tags do not make the pixels unreadable


def with_tag(content: bytes, wanted: int, values: Sequence[int]) -> bytes:
    """A TIFF file with other numbers for a tag that it has, as many as before and small enough for their kind."""
    at, numbers = _place(io.BytesIO(content), wanted)
    return content[:at] + numbers.pack(*values) + content[at + numbers.size :]


def _place(stream: BinaryIO, wanted: int) -> tuple[int, struct.Struct]:
    """Where the numbers of a tag begin, and how they are written. Raises `KeyError` where it lacks, and as `struct`."""
    order, big, entries = next(_directories(stream), ("<", False, 0))
    entry, within = struct.Struct(f"{order}{'HHQ8s' if big else 'HHI4s'}"), 8 if big else 4
    for _ in range(min(entries, MOST)):
        name, kind, count, value = entry.unpack(stream.read(entry.size))
        if name == wanted:
            numbers = struct.Struct(f"{order}{min(count, MOST_NUMBERS)}{_NUMBERS[kind]}")
            if numbers.size <= within:
                return stream.tell() - within, numbers
            return struct.unpack(f"{order}{'Q' if big else 'I'}", value)[0], numbers
    raise KeyError(wanted)


def _directories(stream: BinaryIO) -> Iterator[tuple[str, bool, int]]:
    """The directories of a TIFF file, one for each page: the order of its bytes as `struct` names it, whether it is
    BigTIFF, and the number of entries, which are read next. Raises `KeyError` for other files, and as `struct`."""
    stream.seek(0)
    head = stream.read(16)
    order = ORDERS[head[:2]]
    big = struct.unpack_from(f"{order}H", head, 2) == (43,)
    (at,) = struct.unpack_from(f"{order}{'8xQ' if big else '4xI'}", head)
    number, size = (struct.Struct(f"{order}Q"), 20) if big else (struct.Struct(f"{order}I"), 12)
    known: set[int] = set()
    while at and at not in known and len(known) < MOST:
        known.add(at)
        stream.seek(at)
        (entries,) = struct.unpack(f"{order}{'Q' if big else 'H'}", stream.read(8 if big else 2))
        start = stream.tell()
        yield order, big, entries
        stream.seek(start + entries * size)
        (at,) = number.unpack(stream.read(number.size))


def _segments(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """The markers of a JPEG file before its pixels, one byte each, and the length of what follows, which is read
    next."""
    at = 2
    for _ in range(MOST):
        stream.seek(at)
        start = stream.read(4)
        if len(start) < 4 or start[0] != 0xFF or start[1] in (_START_OF_SCAN, _END):
            return
        if start[1] == 0xFF:  # a byte that only fills
            at += 1
            continue
        length = int.from_bytes(start[2:], "big")
        yield start[1:2], length - 2
        at += 2 + length


def _chunks(stream: BinaryIO, at: int, header: str, after: int) -> Iterator[tuple[bytes, int]]:
    """The names of the chunks of a PNG or WebP file, and the length of what follows, which is read next.

    header: of a chunk, its length and name in either order. after: bytes between a chunk's content and the next chunk.
    """
    for _ in range(MOST):
        stream.seek(at)
        start = stream.read(8)
        if len(start) < 8:
            return
        first, second = struct.unpack(header, start)
        name, length = (first, second) if isinstance(first, bytes) else (second, first)
        yield name, length
        at += 8 + length + (after or length % 2)
