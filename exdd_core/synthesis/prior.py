"""Where known defects lie: position, angle and area of their masks, and a kernel density over them.

Knows masks as arrays and random numbers. Does not know files, types of defects, or which split a mask is of.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from exdd_core.errors import BadInput
from exdd_core.synthesis.mask_geometry import Array

FEW = 3  # known masks from which they say where defects lie
ANYWHERE = 0.1  # share of masks that lie anywhere, since known defects do not show every place
LEAST = (0.01, 0.01, 3.0, 0.1)  # the least spread of a kernel: two shares, degrees, natural logarithm
ANY_ANGLE = 180 / math.sqrt(12)  # degrees: standard deviation of an angle that is uniform over 180 degrees


@dataclass(frozen=True)
class Lying:
    """How one mask lies in its image: middle as shares of the image's width and height, direction of the longer axis
    in degrees clockwise (0 to 180), area as a share of the image."""

    x: float
    y: float
    angle: float
    area: float


@dataclass(frozen=True)
class Place:
    """One kernel of the density: how the defect of `image` lies, and the standard deviations around that.

    spread: of x, y, the angle in degrees, and the natural logarithm of the area.
    """

    image: str
    lying: Lying
    spread: tuple[float, float, float, float]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Place:
        """The inverse of `dataclasses.asdict`. Raises `BadInput`."""
        try:
            lying = Lying(**{name: float(value) for name, value in values["lying"].items()})
            x, y, angle, area = (float(value) for value in values["spread"])
            return cls(str(values["image"]), lying, (x, y, angle, area))
        except (TypeError, ValueError, KeyError, AttributeError):
            raise BadInput("The position of this mask cannot be read; leave it out.") from None

    def drawn(self, rng: np.random.Generator) -> Lying:
        """One sample of the kernel, within the image."""
        x, y, angle, area = rng.normal(0, self.spread)
        return Lying(
            x=float(np.clip(self.lying.x + x, 0, 1)),
            y=float(np.clip(self.lying.y + y, 0, 1)),
            angle=float(self.lying.angle + angle) % 180,
            area=float(min(1.0, self.lying.area * math.exp(area))),
        )

    @property
    def why(self) -> str:
        """A sentence on why a mask lies here."""
        name = self.image.partition("/")[2] or self.image
        return f"Placed near where the defect of {name} lies ({self.lying.x:.2f} across, {self.lying.y:.2f} down)."


def lying_of(mask: Array) -> Lying | None:
    """How the largest piece of a mask, bool (H, W), lies; None for an empty mask."""
    count, labels, stats, middles = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count == 1:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    rows, columns = np.nonzero(labels == largest)
    x, y = middles[largest]
    angle = 0.0
    if len(rows) > 2:
        vectors = np.linalg.eigh(np.cov(np.stack([columns, rows])))[1]
        angle = math.degrees(math.atan2(vectors[1, 1], vectors[0, 1])) % 180
    height, width = mask.shape
    return Lying((x + 0.5) / width, (y + 0.5) / height, angle, len(rows) / mask.size)


def draw(known: Sequence[tuple[str, Lying]], rng: np.random.Generator) -> Place | None:
    """A kernel of the density over known masks, each with its image; None for a mask that may lie anywhere.

    It is anywhere where fewer than FEW are known, and with probability ANYWHERE. The spread is Scott's: the standard
    deviation times n^(-1/8) in four dimensions (Scott 1992, Multivariate Density Estimation).
    """
    if len(known) < FEW or rng.random() < ANYWHERE:
        return None
    image, lying = known[int(rng.integers(len(known)))]
    return Place(image, lying, spread_of([one for _, one in known]))


def spread_of(several: Sequence[Lying]) -> tuple[float, float, float, float]:
    """The standard deviations of the density's kernels, see `draw`.

    That of angles is circular, of doubled angles, since a direction and its opposite are the same.
    """
    x, y, angle, area = np.array([(one.x, one.y, one.angle, one.area) for one in several]).T
    together = abs(np.exp(2j * np.radians(angle)).mean())
    turned = min(ANY_ANGLE, math.degrees(math.sqrt(max(0.0, -2 * math.log(max(together, 1e-9))))) / 2)
    deviations = (x.std(), y.std(), turned, np.log(area).std())
    shrink = len(several) ** (-1 / 8)
    found = [max(least, shrink * float(one)) for least, one in zip(LEAST, deviations, strict=True)]
    return found[0], found[1], found[2], found[3]
