"""Durable jobs: their order and ends, cancelling, what a kill leaves, one at a time whatever runs them."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from exdd_core import cli, device as card, jobs
from exdd_core.banks.building import build_bank
from exdd_core.errors import BadInput, Cancelled
from exdd_core.jobs import kinds, running, table
from exdd_core.progress import Progress
from exdd_core.workspace import Workspace, clock, dataset_changes, device, image_windows, runs
from exdd_core.workspace.image_windows import Which
from tests.forked import Forked

SOON = 30.0  # seconds; a busy machine is slow

# A process as the app is one: it makes one file after another, and goes on where files are already.
PROGRAM = """
import sys, time
from pathlib import Path
from exdd_core import jobs
from exdd_core.jobs import kinds
from exdd_core.workspace import Workspace

def files(workspace, spec, progress, job_id):
    folder = workspace.path / "made" / job_id
    folder.mkdir(parents=True, exist_ok=True)
    there = len(list(folder.iterdir()))
    progress.begin("Making files", spec["count"], there)
    for number in range(there, spec["count"]):
        began = time.time()
        time.sleep(spec["seconds"])
        (folder / str(number)).open("x").write(f"{began} {time.time()}")
        progress.advance()
    return {"made": spec["count"], "before": there}

kinds.KINDS["files"] = kinds.Kind(dict, files)
workspace = Workspace.open(sys.argv[1])
if len(sys.argv) > 2:
    print("ready", flush=True)
    jobs.run_here(workspace, "files", sys.argv[2], {"count": 1, "seconds": 600})
worker = jobs.start_worker(workspace)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Workspace.create(tmp_path_factory.mktemp("jobs") / "workspace", "efficientnet_lite0").path


