"""The program is asked to end while jobs run and wait, its clock is set back, or its port is taken."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import app
from exdd_core import jobs
from exdd_core.jobs import kinds, table
from exdd_core.progress import Progress
from exdd_core.workspace import Workspace
from tests.browser import ROOT, free_port

SOON = 60.0  # seconds
PROGRAM = """
import sys, time
sys.path.insert(0, ".")
import app
from exdd_core.jobs import kinds

def count(workspace, spec, progress, id):
    place = workspace.path / "counted"
    made = int(place.read_text()) if place.exists() else 0
    progress.begin("Counting", spec["to"], made)
    for number in range(made, spec["to"]):
        time.sleep(0.05)
        place.write_text(str(number + 1))
        progress.advance()
    return {"from": made}

kinds.KINDS["count"] = kinds.Kind(dict, count)
sys.exit(app.main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Workspace.create(tmp_path_factory.mktemp("stop") / "workspace", "efficientnet_lite0").path


@pytest.fixture
def workspace(empty: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(empty, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Progress], Any]], str]:
    def enter(work: Callable[[Progress], Any]) -> str:
        told = kinds.Kind(dict, lambda workspace, spec, progress, id: work(progress))
        monkeypatch.setitem(kinds.KINDS, "test", told)
        return "test"

    return enter


def until(found: Callable[[], Any], seconds: float = SOON) -> Any:
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return value


def started(workspace: Workspace) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", PROGRAM, "--workspace", str(workspace.path), "--port", str(free_port())]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", app.STOPS)
def test_a_signal_that_another_thread_receives_ends_the_wait(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel may hand a process's signal to any thread, and the main one has to learn of it."""
    exits: list[int] = []
    monkeypatch.setattr(os, "_exit", exits.append)
    before = [signal.getsignal(one) for one in app.STOPS]
    try:
        wait = app._asked_to_stop()
        main = threading.get_ident()
        threading.Timer(0.2, lambda: signal.pthread_kill(threading.get_ident(), number)).start()
        late = threading.Timer(20, lambda: signal.pthread_kill(main, number))
        late.start()
        wait()
        late.cancel()
        assert exits == []  # it was the first one that ended it
        os.kill(os.getpid(), number)
        time.sleep(0.01)
        assert exits == [128 + number]
    finally:
        for one, handler in zip(app.STOPS, before, strict=True):
            signal.signal(one, handler)


@pytest.mark.slow
def test_a_server_that_is_terminated_stops_its_job_and_the_next_one_goes_on_with_it(
    workspace: Workspace, kind: Any
) -> None:
    kinds.KINDS["count"] = kinds.Kind(dict, lambda *given: pytest.fail("not in this process"))
    try:
        job = jobs.submit(workspace, "count", "Count", {"to": 80})
        after = jobs.submit(workspace, "count", "Count on", {"to": 81})
        first = started(workspace)
        until(lambda: jobs.get(workspace, job.id).fraction > 0.1)
        first.send_signal(signal.SIGTERM)
        said = first.communicate(timeout=SOON)[1]
        assert first.returncode == 0 and "Traceback" not in said, said
        stopped = [jobs.get(workspace, one.id) for one in (job, after)]
        assert [one.state for one in stopped] == ["queued", "queued"]
        assert 0 < int((workspace.path / "counted").read_text()) < 80
        second = started(workspace)
        until(lambda: jobs.get(workspace, after.id).state == "done")
        result = jobs.get(workspace, job.id).result
        assert result is not None
        begun = result["from"]
        assert isinstance(begun, int) and 0 < begun < 80
        second.terminate()
        second.communicate(timeout=SOON)
    finally:
        del kinds.KINDS["count"]


def test_a_job_that_somebody_cancelled_is_not_begun_again_by_a_restart(
    workspace: Workspace, kind: Any
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(progress: Progress) -> dict[str, Any]:
        begun.set()
        go_on.wait(SOON)
        progress.advance()
        return {}

    job = jobs.submit(workspace, kind(work), "Count", {})
    worker = jobs.start_worker(workspace)
    assert begun.wait(SOON)
    jobs.cancel(workspace, job.id)
    threading.Timer(1, go_on.set).start()
    assert worker.drain(SOON)
    assert jobs.get(workspace, job.id).state == "cancelled"


def test_a_job_that_does_not_stop_in_time_waits_for_the_next_start(workspace: Workspace, kind: Any) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(progress: Progress) -> dict[str, Any]:
        begun.set()
        go_on.wait(SOON)
        return {}

    job = jobs.submit(workspace, kind(work), "Count", {})
    worker = jobs.start_worker(workspace)
    assert begun.wait(SOON)
    assert not worker.drain(0.5)
    assert jobs.get(workspace, job.id).state == "queued"  # and the program ends
    go_on.set()
    until(lambda: jobs.get(workspace, job.id).state == "done")


def test_a_clock_that_is_set_back_loses_no_job_and_changes_no_order(
    workspace: Workspace, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, clock = kind(lambda progress: {}), ["2026-06-01T12:00:00.000+00:00"]
    monkeypatch.setattr(table, "now", lambda: clock[0])
    monkeypatch.setattr(table, "ENDED_KEPT", 2)
    for title, at in (("a", "2026-06-01"), ("b", "2026-06-02"), ("c", "2020-01-01"), ("d", "2019-01-01")):
        clock[0] = f"{at}T12:00:00.000+00:00"
        jobs.submit(workspace, name, title, {})
    ran = []
    for at in ("2026-06-03", "2026-06-04", "2020-01-01", "2019-01-01"):
        clock[0] = f"{at}T12:00:00.000+00:00"
        ran.append(jobs.run_next(workspace))
    assert [job.title for job in ran if job] == ["a", "b", "c", "d"]
    assert [job.title for job in jobs.listed(workspace)] == [
        "d",
        "c",
    ]  # the last that ended, whatever the clock said


def test_a_taken_port_is_said_before_anything_else_is_done(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        place = tmp_path / "workspace"
        words = ["--workspace", str(place), "serve", "--demo", "--port", port]
        program = "import sys\nfrom exdd_core.cli import main\ncode = main(sys.argv[1:])\n"
        program += "print(code, 'torch' in sys.modules, 'sqlite_utils' in sys.modules)"
        ran = subprocess.run(
            [sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, text=True
        )
    assert ran.stdout == "2 False False\n", ran.stderr
    assert f"{port} cannot be used (Address already in use)" in ran.stderr and not place.exists()


def test_what_a_start_refuses_is_refused_before_the_demo_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import app

    monkeypatch.setattr("app.logs.begin", lambda asks: None)
    place = tmp_path / "workspace"
    words = ["--workspace", str(place), "--demo", "--port", str(free_port()), "--host", "0.0.0.0"]
    assert app.main(words) == 2
    assert "users must sign in" in capsys.readouterr().err and not place.exists()


def test_a_stream_that_ends_while_the_server_closes_stops_nothing(
    demo_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ending(asyncio.Event):
        def set(self) -> None:
            raise RuntimeError("deque mutated during iteration")

    blocks = app.create_app(demo_workspace)
    blocks.launch(prevent_thread_lock=True, **app.launch_options(demo_workspace))
    thread = blocks.server.thread
    monkeypatch.setattr(blocks.app, "stop_event", Ending())
    app.close(blocks)
    thread.join(10)
    assert not thread.is_alive()
