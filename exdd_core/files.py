"""Writes a file completely or not at all, opens only regular files, and checks a file's content by a digest.

Knows names, renaming, and what has reached the disk. Does not know what is written.
"""

from __future__ import annotations

import hashlib
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from exdd_core.errors import BadInput

SEAL = b"\nSHA-256 "  # in a sealed file, between the content and the digest's 32 bytes


@contextmanager
def whole(file: Path, synced: bool = True) -> Iterator[Path]:
    """A hidden path in the same folder and with the same suffix, which is renamed to `file` when the block ends. Where
    that is a symbolic link it stays one, and what it points to is written.

    An error in the block (a full disk, a cancel) or a power cut leaves the former file. A device or a pipe is written
    to directly. synced: False for files that may be lost in a power cut, since waiting for the disk is slow.
    """
    if file.exists() and not file.is_file():
        yield file
        return
    final = file.resolve()  # maybe on another disk, to which nothing can be renamed
    unfinished = final.with_name(f".{uuid.uuid4().hex[:8]}{file.suffix}")
    try:
        yield unfinished
        if synced:
            sync(unfinished)  # content first: after a power cut, the name must not have an empty file
        unfinished.replace(final)
        if synced:
            sync_folder(final.parent)
    except BaseException as error:
        if isinstance(error, OSError) and str(error.filename) == str(unfinished):
            error.filename = str(file)  # for the error message
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise


@contextmanager
def sealed(file: Path) -> Iterator[Path]:
    """As `whole`, for files that can be made again: appends the digest of the content, which `holds` compares.

    Readers of NumPy and zip files ignore bytes after the content.
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


def unsealed(content: bytes) -> bytes:
    """The content of a sealed file without its seal."""
    return content[: -len(SEAL) - 32]


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


def changed(file: Path) -> int:
    """When a file came to be as it is, in nanoseconds; 0 where there is none. Unlike `st_mtime`, nobody sets it."""
    with suppress(OSError):
        return file.stat().st_ctime_ns
    return 0


def digest(file: Path) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def require_regular(file: Path, name: str, most: int | None = None) -> None:
    """Refuse what is no regular file: opening a pipe waits for ever, and a device may never end.

    name: what the sentence calls the file. most: the largest size in bytes, None for any. Raises `BadInput`; OSError
    where there is no such file.
    """
    known = file.stat()
    if stat.S_ISDIR(known.st_mode):
        raise BadInput(f"{name} is a folder; choose a file in it.")
    if not stat.S_ISREG(known.st_mode):
        raise BadInput(f"{name} is a pipe, a device or a socket; choose a regular file.")
    if most is not None and known.st_size > most:
        raise BadInput(f"{name} is larger than {most >> 20:,} MB, the maximum; make it smaller or split it.")


def read_regular(file: Path, name: str, most: int) -> bytes:
    """The content of a regular file of at most `most` bytes. Raises `BadInput` and OSError as `require_regular`."""
    require_regular(file, name, most)
    return file.read_bytes()


def is_writable(folder: Path) -> bool:
    """Whether this process may make files in a folder: neither the disk nor its rights forbid it."""
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def is_regular(file: Path) -> bool:
    """Whether there is a regular file at a path, through links."""
    try:
        return stat.S_ISREG(file.stat().st_mode)
    except (OSError, ValueError):
        return False
