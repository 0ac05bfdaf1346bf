"""From distances to one score (Eq. 12-20 and what we found to work better), by name.

A fusion sees, for every patch, its distances to the nearest rows of the negative and of the positive bank and
how far it lies along a supervised direction. It knows nothing of banks, images or the database. What it fits, it
fits on distances that never cross a physical part with itself: the caller leaves a patch's own part out.

Measured (SPEC, grouped folds): a plain ratio is a nearest-neighbour classifier, splendid with one kind of defect
and worse than chance with unseen kinds; `context` is right at both ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from exdd_core.errors import BadInput

EPS = 1e-6  # of Eq. 20
NEIGHBOURS = 5  # rows whose mean distance stands for N and P where a fusion does not say otherwise
TRUST_IN_PAINTED, FULL_TRUST = 0.03, 3.0  # in what painted defects alone, and many real ones, teach; measured
PARTS_A_UNIT = 8  # of trust: more defective parts than this earn more than a few do
FEWEST_PARTS = 3  # with fewer defective parts nothing can be fitted leave-one-part-out


@dataclass(frozen=True)
class Distances:
    """What is known of some patches, in any common shape S: those of one image are (h, w).

    negative, positive: float32 (*S, k), Euclidean and ascending, to the k nearest rows of each bank.
    negative_around, positive_around: float32 (*S, b), to the b bank rows nearest to the matched row, itself first.
    direction: float32 (*S), the supervised direction's value L, above 0 for defect-like patches.
    context: float32 (*S), C of the patch with its surroundings (`surroundings.Discriminant`); NaN where not known.
    Whatever needs a positive bank is None where there is none.
    """

    negative: np.ndarray
    positive: np.ndarray | None = None
    negative_around: np.ndarray | None = None
    positive_around: np.ndarray | None = None
    direction: np.ndarray | None = None
    context: np.ndarray | None = None

    @property
    def n(self) -> np.ndarray:
        """N: mean distance to the nearest few negative rows, float32 (*S)."""
        return self.negative[..., :NEIGHBOURS].mean(-1)

    @property
    def p(self) -> np.ndarray:
        """P: mean distance to the nearest few positive rows, float32 (*S)."""
        assert self.positive is not None
        return self.positive[..., :NEIGHBOURS].mean(-1)


@dataclass(frozen=True)
class Evidence:
    """What a fusion is fitted on: distances of patches to banks without their own physical part.

    normals: of patches (a) of normal training images. defects: of patches (b) on training defects, or None.
    dimension: length d of a patch feature. parts: str (b,), the physical part that a real defect is on, "" for a
    painted one. pictures: int (b,), which image. share: of all patches that lie on a defect. images: normal images.
    unmarked: of patches (c) off the marked defects in the same images, or None; each: float (c,), how many one of them
    stands for where one of `normals` stands for `each_normal`.
    """

    normals: Distances
    defects: Distances | None = None
    dimension: int = 1536
    parts: np.ndarray | None = None
    pictures: np.ndarray | None = None
    share: float = 0.5
    images: int = 0
    unmarked: Distances | None = None
    each: np.ndarray | None = None
    each_normal: float = 1.0

    @property
    def real_parts(self) -> int:
        """How many physical parts with a real defect there are."""
        return len(set(self.parts) - {""}) if self.parts is not None else 0


@dataclass(frozen=True)
class Direction:
    """A supervised direction in feature space: L(x) = x . weights + bias, above 0 for defect-like patches."""

    weights: np.ndarray  # float32 (d,)
    bias: float

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """features: float32 (*S, d) -> float32 (*S)."""
        return features @ self.weights + np.float32(self.bias)

    @classmethod
    def fit(cls, normals: np.ndarray, defects: np.ndarray) -> Direction:
        """Logistic regression on standardised features, both classes weighing the same.

        normals: float32 (a, d); defects: float32 (b, d).
        """
        x = np.concatenate([normals, defects])
        y = np.repeat([0, 1], [len(normals), len(defects)])
        weights, bias = _logistic(x, y)
        return cls(weights.astype(np.float32), float(bias))


def neighbour_softmax(distances: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """The fraction of Eq. 16-17: e^(s/scale) over the sum of e^(d/scale), s the first of `distances`.

    distances: float32 (*S, b) to the matched row and its nearest bank rows, the matched row first. A negative scale
    gives the paper's sign. Returns (*S), 0 to 1.
    """
    exponents = distances / scale
    exponents = np.exp(exponents - exponents.max(-1, keepdims=True))
    return exponents[..., 0] / exponents.sum(-1)


@dataclass(frozen=True)
class Fusion:
    """Base: turns the distances of patches into scores, higher for defects. Subclasses are one per name."""

    name: ClassVar[str]
    sigma: ClassVar[float] = 2.0  # blur of the map in pixels of the model's input (paper)
    uses_direction: ClassVar[bool] = False
    uses_context: ClassVar[bool] = False
    fewest_parts: ClassVar[int] = 1  # defective physical parts that must be in the positive bank

    @property
    def around(self) -> int:
        """How many bank rows around the matched one it looks at; 0 for none."""
        return 0

    @classmethod
    def fit(cls, evidence: Evidence) -> Fusion:
        """Set what the fusion learns from training data; the default learns nothing."""
        return cls()

    def patch_scores(self, distances: Distances) -> np.ndarray:
        """Score of every patch, float32 (*S)."""
        raise NotImplementedError

    def image_score(self, distances: Distances) -> float:
        """Score of an image with patches (h, w): that of its highest patch."""
        return float(self.patch_scores(distances).max())

    def state(self) -> dict[str, Any]:
        """Everything fitted, JSON-able; `restore` takes it back."""
        return {"name": self.name, **asdict(self)}


@dataclass(frozen=True)
class PatchCore(Fusion):
    """Distance to the nearest normal row (Roth et al. 2022, Eq. 6); blind to the positive bank.

    neighbours > 1 weighs the image's score by how isolated the matched row is among so many rows around it (their
    Eq. 7; anomalib takes 9). 1 is the plain maximum.
    """

    name: ClassVar[str] = "patchcore"
    sigma: ClassVar[float] = 4.0
    fewest_parts: ClassVar[int] = 0

    neighbours: int = 1

    @property
    def around(self) -> int:
        return self.neighbours if self.neighbours > 1 else 0

    def patch_scores(self, distances: Distances) -> np.ndarray:
        return distances.negative[..., 0]

    def image_score(self, distances: Distances) -> float:
        n = distances.negative[..., 0]
        if not self.around:
            return float(n.max())
        assert distances.negative_around is not None
        at = np.unravel_index(n.argmax(), n.shape)
        return float((1 - neighbour_softmax(distances.negative_around[at][: self.neighbours])) * n[at])


@dataclass(frozen=True)
class Paper(Fusion):
    """Eq. 12-20 as printed: the largest N over the largest P, each at its own patch and each weighted.

    dimension: length d of a patch feature. sign: +1 is the thesis' and PatchCore's exponent, -1 the paper's.
    Kept to reproduce the paper: the patch farthest from the positive bank is not the one farthest from the negative.
    """

    name: ClassVar[str] = "paper"

    dimension: int = 1536
    sign: int = 1

    @classmethod
    def fit(cls, evidence: Evidence) -> Paper:
        return cls(dimension=evidence.dimension)

    @property
    def around(self) -> int:
        return 3  # b

    def weights(self, distances: Distances) -> tuple[np.ndarray, np.ndarray]:
        """w_N = 1 - fraction (Eq. 16) and w_P = fraction (Eq. 17) of every patch, float32 (*S) each."""
        assert distances.negative_around is not None and distances.positive_around is not None
        scale = self.sign * float(np.sqrt(self.dimension))
        return (
            1 - neighbour_softmax(distances.negative_around[..., : self.around], scale),
            neighbour_softmax(distances.positive_around[..., : self.around], scale),
        )

    def patch_scores(self, distances: Distances) -> np.ndarray:
        """Eq. 21-23 without the optional weights: S_N / (S_P + eps)."""
        assert distances.positive is not None
        return distances.negative[..., 0] / (distances.positive[..., 0] + EPS)

    def image_score(self, distances: Distances) -> float:
        assert distances.positive is not None
        w_n, w_p = self.weights(distances)
        n, p = distances.negative[..., 0], distances.positive[..., 0]
        at_n, at_p = n.argmax(), p.argmax()  # Eq. 12 and 14
        s_n, s_p = w_n.flat[at_n] * n.flat[at_n], w_p.flat[at_p] * p.flat[at_p]  # Eq. 18-19
        return float(s_n / (s_p + EPS))  # Eq. 20


@dataclass(frozen=True)
class PaperLiteral(Paper):
    """`Paper` with the exponents' sign as the paper prints it: an isolated match then weighs less, not more."""

    name: ClassVar[str] = "paper_literal"

    sign: int = -1


