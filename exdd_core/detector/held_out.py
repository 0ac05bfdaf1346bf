"""Held-out normal images: their nearest rows in both banks, kept up to date when rows are added or removed.

No held-out image is compared with rows of its own physical part. When a bank changes, only the changed rows
are compared again, so that refitting takes well under a second. Knows banks and distances. Does not know
fusions, thresholds or why rows change.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from exdd_core.detector import nearest
from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.soundness import Damaged
from exdd_core.progress import Progress

Features = Sequence[np.ndarray]  # of m images, float16 or float32 (n, d) each


@dataclass(frozen=True)
class Neighbours:
    """The k nearest rows of a bank for m images of n patches, each without the rows of its own part.

    distances: float32 (m, n, k), ascending. rows: int32 (m, n, k), row numbers in the bank.
    """

    distances: np.ndarray
    rows: np.ndarray

    @classmethod
    def find(
        cls, bank: Bank, features: Features, parts: Sequence[str], k: int, progress: Progress | None = None
    ) -> Neighbours:
        """Search a whole bank. parts: for each image the part (or image) whose rows are left out."""
        shape = (len(features), len(features[0]), k)
        found = cls(np.empty(shape, np.float32), np.empty(shape, np.int32))
        for i, part in enumerate(parts):
            found.distances[i], found.rows[i] = bank.search(_single(features[i]), k, rows_of_part(bank, part))
            if progress:
                progress.advance()
        return found

    def follow(
        self, old: Bank, new: Bank, kept: np.ndarray, features: Features, parts: Sequence[str]
    ) -> Neighbours:
        """The neighbours in the bank `new`: the rows of `old` that are `kept`, bool (n,), then further ones."""
        number = np.append(np.cumsum(kept) - 1, -1)  # -1, for no row, stays -1
        lost = ~np.append(kept, True)[self.rows].all(-1)
        distances, rows = self.distances.copy(), number[self.rows].astype(np.int32)
        first, k = int(kept.sum()), self.rows.shape[-1]
        left_out = list(zip(_rows_of_each(old, parts), _rows_of_each(new, parts), strict=True))
        unrestricted = []
        for i, (before, now) in enumerate(left_out):
            # With fewer than k rows the last one is repeated, so the neighbours must be searched again.
            few = len(old) - (0 if before is None else int(before.sum())) < k
            if few or (before is None) != (now is None):
                lost[i] = True
            elif now is None:
                unrestricted.append(i)
            else:
                further = first + np.flatnonzero(~now[first:])
                nearest.merge(distances[i], _single(features[i]), new.rows[further], rows[i], further)
        further = np.arange(first, len(new))
        _merge_images(distances, rows, features, unrestricted, new.rows[further], further)
        for i in np.flatnonzero(lost.any(1)).tolist():
            again = np.flatnonzero(lost[i])
            found = new.search(_single(features[i][again]), k, left_out[i][1])
            distances[i, again], rows[i, again] = found
        return Neighbours(distances, rows)


def _merge_images(
    distances: np.ndarray,
    rows: np.ndarray,
    features: Features,
    images: Sequence[int],
    further: np.ndarray,
    numbers: np.ndarray,
) -> None:
    """Merge further rows (a, d), with their numbers, into the neighbours of several images, in place."""
    if not images or not len(further):
        return
    _, n, k = rows.shape
    pieces = min(len(images), len(images) * n // nearest.QUERIES_AT_ONCE + 1)
    for several in np.array_split(images, pieces):
        known, named = distances[several].reshape(-1, k), rows[several].reshape(-1, k)
        queries = np.concatenate([_single(features[i]) for i in several])
        nearest.merge(known, queries, further, named, numbers)
        distances[several], rows[several] = known.reshape(-1, n, k), named.reshape(-1, n, k)


def rows_of_part(bank: Bank, part: str) -> np.ndarray | None:
    """The rows of a part, to leave out: bool (n,). None for no row, and where every row is of this part."""
    own = bank.of(part)
    return None if own.all() or not own.any() else own


def _rows_of_each(bank: Bank, parts: Sequence[str]) -> list[np.ndarray | None]:
    """`rows_of_part` for each of these parts, of which few are in the bank."""
    there = {name for i in bank.images for name in (i.id, *i.parts)}
    return [rows_of_part(bank, part) if part in there else None for part in parts]


def _single(features: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(features, np.float32)


@dataclass(frozen=True)
class HeldOut:
    """m normal training images with n patches each that thresholds are set by.

    parts: the part of each image, or the image itself where all show one part; rows of it are left out.
    features: None until the caller provides them, as they are stored outside the bank version. inside: bool
    (m, n), the patches in the region of interest; None without a region.
    """

    images: list[BankImage]
    parts: list[str]
    features: Features | None
    negative: Neighbours
    positive: Neighbours | None = None
    inside: np.ndarray | None = None

    def follow(self, side: str, old: Bank | None, new: Bank | None, kept: np.ndarray, k: int) -> HeldOut:
        """The same after the bank of one side ("negative" or "positive") has changed from `old` to `new`."""
        assert self.features is not None, "held-out features must be there before banks change"
        known = self.negative if side == "negative" else self.positive
        found = None
        if new is not None and old is not None and known is not None:
            found = known.follow(old, new, kept, self.features, self.parts)
        elif new is not None:
            found = Neighbours.find(new, self.features, self.parts, k)
        if side == "positive":
            return replace(self, positive=found)
        assert found is not None, "there is always a negative bank"
        return replace(self, negative=found)

    def save(self, file: Path) -> None:
        """Write everything but the features to one safetensors file."""
        sides = {"negative": self.negative, "positive": self.positive}
        arrays = {f"{s}_{n}": a for s, found in sides.items() if found for n, a in vars(found).items()}
        if self.inside is not None:
            arrays["inside"] = self.inside
        text = json.dumps([[i.to_json() for i in self.images], self.parts])
        save_file(arrays, file, metadata={"images": text})

    @classmethod
    def load(cls, file: Path) -> HeldOut:
        """Read a file that `save` wrote. Raises Damaged where it does not fit together."""
        arrays = load_file(file)
        with safe_open(file, "numpy") as opened:
            images, parts = json.loads(opened.metadata()["images"])
        negative, positive = (
            Neighbours(arrays[f"{side}_distances"], arrays[f"{side}_rows"])
            if f"{side}_rows" in arrays
            else None
            for side in ("negative", "positive")
        )
        if negative is None or len(negative.rows) != len(images):
            raise Damaged(f"{file.name} has no neighbours of its images")
        inside = arrays.get("inside")
        return cls([BankImage(**i) for i in images], parts, None, negative, positive, inside)


def sample(bank: Bank, most: int, seed: int) -> np.ndarray:
    """The numbers of at most `most` rows, ascending. Adding an image replaces only a few of them."""
    if len(bank) <= most:
        return np.arange(len(bank))
    keys = np.empty(len(bank))
    for number, image in enumerate(bank.images):
        own = np.flatnonzero(bank.image == number)
        keys[own] = sampling_keys(image, len(own), seed)
    return np.sort(keys.argsort(kind="stable")[:most])


def sample_apart(bank: Bank, most: int, seed: int) -> np.ndarray:
    """`sample` of the rows of real defects, where there are any, and of those of each engine."""
    if len(bank) <= most or not bank.real.any():
        return sample(bank, most, seed)
    kinds = kinds_of_rows(bank)
    own = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
    return np.sort(np.concatenate([one[sample(bank.take(one), most, seed)] for one in own]))


def kinds_of_rows(bank: Bank) -> np.ndarray:
    """Of each row, a number for the engine that painted it, and 0 for real ones: int (n,)."""
    engines = [None if i.origin == "real" else i.engine for i in bank.images]
    places = {engine: place for place, engine in enumerate(dict.fromkeys([None, *engines]))}
    return np.array([places[engine] for engine in engines], int)[bank.image]


def sampling_keys(image: BankImage, count: int, seed: int) -> np.ndarray:
    """A key, float (count,), for each row of an image; a sample takes the rows with the smallest ones."""
    return np.random.default_rng([seed, zlib.crc32(image.id.encode())]).random(count)
