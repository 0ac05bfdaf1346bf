"""Copies of rows as files beside the database, from which `adopting` makes another one where the database is lost.

    copies/datasets/NAME.json        a data set with its images, changes and the digests of its files
    copies/decisions.jsonl           every decision, one line each, written once it is committed
    candidates/ID/candidate.json     a candidate as it was painted

A version's row is in its manifest. A copy that cannot be written stops nothing. Knows rows and files. Does not know
what the rows mean.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core import files
from exdd_core.spec import Json

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace import Workspace
    from exdd_core.workspace.columns import DecisionColumns

FOLDER, CANDIDATE = "copies", "candidate.json"
# The rows of a data set: the table, and its column with the data set's name.
OF_DATASET = {"datasets": "name", "images": "dataset", "files": "dataset", "dataset_changes": "dataset"}
log = logging.getLogger(__name__)


class Connection(sqlite3.Connection):
    """A connection that writes decisions to their file once they are committed."""

    def commit(self) -> None:
        super().commit()
        told = self.__dict__.pop("decisions", [])
        if told:
            _append(Path(self.execute("PRAGMA database_list").fetchone()[2]).parent, told)

    def rollback(self) -> None:
        super().rollback()
        self.__dict__.pop("decisions", None)


def note_decision(db: Database, id: int) -> None:
    """Copy a decision when the caller's transaction is committed."""
    row = next(iter(db.query("select * from decisions where id = ?", [id])))
    vars(db.conn).setdefault("decisions", []).append(row)


def decisions(folder: Path) -> list[DecisionColumns]:
    """The decisions of a workspace's folder by number. A line that a crash has cut short is skipped."""
    file = folder / FOLDER / "decisions.jsonl"
    found: dict[int, DecisionColumns] = {}
    for line in file.read_bytes().splitlines() if file.is_file() else ():
        try:
            row = json.loads(line)
            found[row["id"]] = row
        except (ValueError, KeyError, TypeError):
            continue
    return [found[id] for id in sorted(found)]


def _append(folder: Path, rows: list[Json]) -> None:
    place = folder / FOLDER / "decisions.jsonl"
    try:
        place.parent.mkdir(exist_ok=True)
        # Each line begins with a line break, which ends one that a crash cut short.
        text = "".join(f"\n{json.dumps(row)}" for row in rows)
        with place.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        log.warning("The copy of a decision could not be written: %s", error)


def keep_dataset(workspace: Workspace, name: str) -> None:
    """Copy the rows of a data set as they are now."""
    place = workspace.path / FOLDER / "datasets" / f"{name}.json"
    with workspace.reading() as db:
        told = {
            table: list(db.query(f"select * from {table} where {key} = ? order by rowid", [name]))
            for table, key in OF_DATASET.items()
        }
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with files.whole(place) as file:
            file.write_text(json.dumps(told), encoding="utf-8")
    except OSError as error:
        log.warning("The copy of a data set's rows could not be written: %s", error)


def forget_dataset(workspace: Workspace, name: str) -> None:
    """Remove the copy of a data set that was deleted."""
    (workspace.path / FOLDER / "datasets" / f"{name}.json").unlink(missing_ok=True)


def keep_all(workspace: Workspace) -> None:
    """Copy the rows of a workspace from before there were copies."""
    for info in workspace.datasets():
        keep_dataset(workspace, info.name)
    with workspace.reading() as db:
        told = list(db.query("select * from decisions order by id"))
        for row in db.query("select * from candidates"):
            folder = workspace.path / "candidates" / str(row["id"])
            if folder.is_dir():
                (folder / CANDIDATE).write_text(candidate_text(row), encoding="utf-8")
    if told:
        _append(workspace.path, told)


def candidate_text(row: Json) -> str:
    """A candidate's row as its file has it: as it was painted, before anybody decided on it."""
    return json.dumps({**row, "status": "pending", "quality": "{}"})


def read(folder: Path, pattern: str) -> Iterator[tuple[str, Json | None]]:
    """The JSON files of a folder by their path in it; None for one that cannot be read."""
    for file in sorted(folder.glob(pattern)):
        name = file.relative_to(folder).as_posix()
        try:
            found = json.loads(file.read_text("utf-8"))
            yield name, found if isinstance(found, dict) else None
        except (OSError, ValueError):
            yield name, None
