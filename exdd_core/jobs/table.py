"""Jobs as rows: their order, state and progress.

Knows the table `jobs` and the locks of living processes. Does not know what a job does.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast

from filelock import FileLock, Timeout

from exdd_core import logs
from exdd_core.errors import BadInput
from exdd_core.progress import Progress, line, share
from exdd_core.spec import Json
from exdd_core.workspace.clock import now

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace import Workspace

State = Literal["queued", "running", "done", "cancelled", "failed", "interrupted"]
ENDED = ("done", "cancelled", "failed")  # removed by `clear_ended`; an interrupted job may be resumed
DATABASE, FOLDERS, ALIVE = "jobs.db", "cache/jobs", "alive.lock"
QUEUED = "select * from jobs where state = 'queued' order by position, rowid"
ENDED_KEPT = 100  # the number of ended jobs that stay on the list
WAIT = 0.2  # seconds between two attempts to run the next job


@dataclass(frozen=True)
class Job:
    """One job of the table. Times are ISO 8601 in UTC, "" before they are known."""

    id: str
    kind: str  # of `kinds.KINDS`
    title: str  # for people, such as "Build a bank version from tiles"
    spec: Mapping[str, Any]  # JSON, which the kind reads
    state: State
    text: str  # one line for people on its progress
    fraction: float  # of the current stage, 0 to 1
    seconds_left: float | None
    result: Json | None  # what the kind's function in `kinds` returned
    error: str  # one sentence, when failed
    created: str
    started: str
    ended: str
    who: str  # who ordered it, "" where nobody signs in
    lost: bool  # whether it failed because files are missing, and can go on without them

    @property
    def active(self) -> bool:
        """Whether it runs or is queued."""
        return self.state in ("queued", "running")


def listed(workspace: Workspace, active: bool = False) -> list[Job]:
    """The running job, queued jobs in order, and, unless `active`, all others, the last that ended first.

    No order follows the clock, which may be set back.
    """
    rows = _read(workspace, "select * from jobs order by position, rowid")
    found, ends = [job for _, job in rows], {job.id: row["turn"] or 0 for row, job in rows}
    by_state = [job for job in found if job.state == "running"]
    by_state += [job for job in found if job.state == "queued"]
    if not active:
        over = [job for job in found if not job.active]
        by_state += sorted(over, key=lambda job: ends[job.id], reverse=True)
    return by_state


def coming(workspace: Workspace, kinds: Sequence[str], made: Iterable[str]) -> list[Job]:
    """The active jobs of some kinds whose result does not exist yet.

    made: when the existing results were created, ISO 8601 in UTC. The running job's result exists once one is newer
    than its start, which may be before the job ends, as for a version that is being tested.
    """
    newest = max(made, default="")
    active = [job for job in listed(workspace, active=True) if job.kind in kinds]
    return [job for job in active if job.state == "queued" or newest < job.started]


def get(workspace: Workspace, id: str) -> Job:
    """The job of that id. Raises `BadInput` where there is none."""
    for _, job in _read(workspace, "select * from jobs where id = ?", id):
        return job
    raise _unknown(id)


def _read(workspace: Workspace, query: str, *values: str) -> list[tuple[JobRow, Job]]:
    """Rows and their jobs, read until no further job looks interrupted: one that ended between the look at its row and
    the look at its process does so once."""
    dead: set[str] = set()
    while True:
        with workspace.reading() as db:
            rows = [cast(JobRow, row) for row in db.query(query, list(values))]
        found = [(row, job_of_row(workspace, row)) for row in rows]
        now_dead = {job.id for row, job in found if job.state != row["state"]}
        if now_dead <= dead:
            return found
        dead = now_dead


def cancel(workspace: Workspace, id: str) -> Job:
    """Cancel a job: a queued or interrupted one at once, a running one, in any process, at its next step."""
    with workspace.writing() as db:
        job = job_of_row(workspace, row_of(db, id))
        if job.state in ("queued", "interrupted"):
            end_job(db, id, state="cancelled", cancel=1)
        elif job.state == "running":
            update_job(db, id, cancel=1)
    return get(workspace, id)


def move(workspace: Workspace, id: str, where: Literal["up", "down", "first"]) -> None:
    """Move a queued job up, down or to the front; at either end it stays. Raises `BadInput`."""
    with workspace.writing() as db:
        job = job_of_row(workspace, row_of(db, id))
        if job.state != "queued":
            raise BadInput(
                f'"{job.title}" is {job.state} and not waiting, so its place in the queue cannot change.'
            )
        queued = list(db.query(QUEUED))
        order = [row["id"] for row in queued]
        old = order.index(id)
        order.insert({"up": max(0, old - 1), "down": old + 1, "first": 0}[where], order.pop(old))
        for row, moved in zip(queued, order, strict=True):
            update_job(db, moved, position=row["position"])


def clear_ended(workspace: Workspace) -> int:
    """Remove done, cancelled and failed jobs from the list; returns their number. Their results stay."""
    with workspace.writing() as db:
        gone = [row[0] for row in db.execute(f"delete from jobs where state in {ENDED} returning id")]
    for id in gone:
        shutil.rmtree(job_folder(workspace, id), ignore_errors=True)
    return len(gone)


def forget_old(db: Database) -> None:
    """Remove all but the last ended jobs, since every update of the list reads all of it."""
    over = f"from jobs where state in {ENDED}"
    db.execute(f"delete {over} and id not in (select id {over} order by turn desc limit {ENDED_KEPT})")


class Standing(TypedDict):
    """The progress of a job in its row."""

    stage: str | None
    done: int | None
    total: int | None
    seconds_left: float | None


class JobRow(Standing):
    """A row of the table `jobs`. spec, result: JSON. cancel: 1 once somebody cancelled the job.

    pid: the process that runs the job or, while it is queued, the command line that will run it. turn: the number of
    ends before this one, as ended jobs are ordered; null for a job that has not ended, 0 in rows of older programs.
    retries: how often it still continues by itself after a crash; null for a job of a command line, which never does.
    lost: 1 where the job failed because files are missing.
    """

    id: str
    kind: str
    title: str
    spec: str
    state: State
    position: int
    pid: int | None
    cancel: int
    result: str | None
    error: str | None
    created: str | None
    started: str | None
    ended: str | None
    who: str | None
    turn: int | None
    lost: int | None
    retries: int | None


def standing_of(progress: Progress) -> Standing:
    left = progress.seconds_left
    return {
        "stage": progress.stage,
        "done": progress.done,
        "total": progress.total,
        "seconds_left": None if left is None else round(left, 1),
    }


@contextmanager
def alive(workspace: Workspace, id: str) -> Iterator[None]:
    """Hold a job's lock, which shows other processes that its own is alive."""
    folder = job_folder(workspace, id)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ALIVE):  # `is_alive` may hold it for a moment
        yield


