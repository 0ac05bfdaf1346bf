"""Scores that are kept, by image and version.

Knows the table `results`. Does not know how a score is computed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Results:
    """Rows of one bank version by state and image id, on disk as they come, whichever thread or process scores.

    A line cut short by a crash is left out.
    """

    def __init__(self, path: Path):
        self._path = path
        self._lock = threading.Lock()
        self._read = 0  # bytes of the file that are in `_rows`
        self._rows: dict[str, dict[str, dict[str, Any]]] = {}  # of each state by id
        self._order: list[dict[str, Any]] = []  # as they came: whoever saw n of them asks for the rest

    def rows(self, state: str = "") -> dict[str, dict[str, Any]]:
        """What was scored in this state of the banks."""
        with self._lock:
            self._catch_up()
            return dict(self._rows.get(state, {}))

    def known(self, state: str = "") -> tuple[int, dict[str, dict[str, Any]]]:
        """How many rows there are, and the best known one of each image: of this state, else the latest.

        Those of another state are marked as `stale`.
        """
        with self._lock:
            self._catch_up()
            latest = {row["id"]: row | {"stale": True} for row in self._order}
            return len(self._order), latest | self._rows.get(state, {})

    def add(self, state: str, rows: Iterable[dict[str, Any]]) -> None:
        """Keep the rows of images that have none yet in this state."""
        with self._lock:
            self._catch_up()
            there = self._rows.get(state, {})
            fresh = [row | {"state": state} for row in rows if row["id"] not in there]
            if not fresh:
                return
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                cut_short = file.tell() > self._read
                lines = "".join(json.dumps(row) + "\n" for row in fresh)
                file.write((("\n" if cut_short else "") + lines).encode())
            self._catch_up()

    def since(self, seen: int, state: str = "") -> tuple[int, list[dict[str, Any]]]:
        """How many rows there are, and those of this state that came after the first `seen`."""
        with self._lock:
            self._catch_up()
            return len(self._order), [row for row in self._order[seen:] if row["state"] == state]

    def _catch_up(self) -> None:
        """Take in the whole lines that the file has more. The lock must be held."""
        if not self._path.is_file() or self._path.stat().st_size <= self._read:
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            try:
                row = json.loads(line)
                row = {"state": ""} | row
                there = self._rows.setdefault(row["state"], {})
                fresh = row["id"] not in there
            except (ValueError, KeyError, TypeError):
                continue
            if fresh:
                there[row["id"]] = row
                self._order.append(row)
