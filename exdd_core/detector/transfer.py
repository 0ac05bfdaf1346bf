"""Transfer: how well paintings alone find real defects that they were not made from, and the weight that this earns.

A discriminant is fitted on the paintings of one engine and on normal patches, without a physical part, and tried on
the real defects of that part: the area under the ROC curve (AUROC) of its patches against normal ones. Believable
paintings find real defects, while those of a crude engine share a look of their own and find them by chance. Where no
real defect is known nobody can check, and a person's word decides. Knows sums over training patches and banks. Does
not know scores, candidates, or how a painting was made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.context import Discriminant, TrainingSums
from exdd_core.detector.likeness import FEWEST_PARTS
from exdd_core.sentences import count

NONE_UP_TO, FULL_FROM = 0.78, 0.88  # transfer up to which paintings count for nothing, and from which in full
SCALE = f"0.50 is chance, and more than {NONE_UP_TO} counts"  # of a transfer, for people
PRIOR = 3.0  # weight of chance beside the known parts: that of a part with 9 patches
ONE_BY_ONE = 0.03  # weight of paintings accepted one by one, where no real defect is known; set with care, not measured
COPIES = 0.1  # weight of copies of known defects, as a share of the weight of these; measured
EVERY = 3  # every third normal patch is compared


@dataclass(frozen=True)
class Found:
    """One real part: AUROC of its patches by paintings alone, and the number of these patches."""

    auroc: float
    patches: int


class PaintingsState(TypedDict):
    """`Paintings` as JSON. found: by part, AUROC and number of patches."""

    engine: str
    images: int
    defects: int
    word: float
    found: dict[str, tuple[float, int]]
    share: float


@dataclass(frozen=True)
class Paintings:
    """The paintings of one engine, and the weight that they earn.

    images: how many. defects: how many different defects they show, beyond those of known real parts: transplants from
    one part show one. word: the weight of each by a person's word, 0 to 1. found: how well they find each real part.
    share: the factor, 0 to 1, that reduces their weight where many are copies of a few known defects.
    """

    engine: str
    images: int
    defects: int
    word: float
    found: Mapping[str, Found]
    share: float = 1.0

    def transfer(self, without: Collection[str] = (), prior: float = PRIOR) -> float | None:
        """Mean AUROC over the real parts and one part of chance, 0.5; None where no part is known.

        A part counts by the square root of its number of patches, as in the discriminant, and the part of chance by
        `prior`: one small defect that happens to be found says little. without: parts that must not be known.
        """
        known = [found for part, found in self.found.items() if part not in without]
        if not known:
            return None
        weights = np.sqrt([found.patches for found in known])
        total = float(weights @ [found.auroc for found in known]) + prior / 2
        return total / (float(weights.sum()) + prior)

    @property
    def seen(self) -> int:
        """The number of real parts that they find."""
        return sum(one.auroc >= FULL_FROM for one in self.found.values())

    def weight(self, without: Collection[str] = ()) -> float:
        """The weight of the paintings in discriminants, from 0 to that of real defects, 1; see
        `TrainingSums.discriminants`. without: parts that must not be known."""
        tried = self.transfer(without)
        return self.word if tried is None else _earned(tried)

    def of_row(self, without: Collection[str] = ()) -> float:
        """The weight, 0 to 1, of a row of theirs among the nearest defect rows; see `fusion.Distances.counted`.

        A row affects only patches near to it, so it needs no proof and counts fully until real defects disprove it.
        Hence the part of chance, which outweighs parts that are too small to tell, is left out here.
        """
        tried = self.transfer(without, prior=0)
        return 1.0 if tried is None else _earned(tried) * self.share

    @property
    def idle(self) -> bool:
        """Whether real defects disprove the paintings, so that they change no score."""
        return self.of_row() == 0

    def state(self) -> PaintingsState:
        """The paintings as JSON; `restore` reads it."""
        found = {part: (one.auroc, one.patches) for part, one in self.found.items()}
        return {
            "engine": self.engine,
            "images": self.images,
            "defects": self.defects,
            "word": self.word,
            "found": found,
            "share": self.share,
        }

    @classmethod
    def restore(cls, state: PaintingsState) -> Paintings:
        """The paintings that `state` described."""
        found = {part: Found(*one) for part, one in state["found"].items()}
        return cls(state["engine"], state["images"], state["defects"], state["word"], found, state["share"])

    def sentence(self) -> str:
        """A sentence for people: how many known real defects these paintings find, and what they count for."""
        name = f"{count(self.images, 'painting')} by {self.engine or 'an unknown engine'}"
        several, tried, weight = self.images > 1, self.transfer(), self.weight() * self.share
        percent = f"{100 * weight:.0f} %"
        if tried is None:
            counts = "count" if several else "counts"
            if weight >= 1:
                return (
                    f"{name} {counts} in full because you said that they look like your defects; there is no real "
                    "defect to check this against."
                )
            return (
                f"{name} {counts} for {percent if weight > 0 else 'little'}, because there is no real defect to check "
                "them against: import or mark one, or set how much painted defects look like yours."
            )
        parts = count(len(self.found), "defective part")
        earned = f"have at most {percent} of the weight of all defects"
        if weight in (0, 1):
            earned = "count in full" if weight else "count for nothing"
        if weight == 0 and not self.idle:
            earned = "count only as nearest defects until more or larger real defects are known"
        few = f" They weigh less until {FEWEST_PARTS} defective parts are known."
        return (
            f"{name} {'find' if several else 'finds'} {self.seen} of {parts} by themselves, so they {earned} "
            f"(transfer {tried:.2f}; {SCALE}).{few if weight > 0 and len(self.found) < FEWEST_PARTS else ''}"
        )


def _earned(tried: float) -> float:
    """The weight, 0 to 1, of paintings with this transfer."""
    return float(np.clip((tried - NONE_UP_TO) / (FULL_FROM - NONE_UP_TO), 0, 1))


def row_counts(several: Iterable[Paintings], without: Collection[str] = ()) -> dict[str, float]:
    """The weight of a row by engine, where it is below 1. without: parts that must not be known."""
    counts = {paintings.engine: paintings.of_row(without) for paintings in several}
    return {engine: weight for engine, weight in counts.items() if weight < 1}


def paintings(sums: TrainingSums, normals: Bank, defects: Bank, likeness: float | None) -> list[Paintings]:
    """The paintings in a bank of defects, by engine.

    normals, defects: the patches that `sums` were made of. likeness: how much paintings look like the user's own
    defects, 0 to 1, by a person's word; None where nobody said so.
    """
    normals, defects = normals.with_surroundings(), defects.with_surroundings()
    real_parts = {image.group for image in _shown(defects, defects.real)}
    several = []
    for engine in sorted(sums.painted):
        rows = ~defects.real & np.array([i.engine == engine for i in defects.images], bool)[defects.image]
        own = _shown(defects, rows)
        made_from = {image.donor or image.id for image in own} - real_parts
        word = ONE_BY_ONE * sum(i.vouched for i in own) / len(own) if likeness is None else likeness
        found = _found(sums, engine, normals, defects) if real_parts else {}
        copies = COPIES * sums.real.every.weight / sums.painted[engine].every.weight
        share = min(1.0, len(made_from) / len(own) + copies)
        several.append(Paintings(engine, len(own), len(made_from), word, found, share))
    return several


def _shown(bank: Bank, rows: np.ndarray) -> list[BankImage]:
    """The images that these rows, bool (n,), come from."""
    return [bank.images[number] for number in np.unique(bank.image[rows])]


def _found(sums: TrainingSums, engine: str, normals: Bank, defects: Bank) -> dict[str, Found]:
    """How well the paintings of one engine find each real part, without parts that no fold can leave out."""
    whole, folds = sums.of_paintings(engine)
    without = {part: one for parts, one in zip(sums.folds, folds, strict=True) for part in parts}
    usual = _values(normals.take(np.arange(0, len(normals), EVERY)), without, whole)
    usual = np.sort(usual[np.isfinite(usual)])
    real = defects.take(np.flatnonzero(defects.real))
    values, groups, found = _values(real, without, whole), real.groups, {}
    for part in np.unique(groups):
        own = values[groups == part]
        if len(usual) and np.isfinite(own).all():
            below = np.searchsorted(usual, own, "left") + np.searchsorted(usual, own, "right")
            found[str(part)] = Found(float(below.mean() / (2 * len(usual))), len(own))
    return found


def _values(bank: Bank, without: Mapping[str, Discriminant | None], whole: Discriminant) -> np.ndarray:
    """C of rows, each by the discriminant without its part, float32 (n,); NaN where there is none."""
    assert bank.surroundings is not None
    out, groups = np.full(len(bank), np.nan, np.float32), bank.groups
    for part in np.unique(groups):
        own, one = groups == part, without.get(str(part), whole)
        if one is not None:
            out[own] = one(bank.rows[own], bank.surroundings[own])
    return out
