"""From distances to one score, by name: Eq. 12-20 of the paper and fusions that were measured to work better.

A fusion gets, for every patch, its distances to the nearest rows of the negative and the positive bank, and
the values of a supervised direction and a discriminant. It does not know banks, images or the database. A
fusion is fitted on distances from which the caller has left out the rows of each patch's own physical part.

Measured by cross-validation over physical parts: a plain ratio of distances is a nearest-neighbour
classifier, which is very good with one kind of defect and worse than chance with unseen kinds; `context` is
good at both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np

from exdd_core.detector.likeness import FEWEST_PARTS, trust
from exdd_core.errors import BadInput

EPS = 1e-6  # of Eq. 20
NEIGHBOURS = 5  # N and P are mean distances to this many rows where a fusion does not say otherwise

# A fusion as JSON.
State = dict[str, str | int | float | list[float] | tuple[float, ...] | Mapping[str, float]]


@dataclass(frozen=True)
class Distances:
    """Distances and other values of some patches, in any common shape S: the patches of one image are (h, w).

    negative, positive: float32 (*S, k), Euclidean and ascending, to the k nearest rows of each bank.
    negative_around, positive_around: float32 (*S, b), to the b bank rows nearest to the matched row, itself
    first. direction: float32 (*S), the supervised direction's value L, above 0 for patches like known
    defects. context: float32 (*S), the value C of the patch with its surroundings (`context.Discriminant`);
    NaN where unknown. counted: float32 (*S), P with painted rows counting for what they have earned (`row_weights`);
    None where every row counts fully. Without a positive bank, everything that needs one is None.
    """

    negative: np.ndarray
    positive: np.ndarray | None = None
    negative_around: np.ndarray | None = None
    positive_around: np.ndarray | None = None
    direction: np.ndarray | None = None
    context: np.ndarray | None = None
    counted: np.ndarray | None = None

    @property
    def n(self) -> np.ndarray:
        """N: mean distance to the nearest few negative rows, float32 (*S)."""
        return self.negative[..., :NEIGHBOURS].mean(-1)

    @property
    def p(self) -> np.ndarray:
        """P: mean distance to the nearest few positive rows, float32 (*S)."""
        assert self.positive is not None
        return self.positive[..., :NEIGHBOURS].mean(-1)

    def each(self, change: Callable[[np.ndarray], np.ndarray]) -> Distances:
        """The same with a function applied to every array that is there."""
        return Distances(
            **{name: change(values) for name, values in vars(self).items() if values is not None}
        )


@dataclass(frozen=True)
class Evidence:
    """What a fusion is fitted on: distances of patches to banks without the rows of their own physical part.

    normals: of patches (a) of normal training images. defects: of patches (b) on training defects, or None.
    dimension: length d of a patch feature. parts: str (b,), the physical part that a real defect is on, ""
    for a painted one. pictures: int (b,), the number of each patch's image. share: of patches that lie on a
    defect, 0 to 1. images: the number of normal images. unmarked: of patches (c) outside the masks of the
    same images, or None. each: float (c,), how many patches each of `unmarked` stands for; each of `normals`
    stands for `each_normal`. painted: of each engine, the weight of its paintings and how many defects they show.
    counts: by engine, what a painted row counts for in P of `Context`; those not named count fully.
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
    painted: Sequence[tuple[float, int]] = ()
    counts: Mapping[str, float] = field(default_factory=dict)

    @property
    def real_parts(self) -> int:
        """The number of physical parts with a real defect."""
        return len(set(self.parts) - {""}) if self.parts is not None else 0


