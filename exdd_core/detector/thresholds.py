"""From scores of held-out images to a threshold with a guarantee, and to probabilities: what scores mean.

Knows arrays of scores. Does not know what a score is made of.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

import numpy as np

SMALLEST_SPREAD = 1e-6


@dataclass(frozen=True)
class Calibration:
    """What the scores of one fusion mean, from held-out normal images.

    median, threshold: of image scores. map_median: of all map values. map_threshold: as many held-out images
    exceed it with the maximum of their map as exceed `threshold` with their score. usual_distance: median N
    of normal patches. doubt: image scores from here to the threshold are too high to be called normal with
    certainty. promised: rate that the threshold is guaranteed to keep (see `conformal_threshold`), or None.
    odds, patch_odds: slope and offset of the log-odds that an image or a patch is defective, or None.
    """

    median: float
    threshold: float
    map_median: float
    map_threshold: float
    usual_distance: float
    doubt: float = math.inf
    promised: float | None = None
    odds: tuple[float, float] | None = None
    patch_odds: tuple[float, float] | None = None

    def verdict(self, score: float) -> str:
        """ "defect" above the threshold, "not sure" above the level of doubt, else "normal"."""
        if score > self.threshold:
            return "defect"
        return "not sure" if score > self.doubt else "normal"

    def calibrated(self, score: float) -> float:
        """A score on a scale where 0 is the median of normal images and 1 the threshold."""
        return (score - self.median) / (self.threshold - self.median)

    def moved(self, to: float) -> Calibration:
        """With the thresholds of images and maps at another place, `to` > 0 on the scale of `calibrated`.

        A higher threshold keeps the promised rate, a lower one promises nothing.
        """
        return replace(
            self,
            threshold=self.median + to * (self.threshold - self.median),
            map_threshold=self.map_median + to * (self.map_threshold - self.map_median),
            promised=self.promised if to >= 1 else None,
        )

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Calibration:
        """From `dataclasses.asdict` of a calibration, also after JSON."""
        pairs = {name: tuple(state[name]) for name in ("odds", "patch_odds") if state.get(name)}
        return cls(**{**state, **pairs})


class NormalScoresState(TypedDict):
    """`NormalScores` as JSON."""

    scores: list[float]
    map_middle: float
    peaks: list[float]


@dataclass(frozen=True)
class NormalScores:
    """One fusion's results for m held-out normal images: scores and maxima of their maps, float (m,), and the
    median of all map values."""

    scores: np.ndarray
    map_median: float
    peaks: np.ndarray

    def state(self) -> NormalScoresState:
        """The scores as JSON; `restore` reads them."""
        return {
            "scores": self.scores.tolist(),
            "map_middle": self.map_median,
            "peaks": self.peaks.tolist(),
        }

    @classmethod
    def restore(cls, state: NormalScoresState) -> NormalScores:
        """The scores that `state` described."""
        scores, peaks = np.array(state["scores"]), np.array(state["peaks"], np.float32)
        return cls(scores, float(state["map_middle"]), peaks)


def conformal_threshold(scores: np.ndarray, parts: Sequence[str], rate: float) -> tuple[float, float]:
    """The threshold that normal images exceed with a probability of at most `rate`, and the promised rate.

    scores: float (n,), of normal images that the scoring detector has not seen. parts: the physical part of
    each. Hierarchical split conformal (Lee, Barber, Willett 2023, Eq. 6): every part has the weight 1 /
    (parts + 1), shared by its images, and the remaining weight lies at infinity. With one image a part the
    threshold is the ceil((n + 1)(1 - rate))-th smallest score.

    Guaranteed, for any number of parts: an image of a new part scores above the threshold with a probability
    of at most the promised rate, provided that the new part and those here are exchangeable (drawn alike, in
    any order) and that the score was fixed without them. The probability is over the draw of all parts, these
    included; it says nothing about one part in particular. With too few parts for `rate` the highest score is
    the threshold, and the promised rate is 1 / (parts + 1).
    """
    names, which, count = np.unique(np.asarray(parts, str), return_inverse=True, return_counts=True)
    weights = 1 / (len(names) + 1) / count[which]
    order = np.argsort(scores, kind="stable")
    below = np.cumsum(weights[order])
    reached = np.flatnonzero(below >= 1 - rate - 1e-12)
    if not len(reached):
        return float(np.max(scores)), 1 / (len(names) + 1)
    return float(np.asarray(scores)[order[reached[0]]]), rate


def odds(
    normals: np.ndarray, defects: np.ndarray, share: float, counts: np.ndarray | None = None
) -> tuple[float, float] | None:
    """Slope and offset of the log-odds that a score comes from a defect; None where high scores mean nothing.

    normals: float (a,). defects: float (b,). Both are scores by a detector that has seen neither. share: of
    defects among all that will be scored, 0 to 1; both classes weigh by it, whatever their numbers here.
    counts: float (a,), how many patches each of the normals stands for; None where all stand for as many. The
    targets are Platt's (1999): few scores give no certainty, even where the classes do not overlap.
    """
    from sklearn.linear_model import LogisticRegression  # here, as bundles score without scikit-learn

    a, b = len(normals), len(defects)
    x = np.concatenate([normals, defects]).astype(np.float64)
    middle, spread = x.mean(), max(x.std(), SMALLEST_SPREAD)
    target = np.repeat([1 / (a + 2), (b + 1) / (b + 2)], [a, b])
    usual = np.full(a, 1 / a) if counts is None else counts / counts.sum()
    weight = np.concatenate([(1 - share) * usual, np.full(b, share / b)]) * len(x)
    column = np.tile((x - middle) / spread, 2)[:, None]
    model = LogisticRegression(C=1e6, max_iter=1000, solver="newton-cholesky").fit(
        column, np.repeat([1, 0], len(x)), np.concatenate([weight * target, weight * (1 - target)])
    )
    slope = float(model.coef_[0, 0]) / spread
    return (slope, float(model.intercept_[0]) - slope * middle) if slope > 0 else None
