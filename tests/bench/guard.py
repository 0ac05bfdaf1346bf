"""What the guard costs a request: core-milliseconds with it and without it, in the same run, on an app that answers at
once."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from pathlib import Path
from types import SimpleNamespace

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message

from exdd_core.workspace import Workspace
from pages.guard import Doors
from pages.guard.middleware import Guard
from pages.guard.visitors import Visitors

REQUESTS, ROUNDS = 500, 7


def main(options: argparse.Namespace) -> None:
    async def answer(request: Request) -> PlainTextResponse:
        await request.body()
        return PlainTextResponse("ok")

    plain = Starlette(
        routes=[
            Route("/look/theme.css", answer),
            Route("/gradio_api/component_server", answer, methods=["POST"]),
        ]
    )

    def look(asked: object) -> object:
        return asked

    look._is_server_fn = True  # type: ignore[attr-defined]
    blocks = SimpleNamespace(blocks={1: SimpleNamespace(look=look)}, fns={})
    plain.get_blocks = lambda: blocks  # type: ignore[attr-defined]
    path = Path(options.out) / "guard"
    workspace = Workspace.open(path) if Workspace.exists(path) else Workspace.create(path)
    doors = Doors()
    guarded = Guard(plain, doors, Visitors(workspace, doors), frozenset("/"), frozenset())
    call = {"session_hash": "x", "component_id": 1, "fn_name": "look"}
    cases = {
        "a file": ("GET", "/look/theme.css", b""),
        "a call": ("POST", "/gradio_api/component_server", json.dumps(call | {"data": {"id": "x"}}).encode()),
        "a call with a mask of 1 MB": (
            "POST",
            "/gradio_api/component_server",
            json.dumps(call | {"data": {"mask": "A" * 1_000_000}}).encode(),
        ),
    }
    print(f"guard, {REQUESTS} requests, median of {ROUNDS} alternating rounds, core-ms a request")
    for name, (method, at, body) in cases.items():
        times: dict[ASGIApp, list[float]] = {plain: [], guarded: []}
        for _ in range(ROUNDS):
            for app, taken in times.items():
                taken.append(asyncio.run(_time(app, plain, method, at, body)))
        without, with_it = (statistics.median(taken) for taken in times.values())
        print(f"{name}: {without:.3f} without, {with_it:.3f} with the guard, {with_it - without:.3f} more")


async def _time(app: ASGIApp, plain: Starlette, method: str, path: str, body: bytes) -> float:
    """Core-milliseconds of one of many equal requests."""
    kind = [(b"content-type", b"application/json")] if body else []
    headers = [(b"host", b"127.0.0.1"), (b"content-length", str(len(body)).encode()), *kind]

    async def send(message: Message) -> None:
        pass

    began = time.process_time()
    for _ in range(REQUESTS):
        given = False

        async def receive() -> Message:
            nonlocal given
            first, given = not given, True
            return {"type": "http.request", "body": body if first else b"", "more_body": False}

        scope: dict[str, object] = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
        }
        scope |= {
            "headers": headers,
            "scheme": "http",
            "server": ("127.0.0.1", 1),
            "root_path": "",
            "app": plain,
        }
        scope |= {"client": ("127.0.0.1", 2), "http_version": "1.1"}
        await app(scope, receive, send)
    return (time.process_time() - began) / REQUESTS * 1e3
