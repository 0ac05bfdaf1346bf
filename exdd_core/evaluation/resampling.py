"""Bootstrap intervals and paired tests, resampled by physical part, and calibration of probabilities.

Images of one physical part resemble each other, so whole parts are drawn with replacement, and never single
images. Parts with a defect and parts without are drawn separately, because their numbers are fixed by the
data set. Every figure depends on sums over images alone: what a part adds to each step of a curve is computed
once (`part_curves`), and a replicate is a weighted sum of that. A thousand replicates of pixel figures cost one
matrix product.

Knows scores, curves of parts and parts. Does not know maps, masks, detectors, how folds are made, or the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from exdd_core.evaluation.part_curves import Contributions, Curve
from exdd_core.measurements import SAME, Bin, Reliability

REPLICATES, SEED = 1000, 0
AT_ONCE = 1 << 22  # numbers of an array of replicates that is computed at a time
FPR_LIMIT = 0.3  # false-positive rate up to which AUPRO integrates (Bergmann et al. 2020)
BINS = 10  # bins of probabilities, equally wide
PIXEL_FIGURES = ("pixel_auroc", "pixel_ap", "aupro")  # the figures that need masks
FIGURES = ("image_auroc", "image_ap", "image_f1", *PIXEL_FIGURES)


@dataclass(frozen=True)
class PairedDifference:
    """One figure of a method minus that of another, its 95 % interval, and the p-value of "no difference"."""

    difference: float
    low: float
    high: float
    p: float


def replicates(folds: Sequence[Contributions], count: int = REPLICATES) -> dict[str, np.ndarray]:
    """Every figure on resampled parts: {figure: float64 (1 + count,)}; the first is on all parts.

    Figures are means over folds. Each fold has draws of its own, as every part is in one fold only; a fold
    without a figure, such as pixel AUROC without masks, is left out of its mean. The draws depend on the
    parts alone, so the replicates of two methods on the same images are paired.
    """
    each = []
    for number, fold in enumerate(folds):
        drawn = _draws(fold.defective, count, [SEED, number])
        each.append(_replicated(fold.images, drawn) | _replicated(fold.pixels, drawn))
    return {name: over_folds([figures[name] for figures in each]) for name in FIGURES}


def _replicated(curve: Curve, drawn: np.ndarray) -> dict[str, np.ndarray]:
    """`figures_of` by rows of draws, uint16 (r, parts), some at a time."""
    parts = [figures_of(curve, weights) for weights in _in_parts(drawn, curve.positive.shape[1])]
    return {name: np.concatenate([own[name] for own in parts]) for name in parts[0]}


def _in_parts(drawn: np.ndarray, columns: int) -> Iterator[np.ndarray]:
    """Draws, uint16 (r, parts), as weights, float64 (b, parts): so many that b rows of `columns` numbers are few."""
    step = max(1, AT_ONCE // max(columns, drawn.shape[1]))
    for start in range(0, len(drawn), step):
        yield drawn[start : start + step].astype(np.float64)


def over_folds(figures: Sequence[Any], combine: Any = np.mean) -> Any:
    """The mean of a figure over the folds that have it, or another statistic.

    figures: for each fold a number, or replicates (1 + r,), whose first value is the figure itself. combine:
    a function such as np.mean or np.std.
    """
    known = [figure for figure in figures if np.isfinite(np.atleast_1d(figure)[0])]
    return combine(known or figures, axis=0)


def _draws(defective: np.ndarray, count: int, seed: Sequence[int]) -> np.ndarray:
    """How often each part is drawn: uint16 (1 + count, parts). The first row is all ones."""
    rng = np.random.default_rng(seed)
    drawn = np.ones((1 + count, len(defective)), np.uint16)
    for side in (np.flatnonzero(defective), np.flatnonzero(~defective)):
        for row in range(1, 1 + count if len(side) else 1):
            drawn[row, side] = rng.multinomial(len(side), np.full(len(side), 1 / len(side)))
    return drawn


def figures_of(curve: Curve, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The figures of a curve by rows of weights (r, parts): {figure: float64 (r,)}; NaN with one class."""
    found, false = (np.cumsum(weights @ side, axis=1) for side in (curve.positive, curve.negative))
    with np.errstate(invalid="ignore", divide="ignore"):
        hits, alarms = found / found[:, -1:], false / false[:, -1:]
        both = (found[:, -1] > 0) & (false[:, -1] > 0)
        precision = np.nan_to_num(found / (found + false))
        ap = (np.diff(hits, axis=1, prepend=0) * precision).sum(1)
        f1 = (2 * found / (found + false + found[:, -1:])).max(1)
        kind = "image" if curve.overlap is None else "pixel"
        figures = {f"{kind}_auroc": _area(hits, alarms), f"{kind}_ap": ap}
        if curve.overlap is None or curve.regions is None:
            figures["image_f1"] = f1
        else:
            overlap = np.cumsum(weights @ curve.overlap, axis=1) / (weights @ curve.regions)[:, None]
            figures["aupro"] = _area(overlap, np.minimum(alarms, FPR_LIMIT)) / FPR_LIMIT
    return {name: np.where(both, values, np.nan) for name, values in figures.items()}


@dataclass(frozen=True)
class Recall:
    """Shares of images above a threshold on resampled parts, float64 (1 + count,); the first is on all parts.

    types: the shares of each defect type. parts: how many show each of these, in this order. A replicate is NaN where
    it drew no such image. All replicates are NaN where the images show one part only, because that says nothing about
    other parts.
    """

    false_alarms: np.ndarray
    defects: np.ndarray
    types: dict[str, np.ndarray]
    parts: list[int]


