"""How much painted defects are like real ones of one type, by features of their patches and of what surrounds them.

Every figure is by physical part: parts are held out, shuffled and halved, never images. Knows arrays and names of
parts. Does not know images, detectors or the database.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from exdd_core.later import preprocessing, stats

FOLDS = 5
LEAST_PARTS = 4  # real parts of a type from which it is compared
SHUFFLES = 200  # of the parts' labels, for the band of chance
HALVINGS = 50  # of real parts, for distances of real from real ones
BAND = (2.5, 97.5)  # percent
RIDGE = 0.1  # of the classifier, as a share of the rows' summed squared lengths: there are more columns than defects
INNER, OUTER = 1, 3  # patches from the mask at which the ring around it begins and ends
COPY = 0.05  # quantile of distances of real defects of different parts, below which a painting is a copy

Verdict = Literal["told apart", "not told apart", "surroundings differ", "too few"]


@dataclass(frozen=True)
class Pooled:
    """Defects of one type, each as one row.

    own, ring: float32 (n, d), mean features in the mask and in the ring around it. parts: the physical part of
    each; of a painting that of the image that it was painted into. donors: the part that lent each painting its
    defect, "" for none; a copy and its original are held out together, or one would give the other away.
    """

    own: np.ndarray
    ring: np.ndarray
    parts: Sequence[str]
    donors: Sequence[str] = ()

    @property
    def origins(self) -> list[str]:
        """The part that each defect itself comes from."""
        donors = self.donors or [""] * len(self.parts)
        return [donor or part for donor, part in zip(donors, self.parts, strict=True)]

    def __len__(self) -> int:
        return len(self.own)

    def without(self, parts: Collection[str]) -> Pooled:
        """Those of other parts."""
        kept = [number for number, part in enumerate(self.parts) if part not in parts]
        donors = [self.donors[number] for number in kept] if self.donors else ()
        return Pooled(self.own[kept], self.ring[kept], [self.parts[number] for number in kept], donors)


def pooled(features: np.ndarray, on: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean features in a mask and in the ring around it, float32 (d,) each; None where one has no patch.

    features: float32 (h, w, d). on: bool (h, w), the patches that the mask marks.
    """
    inner, outer = (
        cv2.dilate(on.astype(np.uint8), np.ones((2 * reach + 1,) * 2)) > 0 for reach in (INNER, OUTER)
    )
    ring = outer & ~inner
    return (features[on].mean(0), features[ring].mean(0)) if on.any() and ring.any() else None


@dataclass(frozen=True)
class Test:
    """A two-sample test. auroc: of a classifier of held-out parts, 0.5 where it sees no difference. low, high: the band
    that holds 95 % of its values when the parts' labels are shuffled."""

    auroc: float
    low: float
    high: float

    @property
    def differs(self) -> bool:
        return self.auroc > self.high


@dataclass(frozen=True)
class Resemblance:
    """Painted against real defects of one type.

    own, ring: None where too few are known. kid: kernel distance of paintings from real defects; kid_real, kid_spread:
    mean and standard deviation of that of halves of the real parts. diversity: mean distance between paintings over
    that between real defects of different parts. nearest: median distance of a painting to its nearest real defect
    over that of a real one to the nearest of another part. copies: share of paintings nearer to a real defect than
    all but 5 % of real ones are to each other. None where it cannot be taken.
    """

    real: int
    real_parts: int
    painted: int
    own: Test | None
    ring: Test | None
    kid: float | None
    kid_real: float | None
    kid_spread: float | None
    diversity: float | None
    nearest: float | None
    copies: float | None

    @property
    def verdict(self) -> Verdict:
        """Whether they are told apart; none where already their surroundings are."""
        if self.own is None or self.ring is None:
            return "too few"
        if self.ring.differs:
            return "surroundings differ"
        return "told apart" if self.own.differs else "not told apart"


def compare(real: Pooled, painted: Pooled, seed: int = 0) -> Resemblance:
    """Compare paintings with real defects of the same type; figures that need more of either are None."""
    parts, enough = len(set(real.parts)), min(len(set(real.parts)), len(painted)) >= LEAST_PARTS
    own = told_apart(real.own, real.parts, painted.own, painted.origins, seed) if enough else None
    ring = told_apart(real.ring, real.parts, painted.ring, painted.parts, seed) if enough else None
    kids = _kids(real, painted, np.random.default_rng(seed)) if enough else (None, None, None)
    near = _distances(real, painted) if parts > 1 and len(painted) > 1 else (None, None, None)
    return Resemblance(len(real), parts, len(painted), own, ring, *kids, *near)


