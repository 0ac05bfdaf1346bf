"""The coreset: projection by hand, greedy selection by hand, its guarantee, and a plain reference."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from exdd_core.detector import coreset, greedy, rough_products
from exdd_core.detector.coreset import covering_radius, greedy_coreset, project, projection, select
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


def exact_greedy(features: np.ndarray, size: int, first: int) -> list[int]:
    """`plain_greedy` with the detector's own rounding: rows around their mean, distances by subtraction."""
    rows = torch.as_tensor(features)
    middle = rows.mean(0) if rows.dtype == torch.float32 else rows.double().mean(0).float()
    points = rows.float() - middle
    nearest, picked = torch.full((len(points),), torch.inf), [first]
    while len(picked) < size:
        torch.minimum(nearest, greedy.distances(points, points[picked[-1:]])[:, 0], out=nearest)
        nearest[picked[-1]] = -1
        picked.append(int(nearest.argmax()))  # of rows that tie the first
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
    alike = np.random.default_rng(0).random((60, 152), np.float32) + 1000
    assert covering_radius(alike, alike) == 0  # by products alone, rounding makes it 0.5 or so
    assert covering_radius(line, line[[0]]) == pytest.approx(10)
    assert covering_radius(line, line[[0, 3]]) == pytest.approx(4)  # 6 to 10
    assert covering_radius(line, line[[0, 3, 2]]) == pytest.approx(3)  # 3 to 0
    assert covering_radius(line, line) == pytest.approx(0, abs=1e-6)


@settings(max_examples=80)
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


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 7))
def test_projected_rows_have_the_same_guarantee(seed: int, size: int) -> None:
    rows = np.random.default_rng(seed).standard_normal((7, 6), np.float32)
    picked = greedy_coreset(rows, size, projection_dim=2, seed=seed)
    flat = project(rows, 2, seed).cpu().numpy()
    best = min(radius(flat, list(some)) for some in itertools.combinations(range(7), size))
    assert len(set(picked.tolist())) == size
    assert radius(flat, picked) <= 2 * best + 1e-5


@settings(max_examples=150)
@given(
    points=hnp.arrays(
        np.float32, st.tuples(st.integers(4, 60), st.just(2)), elements=st.integers(0, 5).map(float)
    ),
    candidates=st.integers(1, 12),
    narrowing=st.integers(2, 4),
    scale=st.sampled_from([1e-30, 1e-20, 1e-17, 0.3, 1, 1e17]),
    rough=st.booleans(),
    data=st.data(),
)
def test_levels_leave_the_result_of_the_plain_algorithm(
    points: np.ndarray, candidates: int, narrowing: int, scale: float, rough: bool, data: st.DataObject
) -> None:
    size, seed = data.draw(st.integers(1, len(points))), data.draw(st.integers(0, 99))
    points = points * np.float32(scale)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(greedy, "CANDIDATES", candidates)  # many levels
        patch.setattr(greedy, "NARROWING", narrowing)
        patch.setattr(greedy, "FEW", 1)
        with_rough_products(patch, rough)
        picked = greedy_coreset(points, size, seed=seed)
    assert picked.tolist() == exact_greedy(points, size, int(picked[0]))


def with_rough_products(patch: pytest.MonkeyPatch, rough: bool) -> None:
    """Find bounds by products of bfloat16 or not, whatever the processor and however few the rows are."""
    patch.setattr(greedy, "ROUGH_FROM", 0)
    patch.setattr(rough_products, "are_faster", lambda: rough)


