"""Packages that are imported when something of them is used, by many threads at once."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from exdd_core import later

_Later = vars(later)["_Later"]
PACKAGE = """
import time
begun.set()
time.sleep(0.2)
from halfway import part
whole = part.whole
"""


def test_a_part_that_is_asked_for_while_its_package_is_imported_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As torch.nn, asked for by a job, while the program loads torch in the background."""
    begun = threading.Event()
    (tmp_path / "halfway").mkdir()
    (tmp_path / "halfway" / "__init__.py").write_text(f"from tests.test_later import begun{PACKAGE}")
    (tmp_path / "halfway" / "part.py").write_text("import halfway\nhalfway.begun\nwhole = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "begun", begun, raising=False)
    failed: list[BaseException] = []

    def load() -> None:
        try:
            assert _Later("halfway").whole
        except BaseException as error:
            failed.append(error)

    background = threading.Thread(target=load)
    background.start()
    assert begun.wait(10)
    try:
        assert _Later("halfway.part").whole
    finally:
        background.join(10)
        for name in ("halfway", "halfway.part"):
            sys.modules.pop(name, None)
    assert not failed
