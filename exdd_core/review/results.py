"""Stored results: one file for each bank version, one line of JSON and its digest for each scored image.

Knows rows and files. Does not know how a score is computed.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NotRequired

from exdd_core.review.table import ResultRow


class StoredRow(ResultRow):
    """A row of the table with the image's id.

    state: of the banks. stale: whether the banks have changed since.
    """

    id: str
    state: NotRequired[str]
    stale: NotRequired[bool]


class Results:
    """The results of one bank version, by state of its banks and by image id.

    Rows are written as they are added, and rows that other threads and processes add are read as well. A line
    that a crash has cut short, or that is not what was written, is skipped: its image counts as not scored.
    """

    def __init__(self, path: Path, called: Mapping[str, str] | None = None):
        """called: states by the names that earlier versions of this program gave them."""
        self._path = path
        self._called = called or {}
        self._lock = threading.Lock()
        self._read = 0  # bytes of the file that `_rows` holds
        self._rows: dict[str, dict[str, StoredRow]] = {}  # {state: {id: row}}
        self._order: list[StoredRow] = []  # in the order of the file, for `since`
        self._latest: dict[str, StoredRow] = {}  # the last row of each image

    def rows(self, state: str = "") -> dict[str, StoredRow]:
        """The rows of one state of the banks, by image id."""
        with self._lock:
            self._catch_up()
            return dict(self._rows.get(state, {}))

    def of_images(self, ids: Iterable[str], state: str = "") -> dict[str, StoredRow]:
        """For each of these images its row of this state, else its latest, `stale`; without those that have none."""
        with self._lock:
            self._catch_up()
            here = self._rows.get(state, {})
            found = {id: here.get(id) or self._latest.get(id) for id in ids}
            return {
                id: row if id in here else {**row, "stale": True}
                for id, row in found.items()
                if row is not None
            }

    def known(self, state: str = "") -> tuple[int, dict[str, StoredRow]]:
        """The number of all rows, and for each image its row of this state, else its latest, `stale`."""
        with self._lock:
            self._catch_up()
            here = self._rows.get(state, {})
            latest: dict[str, StoredRow] = {
                id: row if id in here else {**row, "stale": True} for id, row in self._latest.items()
            }
            return len(self._order), latest | here

    def add(self, state: str, rows: Iterable[StoredRow]) -> None:
        """Write the rows of images that have none in this state yet."""
        with self._lock:
            self._catch_up()
            there = self._rows.get(state, {})
            fresh = [{**row, "state": state} for row in rows if row["id"] not in there]
            if not fresh:
                return
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                cut_short = file.tell() > self._read
                lines = b"".join(_line(row) for row in fresh)
                file.write((b"\n" if cut_short else b"") + lines)
            self._catch_up()

    def since(self, seen: int, state: str = "") -> tuple[int, list[StoredRow]]:
        """The number of all rows, and the rows of this state that were added after the first `seen`."""
        with self._lock:
            self._catch_up()
            return len(self._order), [row for row in self._order[seen:] if row["state"] == state]

    def _catch_up(self) -> None:
        """Read the complete lines that were added to the file. The caller holds the lock."""
        if not self._path.is_file() or self._path.stat().st_size <= self._read:
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            try:
                row = {"state": ""} | json.loads(_content(line))
                row["state"] = self._called.get(row["state"], row["state"])
                there = self._rows.setdefault(row["state"], {})
                fresh = row["id"] not in there
            except (ValueError, KeyError, TypeError):
                continue
            if fresh:
                there[row["id"]] = row
                self._order.append(row)
                self._latest[row["id"]] = row


def _line(row: Mapping[str, object]) -> bytes:
    """A row as JSON and the digest of that."""
    content = json.dumps(row).encode()
    return b"%b %b\n" % (content, _digest(content))


def _content(line: bytes) -> bytes:
    """The JSON of a line. Raises ValueError where it is not what was written; older lines have no digest."""
    if line.endswith(b"}"):
        return line
    content, _, digest = line.rpartition(b" ")
    if digest != _digest(content):
        raise ValueError("damaged")
    return content


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest()[:16].encode()
