"""Another website, a foreign name or an odd call reaches the server."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers

from exdd_core.errors import BadInput
from exdd_core.workspace import Workspace
from pages import health
from pages.guard import Doors, checks
from pages.guard.uploads import allowed_path, uploaded
from tests.browser import chromium, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CALL = "gradio_api/component_server"
NOT_OURS = "Another website sent this request, so nothing was done."


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.create(tmp_path_factory.mktemp("guard") / "workspace")


@pytest.fixture(scope="module")
def address(workspace: Workspace) -> Iterator[str]:
    with serving(workspace) as at:
        yield at


def look(address: str) -> dict[str, object]:
    """A call that every page makes: the header's chips and the jobs."""
    config = httpx.get(address + "config").json()
    shown = next(c for c in config["components"] if "look" in c["props"].get("server_fns", []))
    return {"session_hash": "x", "component_id": shown["id"], "fn_name": "look", "data": {}}


# --- other websites -----------------------------------------------------------------------------------------------


def test_a_name_that_is_not_this_machines_is_refused_for_every_address(address: str) -> None:
    for path in ("", "config", "look/theme.css", "thumbnail?image=x", "gradio_api/info"):
        answer = httpx.get(address + path, headers={"Host": "evil.example"})
        assert answer.status_code == 400 and "not served under this name" in answer.text, path
        assert answer.headers["x-content-type-options"] == "nosniff" and "frame-ancestors 'none'" in str(
            answer.headers
        )
    assert httpx.get(address, headers={"Host": f"localhost:{urlsplit(address).port}"}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "https://127.0.0.1"])
def test_a_foreign_origin_is_refused_for_every_address(address: str, origin: str) -> None:
    for path in ("", "look/theme.css", "thumbnail?image=x"):
        assert httpx.get(address + path, headers={"Origin": origin}).status_code == 403
    for path in (CALL, "gradio_api/queue/join", "gradio_api/run/predict", "gradio_api/upload", "sign-in"):
        answer = httpx.post(address + path, json=look(address), headers={"Origin": origin})
        assert (answer.status_code, answer.json()) == (403, {"detail": NOT_OURS}), path


def test_the_own_origin_passes(address: str) -> None:
    own = f"http://{urlsplit(address).netloc}"
    assert "stamp" in httpx.post(address + CALL, json=look(address), headers={"Origin": own}).json()


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_that_a_browser_calls_foreign_is_refused_unless_it_opens_a_page(
    address: str, site: str
) -> None:
    opened = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert httpx.get(address + "curate", headers=opened).status_code == 200
    for path in ("thumbnail?image=x", "config", "gradio_api/info"):
        assert httpx.get(address + path, headers=opened).status_code == 403, path
    framed = opened | {"Sec-Fetch-Dest": "iframe"}
    assert httpx.get(address, headers=framed).status_code == 403
    assert httpx.post(address + CALL, json=look(address), headers={"Sec-Fetch-Site": site}).status_code == 403


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_a_body_that_is_not_json_calls_nothing(address: str, kind: str) -> None:
    for path in (CALL, "gradio_api/queue/join", "gradio_api/run/predict", "gradio_api/cancel"):
        answer = httpx.post(address + path, content=json.dumps(look(address)), headers={"Content-Type": kind})
        assert answer.status_code == 415, path


