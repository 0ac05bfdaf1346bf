"""The examples of the rooms' faces that need a workspace, run in one with the small demo data set."""

from __future__ import annotations

import doctest
import importlib
import shutil
from pathlib import Path

import pytest

from exdd_core.workspace import Workspace

ROOMS = ("workspace", "banks", "studio", "curation", "jobs")


@pytest.mark.parametrize("room", ROOMS)
def test_the_example_of_a_room_runs(
    room: str, demo_workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(demo_workspace.path, tmp_path / "data" / "workspace")
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(importlib.import_module(f"exdd_core.{room}"))
    assert found.attempted and not found.failed


def test_no_example_is_skipped() -> None:
    modules = list((Path(__file__).parent.parent / "exdd_core").rglob("*.py"))
    assert len(modules) > 100
    assert not [module.name for module in modules if "doctest: +SKIP" in module.read_text("utf-8")]
