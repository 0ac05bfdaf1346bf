"""How the code is kept: tests stand alone, and files, functions and types stay within the limits of CONTRIBUTING.md."""

from __future__ import annotations

import ast
import re
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


ROOT = TESTS.parent
PYTHON = [ROOT / "app.py", *(ROOT / "exdd_core").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]
SHOWN = [
    file
    for file in (ROOT / "assets").rglob("*")
    if file.suffix in (".js", ".css", ".html") and "node_modules" not in file.parts
]


def test_files_and_functions_stay_short() -> None:
    assert len(PYTHON) > 200 and len(SHOWN) > 100
    lines = {file: len(file.read_text("utf-8").splitlines()) for file in (*PYTHON, *SHOWN)}
    long = {file.name: count for file, count in lines.items() if count > (400 if file in PYTHON else 300)}
    for file in PYTHON:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                long |= {node.name: n} if (n := node.end_lineno - node.lineno + 1) > 50 else {}
    assert not long


def test_values_are_typed_key_by_key() -> None:
    assert not [file.name for file in PYTHON if "dict[str, Any]" in file.read_text("utf-8")]


def test_one_thing_is_not_told_as_several() -> None:
    """A number of things is told by `exdd_core.sentences.count`, which knows that one is not "1 rows"."""
    several = re.compile(r" ((new|defective|synthetic|normal) )?\w+([^sia]s|ies)\b")
    told = []
    for file in PYTHON:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            words = [ast.unparse(part) for part in node.values] if isinstance(node, ast.JoinedStr) else []
            told += [
                (file.name, one, after)
                for one, after in zip(words, words[1:], strict=False)
                if one.startswith("{len(") and several.match(after[1:])
            ]
    assert not told
