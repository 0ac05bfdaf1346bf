"""Checks the files of a bank version by digests, which are computed at the build and compared before use.

Digests are in the version's row, and in its manifest in case the database is lost. A version that was built before
digests existed gets them when it is first used. Knows rows and files. Does not know what is in them.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core import files
from exdd_core.errors import BadInput
from exdd_core.workspace import clock

if TYPE_CHECKING:
    from exdd_core.workspace import BankVersion, Workspace

MANIFEST = "manifest.json"


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file in a version's folder, by name, without hidden ones, which mark unfinished folders."""
    return {f.name: files.digest(f) for f in sorted(folder.iterdir()) if f.name[0] != "." and f.is_file()}


def kept(folder: Path, taken: str) -> str:
    """The digests of a version's files as JSON for its row. taken: the time, ISO 8601."""
    return json.dumps({"taken": taken, "digests": digests(folder)})


def faults(version: BankVersion) -> list[str]:
    """A clause on each missing or changed file of a version; none for a version without digests."""
    found = []
    for name, was in (version.files.digests if version.files else {}).items():
        try:
            if files.digest(version.path / name) != was:
                found.append(f"{name} has changed")
        except FileNotFoundError:
            found.append(f"{name} is missing")
        except OSError as error:
            found.append(f"{name} cannot be read ({error.strerror or error})")
    return found


def require_undamaged(version: BankVersion) -> None:
    """Raise `BadInput` where a file of a version is missing or changed."""
    found = faults(version)
    if found:
        raise damaged(
            version, ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        )


def damaged(version: BankVersion, what: str) -> BadInput:
    """The error for a damaged version, with advice. what: a clause on the damage."""
    return BadInput(
        f"Bank version {version.name} is damaged, so it cannot be used: {what}. Go back to an earlier "
        f"one (banks rollback), build it again (banks rebuild {version.name}), or restore a backup."
    )


def take(workspace: Workspace, version: BankVersion) -> None:
    """Store the current digests of a version that has none; does nothing in a read-only workspace."""
    with suppress(BadInput, sqlite3.Error), workspace.writing() as db:
        row = [kept(version.path, clock.now()), version.id]
        db.execute("update banks set files = ? where id = ? and files is null", row)


def sentence(version: BankVersion) -> str:
    """A sentence on digests that are missing or younger than the version, else ""."""
    if version.files is None:
        return f"{version.name} was built before file digests existed; it gets them when it is next used."
    if version.files.taken == version.created:
        return ""
    return (
        f"{version.name} was built before file digests existed; it has had them since "
        f"{version.files.taken[:10]}, so earlier damage is not detected."
    )