def neighbour_softmax(distances: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """The fraction of Eq. 16-17: e^(s/scale) over the sum of e^(d/scale), s being the first distance d.

    distances: float32 (*S, b) to the matched row and its nearest bank rows, the matched row first. A negative
    scale gives the paper's sign. Returns (*S), 0 to 1.
    """
    exponents = distances / scale
    exponents = np.exp(exponents - exponents.max(-1, keepdims=True))
    return exponents[..., 0] / exponents.sum(-1)


@dataclass(frozen=True)
class Fusion:
    """Base class: turns distances of patches into scores, higher for defects. One subclass for each name."""

    name: ClassVar[str]
    sigma: ClassVar[float] = 2.0  # blur of the map in pixels of the model's input (paper)
    uses_direction: ClassVar[bool] = False
    uses_context: ClassVar[bool] = False
    fewest_parts: ClassVar[int] = 1  # defective physical parts that must be in the positive bank

    @property
    def around(self) -> int:
        """The number of bank rows around the matched one that the fusion needs; 0 for none."""
        return 0

    @classmethod
    def fit(cls, evidence: Evidence) -> Fusion:
        """Fit the fusion to training data; this base class fits nothing."""
        return cls()

    def patch_scores(self, distances: Distances) -> np.ndarray:
        """Score of every patch, float32 (*S)."""
        raise NotImplementedError

    def image_score(self, distances: Distances) -> float:
        """The score of an image with patches (h, w): the score of its highest patch."""
        return float(self.patch_scores(distances).max())

    def state(self) -> State:
        """The fusion as JSON; `restore` reads it."""
        return {"name": self.name, **asdict(self)}


@dataclass(frozen=True)
class PatchCore(Fusion):
    """Distance to the nearest normal row (Roth et al. 2022, Eq. 6); does not use the positive bank.

    neighbours: above 1, the image's score is weighted by how isolated the matched row is among this many rows
    around it (their Eq. 7; anomalib takes 9). 1 is the plain maximum.
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

    dimension: length d of a patch feature. sign: of the exponents, +1 as in the thesis and PatchCore, -1 as
    in the paper. Here to reproduce the paper: its two largest distances belong to different patches.
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
    """`Paper` with the exponents' printed sign, which gives an isolated match less weight, not more."""

    name: ClassVar[str] = "paper_literal"

    sign: int = -1


@dataclass(frozen=True)
class Ratio(Fusion):
    """N / P at the same patch, one neighbour each (Eq. 20 aligned)."""

    name: ClassVar[str] = "ratio"

    def patch_scores(self, distances: Distances) -> np.ndarray:
        assert distances.positive is not None
        return distances.negative[..., 0] / (distances.positive[..., 0] + EPS)


@dataclass(frozen=True)
class DistanceRatio(Fusion):
    """N x N / P: high where a patch is distant from normal rows and closer to a defect row."""

    name: ClassVar[str] = "distance_ratio"

    def patch_scores(self, distances: Distances) -> np.ndarray:
        return distances.n**2 / (distances.p + EPS)


@dataclass(frozen=True)
class OpenSet(Fusion):
    """N / h_N + log(0.5 + 0.5 exp(-(P - h_P) / (0.25 h_P))): a small P adds much, a large P takes little away.

    A defect of an unseen kind loses log 2 at most. h_n: standard deviation of N over training normals. h_p:
    median P of training defects, each to the rows of other parts.
    """

    name: ClassVar[str] = "open_set"

    h_n: float = 1.0
    h_p: float = 1.0

    @classmethod
    def fit(cls, evidence: Evidence) -> OpenSet:
        assert evidence.defects is not None
        p = evidence.defects.p
        known = p[np.isfinite(p)]
        if not len(known):  # with a single part no row is left for it, so P of normals sets the scale
            known = evidence.normals.p
        return cls(max(float(evidence.normals.n.std()), EPS), max(float(np.median(known)), EPS))

    def patch_scores(self, distances: Distances) -> np.ndarray:
        closeness = -(distances.p - self.h_p) / (0.25 * self.h_p)
        return distances.n / self.h_n + np.logaddexp(0, closeness) - np.log(2, dtype=np.float32)


@dataclass(frozen=True)
class Supervised(Fusion):
    """L alone: logistic regression on patch features. It detects only defects like those in training."""

    name: ClassVar[str] = "supervised"
    uses_direction: ClassVar[bool] = True

    def patch_scores(self, distances: Distances) -> np.ndarray:
        assert distances.direction is not None
        return distances.direction


@dataclass(frozen=True)
class Stacked(Fusion):
    """Logistic regression on (N, P, L) of training normals and of defects whose part P and L leave out.

    The score is the log-odds. Assumes that future defects differ from the known ones as one known part
    differs from the others. Leaving out images in place of parts keeps the same part on both sides, and the
    fit collapses.
    """

    name: ClassVar[str] = "stacked"
    uses_direction: ClassVar[bool] = True
    fewest_parts: ClassVar[int] = FEWEST_PARTS

    weights: tuple[float, float, float] = (1.0, 0.0, 0.0)
    bias: float = 0.0

    @classmethod
    def fit(cls, evidence: Evidence) -> Stacked:
        from exdd_core.detector.direction import logistic  # here, as bundles score without scikit-learn

        assert evidence.defects is not None
        normals, defects = cls._columns(evidence.normals), cls._columns(evidence.defects)
        x = np.concatenate([normals, defects])
        weights, bias = logistic(x, np.repeat([0, 1], [len(normals), len(defects)]))
        return cls((float(weights[0]), float(weights[1]), float(weights[2])), float(bias))

    def patch_scores(self, distances: Distances) -> np.ndarray:
        return (self._columns(distances) @ np.array(self.weights) + self.bias).astype(np.float32)

    @staticmethod
    def _columns(distances: Distances) -> np.ndarray:
        assert distances.direction is not None
        return np.stack([distances.n, distances.p, distances.direction], axis=-1).astype(np.float64)


@dataclass(frozen=True)
class Context(Fusion):
    """z(N) + trust * (z(C) + z(log N/P) / 2): distance from normal rows, and likeness to known defects.

    z standardises by held-out normal patches, so that one unit of each term is equally rare. N of the first term:
    distance to the nearest normal row, as in PatchCore. C: value of a patch and its surroundings under a linear
    discriminant fitted on defects. N/P: ratio of the mean distances to a few rows of each bank. trust: set by the
    number of known defects and not fitted: few parts cannot determine it, and painted defects, which a discriminant
    always detects, would set it too high. Painted defects weigh in all three terms by how well they find real ones
    (`transfer`).

    Assumes that a defect differs from normal surface, or resembles a known defect together with its surroundings; that
    all images come from one set-up (place, light and scale), since C compares surroundings; and that future defects
    occur on parts like the known ones. Defects of an unseen kind are detected by z(N) alone, which the other two terms
    can outweigh by `trust` times their own spread.
    """

    name: ClassVar[str] = "context"
    sigma: ClassVar[float] = 4.0  # as PatchCore's: the maps of both differ only in what the banks know
    uses_context: ClassVar[bool] = True

    strange: tuple[float, float] = (0.0, 1.0)  # mean and standard deviation of N
    known: tuple[float, float] = (0.0, 1.0)  # mean and standard deviation of C
    nearer: tuple[float, float] = (0.0, 1.0)  # mean and standard deviation of log N/P
    trust: float = 0.0
    counts: Mapping[str, float] = field(default_factory=dict)  # of painted rows, by engine, where below 1

    @classmethod
    def fit(cls, evidence: Evidence) -> Context:
        counts = evidence.counts
        columns = cls(counts=counts)._columns(evidence.normals)
        n, c, ratio = ((float(v.mean()), max(float(v.std()), EPS)) for v in columns)
        return cls(n, c, ratio, trust(evidence.real_parts, evidence.painted), counts)

    def patch_scores(self, distances: Distances) -> np.ndarray:
        scales = (self.strange, self.known, self.nearer)
        columns = zip(self._columns(distances), scales, strict=True)
        n, c, ratio = ((v - middle) / spread for v, (middle, spread) in columns)
        return (n + self.trust * (c + ratio / 2)).astype(np.float32)

    def state(self) -> State:  # older programs read it where every row counts fully
        return {name: value for name, value in super().state().items() if name != "counts" or value}

    def _columns(self, distances: Distances) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        assert distances.context is not None
        p = distances.counted if self.counts else distances.p
        assert p is not None
        ratio = np.log(distances.n + EPS) - np.log(p + EPS)
        return distances.negative[..., 0], distances.context, ratio


KINDS = (PatchCore, Paper, PaperLiteral, Ratio, DistanceRatio, OpenSet, Supervised, Context, Stacked)
FUSIONS: dict[str, type[Fusion]] = {kind.name: kind for kind in KINDS}


def by_name(name: str) -> type[Fusion]:
    """The fusion of that name. Raises BadInput where there is none."""
    if name not in FUSIONS:
        raise BadInput(f"There is no fusion named '{name}'; choose one of auto, {', '.join(FUSIONS)}.")
    return FUSIONS[name]


def default(defective_parts: int) -> str:
    """The name of the fusion that "auto" stands for, by the defective parts of the positive bank."""
    return Context.name if defective_parts else PatchCore.name


def restore(state: Mapping[str, Any]) -> Fusion:
    """The fusion that `Fusion.state` described."""
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in state.items() if k != "name"}
    return by_name(state["name"])(**values)
