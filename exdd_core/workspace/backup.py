"""A workspace in one archive, and back: every file with its digest, and the database as SQLite itself copies it.

The program may run meanwhile. Caches, models and the queue are left out, uploaded images are not. Knows files and the
database. Does not know what is in them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypedDict

from exdd_core import files
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.workspace import clock, failures, schema

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

FORMAT, CONTENTS = 1, "backup.json"
LEFT_OUT = ("cache", "models", "before-migration")  # folders that are not saved
PIECE = 1 << 20


class Saved(TypedDict):
    """What a backup holds. bytes: the size of all files."""

    path: str
    files: int
    bytes: int
    schema: int


def copy_database(source: Path, target: Path) -> None:
    """Copy a database that others may be writing to, by SQLite's online backup."""
    reading = sqlite3.connect(f"{source.as_uri()}?mode={read_only(source)}", uri=True)
    with closing(reading), closing(sqlite3.connect(target)) as to:
        reading.backup(to)
        to.execute("PRAGMA journal_mode = delete")
    files.sync(target)


def read_only(database: Path) -> str:
    """How SQLite opens a database to read it: without locks where nobody writes, as a log would show."""
    log = database.with_name(f"{database.name}-wal")
    quiet = not files.is_writable(database.parent) and not (log.exists() and log.stat().st_size)
    return "ro&immutable=1" if quiet else "ro"


def keep_before_migration(folder: Path, version: int) -> None:
    """Copy a workspace's database as an older program left it, before its tables change."""
    place = folder / LEFT_OUT[-1]
    with failures.as_bad_input():
        place.mkdir(exist_ok=True)
        with files.whole(place / f"version-{version}.db") as file:
            copy_database(folder / failures.DATABASE, file)


def save(workspace: Workspace, target: Path, progress: Progress | None = None) -> Saved:
    """Write an archive of a workspace and read it again to compare it. Raises BadInput where it cannot be made.

    The database is copied into the cache first, or beside the archive where the workspace cannot be written to.
    """
    progress, digests, total = progress or Progress(), {}, 0
    cache = workspace.path / "cache"
    scratch = cache if files.is_writable(cache) else target.absolute().parent
    with failures.as_bad_input(), tempfile.TemporaryDirectory(dir=scratch, prefix=".") as folder:
        database = Path(folder) / failures.DATABASE
        copy_database(workspace.path / failures.DATABASE, database)  # first: what it names is there already
        names = sorted(_names(workspace.path))
        progress.begin("Saving files", 2 * len(names))
        with files.whole(target) as place:
            with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as archive:
                for name in (failures.DATABASE, *names):
                    path = database if name == failures.DATABASE else workspace.path / name
                    digests[name], size = _add(archive, path, name)
                    total += size
                    progress.advance()
                about = {"format": FORMAT, "schema": schema.VERSION, "created": clock.now(), "files": digests}
                archive.writestr(CONTENTS, json.dumps(about))
            with zipfile.ZipFile(place) as archive:
                _require_same(archive, digests, progress)
    return {"path": str(target), "files": len(digests), "bytes": total, "schema": schema.VERSION}


def restore(archive_file: Path, folder: Path, progress: Progress | None = None) -> Saved:
    """Unpack an archive as a new workspace, checked before it gets its place. Raises BadInput."""
    progress, folder = progress or Progress(), folder.expanduser().resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is not empty; choose a new folder so that nothing is replaced.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = folder.parent / f".restoring-{uuid.uuid4().hex[:8]}"
    try:
        with failures.as_bad_input(), zipfile.ZipFile(archive_file) as archive:
            about = json.loads(archive.read(CONTENTS))
            digests = _checked_contents(about)
            progress.begin("Restoring files", len(digests))
            _require_same(archive, digests, progress, made)
        _require_healthy(made / failures.DATABASE)
        for name in ("cache", "datasets", "banks", "candidates"):
            (made / name).mkdir(exist_ok=True)
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
        files.sync_folder(folder.parent)
    except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{archive_file} is not a workspace backup or is damaged; use another one.") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {"path": str(folder), "files": len(digests), "bytes": size, "schema": int(about["schema"])}


def _names(root: Path) -> Iterator[str]:
    """The files to save, by their path in the workspace."""
    places = [path for path in root.iterdir() if path.is_dir() and path.name not in LEFT_OUT]
    for place in (*places, root / "cache" / "uploads"):
        for path in place.rglob("*") if place.is_dir() else ():
            inside = path.relative_to(root)
            if path.is_file() and not any(part.startswith(".") for part in inside.parts):
                yield inside.as_posix()


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> tuple[str, int]:
    """Copy a file into an archive; its digest and size."""
    total, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as source, archive.open(name, "w", force_zip64=True) as target:
            while piece := source.read(PIECE):
                total.update(piece)
                target.write(piece)
                size += len(piece)
    except FileNotFoundError:
        raise BadInput(f"{name} was removed while the workspace was being saved; save it again.") from None
    return total.hexdigest(), size


def _checked_contents(about: dict) -> dict[str, str]:
    """The digests of an archive by name. Raises BadInput for a newer archive and for names outside of a workspace."""
    if about["format"] > FORMAT or about["schema"] > schema.VERSION:
        raise BadInput(
            "This backup was created by a newer version of the program; restore it with that version."
        )
    for name in about["files"]:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts:
            raise BadInput(
                f"The backup contains a file outside the workspace ({name}) and cannot be trusted; use "
                "another backup."
            )
    return dict(about["files"])


def _require_same(
    archive: zipfile.ZipFile, digests: dict[str, str], progress: Progress, target: Path | None = None
) -> None:
    """Raise BadInput where a file of an archive is not what was saved. target: a folder to write the files into."""
    for name, was in digests.items():
        total = hashlib.sha256()
        place = target / name if target else None
        if place:
            place.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(name) as source, place.open("wb") if place else nullcontext() as written:
            while piece := source.read(PIECE):
                total.update(piece)
                if written:
                    written.write(piece)
        if place:
            files.sync(place)
        if total.hexdigest() != was:
            raise BadInput(f"{name} in the backup is damaged; use another backup.")
        progress.advance()


def _require_healthy(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        (said,) = connection.execute("PRAGMA integrity_check").fetchone()
        connection.execute("PRAGMA journal_mode = wal")
    if said != "ok":
        raise BadInput(f"The database in the backup is damaged ({said}); use another backup.")
