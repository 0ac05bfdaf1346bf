"""Whether all that a workspace's rows name is there and as it was, and what lies there that no row names.

Knows rows, files and digests. Does not know what is in a bank. Repairs nothing that could be lost: folders that no row
names are moved aside, only what can be made again is removed.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from exdd_core import files
from exdd_core.errors import BadInput
from exdd_core.images import probe
from exdd_core.progress import Progress
from exdd_core.workspace import candidates, dataset_files, decisions, runs, version_files
from exdd_core.workspace.drawn_masks import MASKS
from exdd_core.workspace.placing import MADE, TEMPORARY

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

ORPHANS = "orphans"
UNFINISHED = 3600  # seconds after which a hidden file is not being written any more


class Finding(TypedDict):
    """One thing that is not as it should be. repaired: what was done about it, "" for nothing."""

    what: str
    repaired: str


def check(workspace: Workspace, repair: bool = False, progress: Progress | None = None) -> list[Finding]:
    """All that is not as it should be, one sentence each; nothing for a healthy workspace."""
    progress = progress or Progress()
    progress.begin("Checking the workspace", 4)
    said = _database(workspace)
    progress.advance()
    said += [f"{bank.name}: {fault}." for bank in workspace.banks() for fault in version_files.faults(bank)]
    progress.advance()
    for info in workspace.datasets():
        found = dataset_files.faults(workspace, workspace.images(info.name))
        said += [f"{id}: {what}." for id, what in found.items()]
    progress.advance()
    said += [*_candidates(workspace), *_marks(workspace), *runs.damaged(workspace)]
    progress.advance()
    return [Finding(what=what, repaired="") for what in said] + _left_over(workspace, repair)


def _database(workspace: Workspace) -> list[str]:
    with workspace.reading() as db:
        rows = [row[0] for row in db.execute("PRAGMA integrity_check(5)")]
    return [] if rows == ["ok"] else [f"The database is damaged ({row}); restore a backup." for row in rows]


def _candidates(workspace: Workspace) -> list[str]:
    """Candidates whose files are lost or cannot be read."""
    with workspace.reading() as db:
        ids = [row[0] for row in db.execute("select id from candidates order by created")]
    found = []
    for id in ids:
        one = candidates.get(workspace, id)
        for path, what in ((one.image, "image"), (one.mask, "mask")):
            try:
                probe(path)
            except (BadInput, OSError):
                found.append(f"Candidate {id}: its {what} is missing or damaged.")
    return found


def _marks(workspace: Workspace) -> list[str]:
    """Masks and images that decisions name and that are lost."""
    named = {str(value) for one in decisions.history(workspace, limit=10**6) for value in _paths(one.detail)}
    lost = [name for name in sorted(named) if not _is_whole(workspace, name)]
    return [f"{name}, which a decision refers to, is missing or damaged." for name in lost]


def _is_whole(workspace: Workspace, name: str) -> bool:
    """Whether a file is there and can be read; that of a drawn mask is named by the digest of its content."""
    path = workspace.path / name
    try:
        probe(path)
        return path.parent.name != MASKS or files.digest(path).startswith(path.stem)
    except (BadInput, OSError):
        return False


def _paths(detail: object) -> list[str]:
    if not isinstance(detail, dict):
        return []
    known = {"path": "", "mask": f"{MASKS}/"}
    return [
        start + detail[key]
        for key, start in known.items()
        if isinstance(detail.get(key), str) and detail[key]
    ]


def _left_over(workspace: Workspace, repair: bool) -> list[Finding]:
    """What lies in the workspace and no row names."""
    found = []
    for folder, (table, key) in MADE.items():
        with workspace.reading() as db:
            known = {row[0] for row in db.execute(f"select {key} from {table}")}
        for path in sorted((workspace.path / folder).iterdir()):
            if path.is_dir() and path.name not in known and not path.name.startswith(TEMPORARY):
                found.append(_moved(workspace, path, repair))
    banks = {bank.id for bank in workspace.banks()}
    cached = workspace.path / "cache" / "banks"
    for path in sorted(cached.iterdir()) if cached.is_dir() else ():
        if path.name not in banks:
            found.append(_removed(workspace, path, "is the cache of a version that no longer exists", repair))
    for path in sorted(workspace.path.rglob(".????????.*")):
        if path.is_file() and time.time() - path.stat().st_mtime > UNFINISHED:
            found.append(_removed(workspace, path, "was never finished", repair))
    return found


def _moved(workspace: Workspace, path: Path, repair: bool) -> Finding:
    name, repaired = path.relative_to(workspace.path).as_posix(), ""
    if repair:
        place = workspace.path / ORPHANS / f"{path.parent.name}-{path.name}"
        place.parent.mkdir(exist_ok=True)
        path.rename(place)
        repaired = f"moved to {place.relative_to(workspace.path)}"
    return Finding(what=f"{name} is not in the database.", repaired=repaired)


def _removed(workspace: Workspace, path: Path, why: str, repair: bool) -> Finding:
    if repair:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    name = path.relative_to(workspace.path).as_posix()
    return Finding(what=f"{name} {why}.", repaired="removed" if repair else "")
