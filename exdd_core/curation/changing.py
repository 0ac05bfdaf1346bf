"""The result of a decision, and how it changed the banks.

Knows sentences and the rows of changes. Does not know what was decided.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.sentences import count
from exdd_core.workspace.failures import STORAGE, sentence_of

if TYPE_CHECKING:
    from exdd_core.detector import Change
    from exdd_core.workspace import Workspace

log = logging.getLogger(__name__)
HELD_OUT = "held_out.safetensors"  # a version whose banks cannot be changed lacks it


@dataclass(frozen=True)
class Decided:
    """The result of a decision on one image or several. left_out: by id, why it was not decided on. bank: name of the
    version that changes, "" for none. rows: how many its banks have gained (below 0: lost), 0 while they are still to
    be fitted. sentence: a summary for people. waits: whether the banks are still to be fitted."""

    ids: list[str]
    left_out: dict[str, str]
    bank: str
    rows: int
    sentence: str
    waits: bool = False

    @classmethod
    def of(
        cls,
        done: str,
        ids: Sequence[str],
        left_out: Mapping[str, str],
        banks: Gained | None = None,
        what: str = "candidate",
    ) -> Decided:
        """A decision's result with its sentence. done: the verb, such as "Accepted". what: the noun of an image."""
        sentence = f"{done} {count(len(ids), what)}"
        bank, rows = (banks.bank, banks.rows) if banks else ("", 0)
        if bank and rows is None:
            sentence += f"; bank {bank} will be updated before its next use"
        elif bank:
            moved = "added to" if (rows or 0) >= 0 else "removed from"
            sentence += f"; {count(abs(rows or 0), 'row')} {moved} bank {bank}"
        if left_out:
            sentence += f"; {len(left_out)} left out: {next(iter(left_out.values()))}"
        return cls(list(ids), dict(left_out), bank, rows or 0, sentence + ".", bool(bank) and rows is None)


@dataclass(frozen=True)
class Gained:
    """The version that a decision changes, "" for none, and the rows that its banks gained; None while they are still
    to be fitted."""

    bank: str = ""
    rows: int | None = 0

    @classmethod
    def made(cls, bank: str, changes: Sequence[Change]) -> Gained:
        signs = ((-1 if c.action == "remove" else 1, int(c.kept.sum())) for c in changes)
        return cls(bank, sum(sign * kept for sign, kept in signs))

    def told(
        self, done: str, ids: Sequence[str], left_out: Mapping[str, str], what: str = "candidate"
    ) -> Decided:
        return Decided.of(done, ids, left_out, self, what)


def of_decisions(
    workspace: Workspace, numbers: Sequence[int], bank: str, wait: bool, progress: Progress | None
) -> Gained:
    """The rows that a version's banks gained by these decisions.

    numbers: of the decisions. bank: name of the version, "" for none. wait: for the fit; without it, or where it fails,
    the rows are None.
    """
    if not bank or not wait:
        return Gained(bank, None if bank else 0)
    from exdd_core.banks.following import follow  # torch lies behind it: a decision alone does not load it

    try:
        follow(workspace, workspace.bank(bank), progress)
    except (BadInput, *STORAGE) as error:
        # A full disk, say: the decision stands, and whoever needs the banks next fits them.
        said = sentence_of(error)
        log.warning("Bank %s does not follow decision %d yet: %s", bank, numbers[-1], said)
        return Gained(bank, None)
    query = """select action, json_array_length(detail, '$.kept') from bank_changes
               where decision in (select value from json_each(?))"""
    with workspace.reading() as db:
        found = db.execute(query, [json.dumps(list(numbers))]).fetchall()
    return Gained(bank, sum(-kept if action == "remove" else kept for action, kept in found))


def idle_paintings(workspace: Workspace, banks: Gained) -> str:
    """Sentences, each after a space, on accepted paintings that count for nothing in banks that follow; "" for none."""
    if not banks.bank or banks.rows is None:
        return ""
    from exdd_core.banks.stored import stored_detector  # loaded by the fit already

    detector = stored_detector(workspace, banks.bank)
    paintings = detector.fitted.models.paintings if detector.fusion.uses_context else ()
    return "".join(f" {one.sentence()}" for one in paintings if one.idle)


def require_changeable(workspace: Workspace) -> None:
    """Raise `BadInput` where the banks of the active version cannot be changed."""
    active = workspace.active_bank()
    if active is not None and not (active.path / HELD_OUT).is_file():
        raise BadInput(
            "This bank version is imported or in an older format, so its banks cannot be changed; build a new one."
        )
