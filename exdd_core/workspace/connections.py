"""Connections to a workspace's database: a new one for each question, or one for all of a thread's for a while.

To open a database and read its schema takes fifty times as long as a question to it. Knows SQLite, not the tables.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlite_utils import Database

from exdd_core import files
from exdd_core.workspace import copies
from exdd_core.workspace.backup import read_only
from exdd_core.workspace.failures import as_bad_input, damaged


class Connections:
    """The connections of one process to a database. No two threads use the same one."""

    def __init__(self, path: Path):
        self._path = path
        self._thread = _OfThread()

    @contextmanager
    def new(self) -> Iterator[Database]:
        """A new connection. Raises `BadInput` where there is no database or none that SQLite can read."""
        with as_bad_input(), closing(connect(self._path)) as connection:
            yield Database(connection, execute_plugins=False)

    @contextmanager
    def one(self) -> Iterator[Database]:
        """The connection that this thread keeps, or a new one where it keeps none or that one is in use.

        So what is read while another reading goes on is as new as on a new connection. One that failed is closed.
        """
        thread = self._thread
        kept, thread.free = thread.free, None
        with as_bad_input():
            db = kept or Database(connect(self._path), execute_plugins=False)
            try:
                yield db
                if thread.keeps and thread.free is None:
                    thread.free = db
            finally:
                if thread.free is not db:
                    db.conn.close()

    @contextmanager
    def keeping_open(self) -> Iterator[None]:
        """Within the block this thread keeps one connection, from the first question on.

        For an answer, not for longer work: while a connection is open, no other file can take the database's place.
        """
        thread = self._thread
        if thread.keeps:
            yield
            return
        thread.keeps = True
        try:
            yield
        finally:
            thread.keeps, kept, thread.free = False, thread.free, None
            if kept:
                kept.conn.close()


class _OfThread(threading.local):
    """Whether a thread keeps a connection, and that one while nobody reads with it."""

    keeps = False
    free: Database | None = None


def connect(path: Path) -> sqlite3.Connection:
    """A new connection to a workspace's database. Raises `BadInput` for an empty file, OSError without one."""
    if path.stat().st_size == 0:  # SQLite would treat it as a new database and remove its log
        raise damaged("it is empty")
    mode = "rw"  # does not create a file, so a workspace that was deleted meanwhile stays deleted
    if not files.is_writable(path.parent):
        mode = read_only(path)
    return sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=30, factory=copies.Connection)
