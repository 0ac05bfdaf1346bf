"""The coreset: projection by hand, greedy selection by hand, its guarantee, and a plain reference."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from exdd_core.detector import coreset
from exdd_core.detector.coreset import covering_radius, greedy_coreset, project, projection
from exdd_core.errors import BadInput, Cancelled
from exdd_core.progress import Progress


def starting_at(row: int, n: int) -> int:
    """A seed with which the first of `n` rows picked is `row`."""
    blank = np.zeros((n, 1), np.float32)
    return next(seed for seed in itertools.count() if greedy_coreset(blank, 1, seed=seed)[0] == row)


def radius(features: np.ndarray, picked: Any) -> float:
    """Covering radius in float64, from the definition."""
    points = torch.as_tensor(features, dtype=torch.float64)
    exact = "donot_use_mm_for_euclid_dist"
    gaps = [
        torch.cdist(c, points[picked], compute_mode=exact).min(1).values.max() for c in points.split(2048)
    ]
    return float(max(gaps))


def plain_greedy(features: np.ndarray, size: int, first: int) -> list[int]:
    """Farthest-point selection as in a textbook: every distance, every time."""
    points = torch.as_tensor(features)
    nearest = torch.full((len(points),), torch.inf)
    picked = [first]
    while len(picked) < size:
        nearest = torch.minimum(nearest, (points - points[picked[-1]]).norm(dim=1))
        nearest[picked] = -1
        picked.append(int(nearest.argmax()))
    return picked


# --- Eq. 7 ----------------------------------------------------------------------------------------------


def test_projection_has_columns_of_unit_length() -> None:
    matrix = projection(1536, 128, seed=3)
    assert matrix.shape == (1536, 128) and matrix.dtype == torch.float32
    assert torch.allclose(matrix.norm(dim=0), torch.ones(128), atol=1e-5)
    entries = matrix.flatten()  # Gaussian: about zero, a spread of 1 / sqrt(1536), tails beyond three of them
    assert abs(float(entries.mean())) < 3e-4
    assert float(entries.std()) == pytest.approx(1536**-0.5, rel=0.02)
    assert 0.001 < float((entries.abs() > 3 * 1536**-0.5).float().mean()) < 0.005  # 0.0027


def test_projection_follows_its_seed() -> None:
    assert torch.equal(projection(64, 8, 1), projection(64, 8, 1))
    assert not torch.equal(projection(64, 8, 1), projection(64, 8, 2))


def test_rows_are_multiplied_by_the_projection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coreset, "CHUNK", 3)  # several chunks, the last one short
    rows = np.random.default_rng(0).standard_normal((7, 20), np.float32)
    expected = rows.astype(np.float64) @ projection(20, 5, 4).double().numpy()
    np.testing.assert_allclose(project(rows, 5, 4).cpu().numpy(), expected, atol=1e-5)


def test_short_rows_are_not_projected() -> None:
    rows = np.random.default_rng(0).standard_normal((7, 20), np.float32)
    assert np.array_equal(project(rows, 20, 0).cpu().numpy(), rows)
    assert project(rows, 19, 0).shape == (7, 19)


def test_projection_nearly_keeps_distances() -> None:
    rows = np.random.default_rng(0).standard_normal((60, 1536), np.float32)
    small = project(rows, 128, 0).cpu()
    ratio = torch.pdist(small) / torch.pdist(torch.as_tensor(rows)) * (1536 / 128) ** 0.5
    assert (
        float(ratio.min()) > 0.7 and float(ratio.max()) < 1.3
    )  # six standard deviations of 1 / sqrt(2 * 128)


# --- Eq. 8 ----------------------------------------------------------------------------------------------


def test_farthest_points_on_a_line() -> None:
    line = np.array([[0], [3], [6], [10]], np.float32)
    # From 0, the farthest is 10. Then 3 is 3 from 0, and 6 is 4 from 10: 6. Then 3.
    assert greedy_coreset(line, 4, seed=starting_at(0, 4)).tolist() == [0, 3, 2, 1]
    # From 6, the farthest is 0 (6 away; 10 is 4 away). Then 10. Then 3.
    assert greedy_coreset(line, 4, seed=starting_at(2, 4)).tolist() == [2, 0, 3, 1]


def test_covering_radius_on_a_line() -> None:
    line = np.array([[0], [3], [6], [10]], np.float32)
    assert covering_radius(line, line[[0]]) == pytest.approx(10)
    assert covering_radius(line, line[[0, 3]]) == pytest.approx(4)  # 6 to 10
    assert covering_radius(line, line[[0, 3, 2]]) == pytest.approx(3)  # 3 to 0
    assert covering_radius(line, line) == pytest.approx(0, abs=1e-6)


@settings(max_examples=80, deadline=None)
@given(
    points=hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 8), st.integers(1, 3)),
        elements=st.integers(-6, 6).map(float),  # few values: copies and ties come by themselves
    ),
    data=st.data(),
)
def test_radius_is_at_most_twice_the_best(points: np.ndarray, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(points)))
    picked = greedy_coreset(points, size, seed=data.draw(st.integers(0, 99)))
    assert picked.dtype == np.int64 and picked.shape == (size,)
    assert len(set(picked.tolist())) == size and picked.min() >= 0 and picked.max() < len(points)
    best = min(radius(points, list(some)) for some in itertools.combinations(range(len(points)), size))
    assert radius(points, picked) <= 2 * best + 1e-5


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 7))
def test_projected_rows_have_the_same_guarantee(seed: int, size: int) -> None:
    rows = np.random.default_rng(seed).standard_normal((7, 6), np.float32)
    picked = greedy_coreset(rows, size, projection_dim=2, seed=seed)
    flat = project(rows, 2, seed).cpu().numpy()
    best = min(radius(flat, list(some)) for some in itertools.combinations(range(7), size))
    assert len(set(picked.tolist())) == size
    assert radius(flat, picked) <= 2 * best + 1e-5


@settings(max_examples=40, deadline=None)
@given(
    points=hnp.arrays(
        np.float32, st.tuples(st.integers(4, 30), st.just(2)), elements=st.integers(0, 8).map(float)
    ),
    watch=st.integers(1, 12),
    data=st.data(),
)
def test_watching_a_few_rows_is_as_good_as_watching_all(
    points: np.ndarray, watch: int, data: st.DataObject
) -> None:
    size, seed = data.draw(st.integers(1, len(points))), data.draw(st.integers(0, 99))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coreset, "WATCH_ALL", watch)
        patch.setattr(coreset, "CHUNK", 7)
        picked = greedy_coreset(points, size, seed=seed)
    assert len(set(picked.tolist())) == size
    # Ties may be broken differently, but each pick is as far from those before it as any row is.
    for i in range(1, size):
        before = points[picked[:i]]
        gaps = np.linalg.norm(points[:, None] - before, axis=2).min(1)
        assert gaps[picked[i]] == pytest.approx(gaps.max(), abs=1e-5)


@pytest.fixture(scope="module")
def many() -> np.ndarray:
    return np.random.default_rng(5).standard_normal((20_000, 16)).astype(np.float32)


def test_twenty_thousand_rows_as_a_plain_greedy_picks_them(many: np.ndarray) -> None:
    assert len(many) > coreset.WATCH_ALL  # most of them are not watched
    picked = greedy_coreset(many, 250, seed=1)
    assert picked.tolist() == plain_greedy(many, 250, int(picked[0]))


def test_rows_far_from_the_origin_are_compared_as_precisely(many: np.ndarray) -> None:
    # A spread of 0.01 around 1000: |a|^2 - 2ab + |b|^2 in float32 is off by more than all of the spread.
    far = np.float32(1000) + np.float32(0.01) * many
    picked = greedy_coreset(far, 100, seed=1)
    plain = plain_greedy(far, 100, int(picked[0]))
    assert radius(far, picked) == pytest.approx(radius(far, plain), rel=0.02)


def test_copies_wait_until_every_distinct_row_is_taken() -> None:
    rng = np.random.default_rng(0)
    distinct = rng.standard_normal((60, 8)).astype(np.float32) + 5
    rows = np.repeat(distinct, 200, axis=0)[rng.permutation(12_000)]
    picked = greedy_coreset(rows, 80)
    assert len(np.unique(rows[picked[:60]], axis=0)) == 60
    assert len(set(picked.tolist())) == 80  # distinct row numbers even where only copies are left


def test_the_same_seed_picks_the_same_rows(many: np.ndarray) -> None:
    rows = many[:500]
    first = greedy_coreset(rows, 40, projection_dim=8, seed=7)
    assert np.array_equal(first, greedy_coreset(rows, 40, projection_dim=8, seed=7))
    assert not np.array_equal(first, greedy_coreset(rows, 40, projection_dim=8, seed=8))


def test_a_tensor_gives_what_its_array_gives(many: np.ndarray) -> None:
    rows = many[:300]
    expected = greedy_coreset(rows, 30, seed=2)
    assert np.array_equal(expected, greedy_coreset(torch.as_tensor(rows), 30, seed=2))


def test_fewer_rows_are_the_beginning_of_more(many: np.ndarray) -> None:
    rows = many[:400]
    assert greedy_coreset(rows, 10, seed=3).tolist() == greedy_coreset(rows, 50, seed=3).tolist()[:10]


@pytest.mark.parametrize("size", [0, -1, 6])
def test_a_size_that_cannot_be_is_refused(size: int) -> None:
    with pytest.raises(BadInput, match="between 1 and 5"):
        greedy_coreset(np.zeros((5, 2), np.float32), size)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("dimension", [4, 200])  # as they are, and projected
def test_features_that_are_no_numbers_are_refused(value: float, dimension: int) -> None:
    rows = np.zeros((50, dimension), np.float32)
    rows[33, 2] = value
    with pytest.raises(BadInput, match="not finite"):
        greedy_coreset(rows, 5)


def test_selection_tells_how_far_it_is_and_stops_when_cancelled(many: np.ndarray) -> None:
    seen: list[int] = []

    def watch(progress: Progress) -> None:
        seen.append(progress.done)
        if progress.done == 5:
            progress.cancel()

    with pytest.raises(Cancelled):
        greedy_coreset(many[:100], 20, progress=Progress(watch))
    assert seen == [0, 1, 2, 3, 4, 5]
