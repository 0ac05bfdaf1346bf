"""Keeps the last comparison of candidates with real defects, and a stamp that tells whether it still holds.

Knows candidates, the active bank version and a setting. Does not know how anything is compared (`comparing`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from exdd_core.curation.comparing import Compared, resemblances
from exdd_core.workspace import candidates, context, decisions
from exdd_core.workspace.clock import now
from exdd_core.workspace.settings import RESEMBLANCE, get, put

if TYPE_CHECKING:
    from exdd_core.progress import Progress
    from exdd_core.workspace import Workspace


@dataclass(frozen=True)
class Resembling:
    """A comparison that is kept. stamp: of what was compared (`stamp_of`). made: ISO time."""

    groups: list[Compared]
    stamp: str
    made: str


_KEPT = TypeAdapter(Resembling)


def compare_and_keep(workspace: Workspace, dataset: str, progress: Progress) -> Resembling:
    """Compare the candidates of a data set with its real defects, and keep what is found. Raises `BadInput`."""
    with context.working_on(dataset):
        stamp = stamp_of(workspace, dataset)
        found = Resembling(resemblances(workspace, dataset, progress), stamp, now())
    with workspace.writing() as db:
        put(db, RESEMBLANCE, json.loads(get(db, RESEMBLANCE, "{}")) | {dataset: _KEPT.dump_python(found)})
    return found


def kept(workspace: Workspace, dataset: str) -> Resembling | None:
    """The last comparison of a data set's candidates; None where there is none."""
    found = workspace.setting(RESEMBLANCE, {}).get(dataset)
    return _KEPT.validate_python(found) if found else None


def stamp_of(workspace: Workspace, dataset: str) -> str:
    """A text that changes with what would be compared: the candidates, their types and masks, and the bank version."""
    several = [(one.id, one.defect_type) for one in candidates.pending_and_accepted(workspace, dataset)]
    bank = workspace.active_bank()
    trimmed = [one.id for one in decisions.in_force(workspace, "trim", dataset=dataset)]
    told = json.dumps([sorted(several), trimmed, bank.id if bank else ""])
    return hashlib.sha256(told.encode()).hexdigest()[:16]
