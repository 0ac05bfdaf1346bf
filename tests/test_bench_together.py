"""`make bench`: one table and one file of all benchmarks, whichever of them fails."""

from __future__ import annotations

import argparse
import json
import sys
import types
from pathlib import Path

import pytest

from tests.bench import together


def test_one_table_and_one_file_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = types.ModuleType("tests.bench.good"), types.ModuleType("tests.bench.bad")
    monkeypatch.setattr(good, "main", lambda options: print("| rows | 7 |"), raising=False)
    monkeypatch.setattr(bad, "main", lambda options: sys.exit("no images"), raising=False)
    for module in (good, bad):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    options = argparse.Namespace(out=str(tmp_path / "build"))
    ended = together.run(["bad", "good"], ["year"], options)
    assert [one["error"] for one in ended] == ["SystemExit: no images", ""]
    written = json.loads((tmp_path / "build" / "bench.json").read_text())
    assert written["not_run"] == ["year"] and written["benchmarks"] == ended
    assert written["machine"]["cores"] > 0 and "numpy" in written["machine"]["packages"]
    lines = (tmp_path / "build" / "bench.md").read_text().splitlines()
    assert any(line.startswith("| bad |") and line.endswith("SystemExit: no images |") for line in lines)
    assert any(line.startswith("| good |") and line.endswith("| done |") for line in lines)
    assert "| year | | | not run |" in lines and "| rows | 7 |" in lines
    assert written["machine"]["processor"] in lines[0]
