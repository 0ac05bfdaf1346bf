"""How bank versions have changed since they were built: rows of the table `bank_changes`, as detectors take them.

A version's folder never changes. Additions to its banks and removals are rows of this table, in order, written in the
transaction of the decision that caused them; whoever loads the version applies those that still count. What was fitted
to the banks then is stored once for each content of theirs, so that it is fitted once. Rows are deleted with their bank
version only. Knows rows and JSON. Does not know who decided, or why.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from exdd_core.detector import Change
from exdd_core.detector.bank import BankImage
from exdd_core.detector.soundness import Damaged, require
from exdd_core.spec import Json
from exdd_core.workspace import bank_contents, clock

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace.bank_contents import Held

LATEST = 2**63 - 1
ROWS = """select c.id, c.bank_side, c.action, coalesce(r.rows, c.rows), c.detail, c.digest
          from bank_changes c left join bank_changes r on r.id = c.rows_of"""


@dataclass(frozen=True)
class Changes:
    """Some of a version's changes. last: the number of the newest one, to read later ones from. state: what was fitted
    then, None where there are no changes."""

    last: int
    changes: list[Change]
    state: Json | None


def record(db: Database, bank: str, change: Change, decision: int) -> None:
    """Write a change into a transaction that the caller has begun."""
    detail: Json = {
        "image": change.image.to_json(),
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
    content = np.ascontiguousarray(rows, np.float32).tobytes()
    image, side = change.image.id, change.side
    number = 1 + db.execute("select coalesce(max(id), 0) from bank_changes").fetchone()[0]
    old = bank_contents.held(db, bank, image, side)
    new = old.after(change.action, number)
    rows_of = _holds(db, bank, image, side, content)
    row = {
        "id": number,
        "bank": bank,
        "image": image,
        "bank_side": side,
        "action": change.action,
        "rows": b"" if rows_of else content,
        "detail": json.dumps(detail),
        "decision": decision,
        "created": clock.now(),
        "since": new.since,
        "before": new.before,
        "built": int(new.built),
        "content": bank_contents.moved(bank_contents.content(db, bank), image, side, old.since, new.since),
        "rows_of": rows_of,
    }
    row["digest"] = _digest(side, change.action, content, str(row["detail"]))
    marks = ", ".join(f":{name}" for name in row)
    db.execute(f"insert into bank_changes ({', '.join(row)}) values ({marks})", row)


def _holds(db: Database, bank: str, image: str, side: str, rows: bytes) -> int | None:
    """The change of this image that holds just these rows already, if its last one does."""
    query = """select coalesce(c.rows_of, c.id), coalesce(r.rows, c.rows)
               from bank_changes c left join bank_changes r on r.id = c.rows_of
               where c.bank = ? and c.image = ? and c.bank_side = ? order by c.id desc limit 1"""
    last = db.execute(query, [bank, image, side]).fetchone()
    return int(last[0]) if last and rows and last[1] == rows else None


def newest(db: Database, bank: str) -> int:
    """The number of a version's last change, 0 where it has none. Cheap enough to ask before every use."""
    return int(
        db.execute("select coalesce(max(id), 0) from bank_changes where bank = ?", [bank]).fetchone()[0]
    )


def read(db: Database, bank: str, after: int = 0, until: int = LATEST) -> Changes:
    """A version's changes with numbers above `after`, up to `until`, in order, and what was fitted after them.

    Where `after` is 0, changes that later ones took back are left out.
    """
    last = min(newest(db, bank), until)
    if after >= last:
        return Changes(after, [], None)
    where = "c.bank = ? and c.id > ? and c.id <= ?"
    if after:
        rows = db.execute(f"{ROWS} where {where} order by c.id", [bank, after, last])
    else:
        wanted = json.dumps(bank_contents.needed(db, bank, last))
        rows = db.execute(f"{ROWS} where c.id in (select value from json_each(?)) order by c.id", [wanted])
    changes = [_checked(*row) for row in rows]
    return Changes(last, changes, bank_contents.state_for(db, bank, bank_contents.content(db, bank, last)))


def _digest(side: str, action: str, rows: bytes, detail: str) -> str:
    """SHA-256 of what a change says; compared before it is applied."""
    return hashlib.sha256(f"{side} {action} {detail} ".encode() + rows).hexdigest()


def _checked(number: int, side: str, action: str, rows: bytes, detail: str, digest: str | None) -> Change:
    """A change from its columns. Raises Damaged where it is not what was written."""
    what = f"its change {number}, made after the build, has been altered"
    try:
        require(digest in (None, _digest(side, action, rows, detail)), what)
        change = _change(side, action, rows, json.loads(detail))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise error if isinstance(error, Damaged) else Damaged(what) from error
    require(bool(np.isfinite(change.rows).all()), what)
    return change


def _change(side: str, action: str, rows: bytes, detail: Mapping[str, Any]) -> Change:
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
    where = "c.bank = ? and c.image = ? and c.bank_side = ? order by c.id desc limit 1"
    for id, _, action, rows, detail, digest in db.execute(f"{ROWS} where {where}", [bank, image, side]):
        if action == "remove" and "taught" in json.loads(detail):
            return int(id), replace(_checked(id, side, action, rows, detail, digest), action="return")
    return None


def content_after(db: Database, bank: str, changes: list[tuple[str, str, str]]) -> str | None:
    """The content that a version will have after these changes, each an (image, side, action); as a key of states.

    None where an image is added anew: no version ever had that content.
    """
    content = bank_contents.content(db, bank)
    stands: dict[tuple[str, str], Held] = {}
    for image, side, action in changes:
        if action == "add":
            return None
        old = stands.get((image, side)) or bank_contents.held(db, bank, image, side)
        stands[image, side] = new = old.after(action, 0)
        content = bank_contents.moved(content, image, side, old.since, new.since)
    return content
