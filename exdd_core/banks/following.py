"""Makes banks follow the decisions that were recorded: all that wait at once, so that the banks are fitted once.

A decision on a candidate is stored at once, with a row in `unfitted`. Whoever needs the banks next, or the app behind
the decision, changes them here; a process that is killed in between leaves the rows for the next one. Knows which bank
a decision concerns. Does not know who decides, or why.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock

from exdd_core.banks.teachers import marked, marked_of_dropped
from exdd_core.banks.update import BankUpdate
from exdd_core.detector import Change
from exdd_core.detector.examples import Marked
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.workspace import candidates, unfitted
from exdd_core.workspace.decisions import Decision, read_decisions

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace import BankVersion, Workspace

LOCK = ".deciding.lock"
SIDES = {"accept": "positive", "missed": "positive", "false_alarm": "negative"}
log = logging.getLogger(__name__)
_mine = threading.local()  # whether this thread holds the lock


@contextmanager
def changing_banks(workspace: Workspace) -> Iterator[None]:
    """One change of banks at a time, over all threads and processes; a killed process releases the lock.

    Within the block every version follows the decisions that were made before it.
    """
    with _locked(workspace):
        for id in unfitted.versions(workspace):
            _follow(workspace, workspace.bank(id), Progress())
        yield


@contextmanager
def _locked(workspace: Workspace) -> Iterator[None]:
    with FileLock(workspace.path / LOCK, poll_interval=0.01):
        _mine.held = True
        try:
            yield
        finally:
            _mine.held = False


def follow(workspace: Workspace, version: BankVersion, progress: Progress | None = None) -> None:
    """Wait until the banks of a version follow every decision that was made so far."""
    if not getattr(_mine, "held", False) and unfitted.count(workspace, version.id):
        with _locked(workspace):
            _follow(workspace, version, progress or Progress())


def _follow(workspace: Workspace, version: BankVersion, progress: Progress) -> None:
    with workspace.reading() as db:
        numbers = unfitted.waiting(db, version.id)
        wanted = _wanted(db, numbers)
    if not numbers:
        return
    target = BankUpdate(workspace, version)
    # A version in an older format stays behind what was decided until it is built anew.
    can_change = target.detector.fitted.can_change
    changes = _changes(target, wanted, progress) if can_change else []
    with workspace.writing() as db:
        for change in changes:
            target.enter([change], wanted[change.image.id, change.side].id)
        last = target.write(db)
        unfitted.remove(db, numbers)
    target.publish(last)


def _wanted(db: Database, numbers: Sequence[int]) -> dict[tuple[str, str], Decision]:
    """The last of these decisions on each image and side of the banks."""
    wanted = {}
    for number in numbers:
        for found in read_decisions(db, "where id = :subject", number):
            of = _of(db, found)
            side = SIDES.get(of.action) or str(of.detail["side"])
            wanted[found.subject, side] = found
    return wanted


def _of(db: Database, found: Decision) -> Decision:
    """The decision itself, or the one that it takes back."""
    if found.action != "undo":
        return found
    return read_decisions(db, "where id = :subject", found.detail["of"])[0]


def _changes(target: BankUpdate, wanted: dict[tuple[str, str], Decision], progress: Progress) -> list[Change]:
    """Change the banks of a version for these decisions, and fit them. An image that cannot be read is left out: the
    version then does not follow that decision, which `drift.state` reports."""
    workspace = target.workspace
    gone: list[tuple[str, str]] = []
    back: list[tuple[str, str]] = []
    several: dict[str, list[Marked]] = {}
    progress.begin("Reading patches", len(wanted))
    for (subject, side), decision in wanted.items():
        with workspace.reading() as db:
            of = _of(db, decision)
        is_wanted = (decision.action == "undo") == (of.action == "drop")
        if is_wanted == target.holds(subject, side):
            pass
        elif not is_wanted:
            gone.append((subject, side))
        elif of.action == "drop" and target.can_put_back(subject, side):
            back.append((subject, side))
        else:
            try:
                several.setdefault(side, []).append(_patches(target, of, side))
            except BadInput as error:
                log.warning("%s does not follow decision %d: %s", target.version.name, decision.id, error)
        progress.advance()
    progress.begin("Fitting the bank", 1)
    added = [(one, side) for side, each in several.items() for one in each]
    if len(added) == 1 and not gone and not back and target.just_left(*added[0]):
        return target.put_back(added[0][0].image.id, added[0][1])
    return target.exchange(gone, back, several)


def _patches(target: BankUpdate, of: Decision, side: str) -> Marked:
    if of.action == "drop":
        return marked_of_dropped(target.workspace, of.subject, side, target.detector)
    return marked(target.workspace, candidates.get(target.workspace, of.subject), target.detector)
