"""Where to put a threshold: by the largest F1, or by what a missed defect costs against a false alarm.

An image is an alarm where its score lies above the threshold, so a threshold lies half way between two scores. Knows
scores, labels and physical parts. Does not know detectors or the database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from exdd_core.errors import BadInput

REPLICATES, SEED = 500, 0


@dataclass(frozen=True)
class Cut:
    """A threshold, and what it does to the images that it was chosen from.

    low, high: its 95 % interval, resampled by physical part. missed, false_alarms: images on its wrong side.
    """

    value: float
    low: float
    high: float
    missed: int
    defects: int
    false_alarms: int
    normals: int


def by_cost(scores: np.ndarray, labels: np.ndarray, parts: Sequence[str], miss: float) -> Cut:
    """The threshold with the lowest cost, where a false alarm costs 1 and a missed defect `miss`; of several equal ones
    the middle of the widest gap.

    scores: float (n,). labels: bool (n,), True for defective. Raises BadInput without images of both kinds.
    """
    if not 0 < miss <= 1e6:
        raise BadInput(f"A missed defect cannot cost {miss:g} false alarms; choose a number above 0.")
    return _cut(scores, labels, parts, lambda missed, false, found: missed * miss + false)


def by_f1(scores: np.ndarray, labels: np.ndarray, parts: Sequence[str]) -> Cut:
    """The threshold with the largest F1. Parameters and errors as `by_cost`."""
    return _cut(
        scores,
        labels,
        parts,
        lambda missed, false, found: -2 * found / np.maximum(2 * found + missed + false, 1),
    )


def counted(scores: np.ndarray, labels: np.ndarray, value: float) -> Cut:
    """What a given threshold does to these images."""
    alarm = scores > value
    missed, false = int((labels & ~alarm).sum()), int((~labels & alarm).sum())
    return Cut(value, value, value, missed, int(labels.sum()), false, int((~labels).sum()))


# From the numbers of missed defects, false alarms and found defects at each threshold to its loss.
Loss = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _cut(scores: np.ndarray, labels: np.ndarray, parts: Sequence[str], loss: Loss) -> Cut:
    if not labels.any() or labels.all():
        raise BadInput(
            "Scores of both known normal and known defective images are needed; score a list that has both first."
        )
    steps = np.unique(scores)
    between = (steps[:-1] + steps[1:]) / 2
    span = max(float(steps[-1] - steps[0]), 1e-6)
    # Below all scores, between every two, and above all.
    cuts = np.concatenate([[steps[0] - span / 100], between, [steps[-1] + span / 100]])
    gaps = np.concatenate([[0], np.diff(steps), [0]])
    above = scores[:, None] > cuts[None, :]
    names, which = np.unique(np.asarray(parts, str), return_inverse=True)
    found, false = (_by_part(above & side[:, None], which, len(names)) for side in (labels, ~labels))
    defects = np.bincount(which, labels, len(names))

    def best(weights: np.ndarray) -> float:
        hits, alarms = weights @ found, weights @ false
        losses = loss(weights @ defects - hits, alarms, hits)
        lowest = np.flatnonzero(losses <= losses.min() + 1e-9)
        return float(cuts[lowest[np.argmax(gaps[lowest])]])

    value = best(np.ones(len(names)))
    # Parts with a defect and parts without are drawn separately: their numbers are the data set's.
    rng, defective = np.random.default_rng(SEED), defects > 0
    drawn = []
    for _ in range(REPLICATES):
        weights = np.zeros(len(names))
        for kind in (np.flatnonzero(defective), np.flatnonzero(~defective)):
            if len(kind):
                weights += np.bincount(rng.choice(kind, len(kind)), minlength=len(names))
        drawn.append(best(weights))
    low, high = np.percentile(drawn, [2.5, 97.5])
    made = counted(scores, labels, value)
    return Cut(value, float(low), float(high), made.missed, made.defects, made.false_alarms, made.normals)


def _by_part(counts: np.ndarray, which: np.ndarray, parts: int) -> np.ndarray:
    """Sums of rows, bool (n, k), by part: float64 (parts, k)."""
    out = np.zeros((parts, counts.shape[1]))
    np.add.at(out, which, counts)
    return out
