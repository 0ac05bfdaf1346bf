"""Messages to a worker, as JSON in jobs.db.

Knows huey. Does not know jobs.
"""

from __future__ import annotations

import functools
import json
import sqlite3
from pathlib import Path

from huey import SqliteHuey
from huey.registry import Message
from huey.serializer import Serializer


class _Plain(Serializer):
    """Messages as JSON. huey's default, pickle, would run code from a foreign workspace."""

    def _serialize(self, data: Message) -> bytes:
        return json.dumps(data).encode()

    def _deserialize(self, data: bytes) -> Message:
        return Message(*json.loads(data))


def opened(file: Path) -> SqliteHuey:
    """Open the file of messages. A damaged file is replaced, since the jobs themselves are in the table."""
    open_ = functools.partial(SqliteHuey, filename=str(file), results=False, serializer=_Plain(), cache_mb=1)
    try:
        return open_()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise
        for name in (file, *file.parent.glob(f"{file.name}-*")):
            name.unlink(missing_ok=True)
        return open_()