@pytest.fixture
def workspace(empty: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(empty, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def own(demo_workspace: Workspace, tmp_path: Path) -> Workspace:
    """The demo with its bank version, to change."""
    shutil.copytree(demo_workspace.path, tmp_path / "demo")
    return Workspace.open(tmp_path / "demo")


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Enter a function of a progress as the kind "test"."""

    def enter(work: Callable[[Progress], Any]) -> str:
        told = kinds.Kind(dict, lambda workspace, spec, progress, id: work(progress))
        monkeypatch.setitem(kinds.KINDS, "test", told)
        return "test"

    return enter


@pytest.fixture(autouse=True)
def kind_of_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = kinds.Kind(dict, lambda *given: pytest.fail("not in this process"))
    monkeypatch.setitem(kinds.KINDS, "files", elsewhere)


def titles(workspace: Workspace) -> list[str]:
    return [job.title for job in jobs.listed(workspace)]


def until(found: Callable[[], Any], seconds: float = SOON) -> Any:
    """What `found` returns once that is true."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)
    return value


@contextmanager
def process(workspace: Workspace, *arguments: str) -> Iterator[Forked]:
    """Another process that runs this workspace's jobs, or waits with one of its own; killed at the end."""
    running = Forked(PROGRAM, workspace.path, *arguments)
    try:
        assert running.stdout.readline() == "ready\n"
        yield running
    finally:
        running.kill()


def files(workspace: Workspace, title: str, count: int, seconds: float) -> jobs.Job:
    return jobs.submit(workspace, "files", title, {"count": count, "seconds": seconds})


def made(workspace: Workspace, job: jobs.Job) -> list[Path]:
    folder = workspace.path / "made" / job.id
    return list(folder.iterdir()) if folder.is_dir() else []


# --- order and ends -----------------------------------------------------------------------------------------


def test_the_order_is_that_of_coming_and_can_be_changed(workspace: Workspace, kind: Any) -> None:
    name = kind(lambda progress: {})
    a, b, c = (jobs.submit(workspace, name, title, {}) for title in "abc")
    jobs.submit(workspace, name, "d", {}, first=True)
    assert titles(workspace) == ["d", "a", "b", "c"]
    jobs.move(workspace, b.id, "up")
    assert titles(workspace) == ["d", "b", "a", "c"]
    jobs.move(workspace, b.id, "down")
    jobs.move(workspace, c.id, "first")
    assert titles(workspace) == ["c", "d", "a", "b"]
    jobs.move(workspace, c.id, "up")  # at the end of the line nothing moves
    jobs.move(workspace, b.id, "down")
    assert titles(workspace) == ["c", "d", "a", "b"]
    ran = [jobs.run_next(workspace) for _ in range(5)]
    assert [job.title for job in ran if job] == ["c", "d", "a", "b"]
    assert ran[-1] is None
    assert titles(workspace) == ["b", "a", "d", "c"]  # the last that ended first
    assert jobs.listed(workspace, active=True) == []
    with pytest.raises(BadInput, match="not waiting"):
        jobs.move(workspace, a.id, "first")


@pytest.mark.parametrize(("clears", "left"), [(True, 2), (False, 0)])
def test_a_job_that_needs_the_device_makes_painters_leave_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, clears: bool, left: int
) -> None:
    """Once where it runs itself, and once in a worker that sees it run elsewhere."""
    leaving: list[str] = []
    monkeypatch.setattr(card, "_leaving", {lambda: leaving.append("left")})

    def work(*_: Any) -> dict[str, Any]:
        assert len(leaving) == clears  # before it begins
        worker = threading.Thread(target=running.run_next, args=(workspace,))
        worker.start()
        worker.join()
        return {}

    monkeypatch.setitem(kinds.KINDS, "test", kinds.Kind(dict, work, clears))
    jobs.run_here(workspace, "test", "a build", {})
    assert len(leaving) == left
    assert {name for name, kind in kinds.KINDS.items() if kind.clears} >= {"build", "evaluate", "sweep"}
    assert not kinds.KINDS["synthesize"].clears


def test_an_unknown_kind_or_job_is_a_sentence(workspace: Workspace) -> None:
    with pytest.raises(BadInput, match='kind "magic"'):
        jobs.submit(workspace, "magic", "Magic", {})
    assert jobs.listed(workspace) == []
    for ask in (jobs.get, jobs.cancel, jobs.resume):
        with pytest.raises(BadInput, match='no job "x"'):
            ask(workspace, "x")


def test_a_job_tells_its_progress_and_ends_with_its_result(workspace: Workspace, kind: Any) -> None:
    go_on = threading.Event()

    def work(progress: Progress) -> dict[str, Any]:
        progress.begin("Counting", 4)
        progress.advance(2)
        go_on.wait(SOON)
        return {"answer": 42}

    job = jobs.submit(workspace, kind(work), "Count", {"of": "sheep"})
    assert (job.state, job.spec, job.result) == ("queued", {"of": "sheep"}, None)
    worker = jobs.start_worker(workspace)
    half = until(lambda: (seen := jobs.get(workspace, job.id)).fraction == 0.5 and seen)
    assert half.state == "running" and half.text.startswith("Counting: 2 of 4, about ")
    assert half.seconds_left is not None and half.started and not half.ended
    go_on.set()
    done = until(lambda: (seen := jobs.get(workspace, job.id)).state == "done" and seen)
    assert (done.result, done.error, done.seconds_left) == ({"answer": 42}, "", None) and done.ended
    worker.stop()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (BadInput("The folder is empty."), "The folder is empty."),
        (MemoryError(), "The memory is full"),
        (KeyError("x"), "Count failed (KeyError"),
    ],
)
def test_a_failed_job_says_why_and_can_be_tried_again(
    workspace: Workspace, kind: Any, error: Exception, sentence: str
) -> None:
    def work(progress: Progress) -> None:
        raise error

    job = jobs.submit(workspace, kind(work), "Count", {})
    failed = jobs.run_next(workspace)
    assert failed is not None and failed.state == "failed"
    assert sentence in failed.error and "Traceback" not in failed.error
    kind(lambda progress: {"well": True})
    assert jobs.resume(workspace, job.id).state == "queued"
    again = jobs.run_next(workspace)
    assert again is not None and (again.id, again.state, again.error) == (job.id, "done", "")
    with pytest.raises(BadInput, match="is done"):
        jobs.resume(workspace, job.id)


