"""Whether a workspace's database is as it was, told by its files alone: pages that ask every few seconds cost nothing.

Knows files and their times. Does not know what the database holds.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from exdd_core.workspace.failures import DATABASE

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

State = tuple[tuple[int, int, int], ...]  # of database and log: file, nanoseconds of the last change, bytes
SETTLED = 1_000_000_000  # nanoseconds after which a further change has another time, on any disk


def state(workspace: Workspace) -> State | None:
    """What the files are now; None where they have just changed, so that a next change may look alike."""
    found = []
    for name in (DATABASE, f"{DATABASE}-wal"):
        try:
            told = (workspace.path / name).stat()
        except FileNotFoundError:
            continue
        if told.st_size:  # whoever reads makes an empty log
            found.append((told.st_ino, told.st_mtime_ns, told.st_size))
    latest = max((when for _, when, _ in found), default=0)
    return tuple(found) if time.time_ns() - latest > SETTLED else None
