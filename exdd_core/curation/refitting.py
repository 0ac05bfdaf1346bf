"""Fits banks behind the decisions, in a thread: many quick decisions, one fit.

Knows what waits and threads. Does not know what was decided.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from exdd_core.errors import BadInput
from exdd_core.workspace import unfitted

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

SETTLED = 0.4  # seconds without a new decision before a fit begins
LONGEST = 3.0  # seconds that the first decision waits at most
log = logging.getLogger(__name__)


class Refitting:
    """Makes the banks of a workspace follow decisions that wait, also those that a killed process has left."""

    def __init__(self, workspace: Workspace, alone: Callable[[], AbstractContextManager[None]]):
        """alone: a block within which nothing else computes."""
        self.workspace, self.alone = workspace, alone
        self._asked = 0
        self._running = False
        self._lock = threading.Lock()

    def wake(self) -> None:
        """Fit what waits, soon. Returns at once; costs next to nothing where nothing waits."""
        with self._lock:
            if not unfitted.count(self.workspace):
                return
            self._asked += 1
            if self._running:
                return
            self._running = True
        # The program waits for a fit when it ends: torch would crash in a thread that is cut off.
        threading.Thread(target=self._run, name="fitting banks").start()

    def _run(self) -> None:
        while True:
            self._settle()
            asked, failed = self._asked, self._fit()
            with self._lock:
                self._running = not failed and asked != self._asked
                if not self._running:
                    return

    def _settle(self) -> None:
        """Wait until no decision has come for a moment."""
        end, asked = time.monotonic() + LONGEST, -1
        while asked != self._asked and time.monotonic() < end:
            asked = self._asked
            time.sleep(SETTLED)

    def _fit(self) -> bool:
        """Whether something went wrong; whoever needs the banks next tries again and is told."""
        from exdd_core.banks.following import follow

        try:
            for id in unfitted.versions(self.workspace):
                with self.alone():
                    follow(self.workspace, self.workspace.bank(id))
        except Exception as error:
            log.error("A bank could not be fitted", exc_info=None if isinstance(error, BadInput) else error)
            return True
        return False
