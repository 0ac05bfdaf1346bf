"""Transfer: what paintings find of real defects that they were not made from decides what they count for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from exdd_core.detector import context, likeness, transfer
from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.context import TrainingSums
from exdd_core.detector.transfer import Found, Paintings

DIMENSION = 12
PARTS = [f"part{i}" for i in range(20)]
FOLDS = [PARTS[at::10] for at in range(10)]


def bank(images: list[BankImage], each: int, shift: np.ndarray, seed: int) -> Bank:
    """Patches around `shift`, float (DIMENSION,), with surroundings around half of it."""
    rng = np.random.default_rng(seed)
    count = each * len(images)
    rows = rng.normal(0, 1, (count, DIMENSION)) + shift
    around = rng.normal(0, 1, (count, context.width(DIMENSION))) + np.tile(shift / 2, context.LEVELS)
    image = np.repeat(np.arange(len(images)), each)
    return Bank(rows, image, np.zeros((count, 2)), images, around.astype(np.float32))


def along(axis: int) -> np.ndarray:
    return 3.0 * np.eye(DIMENSION)[axis]


def painted(count: int, axis: int, engine: str, vouched: bool = False, donor: str = "") -> Bank:
    """Paintings of one engine, whose patches differ from normal ones along one axis."""
    images = [
        BankImage(f"{engine}{i}", PARTS[i % 20], "", "synthetic", donor, engine, vouched)
        for i in range(count)
    ]
    return bank(images, 9, along(axis), 5)


NORMALS = bank([BankImage(f"n{i}", part) for i, part in enumerate(PARTS)], 60, np.zeros(DIMENSION), 1)
REAL = bank([BankImage(f"r{i}", part) for i, part in enumerate(PARTS[:3])], 36, along(0), 2)


def found_of(defects: Bank, likeness: float | None = None) -> list[Paintings]:
    sums = TrainingSums.of(NORMALS, defects, FOLDS)
    assert sums
    return transfer.paintings(sums, NORMALS, defects, likeness)


def test_transfer_and_weight_by_hand() -> None:
    """(8 x 0.95 + 2 x 0.6 + 3 x 0.5) / (8 + 2 + 3) = 0.792, and without the second part (7.6 + 1.5) / 11 = 0.827."""
    one = Paintings("e", 5, 5, 1.0, {"a": Found(0.95, 64), "b": Found(0.6, 4)})
    assert one.transfer() == pytest.approx(10.3 / 13)
    assert one.weight() == pytest.approx((10.3 / 13 - 0.78) / 0.1)
    assert one.transfer(["b"]) == pytest.approx(9.1 / 11)
    assert one.weight(["b"]) == pytest.approx((9.1 / 11 - 0.78) / 0.1)
    assert one.weight(["a"]) == 0  # (1.2 + 1.5) / 5 = 0.54
    assert (
        one.transfer(["a", "b"]) is None and one.weight(["a", "b"]) == 1.0
    )  # a word, where nothing can be tried


def test_rows_lose_their_weight_where_real_defects_disprove_them() -> None:
    """(8 x 0.85 + 2 x 0.6) / 10 = 0.8: the part of chance plays no role, so that a small part alone leaves them."""
    one = Paintings("e", 5, 5, 1.0, {"a": Found(0.85, 64), "b": Found(0.6, 4)}, share=0.5)
    assert one.of_row() == pytest.approx(0.5 * (0.8 - 0.78) / 0.1) and not one.idle
    assert one.of_row(["a"]) == 0 and one.of_row(["a", "b"]) == 1
    small = Paintings("e", 5, 5, 1.0, {"a": Found(1.0, 4)})
    assert (small.weight(), small.of_row()) == (0, 1) and "count only as nearest defects" in small.sentence()
    none = replace(small, found={"a": Found(0.6, 4)})
    assert none.idle and none.weight() == 0 and "count for nothing" in none.sentence()
    assert none.sentence().endswith("0.50 is chance, and more than 0.78 counts).")
    assert transfer.row_counts([one, small, replace(none, engine="f")]) == {"f": 0.0}


def test_paintings_like_the_real_defects_count_in_full_and_others_for_nothing() -> None:
    defects = REAL.joined(painted(30, 0, "good")).joined(painted(30, 1, "crude"))
    crude, good = found_of(defects, likeness=1.0)  # a person vouches for both, and is wrong about one
    assert (crude.engine, good.engine) == ("crude", "good") and set(good.found) == set(PARTS[:3])
    assert good.weight() == 1 and min(one.auroc for one in good.found.values()) > 0.95
    assert crude.weight() == 0 and abs(np.mean([one.auroc for one in crude.found.values()]) - 0.5) < 0.2


def test_paintings_of_no_weight_leave_the_discriminant_of_real_defects_as_it_is() -> None:
    both = TrainingSums.of(NORMALS, REAL.joined(painted(30, 1, "crude")), FOLDS)
    alone = TrainingSums.of(NORMALS, REAL, FOLDS)
    assert both and alone
    nothing, full = ([{"crude": weight}] * 11 for weight in (0.0, 1.0))
    expected = alone.discriminants([{}] * 11)[0].own
    np.testing.assert_array_equal(both.discriminants(nothing)[0].own, expected)
    assert abs(both.discriminants(full)[0].own[1]) > 5 * abs(expected[1])
    # Rows that count though the discriminant waits for a larger part count as known patches in its ridge.
    known = replace(alone, count=alone.count + both.counts["crude"]).discriminants([{}] * 11)[0].own
    np.testing.assert_array_equal(both.discriminants(nothing, full)[0].own, known)
    assert not np.array_equal(known, expected)


def test_paintings_have_at_most_their_share_of_the_weight_of_all_defects() -> None:
    """At 0.2 and real weights 18 against 90, a painting has 0.2 / 0.8 x 18 / 90 = 0.05 of its own weight."""
    both = TrainingSums.of(NORMALS, REAL.joined(painted(30, 1, "crude")), FOLDS)
    alone = TrainingSums.of(NORMALS, REAL, FOLDS)
    crude = TrainingSums.of(NORMALS, painted(30, 1, "crude"), FOLDS)
    assert both and alone and crude
    assert (alone.real.every.weight, crude.painted["crude"].every.weight) == (
        pytest.approx(18),
        pytest.approx(90),
    )
    patches = alone.count + round(
        0.2 * crude.counts["crude"]
    )  # the ridge knows how many defect patches there are
    mixed = replace(alone, real=alone.real.plus(crude.painted["crude"], 0.05), count=patches)
    expected = mixed.discriminants([{}] * 11)[0].own
    np.testing.assert_allclose(
        both.discriminants([{"crude": 0.2}] * 11)[0].own, expected, rtol=1e-3, atol=1e-5
    )


def test_a_transplant_is_never_tried_on_the_part_that_it_was_cut_from() -> None:
    (own,) = found_of(REAL.joined(painted(10, 0, "transplant", donor=PARTS[0])))
    assert PARTS[0] not in own.found and set(own.found) == set(PARTS[1:3])
    assert own.defects == 0  # of a part that is known as real
    real, copies = 3 * np.sqrt(36), 10 * np.sqrt(9)  # the weights of all real defects and of all transplants
    assert own.share == pytest.approx(0.1 * real / copies)
    assert found_of(REAL.joined(painted(10, 0, "good")))[0].share == 1  # ten defects of their own


def test_where_no_defect_is_real_a_word_decides() -> None:
    half = painted(10, 0, "e", vouched=True).joined(painted(20, 0, "f"))
    one, other = found_of(half)
    assert (one.weight(), other.weight()) == (transfer.ONE_BY_ONE, 0)
    assert [o.weight() for o in found_of(half, likeness=0.6)] == [0.6, 0.6]
    assert one.transfer() is None and "no real defect" in one.sentence() and "in full" not in one.sentence()


def test_what_is_stored_is_read_again() -> None:
    for one in found_of(REAL.joined(painted(30, 0, "good"))):
        assert Paintings.restore(one.state()) == one
        assert "find 3 of 3 defective parts by themselves, so they count in full" in one.sentence()
        less = "They weigh less until 3 defective parts are known."
        two = replace(one, found=dict(list(one.found.items())[:2]))
        assert less in two.sentence() and less not in one.sentence()


@given(st.integers(0, 40), st.integers(0, 200), st.floats(0, 1), st.floats(0, 1))
def test_paintings_earn_trust_by_their_weight(real: int, number: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert (
        likeness.trust(real)
        <= likeness.trust(real, [(low, number)])
        <= likeness.trust(real, [(high, number)]) + 1e-12
    )
    assert likeness.trust(real, [(0.0, number)]) == likeness.trust(real)
    limit = likeness.most_by_paintings(real)
    assert likeness.trust(real, [(1.0, number)]) == pytest.approx(min(limit, likeness.trust(real + number)))


def test_one_or_two_real_parts_limit_the_trust_that_paintings_earn() -> None:
    earned = [likeness.trust(real, [(1.0, 40)]) for real in range(5)]
    assert earned == pytest.approx([3, 1, 2, 3, 3])
    assert likeness.trust(1, [(1.0, 1)]) == pytest.approx(likeness.trust(2))
    assert likeness.trust(40, [(1.0, 40)]) == likeness.LARGEST_WEIGHT
