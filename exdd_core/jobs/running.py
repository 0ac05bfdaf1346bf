"""Queues and runs background jobs, one at a time in a workspace.

Two SQLite files share the work. The table `jobs` in workspace.db has every job with its order, progress and result.
huey (jobs.db) adds what a table cannot do: its consumer runs in the app, receives messages of other processes, also
earlier ones, and replaces a worker that died. A message only says "read the table", because huey cannot reorder its own
queue. Celery, RQ and Dramatiq need a server, APScheduler is for timetables, and persist-queue has no worker; huey only
needs a file.

The process that runs a job holds `RUN_LOCK`, a lock of the operating system. Each running job, and each job that a
command line runs itself, also has its own lock, which shows whether its process is alive: a lock ends with its process,
while a process id may be reused. If a process is killed, queued jobs stay queued, and the next worker continues the
running job under its id from the existing results. It does so once: a job that was running at two crashes in a row
waits for a person (`resume`), since it may be what ends the program. A process that is asked to end (`Worker.drain`)
stops its job at the next step and queues it again itself. Knows kinds by their name (`kinds.KINDS`), and that a new
version is measured. Does not know what kinds do.
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
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from filelock import FileLock, Timeout
from huey.api import TaskWrapper

from exdd_core import datasets, device, logs
from exdd_core.errors import BadInput, Cancelled, LostFiles
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
    end_job,
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
from exdd_core.spec import Json
from exdd_core.workspace import image_windows, runs
from exdd_core.workspace.clock import now
from exdd_core.workspace.dataset_settings import called
from exdd_core.workspace.failures import sentence_of
from exdd_core.workspace.image_windows import Which

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace import BankVersion, Workspace

RUN_LOCK = ".jobs.lock"
TELL = 0.3  # seconds between two updates of a running job's row, which also check for a cancel
# The columns of a job that waits, in its former position, to be run by a worker.
WAITING = {
    "state": "queued",
    "started": None,
    "ended": None,
    "turn": None,
    "error": None,
    "pid": None,
    "cancel": 0,
    "retries": 1,
    "lost": None,
}
MEASURED_AFTER = ("build", "demo", "table1")  # kinds of jobs after which the newest version is measured
TWICE = "The program stopped twice while this job ran; check its log, then resume or cancel the job."
log = logging.getLogger(__name__)


def submit(
    workspace: Workspace,
    kind: str,
    title: str,
    spec: Mapping[str, Any],
    first: bool = False,
    upload: Path | None = None,
) -> Job:
    """Queue a job as the last or (`first`) the next one. Raises `BadInput` for an unknown kind.

    upload: a temporary file. It is copied, `spec["upload"]` becomes the copy's path, and the copy is kept until the
    job is done or cleared.
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
        raise BadInput(f'There is no job kind "{kind}"; choose one of {", ".join(kinds.KINDS)}.')


def resume(workspace: Workspace, id: str, without_missing: bool = False) -> Job:
    """Queue an interrupted, cancelled or failed job again, in its former position. Raises `BadInput`.

    without_missing: it leaves out the missing files that it failed for (`Job.lost`).
    """
    with workspace.writing() as db:
        job = job_of_row(workspace, row_of(db, id))
        if job.active or job.state == "done":
            raise BadInput(f'"{job.title}" is {job.state}; only a job that did not finish can be resumed.')
        if without_missing and not job.lost:
            raise BadInput(f'"{job.title}" did not fail because of missing files; try it again as it is.')
        spec = {**job.spec, "without_missing": True} if without_missing else job.spec
        update_job(db, id, **WAITING, spec=json.dumps(dict(spec)))
    _wake(workspace)
    return get(workspace, id)


def measuring(workspace: Workspace, bank: BankVersion) -> tuple[str, Json]:
    """The title and the specification of the job that measures a version on the test split of its data set."""
    name = called(workspace).get(bank.dataset, bank.dataset)
    spec: Json = {"bank": bank.id, "dataset": bank.dataset, "fusion": None, "rate": None}
    return f"Measuring {bank.name} on the test split of {name}", spec


