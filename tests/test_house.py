"""Tests stand alone: what several share lies in plain modules, never in another test."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from exdd_core.drawing import DEFECT

TESTS = Path(__file__).parent


def imported(source: str) -> set[str]:
    """Every module that `source` imports, at its top or within a function."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize(
    "source", ["import tests.test_a", "from tests import test_a", "from .test_a import b"]
)
def test_an_import_of_a_test_is_found(source: str) -> None:
    assert any(".test_" in name for name in imported(source))


def test_no_test_imports_another() -> None:
    files = [file for file in TESTS.rglob("*.py") if "__pycache__" not in file.parts]
    assert len(files) > 60
    wrong = {(file.name, name) for file in files for name in imported(file.read_text()) if ".test_" in name}
    assert not wrong


def test_scripts_and_pictures_outline_defects_in_one_colour() -> None:
    css = (TESTS.parent / "assets" / "theme.css").read_text("utf-8")
    assert f"--defect: #{bytes(DEFECT).hex()};" in css
    former = {file for file in (TESTS.parent / "assets").glob("*.css") if "4fd8ff" in file.read_text("utf-8")}
    assert {file.name for file in former} == {"theme.css"}
