"""Masks for defective images whose data set has none: drawn by a person, or taken from the anomaly map.

Knows images of data sets and the changes that give them a mask. Does not know pages or banks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from exdd_core import datasets
from exdd_core.curation import marking
from exdd_core.errors import BadInput
from exdd_core.workspace import dataset_changes, imports
from exdd_core.workspace.dataset_states import UNDO

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.dataset_changes import Changed


@dataclass(frozen=True)
class Outlined:
    """Who gave an image its mask. state: of the data set, made by that. last: whether it can be taken back here."""

    who: str
    created: str  # ISO 8601, UTC
    state: int
    last: bool


def wanted(workspace: Workspace, id: str) -> bool:
    """Whether an image has a defect and no mask of it. An image elsewhere has no data set that could keep one."""
    if id.startswith("file:"):
        return False
    row = workspace.image(id)
    return row.label == datasets.DEFECT and row.mask is None


def keep(workspace: Workspace, id: str, mask: np.ndarray, who: str) -> Changed:
    """Store a mask, bool (H, W) of its image, with the data set, whose next state it makes.

    Raises `BadInput` for an image that wants none, and for a mask that cannot be that of a defect.
    """
    if not who.strip():
        raise BadInput("Enter your name; it is stored with the mask.")
    if not wanted(workspace, id):
        raise BadInput("Only an image that has a defect and no mask can be outlined here.")
    row = workspace.image(id)
    marking.check_missed(mask, (row.height, row.width))
    return dataset_changes.relabel(workspace, [id], datasets.DEFECT, who.strip(), mask=mask)


def outlined(workspace: Workspace, id: str) -> Outlined | None:
    """Who gave an image its mask; None where the mask was imported with it, or where it has none."""
    if id.startswith("file:"):
        return None
    row = workspace.image(id)
    folder = workspace.path / "datasets" / row.dataset / imports.WRITTEN
    if row.mask is None or not row.mask.is_relative_to(folder):
        return None
    state = row.mask.relative_to(folder).parts[0]  # masks lie in a folder for the state that brought them
    in_force = [
        c for c in dataset_changes.changes(workspace, row.dataset) if c.action != UNDO and not c.undone
    ]
    for place, change in enumerate(in_force):
        if str(change.state) == state and change.action == "relabel":
            return Outlined(change.who, change.created, change.state, place == 0)
    return None


def undo(workspace: Workspace, id: str, who: str) -> Changed:
    """Take the mask back that somebody gave an image. Raises `BadInput` where other changes came after it."""
    found = outlined(workspace, id)
    if found is None:
        raise BadInput("The mask of this image was not drawn here, or was already undone.")
    if not found.last:
        raise BadInput("Its data set has changed since; undo the later changes first, in Data.")
    return dataset_changes.undo(workspace, workspace.image(id).dataset, who)
