"""Who sends a request: somebody who signed in, who came by the printed address, or a guest.

Knows cookies and the accounts of a workspace. Does not know what a role may do.
"""

from __future__ import annotations

import hmac
import time
from contextvars import ContextVar
from dataclasses import dataclass

from gradio.context import LocalContext
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from exdd_core.workspace import Workspace, people
from pages.guard.doors import Doors, Role

SESSION, TOKEN = "exdd_session", "exdd_token"  # names of cookies
FRESH = (
    10.0  # seconds that a session is known without asking the database: a page asks for many files at once
)
VISITOR, DOORS = "exdd.visitor", "exdd.doors"  # what a request carries


@dataclass(frozen=True)
class Visitor:
    """name: of the account, "" for a guest. role: None where they may do nothing before they sign in."""

    name: str
    role: Role | None


GUEST = Visitor("", None)
_scope: ContextVar[Scope | None] = ContextVar("exdd_scope", default=None)


class Visitors:
    """Finds out who sends a request."""

    def __init__(self, workspace: Workspace, doors: Doors):
        self.workspace, self.doors = workspace, doors
        self._known: dict[str, tuple[float, Visitor]] = {}  # by session

    def of(self, request: HTTPConnection) -> Visitor:
        """The visitor behind a request; a program sends a session or the token as a header in place of a cookie."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        bearer = bearer.strip() if scheme.lower() == "bearer" else ""
        session = bearer or request.cookies.get(SESSION)
        if self.doors.sign_in and session:
            found = self._signed_in(session)
            if found:
                return found
        token = self.doors.token
        given = bearer or request.cookies.get(TOKEN, "")
        if token and hmac.compare_digest(given.encode(), token.encode()):
            return Visitor("", "admin")
        return Visitor("", self.doors.guest)

    def welcomed(self, request: HTTPConnection, given: str, path: str) -> Response | None:
        """The page without the token in its address, and a cookie in its place; None for a wrong one."""
        if not hmac.compare_digest(given.encode(), self.doors.token.encode()):
            return None
        answer = RedirectResponse(f".{path}", 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(TOKEN, given, max_age=people.LASTS, httponly=True, samesite="lax", secure=secure)
        return answer

    def forget(self) -> None:
        """Ask the database again: somebody has signed in or out."""
        self._known.clear()

    def _signed_in(self, session: str) -> Visitor | None:
        at, visitor = self._known.get(session, (0.0, GUEST))
        if time.monotonic() - at < FRESH and visitor.name:
            return visitor
        person = people.signed_in(self.workspace, session)
        if person is None:
            self._known.pop(session, None)
            return None
        visitor = Visitor(person.name, person.role)  # type: ignore[arg-type]
        self._known[session] = time.monotonic(), visitor
        return visitor


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


def doors_of_request() -> Doors:
    """The doors that the request came through."""
    return _found().get(DOORS, Doors())


def _found() -> Scope:
    # A function of a page runs in a task of Gradio's, which began in the context of another request and carries its
    # own; whatever has none is a route of ours.
    request = LocalContext.request.get(None)
    found = getattr(getattr(request, "request", request), "scope", None)
    return found if isinstance(found, dict) else _scope.get() or {}
