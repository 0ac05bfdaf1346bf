"""What to recommend: groups are taken only where most parts gain."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from exdd_core.evaluation import Outcome, advise

PARTS = "abcdefgh"


def validation(gains: dict[str, list[float]], context: bool = False) -> Any:
    """One whose parts gain these, for every group that is added. context: whether painted ones are weighed."""
    parts = PARTS[: max(map(len, gains.values()), default=4)]

    def outcome(added: list[str]) -> Outcome:
        total = np.sum([gains[group] for group in added], axis=0) if added else np.zeros(len(parts))
        return Outcome(dict(zip(parts, total.tolist(), strict=True)), float(total.mean()), 1.0, 4, 4, 0.0, 10)

    detector, kind = SimpleNamespace(additions=lambda marked: marked), SimpleNamespace(uses_context=context)
    return SimpleNamespace(detector=detector, kind=kind, before=outcome([]), outcome=outcome)


@pytest.mark.parametrize(
    ("gains", "chosen"),
    [
        ({"good": [0.2, 0.3, 0.2, 0.3]}, {"good"}),
        ({"bad": [-0.2, -0.3, -0.2, -0.3]}, set()),
        ({"one part alone": [0.0, 0.0, 0.0, 3.0]}, set()),
        ({"good": [0.2, 0.3, 0.2, 0.3], "too": [0.1, 0.1, 0.2, 0.1]}, {"good", "too"}),
        ({"good": [0.2, 0.3, 0.2, 0.3], "bad": [-0.1, -0.2, 0.0, -0.1]}, {"good"}),
        ({"unsure": [2.0, -1.0, 1.5, -1.0], "small": [0.1, 0.1, 0.1, 0.09]}, {"small"}),
        ({"three, whose t is 4.0 where 7.0 is asked": [0.0175, 0.03, 0.0435]}, set()),
        ({"three alike": [0.03, 0.032, 0.031]}, {"three alike"}),
        ({"two, whose t is 11 where 32 is asked": [0.0333, 0.04]}, set()),
        ({}, set()),
    ],
)
def test_groups_are_taken_where_most_parts_gain(gains, chosen):
    found = advise(validation(gains), {name: [name] for name in gains})
    assert set(found.groups) == chosen
    assert [t.sure for t in found.trials] == sorted((t.sure for t in found.trials), reverse=True)
    n = len(gains)
    assert len(found.trials) == n * (n + 1) // 2 and n in {0, *(len(t.groups) for t in found.trials)}


@pytest.mark.parametrize(
    ("gains", "chosen"),
    [
        ({"nothing": [0.0] * 8, "nothing either": [0.0] * 8}, {"nothing", "nothing either"}),
        ({"nothing": [0.0] * 8, "bad": [0.0] * 7 + [-0.1]}, {"nothing"}),
        ({"one part alone": [0.0] * 7 + [3.0], "nothing": [0.0] * 8}, {"one part alone", "nothing"}),
        ({"unsure": [2.0, -1.0, 1.5, -1.0] * 2}, set()),
        ({"good": [0.2, 0.3, 0.2, 0.3] * 2, "nothing": [0.0] * 8}, {"good", "nothing"}),
        ({"of seven parts none is worse": [0.0] * 7}, set()),
        ({}, set()),
    ],
)
def test_where_painted_defects_are_weighed_they_may_come_if_none_of_many_parts_fares_worse(gains, chosen):
    found = advise(validation(gains, context=True), {name: [name] for name in gains})
    assert set(found.groups) == chosen
    full = advise(validation(gains), {name: [name] for name in gains})
    assert set(full.groups) == (chosen if found.trial and found.trial.sure > 0 else set())
