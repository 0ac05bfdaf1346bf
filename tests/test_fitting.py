"""What discriminants learn: summed up piece by piece it is what is summed at once."""

from __future__ import annotations

import numpy as np
import pytest

from exdd_core.detector import context, nearest
from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.context import TrainingSums
from exdd_core.detector.held_out import Neighbours

DIMENSION = 6


def bank(images: list[BankImage], each: int, middle: float, seed: int) -> Bank:
    rng = np.random.default_rng(seed)
    count = each * len(images)
    image, position = np.repeat(np.arange(len(images)), each), np.zeros((count, 2))
    rows = rng.normal(middle, 1, (count, DIMENSION))
    surroundings = rng.normal(middle / 2, 1, (count, context.width(DIMENSION)))
    return Bank(rows, image, position, images, surroundings.astype(np.float32))


def test_painted_defects_that_come_later_teach_as_if_they_had_been_there() -> None:
    normals = bank([BankImage(f"n{i}", f"part{i}") for i in range(5)], 40, 0, 1)
    real = bank([BankImage(f"r{i}", f"part{i}") for i in range(3)], 12, 2, 2)
    later = [BankImage(f"p{i}", f"part{i}", origin="synthetic", donor="part2") for i in range(4)]
    painted = bank(later, 9, 3, 3)
    folds = [["part0", "part3"], ["part1", "part4"], ["part2"]]
    at_once, before = (
        TrainingSums.of(normals, real.joined(painted), folds),
        TrainingSums.of(normals, real, folds),
    )
    assert at_once and before
    weights = [{"": 0.5}] * 4
    one, several = at_once.discriminants(weights)
    other, others = before.plus(painted).discriminants(weights)
    assert not np.allclose(before.discriminants(weights)[0].own, one.own, rtol=1e-3)
    for a, b in zip([one, *several], [other, *others], strict=True):
        assert a is not None and b is not None
        np.testing.assert_allclose(a.own, b.own, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(a.surrounding, b.surrounding, rtol=1e-3, atol=1e-5)
        assert a.bias == pytest.approx(b.bias, rel=1e-3)


def test_several_images_and_discriminants_at_once_are_each_alone() -> None:
    normals, defects = (bank([BankImage("i", "part")], 60, middle, 7) for middle in (0, 2))
    lessons = TrainingSums.of(normals, defects, [["other"]])
    assert lessons
    one, (other,) = lessons.discriminants([{}, {}])
    assert other is not None
    images = np.random.default_rng(4).normal(size=(3, 8, 7, DIMENSION)).astype(np.float32)
    for discriminant, found in zip([one, other], context.values([one, other], images), strict=True):
        alone = [discriminant.of_image(picture) for picture in images]
        np.testing.assert_allclose(found, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("at_once", [1, 20, 10_000])
@pytest.mark.parametrize(("gone", "come"), [(0, 3), (2, 0), (2, 3), (4, 1)])
def test_neighbours_that_follow_a_bank_are_those_that_would_be_found_in_it(
    gone: int, come: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many images are looked at together; some of them have rows of their own part among old and new ones."""
    monkeypatch.setattr(nearest, "QUERIES_AT_ONCE", at_once)
    old = bank([BankImage(f"o{i}", f"part{i}") for i in range(5)], 4, 0, 1)
    kept = ~old.of_images([f"o{i}" for i in range(gone)])
    new = old.take(np.flatnonzero(kept))
    if come:
        new = new.joined(bank([BankImage(f"n{i}", f"part{i + 3}") for i in range(come)], 4, 0.5, 2))
    features = list(np.random.default_rng(3).normal(0, 1, (9, 7, DIMENSION)).astype(np.float16))
    parts = [f"part{i}" for i in range(9)]
    before = Neighbours.find(old, features, parts, 3)
    followed = before.follow(old, new, kept, features, parts)
    found = Neighbours.find(new, features, parts, 3)
    np.testing.assert_allclose(followed.distances, found.distances, atol=1e-3)
    if len(new) - 8 >= 3:  # rows that are repeated for want of others may stand in any order
        np.testing.assert_array_equal(followed.rows, found.rows)
