"""Measures of paintings against real defects: kernel distance by hand, the told-apart test and its control."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from exdd_core.curation.comparing import _compared, _Defects
from exdd_core.evaluation import resemblance
from exdd_core.evaluation.resemblance import Pooled, compare, kid, told_apart
from exdd_core.progress import Progress
from exdd_core.synthesis.prior import Lying


def defects(count: int, shift: float, ring: float, seed: int, named: str, each: int = 1) -> Pooled:
    """Features around `shift` in the first of 12 columns, those of the ring around `ring`; `each` on a part."""
    rng = np.random.default_rng(seed)
    own, beside = rng.normal(0, 1, (2, count, 12))
    own[:, 0] += shift
    beside[:, 0] += ring
    return Pooled(own, beside, [f"{named}{i // each}" for i in range(count)])


def test_kernel_distance_by_hand() -> None:
    """Rows (1), (0) and (0), (0): kernels 1 between different ones, 8 or 1 of themselves left out: 1 + 1 - 2 x 1."""
    one, other = np.array([[1.0], [0.0]]), np.zeros((2, 1))
    assert kid(one, other) == pytest.approx(0)
    assert kid(np.array([[1.0], [1.0]]), other) == pytest.approx(8 + 1 - 2)


def test_a_difference_is_seen_and_chance_is_not() -> None:
    real, same, other = defects(30, 0, 0, 1, "r"), defects(40, 0, 0, 2, "p"), defects(40, 3, 0, 3, "p")
    alike, unlike = compare(real, same), compare(real, other)
    assert alike.verdict == "not told apart" and unlike.verdict == "told apart"
    assert unlike.own and unlike.own.auroc > 0.9 and 0.5 < unlike.own.high < 0.8
    assert alike.kid is not None and unlike.kid is not None and unlike.kid > 5 * abs(alike.kid)
    assert alike.diversity == pytest.approx(1, abs=0.25) and alike.nearest == pytest.approx(1, abs=0.2)


def test_different_surroundings_take_the_verdict_away() -> None:
    found = compare(defects(30, 0, 0, 1, "r"), defects(40, 3, 3, 2, "p"))
    assert found.verdict == "surroundings differ" and found.own and found.own.differs


def test_rows_of_few_parts_are_few() -> None:
    """A difference between parts is none between kinds: of 6 parts with 10 rows each, 3 have the other label."""
    rng = np.random.default_rng(5)
    rows = np.repeat(rng.normal(0, 3, (6, 12)), 10, axis=0) + rng.normal(0, 0.1, (60, 12))
    parts = [f"{i // 10}" for i in range(60)]
    assert not told_apart(rows[:30], parts[:30], rows[30:], parts[30:]).differs
    assert compare(defects(9, 0, 0, 1, "r", each=3), defects(40, 0, 0, 2, "p")).verdict == "too few"


def test_a_copy_is_held_out_with_its_original() -> None:
    """Copies of all real defects differ from them in nothing: near 0.5, and 0 where an original gives its copy away."""
    real = defects(24, 0, 0, 1, "r")
    apart = Pooled(real.own, real.ring, [f"p{i}" for i in range(24)])
    together = Pooled(real.own, real.ring, apart.parts, real.parts)
    seen, unseen = compare(real, apart).own, compare(real, together).own
    assert seen and unseen and seen.auroc < 0.1 and unseen.auroc == pytest.approx(0.5, abs=0.05)


def test_copies_are_told() -> None:
    real = defects(30, 0, 0, 1, "r")
    copied = Pooled(real.own[:20] + 0.01, real.ring[:20], [f"p{i}" for i in range(20)])
    found = compare(real, copied)
    assert found.copies == 1 and found.nearest is not None and found.nearest < 0.05
    assert compare(real, defects(20, 0, 0, 7, "p")).copies == pytest.approx(0.05, abs=0.15)


@given(st.integers(0, 10**6))
@settings(max_examples=10)
def test_the_classifier_is_blind_to_the_held_out_labels(seed: int) -> None:
    """Swapping both labels swaps the scores' order: AUROC stays, as nothing depends on which label is which."""
    rng = np.random.default_rng(seed)
    model = resemblance.HeldOut(rng.normal(0, 1, (20, 5)), np.arange(20) % 4)
    labels = rng.permutation(np.arange(20) < 8)
    one, other, same = model.auroc(np.stack([labels, ~labels, labels | True]))
    assert one == pytest.approx(other) and same == 0.5


def test_a_ring_begins_a_patch_from_the_mask_and_is_two_wide() -> None:
    features, on = np.zeros((9, 9, 1), np.float32), np.zeros((9, 9), bool)
    on[4, 4], features[4, 4], features[3, 3], features[1, 1] = True, 5, 7, 40
    found = resemblance.pooled(features, on)
    assert found and found[0] == 5 and found[1] == pytest.approx(40 / (49 - 9))
    assert resemblance.pooled(features, ~on | on) is None


def test_real_parts_that_taught_an_engine_do_not_judge_its_paintings() -> None:
    """Paintings that repeat what taught them are like nothing else: without the rule they would pass for real."""
    known, others = defects(12, 0, 0, 1, "r"), defects(12, 9, 9, 2, "q")
    real = read(np.concatenate([known.own, others.own]), [*known.parts, *others.parts])
    painted = read(known.own + 1e-3, [f"p{i}" for i in range(12)])
    naive = _compared("sdxl", "scratch", real, painted)
    painted.taught_by = set(known.parts)
    found = _compared("sdxl", "scratch", real, painted)
    assert (naive.figures.real, found.figures.real, found.figures.real_parts) == (24, 12, 12)
    assert found.figures.copies == 0 and naive.figures.copies and naive.figures.copies > 0.9
    assert "Real defects on 12 parts that taught the engine are left out." in found.sentence
    painted.taught_by |= {*others.parts}
    assert _compared("sdxl", "scratch", real, painted).verdict == "too few"


def read(own: np.ndarray, parts: list[str]) -> _Defects:
    """Defects as they are when they were read, with rings that are all alike."""
    made = _Defects(cast(Any, None), Progress())
    made._rows = [(row, np.zeros_like(row), part, "") for row, part in zip(own, parts, strict=True)]
    made.lying = [Lying(0.5, 0.5, 0, 0.1)] * len(parts)
    return made
