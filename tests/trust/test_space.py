"""A Space of Hugging Face: what its configuration says, who may come in there, and what nobody is told."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import yaml

import app
from exdd_core.workspace import Workspace
from pages import frame
from pages.guard import Doors, space
from pages.guard.visitors import Visitor, enter
from pages.studio import page as studio
from tests.browser import ROOT, serving

NAME = "ann-exdd.hf.space"
THERE = {"SPACE_ID": "ann/exdd", "SPACE_HOST": NAME}


def test_its_configuration_names_what_is_there() -> None:
    told = yaml.safe_load((ROOT / "README.md").read_text("utf-8").split("---\n")[1])
    lock = (ROOT / "docs" / "requirements.lock").read_text("utf-8")
    assert (told["sdk"], told["python_version"]) == ("gradio", "3.11")
    assert f"\ngradio=={told['sdk_version']} " in lock and (ROOT / told["app_file"]).is_file()
    assert len(told["short_description"]) <= 60
    [step] = re.findall(r"apt-get install .*", (ROOT / "Dockerfile").read_text("utf-8"))
    assert (ROOT / "packages.txt").read_text().split() == [
        word for word in step.split() if word.startswith(("lib", "fonts"))
    ]


def test_started_without_words_it_shows_the_demo_and_lets_nobody_change_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[tuple[Workspace, str, int, Doors]] = []
    monkeypatch.setattr(app, "serve", lambda *given: started.append(given[:4]))
    monkeypatch.setattr(app, "_opened", lambda folder, demo: (folder, demo))
    monkeypatch.setattr(app, "check_port", lambda host, port: None)
    monkeypatch.setattr(app.logs, "begin", lambda *_: None)
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    for name, value in THERE.items():
        monkeypatch.setenv(name, value)
    assert app.main([]) == 0
    [(opened, host, _, doors)] = started
    assert opened == (Path("data/workspace"), True) and host == "0.0.0.0"
    assert doors.guest == "viewer" and doors.folders == () and NAME in doors.hosts
    assert space.defaults({}) == {}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.create(tmp_path_factory.mktemp("space") / "workspace")


DOORS = replace(Doors.on("0.0.0.0", read_only=True, address=f"https://{NAME}"), framed_by=space.FRAMES)


def test_the_hub_shows_it_inside_its_own_page(workspace: Workspace) -> None:
    inside = {
        "Host": NAME,
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "iframe",
    }
    with serving(workspace, DOORS) as address:
        shown = httpx.get(address, headers=inside)
        assert shown.status_code == 200 and "x-frame-options" not in shown.headers
        assert "frame-ancestors https://huggingface.co;" in shown.headers["content-security-policy"] + ";"
        config = httpx.get(f"{address}config", headers={"Host": NAME})
        assert config.json()["root"] == f"https://{NAME}" and str(workspace.path) not in config.text
        assert httpx.get(f"{address}config", headers=inside).status_code == 403  # only pages are shown there


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_only_admins_are_told_where_the_server_keeps_files(workspace: Workspace, role: str) -> None:
    enter({}, Visitor("", role), DOORS)  # type: ignore[arg-type]
    told = frame._footer_html(workspace) + str(studio._engine(workspace, "sdxl"))
    enter({}, Visitor("", "admin"), Doors())
    assert "WORKSPACE" in told or role == "admin"
    assert (str(workspace.path) in told) == (role == "admin")