def measure_newest(workspace: Workspace) -> None:
    """Queue a measurement of the newest version. Does nothing where one was ordered or made before, and where the test
    split could not show anything."""
    bank = next((bank for bank in workspace.banks() if not bank.is_measurement), None)
    if bank is None or runs.using(workspace, bank.id):
        return
    if any(job.kind == "evaluate" and job.spec.get("bank") == bank.id for job in listed(workspace)):
        return
    split = [Which(bank.dataset, "test", label) for label in (datasets.NORMAL, datasets.DEFECT)]
    if all(image_windows.count(workspace, which) for which in split):
        submit(workspace, "evaluate", *measuring(workspace, bank))


def wait_again(workspace: Workspace) -> None:
    """Queue the job that a worker of this process runs: the process is about to end in the middle of it."""
    with workspace.writing() as db:
        running = "select id from jobs where state = 'running' and pid = ? and cancel = 0"
        for (id,) in db.execute(running, [os.getpid()]).fetchall():
            update_job(db, id, **WAITING)


def run_next(workspace: Workspace, draining: threading.Event | None = None) -> Job | None:
    """Run the first queued job in this thread, and return it once it has ended (as it was before where its row was
    cleared at once). Workers call this in a loop.

    draining: once it is set, the job stops at its next step and is queued again.

    None where no job is queued, where another process runs one for longer than WAIT seconds, and where the first job
    belongs to a command line.
    """
    with _turn(workspace) as ours:
        job = _first(workspace) if ours else None
        if job is None:
            _make_room(workspace)
            return None
        with alive(workspace, job.id):
            if not _take(workspace, job.id):
                return None  # cancelled meanwhile
            with suppress(Exception):  # the table has its sentence, and the log the rest
                _run(workspace, job, Progress(), draining)
                if job.kind in MEASURED_AFTER:
                    measure_newest(workspace)
    device.trim()
    with suppress(BadInput):  # once it has ended, it may be cleared from the list at any time
        job = get(workspace, job.id)
    return job


def _make_room(workspace: Workspace) -> None:
    """Free the device where another process runs a job that needs it."""
    running = (job for job in listed(workspace, active=True) if job.state == "running")
    if any(kinds.KINDS[job.kind].clears for job in running if job.kind in kinds.KINDS):
        device.vacate()


def run_here(
    workspace: Workspace, kind: str, title: str, spec: Mapping[str, Any], progress: Progress | None = None
) -> Any:
    """Run a job in this process and return its result, as commands do. It is on the same list as all others.

    The result is that of the kind's function in `kinds`, mostly a type of `results`. Waits for the job's turn. Raises
    the errors of the work, and `Cancelled` when somebody cancels it elsewhere.
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
                        result = _run(workspace, job, progress)
                        if kind in MEASURED_AFTER:
                            _wake(workspace, measure=True)
                        return result
                if not get(workspace, id).active:
                    raise Cancelled(title)
                progress.begin("Waiting for other jobs to finish", 1)
                time.sleep(WAIT)
        finally:
            with suppress(BadInput):  # once it has ended, it may be cleared from the list at any time
                if get(workspace, id).state == "queued":  # interrupted at the keyboard
                    cancel(workspace, id)
            shutil.rmtree(job_folder(workspace, id), ignore_errors=True)


def _first(workspace: Workspace, mine: str = "") -> Job | None:
    """The first queued job, if it is `mine` or does not belong to a command line; else None.

    The caller holds `RUN_LOCK`, so a job whose row says that it runs was killed.
    """
    with workspace.writing() as db:
        for row in list(db.query("select * from jobs where state = 'running'")):
            _after_crash(db, cast(JobRow, row))
        for row in list(db.query(QUEUED)):
            if row["id"] == mine or (row["pid"] is None and not mine):
                return job_of_row(workspace, cast(JobRow, row))
            if row["pid"] is None or is_alive(workspace, row["id"]):
                return None  # its command line will run it
            end_job(db, row["id"], state="interrupted")  # killed while it waited
    return None


def _after_crash(db: Database, row: JobRow) -> None:
    """Queue a job again whose process was killed, or end it."""
    if row["cancel"]:
        end_job(db, row["id"], state="cancelled")
    elif row["retries"]:
        update_job(db, row["id"], **WAITING | {"retries": 0})
    else:
        end_job(db, row["id"], state="interrupted", error=None if row["retries"] is None else TWICE)


def _take(workspace: Workspace, id: str) -> bool:
    """Mark a queued job as running in this process; False if it is no longer queued."""
    with workspace.writing() as db:
        taken = db.execute(
            "update jobs set state = 'running', pid = ?, started = ?, stage = '', done = 0, total = 0, "
            "seconds_left = null where id = ? and state = 'queued'",
            [os.getpid(), now(), id],
        )
        return bool(taken.rowcount == 1)


def _run(workspace: Workspace, job: Job, progress: Progress, draining: threading.Event | None = None) -> Json:
    """Run a job's work, store how it ended and return its result. Raises the errors of the work."""
    with logs.job(job.id, job.who):
        log.info("%s begins", job.title)
        return _watched(workspace, job, progress, draining or threading.Event())


