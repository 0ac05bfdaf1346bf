"""Reports the progress of a long computation, and cancels it.

Knows counts and the clock. Does not know the listener (a terminal, a page, none) or what is computed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from exdd_core.errors import Cancelled


class Progress:
    """Counts through one stage after another; `listener` is called after every step.

    The computing thread calls `begin` and `advance`; any thread may read the fields or call `cancel`, which
    makes the next `advance` or `begin` raise `Cancelled` in the computing thread.
    """

    def __init__(self, listener: Callable[[Progress], None] | None = None):
        self.stage = ""
        self.done = 0
        self.total = 0
        self._listener = listener
        self._began = time.monotonic()
        self._before = 0
        self._cancel = threading.Event()

    def begin(self, stage: str, total: int, done: int = 0) -> None:
        """Start the next stage of `total` steps. `done` of them were made earlier and do not count for the pace."""
        self.stage, self.done, self.total, self._before = stage, done, total, done
        self._began = time.monotonic()
        self._tell()

    def advance(self, steps: int = 1) -> None:
        """Report `steps` more steps as done. Raises `Cancelled` after `cancel`."""
        self.done += steps
        self._tell()

    def part(self) -> Progress:
        """A progress for work inside one step: it has its own counts, no listener, and is cancelled with this one."""
        inner = Progress()
        inner._cancel = self._cancel
        return inner

    def cancel(self) -> None:
        self._cancel.set()

    @property
    def cancelled(self) -> bool:
        return self._cancel.is_set()

    @property
    def fraction(self) -> float:
        """The share of the current stage that is done, 0 to 1."""
        return share(self.done, self.total)

    @property
    def seconds_left(self) -> float | None:
        """The time until the current stage ends at its pace so far; None before its first step."""
        made = self.done - self._before
        if made <= 0 or self.done >= self.total:
            return None
        return (time.monotonic() - self._began) / made * (self.total - self.done)

    @property
    def text(self) -> str:
        """One line for people, such as "Computing features: 37 of 200, about 12 s left"."""
        return line(self.stage, self.done, self.total, self.seconds_left)

    def _tell(self) -> None:
        if self._cancel.is_set():
            raise Cancelled(self.stage)
        if self._listener:
            self._listener(self)


def share(done: int, total: int) -> float:
    """The share of `total` that is done, 0 to 1."""
    return min(1.0, done / total) if total else 0.0


def line(stage: str, done: int, total: int, seconds_left: float | None) -> str:
    """One line for people on the progress, such as "Reading files: 37 of 200, about 12 s left"."""
    if not stage:
        return "Starting"
    told = f"{stage}: {done} of {total}" if total > 1 else stage
    if seconds_left is None:
        return told
    if seconds_left < 90:
        return f"{told}, about {seconds_left:.0f} s left"
    minutes = seconds_left / 60
    return (
        f"{told}, about {minutes:.0f} min left"
        if minutes < 90
        else f"{told}, about {minutes / 60:.1f} h left"
    )
