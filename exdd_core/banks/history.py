"""How bank versions have changed since they were built: rows of the table `bank_changes`, as detectors take them.

A version's folder never changes. What was added to its banks or taken out stands here, in order, written in the
same transaction as the decision that asked for it; whoever loads the version makes the same changes again. The
last row of a transaction also says what was fitted to the banks then, so that nobody has to fit it twice. Nothing
is ever changed or removed but with its bank version. Knows rows and JSON; does not know who decided, or why.
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
    """Some of a version's changes. last: the number of the newest one, for asking what came after it. state: what
    was fitted then, None where there are no changes."""

    last: int
    changes: list[Change]
    state: dict[str, Any] | None


def record(
    db: Database, bank: str, change: Change, decision: int, state: Mapping[str, Any] | None = None
) -> None:
    """Write a change into a transaction that the caller has begun; the last one of it with what was fitted then."""
    detail: dict[str, Any] = {
        "image": asdict(change.image),
        "position": change.position.tolist(),
        "kept": np.flatnonzero(change.kept).tolist(),
        "dimension": change.rows.shape[1],  # no rows, too, have one
    }
    rows = change.rows
    if change.fitted_on is not None:
        detail["taught"] = np.flatnonzero(change.fitted_on).tolist()
    if change.surroundings is not None:
        detail["beside"] = change.surroundings.shape[1]  # the last so many columns
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
    """The number of a version's last change, 0 where it has none. Cheap: for asking before every use."""
    return int(
        db.execute("select coalesce(max(id), 0) from bank_changes where bank = ?", [bank]).fetchone()[0]
    )


def read(db: Database, bank: str, after: int = 0, until: int = 2**63 - 1) -> Changes:
    """A version's changes after the one of that number, in order; up to that of the number `until`."""
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

    beside = shaped[:, width:] if "beside" in detail else None
    taught = marked("taught") if "taught" in detail else None
    return Change(side, action, image, shaped[:, :width], position, marked("kept"), beside, taught)


def left(db: Database, bank: str, image: str, side: str) -> tuple[int, Change] | None:
    """The change that brings back what an image had in a bank when it left it, and the number of that leaving.

    None where it did not leave, or where nothing was kept of it.
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
    """What of a version's banks is not as it was built.

    since: by image and side the number of the change since which it is there, or GONE.
    """

    since: dict[tuple[str, str], int] = field(default_factory=dict)
    _built: set[tuple[str, str]] = field(default_factory=set)  # what the build had there, and is gone
    _left: dict[tuple[str, str], int | None] = field(default_factory=dict)  # what was there before it left

    def apply(self, image: str, side: str, action: str, number: int = GONE) -> None:
        """Take one change in. What came after the build goes without a trace, and what returns is as it was."""
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
    """What a version's changes come to, up to the one of the number `until`."""
    found = ChangedImages()
    query = "select image, bank_side, action, id from bank_changes where bank = ? and id <= ? order by id"
    for change in db.execute(query, [bank, until]):
        found.apply(*change)
    return found


def state_of(db: Database, bank: str, image: str, side: str, action: str) -> dict[str, Any] | None:
    """What was fitted when a bank held what it will hold once this image leaves it ("remove") or comes back as it was
    ("return"): {} where that was when it was built.

    None where there was no such moment, or where nothing was kept of it.
    """
    now = ChangedImages()
    states: dict[frozenset[tuple[tuple[str, str], int]], dict[str, Any] | None] = {frozenset(): {}}
    query = "select id, image, bank_side, action, detail from bank_changes where bank = ? order by id"
    for id, name, at, what, detail in db.execute(query, [bank]):
        now.apply(name, at, what, id)
        states.setdefault(frozenset(now.since.items()), json.loads(detail).get("state"))
    now.apply(image, side, action)
    return states.get(frozenset(now.since.items()))