def test_every_answer_binds_the_browser(address: str) -> None:
    for path in ("", "studio", "look/theme.css", "config", "nothing-here", "thumbnail?image=x"):
        headers = httpx.get(address + path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert "object-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_gradios_other_addresses_are_not_served(address: str) -> None:
    for path in (
        *(
            "monitoring",
            "gradio_api/proxy=http://x",
            "gradio_api/vibe-code",
            "gradio_api/stream/x/y/1/playlist.m3u8",
        ),
        *(
            "gradio_api/custom_component/x/client/component/x.js",
            "gradio_api/dev/reload",
            "gradio_api/run/other",
        ),
    ):
        assert httpx.get(address + path).status_code == 404, path
    assert httpx.post(address + "gradio_api/process_recording", json={}).status_code == 404


def test_only_what_pages_show_is_served_of_assets(address: str) -> None:
    for path in (
        "theme.py",
        "sign_in.html",
        "package.json",
        "eslint.config.js",
        "inspect/page.js",
        "../app.py",
        "%2e%2e/app.py",
    ):
        assert httpx.get(f"{address}look/{path}").status_code == 404, path
    assert httpx.get(address + "look/theme.css").status_code == 200
    [named] = set(re.findall(r"\./look/([0-9a-f]{12})/", httpx.get(address).text))
    asked = {
        edition: httpx.get(f"{address}look/{edition}theme.css")
        for edition in ("", f"{named}/", "0" * 12 + "/")
    }
    assert len({answer.text for answer in asked.values()}) == 1
    kept = [answer.headers["cache-control"].endswith("immutable") for answer in asked.values()]
    assert kept == [False, True, False]  # a browser asks again for files of an edition that no page named
    for path in (
        "README.md",
        "../app.py",
        "node_modules/axe-core/axe.js",
        "joined/none.js",
        "joined/../frame.js",
    ):
        assert httpx.get(f"{address}look/{named}/{path}").status_code == 404, path
    for path in ("joined/styles.css", "joined/inspect.js"):
        answer = httpx.get(f"{address}look/{named}/{path}")
        assert answer.headers["cache-control"].endswith("immutable") and len(answer.text) > 10_000


# --- odd calls ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": "\\ud800"}',
        '{"a": 1e999}',
        "[1]",
        "null",
        '"x"',
        '{"a":',
        "[" * 3000,
    ],
)
def test_what_no_page_sends_is_refused_before_any_function_sees_it(address: str, data: str) -> None:
    body = json.dumps(look(address) | {"data": "DATA"}).replace('"DATA"', data)
    answer = httpx.post(address + CALL, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"].count(".") == 1


def test_a_call_of_nothing_that_is_there_is_refused(address: str) -> None:
    call = look(address)
    for odd, status in (
        ({"component_id": 10**9}, 404),
        ({"component_id": True}, 422),
        ({"component_id": "1"}, 422),
        ({"fn_name": "__class__"}, 404),
        ({"fn_name": "postprocess"}, 404),
        ({"session_hash": 5}, 422),
        ({"extra": 1}, 422),
    ):
        assert httpx.post(address + CALL, json=call | odd).status_code == status, odd
    for event in (
        {},
        {"fn_index": -1, "data": []},
        {"fn_index": "0", "data": []},
        {"fn_index": 0, "data": {}},
    ):
        for path in ("gradio_api/queue/join", "gradio_api/run/predict"):
            assert httpx.post(address + path, json=event).status_code in (404, 422), event


def test_a_body_that_is_too_large_is_stopped(workspace: Workspace) -> None:
    with serving(workspace, Doors(largest_upload=1000)) as address:
        said = httpx.post(address + "gradio_api/upload", files={"files": ("a.png", b"x" * 2000)})
        assert said.status_code == 413
        unsaid = httpx.post(
            address + "gradio_api/upload",
            content=(b"x" * 500 for _ in range(4)),
            headers={"Content-Type": "multipart/form-data; boundary=y"},
        )
        assert unsaid.status_code in (400, 413)
    long = {"Content-Length": str(checks.LARGEST_CALL + 1), "Content-Type": "application/json"}
    with pytest.raises(checks.Refused, match="larger than 64 MB"):
        checks.check_type("/" + CALL, "POST", Headers(long), Doors())


def test_a_form_that_anybody_may_send_is_small(workspace: Workspace) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    with serving(workspace, Doors(sign_in=True)) as address:
        answer = httpx.post(address + "sign-in", content=b"a=&" * 100_000, headers=kind)
        assert answer.status_code == 413 and "This is larger than 64 KB" in answer.text
        answer = httpx.post(address + "sign-in", content=b"name=anna&password=wrong", headers=kind)
        assert answer.status_code == 403


def test_a_call_with_more_values_than_any_page_sends_is_not_parsed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks.json, "loads", lambda *_, **__: pytest.fail("It was parsed."))
    body = b'{"data": [' + b"[]," * checks.MOST_VALUES + b"0]}"
    with serving(workspace, Doors(mcp=True)) as address:
        for path in (CALL, "gradio_api/run/predict", "api/v1/build", "mcp"):
            answer = httpx.post(address + path, content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == 413 and "more than 500,000 values" in answer.text, path


# --- files --------------------------------------------------------------------------------------------------------


def test_an_upload_is_named_by_what_it_is_and_served_to_nobody(address: str, tmp_path: Path) -> None:
    png = bytes.fromhex("89504e470d0a1a0a") + b"<script>alert(1)</script>"
    sent = {"evil.html": png, "page.svg": b"<svg onload=alert(1)>", "../../x.json": b"[]", "cat.PNG": png}
    sent["cut.ckpt"] = b"PK"
    names = {}
    for name, content in sent.items():
        (kept,) = httpx.post(address + "gradio_api/upload", files={"files": (name, content)}).json()
        names[name] = Path(kept)
        answer = httpx.get(f"{address}gradio_api/file={kept}")
        assert answer.status_code in (403, 404) or "sandbox" in answer.headers["content-security-policy"]
    assert [path.name for path in names.values()] == ["evil.png", "page.bin", "x.json", "cat.png", "cut.ckpt"]
    assert uploaded(names["evil.html"]).read_bytes() == png


def test_a_page_names_only_files_that_it_uploaded(tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_bytes(b"x")
    for path in (tmp_path / "mine.png", "/etc/passwd", "/dev/zero", "", "\0", {"a": 1}, "/tmp/gradio/../x"):
        with pytest.raises(BadInput):
            uploaded(path)


def test_a_page_names_only_folders_that_were_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.guard.uploads.doors_of_request", lambda: Doors(folders=(tmp_path / "parts",)))
    assert allowed_path(str(tmp_path / "parts" / "a")) == str(tmp_path / "parts" / "a")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "out").symlink_to("/etc")
    for path in ("/etc", str(tmp_path / "parts" / ".." / "x"), str(tmp_path / "parts" / "out"), "~"):
        with pytest.raises(BadInput, match="is not in a folder that pages may read"):
            allowed_path(path)


# --- a real browser -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def several_names(browser: Browser) -> Iterator[Browser]:
    """A browser for which localhost and evil.example lead to 127.0.0.1 as well."""
    rules = "MAP localhost 127.0.0.1, MAP evil.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    launched = browser.browser_type.launch(
        executable_path=chromium(),
        args=["--no-sandbox", "--disable-gpu", "--no-first-run", f"--host-resolver-rules={rules}"],
    )
    yield launched
    launched.close()


