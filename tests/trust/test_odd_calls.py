"""Odd calls of every function that a page's script may ask: a sentence, no internal error, no job and no claim."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from hypothesis import given, settings

from exdd_core import jobs
from exdd_core.detector.backbones import Backbone
from exdd_core.errors import BadInput
from exdd_core.workspace import Workspace, decisions
from pages import answers, banks, curate, data, evaluate, frame, inspect, studio
from pages.html import Answer
from pages.questions import Question
from tests import plates
from tests.trust.conftest import opened
from tests.trust.odd import SAME, calls

# Calls that paint, load a model or measure for minutes where they are proper; only odd ones are made here.
SLOW = (
    "pages.studio.page.preview",
    "pages.studio.page.warm",
    "pages.studio.page.compare",
    "pages.studio.page.queue",
)


class Server:
    """The functions of every page on one workspace, and what is known there to be named in calls."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.functions: dict[str, Any] = {}
        for page in (banks, curate, data, evaluate, inspect, studio):
            with gr.Blocks() as blocks, frame.frame(workspace, page.PATH):
                page.render(workspace)
            for block in blocks.blocks.values():
                for found in getattr(block, "server_fns", None) or ():
                    self.functions[f"{found.__module__}.{found.__name__}"] = found
        candidate, image = plates.pending(workspace)[0], "plates/good/1.png"
        bank = workspace.active_bank()
        assert bank is not None
        self.known: list[Any] = [candidate, image, "plates", bank.id, "Anna", "positive", "train", "drawn"]

    def model(self, name: str) -> type[Question]:
        module, _, function = name.rpartition(".")
        return answers.asked_by(getattr(importlib.import_module(module), function))

    def kept(self) -> tuple[object, ...]:
        """Jobs and claims."""
        return [job.id for job in jobs.listed(self.workspace)], decisions.claims(self.workspace)


@pytest.fixture(scope="module")
def server(built: Path, backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Server:

    path = tmp_path_factory.mktemp("odd") / "workspace"
    shutil.copytree(built, path)
    return Server(opened(path, backbone))


@pytest.fixture
def unforeseen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseException]]:
    """Errors that no sentence was written for."""
    found: list[BaseException] = []

    def explained(error: BaseException) -> str:
        if not isinstance(error, BadInput):
            found.append(error)
        return str(error)

    monkeypatch.setattr(answers, "explained", explained)
    monkeypatch.setattr(
        answers, "encoded", lambda answer: answer
    )  # which would hide numbers that are not finite
    yield found


def test_every_function_says_what_it_is_asked(server: Server) -> None:
    assert len(server.functions) > 80
    for name in server.functions:
        assert issubclass(server.model(name), Question), name


def test_odd_calls_get_a_sentence_and_change_nothing(server: Server, unforeseen: list[BaseException]) -> None:
    for name, function in server.functions.items():
        model = server.model(name)
        _ask_oddly(name, function, model, server, unforeseen)


def _ask_oddly(
    name: str, function: Any, model: type[Question], server: Server, unforeseen: list[BaseException]
) -> None:
    schema = model.model_json_schema()

    @settings(SAME, max_examples=4)
    @given(calls(schema, schema.get("$defs", {}), server.known))
    def ask(call: Answer) -> None:
        try:
            model.from_json(call)
            if name in SLOW:
                return
        except BadInput:
            pass
        before = server.kept()
        answer = function(call)
        assert not unforeseen, (name, call, unforeseen.pop())
        json.dumps(answer, allow_nan=False)
        if "error" in answer:
            assert answer["error"].strip()
            assert server.kept() == before, (name, call)

    ask()


@pytest.mark.parametrize("function", ["stay", "candidate"])
def test_a_candidate_that_does_not_exist_is_not_claimed(server: Server, function: str) -> None:
    before = server.kept()
    page = "page" if function == "stay" else "candidate"
    answer = server.functions[f"pages.curate.{page}.{function}"]({"id": "gone", "who": "Anna"})
    assert "gone" in json.loads(answer.body)["error"]
    assert server.kept() == before


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ({"who": "Anna"}, "This call needs the id."),
        ({"id": 7, "who": "Anna"}, "The id is 7; it must be text."),
        ({"id": "x" * 1001, "who": "Anna"}, "The id is too long; the maximum is 1,000."),
        ({"id": "x", "who": "Anna", "admin": True}, 'This call has no "admin"; leave it out.'),
        ({"id": "x", "who": "Anna", "reasons": "blurred"}, "The reasons is blurred; it must be a list."),
        ({"id": "x", "who": "Anna", "self": 1}, 'This call has no "self"; leave it out.'),
    ],
)
def test_the_sentence_names_the_field(server: Server, call: Answer, said: str) -> None:
    assert json.loads(server.functions["pages.curate.page.reject"](call).body) == {"error": said}


@pytest.mark.parametrize("given", [None, "text", {}, {"act": 7}, {"act": "x" * 2000}, {"act": "explode"}])
def test_an_odd_event_is_a_sentence(given: object) -> None:
    event = gr.EventData(None, given)
    with pytest.raises(BadInput, match="This click is missing its act; reload the page"):
        answers.told(event, "act", "keep", "delete")
    with pytest.raises(BadInput, match="missing its ids"):
        answers.told_several(event, "ids")
    assert answers.told(gr.EventData(None, {"act": "keep"}), "act", "keep", "delete") == "keep"
