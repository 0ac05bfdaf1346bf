"""Gathers what `next_steps` needs: counts from the database, stored results, the header of a bank.

Knows rows and stored results. Does not load a detector, nor decide what is worth doing.
"""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from exdd_core.banks.rows_by_type import positive_rows
from exdd_core.datasets.record import DEFECT, NORMAL
from exdd_core.review import states
from exdd_core.review.next_steps import Facts
from exdd_core.review.results import StoredRow
from exdd_core.workspace import bank_contents, image_windows
from exdd_core.workspace.dataset_settings import called
from exdd_core.workspace.image_windows import Which

if TYPE_CHECKING:
    from exdd_core.detector.bank_header import RowsOfImage
    from exdd_core.workspace import BankVersion, DatasetInfo, Workspace

MARKS = """select count(*) from decisions where undone is null and action in ('missed', 'false_alarm')
           and dataset = :dataset and created > coalesce((select max(created) from runs where bank = :bank), '')"""
JOINED = "select detail from dataset_changes where dataset = ? and state > ?"
# The first version, and its measurement, which nobody has to ask for, are no work.
WORKED = """select (select max(0, count(*) - 1) from runs) + (select count(*) from decisions where action in
            ('missed', 'false_alarm')) + (select max(0, count(*) - 1) from banks)"""
LAST_TYPE = """select candidates.defect_type from decisions join candidates on candidates.id = decisions.candidate
               where decisions.action = 'accept' and decisions.undone is null and candidates.dataset = ?
               order by decisions.id desc limit 1"""


class Gatherer:
    """Gathers facts of one workspace again and again; what was read before is kept. Safe to call from any thread."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self._results = states.KeptResults(workspace)
        self._rows: tuple[tuple[str, str], dict[str, RowsOfImage]] | None = None
        self._joined: tuple[tuple[str, int, int], list[str]] | None = None
        self._lock = threading.Lock()

    def facts(self) -> Facts | None:
        """Facts on the active data set and the version that judges it; None without a data set."""
        workspace = self.workspace
        info = workspace.active_dataset()
        if info is None:
            return None
        state = states.bank_state(workspace)
        if state is None:
            return Facts(info.name, info.called)
        version = state.version
        own = next((bank.name for bank in workspace.banks(info.name) if not bank.is_measurement), "")
        learned = called(workspace).get(version.dataset, version.dataset)
        named = Facts(info.name, info.called, version.name, version.dataset, own, learned)
        return named if version.dataset != info.name else self._judged(info, state, named)

    def _judged(self, info: DatasetInfo, state: states.BankState, named: Facts) -> Facts:
        """`named` with all that is known of a data set whose own version judges it."""
        workspace, version = self.workspace, state.version
        with self._lock:
            rows = self._results.of(version).rows(state.state)
            _, latest = self._results.of(version).known(state.state)
        scored = _defects(workspace, info.name, rows)
        tested = Which(info.name, "test", DEFECT)
        with workspace.reading() as db:
            marks = db.execute(MARKS, {"dataset": info.name, "bank": version.id}).fetchone()[0]
            worked = db.execute(WORKED).fetchone()[0]
            made, pending, accepted = db.execute(
                "select count(*), coalesce(sum(status = 'pending'), 0), coalesce(sum(status = 'accepted'), 0) "
                "from candidates where dataset = ?",
                [info.name],
            ).fetchone()
        return replace(
            named,
            scored=len(scored),
            found=sum(row["exdd_verdict"] == DEFECT for row in scored.values()),
            untried=0 if _defects(workspace, info.name, latest) else image_windows.count(workspace, tested),
            pending=pending,
            new_normals=self._new_normals(info, version),
            marks=marks,
            rows=self._positive_rows(version),
            looked=bool(latest),
            painted=made > 0,
            accepted=accepted > 0,
            again=bool(rows),
            worked=worked > 0,
            changes_most="" if rows else self._changes_most(info.name, latest),
        )

    def _positive_rows(self, version: BankVersion) -> dict[str, RowsOfImage]:
        with self.workspace.reading() as db:
            key = version.id, bank_contents.content(db, version.id)
        if self._rows is None or self._rows[0] != key:
            self._rows = key, positive_rows(self.workspace, version)
        return self._rows[1]

    def _new_normals(self, info: DatasetInfo, version: BankVersion) -> int:
        """How many normal training images joined the data set after the state that the version was built from."""
        if info.state == version.state:
            return 0
        key = info.name, info.state, version.state
        if self._joined is None or self._joined[0] != key:
            with self.workspace.reading() as db:
                details = db.execute(JOINED, [info.name, version.state]).fetchall()
            fresh = [
                id for (text,) in details for id, was in json.loads(text)["images"].items() if was is None
            ]
            self._joined = key, fresh
        query = """select count(*) from images where split = 'train' and label = ? and retired is null
                   and id in (select value from json_each(?))"""
        with self.workspace.reading() as db:
            return int(db.execute(query, [NORMAL, json.dumps(self._joined[1])]).fetchone()[0])

    def _changes_most(self, dataset: str, latest: dict[str, StoredRow]) -> str:
        """The known defect that the last accepted painting is likely to move over the threshold: of its type where one
        is, the one that was closest below."""
        with self.workspace.reading() as db:
            row = db.execute(LAST_TYPE, [dataset]).fetchone()
        known = _defects(self.workspace, dataset, latest)

        def rank(id: str) -> tuple[bool, bool, float]:
            score = known[id]["exdd_calibrated"]
            score = -1e9 if score is None else score
            below = known[id]["exdd_verdict"] != DEFECT
            return (
                below,
                bool(row and row[0] and known[id]["defect_type"] == row[0]),
                score if below else -score,
            )

        return max(known, key=rank, default="")


def _defects(workspace: Workspace, dataset: str, rows: dict[str, StoredRow]) -> dict[str, StoredRow]:
    """The rows of the known defects of the test split."""
    if not rows:
        return {}
    listed = image_windows.listed(workspace, Which(dataset, "test", DEFECT))
    return {id: rows[id] for id, *_ in listed if id in rows}