def test_clearing_takes_what_has_ended_and_nothing_else(workspace: Workspace, kind: Any) -> None:
    name = kind(lambda progress: {})
    for title in ("done", "cancelled", "waiting"):
        jobs.submit(workspace, name, title, {})
    jobs.run_next(workspace)
    jobs.cancel(workspace, jobs.listed(workspace, active=True)[0].id)
    lost = jobs.submit(workspace, name, "interrupted", {})
    with workspace.writing() as db:
        db.execute("update jobs set state = 'interrupted' where id = ?", [lost.id])
    assert jobs.clear_ended(workspace) == 2
    assert titles(workspace) == ["waiting", "interrupted"]
    assert jobs.cancel(workspace, lost.id).state == "cancelled"
    assert jobs.clear_ended(workspace) == 1


def test_progress_is_written_a_few_times_a_second(workspace: Workspace, kind: Any) -> None:
    with workspace.writing() as db:
        db.execute("create table writes (at real)")
        db.execute(
            "create trigger count_writes after update of done on jobs begin insert into writes values (1); end"
        )

    def work(progress: Progress) -> dict[str, Any]:
        progress.begin("Counting", 100_000)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            progress.advance()
        return {"steps": progress.done}

    jobs.submit(workspace, kind(work), "Count", {})
    job = jobs.run_next(workspace)
    assert job is not None and job.result is not None
    steps = job.result["steps"]
    assert isinstance(steps, int) and steps > 1000
    with workspace.reading() as db:
        writes = db.execute("select count(*) from writes").fetchone()[0]
    assert 3 <= writes <= 9  # one at the beginning, one at the end, others in between


def test_progress_made_before_does_not_count_for_the_pace_and_parts_are_cancelled_too() -> None:
    progress = Progress()
    progress.begin("Painting", 100, 90)
    assert progress.fraction == 0.9 and progress.seconds_left is None
    time.sleep(0.05)
    progress.advance()
    assert progress.seconds_left is not None and progress.seconds_left > 0.4  # 9 more at 0.05 s each
    part = progress.part()
    part.begin("Steps", 30)
    part.advance(30)
    assert progress.text.startswith("Painting: 91 of 100")
    progress.cancel()
    with pytest.raises(Cancelled):
        part.advance()


# --- cancelling -----------------------------------------------------------------------------------------------


def test_a_waiting_job_is_cancelled_at_once_and_resumed_where_it_stood(
    workspace: Workspace, kind: Any
) -> None:
    name = kind(lambda progress: {})
    job = jobs.submit(workspace, name, "a", {})
    jobs.submit(workspace, name, "b", {})
    assert jobs.cancel(workspace, job.id).state == "cancelled"
    assert titles(workspace) == ["b", "a"]
    jobs.resume(workspace, job.id)
    assert titles(workspace) == ["a", "b"]


def test_a_running_job_is_cancelled_from_another_process_within_a_second(workspace: Workspace) -> None:
    job = files(workspace, "Many", 10_000, 0.05)
    with process(workspace):
        until(lambda: len(made(workspace, job)) > 2)
        began = time.monotonic()
        assert jobs.cancel(workspace, job.id).state == "running"  # it stops at its next step
        until(lambda: jobs.get(workspace, job.id).state == "cancelled")
        assert time.monotonic() - began < 1.5
        kept = len(made(workspace, job))
        time.sleep(0.3)
        assert len(made(workspace, job)) == kept > 2
        assert jobs.get(workspace, job.id).text.startswith("Cancelled at: Making files: ")


# --- kills ------------------------------------------------------------------------------------------------------


def test_a_kill_loses_nothing_doubles_nothing_and_the_next_worker_finishes(workspace: Workspace) -> None:
    long, short = files(workspace, "Long", 12, 0.1), files(workspace, "Short", 2, 0.05)
    with process(workspace) as running:
        # The list of jobs follows the files by a moment.
        until(
            lambda: len(made(workspace, long)) >= 3 and jobs.get(workspace, long.id).text.startswith("Making")
        )
        assert [job.state for job in jobs.listed(workspace)] == ["running", "queued"]
        running.kill()
    kept = len(made(workspace, long))
    assert 3 <= kept < 12
    # Seen as it is, before anybody has written it down.
    assert [(job.title, job.state) for job in jobs.listed(workspace)] == [
        ("Short", "queued"),
        ("Long", "interrupted"),
    ]
    with process(workspace):
        until(lambda: jobs.get(workspace, short.id).state == "done")
        done = jobs.get(workspace, long.id)  # it went on first, by itself
        assert (done.state, done.result) == ("done", {"made": 12, "before": kept})
        assert len(made(workspace, long)) == 12


