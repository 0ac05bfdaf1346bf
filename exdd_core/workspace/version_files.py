"""The files of a bank version and their digests: taken when it is built, compared before it is used.

Digests lie in the version's row, and in its manifest for a folder that has lost its database. A version that was
built before there were digests gets them when it is first used. Knows rows and files. Does not know what is in them.
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
    """SHA-256 of every file of a version's folder, by name; hidden ones are marks of whoever makes it."""
    return {f.name: files.digest(f) for f in sorted(folder.iterdir()) if f.name[0] != "." and f.is_file()}


def kept(folder: Path, taken: str) -> str:
    """The digests of a version's files as its row keeps them. taken: the time, ISO 8601."""
    return json.dumps({"taken": taken, "digests": digests(folder)})


def faults(version: BankVersion) -> list[str]:
    """A clause on each file of a version that is lost or is not what it was; none for one without digests."""
    found = []
    for name, was in (version.files.digests if version.files else {}).items():
        try:
            if files.digest(version.path / name) != was:
                found.append(f"{name} is not what it was")
        except FileNotFoundError:
            found.append(f"{name} is lost")
        except OSError as error:
            found.append(f"{name} cannot be read ({error.strerror or error})")
    return found


def require_undamaged(version: BankVersion) -> None:
    """Raise BadInput where a file of a version is lost or is not what it was."""
    found = faults(version)
    if found:
        raise damaged(
            version, ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        )


def damaged(version: BankVersion, what: str) -> BadInput:
    """What is wrong with a version and what to do, as an error. what: a clause."""
    return BadInput(
        f"Bank version {version.name} is damaged, so it judges nothing: {what}. Go back to an earlier one "
        f"(banks rollback), build it again (banks rebuild {version.name}), or restore a backup."
    )


def take(workspace: Workspace, version: BankVersion) -> None:
    """Give a version that has no digests those of its files as they are now; a workspace that cannot be written to
    stays as it is."""
    with suppress(BadInput, sqlite3.Error), workspace.writing() as db:
        row = [kept(version.path, clock.now()), version.id]
        db.execute("update banks set files = ? where id = ? and files is null", row)


def sentence(version: BankVersion) -> str:
    """What is to be said of a version's digests; "" where they are as old as the version."""
    if version.files is None:
        return f"{version.name} was built before files had digests; it gets them when it is next used."
    if version.files.taken == version.created:
        return ""
    return (
        f"{version.name} was built before files had digests; it has them since {version.files.taken[:10]}, so damage "
        "from before is not noticed."
    )