def told_apart(
    real: np.ndarray,
    real_parts: Sequence[str],
    painted: np.ndarray,
    painted_parts: Sequence[str],
    seed: int = 0,
) -> Test:
    """Whether a classifier tells paintings from real defects on parts that it was not fitted on.

    A classifier two-sample test (Lopez-Paz and Oquab, ICLR 2017): a regularised Fisher discriminant of standardised
    features, folds by part. For the band, the labels of parts are shuffled; a part with both, such as one whose
    normal side was painted on, counts as two in one fold.
    """
    values = preprocessing.StandardScaler().fit_transform(np.concatenate([real, painted]).astype(np.float64))
    labels = np.repeat([False, True], [len(real), len(painted)])
    rng = np.random.default_rng(seed)
    groups, group = np.unique(np.array([*real_parts, *painted_parts], str), return_inverse=True)
    fold_of = np.empty(len(groups), int)
    fold_of[rng.permutation(len(groups))] = np.arange(len(groups)) % min(FOLDS, len(groups))
    classifier = HeldOut(values, fold_of[group])
    _, first, unit = np.unique(2 * group + labels, return_index=True, return_inverse=True)
    shuffled = np.stack([labels[first][rng.permutation(len(first))][unit] for _ in range(SHUFFLES)])
    low, high = np.percentile(classifier.auroc(shuffled), BAND)
    return Test(float(classifier.auroc(labels[None])[0]), float(low), float(high))


class HeldOut:
    """Scores held-out rows by ridge regression on the labels of the others, which is Fisher's discriminant.

    One linear map a fold takes any labels to scores, so that many shuffles cost little. values: float64 (n, d).
    folds: int (n,).
    """

    def __init__(self, values: np.ndarray, folds: np.ndarray):
        alike = values @ values.T / values.shape[1] + 1  # 1: the constant column
        self._maps = []
        for fold in np.unique(folds):
            out, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
            own = alike[np.ix_(rest, rest)]
            ridge = RIDGE * np.trace(own) * np.eye(len(rest))
            self._maps.append((out, rest, np.linalg.solve(own + ridge, alike[np.ix_(rest, out)]).T))

    def auroc(self, labels: np.ndarray) -> np.ndarray:
        """AUROC of the scores for several labellings, bool (s, n): float64 (s,), 0.5 where all have one label."""
        scores = np.zeros(labels.shape)
        for out, rest, to_scores in self._maps:
            known = labels[:, rest]
            share = known.mean(axis=1, keepdims=True)
            # Fisher's coding, times a constant; 0 where all have one label.
            weights = np.where(known, 1 - share, -share)
            scores[:, out] = weights / np.maximum(share * (1 - share), 1 / known.shape[1] ** 2) @ to_scores.T
        ranks, positives = stats.rankdata(scores, axis=1), labels.sum(axis=1)
        pairs = positives * (labels.shape[1] - positives)
        above = np.where(labels, ranks, 0).sum(axis=1) - positives * (positives + 1) / 2
        return np.where(pairs > 0, above / np.maximum(pairs, 1), 0.5)


def kid(one: np.ndarray, other: np.ndarray) -> float:
    """The kernel distance of two samples, float (n, d) and (m, d): the unbiased squared maximum mean discrepancy with
    the kernel (x . y / d + 1)^3 (Binkowski et al., ICLR 2018). Around 0 where both are of one distribution."""
    n, m, d = len(one), len(other), one.shape[1]
    within_one, within_other, between = (
        (a @ b.T / d + 1) ** 3 for a, b in ((one, one), (other, other), (one, other))
    )
    first = (within_one.sum() - np.trace(within_one)) / (n * (n - 1))
    second = (within_other.sum() - np.trace(within_other)) / (m * (m - 1))
    return float(first + second - 2 * between.mean())


def _kids(real: Pooled, painted: Pooled, rng: np.random.Generator) -> tuple[float, float, float]:
    """Kernel distances: paintings from halves of the real parts, and these halves from each other, mean and deviation.

    Features are standardised by the real ones.
    """
    scaler = preprocessing.StandardScaler().fit(real.own)
    values, made = scaler.transform(real.own), scaler.transform(painted.own)
    names, parts = np.array(real.parts, str), np.unique(real.parts)
    to_painted, to_real = [], []
    for _ in range(HALVINGS):
        half = np.isin(names, rng.permutation(parts)[: len(parts) // 2])
        if min(half.sum(), (~half).sum()) > 1:
            to_real.append(kid(values[half], values[~half]))
            to_painted.append(kid(values[half], made))
    return float(np.mean(to_painted)), float(np.mean(to_real)), float(np.std(to_real))


def _distances(real: Pooled, painted: Pooled) -> tuple[float, float, float]:
    """Diversity, and distance to the nearest real defect, of paintings over that of real ones; share of copies."""
    scaler = preprocessing.StandardScaler().fit(real.own)
    values, made = scaler.transform(real.own), scaler.transform(painted.own)
    names = np.array(real.parts, str)
    among = np.linalg.norm(values[:, None] - values[None], axis=2)
    others = names[:, None] != names[None]
    nearest_real = np.where(others, among, np.inf).min(axis=1)
    between = np.linalg.norm(made[:, None] - made[None], axis=2)[np.triu_indices(len(made), 1)]
    nearest = np.linalg.norm(made[:, None] - values[None], axis=2).min(axis=1)
    return (
        float(between.mean() / among[others].mean()),
        float(np.median(nearest) / np.median(nearest_real)),
        float((nearest < np.quantile(nearest_real, COPY)).mean()),
    )
