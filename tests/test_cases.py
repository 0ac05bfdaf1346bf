"""Every small input that once was misread in silence is read rightly, or refused with the right sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.bench import cases


def test_every_case_is_read_rightly(tmp_path: Path) -> None:
    folder = Path(os.environ.get("EXDD_CASES") or cases.FOLDER)
    if not folder.is_dir():
        pytest.skip(f"no cases in {folder}: set EXDD_CASES")
    found = list(cases.tried(folder, cases.new_workspace(tmp_path / "workspace")))
    assert found
    assert {one.name: one.wrong for one in found if one.wrong} == {}


def test_a_case_that_is_misread_is_called_wrong(tmp_path: Path) -> None:
    """Given the input of another case, a check finds something; a case that nobody has judged has no verdict."""
    folder = Path(os.environ.get("EXDD_CASES") or cases.FOLDER)
    if not (folder / cases.BASE).is_dir():
        pytest.skip(f"no cases in {folder}: set EXDD_CASES")
    strangers = {
        "01-types-beside-good",
        "04-btad",
        "07-ksdd2-masks-0-1",
        "25-mvtec-capital-good",
        "not-known",
    }
    for name in strangers:
        (tmp_path / "cases" / name).mkdir(parents=True)
        (tmp_path / "cases" / name / "in").symlink_to(folder / cases.BASE / "in")
    (tmp_path / "cases" / cases.BASE).symlink_to(folder / cases.BASE)
    found = cases.tried(tmp_path / "cases", cases.new_workspace(tmp_path / "workspace"))
    verdicts = {one.name: one.verdict for one in found}
    assert verdicts == dict.fromkeys(strangers, "WRONG") | {"not-known": "not judged", cases.BASE: "right"}
