"""The memory bank: exact search, neighbourhoods, rows by image, and the file it is kept in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from safetensors.numpy import load_file, save_file

from exdd_core.detector.bank import Bank, BankImage
from exdd_core.errors import BadInput

MANY = 1024  # queries of a 256 x 256 image; of 152 numbers each, faiss multiplies matrices instead of subtracting
LENGTH = 152


def bank_of(rows: Any, image: Any = None, parts: int = 1) -> Bank:
    """A bank of `rows`, each with its number as position; image i shows part g<i % parts>."""
    rows = np.asarray(rows, np.float32)
    image = np.zeros(len(rows), int) if image is None else np.asarray(image)
    images = [BankImage(f"i{i}", f"g{i % parts}") for i in range(int(image.max(initial=0)) + 1)]
    position = np.stack([np.arange(len(rows)), np.arange(len(rows)) + 1], axis=1)
    return Bank(rows, image, position, images)


def brute_force(rows: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """Distances to the k nearest rows in float64; as the bank does, the last is repeated where rows run out."""
    gaps = [np.sort(np.sqrt(((rows - q) ** 2).sum(1))) for q in queries.astype(np.float64)]
    found = np.stack(gaps)[:, :k]
    return np.pad(found, ((0, 0), (0, k - found.shape[1])), mode="edge")


def check(bank: Bank, queries: np.ndarray, k: int, atol: float = 1e-5) -> None:
    distances, numbers = bank.search(queries, k)
    assert distances.dtype == np.float32 and numbers.dtype == np.int64
    assert distances.shape == numbers.shape == (len(queries), k)
    np.testing.assert_allclose(distances, brute_force(bank.rows, queries, k), rtol=2e-4, atol=atol)
    assert (np.diff(distances, axis=1) >= 0).all()
    own = np.linalg.norm(queries[:, None].astype(np.float64) - bank.rows[numbers], axis=2)
    np.testing.assert_allclose(distances, own, rtol=2e-4, atol=atol)  # the rows named are the rows measured


# --- search ---------------------------------------------------------------------------------------------


def test_distances_to_three_points() -> None:
    # From (3, 4): 5 to (0, 0), 4 to (3, 0), 3 to (0, 4).
    bank = bank_of([[0, 0], [3, 0], [0, 4]])
    distances, numbers = bank.search(np.array([[3, 4]], np.float32), 3)
    assert distances.tolist() == [[3, 4, 5]]
    assert numbers.tolist() == [[2, 1, 0]]


@settings(max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 60),
    k=st.integers(1, 8),
    count=st.sampled_from([1, 19, 40]),
    length=st.sampled_from([2, 17, LENGTH]),
    copies=st.booleans(),
)
def test_search_is_exact(seed: int, n: int, k: int, count: int, length: int, copies: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, length)).astype(np.float32)
    if copies:
        rows = rows[rng.integers(0, n, n)]
    queries = rng.standard_normal((count, length)).astype(np.float32)
    queries[0] = rows[-1]  # a query that is a row
    check(bank_of(rows), queries, k)


@pytest.mark.parametrize("copies", [1, 4])
def test_many_queries_are_exact(copies: int) -> None:
    rng = np.random.default_rng(0)
    rows = np.repeat(3 * rng.standard_normal((100, LENGTH)).astype(np.float32), copies, axis=0)
    queries = 3 * rng.standard_normal((MANY, LENGTH)).astype(np.float32)
    queries[:100] = rows[::copies]  # at distance zero
    queries[100:200] = rows[::copies] + np.float32(1e-3) * queries[100:200]  # and almost the same
    check(bank_of(rows), queries, 6)


@pytest.mark.parametrize("k", [1, 3, 6])
@pytest.mark.parametrize("spread", [0.003, 0.03, 0.3])
def test_rows_that_are_nearly_alike_are_told_apart(spread: float, k: int) -> None:
    # Four rows around each of a hundred places: more digits than |a|^2 - 2ab + |b|^2 leaves in float32.
    rng = np.random.default_rng(2)
    places = np.repeat(3 * rng.standard_normal((100, LENGTH)), 4, axis=0)
    rows = (places + spread * rng.standard_normal(places.shape)).astype(np.float32)
    centre = places[rng.integers(0, 400, MANY)]
    queries = (centre + spread * rng.standard_normal(centre.shape)).astype(np.float32)
    check(bank_of(rows), queries, k)


@pytest.mark.parametrize("count", [5, MANY])
def test_rows_far_from_the_origin_are_compared_as_precisely(count: int) -> None:
    # A spread of 0.01 around 1000: |a|^2 - 2ab + |b|^2 in float32 is off by more than all of the spread.
    rng = np.random.default_rng(1)
    centre = 1000 + rng.standard_normal(LENGTH)
    rows, queries = (
        (centre + 0.01 * rng.standard_normal((n, LENGTH))).astype(np.float32) for n in (400, count)
    )
    check(bank_of(rows), queries, 5, atol=1e-4)


def test_more_neighbours_than_rows_repeat_the_last() -> None:
    distances, numbers = bank_of([[0], [2]]).search(np.array([[3]], np.float32), 4)
    assert distances.tolist() == [[1, 3, 3, 3]]
    assert numbers.tolist() == [[1, 0, 0, 0]]


def test_searching_for_nothing_gives_nothing() -> None:
    distances, numbers = bank_of([[0.0], [2]]).search(np.zeros((0, 1), np.float32), 2)
    assert distances.shape == numbers.shape == (0, 2)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 40), k=st.integers(1, 6), share=st.floats(0, 1))
def test_rows_to_be_left_out_are_never_found(seed: int, n: int, k: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 3, (n, 2)).astype(np.float32)  # many copies, on both sides
    without = rng.random(n) < share
    queries = rng.integers(0, 3, (9, 2)).astype(np.float32)
    distances, numbers = bank_of(rows).search(queries, k, without)
    if without.all():
        assert np.isinf(distances).all() and (numbers == -1).all()
        return
    assert not without[numbers].any()
    np.testing.assert_allclose(distances, brute_force(rows[~without], queries, k), atol=1e-6)
    np.testing.assert_allclose(distances, np.linalg.norm(queries[:, None] - rows[numbers], axis=2), atol=1e-6)


def test_leaving_rows_out_once_does_not_change_later_searches() -> None:
    bank = bank_of([[0.0], [2]])
    query = np.array([[0.5]], np.float32)
    assert bank.search(query)[1].tolist() == [[0]]
    assert bank.search(query, 1, np.array([True, False]))[1].tolist() == [[1]]
    assert bank.search(query)[1].tolist() == [[0]]


@pytest.mark.parametrize("shape", [(4, 3), (4, 1), (2, 2, 2), (2,)])
def test_features_of_another_length_are_refused(shape: tuple[int, ...]) -> None:
    bank = bank_of([[0.0, 0], [2, 0]])
    with pytest.raises(BadInput, match=r"bank of length 2.*use the backbone"):
        bank.search(np.zeros(shape, np.float32))


# --- neighbourhoods (Eq. 16-17) ---------------------------------------------------------------------------


def test_neighbourhood_of_the_matched_row() -> None:
    bank = bank_of([[0.0], [2], [10], [-50]])
    # 14 matches row 2 (at 10); nearest to that: itself, then 2 and 0: 14 is 4, 12 and 14 away from them.
    # -2 matches row 0 (at 0); nearest to that: itself, then 2 and 10: -2 is 2, 4 and 12 away.
    queries = np.array([[14], [-2]], np.float32)
    assert bank.around(queries, np.array([2, 0]), 3).tolist() == [[4, 12, 14], [2, 4, 12]]
    assert bank.around(queries, np.array([2, 0]), 1).tolist() == [[4], [2]]
    assert bank.around(queries, np.array([2, 0]), 4).tolist() == [[4, 12, 14, 64], [2, 4, 12, 48]]


def test_neighbourhood_is_no_larger_than_the_bank() -> None:
    assert bank_of([[0.0], [2]]).around(np.array([[3]], np.float32), np.array([1]), 3).tolist() == [[1, 3]]


@pytest.mark.parametrize("b", [1, 2, 3])
def test_matched_row_comes_first_among_its_copies(b: int) -> None:
    bank = bank_of([[5.0], [1], [1], [1], [1], [7]])
    for matched in range(6):
        query = bank.rows[[matched]] + 1
        found = bank.around(query, np.array([matched]), b)
        assert found.shape == (1, b)
        assert found[0, 0] == 1  # the distance to the matched row itself
        if 1 <= matched <= 4:
            assert found.tolist() == [[1] * b]  # and to its copies, of which there are enough


def test_neighbourhoods_follow_the_rows() -> None:
    bank = bank_of([[0.0], [10]])
    query, matched = np.array([[1.0]], np.float32), np.array([0])
    assert bank.around(query, matched, 2).tolist() == [[1, 9]]
    bank.add(BankImage("new", "new"), np.array([[2.0]]), np.array([[0, 0]]))
    assert bank.around(query, matched, 2).tolist() == [[1, 1]]
    bank.remove("new")
    assert bank.around(query, matched, 2).tolist() == [[1, 9]]


# --- rows by image ----------------------------------------------------------------------------------------


def test_rows_know_where_they_come_from() -> None:
    images = [BankImage("a", "p", "spot"), BankImage("b", "q"), BankImage("c", "p", "pit", "synthetic")]
    bank = Bank(np.eye(4, 3), np.array([2, 0, 2, 0]), np.array([[1, 2], [3, 4], [5, 6], [7, 8]]), images)
    assert len(bank) == 4 and bank.dimension == 3
    assert bank.origin(0) == (images[2], 1, 2)
    assert bank.origin(3) == (images[0], 7, 8)
    assert bank.groups.tolist() == ["p", "p", "p", "p"]
    assert bank.rows_by_image() == {"a": 2, "c": 2}  # b has none
    assert bank.of("p").all() and not bank.of("q").any()
    assert bank.of("c").tolist() == [True, False, True, False]


def test_images_with_most_rows_come_first() -> None:
    assert list(bank_of(np.zeros((6, 1)), [0, 1, 1, 2, 2, 2]).rows_by_image().items()) == [
        ("i2", 3),
        ("i1", 2),
        ("i0", 1),
    ]


def test_arrays_of_different_lengths_make_no_bank() -> None:
    with pytest.raises(ValueError, match="one length"):
        Bank(np.zeros((3, 2)), np.zeros(2), np.zeros((3, 2)), [BankImage("a", "a")])


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), n=st.integers(0, 30), added=st.integers(0, 10), before=st.booleans())
def test_adding_then_removing_restores_the_bank(seed: int, n: int, added: int, before: bool) -> None:
    rng = np.random.default_rng(seed)
    bank = bank_of(rng.standard_normal((n, 3)), rng.integers(0, 4, n), parts=2)
    rows, image, position, images = bank.rows, bank.image, bank.position, list(bank.images)
    queries = rng.standard_normal((5, 3)).astype(np.float32)
    found = bank.search(queries, 2)
    if before:  # the new image must not need to be the last one when it goes
        bank.add(BankImage("x", "x"), rng.standard_normal((added, 3)), rng.integers(0, 9, (added, 2)))
        bank.add(BankImage("y", "y"), rng.standard_normal((2, 3)), np.zeros((2, 2)))
        assert bank.remove("x") == added and bank.remove("y") == 2
    else:
        bank.add(BankImage("x", "x"), rng.standard_normal((added, 3)), rng.integers(0, 9, (added, 2)))
        assert len(bank) == n + added
        assert bank.remove("x") == added
    for new, old in ((bank.rows, rows), (bank.image, image), (bank.position, position)):
        assert np.array_equal(new, old) and new.dtype == old.dtype
    assert bank.images == images
    for new, old in zip(bank.search(queries, 2), found, strict=True):
        assert np.array_equal(new, old)


def test_added_rows_are_found_and_removed_ones_are_not() -> None:
    bank = bank_of([[0.0, 0], [9, 9], [5, 5]], [0, 1, 2])
    assert bank.search(np.array([[4, 4]], np.float32))[1].tolist() == [[2]]
    bank.add(BankImage("new", "part"), np.array([[4.0, 4]]), np.array([[6, 7]]))
    assert bank.search(np.array([[4, 4]], np.float32))[0].tolist() == [[0]]
    assert bank.origin(3) == (BankImage("new", "part"), 6, 7)
    assert bank.remove("i1") == 1
    assert bank.rows.tolist() == [[0, 0], [5, 5], [4, 4]]
    assert [bank.origin(i)[0].id for i in range(3)] == ["i0", "i2", "new"]
    assert bank.rows_by_image() == {"i0": 1, "i2": 1, "new": 1}


def test_images_that_do_not_fit_are_refused() -> None:
    bank = bank_of([[0.0, 0], [9, 9]])
    with pytest.raises(BadInput, match="i0 is already in the bank"):
        bank.add(BankImage("i0", "g0"), np.zeros((1, 2)), np.zeros((1, 2)))
    with pytest.raises(BadInput, match="gone is not in the bank"):
        bank.remove("gone")
    with pytest.raises(BadInput, match="bank of length 2"):
        bank.add(BankImage("new", "new"), np.zeros((1, 3)), np.zeros((1, 2)))
    assert len(bank) == 2 and len(bank.images) == 1


# --- on disk ----------------------------------------------------------------------------------------------


def test_a_saved_bank_comes_back_exactly(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = [BankImage("über/ä b.png", "p 1", "Kratzer"), BankImage("b", "q", "", "synthetic")]
    bank = Bank(rng.standard_normal((7, 5)), rng.integers(0, 2, 7), rng.integers(0, 99, (7, 2)), images)
    bank.save(tmp_path / "bank.safetensors")
    back = Bank.load(tmp_path / "bank.safetensors")
    for new, old in ((back.rows, bank.rows), (back.image, bank.image), (back.position, bank.position)):
        assert np.array_equal(new, old) and new.dtype == old.dtype
    assert back.images == images
    query = rng.standard_normal((3, 5)).astype(np.float32)
    assert np.array_equal(back.search(query, 2)[0], bank.search(query, 2)[0])


def test_a_loaded_bank_can_be_changed(tmp_path: Path) -> None:
    bank_of([[0.0], [2]], [0, 1]).save(tmp_path / "bank.safetensors")
    bank = Bank.load(tmp_path / "bank.safetensors")
    bank.add(BankImage("new", "new"), np.array([[5.0]]), np.array([[0, 0]]))
    assert bank.remove("i0") == 1
    assert bank.rows.tolist() == [[2], [5]]


def refused(file: Path) -> None:
    with pytest.raises(BadInput) as caught:
        Bank.load(file)
    assert str(caught.value).endswith("build it again.") and "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "gone.safetensors")


@pytest.mark.parametrize("kept", [0, 4, 60, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: float) -> None:
    file = tmp_path / "bank.safetensors"
    bank_of(np.ones((50, 8))).save(file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    refused(file)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bank.safetensors"
    file.write_text("this is no bank")
    refused(file)
    save_file({"rows": np.zeros((2, 3), np.float32)}, file, metadata={"images": "[]"})  # arrays are missing
    refused(file)


@pytest.mark.parametrize("metadata", [None, {}, {"images": "no JSON"}, {"images": '[{"name": "a"}]'}])
def test_a_file_without_its_origins_is_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    file = tmp_path / "bank.safetensors"
    bank_of(np.ones((3, 2))).save(file)
    save_file(load_file(file), file, metadata=metadata)
    refused(file)


def test_a_file_whose_rows_name_images_that_are_not_there_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bank.safetensors"
    bank_of(np.ones((3, 2)), [0, 1, 2]).save(file)
    save_file(load_file(file), file, metadata={"images": '[{"id": "i0", "group": "g0"}]'})
    refused(file)
