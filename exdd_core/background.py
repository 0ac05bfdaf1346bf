"""Runs work in a thread of its own and reports its progress.

Knows threads and progress. Does not know the work, or jobs: work that must survive the program is a job.
"""

from __future__ import annotations

import contextvars
import threading
import uuid
from collections.abc import Callable
from typing import Generic, TypeVar

from exdd_core.errors import Cancelled
from exdd_core.progress import Progress

T = TypeVar("T")
KEPT = 20  # works that are over and that nobody has asked for, such as those of a page that was closed


class Background(Generic[T]):
    """Starts `work` at once. When it is `over`, there is a `result` or the `error` that ended it.

    The thread ends with the program. `cancel` makes the work's next step raise `Cancelled`.
    """

    def __init__(self, name: str, work: Callable[[Progress], T]):
        self.id = uuid.uuid4().hex[:12]
        self.progress = Progress()
        self.over = threading.Event()
        self.result: T | None = None
        self.error: Exception | None = None
        run = contextvars.copy_context().run  # it works on what the request works on
        threading.Thread(target=run, args=(self._run, work), name=f"{name} {self.id}", daemon=True).start()

    def _run(self, work: Callable[[Progress], T]) -> None:
        try:
            self.result = work(self.progress)
        except Exception as error:
            self.error = error
        finally:
            self.over.set()

    def cancel(self) -> None:
        self.progress.cancel()

    @property
    def was_cancelled(self) -> bool:
        return isinstance(self.error, Cancelled)


class Works(dict[str, Background[T]]):
    """Background work by id, until somebody has taken its result. Of those that nobody takes, the last `KEPT` stay."""

    def begin(self, name: str, work: Callable[[Progress], T]) -> str:
        """Start `work` and return its id."""
        over = [id for id, one in self.copy().items() if one.over.is_set()]
        for id in over[:-KEPT]:
            self.pop(id, None)
        begun = Background(name, work)
        self[begun.id] = begun
        return begun.id
