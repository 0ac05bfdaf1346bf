"""Rules for masks: which values of mask files mark a defect, decided once for all masks of a data set.

Masks are written as 0 and 255 with grey edges, as 0 and 1, as numbers of labels, or as two greys. A rule for
each file would read masks of one data set differently, and a fixed threshold would silently lose defects.
Knows arrays of grey values. Does not know files or what a mask is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from exdd_core.errors import BadInput

USUAL = 127  # the middle of 0 and 255
FEW_LEVELS = 64  # more different values come from grey edges, blur or JPEG, not from labels
UNKNOWN = ((127, 255), (128, 255))  # (value, brightest value): half grey is the unknown region of a trimap
# A blurred mask of black and white has values darker than the one and brighter than the other.
DARK, BRIGHT = 48, 191
# Labels have sharp edges: few of their pixels have more than this many different values around them.
FEW_AROUND, MIXED_SHARE = 3, 0.1
# Fewer pixels of middle values, or a smaller share of those of the brightest value, are no label.
STRAY, STRAY_SHARE = 4, 0.001
RIM_SHARE = 0.5  # if more of the pixels of middle values touch a brighter and a darker one, they are edges


@dataclass(frozen=True)
class MaskRule:
    """Marks the pixels with a value above `above`, or all others if `inverted`.

    title: a name for masks of this kind.
    """

    above: int = USUAL
    inverted: bool = False
    title: str = "black and white"

    @classmethod
    def parse(cls, text: str) -> MaskRule:
        """Read "above:127" or "labels" (every value but 0), optionally followed by " inverted".

        Raises `BadInput`.
        """
        match = re.fullmatch(r"\s*(?:above:(\d{1,5})|(labels))?\s*(inverted)?\s*", text)
        if not match or not text.strip():
            raise BadInput(
                f'"{text}" is not a valid mask rule; use labels (every value except 0 is a defect) or above:N '
                '(values above N are), optionally followed by inverted, as in "above:127 inverted".'
            )
        above = 0 if match[2] else int(match[1] or USUAL)
        return cls(above, bool(match[3]), "as chosen")

    def __str__(self) -> str:
        return ("labels" if self.above == 0 else f"above:{self.above}") + (
            " inverted" if self.inverted else ""
        )

    @property
    def sentence(self) -> str:
        """A sentence about which values count as a defect."""
        what = "every value except 0 counts" if self.above == 0 else f"values above {self.above} count"
        rest = ", and the rest as a defect (inverted)" if self.inverted else ""
        return f"Masks are {self.title}: {what} as {'normal' if self.inverted else 'a defect'}{rest}."

    def marks(self, values: np.ndarray) -> np.ndarray:
        """Grey values (H, W) to bool (H, W)."""
        return (values > self.above) != self.inverted


class Tally:
    """Counts the values of masks, one mask at a time, to decide one rule for all of them."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._rims: dict[int, int] = {}  # pixels of each value that touch a brighter and a darker one
        self._mixed: dict[int, int] = {}  # pixels of each value among many values, as JPEG makes them

    def add(self, values: np.ndarray) -> None:
        """values: grey values (H, W) of one mask, uint8 or uint16."""
        levels = _count_into(self._counts, values)
        if levels > 2:
            around = np.ones((3, 3), np.uint8)
            rim = (cv2.dilate(values, around) > values) & (cv2.erode(values, around) < values)
            _count_into(self._rims, values[rim])
            _count_into(self._mixed, values[_is_mixed(values)])

    def rule(self) -> MaskRule:
        """The rule for all masks that were added; the usual one without masks or with only empty ones."""
        levels = sorted(self._counts)
        if len(levels) < 2:
            return (
                replace(MaskRule(), above=levels[0] - 1) if levels and 0 < levels[0] <= USUAL else MaskRule()
            )
        low, high = levels[0], levels[-1]
        between = [value for value in levels[1:-1] if (value, high) not in UNKNOWN]
        inner = sum(self._counts[v] for v in between)
        rims, mixed = (sum(found.get(v, 0) for v in between) for found in (self._rims, self._mixed))
        sharp = rims < RIM_SHARE * inner and mixed < MIXED_SHARE * inner
        if between and len(levels) <= FEW_LEVELS and sharp and self._firm(between):
            return MaskRule(low, title=f"labels ({_listed(levels)})")
        middle = USUAL if low < DARK and BRIGHT < high < 256 else (low + high) // 2
        if between:
            return MaskRule(middle, title=f"white on black with grey rims ({low} to {high})")
        title = (
            "black and white" if (low, high) in ((0, 255), (0, 65535)) else f"two levels ({low} and {high})"
        )
        return MaskRule(low if high - low < 3 else middle, title=title)

    def _firm(self, between: list[int]) -> bool:
        """Whether pixels with middle values are more than stray pixels."""
        return sum(self._counts[v] for v in between) > max(
            STRAY, self._counts[max(self._counts)] * STRAY_SHARE
        )


def _is_mixed(values: np.ndarray) -> np.ndarray:
    """Where a pixel and its eight neighbours hold more than `FEW_AROUND` different values: bool (H, W)."""
    height, width = values.shape
    padded = np.pad(values, 1, mode="edge")
    around = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    different = np.ones(values.shape, np.uint8)
    for i, one in enumerate(around[1:], 1):
        fresh = np.ones(values.shape, bool)
        for before in around[:i]:
            fresh &= one != before
        different += fresh
    return different > FEW_AROUND


def _count_into(counts: dict[int, int], values: np.ndarray) -> int:
    """Add to `counts` how often each value occurs; returns the number of different values."""
    found = np.bincount(values.ravel())
    levels = np.flatnonzero(found).tolist()
    for level in levels:
        counts[level] = counts.get(level, 0) + int(found[level])
    return len(levels)


def decide(masks: Iterable[np.ndarray]) -> MaskRule:
    """Decide one rule for masks, each grey values (H, W)."""
    tally = Tally()
    for values in masks:
        tally.add(values)
    return tally.rule()


def _listed(levels: list[int]) -> str:
    shown = ", ".join(map(str, levels[:6]))
    return f"{shown}, ..." if len(levels) > 6 else shown
