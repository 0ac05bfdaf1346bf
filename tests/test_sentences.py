"""Numbers and names in sentences: one is one, many have commas, and no name is dropped without being counted."""

from __future__ import annotations

from hypothesis import given, strategies as st

from exdd_core.sentences import count, counted, listed


def test_one_is_one_and_thousands_are_told_apart() -> None:
    assert [count(n, "image") for n in (0, 1, 2, 1204)] == ["0 images", "1 image", "2 images", "1,204 images"]
    assert count(2, "defect is", "defects are") == "2 defects are"


@given(st.lists(st.text("ab", min_size=1), max_size=8), st.integers(1, 9))
def test_names_that_stand_and_those_that_are_counted_are_all(names: list[str], most: int) -> None:
    shown, _, more = listed(names, most).partition(" and ")
    there = len(shown.split(", ")) if shown else 0
    assert there + (int(more.removesuffix(" more")) if more else 0) == len(names)


def test_images_are_counted_before_they_are_named() -> None:
    assert counted(["a.png"]) == "1 image (a.png)"
    assert counted(["a", "b", "c", "d"]) == "4 images (a, b, c and 1 more)"
