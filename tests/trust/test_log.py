"""An error that nobody foresaw: whoever meets it sees one sentence with a number, and the log has that number."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import httpx
import pytest

from exdd_core import cli, jobs, logs
from exdd_core.errors import BadInput
from exdd_core.jobs import kinds
from exdd_core.workspace import Workspace, people
from exdd_core.workspace.failures import sentence_of
from pages import answers
from pages.guard import Doors, rights
from pages.guard.visitors import visitor_of_request
from tests.browser import ROOT, serving

if TYPE_CHECKING:
    pass

NUMBER = re.compile(r"error ([0-9a-f]{8})\b")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace.create(tmp_path_factory.mktemp("log") / "workspace", "efficientnet_lite0")
    people.add(made, "ann", "admin", "correct horse battery")
    return made


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file that this process logs to."""
    monkeypatch.setenv(logs.FILE, str(tmp_path / "log.jsonl"))
    root, before = logging.getLogger(), list(logging.getLogger().handlers)
    logs.begin(lambda: visitor_of_request().name)
    yield tmp_path / "log.jsonl"
    root.handlers[:] = before
    logging.captureWarnings(False)


def line_of(log: Path, sentence: str) -> dict[str, Any]:
    """The line of the log that the number in a sentence leads to."""
    found = NUMBER.search(sentence)
    assert found and "Traceback" not in sentence, sentence
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    (line,) = [line for line in lines if line.get("error") == found.group(1)]
    assert line["level"] == "ERROR" and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", line["time"])
    return line


def broken(*given: object) -> None:
    raise ZeroDivisionError("nobody foresaw this\nin two lines")


def test_the_number_in_a_failed_jobs_sentence_finds_its_line(
    workspace: Workspace, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(kinds.KINDS, "broken", kinds.Kind(dict, broken))  # type: ignore[arg-type]
    job = jobs.submit(workspace, "broken", "Break", {})
    ended = jobs.run_next(workspace)
    assert ended is not None and ended.state == "failed"
    line = line_of(log, ended.error)
    assert line["job"] == job.id and line["said"] == "Break failed"
    assert "in broken" in line["traceback"] and "ZeroDivisionError" in line["traceback"]
    said = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [one["said"] for one in said if one.get("job") == job.id] == [
        "Break begins",
        "Break failed",
        "Break: failed",
    ]


def test_the_number_that_a_page_shows_finds_its_line_with_the_account(
    workspace: Workspace, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pages.frame.doctor.report", broken)  # an event of every page
    monkeypatch.setattr("pages.frame.jobs.listed", broken)  # a function of a script
    monkeypatch.setattr("pages.routes.candidates.get", broken)  # a route of ours
    with (
        serving(workspace, Doors(sign_in=True, guest=None)) as address,
        httpx.Client(base_url=address, headers={"Sec-Fetch-Site": "none"}, follow_redirects=True) as client,
    ):
        client.post("sign-in", data={"name": "ann", "password": "correct horse battery", "next": "/"})
        config = client.get("config").json()
        shown = next(c for c in config["components"] if "look" in c["props"].get("server_fns", []))
        call = {"session_hash": "x", "component_id": shown["id"], "fn_name": "look", "data": {}}
        answer = client.post("gradio_api/component_server", json=call)
        assert line_of(log, answer.json()["error"])["user"] == "ann"
        route = client.get("candidate?id=x", headers={"Sec-Fetch-Site": "same-origin"})
        assert route.status_code == 500
        assert line_of(log, route.json()["detail"])["user"] == "ann"


def test_an_event_that_fails_shows_its_number_and_not_what_went_wrong(log: Path) -> None:
    with pytest.raises(gr.Error) as shown:
        answers.toasted(broken)()
    assert "ZeroDivisionError" in line_of(log, str(shown.value))["traceback"]


def test_a_choice_of_what_is_gone_meanwhile_is_one_sentence(workspace: Workspace) -> None:
    """As in a tab that was opened before another one deleted it."""
    import app

    fns = [event.fn for event in app.create_app(workspace).fns.values() if event.fn is not None]
    events = {rights.name_of(function): function for function in fns}
    for name, given, said in (
        ("builder.Builder._size_of", ["gone"], 'no data set "gone"'),
        ("rows.Rows.connect.<locals>.change", ["gone", "positive"], 'no bank version "gone"'),
        ("gallery.Gallery.connect.<locals>.filtered", ["", "", ""], "no data set yet"),
    ):
        (event,) = [function for known, function in events.items() if known.endswith(name)]
        with pytest.raises(gr.Error, match=said):
            event(*given)


def test_the_number_that_a_command_prints_finds_its_line(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    program = "import exdd_core.cli as cli, sys\n"
    program += "cli.COMMANDS['doctor'] = (lambda options: 1 // 0, None)\nsys.exit(cli.run_program())"
    words = [sys.executable, "-c", program, "doctor"]
    ran = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, env={**os.environ, logs.FILE: str(log)}
    )
    assert ran.returncode == cli.UNEXPECTED and len(ran.stderr.splitlines()) == 1 and not ran.stdout
    assert line_of(log, ran.stderr)["user"]
    alone = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)  # on standard error
    first, sentence = alone.stderr.splitlines()
    assert json.loads(first)["error"] in sentence


def test_an_error_has_one_number_however_often_it_is_told(log: Path) -> None:
    error = ZeroDivisionError("x")
    assert sentence_of(error, "This").split("error ")[1] == sentence_of(error).split("error ")[1]
    assert len(log.read_text("utf-8").splitlines()) == 1
    for foreseen in (BadInput("The folder is empty."), OSError(28, "No space left on device"), MemoryError()):
        assert not NUMBER.search(sentence_of(foreseen))


def test_lines_of_libraries_are_json_too_and_a_log_that_cannot_be_written_is_said(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = logging.getLogger("some.library")
    library.addHandler(logging.StreamHandler())
    logs.take_over("some")
    library.error("%s is wrong", "ä\n")
    assert json.loads(log.read_text("utf-8"))["said"] == "ä\n is wrong" and not library.handlers
    monkeypatch.setenv(logs.FILE, "/nowhere/log.jsonl")
    with pytest.raises(BadInput, match=r"cannot be written to /nowhere/log.jsonl"):
        logs.begin(str)


def test_no_file_takes_the_place_of_a_stream_that_is_closed() -> None:
    """What libraries in C write to standard error would otherwise land in the next file, such as the database."""
    code = (
        "import os; from exdd_core import logs; logs.begin(str); print(os.open('/dev/zero', os.O_RDONLY) > 2)"
    )
    for closed in (0, 2):
        command = f'exec "$0" -c "$1" {closed}>&-'
        found = subprocess.run(["sh", "-c", command, sys.executable, code], capture_output=True, text=True)
        assert found.stdout.strip() == "True"
