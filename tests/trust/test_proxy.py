"""A reverse proxy shows the pages under another name, below a prefix or by https, or somebody pretends to be one."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from exdd_core.errors import BadInput
from exdd_core.workspace import Workspace, people
from pages.guard import Doors
from pages.guard.proxied import _as_asked
from tests.browser import free_port, serving, visit
from tests.trust.proxy import certificate, proxied

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PASSWORD = "correct horse battery"


def test_signing_in_and_out_stays_below_the_prefix(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "workspace", "efficientnet_lite0")
    people.add(workspace, "ann", "viewer", PASSWORD)
    doors = Doors.on("127.0.0.1", sign_in=True, root="exdd/")
    with (
        serving(workspace, doors) as server,
        proxied(server, "/exdd", strip=True) as address,
        httpx.Client(base_url=address, headers={"Sec-Fetch-Site": "none"}, follow_redirects=True) as client,
    ):
        form = client.get("curate?candidate=1")
        assert str(form.url) == f"{address}sign-in?next=/curate%3Fcandidate%3D1"
        entered = client.post(
            "sign-in", data={"name": "ann", "password": PASSWORD, "next": "/curate?candidate=1"}
        )
        assert (str(entered.url), entered.status_code) == (f"{address}curate?candidate=1", 200)
        assert str(client.post("sign-out").url) == f"{address}sign-in"


# --- forwarded headers ------------------------------------------------------------------------------------------------


def request(client: str, **headers: str) -> dict[str, object]:
    given = {"host": "127.0.0.1:7860"} | {name.replace("_", "-"): value for name, value in headers.items()}
    pairs = [(name.encode(), value.encode()) for name, value in given.items()]
    return {"type": "http", "client": (client, 1), "scheme": "http", "path": "/", "headers": pairs}


FORWARDED = {
    "x_forwarded_for": "6.6.6.6, 192.0.2.9, 10.0.0.8",
    "x_forwarded_host": "inspect.example",
    "x_forwarded_proto": "https",
    "x_gradio_server": "http://evil.example",
    "forwarded": "for=6.6.6.6",
}


def test_forwarded_headers_count_from_a_proxy_that_was_named_and_from_nobody_else() -> None:
    doors = Doors.on("127.0.0.1", proxies=("10.0.0.7", "10.0.0.8"))
    asked = _as_asked(request("10.0.0.7", **FORWARDED), doors)
    assert (asked["client"][0], asked["scheme"]) == (
        "192.0.2.9",
        "https",
    )  # what the last proxy saw, not the first word
    assert asked["headers"] == [(b"host", b"inspect.example")]
    forged = _as_asked(request("192.0.2.9", **FORWARDED), doors)
    assert (forged["client"][0], forged["scheme"]) == ("192.0.2.9", "http")
    assert forged["headers"] == [(b"host", b"127.0.0.1:7860")]


def test_the_address_of_the_proxy_says_that_browsers_come_by_https() -> None:
    doors = Doors.on("127.0.0.1", address="https://Inspect.example")
    assert _as_asked(request("127.0.0.1", host="inspect.example"), doors)["scheme"] == "https"
    assert _as_asked(request("127.0.0.1", host="127.0.0.1:7860"), doors)["scheme"] == "http"


def test_a_prefix_or_a_proxy_that_cannot_be_is_refused() -> None:
    for odd in ("a b", "/../x?", "http://x", "ä"):
        with pytest.raises(BadInput, match="not a valid path prefix"):
            Doors.on("127.0.0.1", root=odd)
    with pytest.raises(BadInput, match="not a valid proxy address"):
        Doors.on("127.0.0.1", proxies=("proxy.example",))
    with pytest.raises(BadInput, match="proxy.example is not a folder; name folders that exist"):
        Doors.on("127.0.0.1", folders=(Path(__file__).parent, Path("proxy.example")))


@pytest.mark.parametrize("trusted", [True, False])
def test_a_page_learns_its_address_from_a_trusted_proxy_alone(workspace: Workspace, trusted: bool) -> None:
    told = {"X-Forwarded-Host": "inspect.example", "X-Forwarded-Proto": "https"}
    doors = Doors.on(
        "127.0.0.1", root="/exdd", address="https://inspect.example", proxies=("127.0.0.1",) * trusted
    )
    with (
        serving(workspace, doors) as server,
        proxied(server, "/exdd", strip=True, told=told) as address,
    ):
        root = httpx.get(address + "config").json()["root"]
    own = address.rstrip("/")
    assert root == ("https://inspect.example/exdd" if trusted else own)


# --- https ------------------------------------------------------------------------------------------------------------


def test_a_page_and_its_cookie_go_by_https_alone(tmp_path: Path, browser: Browser) -> None:
    cert, key = certificate(tmp_path)
    workspace = Workspace.create(tmp_path / "workspace", "efficientnet_lite0")
    people.add(workspace, "ann", "viewer", PASSWORD)
    tls = {"ssl_certfile": str(cert), "ssl_keyfile": str(key), "ssl_verify": False}
    with serving(workspace, Doors.on("127.0.0.1", sign_in=True), **tls) as address:
        trusted = ssl.create_default_context(cafile=str(cert))
        with httpx.Client(base_url=address, verify=trusted) as client:
            entered = client.post("sign-in", data={"name": "ann", "password": PASSWORD, "next": "/"})
            assert "Secure" in entered.headers["set-cookie"]
        with pytest.raises(httpx.ConnectError, match="certificate"):
            httpx.get(address)
        with pytest.raises(httpx.HTTPError):
            httpx.get(address.replace("https", "http"))
        context = browser.new_context()
        page = context.new_page()
        page.goto(address)
        page.get_by_label("Name").fill("ann")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(address)
        visit(page, address + "data")
        page.get_by_text("Signed in as ann (viewer)").wait_for()
        context.close()


def test_a_certificate_that_is_none_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import app

    cert, key = certificate(tmp_path)
    port = str(free_port())
    for words, said in (
        (["--tls-cert", str(cert)], "requires both"),
        (["--tls-cert", os.devnull, "--tls-key", str(key)], "a pipe, a device or a socket"),
        (["--tls-cert", str(key), "--tls-key", str(key)], "not a PEM certificate and its private key"),
        (
            ["--tls-cert", str(cert), "--tls-key", str(tmp_path / "none")],
            "not a PEM certificate and its private key",
        ),
    ):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("app.logs.begin", lambda asks: None)
            assert app.main(["--workspace", str(tmp_path / "w"), "--port", port, *words]) == 2
        assert said in capsys.readouterr().err
