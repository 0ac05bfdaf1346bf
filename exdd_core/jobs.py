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
is done already. Knows kinds by their name (`tasks.KINDS`); knows neither what they do nor who looks at them.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import shutil
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock, Timeout
from huey import SqliteHuey
from huey.api import TaskWrapper
from huey.consumer import Consumer
from huey.registry import Message
from huey.serializer import Serializer

from exdd_core.errors import BadInput, Cancelled
from exdd_core.progress import Progress, line, share

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace import Workspace

State = Literal["queued", "running", "done", "cancelled", "failed", "interrupted"]
ENDED = ("done", "cancelled", "failed")  # what `clear_ended` removes: an interrupted job waits for a decision
DATABASE, FOLDERS, ALIVE = "jobs.db", "cache/jobs", "alive.lock"
QUEUED = "select * from jobs where state = 'queued' order by position, rowid"
ENDED_KEPT = 100  # the last ones
RUN_LOCK, DEVICE_LOCK, NEXT_LOCK = ".jobs.lock", ".device.lock", ".device-next.lock"
TELL = 0.3  # seconds between two looks of a running job's watcher: at progress to write, and for a cancel
WAIT = 0.2  # seconds between two tries to have one's turn
UPLOAD_KEPT = 3600.0  # seconds that a job's folder without a row may still be on its way to one
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One piece of work as the table has it. Times are ISO 8601 in UTC, "" where they have not come."""

    id: str
    kind: str  # of `tasks.KINDS`
    title: str  # for people, such as "Build a bank version from tiles"
    spec: dict[str, Any]  # what the kind's function is given
    state: State
    text: str  # one line for people of where it stands
    fraction: float  # of the current stage, 0 to 1
    seconds_left: float | None
    result: dict[str, Any] | None
    error: str  # one sentence, when failed
    created: str
    started: str
    ended: str

    @property
    def active(self) -> bool:
        """Whether it runs or will."""
        return self.state in ("queued", "running")


# --- what there is ----------------------------------------------------------------------------------------


def submit(
    workspace: Workspace,
    kind: str,
    title: str,
    spec: dict[str, Any],
    first: bool = False,
    upload: Path | None = None,
) -> Job:
    """Queue a job, behind all others or as the next one. Raises BadInput for an unknown kind.

    `upload` is a file that nobody keeps for us: it is copied, `spec["upload"]` becomes the copy's path, and the
    copy lasts until the job is done or cleared away.
    """
    id = uuid.uuid4().hex[:12]
    if upload is not None:
        folder = _folder(workspace, id)
        folder.mkdir(parents=True)
        spec = spec | {"upload": str(shutil.copyfile(upload, folder / upload.name))}
    _insert(workspace, id, kind, title, spec, first=first)
    _wake(workspace)
    return get(workspace, id)


def listed(workspace: Workspace, active: bool = False) -> list[Job]:
    """The running job, those queued in their order, and (unless only `active` ones are asked for) the others,
    the last that ended first."""
    with workspace.reading() as db:
        rows = list(db.query("select * from jobs order by position, rowid"))
    found = [_job(workspace, row) for row in rows]
    by_state = [job for job in found if job.state == "running"]
    by_state += [job for job in found if job.state == "queued"]
    if not active:
        over = [job for job in found if not job.active]
        by_state += sorted(over, key=lambda job: job.ended or job.started, reverse=True)
    return by_state


def get(workspace: Workspace, id: str) -> Job:
    """The job of that id. Raises BadInput when there is none."""
    with workspace.reading() as db:
        return _job(workspace, _row(db, id))


def cancel(workspace: Workspace, id: str) -> Job:
    """Stop a job: a queued or interrupted one at once, a running one at its next step, whichever process runs it."""
    with workspace.writing() as db:
        job = _job(workspace, _row(db, id))
        if job.state in ("queued", "interrupted"):
            _update(db, id, state="cancelled", ended=_now(), cancel=1)
        elif job.state == "running":
            _update(db, id, cancel=1)
    return get(workspace, id)


def resume(workspace: Workspace, id: str) -> Job:
    """Queue an interrupted, cancelled or failed job again, where it stood in the order. Raises BadInput."""
    with workspace.writing() as db:
        job = _job(workspace, _row(db, id))
        if job.active or job.state == "done":
            raise BadInput(f'"{job.title}" is {job.state}; only what did not get to its end can be resumed.')
        fresh: dict[str, Any] = {"started": None, "ended": None, "error": None, "pid": None, "cancel": 0}
        _update(db, id, state="queued", **fresh)
    _wake(workspace)
    return get(workspace, id)


def move(workspace: Workspace, id: str, where: Literal["up", "down", "first"]) -> None:
    """Change the place of a queued job; at the end of the line nothing moves. Raises BadInput."""
    with workspace.writing() as db:
        job = _job(workspace, _row(db, id))
        if job.state != "queued":
            raise BadInput(f'"{job.title}" is {job.state} and not waiting; its place cannot change.')
        queued = list(db.query(QUEUED))
        order = [row["id"] for row in queued]
        old = order.index(id)
        order.insert({"up": max(0, old - 1), "down": old + 1, "first": 0}[where], order.pop(old))
        for row, moved in zip(queued, order, strict=True):
            _update(db, moved, position=row["position"])


def clear_ended(workspace: Workspace) -> int:
    """Take the jobs that are done, cancelled or failed off the list; how many. What they made stays."""
    with workspace.writing() as db:
        gone = [row[0] for row in db.execute(f"delete from jobs where state in {ENDED} returning id")]
    for id in gone:
        shutil.rmtree(_folder(workspace, id), ignore_errors=True)
    return len(gone)


# --- running ----------------------------------------------------------------------------------------------


def run_next(workspace: Workspace) -> Job | None:
    """Run the first queued job in this thread and return it ended. This is all that a worker does.

    None where none is queued, where another process runs one and does not end within WAIT seconds, and
    where the first is one that a command line keeps for itself.
    """
    with _turn(workspace) as ours:
        job = _first(workspace) if ours else None
        if job is None:
            return None
        with _mark(workspace, job.id):
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
    workspace: Workspace, kind: str, title: str, spec: dict[str, Any], progress: Progress | None = None
) -> dict[str, Any]:
    """Run a job in this process and return its result: a command's way, on the same list as all others.

    Waits for its turn. Raises what the work raises, and Cancelled when somebody cancels it from elsewhere.
    """
    id, progress = uuid.uuid4().hex[:12], progress or Progress()
    with _mark(workspace, id):
        _insert(workspace, id, kind, title, spec, pid=os.getpid())
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
            shutil.rmtree(_folder(workspace, id), ignore_errors=True)


def _first(workspace: Workspace, mine: str = "") -> Job | None:
    """The queued job whose turn it is, if it is ours to run: `mine`, or one that no command line keeps.

    The caller has the turn, so nothing can be running: what says so was killed.
    """
    with workspace.writing() as db:
        db.execute("update jobs set state = 'interrupted', ended = ? where state = 'running'", [_now()])
        for row in list(db.query(QUEUED)):
            if row["id"] == mine or (row["pid"] is None and not mine):
                return _job(workspace, row)
            if row["pid"] is None or _is_alive(workspace, row["id"]):
                return None  # somebody else's turn
            _update(db, row["id"], state="interrupted", ended=_now())  # killed while it waited
    return None


def _take(workspace: Workspace, id: str) -> bool:
    """Enter a queued job as running here; False when it is not queued any more."""
    with workspace.writing() as db:
        taken = db.execute(
            "update jobs set state = 'running', pid = ?, started = ?, stage = '', done = 0, total = 0, "
            "seconds_left = null where id = ? and state = 'queued'",
            [os.getpid(), _now(), id],
        )
        return bool(taken.rowcount == 1)


def _run(workspace: Workspace, job: Job, progress: Progress) -> dict[str, Any]:
    """Do the work, enter how it ended, return its result. Raises what the work raises."""
    from exdd_core import tasks

    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(workspace, job.id, progress, over), daemon=True)
    watcher.start()
    end: dict[str, Any] = {"state": "cancelled"}
    try:
        result = tasks.KINDS[job.kind](workspace, job.spec, progress, job.id)
        end = {"state": "done", "result": json.dumps(result)}
        return result
    except (Cancelled, KeyboardInterrupt):
        raise
    except BaseException as error:
        end = {"state": "failed", "error": _sentence(job.title, error)}
        raise
    finally:
        over.set()
        watcher.join()
        try:
            with workspace.writing() as db:
                _update(db, job.id, ended=_now(), **_standing(progress), **end)
                _forget_old(db)
        except BadInput:  # a full disk, say: what was made is there, and the job will read as interrupted
            log.warning("The end of job %s could not be written", job.id)
        if end["state"] == "done":
            shutil.rmtree(_folder(workspace, job.id), ignore_errors=True)


def _forget_old(db: Database) -> None:
    """Every look at the list reads all of it, so it stays short."""
    over = f"from jobs where state in {ENDED}"
    db.execute(f"delete {over} and id not in (select id {over} order by ended desc limit {ENDED_KEPT})")


def _watch(workspace: Workspace, id: str, progress: Progress, over: threading.Event) -> None:
    """Write a running job's progress to the table, and hear of a cancel there, until it is over."""
    written: dict[str, Any] = {}
    while not over.wait(TELL):
        try:
            with workspace.reading() as db:
                if _row(db, id)["cancel"]:
                    progress.cancel()
            standing = _standing(progress)
            if standing != written:
                with workspace.writing() as db:
                    _update(db, id, **standing)
                written = standing
        except BadInput:  # a full disk, say: the work itself will meet it and say so
            log.warning("The progress of job %s could not be written", id)


