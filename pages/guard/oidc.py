"""Signing in by OpenID Connect: the provider says who somebody is, and a claim of it which role they have.

    /oidc         leads to the provider
    /oidc-back    where the provider leads back; its answer is the cookie of a session

Authlib does the protocol: code flow with PKCE, state and nonce, signature, issuer, audience and expiry of the ID token.
What it must remember meanwhile stays here, under a cookie that only the same browser sends back. Knows claims and
accounts. Does not know what a role may do.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exdd_core import extras
from exdd_core.errors import BadInput
from exdd_core.workspace import people
from pages.guard.doors import ROLES, Oidc, Role
from pages.guard.middleware import OIDC, OIDC_BACK
from pages.guard.sign_in import entered, own_address, refused
from pages.guard.visitors import Visitors

if TYPE_CHECKING:
    from authlib.integrations.starlette_client import StarletteOAuth2App

SECRET = "EXDD_OIDC_SECRET"  # of a client that has one, in the environment: arguments are seen by everybody
FLOW = "exdd_oidc"  # name of the cookie
LASTS = 600.0  # seconds that somebody may take to sign in at the provider
MOST = 10_000  # people who are on their way at once
log = logging.getLogger(__name__)


class Flow(TypedDict, total=False):
    """What is remembered of one person. next: the page to go to. authlib: what Authlib keeps between both requests."""

    next: str
    authlib: dict[str, object]


class Flows:
    """What is remembered of those who are on their way to the provider, by the cookie of their browser."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, Flow]] = {}

    def begin(self) -> tuple[str, Flow]:
        """A new cookie, and what belongs to it."""
        now = time.monotonic()
        self._kept = {k: one for k, one in self._kept.items() if now - one[0] < LASTS}
        if len(self._kept) >= MOST:
            self._kept.pop(next(iter(self._kept)))
        cookie = secrets.token_urlsafe(24)
        self._kept[cookie] = now, {}
        return cookie, self._kept[cookie][1]

    def end(self, cookie: str) -> Flow | None:
        """What belongs to a cookie, once; None for one that is unknown or too old."""
        at, kept = self._kept.pop(cookie, (0.0, {}))
        return kept if at and time.monotonic() - at < LASTS else None


def routes(visitors: Visitors) -> list[Route]:
    """The addresses, for doors with a provider. Raises `BadInput` where Authlib is not installed."""
    known = visitors.doors.oidc
    if known is None:
        return []
    provider, flows = _provider(known), Flows()

    async def away(request: Request) -> Response:
        cookie, kept = flows.begin()
        kept["next"] = own_address(request.query_params.get("next", "/"))
        request.scope["session"] = kept.setdefault("authlib", {})
        back = f"{request.url.scheme}://{request.url.netloc}{visitors.doors.root}{OIDC_BACK}"
        try:
            await _check_issuer(provider, known)
            answer: Response = await provider.authorize_redirect(request, back)
        except Exception as error:
            log.warning("The provider %s does not answer as it should", known.issuer, exc_info=error)
            return refused(
                known, f"{known.host} is not responding as expected; try again, or contact the administrator."
            )
        https = request.url.scheme == "https"
        answer.set_cookie(FLOW, cookie, max_age=int(LASTS), httponly=True, samesite="lax", secure=https)
        return answer

    async def back(request: Request) -> Response:
        kept = flows.end(request.cookies.get(FLOW, ""))
        if kept is None:
            return refused(known, "Signing in took too long or was started in another browser; start again.")
        request.scope["session"] = kept["authlib"]
        try:
            token = await provider.authorize_access_token(request)
            claims = token["userinfo"]
        except Exception as error:  # Authlib's, its parsers' and the network's
            log.warning("Signing in by %s failed: %s", known.issuer, error)
            return refused(known, f"{known.host} did not confirm who you are; start again.")
        try:
            session = await run_in_threadpool(_enter, visitors, known, claims)
        except BadInput as error:
            return refused(known, str(error))
        answer = entered(request, session, kept["next"])
        answer.delete_cookie(FLOW)
        return answer

    return [Route(OIDC, away, methods=["GET"]), Route(OIDC_BACK, back, methods=["GET"])]


def _provider(known: Oidc) -> StarletteOAuth2App:
    extras.OIDC.require()
    from authlib.integrations.starlette_client import OAuth

    return OAuth().register(
        "exdd",
        client_id=known.client,
        client_secret=os.environ.get(SECRET),
        server_metadata_url=f"{known.issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256", "timeout": 10},
    )


async def _check_issuer(provider: StarletteOAuth2App, known: Oidc) -> None:
    """Refuse metadata of another issuer: its tokens would be believed."""
    found = await provider.load_server_metadata()
    if str(found.get("issuer", "")).rstrip("/") != known.issuer:
        raise BadInput(f"{known.issuer} says that it is {found.get('issuer') or 'nobody'}.")


def role_of(claims: Mapping[str, Any], known: Oidc) -> Role | None:
    """The highest of the roles that the claim names; None where it names none. A dot in its name leads inwards."""
    found: Any = claims
    for part in [known.claim] if known.claim in claims else known.claim.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    given = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return next((role for role in reversed(ROLES) if role in given), None)


def _enter(visitors: Visitors, known: Oidc, claims: Mapping[str, Any]) -> str:
    """A session of whom the claims are about. Raises `BadInput`."""
    role = role_of(claims, known)
    if role is None:
        raise BadInput(
            f'{known.host} gives you none of the roles {", ".join(ROLES)} (its claim "{known.claim}"); ask '
            "the administrator of the workbench."
        )
    name = str(claims.get("preferred_username") or claims.get("email") or claims.get("name") or claims["sub"])
    return people.sign_in_by(visitors.workspace, f"{known.issuer} {claims['sub']}", name[:40], role)