@dataclass(frozen=True)
class Ratio(Fusion):
    """N / P at one and the same patch, one neighbour each (Eq. 20 aligned)."""

    name: ClassVar[str] = "ratio"

    def patch_scores(self, distances: Distances) -> np.ndarray:
        assert distances.positive is not None
        return distances.negative[..., 0] / (distances.positive[..., 0] + EPS)


@dataclass(frozen=True)
class DistanceRatio(Fusion):
    """N x N / P: a patch must be both far from normal and nearer to a defect."""

    name: ClassVar[str] = "distance_ratio"

    def patch_scores(self, distances: Distances) -> np.ndarray:
        return distances.n**2 / (distances.p + EPS)


@dataclass(frozen=True)
class OpenSet(Fusion):
    """N / h_N + log(0.5 + 0.5 exp(-(P - h_P) / (0.25 h_P))): nearness to a defect adds, distance takes little away.

    A defect of a kind nobody has seen loses log 2 at the most. h_N: standard deviation of N over training normals.
    h_P: median P of training defects, each against the other parts'.
    """

    name: ClassVar[str] = "open_set"

    h_n: float = 1.0
    h_p: float = 1.0

    @classmethod
    def fit(cls, evidence: Evidence) -> OpenSet:
        assert evidence.defects is not None
        p = evidence.defects.p
        known = p[np.isfinite(p)]
        if not len(known):  # a single part: nothing to leave out, so normals say how far "far" is
            known = evidence.normals.p
        return cls(max(float(evidence.normals.n.std()), EPS), max(float(np.median(known)), EPS))

    def patch_scores(self, distances: Distances) -> np.ndarray:
        closeness = -(distances.p - self.h_p) / (0.25 * self.h_p)
        return distances.n / self.h_n + np.logaddexp(0, closeness) - np.log(2, dtype=np.float32)