ATTACK = """<!doctype html><title>evil</title><body><script>
const target = "TARGET", call = CALL, out = [];
const tries = {
  json: () => fetch(target + "gradio_api/component_server", { method: "POST", body: JSON.stringify(call),
      headers: { "Content-Type": "application/json" } }).then((r) => r.text()),
  plain: () => fetch(target + "gradio_api/component_server", { method: "POST", mode: "no-cors",
      body: JSON.stringify(call) }).then((r) => r.text()),
  event: () => fetch(target + "gradio_api/run/predict", { method: "POST", mode: "no-cors",
      body: '{"fn_index":0,"data":[]}' }).then((r) => r.text()),
  read: () => fetch(target + "config").then((r) => r.text()),
  picture: () => new Promise((yes, no) => { const i = new Image(); i.onload = () => yes("seen"); i.onerror = no;
      i.src = target + "look/logo.svg"; }),
  frame: () => new Promise((yes, no) => { const f = document.createElement("iframe"); f.src = target;
      f.onload = () => { try { yes(f.contentDocument ? "" : ""); } catch { yes(""); } }; document.body.append(f); }),
};
(async () => {
  for (const [name, attempt] of Object.entries(tries)) out.push([name, await attempt().catch(() => "")]);
  document.title = "done " + JSON.stringify(out.filter(([, got]) => got));
})();
</script>"""


