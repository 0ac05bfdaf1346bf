"""The bit depth of deep images: which values are black and white in a whole data set.

A depth guessed from one image would make a part darker because of one bright pixel. So it is guessed once
from all images of a data set, stored with it and with every bank built from it, and applied to every later
image. Knows integers. Does not know files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from exdd_core.errors import BadInput

BITS = (8, 10, 12, 14, 16)
HIGHEST = 65535
OUTLIERS = 1e-4  # share of pixels that may lie beyond the guessed depth: hot pixels and glints


@dataclass(frozen=True)
class Depth:
    """The window of values that is mapped to 0..255, both ends included.

    Images of 8 bits are never changed.
    """

    low: int
    high: int

    @classmethod
    def of_bits(cls, bits: int) -> Depth:
        return cls(0, 2**bits - 1)

    @classmethod
    def parse(cls, text: str) -> Depth:
        """Read "12" (bits) or "100-3000" (a window of values). Raises `BadInput`."""
        if text.strip() in map(str, BITS):
            return cls.of_bits(int(text))
        match = re.fullmatch(r"\s*(\d{1,5})\s*-\s*(\d{1,5})\s*", text)
        if not match or not int(match[1]) < int(match[2]) <= HIGHEST:
            raise BadInput(
                f'"{text}" is not a valid bit depth; use {", ".join(map(str, BITS[:-1]))} or {BITS[-1]} bits, or the '
                f"values of black and white up to {HIGHEST}, such as 100-3000."
            )
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        bits = (self.high + 1).bit_length() - 1
        return str(bits) if self == Depth.of_bits(bits) and bits in BITS else f"{self.low}-{self.high}"

    @property
    def title(self) -> str:
        """The depth as a person reads it: "12 bits (0 to 4095)"."""
        text = str(self)
        window = f"{self.low} to {self.high}"
        return f"values {window}" if "-" in text else f"{text} bits ({window})"

    def to_8_bits(self, values: np.ndarray) -> np.ndarray:
        """Map integers of any shape to uint8: the window linearly to 0..255, other values are clipped."""
        bits = (self.high + 1).bit_length() - 1
        if bits >= 8 and self == Depth.of_bits(bits):  # whole bits are cut off exactly
            return (np.minimum(values, self.high) >> (bits - 8)).astype(np.uint8)
        clipped = np.clip(values, self.low, self.high).astype(np.float64) - self.low
        return (clipped * 255 / (self.high - self.low)).astype(np.uint8)

    def beyond(self, values: np.ndarray) -> float:
        """The share of values, 0 to 1, that are clipped."""
        return float(((values < self.low) | (values > self.high)).mean())


def guess(images: Iterable[np.ndarray]) -> Depth | None:
    """The smallest depth that holds all but the share `OUTLIERS` of the pixels of deep images; None without images.

    images: integer arrays of more than 8 bits, any shape.
    """
    above = np.zeros(len(BITS), np.int64)
    total = 0
    for values in images:
        above += [int((values >= 2**bits).sum()) for bits in BITS]
        total += values.size
    if not total:
        return None
    return Depth.of_bits(next(bits for bits, n in zip(BITS, above, strict=True) if n <= OUTLIERS * total))
