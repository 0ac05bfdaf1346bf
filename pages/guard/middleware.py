"""The guard before everything: no request reaches Gradio or a route of ours before it has passed here.

Order: the server's names, the origin, the address, who is asking, the body's type and size, the role of the
function that a call runs. Knows requests. Does not know what functions do.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from urllib.parse import quote

import secure
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exdd_core import api
from exdd_core.workspace.failures import sentence_of
from pages.guard import checks, rights, roles, uploads
from pages.guard.checks import Refused
from pages.guard.doors import Doors, Role
from pages.guard.visitors import Visitor, Visitors, enter

SIGN_IN = "/sign-in"
OIDC, OIDC_BACK = "/oidc", "/oidc-back"
METRICS = "/metrics"
OPEN = frozenset(
    (
        SIGN_IN,
        OIDC,
        OIDC_BACK,
        "/sign-out",
        "/healthz",
        "/readyz",
        "/favicon.ico",
        "/robots.txt",
        "/look/logo.svg",
        f"{checks.API}/startup-events",
    )
)
# Functions that run and pictures that are drawn at a time, of the 40 threads that all share: files, probes and signing
# in always find a free one, and so do those who look where the writers wait for the database.
LOOKING, WRITING = 20, 12
NO_NAME = "The workbench is not served under this name; start it with --address https://NAME to add one."
LINKED = (SIGN_IN, OIDC_BACK)  # a provider leads here from its own site


def _headers(framed_by: tuple[str, ...]) -> Mapping[str, str]:
    """What binds browsers in every answer. framed_by: origins of sites that may show pages inside of theirs."""
    # Gradio compiles templates and handlers from strings and writes styles into elements; all else is our own server's.
    policy = (
        secure.ContentSecurityPolicy()
        .default_src("'self'")
        .script_src("'self'", "'unsafe-inline'", "'unsafe-eval'", "blob:")
        .style_src("'self'", "'unsafe-inline'")
        .img_src("'self'", "data:", "blob:")
        .font_src("'self'", "data:")
        .worker_src("'self'", "blob:")
        .connect_src("'self'", "data:", "blob:")
        .object_src("'none'")
        .base_uri("'self'")
        .form_action("'self'")
        .frame_ancestors(*framed_by or ("'none'",))
    )
    return secure.Secure(
        csp=policy,
        xcto=secure.XContentTypeOptions(),
        xfo=None if framed_by else secure.XFrameOptions().deny(),
        referrer=secure.ReferrerPolicy().same_origin(),
        coop=secure.CrossOriginOpenerPolicy().same_origin(),
        corp=secure.CrossOriginResourcePolicy().same_origin(),
    ).headers


# A file that somebody uploaded runs nothing, whatever it is: its own origin, no scripts.
OF_FILES = {
    "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
}


class Named:
    """ASGI middleware that answers only to the server's own names, whatever name somebody points at this machine."""

    def __init__(self, app: ASGIApp, doors: Doors):
        self._app, self._headers = app, _headers(doors.framed_by)
        self._judge = TrustedHostMiddleware(_nothing, list(doors.hosts), www_redirect=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused: list[Message] = []

        async def note(message: Message) -> None:
            refused.append(message)

        if scope["type"] == "http":
            await self._judge(scope, receive, note)
        if not refused:
            await self._app(scope, receive, send)
            return
        path, headers = scope["path"], Headers(scope=scope)
        answer = _refusal(Refused(400, NO_NAME), path, headers)
        await answer(scope, receive, _with_headers(send, path, self._headers))


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    pass


class Guard:
    """ASGI middleware that refuses requests with one sentence, and adds the headers that bind browsers.

    pages, own: addresses that people open, and those that we serve besides Gradio's.
    """

    def __init__(
        self,
        app: ASGIApp,
        doors: Doors,
        visitors: Visitors,
        pages: frozenset[str],
        own: frozenset[str],
    ):
        self._app, self._doors, self._visitors = app, doors, visitors
        self._headers = _headers(doors.framed_by)
        self._pages, self._own = pages, own | pages | OPEN
        self._drawn = own - pages - OPEN - {METRICS}
        self._looking, self._writing = asyncio.Semaphore(LOOKING), asyncio.Semaphore(WRITING)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send(
                {"type": "websocket.close", "code": 1008, "reason": "The workbench does not use websockets."}
            )
            return
        path, method, headers = scope["path"], scope["method"], Headers(scope=scope)
        send = begun = _Answer(_with_headers(send, path, self._headers))
        wanted: Role | None = None
        try:
            page = path in self._pages or path in LINKED
            checks.check_origin(self._doors, method, headers, page=page, scheme=scope["scheme"])
            checks.check_address(path, self._own)
            visitor = self._visitors.of(HTTPConnection(scope))
            answer = self._at_the_door(scope, visitor)
            if answer is not None:
                await answer(scope, receive, send)
                return
            checks.check_type(path, method, headers, self._doors)
            receive = _counting(receive, path, self._doors)
            if path.rstrip("/") in (*checks.EVENTS, checks.FUNCTIONS) and method in checks.WRITING:
                receive, wanted = await self._check_call(scope, visitor, receive)
            elif path.startswith(f"{checks.REST}/"):
                receive, wanted = await _check_program(scope, visitor, receive)
            elif path == checks.MCP:
                receive, wanted = await _check_message(method, receive)
            elif path in self._drawn:
                wanted = "viewer"
            elif path.rstrip("/") == checks.UPLOAD and not roles.may(visitor.role, "curator"):
                raise Refused(403, "Your account can view but not upload; ask for the curator role.")
            enter(scope, visitor, self._doors)
            if path.rstrip("/") == checks.UPLOAD:
                send = _renaming(send, scope)
            if wanted is None:
                await self._app(scope, receive, send)
            else:
                turn = _Turn(self._looking if wanted == "viewer" else self._writing, path)
                await turn.run(self._app, scope, receive, send)
        except Refused as refusal:
            await _refusal(refusal, path, headers)(scope, receive, send)
        except Exception as error:
            if begun.begun:
                raise
            unforeseen = Refused(500, sentence_of(error))
            await _refusal(unforeseen, path, headers)(scope, receive, send)

    def _at_the_door(self, scope: Scope, visitor: Visitor) -> Response | None:
        """What somebody gets who may not look yet; None for those who may."""
        path, request = scope["path"], HTTPConnection(scope)
        given = request.query_params.get("token")
        if self._doors.token and given and path in self._pages:
            return self._visitors.welcomed(request, given, path) or self._not_in(path, request)
        if visitor.role is not None or path in OPEN:
            return None
        return self._not_in(path, request)

    def _not_in(self, path: str, request: HTTPConnection) -> Response:
        """Where somebody goes who must sign in first; functions and pictures are refused."""
        if path.startswith((f"{checks.REST}/", checks.MCP)):
            raise Refused(401, checks.PROGRAMS)
        if not self._doors.sign_in:
            raise Refused(
                401, "Open the address that the workbench printed when it started, including the token."
            )
        if path not in self._pages:
            raise Refused(401, "You are no longer signed in; reload the page and sign in.")
        asked = path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f".{SIGN_IN}?next={quote(asked)}", 303)

    async def _check_call(self, scope: Scope, visitor: Visitor, receive: Receive) -> tuple[Receive, Role]:
        """Refuse a call that is no proper one or not for this visitor; returns what receives it again, and the role
        that it asks for."""
        body, blocks = await _whole(receive), scope["app"].get_blocks()
        call = checks.parse_call(body)
        if scope["path"].rstrip("/") == checks.FUNCTIONS:
            checks.check_server_call(call)
            function = roles.server_function(blocks, call)
            given = call["data"]
        else:
            checks.check_event(call)
            function = roles.event_function(blocks, call)
            given = call.get("event_data")
        wanted = _require(visitor, function)
        if visitor.name and isinstance(given, dict) and "who" in given:
            given["who"] = visitor.name  # the session says who decides, never the page
            body = json.dumps(call).encode()
        return _again(body, receive), wanted


