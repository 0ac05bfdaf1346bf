"""Somebody without an account, or without the role, asks for something."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING

import httpx
import pytest

from exdd_core import api
from exdd_core.cli import main
from exdd_core.errors import BadInput
from exdd_core.workspace import Workspace, people
from pages import programs
from pages.guard import Doors, rights, sign_in, tries
from pages.guard.doors import ROLES
from pages.guard.roles import may
from tests.browser import serving

if TYPE_CHECKING:
    import gradio as gr
    from playwright.sync_api import Page

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace.create(tmp_path_factory.mktemp("people") / "workspace")
    for role in ROLES:
        people.add(made, f"{role}-ann", role, PASSWORD)
    return made


@pytest.fixture(scope="module")
def address(workspace: Workspace) -> Iterator[str]:
    with serving(workspace, Doors(sign_in=True, guest=None)) as at:
        yield at


def person_of(workspace: Workspace, token: str) -> people.Person | None:
    """The account of a session, read anew."""
    with closing(people.Sessions(workspace)) as sessions:
        return sessions.person(token)


@contextmanager
def signed_in(address: str, name: str) -> Iterator[httpx.Client]:
    by_hand = {"Sec-Fetch-Site": "none"}  # a browser says where a request comes from
    with httpx.Client(base_url=address, headers=by_hand, follow_redirects=True) as client:
        client.post("sign-in", data={"name": name, "password": PASSWORD, "next": "/curate"})
        yield client


def functions(blocks: gr.Blocks) -> dict[str, object]:
    """Every function of the pages that a browser can call, by name."""
    scripts = [f for block in blocks.blocks.values() for f in getattr(block, "server_fns", [])]
    found = [*scripts, *(event.fn for event in blocks.fns.values() if event.fn is not None)]
    return {rights.name_of(function): function for function in found}


def test_every_function_of_the_pages_has_its_role_and_every_role_its_function(workspace: Workspace) -> None:
    import app

    blocks = app.create_app(workspace)
    assert set(blocks.get_api_info()["named_endpoints"]) == {
        f"/{route.name}" for route in api.endpoints() if route.name not in programs.LEFT_OUT
    }  # nothing that belongs to a page
    names = functions(blocks).keys() | {rights.name_of(route.endpoint) for route in api.endpoints()}
    assert names - rights.RIGHTS.keys() == set(), "name these in pages/guard/rights.py"
    assert rights.RIGHTS.keys() - names == set(), "these are not there any more"
    # Gradio's own clock makes a page busy with every tick: an idle tab asks only by our scripts.
    assert not any(type(block).__name__ == "Timer" for block in blocks.blocks.values())


def test_a_function_that_nobody_named_is_an_admins() -> None:
    assert rights.role_of(lambda: None) == "admin"
    assert [may(own, "curator") for own in (None, *ROLES)] == [False, False, True, True]


def test_nobody_who_is_not_signed_in_gets_anything(address: str) -> None:
    shown = httpx.get(address + "curate?candidate=1")
    assert (shown.status_code, shown.headers["location"]) == (303, "./sign-in?next=/curate%3Fcandidate%3D1")
    for path in ("config", "thumbnail?image=x", "look/theme.css", "gradio_api/info", "gradio_api/file=/x"):
        assert httpx.get(address + path).status_code == 401, path
    for path in ("gradio_api/component_server", "gradio_api/queue/join", "gradio_api/upload"):
        assert httpx.post(address + path, json={}).status_code == 401, path
    assert httpx.get(address + "metrics").status_code == 401
    assert httpx.get(address + "healthz").text == "ok\n"
    forged = httpx.get(address + "config", cookies={"exdd_session": "x" * 43})
    assert forged.status_code == 401


def call(client: httpx.Client, name: str, data: dict[str, object], of: str = "") -> httpx.Response:
    """Call a function of a page; of: another one of the same page, where several pages have one of this name."""
    config = client.get("config").json()
    wanted = {name, of or name}
    shown = next(c for c in config["components"] if wanted <= set(c["props"].get("server_fns", [])))
    body = {"session_hash": "x", "component_id": shown["id"], "fn_name": name, "data": data}
    return client.post("gradio_api/component_server", json=body)


def test_a_role_does_what_it_may_and_nothing_above_it(address: str) -> None:
    for name, statuses in (
        ("viewer-ann", (200, 403)),
        ("curator-ann", (200, 200)),
        ("admin-ann", (200, 200)),
    ):
        with signed_in(address, name) as client:
            assert tuple(call(client, what, {}).status_code for what in ("look", "act")) == statuses, name
            upload = client.post("gradio_api/upload", files={"files": ("a.png", b"x")})
            assert upload.status_code == (403 if name.startswith("viewer") else 200)


def test_every_event_of_the_pages_asks_for_its_role(address: str, workspace: Workspace) -> None:
    import app

    blocks = app.create_app(workspace)
    with signed_in(address, "viewer-ann") as client:
        config = client.get("config").json()
        assert len(config["dependencies"]) > 20
        for event in config["dependencies"]:
            function = blocks.fns[event["id"]].fn
            if function is not None and rights.role_of(function) != "viewer":
                for path in ("gradio_api/queue/join", "gradio_api/run/predict"):
                    answer = client.post(
                        path, json={"fn_index": event["id"], "data": [], "session_hash": "x"}
                    )
                    assert answer.status_code == 403, rights.name_of(function)


def test_the_session_says_who_decides_never_the_page(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    claimed: list[str] = []

    def claim(workspace: Workspace, id: str, who: str) -> str:
        claimed.append(who)
        return who

    pending = SimpleNamespace(id="x", status="pending")
    monkeypatch.setattr("pages.curate.page.candidates.get", lambda workspace, id: pending)
    monkeypatch.setattr("pages.curate.page.decisions.claim", claim)
    with signed_in(address, "curator-ann") as client:
        answer = call(client, "stay", {"id": "x", "who": "somebody else"})
    assert answer.json() == {"holder": "curator-ann"} and claimed == ["curator-ann"]


def test_whoever_only_looks_claims_no_candidate(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    claimed: list[str] = []
    pending = SimpleNamespace(id="x", status="pending", size=(8, 8))
    monkeypatch.setattr("pages.curate.candidate.candidates.get", lambda workspace, id: pending)
    monkeypatch.setattr(
        "pages.curate.candidate.decisions.claim", lambda workspace, id, who: claimed.append(who)
    )
    for name in ("viewer-ann", "curator-ann"):
        with signed_in(address, name) as client:
            call(client, "candidate", {"id": "x", "who": name}, of="stay")
    assert claimed == ["curator-ann"]


def test_wrong_passwords_are_slowed_down_also_many_at_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A stopped clock: on a busy machine the first wait, of a second, is over before the next request.
    monkeypatch.setattr(tries, "time", SimpleNamespace(monotonic=lambda: 0.0))
    with serving(workspace, Doors(sign_in=True, guest=None, proxies=("127.0.0.1",))) as address:

        def enter(sender: str, password: str) -> int:
            form = {"name": "viewer-ann", "password": password, "next": "/"}
            return httpx.post(
                address + "sign-in", data=form, headers={"X-Forwarded-For": sender}, timeout=60
            ).status_code

        assert enter("10.0.0.1", PASSWORD) == 303
        with ThreadPoolExecutor(12) as pool:
            statuses = list(pool.map(enter, ["10.0.0.2"] * 12, ["not the password"] * 12))
        assert sorted(statuses) == [403] * tries.FREE_TRIES + [429] * (12 - tries.FREE_TRIES)
        assert enter("10.0.0.2", PASSWORD) == enter("10.0.0.3", PASSWORD) == 429
        assert enter("10.0.0.1", PASSWORD) == 303  # whoever guesses keeps her out nowhere she has been


def test_all_addresses_of_one_machine_wait_together_and_fill_no_memory() -> None:
    assert tries.sender("2001:db8::1") == tries.sender("2001:db8::ffff:2") != tries.sender("2001:db8:0:1::1")
    assert tries.sender("::ffff:10.0.0.1") == tries.sender("10.0.0.1")
    counted = tries.Tries()
    for number in range(tries.MOST + 5):
        counted.wrong(f"from {number}")
        counted.remember(f"{number}")
    assert len(counted._wrong) == len(counted._right) == tries.MOST and counted.was_right(f"{number}")


def test_the_wait_doubles_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(tries.time, "monotonic", lambda: clock[0])
    counted, waits = tries.Tries(), []
    for _ in range(tries.FREE_TRIES + 8):
        counted.wrong("name ann")
        waits.append(counted.wait("name ann"))
    assert waits == [0] * (tries.FREE_TRIES - 1) + [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert counted.wait("name bob") == 0
    clock[0] = tries.FORGOTTEN + 1
    assert counted.wait("name ann") == 0


@pytest.mark.parametrize("asked", ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\nb"])
def test_signing_in_leads_to_no_other_site(asked: str) -> None:
    assert sign_in.own_address(asked) == "/"


def test_the_form_shows_what_was_typed_as_it_was_typed() -> None:
    form = bytes(sign_in._form("", "/curate?{name}", name="{provider}").body).decode()
    assert 'name="next" value="/curate?{name}"' in form and 'name="name" value="{provider}"' in form


def test_what_the_database_holds_lets_nobody_in(workspace: Workspace) -> None:
    token = people.sign_in(workspace, "admin-ann", PASSWORD)
    with workspace.reading() as db:
        kept = str(
            db.execute("select * from people").fetchall() + db.execute("select * from sessions").fetchall()
        )
    assert "$argon2id$" in kept and PASSWORD not in kept and token not in kept
    assert person_of(workspace, token) is not None
    people.change(workspace, "admin-ann", role="admin")
    assert person_of(workspace, token) is None  # whoever is changed signs in again


def test_accounts_refuse_what_makes_none(workspace: Workspace) -> None:
    for name, role, password in (
        ("", "viewer", PASSWORD),
        ("viewer-ann", "viewer", PASSWORD),
        ("bob", "king", PASSWORD),
        ("bob", "viewer", "short"),
        ("b\0b", "viewer", PASSWORD),
    ):
        with pytest.raises(BadInput):
            people.add(workspace, name, role, password)
    for wrong in ("nobody", "admin-ann"):
        with pytest.raises(BadInput, match="The name or the password is wrong"):
            people.sign_in(workspace, wrong, "wrong password")


def test_a_token_in_the_printed_address_opens_and_is_remembered(workspace: Workspace) -> None:
    with serving(workspace, Doors(token="s3cret-token", guest=None)) as address:
        assert httpx.get(address).status_code == 401
        assert httpx.get(address + "?token=wrong").status_code == 401
        with httpx.Client(base_url=address) as client:
            first = client.get("/?token=s3cret-token")
            assert (first.status_code, first.headers["location"]) == (303, "./")
            assert client.get("/config").status_code == 200


def test_guests_of_a_read_only_copy_look_and_change_nothing(workspace: Workspace) -> None:
    with (
        serving(workspace, Doors.on("127.0.0.1", read_only=True)) as address,
        httpx.Client(base_url=address) as guest,
    ):
        assert guest.get("curate").status_code == 200
        assert call(guest, "look", {}).status_code == 200
        assert call(guest, "act", {}).status_code == 403


def test_users_on_the_command_line(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    place = ["--workspace", str(workspace.path)]
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert main(["users", "add", "zoe", "--role", "curator", "--password-stdin", *place]) == 0
    assert people.sign_in(workspace, "zoe", PASSWORD)
    assert main(["users", "add", "zoe", "--password-stdin", *place]) == 2
    assert main(["users", "set", "zoe", "--role", "viewer", *place]) == 0
    capsys.readouterr()
    assert main(["users", "key", "zoe", *place]) == 0
    key = capsys.readouterr().out.strip()
    assert person_of(workspace, key)
    assert main(["users", "key", "zoe", "--end", *place]) == 0
    assert person_of(workspace, key) is None
    assert main(["users", "list", *place]) == 0
    assert "zoe  viewer" in capsys.readouterr().out
    people.add(workspace, "yan", "viewer", None)
    key = people.open_session(workspace, "zoe")
    assert main(["users", "rename", "zoe", "yan", *place]) == 2  # taken
    assert main(["users", "rename", "nobody", "zed", *place]) == 2
    assert person_of(workspace, key)
    assert main(["users", "rename", "zoe", " zoe  ann ", *place]) == 0
    assert person_of(workspace, key) is None
    assert person_of(workspace, people.sign_in(workspace, "zoe ann", PASSWORD))
    assert main(["users", "rename", "zoe ann", "zoe", *place]) == 0
    assert main(["users", "remove", "zoe", *place]) == 0
    assert main(["users", "remove", "zoe", *place]) == 2


def test_somebody_signs_in_and_out_in_a_browser(address: str, page: Page) -> None:
    page.goto(address + "data")
    page.get_by_label("Name").fill("viewer-ann")
    page.get_by_label("Password").fill("wrong password")
    page.keyboard.press("Enter")
    page.get_by_text("The name or the password is wrong.").wait_for()
    assert page.get_by_label("Name").input_value() == "viewer-ann"
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/data")
    page.get_by_text("Signed in as viewer-ann (viewer)").wait_for()
    assert page.evaluate("localStorage.getItem('exdd.who')") == "viewer-ann"
    page.evaluate("fetch('./plotly.js').then((answer) => answer.blob())")
    kept = (
        "fetch('./plotly.js', { cache: 'only-if-cached', mode: 'same-origin' }).then(() => true, () => false)"
    )
    assert page.evaluate(kept)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in to ExDD Workbench").wait_for()
    assert not page.evaluate(kept)  # and no picture: the next person at this computer finds none of them
    assert page.goto(address + "config").status == 401
