"""Activates, pins and deletes bank versions.

Knows rows, settings and folders. Does not know how a bank is computed.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sqlite_utils import Database

from exdd_core.errors import BadInput
from exdd_core.workspace import context, names, thresholds
from exdd_core.workspace.placing import MARK
from exdd_core.workspace.settings import get, put

if TYPE_CHECKING:
    from exdd_core.workspace import BankVersion, Workspace

PINNED, FORMER = "pinned_banks", "former_banks"  # settings: ids of versions
FORMER_KEPT = 20


def make_active(db: Database, id: str) -> None:
    """Make a bank version the active one, and remember the former one."""
    active = json.loads(get(db, "active_bank", "null"))
    former = json.loads(get(db, FORMER, "[]"))
    if active not in (None, id):
        put(db, FORMER, [*former, active][-FORMER_KEPT:])
    put(db, "active_bank", id)


def leading(db: Database, dataset: str) -> str | None:
    """The id of the version that judges a data set: the active one where it was built from it, else the version of it
    that was active last, else the newest that a person built. The active one for "" and for a data set
    without a version."""
    active = json.loads(get(db, "active_bank", "null"))
    query = (
        "select id, json_extract(settings, '$.made_for') from banks where dataset = ? order by number desc"
    )
    own = dict(db.execute(query, [dataset]).fetchall()) if dataset else {}
    if not own or active in own:
        return active
    former = [id for id in json.loads(get(db, FORMER, "[]")) if id in own]
    if former:
        return former[-1]
    measured = built_to_measure(db)
    return next((id for id, made_for in own.items() if not made_for and id not in measured), next(iter(own)))


def built_to_measure(db: Database) -> dict[str, str]:
    """Id of a version -> kind of the measurement that built it for itself, of those that do not say so: programs
    before there was `made_for` stored the versions of Table 1 without a name while it was measured."""
    return dict(
        db.execute(
            "select banks.id, runs.kind from banks join runs on runs.kind = 'table1' and banks.id in "
            "(json_extract(spec, '$.base'), json_extract(spec, '$.full')) where coalesce(banks.who, '') = '' "
            "and 86400 * (julianday(runs.created) - julianday(banks.created)) between -2 and runs.seconds + 2"
        ).fetchall()
    )


def activate_bank(workspace: Workspace, id: str) -> None:
    """Make the bank version of that id, name or number the active one. Raises `BadInput` for an unknown one."""
    bank = workspace.bank(id)
    with workspace.writing() as db:
        make_active(db, bank.id)


def judging(workspace: Workspace) -> dict[str, str]:
    """Id of the version that judges a data set -> name of the data set, of each that has versions."""
    with workspace.reading() as db:
        names = [name for (name,) in db.execute("select distinct dataset from banks").fetchall()]
        return {id: name for name in names if (id := leading(db, name))}


def former(workspace: Workspace) -> BankVersion | None:
    """The version that `roll_back` would make active again: of the data set that is worked on (`context`), if any."""
    banks = workspace.banks(context.dataset() and workspace.active_name())
    there = {bank.id: bank for bank in banks if not bank.active}
    known = [id for id in workspace.setting(FORMER, []) if id in there]
    return there[known[-1]] if known else None


def roll_back(workspace: Workspace) -> BankVersion:
    """Activate the formerly active version, and return it. Raises `BadInput` where there is none."""
    there = {bank.id for bank in workspace.banks(context.dataset() and workspace.active_name())}
    with workspace.writing() as db:
        active, first = json.loads(get(db, "active_bank", "null")), leading(db, context.dataset())
        former = json.loads(get(db, FORMER, "[]"))
        at = next((at for at in reversed(range(len(former))) if former[at] in there - {first}), None)
        if at is None:
            raise BadInput("No other bank version was active before; choose one from the list.")
        back = former.pop(at)
        put(db, "active_bank", back)
        kept = [id for id in former if id != first]
        put(db, FORMER, kept if active in there else [*kept, active])  # which still judges its own data set
    return workspace.bank(back)


def pin_bank(workspace: Workspace, id: str, pinned: bool = True) -> None:
    """Pin a version, which protects it from deletion, or unpin it."""
    bank = workspace.bank(id)
    with workspace.writing() as db:
        others = [other for other in json.loads(get(db, PINNED, "[]")) if other != bank.id]
        put(db, PINNED, [*others, bank.id] if pinned else others)


def rename_bank(workspace: Workspace, id: str, name: str) -> BankVersion:
    """Give a version a name for people beside its own, "" for none. Raises `BadInput`."""
    bank = workspace.bank(id)
    with workspace.writing() as db:
        names.call_bank(db, bank.id, name)
    return workspace.bank(bank.id)


def delete_bank(workspace: Workspace, id: str) -> None:
    """Delete a bank version and its changes. Raises `BadInput` for the active one and a pinned one."""
    bank = workspace.bank(id)
    with workspace.writing() as db:
        if get(db, "active_bank", "null") == json.dumps(bank.id):
            raise BadInput(f"{bank.name} is the active bank version; activate another before deleting it.")
        if bank.id in json.loads(get(db, PINNED, "[]")):
            raise BadInput(f"{bank.name} is pinned; unpin it before deleting it.")
        db.table("banks").delete(bank.id)
        forget(db, bank.id)
        # If the process is killed before the folder is removed, the next sweep removes it.
        (bank.path / MARK).touch()
    shutil.rmtree(bank.path, ignore_errors=True)
    shutil.rmtree(cache_of(workspace, bank.id), ignore_errors=True)


def forget(db: Database, bank: str) -> None:
    """Remove all that the database holds of a version besides its row, within the caller's transaction."""
    for table in ("bank_changes", "bank_states", "unfitted"):
        db.execute(f"delete from {table} where bank = ?", [bank])
    thresholds.forget(db, bank)
    names.call_bank(db, bank, "")


def cache_of(workspace: Workspace, bank: str) -> Path:
    """The folder of a version's caches, which are deleted with it."""
    return workspace.path / "cache" / "banks" / bank
