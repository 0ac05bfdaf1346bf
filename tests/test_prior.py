"""Where known defects lie: each figure by hand, the density's kernels, and masks that follow them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from exdd_core.errors import BadInput
from exdd_core.synthesis import masks, prior
from exdd_core.synthesis.mask_spec import MaskSpec
from exdd_core.synthesis.prior import Lying, Place

IMAGE = np.full((200, 100, 3), 128, np.uint8)
PLACE = Place("set/kos01.png", Lying(0.5, 0.75, 90.0, 0.01), (0.02, 0.02, 3.0, 0.1))


def test_how_a_mask_lies_is_that_of_its_largest_piece() -> None:
    mask = np.zeros((100, 200), bool)
    mask[20:22, 40:60] = True
    mask[90, 190] = True
    lying = prior.lying_of(mask)
    assert lying is not None
    assert lying.x == pytest.approx(50 / 200) and lying.y == pytest.approx(21 / 100)
    assert min(lying.angle, 180 - lying.angle) < 0.1 and lying.area == pytest.approx(40 / 20_000)
    assert prior.lying_of(np.zeros((5, 5), bool)) is None


def test_spread_is_scotts_and_angles_are_without_direction() -> None:
    several = [Lying(0.2, 0.5, 178.0, 0.01), Lying(0.4, 0.5, 2.0, 0.01)] * 2
    x, y, angle, area = prior.spread_of(several)
    assert x == pytest.approx(0.1 * 4 ** (-1 / 8))
    assert (y, angle, area) == (0.01, 3.0, 0.1)  # the least ones: 178 and 2 degrees are 4 apart
    crossed = prior.spread_of([Lying(0.5, 0.5, 0.0, 0.01), Lying(0.5, 0.5, 90.0, 0.01)])
    assert crossed[2] == pytest.approx(180 / math.sqrt(12) * 2 ** (-1 / 8))


def test_one_mask_in_ten_lies_anywhere_and_few_known_ones_say_nothing() -> None:
    known = [(f"{n}.png", Lying(n / 10, 0.5, 0.0, 0.01)) for n in range(4)]
    rng = np.random.default_rng(0)
    drawn = [prior.draw(known, rng) for _ in range(2000)]
    assert sum(place is None for place in drawn) / 2000 == pytest.approx(prior.ANYWHERE, abs=0.02)
    assert {place.image for place in drawn if place} == {name for name, _ in known}
    assert all(prior.draw(known[:2], rng) is None for _ in range(50))


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 180), st.floats(1e-6, 1), st.integers(0, 2**40))
def test_a_sample_is_within_the_image(x: float, y: float, angle: float, area: float, seed: int) -> None:
    place = Place("a", Lying(x, y, angle, area), (0.3, 0.3, 60.0, 2.0))
    one = place.drawn(np.random.default_rng(seed))
    assert 0 <= one.x <= 1 and 0 <= one.y <= 1 and 0 <= one.angle < 180 and 0 < one.area <= 1


def test_a_place_survives_json_and_an_unreadable_one_is_a_sentence() -> None:
    spec = MaskSpec("generated", vary=True, place=PLACE)
    assert MaskSpec.from_json(spec.to_json()) == spec
    for wrong in ({"image": "a"}, {"image": "a", "lying": {"x": 1}, "spread": [1, 2, 3, 4]}):
        with pytest.raises(BadInput, match="position of this mask"):
            MaskSpec.from_json({"place": wrong})


@pytest.mark.parametrize("source", ["generated", "real"])
def test_masks_follow_the_place(source: str) -> None:
    lender = np.zeros((200, 100), bool)
    lender[60:64, 30:50] = True
    spec = MaskSpec(source, vary=True, place=PLACE)
    lying = [prior.lying_of(masks.realise(spec, IMAGE, seed, lender)) for seed in range(20)]
    assert np.mean([one.y for one in lying if one]) == pytest.approx(0.75, abs=0.03)
    assert np.std([one.y for one in lying if one]) < 0.06
    if source == "generated":
        assert np.mean([abs(one.angle - 90) for one in lying if one]) < 8
        assert np.exp(np.mean([math.log(one.area) for one in lying if one])) == pytest.approx(0.01, rel=0.35)
    assert "kos01.png" in spec.why and "anywhere" in replace(spec, place=None).why


@pytest.mark.parametrize("edge", range(4))
def test_a_mask_that_an_edge_cuts_off_lies_at_the_known_height_of_that_edge(edge: int) -> None:
    lender = np.zeros((100, 100), bool)
    lender[40:44, 80:] = True
    middle = [(0.95, 0.3), (0.3, 0.05), (0.05, 0.7), (0.7, 0.95)][edge]  # turned as the lender
    spec = MaskSpec("real", vary=True, place=replace(PLACE, lying=Lying(*middle, 0.0, 0.01)))
    for seed in range(5):
        mask = masks.realise(spec, IMAGE[:100], seed, np.ascontiguousarray(np.rot90(lender, edge)))
        rows, columns = np.nonzero(mask)
        assert abs(columns.mean() / 100 - middle[0]) < 0.15 and abs(rows.mean() / 100 - middle[1]) < 0.15


def test_a_place_outside_the_region_of_interest_is_given_up() -> None:
    region = np.zeros((200, 100), bool)
    region[:40] = True
    mask = masks.realise(MaskSpec("generated", vary=True, place=PLACE), IMAGE, 1, region=region)
    assert mask.any() and not (mask & ~region).any()
