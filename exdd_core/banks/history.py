"""How bank versions have changed since they were built: rows of the table `bank_changes`, as detectors take them.

A version's folder never changes. Additions to its banks and removals are rows of this table, in order, written in the
transaction of the decision that caused them; whoever loads the version applies them again. The last row of a
transaction also holds what was fitted to the banks then, so that it is fitted once. Rows are deleted with their bank
version only. Knows rows and JSON. Does not know who decided, or why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from exdd_core.detector import Change
from exdd_core.detector.bank import BankImage
from exdd_core.workspace import clock

if TYPE_CHECKING:
    from sqlite_utils import Database

GONE = 0  # no change has this number


@dataclass(frozen=True)
class Changes:
    """Some of a version's changes. last: the number of the newest one, to read later ones from. state: what was fitted
    then, None where there are no changes."""

    last: int
    changes: list[Change]
    state: dict[str, Any] | None


def record(
    db: Database, bank: str, change: Change, decision: int, state: Mapping[str, Any] | None = None
) -> None:
    """Write a change into a transaction that the caller has begun. state: what was fitted after its last change."""
    detail: dict[str, Any] = {
        "image": asdict(change.image),
        "position": change.position.tolist(),
        "kept": np.flatnonzero(change.kept).tolist(),
        "dimension": change.rows.shape[1],  # cannot be told from the bytes of a change without rows
    }
    rows = change.rows
    if change.fitted_on is not None:
        detail["taught"] = np.flatnonzero(change.fitted_on).tolist()
    if change.surroundings is not None:
        detail["beside"] = change.surroundings.shape[1]  # they are the last columns
        rows = np.concatenate([rows, change.surroundings], axis=1)
    row = {
        "bank": bank,
        "image": change.image.id,
        "bank_side": change.side,
        "action": change.action,
        "rows": np.ascontiguousarray(rows, np.float32).tobytes(),
        "detail": json.dumps(detail | ({"state": state} if state else {})),
        "decision": decision,
        "created": clock.now(),
    }
    marks = ", ".join(f":{name}" for name in row)
    db.execute(f"insert into bank_changes ({', '.join(row)}) values ({marks})", row)


def newest(db: Database, bank: str) -> int:
    """The number of a version's last change, 0 where it has none. Cheap enough to ask before every use."""
    return int(
        db.execute("select coalesce(max(id), 0) from bank_changes where bank = ?", [bank]).fetchone()[0]
    )


def read(db: Database, bank: str, after: int = 0, until: int = 2**63 - 1) -> Changes:
    """A version's changes in order: those with numbers above `after`, up to `until`."""
    query = (
        "select id, bank_side, action, rows, detail from bank_changes "
        "where bank = ? and id > ? and id <= ? order by id"
    )
    last, state = after, None
    changes: list[Change] = []
    for number, side, action, rows, detail in db.execute(query, [bank, after, until]):
        last = int(number)
        values = json.loads(detail)
        state = values.get("state", state)
        changes.append(_change(side, action, rows, values))
    return Changes(last, changes, state)


def _change(side: str, action: str, rows: bytes, detail: dict[str, Any]) -> Change:
    position = np.array(detail["position"], np.int16).reshape(-1, 2)
    width, image = detail["dimension"], BankImage(**detail["image"])
    shaped = np.frombuffer(rows, np.float32).reshape(len(position), width + detail.get("beside", 0))

    def marked(name: str) -> np.ndarray:
        out = np.zeros(len(position), bool)
        out[detail[name]] = True
        return out

    surroundings = shaped[:, width:] if "beside" in detail else None
    fitted_on = marked("taught") if "taught" in detail else None
    return Change(side, action, image, shaped[:, :width], position, marked("kept"), surroundings, fitted_on)


def left(db: Database, bank: str, image: str, side: str) -> tuple[int, Change] | None:
    """The change that puts an image's rows back into a bank as they were removed, and the number of that removal.

    None where the image's last change is no removal, or where its rows were not kept.
    """
    query = """select id, action, rows, detail from bank_changes where bank = ? and image = ? and bank_side = ?
               order by id desc limit 1"""
    for id, action, rows, detail in db.execute(query, [bank, image, side]):
        values = json.loads(detail)
        if action == "remove" and "taught" in values:
            return int(id), _change(side, "return", rows, values)
    return None


@dataclass
class ChangedImages:
    """The images whose rows in a version's banks differ from those that were built.

    since: by image and side, the number of the change that added its rows, or GONE where they were removed.
    """

    since: dict[tuple[str, str], int] = field(default_factory=dict)
    _built: set[tuple[str, str]] = field(default_factory=set)  # built with rows, which were removed
    _left: dict[tuple[str, str], int | None] = field(default_factory=dict)  # `since` before a removal

    def apply(self, image: str, side: str, action: str, number: int = GONE) -> None:
        """Apply one change. One that is added and removed later leaves no entry; one put back has its entry again."""
        key = (image, side)
        if action == "add":
            self.since[key] = number
        elif action == "return":
            since = self._left.pop(key)
            if since is None:
                del self.since[key]
                self._built.discard(key)
            else:
                self.since[key] = since
        else:
            self._left[key] = since = self.since.pop(key, None)
            if since is None:
                self._built.add(key)
            if key in self._built:
                self.since[key] = GONE


def changed_images(db: Database, bank: str, until: int = 2**63 - 1) -> ChangedImages:
    """The images that a version's changes up to number `until` leave different from the build."""
    found = ChangedImages()
    query = "select image, bank_side, action, id from bank_changes where bank = ? and id <= ? order by id"
    for change in db.execute(query, [bank, until]):
        found.apply(*change)
    return found


def state_of(db: Database, bank: str, image: str, side: str, action: str) -> dict[str, Any] | None:
    """What was fitted when a bank last held what it will hold after this image is removed ("remove") or put back as it
    was ("return"); {} where that was the build.

    None where the bank never held just that, or where nothing was kept of that moment.
    """
    now = ChangedImages()
    states: dict[frozenset[tuple[tuple[str, str], int]], dict[str, Any] | None] = {frozenset(): {}}
    query = "select id, image, bank_side, action, detail from bank_changes where bank = ? order by id"
    for id, name, at, what, detail in db.execute(query, [bank]):
        now.apply(name, at, what, id)
        states.setdefault(frozenset(now.since.items()), json.loads(detail).get("state"))
    now.apply(image, side, action)
    return states.get(frozenset(now.since.items()))
