"""A sample of the patches outside the masks of real defects, which probabilities are fitted to.

They are in no bank. They resemble the defects around them more often than patches of normal images do. Knows the
unmarked patches of single images, one image after another. Does not know what the sample is used for.
"""

from __future__ import annotations

import numpy as np

from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.examples import Unmarked
from exdd_core.detector.held_out import sampling_keys

SLACK = 4  # rows outside the sample are dropped when there are this many times as many as it takes


class UnmarkedSample:
    """At most `most` rows of any number of images, the ones that `held_out.sample` takes of all of them together."""

    def __init__(self, most: int, seed: int, empty: Bank):
        """empty: a bank without rows that the sample starts from."""
        self.most, self.seed, self.bank = most, seed, empty
        self.keys, self.numbers = np.zeros(0), np.zeros(0, int)  # of the bank's rows: their numbers among all
        self.each: list[np.ndarray] = []  # of all rows, how many patches each stands for
        self.count = 0

    def add(self, image: BankImage, found: Unmarked) -> None:
        """Take an image's patches into account."""
        n = len(found.rows)
        self.bank.add(image, found.rows, found.position, found.surroundings)
        self.keys = np.concatenate([self.keys, sampling_keys(image, n, self.seed)])
        self.numbers = np.concatenate([self.numbers, np.arange(self.count, self.count + n)])
        self.each.append(found.each)
        self.count += n
        if len(self.bank) > SLACK * self.most:
            self._drop()

    def taken(self) -> tuple[Bank, np.ndarray]:
        """The sample, and how many patches each of its rows stands for: float32 (n,)."""
        self._drop()
        each = np.concatenate([np.zeros(0, np.float32), *self.each])
        of_kept = each[self.numbers]
        return self.bank, of_kept * (each.sum() / max(1.0, of_kept.sum()))

    def _drop(self) -> None:
        if len(self.bank) > self.most:
            kept = np.sort(self.keys.argsort(kind="stable")[: self.most])
            self.bank, self.keys, self.numbers = self.bank.take(kept), self.keys[kept], self.numbers[kept]
