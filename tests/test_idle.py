"""The server rests while nobody is there, and looks for events often as soon as somebody comes."""

from __future__ import annotations

import asyncio
import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.state_holder import StateHolder

import app
from exdd_core import jobs
from exdd_core.workspace import Workspace, context, schema
from pages import frame, idle
from pages.html import Answer


def test_a_page_or_an_event_wakes_the_queue_and_silence_lets_it_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    queue: Any = SimpleNamespace(sleep_when_free=0.001, progress_update_sleep_when_free=0.01)
    idle.rest(queue)
    served: list[str] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        served.append(scope["path"])

    async def visit() -> None:
        resting = idle.Resting(inner, {"/", "/queue/join"})

        async def ask(path: str) -> float:
            app = SimpleNamespace(get_blocks=lambda: SimpleNamespace(_queue=queue))
            scope: Any = {"type": "http", "path": path, "app": app}
            await resting(scope, None, None)  # type: ignore[arg-type]
            return float(queue.sleep_when_free)

        assert await ask("/look/theme.css") == idle.ASLEEP  # a picture needs no queue
        assert await ask("/") == idle.AWAKE
        assert queue.progress_update_sleep_when_free == idle.PROGRESS
        first = resting._falls_asleep
        assert first is not None and not first.cancelled()
        assert await ask("/queue/join") == idle.AWAKE
        assert first.cancelled()  # counted from the last event on
        monkeypatch.setattr(idle, "FALLS_ASLEEP", 0.0)
        assert await ask("/queue/join") == idle.AWAKE
        await asyncio.sleep(0.05)
        assert queue.sleep_when_free == idle.ASLEEP

    asyncio.run(visit())
    assert served == ["/look/theme.css", "/", "/queue/join", "/queue/join"]
    assert queue.progress_update_sleep_when_free == idle.NO_PROGRESS


def test_gradio_still_has_what_is_set() -> None:
    from gradio.queueing import Queue

    assert {"sleep_when_free", "progress_update_sleep_when_free"} <= set(Queue.__init__.__code__.co_names)


def test_an_opened_page_leaves_little_in_memory(demo_workspace: Workspace) -> None:
    """Gradio keeps a session of each until as many more are opened as it remembers."""
    holder, worker = StateHolder(), SimpleNamespace()
    holder.set_blocks(app.create_app(demo_workspace, worker))  # type: ignore[arg-type]
    tracemalloc.start()
    for number in range(100):
        assert holder[str(number)].blocks_config.blocks
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 100 * 50_000  # bytes


def test_a_choice_of_a_forgotten_page_is_refused_in_words(demo_workspace: Workspace) -> None:
    app.create_app(demo_workspace, SimpleNamespace())  # type: ignore[arg-type]
    assert gr.Dropdown(["a", "b"]).preprocess("b") == "b"
    with pytest.raises(gr.Error, match="reload it"):
        gr.Dropdown([]).preprocess("b")


def test_many_visitors_may_look_at_once(tmp_path: Path) -> None:
    schema.write(tmp_path / "workspace.db", {"backbone": "efficientnet_lite0"})
    workspace = Workspace.open(tmp_path)

    for file in tmp_path.glob("workspace.db*"):
        os.utime(file, (1.0, 1.0))

    def look(visitor: int) -> None:
        for number in range(40):
            with context.working_on(f"{visitor}-{number}"):
                stamp = str(frame.look(workspace, frame.Look())["stamp"])
                assert frame.look(workspace, frame.Look(stamp=stamp))["stamp"] == stamp

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(look, range(8)))
    assert len(frame._LOOKED) <= frame.TABS


def test_the_header_reads_nothing_where_the_database_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.write(tmp_path / "workspace.db", {"backbone": "efficientnet_lite0"})
    workspace = Workspace.open(tmp_path)
    read: list[Workspace] = []

    def listed(workspace: Workspace) -> list[jobs.Job]:
        read.append(workspace)
        return []

    monkeypatch.setattr(frame.jobs, "listed", listed)

    def look(stamp: Any) -> Answer:
        return frame.look(workspace, frame.Look(stamp=stamp))

    def settle(when: float) -> None:  # as though its files had been changed long ago
        for file in tmp_path.glob("workspace.db*"):
            os.utime(file, (when, when))

    stamp = look("")["stamp"]
    look(stamp)
    look(stamp)
    assert len(read) == 3  # a change in the same moment would look alike
    settle(1.0)
    assert look(stamp) == look(stamp) == {"stamp": stamp, "loading": False} and len(read) == 4
    assert "jobs" in look("another") and len(read) == 5
    with context.working_on("other"):
        look(stamp)
    assert len(read) == 6  # another tab's data set
    workspace.set_setting("seen", 1)
    settle(2.0)
    look(stamp)
    assert len(read) == 7
