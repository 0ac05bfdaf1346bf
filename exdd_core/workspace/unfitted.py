"""Decisions that the banks of a version do not follow yet, as rows: written with the decision, removed with the fit.

Knows rows. Does not know what a decision does to a bank.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from exdd_core.workspace import versions as versions_of

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace import Workspace


def enter(db: Database, decision: int, dataset: str | None) -> str:
    """Enter that the version of a data set has to follow a decision, within the caller's transaction; its name.

    "" where the data set has no version: then no bank changes.
    """
    bank = versions_of.leading(db, dataset or "")
    row = db.execute("select number from banks where id = ? and dataset = ?", [bank, dataset]).fetchone()
    if row is None:
        return ""
    db.execute("insert into unfitted (decision, bank) values (?, ?)", [decision, bank])
    return f"v{row[0]}"


def count(workspace: Workspace, bank: str | None = None) -> int:
    """How many decisions wait for a version (None: for any). Cheap enough to ask before every use."""
    query = "select count(*) from unfitted where ? is null or bank = ?"
    with workspace.reading() as db:
        return int(db.execute(query, [bank, bank]).fetchone()[0])


def waiting(db: Database, bank: str) -> list[int]:
    """The decisions that wait for a version, in order."""
    rows = db.execute("select decision from unfitted where bank = ? order by decision", [bank])
    return [int(row[0]) for row in rows]


def versions(workspace: Workspace) -> list[str]:
    """The versions, by id, that decisions wait for."""
    with workspace.reading() as db:
        return [row[0] for row in db.execute("select distinct bank from unfitted")]


def remove(db: Database, decisions: list[int]) -> None:
    db.execute(
        "delete from unfitted where decision in (select value from json_each(?))", [json.dumps(decisions)]
    )
