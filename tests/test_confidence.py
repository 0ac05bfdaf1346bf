"""Intervals and paired tests: replicates are what resampling parts by hand gives, and they mean what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.metrics import roc_curve

from exdd_core.errors import BadInput
from exdd_core.evaluation import best_f1, compute_metrics, found_by_type, threshold_at
from exdd_core.evaluation.part_curves import Contributions, contributions
from exdd_core.evaluation.resampling import (
    FIGURES,
    _draws as draws,
    compare,
    figures_of as figures,
    interval,
    recall,
    reliability,
    replicates,
    share_interval,
    tally,
)

PARTS = 8


def results(seed: int, ties: bool = True, signal: float = 0.7) -> Any:
    """Scores, labels, maps, masks and parts of 24 images of 12 x 14 pixels; half of the parts have defects."""
    rng = np.random.default_rng(seed)
    groups = np.array([f"p{i % PARTS}" for i in range(24)])
    masks = np.zeros((24, 12, 14), bool)
    for number, mask in enumerate(masks):
        if number % PARTS < PARTS // 2 and number < 20:
            for _ in range(rng.integers(1, 3)):
                y, x = rng.integers(0, 8, 2)
                mask[y : y + 4, x : x + rng.integers(1, 5)] = True
    labels = masks.any((1, 2))
    scores = signal * labels + rng.normal(0, 0.7, 24)
    maps = (signal * masks + rng.normal(0, 0.6, masks.shape)).astype(np.float32)
    if ties:
        scores, maps = scores.round(1), maps.round(1)
    return scores, labels, maps, masks, groups


def figures_of(part: Contributions, weights: np.ndarray) -> dict[str, np.ndarray]:
    return figures(part.images, weights) | figures(part.pixels, weights)


@pytest.mark.parametrize("seed", range(4))
def test_a_replicate_is_the_figures_of_the_parts_drawn(seed: int) -> None:
    scores, labels, maps, masks, groups = results(seed)
    whole = contributions(scores, labels, maps, masks, groups.tolist())
    weights = draws(whole.defective, 5, [seed])
    found = figures_of(whole, weights)
    for number, row in enumerate(weights):
        again = np.repeat(np.arange(24), [int(row[whole.parts.index(g)]) for g in groups])
        expected = compute_metrics(scores[again], labels[again], maps[again], masks[again])
        for name in FIGURES:
            # Steps of pixels hold a few values; the one across the limit of AUPRO is cut, not interpolated.
            slack = 1e-9 if name.startswith("image") else 2e-2 if name == "aupro" else 1e-3
            assert found[name][number] == pytest.approx(expected[name], abs=slack)


def test_steps_cost_a_map_of_many_values_next_to_nothing() -> None:
    scores, labels, maps, masks, groups = results(3, ties=False)
    found = figures_of(contributions(scores, labels, maps, masks, groups.tolist()), np.ones((1, PARTS)))
    expected = compute_metrics(scores, labels, maps, masks)
    for name in FIGURES:
        assert found[name][0] == pytest.approx(expected[name], abs=5e-3)


def test_parts_are_drawn_whole_and_keep_their_kind() -> None:
    defective = np.array([True, False, True, False, False])
    drawn = draws(defective, 400, [0])
    assert (drawn[0] == 1).all() and (drawn == drawn.round()).all()
    assert (drawn[:, defective].sum(1) == 2).all() and (drawn[:, ~defective].sum(1) == 3).all()
    assert len(np.unique(drawn, axis=0)) > 20
    assert np.abs(drawn[1:].mean(0) - 1).max() < 0.15  # none is preferred


def test_copies_of_an_image_make_nothing_surer() -> None:
    """Ten copies of each image in its own part must leave the interval as it was; resampling images would not."""
    scores, labels, maps, masks, groups = results(1)
    plain = contributions(scores, labels, maps, masks, groups.tolist())
    copied: Any = [np.repeat(v, 10, axis=0) for v in (scores, labels, maps, masks, groups)]
    tenfold = contributions(copied[0], copied[1], copied[2], copied[3], copied[4].tolist())
    for name, values in replicates([plain], 300).items():
        assert replicates([tenfold], 300)[name] == pytest.approx(values, abs=1e-9)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    held, trials = 0, 120
    blank = np.zeros((80, 1, 1), np.float32)
    labels = np.arange(80) % 2 == 0
    groups = [str(i) for i in range(80)]
    for _ in range(trials):
        scores = rng.normal(0, 1, 80) + labels * np.sqrt(2) * 0.8416  # AUROC of Phi(0.8416) = 0.8
        part = contributions(scores, labels, blank, blank.astype(bool), groups)
        drawn = replicates([part], 300)["image_auroc"]
        low, high = interval(drawn, drawn[0])
        held += low <= 0.8 <= high
    assert 0.86 <= held / trials <= 1.0


def test_a_method_against_itself_and_against_a_better_one() -> None:
    scores, labels, maps, masks, groups = results(2, signal=0.3)
    weak = replicates([contributions(scores, labels, maps, masks, groups.tolist())])
    strong = replicates([contributions(scores + 3 * labels, labels, maps + masks, masks, groups.tolist())])
    same = compare(weak["image_auroc"], weak["image_auroc"], 0.0)
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)
    gain = strong["image_auroc"][0] - weak["image_auroc"][0]
    # Most draws of two methods agree but for rounding.
    draws = np.random.default_rng(0).integers(0, 3, 400) / 3
    other = np.where(np.arange(400) % 40, draws, draws - 0.1)
    for rounding in (0.0, 1e-17, 3e-17, -2e-16):
        assert compare(draws + 1 / 3, other + 1 / 3, draws[0] - other[0] + rounding).p == 1.0
    better = compare(strong["image_auroc"], weak["image_auroc"], gain)
    assert better.low > 0 and better.p < 0.05 and better.low <= better.difference <= better.high
    worse = compare(weak["image_auroc"], strong["image_auroc"], -gain)
    assert worse.p == better.p and worse.high == pytest.approx(-better.low)


def test_noise_is_not_celebrated() -> None:
    """Two methods that differ by chance alone: p below 0.05 about one time in twenty, not much more."""
    rng = np.random.default_rng(1)
    blank, labels = np.zeros((60, 1, 1), np.float32), np.arange(60) % 2 == 0
    groups, celebrated = [str(i) for i in range(60)], 0
    for _ in range(100):
        drawn: Any = [
            replicates(
                [contributions(labels + rng.normal(0, 1, 60), labels, blank, blank.astype(bool), groups)], 200
            )["image_auroc"]
            for _ in range(2)
        ]
        celebrated += compare(drawn[0], drawn[1], drawn[0][0] - drawn[1][0]).p < 0.05
    assert celebrated <= 12


def test_one_class_has_no_interval() -> None:
    scores, labels, maps, masks, groups = results(0)
    normal = ~labels
    part = contributions(scores[normal], labels[normal], maps[normal], masks[normal], groups[normal].tolist())
    drawn = replicates([part], 20)
    assert all(np.isnan(v).all() for v in drawn.values())
    assert np.isnan(interval(drawn["aupro"], float("nan"))).all()


def test_several_folds_are_averaged() -> None:
    folds = []
    for seed in (0, 1):
        scores, labels, maps, masks, groups = results(seed)
        folds.append(contributions(scores, labels, maps, masks, groups.tolist()))
    both = replicates(folds, 50)
    for name in FIGURES:
        each = [replicates([fold], 50)[name][0] for fold in folds]
        assert both[name][0] == pytest.approx(np.mean(each))


# --- thresholds -------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), rate=st.floats(0, 0.95), ties=st.booleans())
def test_recall_at_a_rate_is_scikit_learns_roc(seed: int, rate: float, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    labels = np.arange(40) % 3 == 0
    scores = rng.normal(0, 1, 40) + labels
    scores = scores.round() if ties else scores
    false, true, _ = roc_curve(labels, scores, drop_intermediate=False)
    found = found_by_type(scores, labels, ["spot"] * 40, threshold_at(scores[~labels], rate))
    assert found["false_alarms"] / found["normal"] <= rate + 1e-9
    recall = found["types"]["spot"]["found"] / found["types"]["spot"]["count"]
    assert recall == pytest.approx(true[false <= rate + 1e-9].max())


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), ties=st.booleans())
def test_best_f1_is_the_best_of_all_thresholds(seed: int, ties: bool) -> None:
    from sklearn.metrics import f1_score

    rng = np.random.default_rng(seed)
    labels = rng.random(30) < 0.3
    labels[0] = True
    scores = rng.normal(0, 1, 30) + labels
    scores = scores.round() if ties else scores
    best, threshold = best_f1(scores, labels)
    every = [f1_score(labels, scores >= t) for t in np.unique(scores)]
    assert best == pytest.approx(max(every)) and best == pytest.approx(f1_score(labels, scores >= threshold))


def test_recall_by_type_by_hand() -> None:
    scores = np.array([0.1, 0.5, 0.9, 0.6, 0.4, 0.95])
    labels = np.array([False, False, False, True, True, True])
    types = ["", "", "", "scratch", "scratch", "spot"]
    assert threshold_at(scores[:3], 0.34) == 0.5 and threshold_at(scores[:3], 0.0) == 0.9
    assert found_by_type(scores, labels, types, 0.5) == {
        "threshold": 0.5,
        "false_alarms": 1,
        "normal": 3,
        "types": {"scratch": {"found": 1, "count": 2}, "spot": {"found": 1, "count": 1}},
    }
    with pytest.raises(BadInput, match="false-alarm rate"):
        threshold_at(scores[:3], 1.0)


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, None])
def test_recall_on_parts_drawn_is_that_of_images_repeated(rate: float | None) -> None:
    rng = np.random.default_rng(5)
    groups = np.array([f"p{i % 10}" for i in range(50)])
    labels = np.arange(50) % 10 < 5
    named = ("spot", "scratch", "alone", "scratch", "spot", "", "", "", "", "")
    types = [named[i % 10] for i in range(50)]
    scores = (labels + rng.normal(1, 1, 50)).round(1)  # ties
    found = recall(scores, labels, types, groups.tolist(), rate, 6)
    parts, defective = np.unique(groups), np.arange(10) < 5
    for number, row in enumerate(draws(defective, 6, [0])):
        again = np.repeat(np.arange(50), [int(row[list(parts).index(g)]) for g in groups])
        threshold = 1.0 if rate is None else threshold_at(scores[again][~labels[again]], rate)
        told = found_by_type(scores[again], labels[again], [types[i] for i in again], threshold)
        assert found.false_alarms[number] == pytest.approx(told["false_alarms"] / told["normal"])
        every = [sum(kind[key] for kind in told["types"].values()) for key in ("found", "count")]
        assert found.defects[number] == pytest.approx(every[0] / every[1])
        for kind, own in told["types"].items():
            shares = found.types[kind]
            if number and kind == "alone":  # of one part
                assert np.isnan(shares[number])
            else:
                assert shares[number] == pytest.approx(own["found"] / own["count"])


def test_none_or_all_found_is_no_certainty() -> None:
    labels = np.arange(20) >= 10
    found = recall(np.where(labels, 2.0, 0.5), labels, [""] * 20, [f"p{i // 2}" for i in range(20)], None, 9)
    assert found.parts == [5, 5, 5]  # the bounds of Clopper and Pearson
    assert share_interval(found.false_alarms, 5) == pytest.approx([0, 0.5218], abs=1e-4)
    assert share_interval(found.defects, 5) == pytest.approx([0.4782, 1], abs=1e-4)
    assert share_interval(found.false_alarms, 0) == [0, 0]
    assert share_interval(np.array([0.5, 0.2, 0.8]), 5) == pytest.approx([0.215, 0.785])
    assert np.isnan(share_interval(np.array([1, np.nan, np.nan]), 1)).all()


# --- probabilities ----------------------------------------------------------------------------------------


def test_reliability_by_hand() -> None:
    said = np.array([0.05, 0.15, 0.15, 0.95, 1.0])
    true = np.array([False, True, False, True, True])
    told = reliability(tally(said, true))
    assert [bin["count"] for bin in told["bins"]] == [1, 2, 2]  # 1.0 belongs to the last bin
    assert [bin["found"] for bin in told["bins"]] == [0, 0.5, 1]
    assert [bin["said"] for bin in told["bins"]] == pytest.approx([0.05, 0.15, 0.975])
    assert told["ece"] == pytest.approx((0.05 + 2 * 0.35 + 2 * 0.025) / 5)
    several = tally(said[:2], true[:2]) + tally(said[2:].reshape(3, 1), true[2:].reshape(3, 1))
    assert reliability(several) == told  # images and folds add up
    assert reliability(tally(said[:0], true[:0])) == {"ece": 0, "bins": []}


def test_probabilities_that_are_true_have_little_error_and_others_much() -> None:
    rng = np.random.default_rng(0)
    said = rng.random(20_000)
    truth = rng.random(20_000) < said
    assert reliability(tally(said, truth))["ece"] < 0.02
    assert reliability(tally(said**4, truth))["ece"] > 0.2
