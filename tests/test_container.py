"""The container, from its recipe alone: what it copies is there, its commands run, and its lists are complete."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from exdd_core import cli
from exdd_core.errors import BadInput
from pages.guard import Doors
from pages.guard.middleware import OPEN
from tests.browser import ROOT

RECIPE = re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8")).replace("\\\n", "")
LOCK = (ROOT / "docs" / "requirements.lock").read_text("utf-8")


def steps(name: str) -> list[str]:
    """What follows a word of the recipe, such as RUN, each with the lines that belong to it."""
    return re.findall(rf"^{name} (.*?)(?=^[A-Z]+ |\Z)", RECIPE, re.MULTILINE | re.DOTALL)


def copied(folder: Path) -> None:
    """What the container holds of ours."""
    for step in steps("COPY"):
        *sources, target = step.split()
        for source in sources:
            if (ROOT / source).is_dir():
                left = shutil.ignore_patterns(
                    "node_modules", "__pycache__", "*.test.js"
                )  # as .dockerignore says
                shutil.copytree(ROOT / source, folder / target, ignore=left)
            else:
                shutil.copy(ROOT / source, folder / target)


def installed(folder: Path, device: str) -> tuple[int, list[list[str]]]:
    """Run the step that installs, with a pip that notes what it is told: its exit code, and pip's words."""
    pip, noted = folder / "bin" / "pip", folder / "noted"
    pip.parent.mkdir(exist_ok=True)
    pip.write_text(f'#!/bin/sh\nprintf "%s " "$@" >> {noted}; echo >> {noted}\n')
    pip.chmod(0o755)
    noted.write_text("")
    [step] = [step for step in steps("RUN") if "requirements.lock" in step]
    path = {"PATH": f"{pip.parent}:{os.environ['PATH']}", "DEVICE": device}
    code = subprocess.run(["sh", "-c", step], cwd=folder, env=path, capture_output=True).returncode
    return code, [line.split() for line in noted.read_text().splitlines()]


def test_what_is_copied_starts(tmp_path: Path) -> None:
    copied(tmp_path)
    words = [sys.executable, "-m", "exdd_core", "serve", "--help"]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0 and "GRADIO_SERVER_NAME" in ended.stdout
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert ignored[0] == "*"  # all but what is copied
    assert {f"!{source}" for step in steps("COPY") for source in step.split()[:-1]} <= set(ignored)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_lock_is_installed_for_a_device(tmp_path: Path, device: str) -> None:
    copied(tmp_path)
    code, told = installed(tmp_path, device)
    kept = set(re.findall(r"^([\w.-]+)==", (tmp_path / "kept.lock").read_text(), re.MULTILINE))
    locked = set(re.findall(r"^([\w.-]+)==", LOCK, re.MULTILINE))
    assert code == 0 and {"--require-hashes", "--no-deps"} <= set(told[-1])
    if device == "cuda":
        assert locked - kept == {"faiss-cpu"} and len(told) == 1
        return
    assert {name for name in locked - kept if not name.startswith(("nvidia-", "cuda-"))} == {
        "faiss-gpu",
        "torch",
        "torchvision",
        "triton",
    }
    assert not [name for name in kept if name.startswith(("nvidia-", "cuda-"))] and "faiss-cpu" in kept
    pinned = {word for word in told[0] if "==" in word}
    assert pinned == set(re.findall(r"^((?:torch|torchvision)==[^ ]+)", LOCK, re.MULTILINE))


def test_another_device_is_refused(tmp_path: Path) -> None:
    copied(tmp_path)
    assert installed(tmp_path, "tpu") == (1, [])


def test_it_listens_for_all_and_lets_nobody_in_without_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in re.findall(r"(\w+)=(\S+)", steps("ENV")[0]):
        monkeypatch.setenv(name, value)
    words = json.loads(steps("CMD")[0])
    assert words[:3] == ["python", "-m", "exdd_core"]
    options = cli.parse(words[3:])
    assert (options.host, options.port, options.token) == ("0.0.0.0", 7860, True)
    assert str(options.workspace) == "/data/workspace"
    assert Doors.on(options.host, token="secret").guest is None
    with pytest.raises(BadInput, match="users must sign in"):
        Doors.on(options.host)  # GRADIO_SERVER_NAME alone opens nothing
    assert "/healthz" in OPEN and "/healthz" in steps("HEALTHCHECK")[0]
    monkeypatch.setenv("GRADIO_SERVER_PORT", "none")
    with pytest.raises(BadInput, match="'none' is not a port"):
        cli.parse(words[3:])
