"""Somebody signs in by another service, forges its answer, or has no role there."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from exdd_core.errors import BadInput
from exdd_core.workspace import Workspace, people
from pages.guard import Doors
from pages.guard.doors import Oidc, provider
from pages.guard.oidc import Flows, role_of
from tests.browser import serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

CLIENT = "workbench"


class Provider:
    """A provider of OpenID Connect on this machine, which signs everybody in at once as `claims` say.

    odd: replaces claims of its ID tokens, to forge them. key: signs them.
    """

    def __init__(self) -> None:
        self.published = RSAKey.generate_key(2048, {"kid": "k"})
        self.codes: dict[str, dict[str, str]] = {}
        self.issuer_said = ""
        self.be_honest()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, query = self.path.partition("?")[::2]
                asked = {name: values[0] for name, values in parse_qs(query).items()}
                if path.startswith("/.well-known"):
                    self.tell(provider.metadata())
                elif path == "/jwks":
                    self.tell({"keys": [provider.published.as_dict(private=False)]})
                elif path == "/authorize":
                    code = secrets.token_hex(8)
                    provider.codes[code] = asked
                    self.send_response(302)
                    told = urlencode({"code": code, "state": asked["state"]})
                    self.send_header("Location", f"{asked['redirect_uri']}?{told}")
                    self.end_headers()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                given = {name: values[0] for name, values in parse_qs(body).items()}
                asked = provider.codes.pop(given["code"], None)
                digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
                proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
                if asked is None or asked["code_challenge"] != proof:
                    self.tell({"error": "invalid_grant"}, 400)
                    return
                token = provider.token(asked["nonce"])
                self.tell({"access_token": "x", "token_type": "Bearer", "id_token": token})

            def tell(self, content: dict[str, Any], status: int = 200) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(content).encode())

            def log_message(self, format: str, *words: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def be_honest(self) -> None:
        self.claims: dict[str, Any] = {"sub": "1", "preferred_username": "ann", "roles": ["curator"]}
        self.odd: dict[str, Any] = {}
        self.key = self.published

    def metadata(self) -> dict[str, Any]:
        at = self.address
        return {
            "issuer": self.issuer_said or at,
            "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token",
            "jwks_uri": f"{at}/jwks",
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def token(self, nonce: str) -> str:
        now = int(time.time())
        told = {"iss": self.address, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": nonce}
        return jwt.encode({"alg": "RS256", "kid": "k"}, told | self.claims | self.odd, self.key)


@pytest.fixture(scope="module")
def only() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def service(only: Provider) -> Provider:
    only.be_honest()
    return only


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace.create(tmp_path_factory.mktemp("oidc") / "workspace", "efficientnet_lite0")
    people.add(made, "local", "admin", "correct horse battery")
    return made


@pytest.fixture(scope="module")
def address(workspace: Workspace, only: Provider) -> Iterator[str]:
    with serving(workspace, Doors.on("127.0.0.1", oidc=Oidc(only.address, CLIENT))) as at:
        yield at


def entered(address: str, after: str = "/data") -> tuple[httpx.Response, httpx.Client]:
    """The page that somebody comes to who signs in by the service."""
    client = httpx.Client(base_url=address, follow_redirects=True)
    return client.get("oidc", params={"next": after}), client


def test_the_service_says_who_somebody_is_and_a_claim_which_role(
    address: str, service: Provider, workspace: Workspace
) -> None:
    assert httpx.get(address).status_code == 303
    shown, client = entered(address)
    assert (str(shown.url), shown.status_code) == (f"{address}data", 200)
    assert client.get("metrics").status_code == 200
    (person,) = [one for one in people.listed(workspace) if one.name == "ann"]
    assert (person.role, person.password) == ("curator", False)
    service.claims = {"sub": "1", "preferred_username": "other", "roles": "viewer"}
    entered(address)
    assert {one.name: one.role for one in people.listed(workspace)} == {"ann": "viewer", "local": "admin"}


def test_nobody_takes_an_account_of_somebody_else(address: str, service: Provider) -> None:
    for name, sub in (("local", "2"), ("ann", "3")):
        service.be_honest()
        assert entered(address)[0].status_code == 200
        service.claims = {"sub": sub, "preferred_username": name, "roles": ["admin"]}
        shown, client = entered(address)
        assert shown.status_code == 403 and "belongs to someone else" in shown.text
        assert client.get("config").status_code == 401


def test_without_a_role_there_nobody_gets_in_here(address: str, service: Provider) -> None:
    service.claims = {"sub": "9", "preferred_username": "eve", "roles": ["king"]}
    shown, client = entered(address)
    assert shown.status_code == 403 and "none of the roles viewer, curator, admin" in shown.text
    assert client.get("config").status_code == 401


@pytest.mark.parametrize(
    "odd",
    [
        {"iss": "http://evil.example"},
        {"aud": "another-client"},
        {"nonce": "another"},
        {"exp": 1_000_000},
    ],
    ids=lambda odd: next(iter(odd)),
)
def test_a_token_that_is_not_for_this_visit_is_not_believed(
    address: str, service: Provider, odd: dict[str, Any]
) -> None:
    service.odd = odd
    shown, client = entered(address)
    assert shown.status_code == 403 and "did not confirm who you are" in shown.text
    assert client.get("config").status_code == 401


def test_a_token_that_another_signed_is_not_believed(address: str, service: Provider) -> None:
    service.key = RSAKey.generate_key(2048, {"kid": "k"})
    assert entered(address)[0].status_code == 403


def test_the_way_back_belongs_to_the_browser_that_left(address: str, service: Provider) -> None:
    with httpx.Client(base_url=address) as victim, httpx.Client(base_url=address) as other:
        away = victim.get("oidc").headers["location"]
        back = httpx.get(away).headers["location"]
        assert urlsplit(back).path == "/oidc-back"
        assert other.get(back).status_code == 403  # no cookie
        other.get("oidc")
        assert other.get(back).status_code == 403  # another state
        assert victim.get(back).status_code == 303
        assert victim.get(back).status_code == 403  # a second time


def test_a_service_that_calls_itself_otherwise_or_is_away_is_said(workspace: Workspace) -> None:
    service = Provider()
    service.issuer_said = "http://evil.example"
    with serving(workspace, Doors.on("127.0.0.1", oidc=Oidc(service.address, CLIENT))) as address:
        for _ in range(2):
            shown, _ = entered(address)
            assert shown.status_code == 403 and "is not responding as expected" in shown.text
            service.server.shutdown()
            service.server.server_close()


def test_signing_in_leads_back_to_this_server_alone(address: str, service: Provider) -> None:
    shown, _ = entered(address, "//evil.example")
    assert str(shown.url) == address


def test_somebody_signs_in_by_the_service_in_a_browser(address: str, service: Provider, page: Page) -> None:
    page.goto(address + "data")
    page.get_by_role("link", name="Sign in with 127.0.0.1").click()
    page.wait_for_url("**/data")
    page.get_by_text("Signed in as ann (curator)").wait_for()


def test_options_that_make_no_provider_are_refused() -> None:
    assert provider("", "", "roles") is None
    assert provider("https://login.example/", "us", "roles") == Oidc("https://login.example", "us", "roles")
    for issuer, client, said in (
        ("https://login.example", "", "needs both"),
        ("", "us", "needs both"),
        ("login", "us", "needs both"),
        ("http://login.example", "us", "is not encrypted"),
    ):
        with pytest.raises(BadInput, match=said):
            provider(issuer, client, "roles")


def test_a_role_is_found_in_a_claim_that_lies_within_another() -> None:
    claims = {"realm_access": {"roles": ["viewer", "admin", "x"]}, "a.b": "curator", "odd": {"roles": 7}}
    assert role_of(claims, Oidc("https://x", "us", "realm_access.roles")) == "admin"
    assert role_of(claims, Oidc("https://x", "us", "a.b")) == "curator"
    for claim in ("odd.roles", "realm_access", "none.at.all"):
        assert role_of(claims, Oidc("https://x", "us", claim)) is None


def test_whoever_takes_too_long_begins_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clock = [1000.0]
    monkeypatch.setattr("pages.guard.oidc.time.monotonic", lambda: clock[0])
    flows = Flows()
    first, second = flows.begin()[0], flows.begin()[0]
    assert flows.end(first) == {} and flows.end(first) is None and flows.end("x") is None
    clock[0] += 601
    assert flows.end(second) is None
