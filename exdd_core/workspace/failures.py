"""Turns errors into one sentence for people.

Knows errno, SQLite's error codes and errors of full memory; an error that none of these foresees is logged, and its
sentence has the number that finds it there. Does not know the work that failed.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError

from exdd_core import logs
from exdd_core.errors import BadInput

DATABASE = "workspace.db"
READ_ONLY = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
STORAGE = (OSError, sqlite3.Error, SafetensorError)
DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
LONGEST = 160  # characters quoted from an unforeseen error's message
log = logging.getLogger(__name__)
LESS_WORK = "use smaller images, a smaller share of patches or fewer images"


def sentence_of(error: BaseException, title: str = "", *, less_memory: str = LESS_WORK) -> str:
    """The sentence for an `error` that ended the work `title` ("" for unnamed work).

    less_memory: advice where the memory is full. An unforeseen error is logged.
    """
    if isinstance(error, BadInput):
        return str(error)
    foreseen = ""
    if isinstance(error, STORAGE):
        foreseen = _of_storage(error)
    elif isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        foreseen = f"The memory is full; {less_memory}."
    if foreseen:
        log.info("%s failed: %s", title or "Something", foreseen, exc_info=error)
        return foreseen
    name = type(error).__name__
    number = logs.number_of(error, f"{title or 'Something'} failed")
    if not title:
        return f"Something unexpected happened ({name}); see error {number} in the log."
    words = " ".join(str(error).split())[:LONGEST]
    return f"{title} failed ({name}: {words}); see error {number} in the log."


def _of_storage(error: OSError | sqlite3.Error | SafetensorError) -> str:
    number, said = getattr(error, "errno", None), str(error)
    if number in (errno.ENOSPC, errno.EDQUOT) or "is full" in said or "No space left" in said:
        return "The disk is full; free up some space and try again. Nothing incomplete was kept."
    if number == errno.EFBIG or "File too large" in said:
        return (
            "A file is larger than its disk or your account allows, such as 4 GB on FAT32; choose another disk or "
            "raise the limit. Nothing incomplete was kept."
        )
    place = getattr(error, "filename", None)
    if isinstance(error, PermissionError):
        whose = place or "the workspace"
        return f"No permission for {whose}; change its owner or permissions, or choose another place."
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in READ_ONLY:
        return (
            f"The workspace cannot be written to ({error}): its folder or its disk is read-only, or not yours; change "
            "that, or copy it to another place."
        )
    if getattr(error, "sqlite_errorcode", None) in DAMAGED:
        return (
            f"The workspace's database is damaged ({error}); put a copy of {DATABASE} from a backup in its place, "
            "or choose another folder with --workspace: its other files are still there."
        )
    if isinstance(error, sqlite3.Error):
        return (
            f"The workspace's database cannot be used ({error}); check that its disk works and is not full."
        )
    reason = getattr(error, "strerror", None) or error
    return f"{place or 'The workspace'} cannot be used ({reason}); check the path and the disk."


@contextmanager
def as_bad_input() -> Iterator[None]:
    """Turn errors of files and databases into `BadInput` with one sentence."""
    try:
        yield
    except STORAGE as error:
        raise BadInput(sentence_of(error)) from error


def damaged(why: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(why)
    error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
    return error
