"""What a reverse proxy says of a request, where that proxy is trusted, and the path below the address's prefix.

    X-Forwarded-For      who asks: the last address that is not one of our proxies
    X-Forwarded-Host     the name that the browser asked for
    X-Forwarded-Proto    http or https

From anybody else these headers are removed, since Gradio would believe them. Knows headers. Does not know who may
come in.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pages.guard.doors import Doors

TOLD = ("forwarded", "x-gradio-server", "x-real-ip")


class Proxied:
    """ASGI middleware, the first of all: later ones see a request as though it had come without a proxy."""

    def __init__(self, app: ASGIApp, doors: Doors):
        self._app, self._doors = app, doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = _as_asked(scope, self._doors)
            if self._doors.root and scope["path"] == self._doors.root:
                # The prefix alone lacks the / that the addresses on a page are relative to.
                query = scope["query_string"].decode("latin-1")
                place = f"{self._doors.root}/" + (f"?{query}" if query else "")
                await RedirectResponse(place, 308)(scope, receive, send)
                return
            scope = _below(scope, self._doors.root)
        await self._app(scope, receive, send)


def _as_asked(scope: Scope, doors: Doors) -> Scope:
    """The request as the browser sent it to the first of our proxies."""
    headers, client = Headers(scope=scope), scope.get("client") or ("", 0)
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if not name.startswith(b"x-forwarded-") and name.decode("latin-1") not in TOLD
    ]
    scope = {**scope, "headers": kept}
    host = headers.get("host", "")
    if client[0] in doors.proxies:
        senders = [part.strip() for part in headers.get("x-forwarded-for", "").split(",") if part.strip()]
        asking = next((one for one in reversed(senders) if one not in doors.proxies), client[0])
        scope["client"] = (asking, 0)
        if headers.get("x-forwarded-proto") in ("http", "https"):
            scope["scheme"] = headers["x-forwarded-proto"]
        if given := headers.get("x-forwarded-host", "").split(",")[0].strip():
            host = given
            scope["headers"] = [one for one in kept if one[0] != b"host"] + [
                (b"host", given.encode("latin-1"))
            ]
    for origin in doors.origins:  # the proxy's own address says how browsers reach it
        if urlsplit(origin).netloc == host.lower():
            scope["scheme"] = urlsplit(origin).scheme
    return scope


def _below(scope: Scope, root: str) -> Scope:
    """The request without the prefix `root`, which a proxy may have taken away or not."""
    scope = {**scope, "root_path": ""}
    if root and scope["path"].startswith(f"{root}/"):
        scope["path"] = scope["path"][len(root) :]
        scope["raw_path"] = (scope.get("raw_path") or b"")[len(root) :]
    return scope
