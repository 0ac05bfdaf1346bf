"""What to recommend: heights against hand-computed ones, and groups that are taken only where most parts gain."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from exdd_core import effect
from exdd_core.effect import Outcome, advise

PARTS = "abcd"


def test_a_height_is_one_at_the_mean_of_the_highest_normals():
    usual = np.arange(100.0)  # median 49.5; the highest twentieth is 95 to 99, in the mean 97
    found = effect._heights(usual, np.array([97.0, 49.5 + 2 * 47.5, 49.5 + 0.5 * 47.5, 10.0]))
    assert np.exp(found) == pytest.approx([1, 2, 0.5, effect.LEAST])


def test_a_height_of_identical_normals_is_a_number():
    assert np.isfinite(effect._heights(np.ones(20), np.array([0.0, 1.0, 2.0]))).all()


def validation(lifts: dict[str, list[float]]) -> Any:
    """One whose parts come to stand higher by these, for every group that is added."""

    def outcome(added: list[str]) -> Outcome:
        total = np.sum([lifts[group] for group in added], axis=0) if added else np.zeros(len(PARTS))
        heights = dict(zip(PARTS, total.tolist(), strict=True))
        return Outcome(dict.fromkeys(PARTS, 1.0), heights, 1.0, 1.0, 4, 4, 0.0, 10)

    detector = SimpleNamespace(additions=lambda marked: marked)
    return SimpleNamespace(detector=detector, before=outcome([]), outcome=outcome)


@pytest.mark.parametrize(
    ("lifts", "chosen"),
    [
        ({"good": [0.2, 0.3, 0.2, 0.3]}, {"good"}),
        ({"bad": [-0.2, -0.3, -0.2, -0.3]}, set()),
        ({"one part alone": [0.0, 0.0, 0.0, 3.0]}, set()),
        ({"good": [0.2, 0.3, 0.2, 0.3], "too": [0.1, 0.1, 0.2, 0.1]}, {"good", "too"}),
        ({"good": [0.2, 0.3, 0.2, 0.3], "bad": [-0.1, -0.2, 0.0, -0.1]}, {"good"}),
        ({"unsure": [2.0, -1.0, 1.5, -1.0], "small": [0.1, 0.1, 0.1, 0.09]}, {"small"}),
        ({}, set()),
    ],
)
def test_groups_are_taken_where_most_parts_gain(lifts, chosen):
    found = advise(validation(lifts), {name: [name] for name in lifts})
    assert set(found.groups) == chosen
    assert [t.sure for t in found.trials] == sorted((t.sure for t in found.trials), reverse=True)