def test_what_a_job_has_made_is_not_on_its_way_any_more(workspace: Workspace, kind: Any) -> None:
    seen: list[list[str]] = []

    def names(*made: str) -> list[str]:
        return [job.title for job in jobs.coming(workspace, [name], made)]

    def work(progress: Progress) -> dict[str, str]:
        seen.extend([names("2020-01-01"), names(clock.now(later=1))])
        return {}

    name = kind(work)
    first, _ = (jobs.submit(workspace, name, title, {}) for title in ("First", "Second"))
    assert jobs.coming(workspace, ["build"], []) == []
    assert names(clock.now()) == ["First", "Second"]  # none of them has begun
    jobs.run_next(workspace)
    assert jobs.get(workspace, first.id).state == "done" and seen == [["First", "Second"], ["Second"]]


def crash(workspace: Workspace, id: str) -> None:
    """Leave a job as a killed process does. After a container's restart its number may be ours."""
    with workspace.writing() as db:
        db.execute("update jobs set state = 'running', pid = ? where id = ?", [os.getpid(), id])
    assert jobs.get(workspace, id).state == "interrupted"


def test_a_killed_job_goes_on_when_a_worker_begins(workspace: Workspace, kind: Any) -> None:
    job = jobs.submit(workspace, kind(lambda progress: {}), "Old", {})
    crash(workspace, job.id)
    worker = jobs.start_worker(workspace)
    until(lambda: jobs.get(workspace, job.id).ended)
    worker.stop()
    assert jobs.get(workspace, job.id).state == "done"


def test_a_job_that_runs_at_two_crashes_in_a_row_waits_for_a_person(
    workspace: Workspace, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadly = jobs.submit(workspace, kind(lambda progress: {}), "Deadly", {})
    behind = jobs.submit(workspace, kind(lambda progress: {}), "Behind", {})
    for _ in range(2):  # once as it was ordered, once as a person resumed it
        crash(workspace, deadly.id)
        taken = running._first(workspace)
        assert taken and taken.id == deadly.id  # it goes on by itself, in its former place
        crash(workspace, deadly.id)
        taken = running._first(workspace)
        assert taken and taken.id == behind.id  # and holds nobody up
        stopped = jobs.get(workspace, deadly.id)
        assert stopped.state == "interrupted" and "stopped twice while this job ran" in stopped.text
        assert jobs.resume(workspace, deadly.id).state == "queued"


def test_a_killed_job_that_somebody_had_cancelled_does_not_go_on(workspace: Workspace, kind: Any) -> None:
    job = jobs.submit(workspace, kind(lambda progress: {}), "Old", {})
    with workspace.writing() as db:
        db.execute("update jobs set state = 'running', cancel = 1 where id = ?", [job.id])
    assert jobs.run_next(workspace) is None
    assert jobs.get(workspace, job.id).state == "cancelled"


def test_only_the_last_that_ended_stay_listed(
    workspace: Workspace, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "ENDED_KEPT", 2)
    name = kind(lambda progress: {})
    for title in "abcd":
        jobs.submit(workspace, name, title, {})
    for _ in range(3):
        jobs.run_next(workspace)
    assert titles(workspace) == ["d", "c", "b"]


def test_a_waiting_job_needs_no_message(workspace: Workspace, kind: Any) -> None:
    job = jobs.submit(workspace, kind(lambda progress: {}), "Lonely", {})
    (workspace.path / table.DATABASE).unlink()  # a kill between the table and the message
    worker = jobs.start_worker(workspace)
    until(lambda: jobs.get(workspace, job.id).state == "done")
    worker.stop()


def test_a_message_from_elsewhere_runs_nothing(workspace: Workspace, kind: Any, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "evil"),)

    job = jobs.submit(workspace, kind(lambda progress: {}), "Honest", {})
    with sqlite3.connect(workspace.path / table.DATABASE) as db:
        db.execute("update task set data = ?", [pickle.dumps(Evil())])
    worker = jobs.start_worker(workspace)
    until(lambda: jobs.get(workspace, job.id).state == "done")
    worker.stop()
    assert not (tmp_path / "evil").exists()