@dataclass(frozen=True)
class Supervised(Fusion):
    """L alone: where logistic regression on the patch features puts the patch. Knows only the defects it was shown."""

    name: ClassVar[str] = "supervised"
    uses_direction: ClassVar[bool] = True

    def patch_scores(self, distances: Distances) -> np.ndarray:
        assert distances.direction is not None
        return distances.direction


@dataclass(frozen=True)
class Stacked(Fusion):
    """Logistic regression on (N, P, L), fitted on training normals and on defects of parts left out of P and L.

    The score is the log-odds. Assumes that defects to come are to the known ones as one known part is to the
    others; with leave-one-image-out instead the same part sits on both sides and the fit collapses (SPEC, finding 1).
    """

    name: ClassVar[str] = "stacked"
    uses_direction: ClassVar[bool] = True
    fewest_parts: ClassVar[int] = FEWEST_PARTS

    weights: tuple[float, float, float] = (1.0, 0.0, 0.0)
    bias: float = 0.0

    @classmethod
    def fit(cls, evidence: Evidence) -> Stacked:
        assert evidence.defects is not None
        normals, defects = cls._columns(evidence.normals), cls._columns(evidence.defects)
        x = np.concatenate([normals, defects])
        weights, bias = _logistic(x, np.repeat([0, 1], [len(normals), len(defects)]))
        return cls((float(weights[0]), float(weights[1]), float(weights[2])), float(bias))

    def patch_scores(self, distances: Distances) -> np.ndarray:
        return (self._columns(distances) @ np.array(self.weights) + self.bias).astype(np.float32)

    def probability(self, distances: Distances) -> np.ndarray:
        """The score as a share, 0 to 1, were normal and defective patches equally frequent."""
        return expit(self.patch_scores(distances))

    @staticmethod
    def _columns(distances: Distances) -> np.ndarray:
        assert distances.direction is not None
        return np.stack([distances.n, distances.p, distances.direction], axis=-1).astype(np.float64)


@dataclass(frozen=True)
class Context(Fusion):
    """z(N) + trust * (z(C) + z(log N/P) / 2): strangeness, and likeness to known defects.

    z standardises by normal patches whose own part neither bank nor discriminant has seen, so that a unit of each is
    as rare. N of the first term: distance to the nearest normal row, as PatchCore's. C: what a patch and its
    surroundings say along a linear discriminant learnt from defects. N/P: the ratio of the distances to both banks,
    each the mean of a few. `trust` depends on how many physical parts with a real defect there are and on nothing
    else: it is not fitted, as few parts cannot tell it, and painted defects, which a discriminant always finds, would
    set it too high.

    Assumes that a defect stands out from normal surface or looks, with what surrounds it, like a known one; that
    images come from one set-up (place, light and scale), since C compares surroundings; and that defects which are to
    come occur on parts like the known ones. A kind that nobody has seen is left to z(N), which the other two can
    outvote by `trust` times their own usual spread.
    """

    name: ClassVar[str] = "context"
    sigma: ClassVar[float] = 4.0  # PatchCore's: what is seen of both maps differs by what is known alone
    uses_context: ClassVar[bool] = True

    strange: tuple[float, float] = (0.0, 1.0)  # middle and spread of N,
    known: tuple[float, float] = (0.0, 1.0)  # of C
    nearer: tuple[float, float] = (0.0, 1.0)  # and of log N/P
    trust: float = 0.0

    @classmethod
    def fit(cls, evidence: Evidence) -> Context:
        n, c, ratio = ((float(v.mean()), max(float(v.std()), EPS)) for v in cls._columns(evidence.normals))
        return cls(n, c, ratio, trust(evidence.real_parts))

    def patch_scores(self, distances: Distances) -> np.ndarray:
        scales = (self.strange, self.known, self.nearer)
        n, c, ratio = (
            (v - middle) / spread
            for v, (middle, spread) in zip(self._columns(distances), scales, strict=True)
        )
        return (n + self.trust * (c + ratio / 2)).astype(np.float32)

    @staticmethod
    def _columns(distances: Distances) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        assert distances.context is not None
        ratio = np.log(distances.n + EPS) - np.log(distances.p + EPS)
        return distances.negative[..., 0], distances.context, ratio


