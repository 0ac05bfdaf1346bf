"""Makes folders completely or not at all: in a hidden folder, renamed into place, then entered in the database.

Also removes what killed processes left. Knows locks, marks and the folders of a workspace. Does not know what is in
the folders.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from exdd_core import files
from exdd_core.workspace.failures import as_bad_input

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.progress import Progress
    from exdd_core.workspace import Workspace

LOCK, TEMPORARY, MARK = ".lock", ".making-", ".unfinished"
# Folder -> the table and the column that list its content.
MADE = {"datasets": ("datasets", "name"), "banks": ("banks", "id"), "candidates": ("candidates", "id")}


@contextmanager
def making(workspace: Workspace, folder: Path, what: str, progress: Progress) -> Iterator[Path]:
    """A hidden folder to work in, one at a time, which is removed when the block ends.

    folder: one of `MADE` in the workspace. what: the kind of work, shown to those who wait. Turns a full disk and
    similar errors into `BadInput`.
    """
    lock = FileLock(folder / LOCK)
    while True:
        try:
            lock.acquire(timeout=1)
            break
        except Timeout:
            progress.begin(f"Waiting for another {what} to finish", 1)  # raises when cancelled
    try:
        sweep(workspace, folder)
        temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=folder))
        try:
            with as_bad_input():
                yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    finally:
        lock.release()


@contextmanager
def placed(workspace: Workspace, whole: Path, final: Path) -> Iterator[Database]:
    """Rename `whole` to `final` and run the block that enters it in the database: both or neither."""
    (whole / MARK).touch()
    os.sync()  # the files reach the disk before the row that names them
    whole.rename(final)
    files.sync_folder(final.parent)
    try:
        with workspace.writing() as db:
            yield db
    except BaseException:
        shutil.rmtree(final, ignore_errors=True)
        raise
    (final / MARK).unlink()


def sweep(workspace: Workspace, folder: Path) -> None:
    """Remove folders that were never entered in the database. The caller holds the folder's lock."""
    table, key = MADE[folder.name]
    names = os.listdir(folder)  # strings rather than paths, since there may be many thousands
    begun = [name for name in names if os.path.exists(f"{folder}/{name}/{MARK}")]
    with workspace.reading() as db:
        entered = {
            name for name in begun if db.execute(f"select 1 from {table} where {key} = ?", [name]).fetchone()
        }
    for name in names:
        if name.startswith(TEMPORARY) or (name in begun and name not in entered):
            shutil.rmtree(folder / name, ignore_errors=True)
    for name in entered:
        (folder / name / MARK).unlink(missing_ok=True)


def bring_caches_up_to_date(cache: Path) -> None:
    """Move caches of earlier program versions into the folders of their bank versions."""
    for former, ending in (("maps", "npz"), ("held_out", "npy")):
        for file in (cache / former).glob(f"*.{ending}"):
            bank, _, names = file.stem.partition("-")
            name = "map" if former == "maps" else f"defects-{names}" if names else "held_out"
            place = cache / "banks" / bank / f"{name}.{ending}"
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)
        if (cache / former).is_dir() and not any((cache / former).iterdir()):
            (cache / former).rmdir()
