"""Decisions on candidates: accept, reject, trim, name the type, and undo.

A decision is recorded at once: its row, the candidate's status and the note that banks have to follow it are one
transaction, which waits for no fit. The active version of the candidate's data set follows all that wait with one fit
(`banks.following`), before anybody uses it again; versions built later follow the decisions in force then. Knows
candidates and decisions. Does not know pages, measures, features or how a candidate was painted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from exdd_core import images
from exdd_core.curation.changing import Decided, idle_paintings, of_decisions, require_changeable
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.workspace import candidates, decisions, unfitted
from exdd_core.workspace.candidates import Candidate
from exdd_core.workspace.decisions import (
    claims,
    history,
    read_decisions,
    reversible,
    usual_reasons,
    write,
)
from exdd_core.workspace.drawn_masks import keep_mask
from exdd_core.workspace.names import checked

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
    wait: bool = True,
    alone: bool | None = None,
) -> Decided:
    """Accept pending candidates, whose patches join the positive bank of their data set's active version.

    A candidate that is accepted alone is recorded so: a person vouches for it. alone: whether it was, where a former
    decision is made again; None: whether it is the only one. wait: for the fit, to say how many rows were added.
    Candidates that somebody else has decided on meanwhile, or has open, are left out and named. Raises BadInput where a
    single one was asked for and cannot be accepted.
    """
    numbers, bank, alone = [], "", len(ids) == 1 if alone is None else alone
    require_changeable(workspace)
    with workspace.writing() as db:
        chosen, left_out = _decidable(workspace, ids, who)
        for candidate in chosen:
            if defect_type is not None:
                _retype(db, candidate, defect_type, who)
            _set_status(db, candidate.id, "pending", "accepted")
            numbers.append(write(db, candidate.id, "accept", who, dataset=candidate.dataset, alone=alone))
            bank = unfitted.enter(db, numbers[-1], candidate.dataset)
    found = of_decisions(workspace, numbers, bank, wait, progress)
    told = found.told("Accepted", [c.id for c in chosen], left_out)
    return replace(told, sentence=told.sentence + idle_paintings(workspace, found))


def own_reasons(workspace: Workspace) -> list[str]:
    """The tags beside `REASONS` that people gave lately, the most frequent first."""
    return [reason for reason in usual_reasons(workspace) if reason not in REASONS]


def rename_reason(workspace: Workspace, reason: str, called: str) -> str:
    """Give a reason of people's own another name, also in decisions. Returns the name. Raises `BadInput`."""
    called = called.strip()
    if not called or called in REASONS:
        raise BadInput(f'"{called}" is always offered; choose another name.' if called else "Give a name.")
    if reason not in own_reasons(workspace):
        raise BadInput(f'There is no reason "{reason}" of your own.')
    decisions.rename_reason(workspace, reason, called)
    return called


def reject(workspace: Workspace, ids: Sequence[str], who: str, reasons: Sequence[str] = ()) -> Decided:
    """Reject pending candidates. reasons: tags of `REASONS` or free ones."""
    with workspace.writing() as db:
        chosen, left_out = _decidable(workspace, ids, who)
        for candidate in chosen:
            _set_status(db, candidate.id, "pending", "rejected")
            write(db, candidate.id, "reject", who, _tags(reasons), dataset=candidate.dataset)
    return Decided.of("Rejected", [c.id for c in chosen], left_out)


def trim(workspace: Workspace, id: str, mask: np.ndarray, who: str) -> Decided:
    """Reduce the mask of a pending candidate. mask: bool (H, W), cut to the measured mask. Raises BadInput where
    nothing of it is left."""
    candidate = candidates.get(workspace, id)
    measured = images.read_mask(candidate.mask, None, "the mask")
    if mask.shape != measured.shape:
        raise BadInput("The trimmed mask is not the size of the candidate; draw it on the candidate itself.")
    left = mask.astype(bool) & measured
    if not left.any():
        raise BadInput("Nothing of the mask is left; keep some of it, or reject the candidate.")
    name = keep_mask(workspace, left)
    with workspace.writing() as db:
        chosen, left_out = _decidable(workspace, [id], who)
        write(db, id, "trim", who, mask=name, dataset=candidate.dataset)
    return Decided.of("Trimmed the mask of", [c.id for c in chosen], left_out)


def set_type(workspace: Workspace, ids: Sequence[str], defect_type: str, who: str) -> Decided:
    """Give pending candidates a defect type."""
    with workspace.writing() as db:
        chosen, left_out = _decidable(workspace, ids, who)
        for candidate in chosen:
            _retype(db, candidate, defect_type, who)
    return Decided.of("Set the defect type of", [c.id for c in chosen], left_out)


def undo(
    workspace: Workspace, decision: int, who: str, progress: Progress | None = None, wait: bool = True
) -> Decided:
    """Take one decision back, and exactly the changes that it made. wait: for the fit. Raises BadInput."""
    bank = ""
    with workspace.writing() as db:
        found = reversible(db, decision)
        dataset = found.detail.get("dataset")
        number = write(db, found.subject, "undo", who, of=found.id, dataset=dataset)
        if found.action in ("accept", "reject"):
            old = "accepted" if found.action == "accept" else "rejected"
            _set_status(db, found.subject, old, "pending")
        elif found.action in ("trim", "type"):
            _require_pending(db, found.subject)
        if found.action == "type":
            before = found.detail["before"]
            db.execute("update candidates set defect_type = ? where id = ?", [before, found.subject])
        if found.action in OF_BANK:
            bank = unfitted.enter(db, number, dataset)
    what = "image" if found.action in ("missed", "false_alarm", "drop") else "candidate"
    made = of_decisions(workspace, [number], bank, wait, progress)
    return made.told("Undid the decision on", [found.subject], {}, what)


def undo_last(workspace: Workspace, who: str, wait: bool = True) -> Decided:
    """Take back what this person decided last and has not taken back. Raises BadInput where there is nothing."""
    with workspace.reading() as db:
        query = "where who = :subject and action not in ('undo', 'align') and undone is null"
        mine = read_decisions(db, query, who, 1)
    if not mine:
        raise BadInput("You have no decision to undo.")
    return undo(workspace, mine[0].id, who, wait=wait)


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


def _already(workspace: Workspace, candidate: Candidate) -> str:
    if candidate.status == "draft":
        return "it is a draft; keep it first"
    last = next(
        (d for d in history(workspace, candidate.id) if d.undone is None and d.action != "undo"), None
    )
    by = f" by {last.who}" if last else ""
    return f"it was already {candidate.status}{by}"


def _set_status(db: Database, id: str, old: str, new: str) -> None:
    """Change a status from `old` to `new`. Raises BadInput, and changes nothing, where it is another meanwhile."""
    made = db.execute("update candidates set status = ? where id = ? and status = ?", [new, id, old])
    if made.rowcount != 1:
        raise BadInput("Someone else has decided on this in the meantime; nothing was changed.")


def _require_pending(db: Database, id: str) -> None:
    if db.execute("select status from candidates where id = ?", [id]).fetchone()[0] != "pending":
        raise BadInput("It has been decided on since; undo that decision first.")


def _retype(db: Database, candidate: Candidate, defect_type: str, who: str) -> None:
    named = checked(defect_type)
    db.execute("update candidates set defect_type = ? where id = ?", [named, candidate.id])
    write(db, candidate.id, "type", who, before=candidate.defect_type, after=named, dataset=candidate.dataset)


def _tags(reasons: Sequence[str]) -> list[str]:
    cleaned = (" ".join(reason.split())[:40] for reason in reasons)
    return [tag for tag in dict.fromkeys(cleaned) if tag]