def _standing(progress: Progress) -> dict[str, Any]:
    left = progress.seconds_left
    return {
        "stage": progress.stage,
        "done": progress.done,
        "total": progress.total,
        "seconds_left": None if left is None else round(left, 1),
    }


def _sentence(title: str, error: BaseException) -> str:
    if isinstance(error, BadInput):
        return str(error)
    if isinstance(error, (OSError, sqlite3.Error)):
        from exdd_core.workspace import plain_sentence

        return plain_sentence(error)
    if isinstance(error, MemoryError):
        return "The memory is full; use smaller images, a smaller share of patches or fewer images."
    return f"{title} failed ({type(error).__name__}: {error}); the program's log says where."


# --- the worker -------------------------------------------------------------------------------------------


def start_worker(workspace: Workspace) -> Worker:
    """Run queued jobs in the background of this process. Any number of processes may: jobs run one at a time."""
    return Worker(workspace)


class Worker:
    """huey's consumer in threads of this process: it runs what is queued until `stop`, or until the process ends."""

    def __init__(self, workspace: Workspace):
        self._stopped = threading.Event()
        _sweep(workspace)
        look = _queue(workspace, self._stopped)
        look()
        self._consumer = _Consumer(look.huey, workers=1, max_delay=0.5, scheduler_interval=60)
        self._thread = threading.Thread(target=self._consumer.run, name="jobs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no further job; the one that runs goes on to its end, and this waits for it."""
        self._stopped.set()
        self._consumer.stop_flag.set()
        self._thread.join()
        self._consumer.stop(graceful=True)


class _Consumer(Consumer):
    def _set_signal_handlers(self) -> None:
        """Signals belong to the app, and only the main thread may ask for them."""


class _Plain(Serializer):
    """Messages as JSON: huey's own way, pickle, would run whatever a workspace from elsewhere brings along."""

    def _serialize(self, data: Message) -> bytes:
        return json.dumps(data).encode()

    def _deserialize(self, data: bytes) -> Message:
        return Message(*json.loads(data))


def _queue(workspace: Workspace, stopped: threading.Event) -> TaskWrapper:
    """The workspace's queue, as its one task: a call puts the message `look` there.

    It also goes there when a worker begins, and once a minute: nothing stays lying, whatever was killed.
    """
    huey = _opened(workspace.path / DATABASE)

    def nothing_waits(when: datetime) -> bool:
        return bool(huey.pending_count() == 0)

    @huey.periodic_task(nothing_waits)
    def look() -> None:
        while not stopped.is_set() and (run_next(workspace) or listed(workspace, active=True)):
            stopped.wait(WAIT)

    return look


def _opened(file: Path) -> SqliteHuey:
    """A damaged file is begun anew: what it held were messages, and the table has the jobs."""
    options: dict[str, Any] = {"results": False, "serializer": _Plain(), "cache_mb": 1}
    try:
        return SqliteHuey(filename=str(file), **options)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise
        for name in (file, *file.parent.glob(f"{file.name}-*")):
            name.unlink(missing_ok=True)
        return SqliteHuey(filename=str(file), **options)


def _wake(workspace: Workspace) -> None:
    """Tell whatever worker listens that there is work."""
    look = _queue(workspace, threading.Event())
    look()
    look.huey.storage.close()


def _sweep(workspace: Workspace) -> None:
    """Remove the folders of jobs that are not in the table: a kill came between the two."""
    with workspace.reading() as db:
        known = {row[0] for row in db.execute("select id from jobs")}
    root = workspace.path / FOLDERS
    for folder in root.iterdir() if root.is_dir() else ():
        if folder.name not in known and time.time() - folder.stat().st_mtime > UPLOAD_KEPT:
            shutil.rmtree(folder, ignore_errors=True)


# --- locks ------------------------------------------------------------------------------------------------


@contextmanager
def device(workspace: Workspace) -> Iterator[None]:
    """Alone with the machine's GPU (or what stands for it), among all threads and processes of this workspace.

    A batch takes it for each image anew, a preview for its one. Whoever waits stands first in line, so it waits for
    one image at most: the next to come stops at the second lock. Within the block the thread may ask again.
    """
    lock = _device_lock(workspace.path)
    if not lock.is_locked:
        with FileLock(workspace.path / NEXT_LOCK, poll_interval=0.02):
            lock.acquire(poll_interval=0.02)
    else:
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@functools.cache
def _device_lock(folder: Path) -> FileLock:
    return FileLock(folder / DEVICE_LOCK)  # a lock of each thread's own, which counts how often it is asked


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


@contextmanager
def _mark(workspace: Workspace, id: str) -> Iterator[None]:
    """While inside, everybody sees that this job's process lives."""
    folder = _folder(workspace, id)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ALIVE):  # a reader may hold it for a moment
        yield