def _require(visitor: Visitor, function: object) -> Role:
    """Refuse what asks for another role than the visitor has; returns the role."""
    wanted = rights.role_of(function)
    if sentence := roles.refusal(visitor.role, wanted):
        raise Refused(403, sentence)
    return wanted


async def _check_program(scope: Scope, visitor: Visitor, receive: Receive) -> tuple[Receive, Role]:
    """Refuse a program's call that is not for this visitor or no proper JSON; returns as `_check_call`."""
    headers = Headers(scope=scope)
    function = api.endpoint_of(scope["method"], scope["path"].removeprefix(checks.REST))
    if function is None:
        raise Refused(
            404,
            f"Nothing answers {scope['method']} at this address; {checks.REST}/openapi.json lists all addresses.",
        )
    wanted = _require(visitor, function)
    if scope["method"] not in checks.WRITING or checks.content_type(headers) != "application/json":
        return receive, wanted
    body = await _whole(receive)
    if body:
        checks.parse_call(body)
    return _again(body, receive), wanted


async def _check_message(method: str, receive: Receive) -> tuple[Receive, Role]:
    """Refuse a message of MCP that is no proper JSON; returns as `_check_call`. The tool refuses by itself whoever may
    not call it, so that clients show why."""
    if method != "POST":
        raise Refused(405, "Call tools with POST; streams are not supported.")
    body = await _whole(receive)
    return _again(body, receive), roles.of_message(checks.parse_call(body))


