"""A file is written whole or not at all, whatever happens on the way, and is told by the digest of its content.

Knows names, renaming, and what has reached the disk. Does not know what is written, nor for whom.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SEAL = b"\nSHA-256 "  # begins the end of a sealed file; the digest's 32 bytes follow


@contextmanager
def whole(file: Path, synced: bool = True) -> Iterator[Path]:
    """A hidden place beside `file`, of the same ending, to write it at; it gets its name when the block has ended.

    A full disk, a cancel, a power cut and the like leave what was there before. A device or a pipe is written
    to directly. synced: False for what may be lost in a power cut, as waiting for the disk takes a while.
    """
    if file.exists() and not file.is_file():
        yield file
        return
    unfinished = file.with_name(f".{uuid.uuid4().hex[:8]}{file.suffix}")
    try:
        yield unfinished
        final = file.resolve()  # a link stays one
        if synced:
            sync(unfinished)  # a name that reached the disk before the content would name an empty file
        unfinished.replace(final)
        if synced:
            sync_folder(final.parent)
    except BaseException as error:
        if isinstance(error, OSError) and str(error.filename) == str(unfinished):
            error.filename = str(file)  # the name that people know
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise


@contextmanager
def sealed(file: Path) -> Iterator[Path]:
    """`whole` for what can be made again: the digest of the content is appended, for `holds` to compare.

    Readers of NumPy's files and of zip files pass over what follows the end of the content.
    """
    with whole(file, synced=False) as place:
        yield place
        seal(place)


def seal(file: Path) -> None:
    """Append the digest of a file's content to it."""
    end = SEAL + bytes.fromhex(digest(file))
    with file.open("ab") as opened:
        opened.write(end)


def holds(file: Path) -> bool | None:
    """Whether a sealed file has the content that it was sealed with; None for a file that was never sealed.

    Raises OSError for one that cannot be read.
    """
    size, length = file.stat().st_size, len(SEAL) + 32
    with file.open("rb") as opened:
        opened.seek(max(0, size - length))
        end = opened.read()
        if not end.startswith(SEAL) or len(end) != length:
            return None
        opened.seek(0)
        total, left = hashlib.sha256(), size - length
        while left and (piece := opened.read(min(left, 1 << 20))):
            total.update(piece)
            left -= len(piece)
    return total.digest() == end[len(SEAL) :]


def sync(file: Path) -> None:
    """Wait until the content of a file is on the disk. Raises OSError where the disk refuses it."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk; nothing happens where a system has no such call."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def digest(file: Path) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
