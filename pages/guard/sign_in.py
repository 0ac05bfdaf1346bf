"""The page where people sign in, and the addresses behind it.

    /sign-in    a form; its answer is a cookie and the page that was asked for
    /sign-out   ends the session

Wrong passwords are slowed by account and by address; an account waits for none of them where it has signed in before.
Knows forms and cookies. Does not know roles or pages.
"""

from __future__ import annotations

import asyncio
import html
import math
import re
from pathlib import Path
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from exdd_core.errors import BadInput
from exdd_core.sentences import count
from exdd_core.workspace import people
from pages.guard.doors import Oidc
from pages.guard.middleware import OIDC, SIGN_IN
from pages.guard.tries import sender
from pages.guard.visitors import SESSION, Visitors

TEMPLATE = (Path(__file__).resolve().parents[2] / "assets" / "sign_in.html").read_text("utf-8")


def routes(visitors: Visitors) -> list[Route]:
    """The addresses of signing in and out."""
    known, one = visitors.doors.oidc, asyncio.Lock()

    async def show(request: Request) -> Response:
        if request.method == "GET":
            return _form("", request.query_params.get("next", "/"), known=known)
        async with request.form(max_files=0, max_fields=5) as form:
            name, password, after = (str(form.get(field) or "") for field in ("name", "password", "next"))
        async with one:  # at a time: many at once are slowed, too, and the hashes of one fit the memory
            token, sentence, status = await _tried(visitors, request, name.strip(), password)
        if token:
            return entered(request, token, after)
        await asyncio.sleep(0.2 if status == 403 else 0)
        return _form(sentence, after, name, status, known)

    async def leave(request: Request) -> Response:
        token = request.cookies.get(SESSION)
        if token:
            await run_in_threadpool(people.sign_out, visitors.workspace, token)
        answer = RedirectResponse(f".{SIGN_IN}", 303)
        answer.delete_cookie(SESSION)
        answer.headers["clear-site-data"] = '"cache"'  # pictures, which nobody else at this computer may see
        return answer

    return [
        Route(SIGN_IN, show, methods=["GET", "POST"]),
        Route("/sign-out", leave, methods=["POST"]),
    ]


async def _tried(visitors: Visitors, request: Request, name: str, password: str) -> tuple[str, str, int]:
    """Check a password, unless earlier ones were wrong too often: the session, or why there is none and the status."""
    tries, host = visitors.tries, sender(request.client.host if request.client else "")
    # Who sends wrong passwords keeps nobody out who has signed in from elsewhere.
    here, account, home = f"from {host}", f"name {name[:100]}", f"{name[:100]} from {host}"
    keys = (here,) if tries.was_right(home) else (here, account)
    wait = tries.wait(*keys)
    if wait > 0:
        return "", f"Too many wrong passwords; wait {count(math.ceil(wait), 'second')} and try again.", 429
    try:
        token = await run_in_threadpool(people.sign_in, visitors.workspace, name, password)
    except BadInput as error:
        tries.wrong(here, account)
        return "", str(error), 403
    tries.right(*keys)
    tries.remember(home)
    return token, "", 200


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
    filled = {
        "{note}": said,
        "{next}": html.escape(own_address(after)),
        "{name}": html.escape(name),
        "{provider}": _link(known, own_address(after)),
    }
    # In one pass: a name or an address that holds "{provider}" itself stays as it was typed.
    page = re.sub(r"\{(note|next|name|provider)\}", lambda place: filled[place[0]], TEMPLATE)
    return HTMLResponse(page, status_code=status, headers={"Cache-Control": "no-store"})
