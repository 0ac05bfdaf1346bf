"""A program sends the API odd calls, another website calls it through a browser, or somebody has a key."""

from __future__ import annotations

import inspect
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import gradio as gr
import pytest
from hypothesis import given, settings, strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

import app
from exdd_core import api, jobs
from exdd_core.api import Served, __main__ as described
from exdd_core.detector.backbones import Backbone
from exdd_core.errors import BadInput
from exdd_core.images import encode_png
from exdd_core.workspace import Workspace, decisions, people
from pages import programs
from pages.calls import Call
from pages.guard import Doors, checks, rights, tries, visitors
from pages.guard.uploads import allowed_path
from tests import plates
from tests.trust.conftest import opened
from tests.trust.odd import ODD, SAME, Schema, calls, fitting, resolved

API = json.loads(described.written())
CALLS = [(method, path, call) for path, found in API["paths"].items() for method, call in found.items()]
JSON, FORM = "application/json", "multipart/form-data"
PARTS = {"image": (None, "x"), "files": ("a.png", b"x"), "mask": ("a.png", b"x")}
LATER = ("/build", "/synthesize", "/score/list")  # proper calls queue jobs, which nothing runs here


@pytest.fixture(scope="module")
def workspace(built: Path, backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    path = tmp_path_factory.mktemp("programs") / "workspace"
    shutil.copytree(built, path)
    made = opened(path, backbone)
    for role in people.ROLES:
        people.add(made, role, role, None)
    return made


@pytest.fixture(scope="module")
def server(workspace: Workspace) -> Starlette:
    """The guard and all behind it but Gradio."""
    doors = Doors(sign_in=True, guest=None, folders=(workspace.path.parent / "open",))
    options = app.launch_options(workspace, doors)["app_kwargs"]
    return Starlette(routes=options["routes"], middleware=options["middleware"])  # type: ignore[arg-type]


def at(server: Starlette, sender: str) -> TestClient:
    """A client at an address of its own."""
    base = "http://127.0.0.1/api/v1"
    return TestClient(server, base_url=base, raise_server_exceptions=False, client=(sender, 1))


@pytest.fixture(scope="module")
def client(server: Starlette) -> Iterator[TestClient]:
    with at(server, "10.0.0.1") as made:
        yield made


def key(workspace: Workspace, role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {people.open_session(workspace, role)}"}


def cookie(workspace: Workspace, role: str) -> dict[str, str]:
    session = people.open_session(workspace, role)
    return {"Cookie": f"{visitors.SESSION}={session}", "Origin": "http://127.0.0.1"}


def kept(workspace: Workspace) -> tuple[object, ...]:
    """What calls may change: jobs, claims, decisions, the active version and its threshold."""
    bank, newest = workspace.active_bank(), decisions.newest(workspace)
    return [job.id for job in jobs.listed(workspace)], decisions.claims(workspace), newest, bank


def place(path: str, values: dict[str, Any] | None = None) -> str:
    """The address of a call. values: of what stands in braces; a 1 without them."""
    for name in ("id", "number", "version"):
        path = path.replace(f"{{{name}}}", quote(str((values or {}).get(name, 1)), safe=""))
    return path[1:]


def bodies(call: Schema) -> list[dict[str, Any]]:
    """What a page can send without knowing anything: nothing, JSON, a form."""
    return [{}, {"json": {}}, {"files": PARTS}] if "requestBody" in call else [{}]


def sentence(answer: Any) -> str:
    """What a refusal says, which is one sentence and nothing else."""
    said = answer.json()
    assert list(said) in (["detail"], ["detail", "lines"]), answer.text
    assert said["detail"].strip().endswith((".", "?")) and "\n" not in said["detail"], said
    assert len(said["detail"]) < 3000
    return str(said["detail"])


# --- other websites, other roles --------------------------------------------------------------------------------------


def test_another_website_reaches_no_call_with_an_admins_cookie(
    client: TestClient, workspace: Workspace
) -> None:
    admin, before = cookie(workspace, "admin"), kept(workspace)
    opened = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    foreign = [{"Origin": one} for one in ("http://evil.example", "null", "http://127.0.0.1:1")]
    foreign += [{"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "cross-site"}, opened]
    for method, path, call in CALLS:
        for body in bodies(call):
            for headers in foreign:
                answer = client.request(method, place(path), headers=admin | headers, **body)
                assert answer.status_code == 403 and "Another website" in sentence(answer), (path, headers)
            named = client.request(method, place(path), headers=admin | {"Host": "evil.example"}, **body)
            assert named.status_code == 400, path
    assert kept(workspace) == before


def test_every_call_asks_for_its_role_whatever_is_sent(client: TestClient, workspace: Workspace) -> None:
    before, roles = kept(workspace), people.ROLES
    visitor = {role: cookie(workspace, role) for role in roles}
    for method, path, call in CALLS:
        wanted = rights.role_of(api.endpoint_of(method.upper(), "/" + place(path)))
        for body in bodies(call):
            assert client.request(method, place(path), **body).status_code == 401, path
            for role in roles[: roles.index(wanted)]:
                answer = client.request(method, place(path), headers=visitor[role], **body)
                assert answer.status_code == 403, (path, role)
                assert f"needs the role {wanted}; yours is {role}" in sentence(answer)
    assert kept(workspace) == before


def test_what_no_call_answers_is_refused_however_it_is_written(
    client: TestClient, workspace: Workspace
) -> None:
    viewer = cookie(workspace, "viewer")
    for path in ("build/", "build%2f", "%62uild", "../v1/build", "versions//activate", "BUILD", "x%0a/build"):
        answer = client.post(path, json={}, headers=viewer)
        assert answer.status_code in (403, 404), (path, answer.status_code)
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
        assert client.request(method, "build", headers=viewer).status_code in (404, 415), method


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_key_cannot_be_guessed_is_kept_as_a_digest_and_ends_with_its_account(
    client: TestClient, server: Starlette, workspace: Workspace
) -> None:
    people.add(workspace, "eve", "admin", None)
    bearer = key(workspace, "eve")
    secret = bearer["Authorization"].split()[1]
    assert len(secret) == 43  # 256 random bits
    assert client.get("versions", headers=bearer).status_code == 200
    content = b"".join(file.read_bytes() for file in workspace.path.glob("workspace.db*"))
    assert b"eve" in content and secret.encode() not in content
    people.change(workspace, "eve", role="viewer")
    for number, header in enumerate(
        (secret, secret[:-1], f"{secret}x", "", "\u00e9", "a b", "x" * 4000), start=2
    ):
        wrong = {b"Authorization": f"Bearer {header}".encode("latin-1")}
        answer = at(server, f"10.0.0.{number}").get("versions", headers=wrong)
        assert answer.status_code == 401 and "users key" in sentence(answer), header


def test_a_key_that_is_taken_back_anywhere_opens_nothing_from_then_on(
    server: Starlette, workspace: Workspace
) -> None:
    people.add(workspace, "bob", "viewer", None)
    bearer, client = key(workspace, "bob"), at(server, "10.0.1.1")
    elsewhere = Workspace.open(workspace.path)  # as another process has it
    for end in (
        lambda: people.change(elsewhere, "bob", role="curator"),
        lambda: people.remove(elsewhere, "bob"),
    ):
        bearer = key(workspace, "bob")
        assert [client.get("versions", headers=bearer).status_code for _ in range(2)] == [200, 200]
        end()
        assert client.get("versions", headers=bearer).status_code == 401


def test_wrong_keys_are_slowed_and_make_nobody_else_wait(
    server: Starlette, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(tries, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    right, later, here = key(workspace, "viewer"), key(workspace, "viewer"), at(server, "10.0.2.1")
    assert here.get("versions", headers=right).status_code == 200
    guesses = [
        here.get("versions", headers={"Authorization": f"Bearer {number}"})
        for number in range(tries.FREE_TRIES + 2)
    ]
    assert [one.status_code for one in guesses] == [401] * tries.FREE_TRIES + [429] * 2
    assert sentence(guesses[-1]) == "Too many wrong keys; wait 1 second and try again."
    assert here.get("versions", headers=right).status_code == 200  # it was right before
    assert here.get("versions", headers=later).status_code == 429
    assert at(server, "10.0.2.2").get("versions", headers=later).status_code == 200
    clock[0] = 1.0
    assert here.get("versions", headers=later).status_code == 200


def test_a_cookie_from_nobody_knows_where_changes_nothing(client: TestClient, workspace: Workspace) -> None:
    before, silent = kept(workspace), {"Cookie": cookie(workspace, "admin")["Cookie"]}
    for method, path, call in CALLS:
        if method.upper() in checks.WRITING:
            for body in bodies(call):
                answer = client.request(method, place(path), headers=silent, **body)
                assert answer.status_code == 403 and "which page it comes from" in sentence(answer), path
    assert kept(workspace) == before
    assert client.get("versions", headers=silent).status_code == 200  # looking changes nothing
    by_key = client.post("threshold/undo", json={}, headers=silent | key(workspace, "admin"))
    assert "which page it comes" not in by_key.text


# --- odd calls --------------------------------------------------------------------------------------------------------


RAW = {
    "NaN": b'{"who": NaN}',
    "infinite": b'{"who": -1e999}',
    "half a character": b'{"who": "\\ud800"}',
    "half a character in UTF-8": b'{"who": "\xed\xa0\x80"}',
    "UTF-16": '{"who": "\ud800"}'.encode("utf-16-le", "surrogatepass"),
    "another encoding": b'{"who": "\xe9"}',
    "byte order": b'\xef\xbb\xbf{"who": "a"}',
    "digits": b'{"who": ' + b"9" * 5000 + b"}",
    "deep": b'{"who": ' + b"[" * 100 + b"]" * 100 + b"}",
    "deeper": b'{"who": ' + b"[" * 900 + b"]" * 900 + b"}",
    "deepest": b'{"who": ' + b'{"a":' * 90_000 + b"1" + b"}" * 90_000 + b"}",
    "list": b"[1]",
    "text": b'"x"',
    "nothing": b"null",
    "broken": b'{"who":',
}


@pytest.mark.parametrize("name", RAW)
def test_a_body_that_is_no_proper_json_is_a_sentence(
    client: TestClient, workspace: Workspace, name: str
) -> None:
    before, admin = kept(workspace), key(workspace, "admin") | {"Content-Type": JSON}
    for path in ("build", "decisions/1/undo", "threshold/undo"):
        answer = client.post(path, content=RAW[name], headers=admin)
        assert answer.status_code == 422, (path, answer.text)
        sentence(answer)
    assert kept(workspace) == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--y",
        b"--y\r\n\r\n",
        b"--y\r\nContent-Disposition: form-data\r\n\r\nx\r\n--y--",
        b'--y\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + b"x" * (2 << 20) + b"\r\n--y--",
        b'--y\r\nContent-Disposition: form-data; name="image"\r\n\r\n\xed\xa0\x80\xff\r\n--y--',
        b'--y\r\nContent-Disposition: form-data; name="mask"; filename="\xff\x00/../x"\r\n\r\nx\r\n--y--',
        b'--y\r\nContent-Disposition: form-data; name="x"\r\n\r\nx\r\n' * 2000 + b"--y--",
    ],
)
def test_a_form_that_is_no_proper_one_is_a_sentence(
    client: TestClient, workspace: Workspace, body: bytes
) -> None:
    before, admin = kept(workspace), key(workspace, "admin")
    for path in ("score", "marks/missed", "marks/false-alarm", "build"):
        for kind in (f"{FORM}; boundary=y", FORM, f"{FORM}; boundary=y; charset=klingon"):
            answer = client.post(path, content=body, headers=admin | {"Content-Type": kind})
            assert 400 <= answer.status_code < 500, (path, answer.text)
            sentence(answer)
    assert kept(workspace) == before


def test_the_description_says_what_the_guard_takes() -> None:
    taken = {kind for _, _, call in CALLS for kind in call.get("requestBody", {}).get("content", {})}
    assert taken == {JSON, FORM}


def test_odd_calls_get_a_sentence_and_change_nothing_of_the_api(
    client: TestClient, workspace: Workspace
) -> None:
    assert len(CALLS) > 20
    bank = workspace.active_bank()
    assert bank is not None
    known = [plates.pending(workspace)[0], "plates/good/1.png", "plates/test", bank.id, "Anna", "uploads"]
    admin = key(workspace, "admin")
    for method, path, call in CALLS:
        _ask_oddly(client, workspace, (method, path, call), known, admin)


def _ask_oddly(
    client: TestClient,
    workspace: Workspace,
    asked: tuple[str, str, Schema],
    known: list[Any],
    admin: dict[str, str],
) -> None:
    method, path, call = asked
    defined = API["components"]["schemas"]
    fields = {one["name"]: one for one in call.get("parameters", [])}
    values = st.fixed_dictionaries(
        {},
        optional={name: fitting(one["schema"], known) | st.sampled_from(ODD) for name, one in fields.items()},
    )
    content = call.get("requestBody", {}).get("content", {})
    schema = {kind: resolved(one["schema"], defined) for kind, one in content.items()}

    @settings(SAME, max_examples=5)
    @given(values, calls(schema.get(JSON) or schema.get(FORM, {}), defined, known))
    def ask(given: dict[str, Any], body: dict[str, Any]) -> None:
        query = {name: value for name, value in given.items() if fields[name]["in"] == "query"}
        send: dict[str, Any] = {"params": query}
        if JSON in schema:
            send["json"] = body
        elif FORM in schema:
            send["files"] = [_part(name, value) for name, value in body.items()]
        before = kept(workspace)
        answer = client.request(method, place(path, given), headers=admin, **send)
        assert answer.status_code < 500, (method, path, given, body, answer.text)
        if answer.status_code >= 400:
            sentence(answer)
            assert kept(workspace) == before, (path, given, body)

    ask()


def test_odd_values_of_named_endpoints_get_a_sentence_and_change_nothing(workspace: Workspace) -> None:
    """What gradio_client sends is checked as the API's own calls are."""
    served = Served(workspace, str.strip, allowed_path)
    for route in api.endpoints():
        if route.name not in programs.LEFT_OUT:
            _ask_named(programs._named(route.endpoint, served), workspace)


def _ask_named(named: Any, workspace: Workspace) -> None:
    count = len(inspect.signature(named).parameters)

    @settings(SAME, max_examples=6)
    @given(st.lists(st.sampled_from(ODD), min_size=count, max_size=count))
    def ask(values: list[Any]) -> None:
        before = kept(workspace)
        try:
            named(*values)
        except gr.Error as error:
            assert "Something unexpected happened" not in error.message, (
                named.__name__,
                values,
                error.message,
            )
            assert kept(workspace) == before, (named.__name__, values)

    ask()


def _part(name: str, value: object) -> tuple[str, tuple[str | None, bytes]]:
    if name in ("files", "mask") and value:
        return name, (f"../{value}"[:200], encode_png(plates.plate(3)) if value == "a" else b"no picture")
    return name, (None, str(value).encode())


# --- files and sizes --------------------------------------------------------------------------------------------------


def test_no_call_names_a_file_or_a_folder_that_was_not_allowed(
    client: TestClient, workspace: Workspace
) -> None:
    (workspace.path.parent / "open").mkdir(exist_ok=True)
    (workspace.path.parent / "open" / "out").symlink_to("/etc")
    admin, before = key(workspace, "admin"), kept(workspace)
    away = ("/etc", "~", "..", str(workspace.path), str(workspace.path.parent / "open" / "out"), "x/../../y")
    for path in away:
        answer = client.post("score/list", json={"folder": path}, headers=admin)
        assert answer.status_code == 400 and "not in a folder that pages may read" in sentence(answer), path
        for setting in ("model", "lora", "embeddings"):
            order = {"engine": "sdxl", "prompt": "x", "settings": {setting: path}}
            answer = client.post("synthesize", json=order, headers=admin)
            assert "not in a folder that pages may read" in sentence(answer), (setting, path)
    for query in ("images?list=folder:/etc", "results?list=folder:/etc", "map?image=file:/etc/passwd%231"):
        assert client.get(query, headers=admin).status_code == 400, query
    assert kept(workspace) == before


def test_a_call_with_too_many_files_opens_none_of_them(workspace: Workspace) -> None:
    score = next(one.endpoint for one in api.endpoints() if one.name == "score")
    served = Served(workspace, str.strip, allowed_path)
    with pytest.raises(BadInput, match="at most 1,000 files"):
        Call(score).ask(served, {"files": ["x"] * 1001}, lambda *_: pytest.fail("opened one"))


def test_a_call_that_is_too_large_is_stopped(
    client: TestClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = key(workspace, "admin")
    monkeypatch.setattr(checks, "LARGEST_CALL", 2 << 20)
    for path, kind in (
        ("build", JSON),
        ("marks/missed", f"{FORM}; boundary=y"),
        ("build", f"{FORM}; boundary=y"),
    ):
        long = admin | {"Content-Type": kind}
        said = client.post(path, content=b"x" * (3 << 20), headers=long)
        head = b'--y\r\nContent-Disposition: form-data; name="mask"; filename="a"\r\n\r\n'
        unsaid = client.post(path, content=iter([head, *[b"x" * (1 << 20)] * 3]), headers=long)
        for answer in (said, unsaid):
            assert answer.status_code == 413 and "larger than 2 MB" in sentence(answer), (path, kind)
