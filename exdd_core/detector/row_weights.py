"""Weights of painted rows in the positive bank: which of them it keeps, and P as a weighted mean of distances.

Where paintings were tried on real defects (`transfer`), their rows have the weight that they earned there. P is the
mean distance to the nearest rows that together weigh as much as a few real ones: rows of weight 0 change nothing, and
influence grows continuously with the weight. Rows that count fully are chosen for the bank as if there were no others.
Knows banks, and weights by engine. Does not know how weights are earned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from exdd_core.detector import fusion
from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.weighted_distances import weighted_mean

Parts = Sequence[tuple[float, Bank]]  # banks, and what each row of them counts for


def parted(bank: Bank, weights: Mapping[str, float]) -> Parts:
    """The rows that count fully, which may be none, and then those of each engine that count for something.

    weights: by engine, 0 to 1, of painted rows that do not count fully.
    """
    key = tuple(weights.items())
    if key not in bank.parts:
        which = engine_of_each(bank, list(weights))
        own = [(weight, np.flatnonzero(which == place)) for place, weight in enumerate(weights.values())]
        counting = [(1.0, np.flatnonzero(which < 0)), *(pair for pair in own if pair[0] > 0 and len(pair[1]))]
        bank.parts[key] = [(weight, bank.take(numbers)) for weight, numbers in counting]
    return bank.parts[key]


def of_patches(parts: Parts, find: Callable[[Bank], np.ndarray]) -> np.ndarray:
    """`weighted_mean` of the distances, float32 (*S, k), that `find` gives of patches to the rows of a bank."""
    return weighted_mean([(weight, find(bank)) for weight, bank in parts], fusion.NEIGHBOURS)


def choose(
    defects: Bank, keep: Callable[[np.ndarray], np.ndarray], weights: Mapping[str, float]
) -> np.ndarray:
    """The numbers of the rows of known defects that the positive bank keeps, ascending.

    keep: from rows (n, d) to the numbers of those to keep. weights: as in `parted`. Rows that count fully are chosen
    among themselves; those of another engine are chosen as if the bank held only them and the rows that count fully.
    """
    which = engine_of_each(defects, list(weights))
    full = np.flatnonzero(which < 0)
    kept = [full[keep(defects.rows[full])]]
    for place in range(len(weights)):
        both = np.flatnonzero((which < 0) | (which == place))
        chosen = both[keep(defects.rows[both])]
        kept.append(chosen[which[chosen] == place])
    return np.sort(np.concatenate(kept))


def beside(bank: Bank, image: BankImage, weights: Mapping[str, float]) -> Bank:
    """The rows that decide which rows of a further image extend the bank: those that count fully, and those of the
    engine that painted it. weights: as in `parted`."""
    which = engine_of_each(bank, list(weights))
    own = list(weights).index(image.engine) if is_weighed(image, weights) else -1
    return bank if (which < 0).all() else bank.take(np.flatnonzero((which < 0) | (which == own)))


def is_weighed(image: BankImage, weights: Mapping[str, float]) -> bool:
    """Whether rows of an image do not count fully."""
    return image.origin != "real" and image.engine in weights


def engine_of_each(bank: Bank, engines: Sequence[str]) -> np.ndarray:
    """Of each row, the place in `engines` of the one that painted it, and -1 for others: int (n,)."""
    places = {engine: place for place, engine in enumerate(engines)}
    of_images = [places[i.engine] if is_weighed(i, places) else -1 for i in bank.images]
    return np.array(of_images, int)[bank.image]