def trust(real_parts: int) -> float:
    """What likeness to known defects counts for beside strangeness, by the parts with a real defect that taught it."""
    few = TRUST_IN_PAINTED + (1 - TRUST_IN_PAINTED) * min(1.0, real_parts / FEWEST_PARTS)
    return max(few, min(FULL_TRUST, real_parts / PARTS_A_UNIT))


KINDS = (PatchCore, Paper, PaperLiteral, Ratio, DistanceRatio, OpenSet, Supervised, Context, Stacked)
FUSIONS: dict[str, type[Fusion]] = {kind.name: kind for kind in KINDS}


def by_name(name: str) -> type[Fusion]:
    """The fusion of that name. Raises BadInput where there is none."""
    if name not in FUSIONS:
        raise BadInput(f"There is no fusion named '{name}'; choose one of auto, {', '.join(FUSIONS)}.")
    return FUSIONS[name]


def default(defective_parts: int) -> str:
    """The fusion for a positive bank of so many defective physical parts."""
    return Context.name if defective_parts else PatchCore.name


def restore(state: dict[str, Any]) -> Fusion:
    """The fusion that `Fusion.state` described."""
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in state.items() if k != "name"}
    return by_name(state["name"])(**values)


def conformal_threshold(scores: np.ndarray, parts: Sequence[str], rate: float) -> tuple[float, float]:
    """The threshold that a normal image passes with a probability of at most `rate`, and the rate that is promised.

    scores: float (n,), of normal images that what scores them has not seen. parts: the physical part of each.
    Hierarchical split conformal (Lee, Barber, Willett 2023, Eq. 6): every part has the weight 1 / (parts + 1), shared
    by its images, and the rest lies at infinity. With one image a part it is the ceil((n + 1)(1 - rate))-th smallest.

    Guaranteed, for any number of parts: an image of a part still to come lies above the threshold with a probability
    of at most the promised rate, provided that this part and the ones here are exchangeable (drawn alike, in any
    order) and that the score was fixed without them. The probability is over the draw of all parts, these included; it
    says nothing of one part in particular. With too few parts for `rate` the highest score is the threshold, and the
    promised rate is 1 / (parts + 1).
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
    normals: np.ndarray, defects: np.ndarray, share: float, each: np.ndarray | None = None
) -> tuple[float, float] | None:
    """Slope and offset of the log-odds that a score comes from a defect; None where a high score tells nothing.

    normals: float (a,), defects: float (b,), scores by what has seen neither. share: of defects among all that is to
    be scored, 0 to 1; both kinds weigh by it, however many there are here. each: float (a,), how many patches each of
    the normals stands for; alike where None. Targets as of Platt (1999): with few scores nothing is certain, also
    where they lie apart.
    """
    a, b = len(normals), len(defects)
    x = np.concatenate([normals, defects]).astype(np.float64)
    middle, spread = x.mean(), max(x.std(), EPS)
    target = np.repeat([1 / (a + 2), (b + 1) / (b + 2)], [a, b])
    usual = np.full(a, 1 / a) if each is None else each / each.sum()
    weight = np.concatenate([(1 - share) * usual, np.full(b, share / b)]) * len(x)
    column = np.tile((x - middle) / spread, 2)[:, None]
    model = LogisticRegression(C=1e6, max_iter=1000, solver="newton-cholesky").fit(
        column, np.repeat([1, 0], len(x)), np.concatenate([weight * target, weight * (1 - target)])
    )
    slope = float(model.coef_[0, 0]) / spread
    return (slope, float(model.intercept_[0]) - slope * middle) if slope > 0 else None


def _logistic(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Balanced logistic regression on standardised columns, as weights and bias for the columns as they are."""
    scaler = StandardScaler().fit(x)
    # Newton steps need few passes over the data but a matrix of columns squared, which long features make dear.
    solver = "newton-cholesky" if x.shape[1] <= 512 else "lbfgs"
    model = LogisticRegression(class_weight="balanced", max_iter=1000, tol=1e-6, solver=solver).fit(
        scaler.transform(x), y
    )
    spread = np.where(scaler.scale_ > 0, scaler.scale_, 1)
    weights = model.coef_[0] / spread
    return weights, float(model.intercept_[0] - (weights * scaler.mean_).sum())
