"""Decisions and claims as rows: the history, the decisions in force, and who has which candidate open.

Knows the tables of decisions and claims. Does not know what a decision does to a bank.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from exdd_core.errors import BadInput
from exdd_core.workspace import copies
from exdd_core.workspace.clock import now
from exdd_core.workspace.columns import DecisionColumns, decision_rows

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace import Workspace

LEFT_REASONS = "left_reasons"  # the setting: {tag: id of the newest decision when it was left}
REASONS_READ = 1000  # rejections that tell which reasons are usual
CLAIMED = 180.0  # seconds until a claim on a candidate ends, unless it is renewed


class DecisionDetail(TypedDict, total=False):
    """What a decision stores besides its row. Which keys there are depends on its action.

    mask: a file in the folder of drawn masks. path: of the marked image, in the workspace. group: its physical part.
    state: of the data set. side: of the banks, for drop. before, after: defect types. of: id of the decision that an
    undo takes back. alone: whether a candidate was accepted by itself.
    """

    dataset: str
    mask: str
    path: str
    group: str
    defect_type: str
    state: int
    side: str
    before: str
    after: str
    of: int
    alone: bool


@dataclass(frozen=True)
class Decision:
    """One decision. subject: id of a candidate or image. undone: id of the decision that undid it, or None.

    action: accept, reject, trim, type, missed, false_alarm, drop, align or undo. reason: tags.
    """

    id: int
    subject: str
    action: str
    reason: list[str]
    who: str
    created: str  # ISO 8601, UTC
    detail: DecisionDetail
    undone: int | None


def claim(workspace: Workspace, id: str, who: str) -> str:
    """Claim a candidate while it is open, or renew the claim. Returns "", or the name of another holder."""
    with workspace.writing() as db:
        holder = holder_of(db, id)
        if holder not in ("", who):
            return holder
        hold(db, id, who)
    return ""


def hold(db: Database, id: str, who: str) -> None:
    """Give a candidate to somebody for `CLAIMED` seconds from now, whoever holds it; drops claims that have ended."""
    until = now(later=CLAIMED)
    db.execute("delete from claims where candidate = ? or until < ?", [id, now()])
    db.execute("insert into claims (candidate, who, until) values (?, ?, ?)", [id, who, until])


def release(workspace: Workspace, id: str, who: str) -> None:
    with workspace.writing() as db:
        db.execute("delete from claims where candidate = ? and who = ?", [id, who])


def claims(workspace: Workspace) -> dict[str, str]:
    """Who has which candidates open."""
    with workspace.reading() as db:
        return dict(db.execute("select candidate, who from claims where until >= ?", [now()]).fetchall())


def holder_of(db: Database, id: str) -> str:
    """Who has a candidate open, "" for nobody."""
    row = db.execute("select who from claims where candidate = ? and until >= ?", [id, now()]).fetchone()
    return row[0] if row else ""


def history(workspace: Workspace, subject: str | None = None, limit: int = -1) -> list[Decision]:
    """All decisions, or those on one subject, the newest first. limit: -1 for no limit."""
    with workspace.reading() as db:
        where = "" if subject is None else "where candidate = :subject"
        return read_decisions(db, where, subject, limit)


def past(workspace: Workspace, dataset: str, limit: int) -> tuple[list[tuple[Decision, str]], int]:
    """The last decisions on a data set, the newest first, each with who took it back or ""; how many there are.

    Those that take another back are not among them.
    """
    query = """select decisions.*, coalesce(back.who, '') as undone_by from decisions
               left join decisions as back on back.id = decisions.undone
               where decisions.dataset = :dataset and decisions.action <> 'undo'
               order by decisions.id desc limit :limit"""
    length = "select coalesce(max(length), 0) from histories where dataset = ?"
    with workspace.reading() as db:
        rows = decision_rows(db, query, {"dataset": dataset, "limit": limit})
        total = int(db.execute(length, [dataset]).fetchone()[0])
    return [(_decision(row), row["undone_by"]) for row in rows], total


def usual_reasons(workspace: Workspace) -> list[str]:
    """The tags that were given most for the last rejections, the most frequent first, without those left since."""
    query = f"""select value, max(given.id) from (select id, reason from decisions where reason <> '[]' order by id desc
                limit {REASONS_READ}) as given, json_each(given.reason) group by value order by count(*) desc"""
    left = left_reasons(workspace)
    with workspace.reading() as db:
        return [reason for reason, last in db.execute(query) if last > left.get(reason, 0)]


def left_reasons(workspace: Workspace) -> dict[str, int]:
    """The tags that somebody left, and the newest decision then."""
    found: dict[str, int] = workspace.setting(LEFT_REASONS, {})
    return found


def leave_reason(workspace: Workspace, reason: str, *, restored: bool = False) -> None:
    """Offer a tag no longer until somebody gives it again, or with `restored` offer it now; decisions keep theirs."""
    others = {one: at for one, at in left_reasons(workspace).items() if one != reason}
    workspace.set_setting(LEFT_REASONS, others if restored else {**others, reason: newest(workspace)})


def rename_reason(workspace: Workspace, reason: str, called: str) -> None:
    """Give a tag another name in every decision that has it. Raises `BadInput` where the name is a tag already."""
    having = "select distinct decisions.id from decisions, json_each(decisions.reason) where value = ?"
    with workspace.writing() as db:
        if db.execute(having, [called]).fetchone():
            raise BadInput(f'There is a reason "{called}" already; choose another name.')
        for (id,) in db.execute(having, [reason]).fetchall():
            (held,) = db.execute("select reason from decisions where id = ?", [id]).fetchone()
            tags = [called if tag == reason else tag for tag in json.loads(held)]
            db.execute("update decisions set reason = ? where id = ?", [json.dumps(tags), id])
            copies.note_decision(db, id)


def newest(workspace: Workspace) -> int:
    """The id of the last decision, 0 where there is none. A cheap check for new decisions."""
    with workspace.reading() as db:
        return int(db.execute("select coalesce(max(id), 0) from decisions").fetchone()[0])


def read_decisions(
    db: Database, where: str, subject: str | int | None = None, limit: int = -1
) -> list[Decision]:
    query = f"select * from decisions {where} order by id desc limit :limit"
    return [_decision(row) for row in decision_rows(db, query, {"subject": subject, "limit": limit})]


def _decision(row: DecisionColumns) -> Decision:
    return Decision(
        row["id"],
        row["candidate"],
        row["action"],
        json.loads(row["reason"]),
        row["who"],
        row["created"],
        json.loads(row["detail"]),
        row["undone"],
    )


def reversible(db: Database, decision: int) -> Decision:
    """A decision that can be undone. Raises `BadInput`."""
    found = next(iter(read_decisions(db, "where id = :subject", decision)), None)
    if found is None:
        raise BadInput(f"There is no decision {decision} in this workspace.")
    if found.undone is not None or found.action == "undo":
        raise BadInput("This has already been undone.")
    if found.action == "align":
        raise BadInput(
            "This only brought the bank in line with other decisions; undo those decisions instead."
        )
    return found


def in_force(
    workspace: Workspace, *actions: str, dataset: str | None = None, subject: str | None = None
) -> list[Decision]:
    """The decisions of these kinds that are not undone, the oldest first. None does not filter."""
    query = f"""select * from decisions where undone is null and action in ({", ".join("?" * len(actions))})
                and (? is null or dataset = ?) and (? is null or candidate = ?) order by id"""
    with workspace.reading() as db:
        found = decision_rows(db, query, [*actions, dataset, dataset, subject, subject])
    return [_decision(row) for row in found]


def write(
    db: Database, subject: str, action: str, who: str, reason: Sequence[str] = (), **detail: object
) -> int:
    """Write a decision into a transaction that the caller has begun; its number. One that takes another back (`of`)
    is entered with that one."""
    row = [subject, action, json.dumps(list(reason)), who, now(), json.dumps(detail), detail.get("dataset")]
    names = "candidate, action, reason, who, created, detail, dataset"
    number = int(
        db.execute(f"insert into decisions ({names}) values (?, ?, ?, ?, ?, ?, ?)", row).lastrowid or 0
    )
    copies.note_decision(db, number)
    if action == "undo":
        db.execute("update decisions set undone = ? where id = ?", [number, detail["of"]])
    return number
