"""Background jobs: their four ends, cancelling, and one at a time."""

from __future__ import annotations

import threading

import pytest

from exdd_core import jobs
from exdd_core.errors import BadInput
from exdd_core.progress import Progress


def test_a_job_ends_done_with_its_result():
    job = jobs.start("count", "Count", lambda progress: 41 + 1)
    assert job.wait(5)
    assert (job.state, job.result, job.error) == ("done", 42, "")
    assert jobs.current() is job


def test_progress_is_seen_while_the_job_runs():
    halfway, go_on = threading.Event(), threading.Event()

    def work(progress: Progress) -> None:
        progress.begin("Counting", 4)
        progress.advance(2)
        halfway.set()
        go_on.wait(5)

    job = jobs.start("count", "Count", work)
    assert halfway.wait(5)
    assert (job.state, job.progress.done, job.progress.total) == ("running", 2, 4)
    go_on.set()
    assert job.wait(5)


def test_only_one_job_runs_at_a_time():
    go_on = threading.Event()
    job = jobs.start("count", "Count sheep", lambda progress: go_on.wait(5))
    try:
        with pytest.raises(BadInput, match="Count sheep"):
            jobs.start("count", "Count goats", lambda progress: None)
    finally:
        go_on.set()
        job.wait(5)
    assert jobs.start("count", "Count goats", lambda progress: None).wait(5)


def test_cancel_stops_the_work_at_its_next_step():
    begun, go_on = threading.Event(), threading.Event()
    reached = []

    def work(progress: Progress) -> None:
        progress.begin("Counting", 2)
        begun.set()
        go_on.wait(5)
        progress.advance()
        reached.append("after the step")

    job = jobs.start("count", "Count", work)
    assert begun.wait(5)
    job.cancel()
    go_on.set()
    assert job.wait(5)
    assert (job.state, reached) == ("cancelled", [])


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (BadInput("The folder is empty."), "The folder is empty."),
        (KeyError("x"), "Count failed (KeyError"),
    ],
)
def test_a_failed_job_says_why_in_a_sentence(error, sentence):
    def work(progress: Progress) -> None:
        raise error

    job = jobs.start("count", "Count", work)
    assert job.wait(5)
    assert job.state == "failed"
    assert sentence in job.error and "Traceback" not in job.error
