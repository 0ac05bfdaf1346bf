"""Measures candidates in the background while somebody looks at the queue.

Knows the judge and threads. Does not know pages.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from exdd_core.banks import compare
from exdd_core.curation import judge, queue
from exdd_core.workspace import context
from exdd_core.workspace.failures import sentence_of

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

MOST_COMPARED = 500  # candidates that are searched for near-duplicates
AHEAD = 50  # candidates to measure next that are sought at once: 30 ms among 10,000
log = logging.getLogger(__name__)


class Measuring:
    """Measures candidates in a thread, one step at a time; decisions are made between steps.

    The candidate that somebody has open comes first, then those on their screen, then the rest.
    """

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.judge = judge.Judge(workspace, self._rest, keeps_start=True)
        self.alike: dict[str, str] = {}  # pending candidates that nearly repeat another one: which
        self._compared: list[str] = []  # the ids that `alike` holds for
        self._unable: dict[str, str] = {}  # by candidate: why it cannot be measured against `_bank`
        self._bank = ""
        self._wanted: list[str] = []
        self._ahead: list[str] = []  # ids of the candidates to measure next, found for `_sought`
        self._sought: object = None  # data set, version, start and wanted candidates that they hold for
        self._datasets: list[str] = []  # that somebody looks at, the last one first
        self._last = ""
        self._deciding = 0
        self._running = False
        self._lock = threading.Lock()

    def standing(self, ids: Sequence[str]) -> list[queue.Waiting]:
        """Those of these candidates that are pending in the active data set."""
        info = self.workspace.active_dataset()
        return queue.waiting(self.workspace, info.name, ids, self._start()) if info else []

    def late(self) -> int:
        """How many pending candidates of the active data set wait for being measured."""
        info = self.workspace.active_dataset()
        return queue.late(self.workspace, info.name, self._unable, self._start()) if info else 0

    def _start(self) -> int | None:
        bank = self.workspace.active_bank()
        return self.judge.start(bank.id) if bank else None

    def behind(self) -> int:
        """How many images have other rows in the banks of the active version than those that effects are measured
        against."""
        bank, start = self.workspace.active_bank(), self._start()
        return 0 if bank is None or start is None else compare.changes(self.workspace, bank.id, start)

    def start_anew(self) -> None:
        """Measure all effects against the banks as they are now."""
        self.judge.start_anew()
        self.want()

    def problem(self, id: str) -> str:
        """Why this candidate cannot be measured, or ""."""
        return self._unable.get(id, "")

    def want(self, ids: Sequence[str] = ()) -> None:
        """Measure these, the first one before the others, and then the rest."""
        with self._lock:
            self._wanted = list(ids) or self._wanted
            here = self._last = context.dataset()
            self._datasets = [here, *(name for name in self._datasets if name != here)]
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._run, name="measuring candidates").start()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Start no step within the block, so that a decision has the processor to itself."""
        with self._lock:
            self._deciding += 1
        try:
            yield
        finally:
            with self._lock:
                self._deciding -= 1

    def _rest(self) -> None:
        while self._deciding:
            time.sleep(0.02)

    def _run(self) -> None:
        self._rest()
        # The first measure says what is wrong.
        with suppress(Exception), context.working_on(self._last):
            self._prepare()
        # The program waits for the running step when it ends: torch would crash in a thread that is cut off.
        while threading.main_thread().is_alive() and (step := self._next_or_end()):
            self._rest()
            dataset, id, measured = step
            try:
                with context.working_on(dataset), self.workspace.keeping_open():
                    self.judge.quality(id, measured)
            except Exception as error:
                self._unable[id] = sentence_of(error)
        with suppress(Exception), context.working_on(self._last):  # without it each is shown by itself
            self._compare()

    def _compare(self) -> None:
        """Find the pending candidates that nearly repeat an earlier one, once all are measured."""
        info = self.workspace.active_dataset()
        ids = [one.id for one in queue.waiting(self.workspace, info.name)][::-1] if info else []
        if ids == self._compared or len(ids) > MOST_COMPARED:
            return
        first = self.judge.repeats(ids)
        for id, other in first.items():
            first[id] = first.get(other, other)  # `other` is an earlier one, whose own first is known
        self.alike, self._compared = first, ids

    def _prepare(self) -> None:
        info, bank = self.workspace.active_dataset(), self.workspace.active_bank()
        if info and bank and bank.dataset == info.name:
            self.judge.prepare(info.name)

    def _next_or_end(self) -> tuple[str, str, bool] | None:
        """`_next`; None also where it fails, such as on a full disk: then the next `want` begins again."""
        try:
            return self._next()
        except Exception:
            log.exception("Candidates are not measured any more until somebody looks at them again")
            with self._lock:
                self._running = False
            return None

    def _next(self) -> tuple[str, str, bool] | None:
        """The data set and the candidate to measure next, and whether its effect is due; None when all are measured."""
        with self._lock:
            for dataset in self._datasets:
                with context.working_on(dataset), self.workspace.keeping_open():
                    found = self._late()
                if found is not None:
                    return dataset, found.id, found.measured
            self._running, self._datasets = False, []
            return None

    def _late(self) -> queue.Waiting | None:
        """The candidate of the data set that is worked on to measure next."""
        bank = self.workspace.active_bank()
        if self._bank != (now := bank.id if bank else ""):
            self._bank, self._unable = now, {}
        info = self.workspace.active_dataset()
        if info is None:
            return None
        name, start, wanted = info.name, self._start(), self._wanted
        if self._sought != (name, self._bank, start, wanted):
            self._sought, self._ahead = (name, self._bank, start, wanted), []
        while True:
            if not self._ahead:
                late = queue.next_late(self.workspace, name, self._unable, wanted, start, AHEAD)
                self._ahead = [one.id for one in late]
            if not self._ahead:
                return None
            # One that was sought before may have been decided on since then.
            for one in queue.waiting(self.workspace, name, [self._ahead.pop(0)], start):
                if not (one.measured and one.effect):
                    return one
