"""Decisions on candidates: accept, reject, trim, name the type, and undo.

A decision, the candidate's status and the change of the active bank version are one transaction, so that history and
bank agree when a process is killed. The active version of the candidate's data set changes at once; versions built
later follow the decisions in force then. Knows candidates, decisions and bank updates. Does not know pages, measures
or how a candidate was painted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from exdd_core import images
from exdd_core.banks.teachers import marked, marked_of_dropped
from exdd_core.banks.update import BankUpdate
from exdd_core.curation.changing import Decided, changing_banks, summarize
from exdd_core.detector import Change
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.workspace import candidates
from exdd_core.workspace.candidates import Candidate
from exdd_core.workspace.decisions import (
    Decision,
    claims,
    history,
    hold,
    holder_of,
    read_decisions,
    reversible,
    write,
)
from exdd_core.workspace.drawn_masks import keep_mask

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace import Workspace

REASONS = ("unrealistic", "wrong place", "artefact", "duplicate", "too faint")
OF_BANK = ("accept", "missed", "false_alarm", "drop")  # decisions that change a bank


def accept(
    workspace: Workspace,
    ids: Sequence[str],
    who: str,
    defect_type: str | None = None,
    progress: Progress | None = None,
) -> Decided:
    """Accept pending candidates: add their patches to the positive bank of their data set's active version.

    Candidates that somebody else has decided on meanwhile, or has open, are left out and named. Raises BadInput where
    a single one was asked for and cannot be accepted.
    """
    progress = progress or Progress()
    with changing_banks(workspace), _taken(workspace, ids, who) as (chosen, left_out):
        before = {candidate.id: candidate for candidate in chosen}
        if defect_type is not None:
            chosen = [replace(candidate, defect_type=type_name(defect_type)) for candidate in chosen]
        target = BankUpdate.active(workspace, chosen[0].dataset) if chosen else None
        changes: list[Change] = []
        if target is not None:
            progress.begin("Reading the candidates' patches", len(chosen))
            several = []
            for candidate in chosen:
                several.append(marked(workspace, candidate, target.detector))
                progress.advance()
            progress.begin("Fitting the bank to them", 1)
            changes = target.add(several)
        with workspace.writing() as db:
            for candidate in chosen:
                if defect_type is not None:
                    _retype(db, before[candidate.id], defect_type, who)
                _set_status(db, candidate.id, "pending", "accepted")
                number = write(db, candidate.id, "accept", who, dataset=candidate.dataset)
                if target is not None:
                    target.enter([c for c in changes if c.image.id == candidate.id], number)
            last = target.write(db) if target else 0
        if target is not None:
            target.publish(last)
    return summarize("Accepted", [c.id for c in chosen], left_out, target, changes)


def reject(workspace: Workspace, ids: Sequence[str], who: str, reasons: Sequence[str] = ()) -> Decided:
    """Reject pending candidates. reasons: tags of `REASONS` or free ones."""
    with workspace.writing() as db:  # no bank changes, so this needs no lock of banks
        chosen, left_out = _decidable(workspace, ids, who)
        for candidate in chosen:
            _set_status(db, candidate.id, "pending", "rejected")
            write(db, candidate.id, "reject", who, _tags(reasons), dataset=candidate.dataset)
    return summarize("Rejected", [c.id for c in chosen], left_out, None, [])


def trim(workspace: Workspace, id: str, mask: np.ndarray, who: str) -> Decided:
    """Reduce the mask of a pending candidate. mask: bool (H, W), cut to the measured mask. Raises BadInput where
    nothing of it is left."""
    candidate = candidates.get(workspace, id)
    measured = images.read_mask(candidate.mask, None, "the mask")
    if mask.shape != measured.shape:
        raise BadInput(
            "The trimmed mask has another size than the candidate; draw it on the candidate itself."
        )
    left = mask.astype(bool) & measured
    if not left.any():
        raise BadInput("Nothing of the mask is left; keep some of it, or reject the candidate.")
    name = keep_mask(workspace, left)
    with changing_banks(workspace):
        chosen, left_out = _decidable(workspace, [id], who)
        with workspace.writing() as db:
            write(db, id, "trim", who, mask=name, dataset=candidate.dataset)
    return summarize("Trimmed the mask of", [c.id for c in chosen], left_out, None, [])


def set_type(workspace: Workspace, ids: Sequence[str], defect_type: str, who: str) -> Decided:
    """Give pending candidates a defect type."""
    with changing_banks(workspace):
        chosen, left_out = _decidable(workspace, ids, who)
        with workspace.writing() as db:
            for candidate in chosen:
                _retype(db, candidate, defect_type, who)
    return summarize("Named the defect of", [c.id for c in chosen], left_out, None, [])


def undo(workspace: Workspace, decision: int, who: str) -> Decided:
    """Take one decision back, and exactly the changes that it made. Raises BadInput."""
    with workspace.reading() as db:
        found = reversible(db, decision)
    with changing_banks(workspace) if found.action in OF_BANK else nullcontext():
        target, changes = _reversal(workspace, found)
        with workspace.writing() as db:
            reversible(db, decision)
            number = write(db, found.subject, "undo", who, of=found.id, dataset=found.detail.get("dataset"))
            if found.action in ("accept", "reject"):
                old = "accepted" if found.action == "accept" else "rejected"
                _set_status(db, found.subject, old, "pending")
            elif found.action in ("trim", "type"):
                _require_pending(db, found.subject)
            if found.action == "type":
                before = found.detail["before"]
                db.execute("update candidates set defect_type = ? where id = ?", [before, found.subject])
            if target is not None:
                target.enter(changes, number)
            last = target.write(db) if target else 0
        if target is not None:
            target.publish(last)
    what = "image" if found.action in ("missed", "false_alarm", "drop") else "candidate"
    return summarize("Took back the decision on", [found.subject], {}, target, changes, what)


def undo_last(workspace: Workspace, who: str) -> Decided:
    """Take back what this person decided last and has not taken back. Raises BadInput where there is nothing."""
    with workspace.reading() as db:
        query = "where who = :subject and action not in ('undo', 'align') and undone is null"
        mine = read_decisions(db, query, who, 1)
    if not mine:
        raise BadInput("There is nothing of yours to take back.")
    return undo(workspace, mine[0].id, who)


def _reversal(workspace: Workspace, found: Decision) -> tuple[BankUpdate | None, list[Change]]:
    """The changes of the active version that take a decision back; no update where none is needed."""
    dataset = found.detail.get("dataset")
    target = BankUpdate.active(workspace, dataset) if found.action in OF_BANK and dataset else None
    if target is None:
        return None, []
    if found.action == "drop":
        side = found.detail["side"]
        if not target.holds(found.subject, side):
            return target, target.put_back(found.subject, side) or target.add(
                [marked_of_dropped(workspace, found.subject, side, target.detector)], side
            )
    else:
        side = "negative" if found.action == "false_alarm" else "positive"
        if target.holds(found.subject, side):
            return target, target.remove(found.subject, side)
    return None, []


def _decidable(workspace: Workspace, ids: Sequence[str], who: str) -> tuple[list[Candidate], dict[str, str]]:
    """Of these candidates the pending ones that nobody else has open, and why the others are left out."""
    chosen, left_out, holders = [], {}, claims(workspace)
    for id in dict.fromkeys(ids):
        candidate = candidates.get(workspace, id)
        holder = holders.get(id, who)
        if candidate.status != "pending":
            left_out[id] = _already(workspace, candidate)
        elif holder != who:
            left_out[id] = f"{holder} has it open"
        else:
            chosen.append(candidate)
    if len(left_out) == 1 and not chosen:
        raise BadInput(f"Nothing was decided: {next(iter(left_out.values()))}.")
    if len({c.dataset for c in chosen}) > 1:
        raise BadInput("These candidates belong to several data sets; decide on one data set at a time.")
    return chosen, left_out


@contextmanager
def _taken(
    workspace: Workspace, ids: Sequence[str], who: str
) -> Iterator[tuple[list[Candidate], dict[str, str]]]:
    """What `_decidable` returns; the chosen candidates are claimed for `who` until the block ends."""
    with workspace.writing() as db:
        chosen, left_out = _decidable(workspace, ids, who)
        free = [candidate.id for candidate in chosen if not holder_of(db, candidate.id)]
        for id in free:
            hold(db, id, who)
    try:
        yield chosen, left_out
    finally:
        # The decisions are stored even where this fails, and claims expire by themselves.
        with suppress(BadInput), workspace.writing() as db:
            for id in free:
                db.execute("delete from claims where candidate = ? and who = ?", [id, who])


def _already(workspace: Workspace, candidate: Candidate) -> str:
    last = next(
        (d for d in history(workspace, candidate.id) if d.undone is None and d.action != "undo"), None
    )
    by = f" by {last.who}" if last else ""
    return f"it was {candidate.status} already{by}"


def _set_status(db: Database, id: str, old: str, new: str) -> None:
    """Change a status from `old` to `new`. Raises BadInput, and changes nothing, where it is another meanwhile."""
    if (
        db.execute("update candidates set status = ? where id = ? and status = ?", [new, id, old]).rowcount
        != 1
    ):
        raise BadInput("Somebody else has decided on this meanwhile; nothing was changed.")


def _require_pending(db: Database, id: str) -> None:
    if db.execute("select status from candidates where id = ?", [id]).fetchone()[0] != "pending":
        raise BadInput("It was decided on since; take that back first.")


def _retype(db: Database, candidate: Candidate, defect_type: str, who: str) -> None:
    named = type_name(defect_type)
    db.execute("update candidates set defect_type = ? where id = ?", [named, candidate.id])
    write(db, candidate.id, "type", who, before=candidate.defect_type, after=named, dataset=candidate.dataset)


def type_name(defect_type: str) -> str:
    return " ".join(defect_type.split())[:60]


def _tags(reasons: Sequence[str]) -> list[str]:
    cleaned = (" ".join(reason.split())[:40] for reason in reasons)
    return [tag for tag in dict.fromkeys(cleaned) if tag]