@settings(max_examples=50)
@given(
    seed=st.integers(0, 10_000),
    width=st.sampled_from([1, 2, 24, 128, 300]),
    scale=st.sampled_from([1e-22, 1e-18, 1e-3, 1, 1e17]),
)
def test_rough_products_are_off_by_no_more_than_they_say(seed: int, width: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    rows, points = (
        torch.from_numpy((scale * rng.standard_normal((n, width)) * rng.random((n, 1))).astype(np.float32))
        for n in (40, 700)
    )
    found = rough_products.least(rows, rough_products.points(points, points.square().sum(1)))
    a, b = rows.double(), points.double()
    squares = b.square().sum(1)
    error = (found.double() - (squares - 2 * a @ b.T).amin(1)).abs()
    most = rough_products.SLACK * (a.square().sum(1) + squares.max()) + greedy.TINY
    assert (error <= most).all()


def shaped(kind: str, n: int, width: int = 24) -> np.ndarray:
    """Rows of one of several shapes of data, float32 (n, width)."""
    rng = np.random.default_rng(3)
    rows = {
        "gaussian": lambda: rng.standard_normal((n, width)),
        "uniform": lambda: rng.random((n, width)),
        "of few dimensions": lambda: rng.standard_normal((n, 3)) @ rng.standard_normal((3, width)),
        "clusters": lambda: (
            4 * rng.standard_normal((20, width))[rng.integers(0, 20, n)] + rng.standard_normal((n, width))
        ),
        "tight clusters": lambda: (
            rng.standard_normal((50, width))[rng.integers(0, 50, n)] + 1e-3 * rng.standard_normal((n, width))
        ),
        "copies": lambda: rng.standard_normal((n // 40, width))[rng.integers(0, n // 40, n)],
        "whole numbers": lambda: rng.integers(0, 3, (n, 5)),
        "long and alike": lambda: 1000 + 0.01 * rng.standard_normal((n, width)),
        "outliers": lambda: rng.standard_normal((n, width)) * rng.lognormal(0, 1.5, (n, 1)),
    }
    return rows[kind]().astype(np.float32)


SHAPES = (
    "gaussian",
    "uniform",
    "of few dimensions",
    "clusters",
    "tight clusters",
    "copies",
    "whole numbers",
    "long and alike",
    "outliers",
)


@pytest.mark.parametrize("rough", [False, True])
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("kind", SHAPES)
def test_every_shape_of_data_is_covered_as_by_the_plain_algorithm(
    monkeypatch: pytest.MonkeyPatch, kind: str, half: bool, rough: bool
) -> None:
    with_rough_products(monkeypatch, rough)
    rows = shaped(kind, 12_000)
    rows = rows.astype(np.float16) if half else rows
    before = rows.copy()
    picked = select(rows, 240, seed=1)
    assert np.array_equal(rows, before)
    # The same rows, so the covering radius is the same too.
    assert picked.tolist() == exact_greedy(rows, 240, int(picked[0]))


@pytest.fixture(scope="module")
def many() -> np.ndarray:
    return np.random.default_rng(5).standard_normal((20_000, 16)).astype(np.float32)


def test_twenty_thousand_rows_as_a_plain_greedy_picks_them(many: np.ndarray) -> None:
    assert len(many) > 2 * greedy.CANDIDATES  # most of them are no candidates
    picked = greedy_coreset(many, 250, seed=1)
    assert picked.tolist() == plain_greedy(many, 250, int(picked[0]))


def test_rows_far_from_the_origin_are_compared_as_precisely(many: np.ndarray) -> None:
    # A spread of 0.01 around 1000: |a|^2 - 2ab + |b|^2 in float32 is off by more than all of the spread.
    distant = np.float32(1000) + np.float32(0.01) * many
    picked = greedy_coreset(distant, 100, seed=1)
    plain = plain_greedy(distant, 100, int(picked[0]))
    assert radius(distant, picked) == pytest.approx(radius(distant, plain), rel=0.02)


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
    with pytest.raises(BadInput, match="from 1 to 5"):
        greedy_coreset(np.zeros((5, 2), np.float32), size)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("dimension", [4, 200])  # as they are, and projected
def test_features_that_are_no_numbers_are_refused(value: float, dimension: int) -> None:
    rows = np.zeros((50, dimension), np.float32)
    rows[33, 2] = value
    with pytest.raises(BadInput, match="not finite"):
        greedy_coreset(rows, 5)


@pytest.mark.parametrize("factor", [1e18, 1e30])
def test_features_whose_squares_overflow_are_refused(many: np.ndarray, factor: float) -> None:
    with pytest.raises(BadInput, match="too large"):
        greedy_coreset(many * np.float32(factor), 5)
    assert greedy_coreset(many * np.float32(1e15), 5).tolist() == greedy_coreset(many, 5).tolist()


def test_selection_tells_how_far_it_is_and_stops_when_cancelled(many: np.ndarray) -> None:
    seen: list[int] = []

    def watch(progress: Progress) -> None:
        seen.append(progress.done)
        if progress.done == 5:
            progress.cancel()

    with pytest.raises(Cancelled):
        greedy_coreset(many[:100], 20, progress=Progress(watch))
    assert seen == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("kind", ["clusters", "copies", "whole numbers"])
def test_the_way_a_gpu_goes_leads_to_the_same_rows(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    rows = shaped(kind, 12_000)
    expected = select(rows, 240, seed=1)
    monkeypatch.setattr(greedy, "on_gpu", lambda rows: True)
    monkeypatch.setattr(greedy, "PRODUCT_ON_GPU", (5_000, 300))
    assert select(rows, 240, seed=1).tolist() == expected.tolist()


# --- interrupted ----------------------------------------------------------------------------------------


def stopped_at(picks: int) -> Progress:
    """Cancels a selection once it has picked so many rows."""

    def watch(progress: Progress) -> None:
        if progress.done == picks:
            progress.cancel()

    return Progress(watch)


@pytest.mark.parametrize("picks", [1, 37, 199])
def test_an_interrupted_selection_goes_on_to_the_same_result(
    many: np.ndarray, tmp_path: Path, picks: int
) -> None:
    file, whole = tmp_path / "picked.npz", select(many, 200, seed=4)
    with pytest.raises(Cancelled):
        select(many, 200, seed=4, progress=stopped_at(picks), state=file)
    seen: list[int] = []
    continued = select(
        many, 200, seed=4, progress=Progress(lambda progress: seen.append(progress.done)), state=file
    )
    assert np.array_equal(continued, whole)
    assert len(np.load(file)["picked"]) > 0 and seen[0] <= picks
    # The file of fewer picks serves more, and that of more serves fewer.
    assert np.array_equal(select(many, 260, seed=4, state=file)[:200], whole)
    assert np.array_equal(select(many, 20, seed=4, state=file), whole[:20])


def test_picks_are_saved_now_and_then(
    many: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(greedy, "SAVED_EVERY", 0.0)
    file, sizes = tmp_path / "picked.npz", set()

    def watch(progress: Progress) -> None:
        if file.exists():
            sizes.add(len(np.load(file)["picked"]))

    picked = select(many, 200, state=file, progress=Progress(watch))
    assert len(sizes) > 1 and max(sizes) < 200
    assert np.load(file)["picked"].tolist() == picked.tolist()


def test_the_file_of_other_rows_or_a_damaged_one_is_not_continued(many: np.ndarray, tmp_path: Path) -> None:
    file, rows = tmp_path / "picked.npz", many[:500]
    expected = select(rows, 30, seed=4)
    for other, seed in ((many[500:1000], 4), (rows, 5), (many[:499], 4)):
        select(other, 30, seed=seed, state=file)
        assert np.array_equal(select(rows, 30, seed=4, state=file), expected)
    for damaged in (b"", b"PK\x03\x04", file.read_bytes()[:100], file.read_bytes()[:-30]):
        file.write_bytes(damaged)
        assert np.array_equal(select(rows, 30, seed=4, state=file), expected)


def test_rows_in_a_read_only_file_are_selected_from(many: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", many[:3000])
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    assert np.array_equal(select(mapped, 50, seed=1), select(many[:3000], 50, seed=1))
