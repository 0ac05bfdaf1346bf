"""The surroundings of patches, and a discriminant that detects defects by patches with their surroundings.

A single patch rarely shows that a region is ground unevenly, or that a dark spot is the only one of its kind;
the mean of the features around it does. The linear discriminant (Fisher 1936) assumes that normal and
defective patches differ in the mean and have much the same covariance. Folds of physical parts are left out
exactly, by subtracting sums. Knows banks as arrays with the part of every row. Does not know images, scores
or what the values are used for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import cv2
import numpy as np

from exdd_core.detector.bank import Bank
from exdd_core.detector.coreset import project
from exdd_core.later import linalg

WINDOWS = (5, 11)  # sides, in patches, of the squares that are averaged around a patch
LEVELS = len(WINDOWS) + 1  # the last level averages the whole image
WIDEST = 160  # longer features are projected to this many dimensions before they are averaged
CHANNELS = 64  # averaged at a time
# Share of the normal patches in the covariance within a class: they are many, defects few and of all kinds.
SHARED = 0.9
RIDGE = 0.1  # added to the variance of every standardised column, times 1 + FEW / number of defect patches
FEW = 1000


def width(dimension: int) -> int:
    """The number of columns that `around` returns for features of length `dimension`."""
    return LEVELS * min(dimension, WIDEST)


def around(features: np.ndarray) -> np.ndarray:
    """The mean features around every patch of an image.

    features: float32 (h, w, d). Returns float32 (h, w, LEVELS * e), e = min(d, WIDEST): one mean for each
    level.
    """
    h, w, _ = features.shape
    short = _short(features.reshape(h * w, -1)).reshape(h, w, -1)
    levels = [_blurred(short, window) for window in WINDOWS]
    levels.append(np.broadcast_to(short.mean((0, 1)), short.shape))
    return np.concatenate(levels, axis=-1)


class DiscriminantState(TypedDict):
    """`Discriminant` as JSON."""

    own: list[float]
    beside: list[list[float]]
    bias: float


@dataclass(frozen=True)
class Discriminant:
    """C(x) = x . own + around(x) . surrounding + bias, higher for defects in surroundings like theirs.

    own: float32 (d,), weights of the patch. surrounding: float32 (LEVELS, e), weights of its surroundings.
    """

    own: np.ndarray
    surrounding: np.ndarray
    bias: float

    def __call__(self, rows: np.ndarray, around: np.ndarray) -> np.ndarray:
        """rows: float32 (n, d), around: float32 (n, LEVELS * e) -> float32 (n,)."""
        return rows @ self.own + around @ self.surrounding.ravel() + np.float32(self.bias)

    def of_image(self, features: np.ndarray) -> np.ndarray:
        """features: float32 (h, w, d) -> float32 (h, w). Averages LEVELS products a patch, not e features."""
        h, w, _ = features.shape
        flat = features.reshape(h * w, -1)
        parts = (_short(flat) @ self.surrounding.T).reshape(h, w, LEVELS)
        value = (flat @ self.own).reshape(h, w) + np.float32(self.bias) + parts[..., -1].mean()
        for level, window in enumerate(WINDOWS):
            value += _blurred(np.ascontiguousarray(parts[..., level : level + 1]), window)[..., 0]
        return value

    def state(self) -> DiscriminantState:
        """The discriminant as JSON; `restore` reads it."""
        return {"own": self.own.tolist(), "beside": self.surrounding.tolist(), "bias": self.bias}

    @classmethod
    def restore(cls, state: DiscriminantState) -> Discriminant:
        """The discriminant that `state` described."""
        own, surrounding = np.array(state["own"], np.float32), np.array(state["beside"], np.float32)
        return cls(own, surrounding, state["bias"])


@dataclass(frozen=True)
class TrainingPatches:
    """Patches that a discriminant is fitted on. rows: float32 (n, d). around: float32 (n, LEVELS * e).

    left_out: bool (folds, n), the folds that leave out each patch. weights: float64 (n,).
    """

    rows: np.ndarray
    around: np.ndarray
    left_out: np.ndarray
    weights: np.ndarray


def values(discriminants: Sequence[Discriminant], features: np.ndarray) -> np.ndarray:
    """`Discriminant.of_image` for several images and discriminants at once.

    features: float32 (m, h, w, d). Returns float32 (discriminants, m, h, w).
    """
    m, h, w, d = features.shape
    flat = features.reshape(-1, d)
    own = flat @ np.stack([one.own for one in discriminants], 1)
    surrounding = _short(flat) @ np.concatenate([one.surrounding for one in discriminants]).T
    parts = surrounding.reshape(m, h, w, len(discriminants), LEVELS)
    found = own.reshape(m, h, w, -1) + np.array([one.bias for one in discriminants], np.float32)
    found += parts[..., -1].mean((1, 2), keepdims=True)
    for level, window in enumerate(WINDOWS):
        found += np.stack([_blurred(np.ascontiguousarray(image), window) for image in parts[..., level]])
    return np.moveaxis(found, -1, 0)


def _line(within: np.ndarray, difference: np.ndarray, least: float) -> np.ndarray:
    """The direction of Fisher's discriminant, within^-1 difference.

    Columns that hardly vary on normal patches and strongly on defects leave `within` (d, d) without full rank in
    floating point: then no axis of it varies by less than `least`.
    """
    _, line, singular = linalg.lapack.dposv(within, difference)
    if not singular:
        return line
    variance, axes = np.linalg.eigh(within)
    return axes @ (axes.T @ difference / np.maximum(variance, least))


def solved(
    scale: Scale, several: Iterable[tuple[_Sum, _Sum, float]]
) -> tuple[Discriminant, list[Discriminant | None]]:
    """The discriminant of all patches, and one for every fold without the patches that the fold leaves out.

    A fold that leaves no normal patch or no defect has None. Linear discriminant analysis (Fisher 1936) with
    the covariance SHARED * normals + (1 - SHARED) * defects + ridge, in columns standardised by the normals.
    several: the sums over normal and over defect patches, and the number of the latter, of all of them and then for
    each fold. Sums take 16 MB at 2,000 columns, so they are made one after another.
    """
    middle, spread = scale.middle, scale.spread
    d = scale.dimension

    def solve(a: _Sum, b: _Sum, count: float) -> Discriminant | None:
        if a.weight <= 0 or b.weight <= 0:
            return None
        ridge = RIDGE * (1 + FEW / count)
        (mean_a, within), (mean_b, of_defects) = a.moments(), b.moments()
        within *= SHARED  # in place: copies of matrices of several MB take time
        of_defects *= 1 - SHARED
        within += of_defects
        within.flat[:: len(within) + 1] += ridge
        line = _line(within, mean_b - mean_a, ridge)
        weights = (line / spread).astype(np.float32)
        bias = -float(line @ (mean_a + mean_b)) / 2 - float(weights.astype(np.float64) @ middle)
        return Discriminant(weights[:d], weights[d:].reshape(LEVELS, -1), bias)

    whole, *folds = (solve(*one) for one in several)
    assert whole is not None, "a discriminant needs normal and defective patches"
    return whole, folds


@dataclass(frozen=True)
class _Sum:
    """Weighted sums over patches: of 1, of the columns (D,), and of their products (D, D)."""

    weight: float
    first: np.ndarray
    second: np.ndarray

    @classmethod
    def over(cls, columns: np.ndarray, weights: np.ndarray) -> _Sum:
        root = np.sqrt(weights).astype(np.float32)
        halved = columns * root[:, None]  # the product of a matrix with itself takes half the work
        return cls(float(weights.sum()), root.astype(np.float64) @ halved, halved.T @ halved)

    def plus(self, other: _Sum, weight: float = 1.0) -> _Sum:
        return _Sum(
            self.weight + weight * other.weight,
            self.first + weight * other.first,
            self.second + np.float32(weight) * other.second,
        )

    def less(self, other: _Sum) -> _Sum:
        left = self.weight - other.weight
        rounded = left if left > 1e-9 * self.weight else 0.0  # rounding must not leave a tiny weight
        return _Sum(rounded, self.first - other.first, self.second - other.second)

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean (D,) and covariance (D, D), float64."""
        mean = self.first / self.weight
        covariance = np.divide(self.second, self.weight, dtype=np.float64)
        covariance -= np.outer(mean, mean)
        return mean, covariance


