"""No fold sees a painting whose adapter was taught with its parts: banks, folds, effect and held-out images."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from exdd_core.banks import teachers
from exdd_core.curation.bench import TAUGHT, Bench
from exdd_core.detector import held_out
from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.examples import Marked, TrainingImage
from exdd_core.evaluation.fold_rows import NO_ROW, FoldRows
from exdd_core.evaluation.folds import _Training

REAL = BankImage("set/a.png", "a", "scratch")
OTHER = BankImage("painted1", "n1", "scratch", "synthetic", engine="sdxl")
PAINTED = replace(OTHER, id="painted2", taught_by=("a", "b"))
ROWS = np.array([[0, 0], [0, 1], [5, 5], [9, 9]], np.float32)


@pytest.fixture
def bank() -> Bank:
    return Bank(ROWS, np.array([0, 0, 1, 2]), np.zeros((4, 2)), [REAL, OTHER, PAINTED])


def test_rows_of_a_part_are_also_those_of_paintings_that_it_taught(bank: Bank) -> None:
    assert bank.of("a").tolist() == [True, True, False, True]
    assert bank.of("b").tolist() == [False, False, False, True]
    assert bank.of("n1").tolist() == [False, False, True, True]
    assert bank.of("", "c").tolist() == [False] * 4
    assert PAINTED.parts == {"n1", "a", "b"} and OTHER.parts == {"n1"}


def test_a_fold_sees_no_painting_that_its_part_taught(bank: Bank) -> None:
    rows = FoldRows(bank, {"a": 0, "b": 1, "c": 2})
    found = rows.nearest(np.array([[9, 9]], np.float32))
    nearest = [float(rows.seen_by(fold, found)[0, 0]) for fold in range(3)]
    to_other = float(np.hypot(4, 4))
    assert nearest == pytest.approx(
        [to_other, to_other, 0]
    )  # only the fold of c may see the painting at (9, 9)
    alone = FoldRows(bank.take(np.array([3])), {"a": 0})
    assert (alone.seen_by(0, alone.nearest(ROWS)) == NO_ROW).all()


def test_a_held_out_normal_image_of_such_a_part_does_not_see_it_either(bank: Bank) -> None:
    without_b, without_z = held_out._rows_of_each(bank, ["b", "z"])
    assert without_b is not None and without_b.tolist() == [False, False, False, True]
    assert without_z is None


def test_an_evaluation_fold_trains_without_it() -> None:
    marks: Any = [Marked(image, ROWS[:1], np.zeros((1, 2)), None) for image in (OTHER, PAINTED)]
    rows: Any = [SimpleNamespace(group=group) for group in "abcd"]
    nothing: Any = None
    training = _Training(rows, nothing, nothing, nothing, None, {}, marks, 0, None)
    seen = {part: [m.image.id for m in training._synthetic([at])] for at, part in enumerate("abcd")}
    assert seen == {
        "a": ["painted1"],
        "b": ["painted1"],
        "c": ["painted1", "painted2"],
        "d": ["painted1", "painted2"],
    }


def test_a_bank_without_such_paintings_is_written_as_before(bank: Bank, tmp_path: Path) -> None:
    bank.save(tmp_path / "bank.safetensors")
    kept = Bank.load(tmp_path / "bank.safetensors")
    assert kept.images == bank.images and kept.images[2].taught_by == ("a", "b")
    with safe_open(tmp_path / "bank.safetensors", "numpy") as opened:
        stored = json.loads(opened.metadata()["images"])
    assert ["taught_by" in one for one in stored] == [False, False, True]
    assert list(stored[0]) == ["id", "group", "defect_type", "origin", "donor", "engine", "vouched"]
    image = TrainingImage("painted2", "x.png", "n1", origin="synthetic", taught_by=("a",))
    assert image.bank_image.taught_by == ("a",) and image.parts == {"n1", "a"}


def test_a_candidate_brings_its_adapters_parts_to_the_bank() -> None:
    workspace: Any = SimpleNamespace(image=lambda id: SimpleNamespace(group=f"part of {id}"))
    candidate: Any = SimpleNamespace(
        id="c1", source="s", donor="", defect_type="scratch", engine="sdxl", taught_by=["a", "b"]
    )
    image = teachers.bank_image(workspace, candidate, vouched=False)
    assert image == BankImage("c1", "part of s", "scratch", "synthetic", "", "sdxl", False, ("a", "b"))


def test_what_every_part_taught_cannot_be_measured_by_them(bank: Bank) -> None:
    judge: Any = object.__new__(Bench)
    judge.real, judge.usual_distance = bank.take(np.array([0, 1])), 1.0
    judge.validation = SimpleNamespace(groups=["a", "b"])
    judge.detector = SimpleNamespace(positive=None)
    marked = Marked(PAINTED, ROWS[:1], np.zeros((1, 2)), None)
    assert judge.effect([marked]).text == f"{TAUGHT} every part that could be held out"
    assert judge._plausible(ROWS, PAINTED).text == f"{TAUGHT} every part that has a real defect"
    assert judge._plausible(ROWS, OTHER).value is not None
