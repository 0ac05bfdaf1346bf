"""The table of `painting`: which cells in which order, draws of parts that pair them, and a bank that remembers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from exdd_core.datasets import Record
from exdd_core.detector.bank import Bank, BankImage
from tests.bench import painting_table

RECORDS = [Record(f"{n}.png", "defect" if n < 4 else "normal", "", "", "", f"part{n}") for n in range(9)]


def test_every_cell_comes_once_and_balanced_ones_come_first() -> None:
    found = list(painting_table.order([0, 1, 2], 4))
    assert [pair for _, *pair in found[:4]] == [[0, 0], [1, 1], [2, 2], [0, 0]]
    cells = Counter((cell, seed, fold) for stage, seed, fold in found for cell in stage)
    assert set(cells.values()) == {1} and len({cell for cell, _, _ in cells}) * 12 == len(cells)
    in_turn = [cell for stage in painting_table.stages() for cell in stage]
    for cell in in_turn:  # what it is compared with is there before it
        assert in_turn.index(f"{cell.split(', ')[0]}, none") <= in_turn.index(cell)


def test_a_part_is_drawn_equally_often_in_every_fold() -> None:
    every = painting_table.draws(RECORDS, [record.group for record in RECORDS])
    assert (every[0] == 1).all() and (every.sum(1) == 9).all() and (every[:, :4].sum(1) == 4).all()
    np.testing.assert_array_equal(painting_table.draws(RECORDS, ["part7", "part2"]), every[:, [7, 2]])


def test_a_remembering_bank_finds_what_the_bank_finds() -> None:
    rng = np.random.default_rng(0)
    rows, asked = rng.normal(size=(20, 4)).astype(np.float32), rng.normal(size=(5, 4)).astype(np.float32)
    bank = Bank(rows, np.arange(20) // 10, np.zeros((20, 2)), [BankImage("a", "a"), BankImage("b", "b")])
    own = painting_table.Remembering(bank)
    for without in (None, bank.of("a")):
        for _ in range(2):
            found = own.search(asked, 3, without)
            for mine, theirs in zip(found, bank.search(asked, 3, without), strict=True):
                np.testing.assert_array_equal(mine, theirs)
            found[0][:] = 0


def test_a_row_says_what_it_gains_with_its_interval(capsys: pytest.CaptureFixture[str]) -> None:
    def cell(value: float) -> painting_table.Cell:
        columns = painting_table.oracle.COLUMNS
        drawn = {c: [value, *np.linspace(value - 0.1, value + 0.1, 1000)] for c in columns}
        figures = dict.fromkeys(columns, value)
        return {
            "figures": figures,
            "accepted": 7,
            "weight": 0.5,
            "transfer": 0.8,
            "scores": [],
            "drawn": drawn,
        }

    painting_table.show("tiles", [{"3, none": cell(0.8), "3, quilt": cell(0.83)}])
    line = next(line for line in capsys.readouterr().out.splitlines() if "quilt" in line)
    assert line.split()[:5] == ["3", "quilt", "1", "7", "0.50"] and "83.0 (+3.0 [+3.0, +3.0])" in line
