"""The result of a decision, and the lock under which the active bank version changes.

Knows bank updates and sentences. Does not know what was decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filelock import FileLock

from exdd_core.banks.update import BankUpdate
from exdd_core.detector import Change

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

LOCK = ".deciding.lock"


@dataclass(frozen=True)
class Decided:
    """The result of a decision on one image or several. left_out: by id, why it was not decided on. bank: name of the
    version that changed, "" for none. rows: how many its banks have gained (below 0: lost). sentence: a summary for
    people."""

    ids: list[str]
    left_out: dict[str, str]
    bank: str
    rows: int
    sentence: str


def summarize(
    done: str,
    ids: list[str],
    left_out: dict[str, str],
    target: BankUpdate | None,
    changes: Sequence[Change],
    what: str = "candidate",
) -> Decided:
    """A decision's result with its sentence. done: the verb, such as "Accepted". what: the noun of an image."""
    rows = sum(int(c.kept.sum()) * (-1 if c.action == "remove" else 1) for c in changes)
    count = f"{len(ids)} {what}s" if len(ids) != 1 else f"1 {what}"
    sentence = f"{done} {count}"
    if target is not None:
        count = f"{abs(rows)} {'row' if abs(rows) == 1 else 'rows'}"
        sentence += f"; {count} {'came to' if rows >= 0 else 'left'} bank {target.version.name}"
    if left_out:
        sentence += f"; {len(left_out)} left out: {next(iter(left_out.values()))}"
    return Decided(ids, left_out, target.version.name if target else "", rows, sentence + ".")


@contextmanager
def changing_banks(workspace: Workspace) -> Iterator[None]:
    """One change of banks at a time, over all threads and processes; a killed process releases the lock."""
    with FileLock(workspace.path / LOCK, poll_interval=0.01):
        yield
