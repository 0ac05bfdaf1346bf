"""Packages that are extras: without one the rest works, and command line and pages say what to install.

A package is taken away by a sitecustomize.py, which Python runs first: it marks the module as one that is not there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save_file

from exdd_core import extras, jobs
from exdd_core.errors import BadInput
from exdd_core.workspace import Workspace
from tests import plates
from tests.browser import SLOW, serving, shoot, visit, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.open(plates.build(tmp_path_factory.mktemp("extras")))


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs started from here find no extra, and one single file as SDXL's model."""
    gone = "".join(f"sys.modules[{extra.module!r}] = None\n" for extra in extras.EXTRAS)
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "sitecustomize.py").write_text("import sys\n" + gone)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "bare"))
    first_layer = np.zeros((320, 9, 3, 3), np.float16)
    unet = {"model.diffusion_model.input_blocks.0.0.weight": first_layer}
    second_text = {"conditioner.embedders.1.model.token_embedding.weight": np.zeros((2, 2), np.float16)}
    save_file({**unet, **second_text}, tmp_path / "painter.safetensors")
    monkeypatch.setenv("EXDD_SDXL", str(tmp_path / "painter.safetensors"))


def sentence(extra: extras.Extra) -> str:
    return (
        f"{extra.purpose} requires the package {extra.package}, which is not installed; "
        f'run "make extra-{extra.name}" or "{sys.executable} -m pip install {extra.package}".'
    )


def test_extras_are_installed_where_their_packages_are() -> None:
    for extra in extras.EXTRAS:
        assert extra.missing() == ""
        extra.require()


def test_a_missing_extra_is_named_with_what_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    assert extras.MAP.missing() == sentence(extras.MAP)
    with pytest.raises(BadInput, match="The UMAP map requires the package umap-learn"):
        extras.MAP.require()


def test_the_project_and_the_tests_name_every_extra_with_the_same_versions() -> None:
    optional = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    tested = (ROOT / "tests" / "requirements.txt").read_text().splitlines()
    needed = (ROOT / "requirements.txt").read_text()
    assert list(optional) == [extra.name for extra in extras.EXTRAS]
    for extra in extras.EXTRAS:
        (requirement,) = optional[extra.name]
        assert re.split(r"[<>=\[]", requirement)[0] == extra.package
        assert requirement in tested and extra.package not in needed


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (("banks", "map", "--method", "umap", "--json"), extras.MAP),
        (("synthesize", "--engine", "sdxl", "--prompt", "scratch", "--count", "1"), extras.SDXL_FILE),
        (("serve", "--mcp"), extras.MCP),
    ],
    ids=["map", "sdxl-file", "mcp"],
)
@pytest.mark.slow
def test_the_command_line_says_what_to_install(
    workspace: Workspace, bare: None, words: tuple[str, ...], extra: extras.Extra
) -> None:
    program = [sys.executable, "-m", "exdd_core", *words, "--workspace", str(workspace.path)]
    ended = subprocess.run(program, capture_output=True, text=True, cwd=ROOT, env=os.environ)
    assert ended.returncode == 2
    assert sentence(extra) in ended.stderr and "Traceback" not in ended.stderr
    assert not jobs.listed(workspace)  # nothing was queued that could not be done