def recall(
    scores: np.ndarray,
    labels: np.ndarray,
    types: Sequence[str],
    groups: Sequence[str],
    rate: float | None,
    count: int = REPLICATES,
) -> Recall:
    """The shares found with at most the share `rate` of false alarms; each replicate sets its own threshold.

    scores: float (n,), calibrated. labels: bool (n,). types, groups: n names. rate: None takes the calibrated
    threshold, 1. The draws depend on the parts alone, so replicates of two methods are paired.
    """
    parts, own = np.unique(np.asarray(groups, str), return_inverse=True)
    defective = np.zeros(len(parts), bool)
    np.logical_or.at(defective, own, labels)
    kinds = np.asarray(types, str)
    names = sorted(set(kinds[labels]))
    sides = [~labels, labels, *(labels & (kinds == name) for name in names)]
    found = [
        _shares(weights[:, own], scores, labels, sides, rate)
        for weights in _in_parts(_draws(defective, count, [SEED]), len(scores))
    ]
    shares = np.concatenate(found, axis=1)
    shown = [len(set(own[side])) for side in sides]
    shares[np.array(shown) < 2, 1:] = np.nan
    return Recall(shares[0], shares[1], dict(zip(names, shares[2:], strict=True)), shown)


def _shares(
    weights: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    sides: Sequence[np.ndarray],
    rate: float | None,
) -> np.ndarray:
    """The share of alarms among the images of each side, bool (n,), by rows of weights (r, n): float64 (sides, r)."""
    alarm = np.broadcast_to(scores > 1, weights.shape)
    if rate is not None:
        falling = np.argsort(-scores, kind="stable")
        values = scores[falling]
        # Images of one score pass the threshold together.
        last = np.flatnonzero(np.diff(values, append=-np.inf))
        false = np.cumsum(weights[:, falling] * ~labels[falling], axis=1)
        allowed = (false[:, last] <= rate * false[:, -1:] + 1e-9).sum(1)
        alarm = scores >= np.concatenate([[np.inf], values[last]])[allowed][:, None]
    with np.errstate(invalid="ignore"):
        return np.stack([(weights * alarm)[:, one].sum(1) / weights[:, one].sum(1) for one in sides])


def _area(height: np.ndarray, along: np.ndarray) -> np.ndarray:
    """The areas under curves (r, steps) that begin at (0, 0), by trapezoids: (r,)."""
    before = np.pad(height[:, :-1], ((0, 0), (1, 0)))
    return ((height + before) / 2 * np.diff(along, axis=1, prepend=0)).sum(1)


def interval(replicated: np.ndarray, exact: float) -> list[float]:
    """The 95 % interval of a figure, [low, high] between 0 and 1; NaN where no replicate has the figure.

    replicated: (1 + r,) as `replicates` returns them. exact: the figure without steps. Both ends are moved by
    the error that the steps make.
    """
    drawn = replicated[1:][np.isfinite(replicated[1:])]
    if not len(drawn) or not np.isfinite(exact):
        return [float("nan")] * 2
    ends = np.quantile(drawn, [0.025, 0.975]) + exact - replicated[0]
    return [float(end) for end in np.clip(ends, 0, 1)]


def share_interval(shares: np.ndarray, parts: int) -> list[float]:
    """The 95 % interval of a share of images that `parts` parts show, from its replicates (1 + r,).

    Where none or all of them are found, every draw agrees, which says nothing about new parts: the exact binomial
    bound of as many parts counts. parts: 0 for no such bound.
    """
    ends = interval(shares, float(shares[0]))
    if parts and ends == [0, 0]:
        return [0.0, 1 - 0.025 ** (1 / parts)]
    return [0.025 ** (1 / parts), 1.0] if parts and ends == [1, 1] else ends


def compare(a: np.ndarray, b: np.ndarray, exact: float) -> PairedDifference:
    """Method a minus method b, by paired replicates (1 + r,). exact: the difference without steps.

    p is two-sided: twice the share of draws in which the sign is the other one, and at least 2 / (r + 1).
    """
    drawn = (a - b)[1:]
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn) or not np.isfinite(exact):
        return PairedDifference(exact, *[float("nan")] * 3)
    drawn = drawn + exact - (a - b)[0]
    low, high = np.quantile(drawn, [0.025, 0.975])
    # Draws without a difference count on both sides, also where rounding leaves a trace of one.
    tail = min((drawn <= SAME).sum(), (drawn >= -SAME).sum())
    p = min(1.0, 2 * (1 + int(tail)) / (1 + len(drawn)))
    return PairedDifference(float(exact), float(low), float(high), p)


def tally(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Probabilities sorted into bins: float64 (BINS, 3), their number, their sum, and how many are true.

    probabilities: float, 0 to 1, of any shape. truth: bool, of that shape. Tallies of images and folds can be
    added.
    """
    said, true = probabilities.ravel().astype(np.float64), truth.ravel()
    number = np.minimum((said * BINS).astype(int), BINS - 1)
    return np.stack([np.bincount(number, w, BINS) for w in (np.ones(len(said)), said, true)], axis=1)


def reliability(tallied: np.ndarray) -> Reliability:
    """The calibration of probabilities: mean |said - found|, weighted by the number in each bin (Guo et al.
    2017).

    tallied: float64 (BINS, 3) as `tally` returns it. Empty bins are left out.
    """
    bins: list[Bin] = [
        {"count": int(count), "said": float(said / count), "found": float(true / count)}
        for count, said, true in tallied
        if count
    ]
    count, said, true = tallied.T
    return {"ece": float(np.abs(said - true).sum() / max(1, count.sum())), "bins": bins}
