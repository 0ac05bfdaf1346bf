"""The content of a bank version after each change of its banks, as columns of the change's row.

    since     the change that added the image's current rows; GONE if they were removed; null if they are as built
    before    the value of `since` before the last removal
    built     1 if the build put rows of the image into this bank, as far as its removals show
    content   a digest of all differences from the build; "" without differences
    rows_of   the earlier change that has the same rows; null if the change has its own

So the last row of an image or a version answers a question about it, independent of the number of changes. Knows
columns. Does not know features, or why an image was added or removed.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exdd_core.spec import Json

if TYPE_CHECKING:
    from sqlite_utils import Database

GONE = 0  # no change has this number
COLUMNS = {"since": int, "before": int, "built": int, "content": str, "rows_of": int}
LAST_STATES = 200  # largest number of fitted states stored for a version; the newest are kept


@dataclass(frozen=True)
class Held:
    """The state of one image in one bank of a version: the columns of the same names."""

    since: int | None = None
    before: int | None = None
    built: bool = False

    def after(self, action: str, number: int) -> Held:
        """The state after change `number`. Adding and removing an image, or removing and restoring it, cancel out."""
        if action == "add":
            return Held(number, self.before, self.built)
        if action == "return":
            return Held(self.before, None, self.built and self.before is not None)
        built = self.built or self.since is None
        return Held(GONE if built else None, self.since, built)


def held(db: Database, bank: str, image: str, side: str) -> Held:
    """The current state of an image in a bank."""
    query = """select since, before, built from bank_changes where bank = ? and image = ? and bank_side = ?
               order by id desc limit 1"""
    row = db.execute(query, [bank, image, side]).fetchone()
    return Held(row[0], row[1], bool(row[2])) if row else Held()


def content(db: Database, bank: str, until: int = 2**63 - 1) -> str:
    """The content of a version after change `until`."""
    query = "select content from bank_changes where bank = ? and id <= ? order by id desc limit 1"
    row = db.execute(query, [bank, until]).fetchone()
    return str(row[0]) if row else ""


def moved(content: str, image: str, side: str, old: int | None, new: int | None) -> str:
    """The content after `since` of an image changes from `old` to `new`, independent of the order of changes."""
    number = int(content or "0", 16)
    for since in (old, new):
        if since is not None:
            told = json.dumps([image, side, since]).encode()
            number ^= int.from_bytes(hashlib.blake2b(told, digest_size=16).digest(), "big")
    return f"{number:032x}" if number else ""


def differing(db: Database, bank: str, until: int = 2**63 - 1) -> dict[tuple[str, str], int]:
    """The images whose rows after change `until` differ from the build: (image, side) -> `since`."""
    query = """select image, bank_side, since from bank_changes where id in (
               select max(id) from bank_changes where bank = ? and id <= ? group by image, bank_side)"""
    found = db.execute(query, [bank, until]).fetchall()
    return {(image, side): since for image, side, since in found if since is not None}


def needed(db: Database, bank: str, until: int) -> list[int]:
    """The changes, in order, that lead from the build to the state after change `until`.

    Images that were added and removed again are left out. Images of the build that were removed and restored are not,
    because their rows are now the last ones of the bank.
    """
    query = """select last.id, last.action, last.since, last.built,
                      (select max(id) from bank_changes where bank = :bank and image = last.image
                       and bank_side = last.bank_side and action = 'remove' and id <= last.id) as gone
               from bank_changes as last where id in (
                   select max(id) from bank_changes where bank = :bank and id <= :until group by image, bank_side)"""
    wanted: set[int] = set()
    for id, action, since, built, gone in db.execute(query, {"bank": bank, "until": until}):
        returned = action == "return" and since is None
        if built or returned:
            wanted |= {id, gone}
        elif action != "remove":
            wanted.add(id)
    return sorted(wanted)


def keep_state(db: Database, bank: str, state: Mapping[str, Any]) -> None:
    """Store the fitted state of a version's current content, and delete old states.

    States that stored runs were measured with are kept.
    """
    now = content(db, bank)
    _store(db, bank, now, state)
    old = "select id from bank_states where bank = :bank order by id desc limit -1 offset :kept"
    measured = """select content from bank_changes where bank = :bank and id in
                  (select json_extract(result, '$.changes') from runs where bank = :bank)"""
    where = f"id in ({old}) and content not in ({measured}) and content not in ('', :now)"
    db.execute(f"delete from bank_states where {where}", {"bank": bank, "kept": LAST_STATES, "now": now})


def _store(db: Database, bank: str, content: str, state: Mapping[str, Any]) -> None:
    packed = zlib.compress(json.dumps(state).encode())
    known = "insert or ignore into bank_states (bank, content, state) values (?, ?, ?)"
    db.execute(known, [bank, content, packed])


def state_for(db: Database, bank: str, content: str) -> Json | None:
    """The fitted state of a version for this content; None if none is stored, {} for the build's own.

    A damaged state counts as not stored, as its checksum tells: models are fitted again.
    """
    query = "select state from bank_states where bank = ? and content = ?"
    row = db.execute(query, [bank, content]).fetchone()
    if row is None:
        return None if content else {}
    try:
        return dict(json.loads(zlib.decompress(row[0])))
    except (zlib.error, ValueError):
        return None


def fill(db: Database) -> None:
    """Fill these columns for the changes of an older workspace, and move fitted states to their own table."""
    now: dict[tuple[str, str, str], Held] = {}
    contents: dict[str, str] = {}
    first: dict[bytes, int] = {}
    query = "select id, bank, image, bank_side, action from bank_changes order by id"
    for id, bank, image, side, action in db.execute(query).fetchall():
        old = now.get((bank, image, side), Held())
        now[bank, image, side] = new = old.after(action, id)
        contents[bank] = moved(contents.get(bank, ""), image, side, old.since, new.since)
        rows, detail = db.execute("select rows, detail from bank_changes where id = ?", [id]).fetchone()
        values = json.loads(detail)
        state = values.pop("state", None)
        same = hashlib.sha256(f"{bank} {image} {side} {values['dimension']} ".encode() + rows).digest()
        known = first.setdefault(same, id)
        db.execute(
            "update bank_changes set since = ?, before = ?, built = ?, content = ?, rows_of = ?, rows = ?, detail = ? "
            "where id = ?",
            [new.since, new.before, int(new.built), contents[bank], None if known == id else known,
             rows if known == id else b"", json.dumps(values), id],
        )  # fmt: skip
        if state is not None:
            _store(db, bank, contents[bank], state)