def _is_alive(workspace: Workspace, id: str) -> bool:
    place = _folder(workspace, id) / ALIVE
    if not place.exists():
        return False
    try:
        with FileLock(place, timeout=0):
            return False
    except Timeout:
        return True


# --- rows -------------------------------------------------------------------------------------------------


def _folder(workspace: Workspace, id: str) -> Path:
    """Of one job: its lock, and what it was given to keep."""
    return workspace.path / FOLDERS / id


def _insert(
    workspace: Workspace,
    id: str,
    kind: str,
    title: str,
    spec: dict[str, Any],
    first: bool = False,
    pid: int | None = None,
) -> None:
    from exdd_core import tasks

    if kind not in tasks.KINDS:
        raise BadInput(f'There is no job of the kind "{kind}"; those there are: {", ".join(tasks.KINDS)}.')
    row = {"id": id, "kind": kind, "title": title, "spec": json.dumps(spec), "state": "queued"}
    with workspace.writing() as db:
        place = db.execute("select coalesce(max(position), 0) + 1 from jobs").fetchone()[0]
        if first:
            place = min([place] + [queued["position"] - 1 for queued in db.query(QUEUED)])
        db.table("jobs").insert(row | {"position": place, "pid": pid, "cancel": 0, "created": _now()})


def _row(db: Database, id: str) -> dict[str, Any]:
    row = next(iter(db.query("select * from jobs where id = ?", [id])), None)
    if row is None:
        raise BadInput(f'There is no job "{id}"; it was cleared from the list, or never was there.')
    return row


