"""What a detector was fitted on, in a form that follows its banks when rows come and go.

Held-out normal images know their nearest rows of each bank and only look again where those have changed; the
supervised direction starts from where it was. So a detector is fitted again in well under a second. Knows banks,
distances and logistic regression; does not know fusions, thresholds or why a row came or went.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from exdd_core.detector import context as surroundings
from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.context import Discriminant, Learnt, Scale, Sums
from exdd_core.detector.fusion import Direction
from exdd_core.errors import BadInput
from exdd_core.progress import Progress

AT_ONCE = 8_192  # patches that are compared with further rows
LONG = (
    512  # features longer than this are fitted by gradients: Newton's steps need a matrix of length squared
)
STEPS = 15  # of Newton's; from a good start two or three are enough
PAINTED = 0.1  # of the weight of all defects, at most, where there are real ones: measured
SMALL_STEP = 1e-3  # in standardised weights: below it nothing that is compared changes

Features = Sequence[np.ndarray]  # of m images, float16 or float32 (n, d) each


@dataclass(frozen=True)
class Neighbours:
    """The k nearest rows of a bank for m images of n patches, each without the rows of its own part.

    distances: float32 (m, n, k), ascending. rows: int32 (m, n, k), numbers in the bank.
    """

    distances: np.ndarray
    rows: np.ndarray

    @classmethod
    def find(
        cls, bank: Bank, features: Features, apart: Sequence[str], k: int, progress: Progress | None = None
    ) -> Neighbours:
        """apart: the part (or image) whose rows each of the images must not meet."""
        shape = (len(features), len(features[0]), k)
        found = cls(np.empty(shape, np.float32), np.empty(shape, np.int32))
        for i, name in enumerate(apart):
            found.distances[i], found.rows[i] = bank.search(_single(features[i]), k, without(bank, name))
            if progress:
                progress.advance()
        return found

    def follow(
        self, old: Bank, new: Bank, kept: np.ndarray, features: Features, apart: Sequence[str]
    ) -> Neighbours:
        """The same for the bank `new`: the rows of `old` where `kept` bool (n,), then further ones."""
        number = np.append(np.cumsum(kept) - 1, -1)  # of -1, "no row", stays -1
        lost = ~np.append(kept, True)[self.rows].all(-1)
        distances, rows = self.distances.copy(), number[self.rows].astype(np.int32)
        first, (_, n, k) = int(kept.sum()), self.rows.shape
        pairs = list(zip(_without(old, apart), _without(new, apart), strict=True))
        meets_all = []
        for i, (before, now) in enumerate(pairs):
            few = len(old) - (0 if before is None else int(before.sum())) < k  # the last of few is repeated
            if few or (before is None) != (now is None):
                lost[i] = True
            elif now is None:
                meets_all.append(i)
            else:
                further = first + np.flatnonzero(~now[first:])
                _merge(distances[i], rows[i], _single(features[i]), new.rows[further], further)
        if meets_all and first < len(new):
            pieces = min(len(meets_all), len(meets_all) * n // AT_ONCE + 1)
            for several in np.array_split(meets_all, pieces):
                near, numbers = distances[several].reshape(-1, k), rows[several].reshape(-1, k)
                queries = np.concatenate([_single(features[i]) for i in several])
                _merge(near, numbers, queries, new.rows[first:], np.arange(first, len(new)))
                distances[several], rows[several] = near.reshape(-1, n, k), numbers.reshape(-1, n, k)
        for i in np.flatnonzero(lost.any(1)).tolist():
            again = np.flatnonzero(lost[i])
            found = new.search(_single(features[i][again]), k, pairs[i][1])
            distances[i, again], rows[i, again] = found
        return Neighbours(distances, rows)


def _merge(
    distances: np.ndarray, rows: np.ndarray, queries: np.ndarray, further: np.ndarray, numbers: np.ndarray
) -> None:
    """Take further rows (a, d) with their numbers into the nearest (n, k) of queries (n, d), in place."""
    if not len(further):
        return
    middle = further.mean(0)  # nothing is lost to rounding where vectors are long and alike
    found = torch.cdist(torch.from_numpy(queries - middle), torch.from_numpy(further - middle)).numpy()
    nearer = np.flatnonzero(found.min(1) < distances[:, -1])
    every = np.concatenate([distances[nearer], found[nearer]], 1)
    named = np.concatenate([rows[nearer], np.broadcast_to(numbers, (len(nearer), len(numbers)))], 1)
    best = every.argsort(1, kind="stable")[:, : distances.shape[1]]
    distances[nearer], rows[nearer] = np.take_along_axis(every, best, 1), np.take_along_axis(named, best, 1)


def without(bank: Bank, name: str) -> np.ndarray | None:
    """The rows that a patch of this part must not meet; None where it may meet all, as in a bank of nothing else."""
    own = bank.of(name)
    return None if own.all() or not own.any() else own


def _without(bank: Bank, apart: Sequence[str]) -> list[np.ndarray | None]:
    """`without` for each of these names, of which few are in the bank."""
    there = {name for i in bank.images for name in (i.group, i.id, i.donor)}
    return [without(bank, name) if name in there else None for name in apart]


def _single(features: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(features, np.float32)


@dataclass(frozen=True)
class HeldOut:
    """Normal training images that meet no bank row of their own part: what thresholds are set from.

    apart: the part of each image, or the image itself where all show one part. features: None until somebody
    brings them back, as they are kept outside the bank version. inside: bool (m, n), the patches in the region of
    interest; None where everything counts.
    """

    images: list[BankImage]
    apart: list[str]
    features: Features | None
    negative: Neighbours
    positive: Neighbours | None = None
    inside: np.ndarray | None = None

    def follow(self, side: str, old: Bank | None, new: Bank | None, kept: np.ndarray, k: int) -> HeldOut:
        """The same after the bank of one side ("negative" or "positive") has changed from `old` to `new`."""
        assert self.features is not None, "held-out features must be brought back before banks change"
        known: Neighbours | None = getattr(self, side)
        found = None
        if new is not None and old is not None and known is not None:
            found = known.follow(old, new, kept, self.features, self.apart)
        elif new is not None:
            found = Neighbours.find(new, self.features, self.apart, k)
        sides: dict[str, Any] = {side: found}
        return replace(self, **sides)

    def save(self, file: Path) -> None:
        """Everything but the features."""
        sides = {"negative": self.negative, "positive": self.positive}
        arrays = {f"{s}_{n}": a for s, found in sides.items() if found for n, a in vars(found).items()}
        if self.inside is not None:
            arrays["inside"] = self.inside
        text = json.dumps([[asdict(i) for i in self.images], self.apart])
        save_file(arrays, file, metadata={"images": text})

    @classmethod
    def load(cls, file: Path) -> HeldOut:
        arrays = load_file(file)
        with safe_open(file, "numpy") as opened:
            images, apart = json.loads(opened.metadata()["images"])
        negative, positive = (
            Neighbours(arrays[f"{side}_distances"], arrays[f"{side}_rows"])
            if f"{side}_rows" in arrays
            else None
            for side in ("negative", "positive")
        )
        if negative is None or len(negative.rows) != len(images):
            raise BadInput(f"The file {file} is damaged; build the bank again.")
        inside = arrays.get("inside")
        return cls([BankImage(**i) for i in images], apart, None, negative, positive, inside)


def some(bank: Bank, most: int, seed: int) -> np.ndarray:
    """Row numbers of at most `most` rows. Another image in the bank displaces a few and leaves the others."""
    if len(bank) <= most:
        return np.arange(len(bank))
    keys = np.empty(len(bank))
    for number, image in enumerate(bank.images):
        own = np.flatnonzero(bank.image == number)
        keys[own] = np.random.default_rng([seed, zlib.crc32(image.id.encode())]).random(len(own))
    return np.sort(keys.argsort(kind="stable")[:most])


def direction(normals: np.ndarray, defects: np.ndarray, start: Direction | None = None) -> Direction:
    """`Direction.fit` from where an earlier one ended.

    normals: float32 (a, d); defects: float32 (b, d). Columns are standardised by the normals alone, so that what
    comes and goes among defects leaves the scale as it is.
    """
    if normals.shape[1] > LONG:
        return Direction.fit(normals, defects)
    middle, spread = normals.mean(0), normals.std(0)
    spread = np.where(spread > 0, spread, 1).astype(np.float32)
    n = len(normals) + len(defects)
    x = np.ones((n, normals.shape[1] + 1), np.float32)
    x[: len(normals), :-1], x[len(normals) :, :-1] = (normals - middle) / spread, (defects - middle) / spread
    y = np.repeat([0.0, 1.0], [len(normals), len(defects)])
    weigh = np.repeat([n / 2 / len(normals), n / 2 / len(defects)], [len(normals), len(defects)])
    w = np.zeros(x.shape[1])
    if start is not None:
        w = np.append(start.weights * spread, start.bias + float(start.weights @ middle))
    w = _newton(x, y, weigh, w)
    weights = (w[:-1] / spread).astype(np.float32)
    return Direction(weights, float(w[-1] - weights @ middle))


@dataclass(frozen=True)
class Lessons:
    """What discriminants learn from, summed once, so that further painted defects cost no more than themselves.

    Each part weighs as the root of its patches, and so does each painted defect: neither one large defect nor many
    small ones decide alone. Beside real defects, all painted ones together weigh no more than PAINTED of everything.
    """

    folds: Sequence[Sequence[str]]
    scale: Scale
    normals: Sums
    real: Sums
    painted: Sums
    count: int  # of defect patches

    @classmethod
    def of(cls, learnt: Bank, defects: Bank, folds: Sequence[Sequence[str]]) -> Lessons | None:
        """None where one side has no row whose surroundings are known."""
        learnt, defects = learnt.with_surroundings(), defects.with_surroundings()
        if not len(learnt) or not len(defects):
            return None
        normals = _teaching(learnt, folds, np.ones(len(learnt)))
        scale = Scale.of(normals)
        real, painted = (
            Sums.of(_teaching(one, folds, _weights(one)), scale)
            for one in (defects.take(np.flatnonzero(side)) for side in (defects.real, ~defects.real))
        )
        return cls(folds, scale, Sums.of(normals, scale), real, painted, len(defects))

    def plus(self, painted: Bank) -> Lessons:
        """With further painted defects."""
        painted = painted.with_surroundings()
        more = Sums.of(_teaching(painted, self.folds, _weights(painted)), self.scale)
        return replace(self, painted=self.painted.plus(more), count=self.count + len(painted))

    def discriminants(self) -> tuple[Discriminant, list[Discriminant | None]]:
        """What defects look like with their surroundings, and the same without each of the folds of parts."""
        real, painted = self.real.every.weight, self.painted.every.weight
        share = 1.0
        if real > 0 and painted > 0:
            share = min(1.0, PAINTED / (1 - PAINTED) * real / painted)
        return surroundings.solved(self.scale, self.normals, self.real.plus(self.painted, share), self.count)


def _weights(defects: Bank) -> np.ndarray:
    """Of every row, float64 (n,): all of a part, or of a painted defect, weigh as the root of their number."""
    names = np.array([i.group if i.origin == "real" else i.id for i in defects.images], str)[defects.image]
    _, which, count = np.unique(names, return_inverse=True, return_counts=True)
    return 1 / np.sqrt(count[which])


def _teaching(bank: Bank, folds: Sequence[Sequence[str]], weights: np.ndarray) -> Learnt:
    assert bank.beside is not None
    return Learnt(bank.rows, bank.beside, np.stack([bank.of(*parts) for parts in folds]), weights)


def _newton(x: np.ndarray, y: np.ndarray, weigh: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Minimise sum(weigh * logistic loss) + |w|^2 / 2 over x (n, d + 1), whose last column of ones costs nothing."""
    ridge = np.append(np.ones(x.shape[1] - 1), 0)

    def loss(w: np.ndarray) -> float:
        z = x @ w.astype(np.float32)
        return float((weigh * (np.logaddexp(0, z) - y * z)).sum() + (ridge * w * w).sum() / 2)

    now = loss(w)
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ w.astype(np.float32), -50, 50)))
        slope = x.T @ (weigh * (p - y)).astype(np.float32) + ridge * w
        curve = x.T @ (x * (weigh * p * (1 - p)).astype(np.float32)[:, None]) + np.diag(ridge + 1e-6)
        step = np.linalg.solve(curve.astype(np.float64), slope.astype(np.float64))
        while (new := loss(w - step)) > now and np.abs(step).max() > SMALL_STEP:
            step /= 2
        if new > now:
            break
        w, now = w - step, new
        if np.abs(step).max() < SMALL_STEP:
            break
    return w
