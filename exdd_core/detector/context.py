"""What lies around a patch, and a discriminant that learns defects from a patch together with its surroundings.

A single patch rarely shows that a region is ground unevenly or that a dark spot is the only one of its kind; the
mean of the features around it does. Arrays in, arrays out: knows neither banks, nor images, nor what is done with
its values. What it fits assumes that normal and defective patches differ in the mean and have much the same spread
(a linear discriminant); `fit` leaves folds out exactly, without fitting anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import scipy.linalg

from exdd_core.detector.coreset import project

WINDOWS = (5, 11)  # sides, in patches, of the squares that are averaged around a patch; then the whole image
LEVELS = len(WINDOWS) + 1
WIDEST = 160  # longer features are projected to so many dimensions before they are averaged
CHANNELS = 64  # averaged at a time
SHARED = (
    0.9  # of the spread within a class that normal patches tell; they are many, defects few and of all kinds
)
RIDGE = 0.1  # added to the variance of every standardised column,
FEW = 1000  # and once more for every so many defect patches that are missing: 1 + FEW / their number times


def width(dimension: int) -> int:
    """How many columns `around` gives for features of that length."""
    return LEVELS * min(dimension, WIDEST)


def around(features: np.ndarray) -> np.ndarray:
    """The means around every patch of an image: float32 (h, w, d) to (h, w, LEVELS * e), e = min(d, WIDEST)."""
    h, w, _ = features.shape
    short = _short(features.reshape(h * w, -1)).reshape(h, w, -1)
    levels = [_blurred(short, window) for window in WINDOWS]
    levels.append(np.broadcast_to(short.mean((0, 1)), short.shape))
    return np.concatenate(levels, axis=-1)


@dataclass(frozen=True)
class Discriminant:
    """C(x) = x . own + around(x) . beside + bias, higher for patches that look like defects where they are.

    own: float32 (d,). beside: float32 (LEVELS, e).
    """

    own: np.ndarray
    beside: np.ndarray
    bias: float

    def __call__(self, rows: np.ndarray, around: np.ndarray) -> np.ndarray:
        """rows: float32 (n, d), around: float32 (n, LEVELS * e) -> float32 (n,)."""
        return rows @ self.own + around @ self.beside.ravel() + np.float32(self.bias)

    def of_image(self, features: np.ndarray) -> np.ndarray:
        """float32 (h, w, d) -> (h, w). Averages the few products instead of the many features."""
        h, w, _ = features.shape
        flat = features.reshape(h * w, -1)
        parts = (_short(flat) @ self.beside.T).reshape(h, w, LEVELS)
        value = (flat @ self.own).reshape(h, w) + np.float32(self.bias) + parts[..., -1].mean()
        for level, window in enumerate(WINDOWS):
            value += _blurred(np.ascontiguousarray(parts[..., level : level + 1]), window)[..., 0]
        return value

    def state(self) -> dict[str, Any]:
        """JSON-able; `restore` takes it back."""
        return {"own": self.own.tolist(), "beside": self.beside.tolist(), "bias": self.bias}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Discriminant:
        own, beside = (np.array(state[name], np.float32) for name in ("own", "beside"))
        return cls(own, beside, state["bias"])


@dataclass(frozen=True)
class Learnt:
    """Patches that a discriminant learns from. rows: float32 (n, d). around: float32 (n, LEVELS * e).

    apart: bool (folds, n), in which folds a patch is left out. weights: float64 (n,).
    """

    rows: np.ndarray
    around: np.ndarray
    apart: np.ndarray
    weights: np.ndarray


def values(discriminants: Sequence[Discriminant], features: np.ndarray) -> np.ndarray:
    """What `Discriminant.of_image` says for several images and discriminants at once.

    features: float32 (m, h, w, d) -> float32 (discriminants, m, h, w).
    """
    m, h, w, d = features.shape
    flat = features.reshape(-1, d)
    own = flat @ np.stack([one.own for one in discriminants], 1)
    beside = _short(flat) @ np.concatenate([one.beside for one in discriminants]).T
    parts = beside.reshape(m, h, w, len(discriminants), LEVELS)
    found = own.reshape(m, h, w, -1) + np.array([one.bias for one in discriminants], np.float32)
    found += parts[..., -1].mean((1, 2), keepdims=True)
    for level, window in enumerate(WINDOWS):
        found += np.stack([_blurred(np.ascontiguousarray(image), window) for image in parts[..., level]])
    return np.moveaxis(found, -1, 0)


def fit(normals: Learnt, defects: Learnt) -> tuple[Discriminant, list[Discriminant | None]]:
    """The discriminant of all patches, and one for every fold that has not seen what is left out in it.

    Where a fold leaves no normal patch or no defect, there is None. Linear discriminant analysis (Fisher 1936) with
    the covariance SHARED * normals + (1 - SHARED) * defects + ridge, in columns that are standardised by the normals.
    """
    scale = Scale.of(normals)
    count = int(np.count_nonzero(defects.weights))
    return solved(scale, Sums.of(normals, scale), Sums.of(defects, scale), count)


def solved(
    scale: Scale, of_normals: Sums, of_defects: Sums, count: int
) -> tuple[Discriminant, list[Discriminant | None]]:
    """`fit` from sums that are there already. count: of defect patches."""
    middle, spread = scale.middle, scale.spread
    ridge = RIDGE * (1 + FEW / count)
    d = scale.dimension

    def solve(a: _Sum, b: _Sum) -> Discriminant | None:
        if a.weight <= 0 or b.weight <= 0:
            return None
        (mean_a, cov_a), (mean_b, cov_b) = a.moments(), b.moments()
        within = SHARED * cov_a + (1 - SHARED) * cov_b + ridge * np.eye(len(middle))
        line = scipy.linalg.solve(
            within, mean_b - mean_a, assume_a="pos", overwrite_a=True, check_finite=False
        )
        weights = (line / spread).astype(np.float32)
        bias = -float(line @ (mean_a + mean_b)) / 2 - float(weights.astype(np.float64) @ middle)
        return Discriminant(weights[:d], weights[d:].reshape(LEVELS, -1), bias)

    whole = solve(of_normals.every, of_defects.every)
    assert whole is not None, "a discriminant needs normal and defective patches"
    folds = [solve(a, b) for a, b in zip(of_normals.folds, of_defects.folds, strict=True)]
    return whole, folds


@dataclass(frozen=True)
class _Sum:
    """Weighted sums over patches: of 1, of the columns (D,), of their products (D, D)."""

    weight: float
    first: np.ndarray
    second: np.ndarray

    @classmethod
    def over(cls, columns: np.ndarray, weights: np.ndarray) -> _Sum:
        root = np.sqrt(weights).astype(np.float32)
        halved = columns * root[:, None]  # a matrix times itself takes half the work
        return cls(float(weights.sum()), root.astype(np.float64) @ halved, halved.T @ halved)

    def plus(self, other: _Sum, weight: float = 1.0) -> _Sum:
        return _Sum(
            self.weight + weight * other.weight,
            self.first + weight * other.first,
            self.second + np.float32(weight) * other.second,
        )

    def less(self, other: _Sum) -> _Sum:
        left = self.weight - other.weight
        rounded = left if left > 1e-9 * self.weight else 0.0  # what is left of nothing is nothing
        return _Sum(rounded, self.first - other.first, self.second - other.second)

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        mean = self.first / self.weight
        return mean, self.second.astype(np.float64) / self.weight - np.outer(mean, mean)


@dataclass(frozen=True)
class Sums:
    """What `solved` needs to know of one side: sums over its patches, and the same for every fold without what is
    left out in it. Those of several sets of patches add up."""

    every: _Sum
    folds: list[_Sum]

    @classmethod
    def of(cls, side: Learnt, scale: Scale) -> Sums:
        columns = np.concatenate([side.rows, side.around], axis=1)
        columns -= scale.middle.astype(np.float32)
        columns /= scale.spread.astype(np.float32)
        # What is left out in the same folds is summed once; all sums are made of these.
        kinds, which = np.unique(side.apart, axis=1, return_inverse=True)
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

    def plus(self, other: Sums, weight: float = 1.0) -> Sums:
        """Both together, the other one's patches at so many times their weight."""
        folds = [a.plus(b, weight) for a, b in zip(self.folds, other.folds, strict=True)]
        return Sums(self.every.plus(other.every, weight), folds)