def test_a_page_on_another_origin_does_and_reads_nothing(
    address: str, several_names: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two names of loopback: the workbench at 127.0.0.1, a page of somebody else's at localhost."""
    asked: list[object] = []
    monkeypatch.setattr("pages.guard.roles.server_function", lambda *given: asked.append(given))
    monkeypatch.setattr("pages.guard.roles.event_function", lambda *given: asked.append(given))
    call = {"session_hash": "x", "component_id": 1, "fn_name": "look", "data": {}}
    page_of_others = ATTACK.replace("TARGET", address).replace("CALL", json.dumps(call)).encode()

    class Evil(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page_of_others)

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Evil) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = several_names.new_page()
        page.goto(f"http://localhost:{server.server_port}/")
        page.wait_for_function("document.title.startsWith('done')")
        assert page.title() == "done []"
        page.close()
        server.shutdown()
    assert not asked


def test_a_name_that_somebody_points_at_this_machine_shows_no_page(
    address: str, several_names: Browser
) -> None:
    """DNS rebinding: evil.example resolves to 127.0.0.1, so the browser sees one origin."""
    port = urlsplit(address).port
    page = several_names.new_page()
    answer = page.goto(f"http://evil.example:{port}/")
    assert answer is not None and answer.status == 400
    assert page.evaluate("fetch('/config').then((r) => r.status)") == 400
    page.close()


# --- where it listens ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.7.7", "::"])
def test_a_server_that_others_reach_does_not_start_without_sign_in(host: str) -> None:
    with pytest.raises(BadInput, match="users must sign in"):
        Doors.on(host)
    doors = Doors.on(host, sign_in=True)
    assert doors.guest is None and doors.folders == ()
    assert "evil.example" not in doors.hosts and "*" not in doors.hosts


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2", "::1"])
def test_this_machine_alone_needs_no_sign_in(host: str) -> None:
    assert Doors.on(host).guest == "admin"


def test_a_proxys_address_is_a_name_and_an_origin_of_ours() -> None:
    doors = Doors.on("127.0.0.1", address="https://Inspect.example:8443/")
    assert "inspect.example" in doors.hosts and doors.origins == ("https://inspect.example:8443",)
    given = Headers({"host": "127.0.0.1:7860", "origin": "https://inspect.example:8443"})
    checks.check_origin(doors, "POST", given, page=False)
    for odd in ("inspect.example", "ftp://x", "https://x/below", "https://"):
        with pytest.raises(BadInput, match="not a valid address of the workbench"):
            Doors.on("127.0.0.1", address=odd)


def test_over_https_a_page_that_came_by_http_is_another_website() -> None:
    given = {"host": "inspect.example", "origin": "http://inspect.example"}
    with pytest.raises(checks.Refused, match="Another website"):
        checks.check_origin(Doors(), "POST", Headers(given), page=False, scheme="https")
    for origin, scheme in (
        ("https", "https"),
        ("https", "http"),
        ("http", "http"),
    ):  # a proxy may speak TLS for us
        own = Headers(given | {"origin": f"{origin}://inspect.example"})
        checks.check_origin(Doors(), "POST", own, page=False, scheme=scheme)


# --- running it -----------------------------------------------------------------------------------------------------


def test_whoever_runs_it_sees_what_it_does(address: str, workspace: Workspace) -> None:
    assert httpx.get(address + "readyz").text == "ready\n"
    httpx.get(address + "made-up-name")
    text = httpx.get(address + "metrics").text
    assert 'exdd_requests_total{address="/readyz",status="200"}' in text
    assert "made-up-name" not in text  # a client makes no new counters
    assert "exdd_images 0.0" in text


def test_a_workspace_that_cannot_be_read_is_not_ready(tmp_path: Path) -> None:
    from starlette.testclient import TestClient

    made = Workspace.create(tmp_path / "workspace")
    probes = TestClient(Starlette(routes=health.routes(made, health.Counts(made))))
    assert probes.get("/readyz").status_code == 200
    (made.path / "workspace.db").write_bytes(b"no database")
    answer = probes.get("/readyz")
    assert answer.status_code == 503 and "database" in answer.text
    assert probes.get("/healthz").status_code == 200
