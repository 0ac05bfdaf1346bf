"""The table of docs/TRUST.md, made from the tests' own names: a test file is a fault, a test a promise.

Reads files as text. Does not run or import any test.
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "TRUST.md"
HEAD = """# Trust

What may go wrong, what the workbench promises then, and the test that holds it. `python -m tests.trust` writes this
file from the names of the tests; nothing is written here by hand.

| fault | promise | test |
|---|---|---|
"""


def table() -> str:
    """The whole file: one row for each test in `tests/trust`, in the order of the files and of the tests in them."""
    return HEAD + "".join(
        f"| {fault} | {promise} | [{name}](../tests/trust/{name}) |\n"
        for fault, promise, name in (
            row for file in sorted(Path(__file__).parent.glob("test_*.py")) for row in rows(file)
        )
    )


def rows(file: Path) -> list[tuple[str, str, str]]:
    """(fault, promise, name of the file) for every test of a file; the fault is named by the first row only."""
    module = ast.parse(file.read_text(encoding="utf-8"))
    fault = " ".join((ast.get_docstring(module) or "").split("\n\n")[0].split()).rstrip(".")
    names = [
        node.name
        for node in module.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    return [(fault if at == 0 else "", promise(name), file.name) for at, name in enumerate(names)]


def promise(name: str) -> str:
    """The sentence that a test's name is."""
    words = name.removeprefix("test_").replace("_", " ")
    return f"{words[0].upper()}{words[1:]}"
