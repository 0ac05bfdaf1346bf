"""Finds everything that was made from a data set, and deletes the data set with it.

Knows which rows and folders belong to a data set. Does not know what is in them.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.sentences import count, listed
from exdd_core.workspace import copies, dataset_files, failures, placing, scales, settings, versions
from exdd_core.workspace.placing import making

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace import Workspace

NAMED = 6  # the largest number of versions that a sentence names
LENT = "select json_extract(notes, '$.donor') from candidates where dataset <> :name"


@dataclass(frozen=True)
class Uses:
    """Everything that was made from a data set. versions: names. runs, candidates, decisions: counts."""

    versions: list[str]
    runs: int
    candidates: int
    decisions: int

    @property
    def sentence(self) -> str:
        """ "2 bank versions (v1, v3), 4 measurements and 10 candidates", or "" for nothing."""
        shown = listed(self.versions, NAMED)
        parts = [f"{count(len(self.versions), 'bank version')} ({shown})"] if self.versions else []
        for number, what in (
            (self.runs, "measurement"),
            (self.candidates, "candidate"),
            (self.decisions, "decision"),
        ):
            parts += [count(number, what)] if number else []
        return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def uses(workspace: Workspace, dataset: str | None = None) -> Uses:
    """Find the bank versions, measurements, candidates and decisions of a data set."""
    name = workspace.dataset(dataset).name
    with workspace.reading() as db:
        banks = _banks(db, name)
        candidates = db.execute("select count(*) from candidates where dataset = ?", [name]).fetchone()[0]
        return Uses(
            [f"v{number}" for number in banks.values()],
            len(_runs(db, name)),
            candidates,
            len(_decisions(db, name)),
        )


def delete(workspace: Workspace, dataset: str) -> str:
    """Delete a data set with its bank versions, measurements, candidates and decisions; returns a sentence on them.

    If the active version or data set is deleted, the one before it becomes active. Images that lent a defect to
    candidates of other data sets keep their row, but not their file. Raises `BadInput` where a version is pinned or
    a job uses the data set.
    """
    info = workspace.dataset(dataset)
    found = uses(workspace, info.name)
    place = workspace.path / "datasets"
    with failures.as_bad_input(), making(workspace, place, "change of a data set", Progress()):
        with workspace.writing() as db:
            _require_idle(db, info.name, info.called)
            banks = _banks(db, info.name)
            _require_unpinned(db, banks)
            folders = [place / info.name, *(workspace.path / "banks" / id for id in banks)]
            folders += _candidate_folders(db, workspace, info.name)
            for folder in folders:  # if the process is killed before it removes them, the next sweep does
                if folder.is_dir():
                    (folder / placing.MARK).touch()
            _forget(db, info.name, list(banks))
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        copies.forget_dataset(workspace, info.name)
    for id in banks:
        shutil.rmtree(versions.cache_of(workspace, id), ignore_errors=True)
    gone = f", with {found.sentence}" if found.sentence else ""
    return f'"{info.called}" was deleted{gone}.'


def _banks(db: Database, name: str) -> dict[str, int]:
    query = "select id, number from banks where dataset = ? order by number"
    return dict(db.execute(query, [name]).fetchall())


def _runs(db: Database, name: str) -> list[str]:
    query = """select id from runs where json_extract(spec, '$.dataset') = :name
               or json_extract(result, '$.dataset') = :name
               or bank in (select id from banks where dataset = :name)"""
    return [row[0] for row in db.execute(query, {"name": name}).fetchall()]


def _decisions(db: Database, name: str) -> list[int]:
    query = """select id from decisions where json_extract(detail, '$.dataset') = :name
               or candidate in (select id from candidates where dataset = :name)
               or candidate in (select id from images where dataset = :name)"""
    return [row[0] for row in db.execute(query, {"name": name}).fetchall()]


def _candidate_folders(db: Database, workspace: Workspace, name: str) -> list[Path]:
    query = "select id from candidates where dataset = ?"
    return [workspace.path / "candidates" / row[0] for row in db.execute(query, [name]).fetchall()]


def _require_idle(db: Database, name: str, called: str) -> None:
    query = """select title from jobs where state in ('queued', 'running')
               and (json_extract(spec, '$.dataset') in (:name, :called) or json_extract(spec, '$.into') in
               (:name, :called) or (json_extract(spec, '$.dataset') is null and kind <> 'import'))"""
    row = db.execute(query, {"name": name, "called": called}).fetchone()
    if row:
        raise BadInput(
            f'The job "{row[0]}" is not finished and may use the data set; wait for it or cancel it first.'
        )


def _require_unpinned(db: Database, banks: dict[str, int]) -> None:
    pinned = [f"v{banks[id]}" for id in json.loads(settings.get(db, versions.PINNED, "[]")) if id in banks]
    if pinned:
        raise BadInput(
            f"The data set has pinned bank versions ({', '.join(pinned)}); unpin them before deleting it."
        )


def _forget(db: Database, name: str, banks: list[str]) -> None:
    """Remove the rows, within the caller's transaction."""
    values = {"name": name}
    dataset_files.forget(db, name)
    scales.forget(db, name)
    settings.forget(db, name)
    for table, ids in (("runs", _runs(db, name)), ("decisions", _decisions(db, name))):
        for id in ids:
            db.execute(f"delete from {table} where id = ?", [id])
    for table in ("claims", "measures"):
        painted = "select id from candidates where dataset = :name"
        db.execute(f"delete from {table} where candidate in ({painted})", values)
    for bank in banks:
        versions.forget(db, bank)
    db.execute(f"delete from images where dataset = :name and id not in ({LENT})", values)
    for table in ("candidates", "banks", "dataset_changes"):
        db.execute(f"delete from {table} where dataset = :name", values)
    db.execute("delete from datasets where name = :name", values)
    _fall_back(db)


def _fall_back(db: Database) -> None:
    """Activate an existing version and data set: the ones that were active before, or the newest."""
    there = [row[0] for row in db.execute("select id from banks order by number").fetchall()]
    former = [id for id in json.loads(settings.get(db, versions.FORMER, "[]")) if id in there]
    if json.loads(settings.get(db, "active_bank", "null")) not in there:
        settings.put(db, "active_bank", former.pop() if former else there[-1] if there else None)
    settings.put(db, versions.FORMER, former)
    left = [row[0] for row in db.execute("select name from datasets order by rowid").fetchall()]
    if json.loads(settings.get(db, "active_dataset", "null")) not in left:
        settings.put(db, "active_dataset", left[-1] if left else None)
