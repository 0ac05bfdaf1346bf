"""How large a pixel of a data set's images is, where somebody said so: areas are then known in square millimetres.

Knows rows. Does not know images.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from exdd_core.errors import BadInput
from exdd_core.workspace.settings import get, put

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace import Workspace

KEY = "mm_per_pixel"  # the setting: {name of a data set: millimetres}
SMALLEST, LARGEST = 1e-6, 1e6  # millimetres; areas, which are squares, must stay numbers


def scale(workspace: Workspace, dataset: str) -> float | None:
    """Side of a pixel in millimetres; None where nobody said. dataset: its name."""
    found: float | None = workspace.setting(KEY, {}).get(dataset)
    return found


def set_scale(workspace: Workspace, dataset: str | None, millimetres: float) -> str:
    """Store the side of a pixel in millimetres, 0 for unknown; returns that in words. Raises `BadInput`."""
    info = workspace.dataset(dataset)
    if millimetres and not SMALLEST <= millimetres <= LARGEST:
        raise BadInput(
            f"A pixel cannot be {millimetres:g} mm wide; enter a number from {SMALLEST:f} to {LARGEST:,.0f}, "
            "or 0 if unknown."
        )
    with workspace.writing() as db:
        known = {name: value for name, value in _read(db).items() if name != info.name}
        put(db, KEY, known | ({info.name: millimetres} if millimetres else {}))
    said = f"{millimetres:g} mm wide" if millimetres else "of unknown size"
    return f'A pixel of "{info.called}" is now {said}.'


def forget(db: Database, dataset: str) -> None:
    """Leave nothing of a data set that is deleted."""
    known = _read(db)
    if known.pop(dataset, None) is not None:
        put(db, KEY, known)


def _read(db: Database) -> dict[str, float]:
    found: dict[str, float] = json.loads(get(db, KEY, "{}"))
    return found