# --- one at a time ----------------------------------------------------------------------------------------------


def test_two_processes_run_each_job_once_and_one_at_a_time(workspace: Workspace) -> None:
    ordered = [files(workspace, f"Job {number}", 3, 0.02) for number in range(8)]
    with process(workspace), process(workspace):
        ordered += [files(workspace, f"Job {number}", 3, 0.02) for number in range(8, 12)]
        until(lambda: not jobs.listed(workspace, active=True))
    spans = []
    for job in ordered:
        assert jobs.get(workspace, job.id).result == {"made": 3, "before": 0}
        times = [float(part) for file in made(workspace, job) for part in file.read_text().split()]
        spans.append((min(times), max(times)))
    assert spans == sorted(spans)  # in the order of coming
    assert all(before[1] <= after[0] for before, after in zip(spans, spans[1:], strict=False))


def test_a_command_waits_for_its_turn_and_is_on_the_list(workspace: Workspace, kind: Any) -> None:
    states: list[str] = []

    def work(progress: Progress) -> dict[str, Any]:
        states.extend(job.state for job in jobs.listed(workspace) if job.title == "Mine")
        return {"here": os.getpid()}

    name = kind(work)
    job = files(workspace, "Theirs", 5, 0.1)
    with process(workspace):
        until(lambda: jobs.get(workspace, job.id).state == "running")
        told: list[str] = []
        progress = Progress(lambda progress: told.append(progress.text))
        assert jobs.run_here(workspace, name, "Mine", {}, progress) == {"here": os.getpid()}
        assert states == ["running"] and "Waiting for other jobs to finish" in told
        assert [(j.title, j.state) for j in jobs.listed(workspace)] == [("Mine", "done"), ("Theirs", "done")]


def test_what_a_command_meets_is_raised_and_written_down(workspace: Workspace, kind: Any) -> None:
    def fail(progress: Progress) -> None:
        raise BadInput("No.")

    with pytest.raises(BadInput, match=r"^No\.$"):
        jobs.run_here(workspace, kind(fail), "Fails", {})

    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jobs.run_here(workspace, kind(interrupt), "Interrupted at the keyboard", {})
    assert [job.state for job in jobs.listed(workspace)] == ["cancelled", "failed"]


def test_a_command_has_its_result_though_its_job_is_cleared_at_once(
    workspace: Workspace, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "forget_old", lambda db: db.execute("delete from jobs"))
    assert jobs.run_here(workspace, kind(lambda progress: {"made": 1}), "Mine", {}) == {"made": 1}


def test_a_worker_goes_on_though_its_job_is_cleared_at_once(
    workspace: Workspace, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "forget_old", lambda db: db.execute("delete from jobs"))
    job = jobs.submit(workspace, kind(lambda progress: {"made": 1}), "Mine", {})
    ended = jobs.run_next(workspace)
    assert ended is not None and ended.id == job.id and jobs.listed(workspace) == []


def test_a_waiting_command_can_be_cancelled_from_elsewhere(workspace: Workspace, kind: Any) -> None:
    running = files(workspace, "Long", 1000, 0.05)
    with process(workspace):
        until(lambda: jobs.get(workspace, running.id).state == "running")

        def cancel_it(progress: Progress) -> None:
            for job in jobs.listed(workspace, active=True):
                if job.title == "Mine":
                    jobs.cancel(workspace, job.id)

        with pytest.raises(Cancelled):
            jobs.run_here(workspace, kind(lambda progress: {}), "Mine", {}, Progress(cancel_it))


def test_a_command_that_is_killed_while_it_waits_holds_nobody_up(workspace: Workspace, kind: Any) -> None:
    with process(workspace, "First") as first:
        mine = until(lambda: next((j for j in jobs.listed(workspace) if j.state == "running"), None))
        with process(workspace, "Second") as second:
            waiting = until(lambda: next((j for j in jobs.listed(workspace) if j.title == "Second"), None))
            behind = jobs.submit(workspace, kind(lambda progress: {}), "Behind", {})
            assert jobs.run_next(workspace) is None
            second.kill()
            assert jobs.get(workspace, waiting.id).state == "interrupted"
        assert jobs.get(workspace, mine.id).state == "running"
        first.kill()
    ran = jobs.run_next(workspace)
    assert ran is not None and (ran.id, ran.state) == (behind.id, "done")
    assert [job.state for job in jobs.listed(workspace)].count("interrupted") == 2


