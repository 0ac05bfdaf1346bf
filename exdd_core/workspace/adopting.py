"""Makes the database of a workspace's folder again, where it is lost or damaged, from what lies beside it.

Data sets, candidates and decisions come back by their copies (`copies`), versions by their manifests; files are
compared with the digests in them. What only the database had is gone, and said. No file is changed or removed: a
damaged database is kept under another name. Knows rows and files. Does not know how a bank is computed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from filelock import FileLock
from sqlite_utils import Database

from exdd_core import files
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.sentences import count
from exdd_core.spec import Json
from exdd_core.workspace import copies, dataset_files, schema, version_files
from exdd_core.workspace.failures import DATABASE, as_bad_input
from exdd_core.workspace.placing import LOCK, MADE, MARK, TEMPORARY
from exdd_core.workspace.settings import put
from exdd_core.workspace.store import Workspace

GONE = (
    "Only the database contained these: accounts, the prompt library, measurements, chosen thresholds, "
    "pins, jobs, which candidates were deleted, and how decisions changed bank versions after they were "
    "built; build again to apply them."
)


class Adopted(TypedDict):
    """What came back, by number, and sentences on what did not. kept: the name of the damaged database, "" for none."""

    path: str
    datasets: int
    images: int
    banks: int
    candidates: int
    decisions: int
    kept: str
    missing: list[str]


@dataclass
class _Found:
    """Rows by table, and sentences on what could not be read."""

    rows: dict[str, list[Json]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def add(self, table: str, row: Mapping[str, object]) -> None:
        known = schema.TABLES[table][0].keys()
        self.rows.setdefault(table, []).append({name: row.get(name) for name in known})

    def ids(self, table: str, key: str = "id") -> set[str]:
        return {str(row[key]) for row in self.rows.get(table, [])}


def adopt(folder: Path, progress: Progress | None = None) -> Adopted:
    """Give a workspace's folder a database again. Raises `BadInput` where it has a sound one, or nothing to adopt."""
    folder, progress = folder.expanduser().resolve(), progress or Progress()
    if not any((folder / name).is_dir() for name in MADE):
        raise BadInput(
            f"{folder} does not contain a workspace: it has no folder named datasets, banks or candidates."
        )
    with as_bad_input(), FileLock(folder / LOCK):
        if (folder / DATABASE).exists() and _is_sound(folder / DATABASE):
            raise BadInput(f"The workspace {folder} has an intact database; there is nothing to adopt.")
        progress.begin("Reading the files next to the database", 3)
        found = _Found()
        _datasets(folder, found)
        progress.advance()
        _banks(folder, found)
        progress.advance()
        _candidates(folder, found)
        progress.advance()
        _decide(folder, found)
        kept = _set_aside(folder)
        _write(folder, found)
    workspace = Workspace.open(folder)
    found.missing += _compared(workspace)
    number = {
        table: len(found.rows.get(table, [])) for table in ("datasets", "images", "banks", "candidates")
    }
    return {
        "path": str(folder),
        "datasets": number["datasets"],
        "images": number["images"],
        "banks": number["banks"],
        "candidates": number["candidates"],
        "decisions": len(found.rows.get("decisions", [])),
        "kept": kept,
        "missing": [*found.missing, GONE],
    }


