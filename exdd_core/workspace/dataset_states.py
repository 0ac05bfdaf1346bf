"""The states of a data set: its images and settings at each, and undo.

An import makes state 1. Every change makes the next state and stores the values that it replaced, so that any earlier
state can be read again. Undoing a change makes a new state, too, so no number ever stands for two states. Knows the
rows of `datasets`, `images` and `dataset_changes`. Does not know what a change means, or files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from exdd_core.errors import BadInput
from exdd_core.spec import Json
from exdd_core.workspace.clock import now
from exdd_core.workspace.columns import DatasetColumns, ImageColumns, dataset_rows, image_rows

if TYPE_CHECKING:
    from sqlite_utils import Database

FIRST = 1
UNDO = "undo"
# Reasons why an image does not count: retired by a person, or added by a join that was undone.
RETIRED, UNDONE = "retired", "undone"


@dataclass(frozen=True)
class Change:
    """One change of a data set. action: join, move, relabel, retire, restore, set, roi, rename or undo.

    state: the one that it made. sentence: for people. undone: the state whose change undid this one, or None.
    """

    dataset: str
    state: int
    action: str
    sentence: str
    who: str
    created: str  # ISO 8601, UTC
    undone: int | None = None


class Replaced(TypedDict):
    """The values that a change replaced. images: by id, None for an image that it added. columns: the data set's."""

    images: dict[str, ImageColumns | None]
    columns: DatasetColumns


def current(row: DatasetColumns) -> int:
    """The state of a row of `datasets`."""
    return int(row["state"] or FIRST)


def at(
    db: Database, dataset: str, state: int | None = None
) -> tuple[DatasetColumns, dict[str, ImageColumns]]:
    """A data set's row and its images' rows by id, retired ones included, in a state (None: the current one).

    Raises `BadInput` for an unknown data set or state.
    """
    found = dataset_rows(db, "select * from datasets where name = ?", [dataset])
    if not found:
        raise BadInput(f'The data set "{dataset}" no longer exists.')
    info = found[0]
    if state is not None and not FIRST <= state <= current(info):
        raise BadInput(
            f'"{dataset}" has no state {state}; its states are {FIRST} to {current(info)}: '
            f"datasets show {dataset} lists them."
        )
    query = "select * from images where dataset = ? order by rowid"
    rows = {row["id"]: row for row in image_rows(db, query, [dataset])}
    if state is not None:
        later = "select detail from dataset_changes where dataset = ? and state > ? order by state desc"
        for (detail,) in db.execute(later, [dataset, state]).fetchall():
            _take_back(json.loads(detail), info, rows)
        info["state"] = state
    return info, rows


def _take_back(detail: Replaced, info: DatasetColumns, rows: dict[str, ImageColumns]) -> None:
    info.update(detail["columns"])
    for id, before in detail["images"].items():
        if before is None:
            rows.pop(id, None)
        else:
            rows[id].update(before)


def counting(rows: Mapping[str, ImageColumns]) -> list[ImageColumns]:
    """The rows of images that are not retired."""
    return [row for row in rows.values() if not row["retired"]]


def changes(db: Database, dataset: str) -> list[Change]:
    """All changes of a data set, the newest first."""
    query = "select * from dataset_changes where dataset = ? order by state desc"
    found, undone = [], {}
    for row in db.query(query, [dataset]):
        detail = json.loads(row["detail"])
        if row["action"] == UNDO:
            undone[detail["of"]] = row["state"]
        found.append(
            Change(
                dataset,
                row["state"],
                row["action"],
                detail["sentence"],
                row["who"],
                row["created"],
                undone.get(row["state"]),
            )
        )
    return found


def to_undo(db: Database, dataset: str) -> Change | None:
    """The last change that is not undone."""
    return next((c for c in changes(db, dataset) if c.action != UNDO and c.undone is None), None)


def fingerprint(db: Database, dataset: str, state: int | None = None) -> str:
    """A digest of a data set's content in a state. Undoing a change restores the former digest."""
    row = db.execute("select fingerprint, state from datasets where name = ?", [dataset]).fetchone()
    wanted = int(row[1] or FIRST) if state is None else state
    query = (
        "select state, action, detail from dataset_changes where dataset = ? and state <= ? order by state"
    )
    prints = {FIRST: str(row[0])}
    for number, action, detail in db.execute(query, [dataset, wanted]).fetchall():
        told = json.loads(detail)
        if action == UNDO:
            prints[number] = prints[told["of"] - 1]
            continue
        content = json.dumps([prints[number - 1], action, told["after"]], sort_keys=True)
        prints[number] = hashlib.sha256(content.encode()).hexdigest()
    return prints[wanted]


def record(
    db: Database,
    dataset: str,
    action: str,
    who: str,
    sentence: str,
    images: Mapping[str, ImageColumns] | None = None,
    settings: DatasetColumns | None = None,
    **detail: object,
) -> int:
    """Store a change within the caller's transaction, and return the new state.

    images: id -> new values of an image, or the whole row of a new one. settings: new values of the data set's
    columns. detail: further values to store.
    """
    info, rows = at(db, dataset)
    images, settings = images or {}, settings or {}
    before: dict[str, Json | None] = {}
    after: dict[str, Json] = {}
    for id, values in images.items():
        old = rows.get(id)
        new = {name: value for name, value in values.items() if old is None or old.get(name) != value}
        if old is None:
            db.table("images").insert(new)
        elif new:
            db.table("images").update(id, new)
        else:
            continue
        before[id] = None if old is None else {name: old.get(name) for name in new}
        after[id] = new
    columns = {name: info.get(name) for name, value in settings.items() if info.get(name) != value}
    told = {name: settings.get(name) for name in columns if name != "report"}
    state = current(info) + 1
    db.table("datasets").update(dataset, {**settings, "state": state})
    kept: Json = {"images": before, "columns": columns, "sentence": sentence}
    kept |= {"after": {"images": after, "settings": told, **detail}, **detail}
    _insert(db, dataset, state, action, kept, who)
    return state


def undo(db: Database, dataset: str, who: str) -> Change:
    """Undo the last change that is not undone, within the caller's transaction, and return it.

    Images that it added stay in the table as `UNDONE`, so that banks built from them still find them. Raises
    `BadInput` where there is nothing to undo.
    """
    last = to_undo(db, dataset)
    if last is None:
        raise BadInput(f'"{dataset}" is as it was imported; there is nothing to undo.')
    query = "select detail from dataset_changes where dataset = ? and state = ?"
    detail: Replaced = json.loads(db.execute(query, [dataset, last.state]).fetchone()[0])
    back: dict[str, ImageColumns] = {
        id: {"retired": UNDONE} if old is None else old for id, old in detail["images"].items()
    }
    record(db, dataset, UNDO, who, f"Undone: {last.sentence}", back, detail["columns"], of=last.state)
    return last


def _insert(db: Database, dataset: str, state: int, action: str, detail: Json, who: str) -> None:
    db.table("dataset_changes").insert(
        {
            "dataset": dataset,
            "state": state,
            "action": action,
            "detail": json.dumps(detail),
            "who": " ".join(who.split())[:40],
            "created": now(),
        }
    )
