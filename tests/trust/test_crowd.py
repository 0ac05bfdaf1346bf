"""One visitor asks for so much at once that nothing is left for the others."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

import app
from exdd_core import jobs
from exdd_core.review import Review
from exdd_core.workspace import Workspace
from pages.guard import checks
from pages.guard.middleware import LOOKING, WRITING, _Turn

MANY = 60  # more than there are threads


def test_many_slow_calls_and_pictures_leave_threads_for_files_and_writers_leave_some_for_those_who_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = app.launch_options(Workspace.create(tmp_path / "workspace"))["app_kwargs"]
    server = Starlette(routes=options["routes"], middleware=options["middleware"])  # type: ignore[arg-type]
    over, begun = threading.Event(), {kind: threading.Semaphore(0) for kind in ("write", "look")}

    def slow(kind: str) -> object:
        begun[kind].release()
        assert over.wait(60)
        return [] if kind == "look" else None

    monkeypatch.setattr(jobs, "cancel", lambda workspace, id: slow("write"))
    monkeypatch.setattr(Review, "lists", lambda review: slow("look"))
    monkeypatch.setattr("pages.routes.candidates.listed", lambda *given, **limit: slow("look"))
    with (
        TestClient(server, base_url="http://127.0.0.1", raise_server_exceptions=False) as client,
        ThreadPoolExecutor(2 * MANY + 1) as pool,
    ):
        try:
            for kind, method, path, number in (
                ("write", "POST", "/api/v1/jobs/1/cancel", WRITING),
                ("look", "GET", "/api/v1/lists", LOOKING),
            ):
                for turn in range(MANY):  # pictures are looked at as well
                    drawn = kind == "look" and turn % 2
                    pool.submit(client.request, method, "/contact?dataset=x" if drawn else path)
                for _ in range(number):
                    assert begun[kind].acquire(timeout=30)
            file = pool.submit(client.get, "/look/theme.css")
            assert file.result(timeout=30).status_code == 200
            assert not any(one.acquire(blocking=False) for one in begun.values())
        finally:
            over.set()


def test_a_file_on_a_slow_line_takes_no_turn_before_it_is_here() -> None:
    ran: list[str] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        ran.append(scope["path"])

    async def go() -> None:
        places, here = asyncio.Semaphore(1), asyncio.Event()

        async def slowly() -> Message:
            await here.wait()
            return {"type": "http.request", "body": b"x", "more_body": False}

        async def at_once() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def nobody(message: Message) -> None:
            """Nothing is answered."""

        def called(path: str, receive: Receive) -> asyncio.Future[None]:
            return asyncio.ensure_future(_Turn(places, path).run(answer, {"path": path}, receive, nobody))

        slow = [called(checks.UPLOADS[-1], slowly) for _ in range(3)]
        await asyncio.wait_for(called("/other", at_once), 30)
        assert ran == ["/other"]
        here.set()
        await asyncio.wait_for(asyncio.gather(*slow), 30)
        assert len(ran) == 4 and not places.locked()

    asyncio.run(go())
