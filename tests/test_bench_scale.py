"""The benchmark of large coresets at small sizes: its figures, its table and its files."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from tests.bench import scale


@pytest.mark.slow
def test_figures_become_a_table_a_file_and_a_plot(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def measured(who: str, count: int, seconds: float) -> scale.Figure | None:
        assert seconds <= scale.EACH[who]
        if who == "anomalib":
            return None
        scale.child(who, count)
        found: scale.Figure = json.loads(capsys.readouterr().out.splitlines()[-1])
        return found

    monkeypatch.setattr(scale, "measured", measured)
    monkeypatch.setattr(scale, "ROWS", (3_000, 6_000))
    scale.main(argparse.Namespace(json=str(tmp_path / "new" / "figures.json"), out=""))
    written = json.loads((tmp_path / "new" / "figures.json").read_text())
    ours, plain, more, _ = written["figures"]
    assert [ours["who"], ours["rows"], ours["picked"], more["rows"]] == ["ours", 3_000, 30, 6_000]
    assert ours["same_as_plain"] == 1 and ours["radius"] == plain["radius"]
    assert more["floor"] > ours["floor"] > 0 and ours["cpu"] > 0
    assert written["machine"]["threads"] > 0
    assert "processor seconds" in (tmp_path / "new" / "figures.html").read_text()
    assert "| plain | 6,000 |" in capsys.readouterr().out
