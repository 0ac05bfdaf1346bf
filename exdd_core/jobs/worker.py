"""The worker: huey's consumer in threads of this process.

Knows the queue and running. Does not know what a job does.
"""

from __future__ import annotations

import shutil
import threading
import time
from typing import TYPE_CHECKING

from huey.consumer import Consumer

from exdd_core.jobs.running import queue, wait_again
from exdd_core.jobs.table import FOLDERS

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

# Seconds until a job's folder without a row is removed: its row may be about to be inserted.
UPLOAD_KEPT = 3600.0


def start_worker(workspace: Workspace) -> Worker:
    """Run queued jobs in threads of this process. Several processes may do so; jobs still run one at a time."""
    return Worker(workspace)


class Worker:
    """huey's consumer in threads of this process, which runs queued jobs until `stop` or the end of the process."""

    def __init__(self, workspace: Workspace):
        self._workspace = workspace
        self._stopped, self._draining = threading.Event(), threading.Event()
        _sweep(workspace)
        look = queue(workspace, self._stopped, self._draining)
        look()
        self._consumer = _Consumer(look.huey, workers=1, max_delay=0.5, scheduler_interval=60)
        # huey looks for signals ten times a second, which this consumer does not get; `stop` wakes it at once.
        self._consumer._stop_flag_timeout = 1.0
        self._thread = threading.Thread(target=self._consumer.run, name="jobs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Start no further job, and wait for the running one to end."""
        self._stopped.set()
        self._consumer.stop_flag.set()
        self._thread.join()
        self._consumer.stop(graceful=True)

    def drain(self, seconds: float) -> bool:
        """Start no further job, and let the running one stop at its next step: it is queued again, for the next worker.

        A job that does not stop within `seconds` is queued, too; the caller then ends the process. Returns whether it
        stopped.
        """
        self._stopped.set()
        self._draining.set()
        ended = threading.Thread(target=self.stop, daemon=True)
        ended.start()
        ended.join(seconds)
        if ended.is_alive():
            wait_again(self._workspace)
        return not ended.is_alive()


class _Consumer(Consumer):
    def _set_signal_handlers(self) -> None:
        """Set none: the app handles signals, and only the main thread may set handlers."""


def _sweep(workspace: Workspace) -> None:
    """Remove folders of jobs that are not in the table, as a kill may leave them."""
    with workspace.reading() as db:
        known = {row[0] for row in db.execute("select id from jobs")}
    root = workspace.path / FOLDERS
    for folder in root.iterdir() if root.is_dir() else ():
        if folder.name not in known and time.time() - folder.stat().st_mtime > UPLOAD_KEPT:
            shutil.rmtree(folder, ignore_errors=True)
