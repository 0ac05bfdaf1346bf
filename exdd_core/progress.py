"""What a long computation tells whoever is watching, and how they stop it.

It knows counts and the clock. It does not know who watches (a terminal, a page, nobody) or what is computed.
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
        self._cancel = threading.Event()

    def begin(self, stage: str, total: int) -> None:
        """Start the next stage of `total` steps."""
        self.stage, self.done, self.total, self._began = stage, 0, total, time.monotonic()
        self._tell()

    def advance(self, steps: int = 1) -> None:
        """Report `steps` more steps as done. Raises `Cancelled` after `cancel`."""
        self.done += steps
        self._tell()

    def cancel(self) -> None:
        self._cancel.set()

    @property
    def cancelled(self) -> bool:
        return self._cancel.is_set()

    @property
    def fraction(self) -> float:
        """Share of the current stage that is done, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Time until the current stage ends at its pace so far; None while there is no pace yet."""
        if not self.done or self.done >= self.total:
            return None
        return (time.monotonic() - self._began) / self.done * (self.total - self.done)

    @property
    def text(self) -> str:
        """One line for people, such as "Computing features: 37 of 200, about 12 s left"."""
        if not self.stage:
            return "Starting"
        line = f"{self.stage}: {self.done} of {self.total}" if self.total > 1 else self.stage
        left = self.seconds_left
        if left is None:
            return line
        return f"{line}, about {left:.0f} s left" if left < 90 else f"{line}, about {left / 60:.0f} min left"

    def _tell(self) -> None:
        if self._cancel.is_set():
            raise Cancelled(self.stage)
        if self._listener:
            self._listener(self)
