"""The page where people sign in, and the addresses behind it.

    /sign-in    a form; its answer is a cookie and the page that was asked for
    /sign-out   ends the session

Wrong passwords are slowed by account and by address. Knows forms and cookies. Does not know roles or pages.
"""

from __future__ import annotations

import asyncio
import html
import time
from pathlib import Path
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from exdd_core.errors import BadInput
from exdd_core.workspace import people
from pages.guard.doors import Oidc
from pages.guard.middleware import OIDC, SIGN_IN
from pages.guard.visitors import SESSION, Visitors

TEMPLATE = (Path(__file__).resolve().parents[2] / "assets" / "sign_in.html").read_text("utf-8")
FREE_TRIES = 5  # wrong passwords of an account or an address before each further one takes longer
LONGEST_WAIT = 60.0  # seconds
FORGOTTEN = 900.0  # seconds after the last wrong password that earlier ones no longer count


class Tries:
    """Wrong passwords, by account and by address, and how long the next try has to wait."""

    def __init__(self) -> None:
        self._wrong: dict[str, tuple[int, float]] = {}

    def wait(self, *keys: str) -> float:
        """Seconds from now until somebody may try again."""
        now = time.monotonic()
        return max(0.0, *(self._until(key, now) - now for key in keys))

    def wrong(self, *keys: str) -> None:
        """Count a wrong password."""
        now = time.monotonic()
        self._wrong = {k: (n, at) for k, (n, at) in self._wrong.items() if now - at < FORGOTTEN}
        for key in keys:
            self._wrong[key] = self._wrong.get(key, (0, now))[0] + 1, now

    def right(self, *keys: str) -> None:
        """Forget them: somebody has signed in."""
        for key in keys:
            self._wrong.pop(key, None)

    def _until(self, key: str, now: float) -> float:
        count, at = self._wrong.get(key, (0, now))
        if count < FREE_TRIES or now - at > FORGOTTEN:
            return now
        return at + min(LONGEST_WAIT, 2.0 ** (count - FREE_TRIES))


def routes(visitors: Visitors) -> list[Route]:
    """The addresses of signing in and out."""
    tries, known = Tries(), visitors.doors.oidc

    async def show(request: Request) -> Response:
        if request.method == "GET":
            return _form("", request.query_params.get("next", "/"), known=known)
        async with request.form(max_files=0, max_fields=5) as form:
            name, password, after = (str(form.get(field) or "") for field in ("name", "password", "next"))
        keys = (f"name {name.strip()}", f"from {request.client.host if request.client else ''}")
        wait = tries.wait(*keys)
        if wait > 0:
            return _form(
                f"Too many wrong passwords; wait {wait:.0f} seconds and try again.", after, name, 429, known
            )
        try:
            token = await run_in_threadpool(people.sign_in, visitors.workspace, name, password)
        except BadInput as error:
            tries.wrong(*keys)
            await asyncio.sleep(0.2)
            return _form(str(error), after, name, 403, known)
        tries.right(*keys)
        return entered(request, token, after)

    async def leave(request: Request) -> Response:
        token = request.cookies.get(SESSION)
        if token:
            await run_in_threadpool(people.sign_out, visitors.workspace, token)
        visitors.forget()
        answer = RedirectResponse(f".{SIGN_IN}", 303)
        answer.delete_cookie(SESSION)
        return answer

    return [
        Route(SIGN_IN, show, methods=["GET", "POST"]),
        Route("/sign-out", leave, methods=["POST"]),
    ]


def entered(request: Request, token: str, after: str) -> Response:
    """Send somebody who has signed in to the page that they asked for, with the cookie of their session."""
    answer = RedirectResponse(f".{own_address(after)}", 303)
    answer.set_cookie(
        SESSION,
        token,
        max_age=people.LASTS,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


def own_address(asked: str) -> str:
    """An address on this server; "/" for anything else, so that no link sends people elsewhere after signing in."""
    own = asked.startswith("/") and not asked.startswith(("//", "/\\")) and asked.isprintable()
    return asked if own else "/"


def refused(known: Oidc, sentence: str) -> HTMLResponse:
    """The page where people sign in, with the reason why somebody could not by a provider."""
    return _form(sentence, "/", status=403, known=known)


def _link(known: Oidc | None, after: str) -> str:
    if known is None:
        return ""
    address = f".{OIDC}?next={quote(after)}"
    return f'<a class="provider" href="{html.escape(address)}">Sign in with {html.escape(known.host)}</a>'


def _form(
    sentence: str, after: str, name: str = "", status: int = 200, known: Oidc | None = None
) -> HTMLResponse:
    said = f'<p class="note error" role="alert">{html.escape(sentence)}</p>' if sentence else ""
    page = TEMPLATE.replace("{note}", said).replace("{next}", html.escape(own_address(after)))
    page = page.replace("{name}", html.escape(name)).replace("{provider}", _link(known, own_address(after)))
    return HTMLResponse(page, status_code=status, headers={"Cache-Control": "no-store"})