@pytest.mark.slow
def test_the_pages_say_what_to_install(
    workspace: Workspace, bare: None, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    for extra in extras.EXTRAS:
        monkeypatch.setitem(sys.modules, extra.module, None)
    with serving(workspace) as address, visiting(browser, errors=False) as page:
        visit(page, f"{address}banks")
        page.locator(".lm-told", has_text="Every dot is a row of a bank").wait_for(
            timeout=SLOW
        )  # this map needs no extra
        page.get_by_role("button", name="UMAP").click()
        page.locator(".lm-order").get_by_role("button", name="Create map").click()
        page.locator(".st-message", has_text=sentence(extras.MAP)).wait_for(timeout=SLOW)
        shoot(page, "extras-banks")
        visit(page, f"{address}studio")
        page.click("[data-engine=sdxl]")
        page.get_by_text(sentence(extras.SDXL_FILE)).wait_for(timeout=SLOW)
        shoot(page, "extras-studio")
    assert not jobs.listed(workspace)


# --- what make installs -----------------------------------------------------------------------------------------------


def chosen(place: Path, *switches: str, driver: bool = False) -> str:
    """The requirements that make writes in a copy of the project without an environment of its own."""
    for name in ("Makefile", "requirements.txt"):
        shutil.copy(ROOT / name, place / name)
    programs = place / "programs"
    programs.mkdir(exist_ok=True)
    if driver:
        (programs / "nvidia-smi").write_text("#!/bin/sh\n")
        (programs / "nvidia-smi").chmod(0o755)
    (place / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
    python = place / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$@" >> calls\n')
    python.chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    made = subprocess.run(
        ["make", ".venv/requirements.txt", *switches],
        cwd=place,
        env={**os.environ, "PATH": path, "MAKEFLAGS": ""},
        capture_output=True,
        text=True,
    )
    if made.returncode:
        return made.stderr
    return (place / ".venv" / "requirements.txt").read_text()


no_driver = pytest.mark.skipif(
    any(Path(p).exists() for p in ("/dev/nvidiactl", "/dev/dxg")) or bool(shutil.which("nvidia-smi")),
    reason="this machine has an NVIDIA driver",
)
EVERYWHERE = "faiss-cpu>=1.12,<2\n"  # without the condition on the platform


@no_driver
def test_without_a_driver_make_takes_faiss_for_the_cpu(tmp_path: Path) -> None:
    written = chosen(tmp_path)
    assert EVERYWHERE in written and "faiss-gpu" not in written and "index-url" not in written
    assert set((ROOT / "requirements.txt").read_text().splitlines()) - set(written.splitlines()) == {
        'faiss-gpu>=1.15,<2; sys_platform == "linux" and platform_machine == "x86_64"',
        'faiss-cpu>=1.12,<2; sys_platform != "linux" or platform_machine != "x86_64"',
    }


def test_with_a_driver_or_by_a_switch_make_takes_faiss_for_the_gpu(tmp_path: Path) -> None:
    everything = (ROOT / "requirements.txt").read_text()
    assert chosen(tmp_path, "FAISS=gpu") == everything
    assert chosen(tmp_path, driver=True) == everything
    assert EVERYWHERE in chosen(tmp_path, "FAISS=cpu", driver=True)


def test_an_environment_keeps_the_faiss_it_has_until_somebody_chooses(tmp_path: Path) -> None:
    (tmp_path / ".venv/lib/python3.11/site-packages/faiss_gpu-1.15.1.dist-info").mkdir(parents=True)
    (tmp_path / ".venv/run.stamp").touch()
    assert "faiss-gpu" in chosen(tmp_path) and (tmp_path / ".venv/run.stamp").exists()
    assert EVERYWHERE in chosen(tmp_path, "FAISS=cpu")
    assert "pip uninstall -q -y faiss-gpu" in (tmp_path / "calls").read_text()
    assert not (tmp_path / ".venv/run.stamp").exists()  # so that what is missing now is installed


def test_requirements_are_written_again_only_where_they_change(tmp_path: Path) -> None:
    chosen(tmp_path, "FAISS=cpu")
    written = tmp_path / ".venv" / "requirements.txt"
    os.utime(written, (1, 1))
    chosen(tmp_path, "FAISS=cpu")
    assert written.stat().st_mtime == 1
    chosen(tmp_path, "FAISS=gpu")
    assert written.stat().st_mtime > 1


def test_pytorch_without_cuda_comes_from_its_own_index_and_brings_no_cuda_by_faiss(tmp_path: Path) -> None:
    written = chosen(tmp_path, "TORCH=cpu", driver=True)
    assert written.startswith("--extra-index-url https://download.pytorch.org/whl/cpu\n")
    assert EVERYWHERE in written and "faiss-gpu" not in written


@pytest.mark.parametrize("switch", ["TORCH=cuda", "FAISS=no"])
def test_a_switch_that_is_none_is_refused_with_one_sentence(tmp_path: Path, switch: str) -> None:
    name, _, value = switch.partition("=")
    assert f"{name} is {value}; give cpu" in chosen(tmp_path, switch)
