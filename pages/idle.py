"""Lets the server rest while nobody is there: Gradio's queue looks for new events seldom, until somebody comes.

Gradio looks a thousand times a second. Knows addresses and Gradio's queue. Does not know who asks, or for what.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

AWAKE, ASLEEP = 0.02, 0.2  # seconds between two looks
FALLS_ASLEEP = 10.0  # seconds after the last page or event
# Seconds between two messages of a progress bar, and between two looks for one while nobody is there.
PROGRESS, NO_PROGRESS = 0.5, 5.0


class Resting:
    """ASGI middleware. waking: the addresses of pages and events; what else is asked for does not need the queue."""

    def __init__(self, app: ASGIApp, waking: Collection[str]):
        self._app, self._waking = app, waking
        self._falls_asleep: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in self._waking:
            self._wake(scope["app"].get_blocks()._queue)
        await self._app(scope, receive, send)

    def _wake(self, queue: Any) -> None:
        if self._falls_asleep is not None:
            self._falls_asleep.cancel()
        queue.sleep_when_free, queue.progress_update_sleep_when_free = AWAKE, PROGRESS
        self._falls_asleep = asyncio.get_running_loop().call_later(FALLS_ASLEEP, rest, queue)


def rest(queue: Any) -> None:
    """Let Gradio's queue look seldom. After a while of nothing, the next event waits up to ASLEEP seconds."""
    queue.sleep_when_free, queue.progress_update_sleep_when_free = ASLEEP, NO_PROGRESS