class _Turn:
    """A call's turn among those that may run at a time. One with large files takes it once they are here: a slow line
    keeps nobody waiting."""

    def __init__(self, places: asyncio.Semaphore, path: str):
        self._places, self._waits, self._taken = places, path in checks.UPLOADS, False

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        async def received() -> Message:
            message = await receive()
            if not message.get("more_body"):
                await self._take()
            return message

        try:
            if not self._waits:
                await self._take()
            await app(scope, received if self._waits else receive, send)
        finally:
            if self._taken:
                self._places.release()

    async def _take(self) -> None:
        if not self._taken:
            await self._places.acquire()
            self._taken = True


class _Answer:
    """An answer that is being sent. begun: its status is on the way, so that no other can be sent."""

    def __init__(self, send: Send):
        self._send, self.begun = send, False

    async def __call__(self, message: Message) -> None:
        self.begun = True
        await self._send(message)


def _refusal(refusal: Refused, path: str, headers: Headers) -> Response:
    """One sentence. A script of ours reads it in an answer: Gradio hides from it why a call has failed."""
    ours = headers.get("sec-fetch-site") == "same-origin" or headers.get("origin", "").endswith(
        f"://{headers.get('host')}"
    )
    if ours and path.rstrip("/") == checks.FUNCTIONS and refusal.status_code in (401, 403, 500):
        return JSONResponse({"error": refusal.detail})
    return JSONResponse({"detail": refusal.detail}, refusal.status_code)


def _with_headers(send: Send, path: str, own: Mapping[str, str]) -> Send:
    of_file = path.startswith(f"{checks.API}/file=")

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in own.items():
                headers[name] = value
            if of_file:
                headers.update(OF_FILES)
        await send(message)

    return sent


def _renaming(send: Send, scope: Scope) -> Send:
    """Give uploaded files their kept names before their paths are told."""
    start: Message = {}
    parts: list[bytes] = []

    async def sent(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
            return
        parts.append(message.get("body", b""))
        if message.get("more_body"):
            return
        body = b"".join(parts)
        if start["status"] == 200:
            body = await run_in_threadpool(uploads.keep, scope["app"].get_blocks(), body)
        MutableHeaders(scope=start)["content-length"] = str(len(body))
        await send(start)
        await send({"type": "http.response.body", "body": body})

    return sent


def _counting(receive: Receive, path: str, doors: Doors) -> Receive:
    """Stop a body that is larger than its address takes, whatever its header said."""
    got, largest = 0, checks.largest(path, doors)

    async def counted() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > largest:
            raise checks.too_large(path, doors)
        return message

    return counted


async def _whole(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