def _update(db: Database, id: str, **values: Any) -> None:
    columns = ", ".join(f"{column} = :{column}" for column in values)
    db.execute(f"update jobs set {columns} where id = :id", {**values, "id": id})


def _job(workspace: Workspace, row: dict[str, Any]) -> Job:
    state: State = row["state"]
    # Killed; whoever has the next turn will write it down.
    if (state == "running" or (state == "queued" and row["pid"])) and not _is_alive(workspace, row["id"]):
        state = "interrupted"
    done, total = row["done"] or 0, row["total"] or 0
    left = row["seconds_left"] if state == "running" else None
    return Job(
        id=row["id"],
        kind=row["kind"],
        title=row["title"],
        spec=json.loads(row["spec"]),
        state=state,
        text=_text(state, row, left),
        fraction=1.0 if state == "done" else share(done, total),
        seconds_left=left,
        result=json.loads(row["result"]) if row["result"] else None,
        error=row["error"] or "",
        created=row["created"] or "",
        started=row["started"] or "",
        ended=row["ended"] or "",
    )


def _text(state: State, row: dict[str, Any], left: float | None) -> str:
    standing = line(row["stage"] or "", row["done"] or 0, row["total"] or 0, left)
    if state == "running":
        return f"Stopping after this step. {standing}" if row["cancel"] else standing
    if state == "queued":
        return "Waiting for its turn"
    if state == "failed":
        return str(row["error"])
    where = f" at: {standing}" if row["stage"] and state != "done" else ""
    return state.capitalize() + where


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