def is_alive(workspace: Workspace, id: str) -> bool:
    """Whether a process holds a job's lock (`alive`)."""
    place = job_folder(workspace, id) / ALIVE
    if not place.exists():
        return False
    try:
        with FileLock(place, timeout=0):
            return False
    except Timeout:
        return True


def job_folder(workspace: Workspace, id: str) -> Path:
    """The folder of a job, with its lock and its uploaded file."""
    return workspace.path / FOLDERS / id


def insert_job(
    workspace: Workspace,
    id: str,
    kind: str,
    title: str,
    spec: Mapping[str, Any],
    first: bool = False,
    pid: int | None = None,
) -> None:
    """Insert a queued job. first: before all others. pid: of the command line that will run it; None: any worker."""
    row: dict[str, object] = {
        "id": id,
        "kind": kind,
        "title": title,
        "spec": json.dumps(dict(spec)),
        "state": "queued",
    }
    with workspace.writing() as db:
        place = db.execute("select coalesce(max(position), 0) + 1 from jobs").fetchone()[0]
        if first:
            place = min([place] + [queued["position"] - 1 for queued in db.query(QUEUED)])
        row |= {"position": place, "pid": pid, "cancel": 0, "created": now(), "who": logs.user()}
        row["retries"] = 1 if pid is None else None
        db.table("jobs").insert(row)


def row_of(db: Database, id: str) -> JobRow:
    """The row of a job. Raises `BadInput` where there is none."""
    row = next(iter(db.query("select * from jobs where id = ?", [id])), None)
    if row is None:
        raise _unknown(id)
    return cast(JobRow, row)


def _unknown(id: str) -> BadInput:
    return BadInput(f'There is no job "{id}"; it was cleared from the list or never existed.')


def update_job(db: Database, id: str, **values: Any) -> None:
    columns = ", ".join(f"{column} = :{column}" for column in values)
    db.execute(f"update jobs set {columns} where id = :id", {**values, "id": id})


def end_job(db: Database, id: str, **values: Any) -> None:
    """Write that a job has ended, as the last one so far."""
    turn = db.execute("select coalesce(max(turn), 0) + 1 from jobs").fetchone()[0]
    update_job(db, id, ended=now(), turn=turn, **values)


def job_of_row(workspace: Workspace, row: JobRow) -> Job:
    state: State = row["state"]
    # The process was killed; the next one that runs a job will store the state.
    if (state == "running" or (state == "queued" and row["pid"])) and not is_alive(workspace, row["id"]):
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
        who=row["who"] or "",
        lost=state == "failed" and bool(row["lost"]),
    )


def _text(state: State, row: JobRow, left: float | None) -> str:
    standing = line(row["stage"] or "", row["done"] or 0, row["total"] or 0, left)
    if state == "running":
        return f"Stopping after this step. {standing}" if row["cancel"] else standing
    if state == "queued":
        return "Waiting for its turn"
    if state == "failed":
        return str(row["error"])
    where = f" at: {standing}" if row["stage"] and state != "done" else ""
    reason = f". {row['error']}" if row["error"] else ""
    return state.capitalize() + where + reason
