"""What whoever runs the workbench asks it: is it up, can it work, and how much has it done.

    /healthz    200 while the program answers; open to everybody, says nothing else
    /readyz     200 when the workspace can be read; 503 and a sentence otherwise
    /metrics    counters for Prometheus, for those who may look

Knows the workspace and its jobs. Does not know what pages show.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exdd_core.workspace import Workspace, failures

SECONDS = (0.005, 0.02, 0.05, 0.1, 0.3, 1, 3, 10)  # upper bounds of the histogram's bins


class Counts:
    """The counters of one server."""

    def __init__(self, workspace: Workspace):
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        names = ["address", "status"]
        self.requests = Counter("exdd_requests", "Requests answered", names, registry=self.registry)
        self.seconds = Histogram(
            "exdd_request_seconds",
            "Time to the last byte of an answer",
            ["address"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.registry.register(_Kept(workspace))


class _Kept:
    """What the database holds, counted when somebody asks."""

    def __init__(self, workspace: Workspace):
        self._workspace = workspace

    def collect(self) -> Iterator[Metric]:
        """Jobs by state, candidates by status, and the number of images and versions."""
        with self._workspace.reading() as db:
            for name, said, column in (
                ("jobs", "Jobs by state", "state"),
                ("candidates", "By status", "status"),
            ):
                family = GaugeMetricFamily(f"exdd_{name}", said, labels=[column])
                for value, count in db.execute(
                    f"select {column}, count(*) from {name} group by 1"
                ).fetchall():
                    family.add_metric([str(value)], count)
                yield family
            for name in ("images", "banks"):
                count = db.execute(f"select count(*) from {name}").fetchone()[0]
                yield GaugeMetricFamily(f"exdd_{name}", f"Rows of {name}", value=count)


class Counting:
    """ASGI middleware that counts requests by address and status, and how long they took."""

    def __init__(self, app: ASGIApp, counts: Counts, known: frozenset[str]):
        self._app, self._counts, self._known = app, counts, known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sent)
        finally:
            # Only addresses that we know: a name made up by a client must not become a new counter.
            path = scope["path"].rstrip("/") or "/"
            address = path if path in self._known else "other"
            self._counts.requests.labels(address, str(status)).inc()
            self._counts.seconds.labels(address).observe(time.perf_counter() - began)


def routes(workspace: Workspace, counts: Counts) -> list[Route]:
    """The three addresses."""

    def healthy(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    def ready(request: Request) -> Response:
        try:
            workspace.setting("active_dataset")
        except Exception as error:
            return PlainTextResponse(failures.sentence_of(error) + "\n", status_code=503)
        return PlainTextResponse("ready\n")

    def metrics(request: Request) -> Response:
        return Response(generate_latest(counts.registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return [Route("/healthz", healthy), Route("/readyz", ready), Route("/metrics", metrics)]
