"""Who sends a request: somebody who signed in, who came by the printed address, or a guest.

Knows cookies and the accounts of a workspace. Does not know what a role may do.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from gradio.context import LocalContext
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from exdd_core.sentences import count
from exdd_core.workspace import Workspace, people
from pages.guard.checks import PROGRAMS, Refused
from pages.guard.doors import Doors, Role
from pages.guard.tries import Tries, sender

SESSION, TOKEN = "exdd_session", "exdd_token"  # names of cookies
VISITOR, DOORS = "exdd.visitor", "exdd.doors"  # what a request carries


@dataclass(frozen=True)
class Visitor:
    """name: of the account, "" for a guest. role: None where they may do nothing before they sign in."""

    name: str
    role: Role | None


_scope: ContextVar[Scope | None] = ContextVar("exdd_scope", default=None)


class Visitors:
    """Finds out who sends a request."""

    def __init__(self, workspace: Workspace, doors: Doors):
        self.workspace, self.doors = workspace, doors
        self.tries = Tries()
        self._sessions = people.Sessions(workspace)

    def of(self, request: HTTPConnection) -> Visitor:
        """The visitor behind a request; a program sends a session or the token as a header in place of a cookie.

        Raises `Refused` for a wrong key: a program that sent one did not come as a guest.
        """
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and (self.doors.sign_in or self.doors.token):
            return self._by_key(bearer.strip(), sender(request.client.host if request.client else ""))
        found = self._known(request.cookies.get(SESSION, ""), request.cookies.get(TOKEN, ""))
        return found or Visitor("", self.doors.guest)

    def _by_key(self, key: str, host: str) -> Visitor:
        """The visitor of a key. Wrong ones are slowed by their address, where keys that were right go on as before."""
        tries, place, own = self.tries, f"key from {host}", hashlib.sha256(key.encode()).hexdigest()
        wait = 0.0 if tries.was_right(own) else tries.wait(place)
        if wait > 0:
            raise Refused(429, f"Too many wrong keys; wait {count(math.ceil(wait), 'second')} and try again.")
        found = self._known(key, key)
        if found is None:
            tries.wrong(place)
            raise Refused(401, f"This key is wrong or no longer valid. {PROGRAMS}")
        tries.remember(own)
        return found

    def _known(self, session: str, token: str) -> Visitor | None:
        """Whom a session belongs to, or who knows the token."""
        account = self._sessions.person(session) if self.doors.sign_in and session else None
        if account is not None:
            return Visitor(account.name, account.role)  # type: ignore[arg-type]
        if self.doors.token and hmac.compare_digest(token.encode(), self.doors.token.encode()):
            return Visitor("", "admin")
        return None

    def welcomed(self, request: HTTPConnection, given: str, path: str) -> Response | None:
        """The page without the token in its address, and a cookie in its place; None for a wrong one."""
        if not hmac.compare_digest(given.encode(), self.doors.token.encode()):
            return None
        answer = RedirectResponse(f".{path}", 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(TOKEN, given, max_age=people.LASTS, httponly=True, samesite="lax", secure=secure)
        return answer


def enter(scope: Scope, visitor: Visitor, doors: Doors) -> None:
    """Note whose request this task serves, and through which doors it came."""
    scope[VISITOR], scope[DOORS] = visitor, doors
    _scope.set(scope)


def resume(scope: Scope) -> None:
    """Serve a request that was entered, in another task."""
    _scope.set(scope)


def person(typed: object) -> str:
    """Who decides: the account that is signed in, and the name that somebody `typed` only where nobody is."""
    return visitor_of_request().name or " ".join(str(typed or "").split())[:40]


def visitor_of_request() -> Visitor:
    """Who sent the request that is served; an admin where the program itself asks, as tests do."""
    return _found().get(VISITOR, Visitor("", "admin"))


def without_places(told: str, workspace: Workspace) -> str:
    """A sentence for the visitor of this request: only admins are told where files of the server lie."""
    if visitor_of_request().role == "admin":
        return told
    for place, name in (
        (workspace.path, "WORKSPACE"),
        (Path(sys.executable).parent, "."),
        (Path.home(), "~"),
    ):
        told = told.replace(str(place), name) if place != Path("/") else told
    return told


def doors_of_request() -> Doors:
    """The doors that the request came through."""
    return _found().get(DOORS, Doors())


def header_of_request(name: str) -> str:
    """A header of the request that is served; "" where it has none."""
    found = _found()
    return Headers(scope=found).get(name, "") if "headers" in found else ""


def _found() -> Scope:
    # A function of a page runs in a task of Gradio's, which began in the context of another request and carries its
    # own; whatever has none is a route of ours.
    request = LocalContext.request.get(None)
    found = getattr(getattr(request, "request", request), "scope", None)
    return found if isinstance(found, dict) else _scope.get() or {}