def test_whoever_waits_for_the_device_gets_it_before_a_batch_goes_on(workspace: Workspace) -> None:
    order: list[str] = []
    begun = threading.Event()

    def batch() -> None:
        for _ in range(8):
            with device.device(workspace), device.device(workspace):  # an engine inside may ask again
                begun.set()
                time.sleep(0.1)
                order.append("batch")

    thread = threading.Thread(target=batch)
    thread.start()
    begun.wait(SOON)
    with device.device(workspace):
        order.append("preview")
        held = subprocess.run(
            [sys.executable, "-c", DEVICE, str(workspace.path / device.DEVICE_LOCK)],
            capture_output=True,
            text=True,
        )
        assert held.stdout.strip() == "held", held.stderr
    thread.join(SOON)
    assert order.count("batch") == 8 and order.index("preview") <= 2


DEVICE = """
import sys
from filelock import FileLock, Timeout
try:
    FileLock(sys.argv[1], timeout=0.1).acquire()
except Timeout:
    print("held")
"""


# --- the command line -----------------------------------------------------------------------------------------


def test_the_command_line_lists_cancels_and_resumes(
    workspace: Workspace, kind: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(*words: str) -> tuple[int, str, str]:
        code = cli.main(["jobs", *words, "--workspace", str(workspace.path)])
        return code, *capsys.readouterr()

    job = jobs.submit(workspace, kind(lambda progress: {}), "Count sheep", {})
    assert command("list") == (0, f"{job.id}  queued       Count sheep: Waiting for its turn\n", "")
    assert command("cancel", job.id) == (0, "Count sheep: cancelled.\n", "")
    shown = json.loads(command("list", "--json")[1])["jobs"]
    assert [(row["id"], row["state"], row["title"]) for row in shown] == [
        (job.id, "cancelled", "Count sheep")
    ]
    assert json.loads(command("resume", job.id, "--json")[1]) == {"job": job.id, "state": "queued"}
    for words, sentence in (
        (("resume", "x"), 'no job "x"'),
        (("cancel",), "required: ID"),
        (("stop",), "choice"),
    ):
        code, out, err = command(*words)
        assert code == 2 and out == "" and sentence in err and err.count("\n") == 1


# --- what a job is given to keep -----------------------------------------------------------------------------


def test_an_upload_outlives_its_source_until_the_job_is_done(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(workspace: Workspace, spec: dict[str, Any], progress: Progress, job_id: str) -> dict[str, Any]:
        if spec.get("fails") and not (tmp_path / "well").exists():
            raise BadInput("The disk is full.")
        return {"text": Path(spec["upload"]).read_text()}

    monkeypatch.setitem(kinds.KINDS, "read", kinds.Kind(dict, read))
    source = tmp_path / "parts.zip"
    source.write_text("content")
    good = jobs.submit(workspace, "read", "Good", {}, upload=source)
    bad = jobs.submit(workspace, "read", "Bad", {"fails": True}, upload=source)
    source.unlink()  # Gradio cleans up behind itself
    kept = {job.title: Path(job.spec["upload"]) for job in (good, bad)}
    assert all(path.name == "parts.zip" and path.is_relative_to(workspace.path) for path in kept.values())
    jobs.run_next(workspace)
    jobs.run_next(workspace)
    assert jobs.get(workspace, good.id).result == {"text": "content"}
    assert not kept["Good"].parent.exists()
    assert kept["Bad"].exists()  # it can still be tried again
    (tmp_path / "well").touch()
    jobs.resume(workspace, bad.id)
    done = jobs.run_next(workspace)
    assert done is not None and done.result == {"text": "content"}
    assert not kept["Bad"].parent.exists()


def test_uploads_of_jobs_that_are_not_there_are_swept(workspace: Workspace, tmp_path: Path) -> None:
    old, new = (workspace.path / table.FOLDERS / name for name in ("old", "new"))
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "parts.zip").touch()
    os.utime(old, (0, 0))
    jobs.start_worker(workspace).stop()
    assert not old.exists() and new.exists()  # the new one's job may be about to be entered


def test_work_whose_end_cannot_be_written_is_done_all_the_same(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(workspace: Workspace, spec: dict[str, Any], progress: Progress, job_id: str) -> dict[str, Any]:
        monkeypatch.setattr(running, "end_job", full)
        return {"made": 1}

    def full(*_: object, **__: object) -> None:
        raise BadInput("The disk is full.")

    monkeypatch.setitem(kinds.KINDS, "work", kinds.Kind(dict, work))
    assert jobs.run_here(workspace, "work", "Work", {}) == {"made": 1}
    assert [job.state for job in jobs.listed(workspace)] == ["interrupted"]


@pytest.mark.parametrize("damage", [b"", b"0123456789" * 900])
def test_damaged_messages_are_begun_anew_and_no_job_is_lost(workspace: Workspace, damage: bytes) -> None:
    job = jobs.submit(workspace, "build", "Build", {})
    (workspace.path / table.DATABASE).write_bytes(damage)
    jobs.submit(workspace, "build", "Build again", {})
    worker = jobs.start_worker(workspace)
    until = time.monotonic() + SOON
    while jobs.get(workspace, job.id).active and time.monotonic() < until:
        time.sleep(0.05)
    worker.stop()
    assert jobs.get(workspace, job.id).state == "failed"  # there is nothing to build from, which it found out


def test_a_job_that_ends_while_it_is_looked_at_was_not_interrupted(
    workspace: Workspace, kind: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = jobs.submit(workspace, kind(lambda progress: {}), "quick", {})
    row = {"state": "running", "pid": os.getpid(), "started": clock.now()}
    with workspace.writing() as db:
        table.update_job(db, looked_at.id, **row)

    def ends(own: Workspace, id: str) -> bool:
        """Look for the process just after the job ended."""
        with own.writing() as db:
            table.end_job(db, id, state="done", result="{}")
        return False

    monkeypatch.setattr(table, "is_alive", ends)
    assert jobs.get(workspace, looked_at.id).state == "done"
    with workspace.writing() as db:
        table.update_job(db, looked_at.id, **row)
    assert [job.state for job in jobs.listed(workspace)] == ["done"]


def test_the_newest_version_is_measured_once_unless_somebody_cancels_that(own: Workspace) -> None:
    jobs.submit(own, "build", "Build", {"dataset": "demo", "positives": "real", "activate": False})
    built = jobs.run_next(own)
    assert built and built.result and built.state == "done"
    (ordered,) = jobs.listed(own, active=True)
    assert (ordered.kind, ordered.spec["bank"]) == ("evaluate", built.result["bank"])
    jobs.measure_newest(own)
    assert len(jobs.listed(own, active=True)) == 1
    measured = jobs.run_next(own)
    assert measured and measured.state == "done"
    assert [run.spec["bank"] for run in runs.listed(own)][:1] == [built.result["bank"]]
    jobs.clear_ended(own)
    jobs.measure_newest(own)
    assert jobs.listed(own) == []

    newest = build_bank(own, "demo", positives="none", activate=False)
    jobs.measure_newest(own)
    (ordered,) = jobs.listed(own)
    assert ordered.spec["bank"] == newest.id
    jobs.cancel(own, ordered.id)
    jobs.measure_newest(own)
    assert [job.state for job in jobs.listed(own)] == ["cancelled"]


def test_a_running_worker_measures_what_a_command_has_built(own: Workspace) -> None:
    worker = jobs.start_worker(own)
    try:
        made = jobs.run_here(
            own, "build", "Build", {"dataset": "demo", "positives": "none", "activate": False}
        )
        until(lambda: runs.using(own, made["bank"]))
    finally:
        worker.stop()
    assert [job.kind for job in jobs.listed(own)] == ["evaluate", "build"]


def test_a_version_is_not_measured_where_the_test_split_has_no_defect(own: Workspace) -> None:
    which = Which("demo", "test", "defect")
    dataset_changes.move(own, [row.id for row in image_windows.window(own, which, 0, 99)], "train", "Ann")
    jobs.measure_newest(own)
    assert jobs.listed(own) == []
