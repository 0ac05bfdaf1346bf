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


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """A hidden place beside `file`, of the same ending, to write it at; it gets its name when the block has ended.

    A full disk, a cancel, a power cut and the like leave what was there before. A device or a pipe is written
    to directly.
    """
    if file.exists() and not file.is_file():
        yield file
        return
    unfinished = file.with_name(f".{uuid.uuid4().hex[:8]}{file.suffix}")
    try:
        yield unfinished
        sync(unfinished)  # a name that reached the disk before the content would name an empty file
        final = file.resolve()  # a link stays one
        unfinished.replace(final)
        sync_folder(final.parent)
    except BaseException as error:
        if isinstance(error, OSError) and str(error.filename) == str(unfinished):
            error.filename = str(file)  # the name that people know
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise


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