def _watched(workspace: Workspace, job: Job, progress: Progress, draining: threading.Event) -> Json:
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(workspace, job.id, progress, over, draining), daemon=True)
    watcher.start()
    end: dict[str, object] = {"state": "cancelled"}
    try:
        kind = kinds.KINDS[job.kind]
        if kind.clears:
            device.vacate()
        result = dict(kind.work(workspace, kind.read(job.spec), progress, job.id))
        end = {"state": "done", "result": json.dumps(result)}
        return result
    except (Cancelled, KeyboardInterrupt):
        raise
    except BaseException as error:
        end = {"state": "failed", "error": sentence_of(error, job.title)}
        end["lost"] = isinstance(error, LostFiles)
        raise
    finally:
        over.set()
        watcher.join()
        log.info("%s: %s", job.title, end["state"])
        try:
            with workspace.writing() as db:
                if end["state"] == "cancelled" and draining.is_set() and not row_of(db, job.id)["cancel"]:
                    update_job(db, job.id, **WAITING)
                else:
                    end_job(db, job.id, **standing_of(progress), **end)
                    forget_old(db)
        except BadInput:  # such as a full disk; the result is stored, and the job will read as interrupted
            log.warning("The end of job %s could not be written", job.id)
        if end["state"] == "done":
            shutil.rmtree(job_folder(workspace, job.id), ignore_errors=True)


def _watch(
    workspace: Workspace, id: str, progress: Progress, over: threading.Event, draining: threading.Event
) -> None:
    """Write a running job's progress to the table, and pass on a cancel from there, until it is over."""
    written: Standing | None = None
    while not over.wait(TELL):
        try:
            with workspace.reading() as db:
                if draining.is_set() or row_of(db, id)["cancel"]:
                    progress.cancel()
            standing = standing_of(progress)
            if standing != written:
                with workspace.writing() as db:
                    update_job(db, id, **standing)
                written = standing
        except BadInput:  # such as a full disk, which the work itself will report
            log.warning("The progress of job %s could not be written", id)


def queue(workspace: Workspace, stopped: threading.Event, draining: threading.Event) -> TaskWrapper:
    """The queue of a workspace, as its only task: calling it sends the message `look`.

    The message is also sent when a worker starts and once a minute, so that no job waits forever after a kill.
    stopped: run no further job. draining: as in `run_next`.
    """
    huey = opened(workspace.path / DATABASE)

    def nothing_waits(when: datetime) -> bool:
        return bool(huey.pending_count() == 0)

    @huey.periodic_task(nothing_waits)
    def look(measure: bool = False) -> None:
        if measure:
            with suppress(BadInput):  # such as a full disk, which whoever works will hear of
                measure_newest(workspace)
        while not stopped.is_set() and (run_next(workspace, draining) or listed(workspace, active=True)):
            stopped.wait(WAIT)

    return look


def _wake(workspace: Workspace, measure: bool = False) -> None:
    """Notify the workers, which there may be none of, of a new job, or (`measure`) of a version to be measured."""
    look = queue(workspace, threading.Event(), threading.Event())
    look(measure)
    look.huey.storage.close()


@contextmanager
def _turn(workspace: Workspace) -> Iterator[bool]:
    """Hold `RUN_LOCK`; yields False where another process holds it for longer than WAIT seconds."""
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
