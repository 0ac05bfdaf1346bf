"""Errors of files and databases as one sentence for a person.

Knows errno, SQLite's error codes and memory. Does not know what was being done.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError

from exdd_core.errors import BadInput

DATABASE = "workspace.db"
READ_ONLY = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def plain_sentence(error: OSError | sqlite3.Error | SafetensorError) -> str:
    """What a person needs to know about a failed file or database access, in one sentence."""
    number, said = getattr(error, "errno", None), str(error)
    if number in (errno.ENOSPC, errno.EDQUOT) or "is full" in said or "No space left" in said:
        return "The disk is full; free some space and try again, nothing half-made was kept."
    place = getattr(error, "filename", None) or "the workspace"
    if isinstance(error, PermissionError):
        return f"No permission for {place}; change its owner or rights, or choose another place."
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in READ_ONLY:
        return (
            f"The workspace cannot be written to ({error}): its folder or its disk is read-only, or not yours; change "
            "that, or copy it to another place."
        )
    if getattr(error, "sqlite_errorcode", None) in DAMAGED:
        return (
            f"The workspace's database is damaged ({error}); put a copy of {DATABASE} from a backup in its place, "
            "or choose another folder with --workspace: the files beside it are still there."
        )
    if isinstance(error, sqlite3.Error):
        return (
            f"The workspace's database cannot be used ({error}); check that its disk works and is not full."
        )
    return (
        f"{place} cannot be used ({getattr(error, 'strerror', None) or error}); check the path and the disk."
    )


@contextmanager
def plainly() -> Iterator[None]:
    """Files and databases that cannot be used end as one sentence, a `BadInput`."""
    try:
        yield
    except (OSError, sqlite3.Error, SafetensorError) as error:
        raise BadInput(plain_sentence(error)) from error


def damaged(why: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(why)
    error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
    return error


def job_sentence(title: str, error: BaseException) -> str:
    if isinstance(error, BadInput):
        return str(error)
    if isinstance(error, (OSError, sqlite3.Error)):
        pass

        return plain_sentence(error)
    if isinstance(error, MemoryError):
        return "The memory is full; use smaller images, a smaller share of patches or fewer images."
    return f"{title} failed ({type(error).__name__}: {error}); the program's log says where."
