"""The files of images and masks, with digests that tell a replaced or lost file.

Digests are taken when files come in, and at the first check for files from before there were digests. Knows rows and
files. Does not know what images show.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core import files
from exdd_core.errors import BadInput, LostFiles
from exdd_core.sentences import count, counted

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace import ImageRow, Workspace


def record(db: Database, folder: Path, names: Iterable[str]) -> None:
    """Store the digests of files of a data set's folder, in place of former ones."""
    rows = [{"id": f"{folder.name}/{name}", "dataset": folder.name} for name in dict.fromkeys(names)]
    told = [{**row, "digest": files.digest(folder.parent / row["id"])} for row in rows]
    db.table("files").insert_all(told, replace=True)


def forget(db: Database, dataset: str) -> None:
    """Remove the digests of a data set."""
    db.execute("delete from files where dataset = ?", [dataset])


def faults(workspace: Workspace, rows: Iterable[ImageRow]) -> dict[str, str]:
    """A clause on each image whose file or mask is lost or replaced, by image id.

    Files without a digest get one, unless the workspace cannot be written to.
    """
    place = workspace.path / "datasets"
    with workspace.reading() as db:
        known = dict(db.execute("select id, digest from files").fetchall())
    found: dict[str, str] = {}
    fresh: dict[str, tuple[Path, str]] = {}
    for row in rows:
        for path, what in ((row.path, "its file"), (row.mask, "its mask")):
            if path is None or row.id in found:
                continue
            id = path.relative_to(place).as_posix()
            try:
                digest = files.digest(path)
                if path.stat().st_size == 0:
                    found[row.id] = f"{what} is empty"
                elif known.get(id, digest) != digest:
                    found[row.id] = f"{what} was replaced or damaged"
                elif id not in known:
                    fresh[id] = place / row.dataset, path.relative_to(place / row.dataset).as_posix()
            except FileNotFoundError:
                found[row.id] = f"{what} is missing"
            except OSError as error:
                found[row.id] = f"{what} cannot be read ({error.strerror or error})"
    if fresh:
        with suppress(BadInput, sqlite3.Error), workspace.writing() as db:
            for folder, name in fresh.values():
                record(db, folder, [name])
    return found


def intact(workspace: Workspace, rows: Sequence[ImageRow], without: bool) -> tuple[list[ImageRow], str]:
    """The images whose files are as they were imported, and one sentence on the others ("" for none).

    without: whether to go on without the others. Raises `LostFiles` where there are some and it is False.
    """
    found = faults(workspace, rows)
    if not found:
        return list(rows), ""
    named = counted([f"{id}: {what}" for id, what in found.items()])
    if not without:
        raise LostFiles(
            f"Files of {named} differ from what was imported; restore them from a backup, or continue "
            "without them (--without-missing)."
        )
    said = (
        f"{count(len(found), 'image is', 'images are')} left out because files are missing or were replaced: "
        f"{named}."
    )
    return [row for row in rows if row.id not in found], said
