"""Durable background jobs: what is queued, what runs, how far it is, how it ended; one at a time in a workspace.

Two SQLite files share the work. The table `jobs` in workspace.db is the truth: every job, its order, its progress,
its result. huey (jobs.db) does what a table cannot: its consumer lives in the app, takes messages that another
process may have sent before this one began, and replaces a worker that died. A message only says "look at the
table": huey cannot move what it has queued, people want to. Celery, RQ and Dramatiq ask for a server beside
us, APScheduler is for timetables, and persist-queue has no worker; huey needs nothing but a file.

How it holds. `RUN_LOCK` is held, by the operating system, by whoever runs a job, across processes. A job that runs,
or that a command line keeps for itself, also has a lock of its own, so that a killed process is told from a living
one: a lock goes with its process, a process number comes back. Whatever a kill leaves: queued jobs stay queued,
the one that ran reads as interrupted, and `resume` queues it again under its own id; its kind's function finds what
is done already. Knows kinds by their name (`kinds.KINDS`); knows neither what they do nor who looks at them.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from filelock import FileLock, Timeout
from huey.api import TaskWrapper

from exdd_core.errors import BadInput, Cancelled
from exdd_core.jobs import kinds
from exdd_core.jobs.messages import opened
from exdd_core.jobs.table import (
    DATABASE,
    QUEUED,
    WAIT,
    Job,
    JobRow,
    Standing,
    alive,
    cancel,
    forget_old,
    get,
    insert_job,
    is_alive,
    job_folder,
    job_of_row,
    listed,
    row_of,
    standing_of,
    update_job,
)
from exdd_core.progress import Progress
from exdd_core.spec import Result
from exdd_core.workspace.clock import now
from exdd_core.workspace.failures import sentence_of

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

RUN_LOCK = ".jobs.lock"
TELL = 0.3  # seconds between two looks of a running job's watcher: at progress to write, and for a cancel
log = logging.getLogger(__name__)


def submit(
    workspace: Workspace,
    kind: str,
    title: str,
    spec: Mapping[str, Any],
    first: bool = False,
    upload: Path | None = None,
) -> Job:
    """Queue a job, behind all others or as the next one. Raises BadInput for an unknown kind.

    `upload` is a file that nobody keeps for us: it is copied, `spec["upload"]` becomes the copy's path, and the
    copy lasts until the job is done or cleared away.
    """
    id = uuid.uuid4().hex[:12]
    _require_kind(kind)
    if upload is not None:
        folder = job_folder(workspace, id)
        folder.mkdir(parents=True)
        spec = {**spec, "upload": str(shutil.copyfile(upload, folder / upload.name))}
    insert_job(workspace, id, kind, title, spec, first=first)
    _wake(workspace)
    return get(workspace, id)


def _require_kind(kind: str) -> None:
    if kind not in kinds.KINDS:
        raise BadInput(f'There is no job of the kind "{kind}"; those there are: {", ".join(kinds.KINDS)}.')


def resume(workspace: Workspace, id: str) -> Job:
    """Queue an interrupted, cancelled or failed job again, where it stood in the order. Raises BadInput."""
    with workspace.writing() as db:
        job = job_of_row(workspace, row_of(db, id))
        if job.active or job.state == "done":
            raise BadInput(f'"{job.title}" is {job.state}; only what did not get to its end can be resumed.')
        update_job(db, id, state="queued", started=None, ended=None, error=None, pid=None, cancel=0)
    _wake(workspace)
    return get(workspace, id)


def run_next(workspace: Workspace) -> Job | None:
    """Run the first queued job in this thread and return it ended. This is all that a worker does.

    None where none is queued, where another process runs one and does not end within WAIT seconds, and
    where the first is one that a command line keeps for itself.
    """
    with _turn(workspace) as ours:
        job = _first(workspace) if ours else None
        if job is None:
            return None
        with alive(workspace, job.id):
            if not _take(workspace, job.id):
                return None  # cancelled while we looked
            try:
                _run(workspace, job, Progress())
            except (BadInput, Cancelled):
                pass  # the table has it
            except Exception:
                log.exception("%s failed", job.title)
    return get(workspace, job.id)


def run_here(
    workspace: Workspace, kind: str, title: str, spec: Mapping[str, Any], progress: Progress | None = None
) -> Any:
    """Run a job in this process and return its result: a command's way, on the same list as all others.

    The result is what the function of the kind in `kinds` returns, mostly one of `results`.
    Waits for its turn. Raises what the work raises, and Cancelled when somebody cancels it from elsewhere.
    """
    _require_kind(kind)
    id, progress = uuid.uuid4().hex[:12], progress or Progress()
    with alive(workspace, id):
        insert_job(workspace, id, kind, title, spec, pid=os.getpid())
        try:
            while True:
                with _turn(workspace) as ours:
                    job = _first(workspace, mine=id) if ours else None
                    if job is not None and _take(workspace, id):
                        return _run(workspace, job, progress)
                if not get(workspace, id).active:
                    raise Cancelled(title)
                progress.begin("Waiting for other jobs to end", 1)
                time.sleep(WAIT)
        finally:
            if get(workspace, id).state == "queued":  # interrupted at the keyboard
                cancel(workspace, id)
            shutil.rmtree(job_folder(workspace, id), ignore_errors=True)


def _first(workspace: Workspace, mine: str = "") -> Job | None:
    """The queued job whose turn it is, if it is ours to run: `mine`, or one that no command line keeps.

    The caller has the turn, so nothing can be running: what says so was killed.
    """
    with workspace.writing() as db:
        db.execute("update jobs set state = 'interrupted', ended = ? where state = 'running'", [now()])
        for row in list(db.query(QUEUED)):
            if row["id"] == mine or (row["pid"] is None and not mine):
                return job_of_row(workspace, cast(JobRow, row))
            if row["pid"] is None or is_alive(workspace, row["id"]):
                return None  # somebody else's turn
            update_job(db, row["id"], state="interrupted", ended=now())  # killed while it waited
    return None


def _take(workspace: Workspace, id: str) -> bool:
    """Enter a queued job as running here; False when it is not queued any more."""
    with workspace.writing() as db:
        taken = db.execute(
            "update jobs set state = 'running', pid = ?, started = ?, stage = '', done = 0, total = 0, "
            "seconds_left = null where id = ? and state = 'queued'",
            [os.getpid(), now(), id],
        )
        return bool(taken.rowcount == 1)


def _run(workspace: Workspace, job: Job, progress: Progress) -> Result:
    """Do the work, enter how it ended, return its result. Raises what the work raises."""
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(workspace, job.id, progress, over), daemon=True)
    watcher.start()
    end = {"state": "cancelled"}
    try:
        kind = kinds.KINDS[job.kind]
        result = dict(kind.work(workspace, kind.read(job.spec), progress, job.id))
        end = {"state": "done", "result": json.dumps(result)}
        return result
    except (Cancelled, KeyboardInterrupt):
        raise
    except BaseException as error:
        end = {"state": "failed", "error": sentence_of(error, job.title)}
        raise
    finally:
        over.set()
        watcher.join()
        try:
            with workspace.writing() as db:
                update_job(db, job.id, ended=now(), **standing_of(progress), **end)
                forget_old(db)
        except BadInput:  # a full disk, say: what was made is there, and the job will read as interrupted
            log.warning("The end of job %s could not be written", job.id)
        if end["state"] == "done":
            shutil.rmtree(job_folder(workspace, job.id), ignore_errors=True)


def _watch(workspace: Workspace, id: str, progress: Progress, over: threading.Event) -> None:
    """Write a running job's progress to the table, and hear of a cancel there, until it is over."""
    written: Standing | None = None
    while not over.wait(TELL):
        try:
            with workspace.reading() as db:
                if row_of(db, id)["cancel"]:
                    progress.cancel()
            standing = standing_of(progress)
            if standing != written:
                with workspace.writing() as db:
                    update_job(db, id, **standing)
                written = standing
        except BadInput:  # a full disk, say: the work itself will meet it and say so
            log.warning("The progress of job %s could not be written", id)


def queue(workspace: Workspace, stopped: threading.Event) -> TaskWrapper:
    """The workspace's queue, as its one task: a call puts the message `look` there.

    It also goes there when a worker begins, and once a minute: nothing stays lying, whatever was killed.
    """
    huey = opened(workspace.path / DATABASE)

    def nothing_waits(when: datetime) -> bool:
        return bool(huey.pending_count() == 0)

    @huey.periodic_task(nothing_waits)
    def look() -> None:
        while not stopped.is_set() and (run_next(workspace) or listed(workspace, active=True)):
            stopped.wait(WAIT)

    return look


def _wake(workspace: Workspace) -> None:
    """Tell whatever worker listens that there is work."""
    look = queue(workspace, threading.Event())
    look()
    look.huey.storage.close()


@contextmanager
def _turn(workspace: Workspace) -> Iterator[bool]:
    """The right to run a job; False where somebody else has it for longer than WAIT seconds."""
    lock = FileLock(workspace.path / RUN_LOCK)
    try:
        lock.acquire(timeout=WAIT)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
