"""Packages that are imported when something of them is used, by many threads at once."""

from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path

import pytest

from exdd_core import later

_Later, _OneByOne = vars(later)["_Later"], vars(later)["_OneByOne"]
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


@pytest.mark.parametrize("first", ["first_module", "second_module"])
def test_two_that_do_not_bear_each_other_half_imported_are_imported_one_after_the_other(
    first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As scipy.stats, which asks for torch.Tensor as soon as there is a module torch."""
    names = ("first_module", "second_module")
    for name, other in (names, names[::-1]):
        (tmp_path / f"{name}.py").write_text(
            "import sys, time\n"
            "time.sleep(0.2)\n"
            f"assert '{other}' not in sys.modules or sys.modules['{other}'].whole\n"
            "whole = True\n"
        )
    monkeypatch.syspath_prepend(tmp_path)
    assert [one.NAMES for one in sys.meta_path if isinstance(one, _OneByOne)] == [("torch", "scipy.stats")]
    finder = _OneByOne()
    monkeypatch.setattr(finder, "NAMES", names)
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    whole = []
    threads = [
        threading.Thread(target=lambda name=name: whole.append(importlib.import_module(name).whole))
        for name in (first, *{*names} - {first})
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    finally:
        for name in names:
            sys.modules.pop(name, None)
    assert whole == [True, True]
