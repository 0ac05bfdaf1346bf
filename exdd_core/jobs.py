"""Long work in the background: one job at a time, in a thread of this process.

Knows that a job has a title, progress, an end and perhaps a result. Does not know what the work is or who
looks at it. A job lives as long as the process: closing the page does not stop it, stopping the program does.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from typing import Any, Literal

from exdd_core.errors import BadInput, Cancelled
from exdd_core.progress import Progress

State = Literal["running", "done", "cancelled", "failed"]
log = logging.getLogger(__name__)


class Job:
    """One piece of work. Any thread may read it, `cancel` it or `wait` for it."""

    def __init__(self, kind: str, title: str, work: Callable[[Progress], Any]):
        self.id = uuid.uuid4().hex[:12]
        self.kind = kind  # what sort of work, such as "build"; for whoever shows it
        self.title = title  # for people, such as "Build a bank version from tiles"
        self.state: State = "running"
        self.progress = Progress()
        self.result: Any = None  # what the work returned
        self.error = ""  # one sentence, when failed
        self._work = work
        self._thread = threading.Thread(target=self._run, name=f"job {kind}", daemon=True)

    def cancel(self) -> None:
        """Ask the work to stop at its next step; a job that has ended stays as it is."""
        self.progress.cancel()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end, at most `seconds`; whether it has come."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        # `state` is set last: whoever sees the end also sees the result or the error.
        try:
            self.result = self._work(self.progress)
            self.state = "done"
        except Cancelled:
            self.state = "cancelled"
        except BadInput as error:
            self.error = str(error)
            self.state = "failed"
        except MemoryError:
            self.error = "The memory is full; use smaller images, a smaller share of patches or fewer images."
            self.state = "failed"
        except Exception as error:
            log.exception("%s failed", self.title)
            self.error = (
                f"{self.title} failed ({type(error).__name__}: {error}); the program's log says where."
            )
            self.state = "failed"


_latest: Job | None = None
_starting = threading.Lock()


def start(kind: str, title: str, work: Callable[[Progress], Any]) -> Job:
    """Run `work(progress)` in the background. Raises BadInput while another job is running."""
    global _latest
    with _starting:
        if _latest is not None and _latest.state == "running":
            raise BadInput(f'"{_latest.title}" is still running; wait for it or cancel it first.')
        job = Job(kind, title, work)
        job._thread.start()
        _latest = job
        return job


def current() -> Job | None:
    """The job that runs, or else the last one that ended; None when there was none."""
    return _latest
