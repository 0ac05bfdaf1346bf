"""The thresholds that people chose for bank versions: which, how, by whom, when, and whether it was taken back.

A version is never changed, so they are kept beside it, in a setting. Knows rows. Does not know scores or detectors.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from exdd_core.errors import BadInput
from exdd_core.spec import Spec
from exdd_core.workspace.clock import now
from exdd_core.workspace.settings import get, put

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace import Workspace

KEY = "thresholds"  # the setting: {id of a version: its choices, the oldest first}
Way = Literal["rate", "f1", "cost", "hand"]


class Choice(Spec):
    """One choice. value: on the version's own scale, where 0 is the median of normal images and 1 the threshold that
    it was built with. said: how the value was found. undone: ISO time at which it was taken back, "" while it holds.
    """

    ABOUT = "A threshold"
    value: float = Field(gt=0, le=1000)
    way: Way
    said: str = ""
    who: str
    created: str = ""
    undone: str = ""
    undone_by: str = ""


def listed(workspace: Workspace, bank: str) -> list[Choice]:
    """The choices for a version, the newest first. bank: its id."""
    return [Choice.from_json(kept) for kept in reversed(workspace.setting(KEY, {}).get(bank, []))]


def in_force(workspace: Workspace, bank: str) -> Choice | None:
    """The choice that holds for a version; None for the threshold that it was built with."""
    return next((choice for choice in listed(workspace, bank) if not choice.undone), None)


def factor(workspace: Workspace, bank: str) -> float:
    """Where the threshold of a version lies on its own scale: 1 where nobody chose one."""
    choice = in_force(workspace, bank)
    return choice.value if choice else 1.0


def choose(workspace: Workspace, bank: str, choice: Choice) -> Choice:
    """Store a choice. Raises `BadInput` without a name."""
    who = " ".join(choice.who.split())[:40]
    if not who:
        raise BadInput("Enter your name; it is stored with the threshold.")
    kept = choice.model_copy(update={"who": who, "created": now()})
    with workspace.writing() as db:
        every = _read(db)
        _write(db, every | {bank: [*every.get(bank, []), kept.model_dump(mode="json")]})
    return kept


def undo(workspace: Workspace, bank: str, who: str) -> Choice:
    """Take the choice that holds back; the one before holds again. Raises `BadInput` where there is none."""
    if not who.strip():
        raise BadInput("Enter your name; it is stored with what you undo.")
    with workspace.writing() as db:
        every = _read(db)
        last = next((kept for kept in reversed(every.get(bank, [])) if not kept["undone"]), None)
        if last is None:
            raise BadInput("No one chose a threshold for this version; it has the one it was built with.")
        last.update(undone=now(), undone_by=" ".join(who.split())[:40])
        _write(db, every)
    return Choice.from_json(last)


def forget(db: Database, bank: str) -> None:
    """Leave nothing of a version that is deleted."""
    every = _read(db)
    if every.pop(bank, None) is not None:
        _write(db, every)


def _read(db: Database) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = json.loads(get(db, KEY, "{}"))
    return found


def _write(db: Database, every: dict[str, list[dict[str, str]]]) -> None:
    put(db, KEY, every)