@dataclass(frozen=True)
class Scale:
    """Middle and spread of every column, float64 (D,), by which all are standardised. dimension: of the features."""

    middle: np.ndarray
    spread: np.ndarray
    dimension: int

    @classmethod
    def of(cls, normals: Learnt) -> Scale:
        """A mean has the spread of what it averages, so it varies less than 1."""
        short = _short(normals.rows)
        middle = [normals.rows.mean(0), *[short.mean(0)] * LEVELS]
        spread = [normals.rows.std(0), *[short.std(0)] * LEVELS]
        spreads = np.concatenate(spread).astype(np.float64)
        scale = np.where(spreads > 0, spreads, 1)
        return cls(np.concatenate(middle).astype(np.float64), scale, normals.rows.shape[1])


def _short(rows: np.ndarray) -> np.ndarray:
    """Rows (n, d) in at most WIDEST dimensions: the same projection always."""
    return project(rows, WIDEST, seed=0).cpu().numpy() if rows.shape[1] > WIDEST else rows


def _blurred(image: np.ndarray, window: int) -> np.ndarray:
    """(h, w, c) averaged over squares around every position, mirrored at the edges."""
    parts: Sequence[np.ndarray] = [
        cv2.blur(
            np.ascontiguousarray(image[..., at : at + CHANNELS]),
            (window, window),
            borderType=cv2.BORDER_REFLECT,
        ).reshape(*image.shape[:2], -1)
        for at in range(0, image.shape[-1], CHANNELS)
    ]
    return np.concatenate(parts, axis=-1)