@dataclass(frozen=True)
class Sums:
    """Sums over the patches of one class: of all, and for every fold without those that it leaves out."""

    every: _Sum
    folds: list[_Sum]

    @classmethod
    def of(cls, side: TrainingPatches, scale: Scale) -> Sums:
        columns = np.concatenate([side.rows, side.around], axis=1)
        columns -= scale.middle.astype(np.float32)
        columns /= scale.spread.astype(np.float32)
        # Patches that the same folds leave out are summed once; all sums are made of these.
        kinds, which = np.unique(side.left_out, axis=1, return_inverse=True)
        sums = [
            _Sum.over(columns[which == kind], side.weights[which == kind]) for kind in range(kinds.shape[1])
        ]
        every = _Sum.over(columns[:0], side.weights[:0])
        for one in sums:
            every = every.plus(one)
        folds = []
        for left_out in kinds:
            fold = every
            for kind in np.flatnonzero(left_out):
                fold = fold.less(sums[kind])
            folds.append(fold)
        return cls(every, folds)

    def all(self) -> list[_Sum]:
        """The sums of all patches, and then those of each fold."""
        return [self.every, *self.folds]

    def plus(self, other: Sums, weight: float = 1.0) -> Sums:
        """The sums over both sets of patches, with the weights of the other set times `weight`."""
        folds = [a.plus(b, weight) for a, b in zip(self.folds, other.folds, strict=True)]
        return Sums(self.every.plus(other.every, weight), folds)


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of every column, float64 (D,). dimension: length of a patch feature."""

    middle: np.ndarray
    spread: np.ndarray
    dimension: int

    @classmethod
    def of(cls, normals: TrainingPatches) -> Scale:
        """Surroundings get the deviation of the features that they average, so they vary by less than 1."""
        short = _short(normals.rows)
        middle = [normals.rows.mean(0), *[short.mean(0)] * LEVELS]
        spread = [normals.rows.std(0), *[short.std(0)] * LEVELS]
        spreads = np.concatenate(spread).astype(np.float64)
        scale = np.where(spreads > 0, spreads, 1)
        return cls(np.concatenate(middle).astype(np.float64), scale, normals.rows.shape[1])


@dataclass(frozen=True)
class TrainingSums:
    """Sums over the patches of discriminants, to which further painted defects add only their own.

    Each part has the weight of the square root of its number of patches, and so has each painted defect:
    neither one large defect nor many small ones decide alone. painted: by engine. count, counts: number of patches on
    real defects, and on those painted by each engine.
    """

    folds: Sequence[Sequence[str]]
    scale: Scale
    normals: Sums
    real: Sums
    painted: Mapping[str, Sums]
    count: int
    counts: Mapping[str, int]

    @classmethod
    def of(cls, normals: Bank, defects: Bank, folds: Sequence[Sequence[str]]) -> TrainingSums | None:
        """folds: the parts that each fold leaves out. None where one side has no known surroundings."""
        normals, defects = normals.with_surroundings(), defects.with_surroundings()
        if not len(normals) or not len(defects):
            return None
        patches = _training_patches(normals, folds, np.ones(len(normals)))
        scale = Scale.of(patches)
        real = _sums(defects.take(np.flatnonzero(defects.real)), folds, scale)
        engines = _by_engine(defects)
        painted = {engine: _sums(own, folds, scale) for engine, own in engines}
        counts = {engine: len(own) for engine, own in engines}
        return cls(folds, scale, Sums.of(patches, scale), real, painted, int(defects.real.sum()), counts)

    def plus(self, painted: Bank) -> TrainingSums:
        """The sums with further painted defects."""
        known, counts = dict(self.painted), dict(self.counts)
        for engine, own in _by_engine(painted.with_surroundings()):
            more = _sums(own, self.folds, self.scale)
            known[engine] = known[engine].plus(more) if engine in known else more
            counts[engine] = counts.get(engine, 0) + len(own)
        return replace(self, painted=known, counts=counts)

    def discriminants(
        self, weights: Sequence[Mapping[str, float]], rows: Sequence[Mapping[str, float]] = ()
    ) -> tuple[Discriminant, list[Discriminant | None]]:
        """The discriminant of all patches, and one for each fold without its parts, as by `solved`.

        weights: of all patches and of each fold, what the paintings of each engine count for beside real defects, 0
        to 1 (`transfer.Paintings`): their largest share of the weight of both, and each at most the weight of a real
        defect. Where no defect is real, all painted ones count alike. rows: of the same, what a row of each engine
        counts for (`Paintings.of_row`), and so its patches in the ridge; left out, the weights.
        """
        defects, real = self.real.all(), self.real.every.weight
        counts = [float(self.count)] * len(weights)
        for engine, sums in self.painted.items():
            odds = real / sums.every.weight if sums.every.weight > 0 else 0.0
            earned = [one.get(engine, 0.0) if real > 0 else 1.0 for one in weights]
            several = zip(defects, sums.all(), earned, strict=True)
            defects = [known.plus(more, _factor(w, odds)) if w > 0 else known for known, more, w in several]
            of_row = [one.get(engine, 0.0) if real > 0 else 1.0 for one in rows or weights]
            counts = [count + w * self.counts[engine] for count, w in zip(counts, of_row, strict=True)]
        return solved(self.scale, zip(self.normals.all(), defects, counts, strict=True))

    def of_paintings(self, engine: str) -> tuple[Discriminant, list[Discriminant | None]]:
        """Discriminants of the paintings of one engine alone, as by `solved`."""
        normals, painted = self.normals.all(), self.painted[engine].all()
        counts = [self.count + self.counts[engine]] * len(normals)
        return solved(self.scale, zip(normals, painted, counts, strict=True))


def _factor(share: float, odds: float) -> float:
    """The factor, at most 1, that gives paintings this share of the weight.

    odds: weight of real defects over that of the paintings.
    """
    return 1.0 if share >= 1 else min(1.0, share / (1 - share) * odds)


def _by_engine(defects: Bank) -> list[tuple[str, Bank]]:
    """The painted defects of each engine."""
    engines = np.array(["" if i.origin == "real" else i.engine for i in defects.images], str)[defects.image]
    painted = ~defects.real
    return [
        (str(name), defects.take(np.flatnonzero(painted & (engines == name))))
        for name in np.unique(engines[painted])
    ]


def _sums(defects: Bank, folds: Sequence[Sequence[str]], scale: Scale) -> Sums:
    return Sums.of(_training_patches(defects, folds, _weights(defects)), scale)


def _weights(defects: Bank) -> np.ndarray:
    """Weights of defect rows, float64 (n,): the rows of one part, or of one painted defect, sum to the square
    root of their number."""
    names = np.array([i.group if i.origin == "real" else i.id for i in defects.images], str)[defects.image]
    _, which, count = np.unique(names, return_inverse=True, return_counts=True)
    return 1 / np.sqrt(count[which])


def _training_patches(bank: Bank, folds: Sequence[Sequence[str]], weights: np.ndarray) -> TrainingPatches:
    assert bank.surroundings is not None
    left_out = np.stack([bank.of(*parts) for parts in folds])
    return TrainingPatches(bank.rows, bank.surroundings, left_out, weights)


def _short(rows: np.ndarray) -> np.ndarray:
    """Rows (n, d) in at most WIDEST dimensions, always by the same projection."""
    return project(rows, WIDEST, seed=0).cpu().numpy() if rows.shape[1] > WIDEST else rows


def _blurred(image: np.ndarray, window: int) -> np.ndarray:
    """float32 (h, w, c) averaged over squares around every position, mirrored at the edges."""
    parts: Sequence[np.ndarray] = [
        cv2.blur(
            np.ascontiguousarray(image[..., at : at + CHANNELS]),
            (window, window),
            borderType=cv2.BORDER_REFLECT,
        ).reshape(*image.shape[:2], -1)
        for at in range(0, image.shape[-1], CHANNELS)
    ]
    return np.concatenate(parts, axis=-1)