def _is_sound(database: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            (said,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            return said == "ok" and int(connection.execute("PRAGMA user_version").fetchone()[0]) > 0
    except sqlite3.DatabaseError:
        return False


def _folders(folder: Path, kind: str) -> list[str]:
    """The finished folders of a kind."""
    place = folder / kind
    return sorted(
        one.name
        for one in (place.iterdir() if place.is_dir() else ())
        if one.is_dir() and not one.name.startswith(TEMPORARY) and not (one / MARK).exists()
    )


def _datasets(folder: Path, found: _Found) -> None:
    there = set(_folders(folder, "datasets"))
    for file, told in copies.read(folder / copies.FOLDER / "datasets", "*.json"):
        name = Path(file).stem
        rows = {table: told.get(table) for table in copies.OF_DATASET} if told else {}
        if name not in there or not rows.get("datasets"):
            continue
        for table, of_table in rows.items():
            for row in of_table if isinstance(of_table, list) else ():
                found.add(table, row)
    for name in sorted(there - found.ids("datasets", "name")):
        found.missing.append(
            f'The data set "{name}" has no readable record, so its labels and masks are unknown: move '
            f"{folder / 'datasets' / name} away and import it again."
        )


def _banks(folder: Path, found: _Found) -> None:
    """Versions by their manifests, numbered in the order of their making."""
    told: dict[str, Json] = {}
    for name in _folders(folder, "banks"):
        _, manifest = next(copies.read(folder / "banks" / name, version_files.MANIFEST), ("", None))
        needed = {"dataset", "created", "settings", "summary"}
        if manifest and manifest.get("id") == name and needed <= manifest.keys():
            told[name] = manifest
        else:
            found.missing.append(f"Bank version {name} has no readable manifest; it is left in its folder.")
    datasets = found.ids("datasets", "name")
    for number, (name, row) in enumerate(sorted(told.items(), key=lambda item: str(item[1]["created"])), 1):
        digests = row.get("files")
        values: Json = {key: json.dumps(row[key]) for key in ("settings", "summary")}
        if isinstance(digests, dict):
            own = files.digest(folder / "banks" / name / version_files.MANIFEST)
            told_files = {"taken": row["created"], "digests": {**digests, version_files.MANIFEST: own}}
            values["files"] = json.dumps(told_files)
        found.add("banks", {**row, "files": None, **values, "id": name, "number": number})
        if row["dataset"] not in datasets:
            found.missing.append(f'v{number} was built from "{row["dataset"]}", which could not be restored.')
    if told:
        found.missing.append("Bank versions are renumbered in the order in which they were created.")


def _candidates(folder: Path, found: _Found) -> None:
    lost = 0
    for name in _folders(folder, "candidates"):
        place = folder / "candidates" / name
        _, row = next(copies.read(place, copies.CANDIDATE), ("", None))
        whole = all((place / file).is_file() for file in ("image.png", "mask.png", "drawn.png"))
        if row and row.get("id") == name and whole:
            found.add("candidates", row)
        else:
            lost += 1
    if lost:
        pictures = count(lost, "candidate has", "candidates have")
        found.missing.append(
            f"{pictures} no record or are missing images; they are left in {folder / 'candidates'}."
        )


def _decide(folder: Path, found: _Found) -> None:
    """Enter the decisions that were copied, and give candidates the status and type that they left them with."""
    told = copies.decisions(folder)
    undone = {int(json.loads(row["detail"])["of"]): row["id"] for row in told if row["action"] == "undo"}
    status = {"accept": "accepted", "reject": "rejected"}
    by_id = {row["id"]: row for row in found.rows.get("candidates", [])}
    for row in told:
        found.add("decisions", {**row, "undone": undone.get(row["id"])})
        candidate = by_id.get(row["candidate"])
        if candidate is None or row["id"] in undone:
            continue
        if row["action"] in status:
            candidate["status"] = status[row["action"]]
        elif row["action"] == "type":
            candidate["defect_type"] = json.loads(row["detail"])["after"]
    if by_id and not told:
        found.missing.append("No decisions were copied, so all candidates are pending.")


def _set_aside(folder: Path) -> str:
    """Give a damaged database and its log another name; returns it, "" where there is none."""
    there, name = (folder / DATABASE).exists(), _free(folder)
    for ending in ("-wal", "-shm", ""):  # a log that stayed would be read as the new database's
        _rename(folder / f"{DATABASE}{ending}", folder / f"{name}{ending}")
    return name if there else ""


def _rename(old: Path, new: Path) -> None:
    if old.exists():
        old.rename(new)


def _free(folder: Path) -> str:
    number = 1
    while any(folder.glob(f"workspace-damaged-{number}.db*")):
        number += 1
    return f"workspace-damaged-{number}.db"


def _write(folder: Path, found: _Found) -> None:
    """Write the new database whole and rename it into place."""
    from exdd_core.detector import backbones

    banks = found.rows.get("banks", [])
    known = json.loads(str(banks[-1]["settings"])).get("backbone", "auto") if banks else "auto"
    name, reason = backbones.choose(known)
    settings: Json = {"backbone": name, "backbone_reason": reason, "last_bank_number": len(banks)}
    if banks:
        settings["active_bank"] = banks[-1]["id"]
    sets = [row["name"] for row in found.rows.get("datasets", [])]
    if sets:
        settings["active_dataset"] = next(
            (b["dataset"] for b in reversed(banks) if b["dataset"] in sets), sets[-1]
        )
    temporary = folder / f".{DATABASE}"
    try:
        temporary.unlink(missing_ok=True)
        schema.write(temporary, settings)
        with closing(sqlite3.connect(temporary)) as connection:
            db = Database(connection, execute_plugins=False)
            for table, rows in found.rows.items():
                db.table(table).insert_all(rows)
            connection.commit()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        files.sync(temporary)
        temporary.rename(folder / DATABASE)
        files.sync_folder(folder)
    finally:
        for left in folder.glob(f".{DATABASE}*"):
            left.unlink(missing_ok=True)


def _compared(workspace: Workspace) -> list[str]:
    """Sentences on files that are not as their digests say; makes the newest sound version the active one."""
    said, sound = [], []
    for info in workspace.datasets():
        lost = dataset_files.faults(workspace, workspace.images(info.name))
        said += [f"{id}: {what}." for id, what in lost.items()]
    for bank in workspace.banks():
        faults = version_files.faults(bank)
        said += [f"{bank.name} is damaged: {', '.join(faults)}."] if faults else []
        sound += [] if faults else [bank.id]
    if sound:
        with workspace.writing() as db:
            put(db, "active_bank", sound[0])
    return said
