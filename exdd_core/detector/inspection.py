"""What a detector says of one image: map, score, verdict, reason, and the bank rows behind every point of it.

Knows distances, banks' origins and how scores are calibrated. Does not know how banks are built or how distances
become scores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import expit

from exdd_core import images
from exdd_core.detector import fusion
from exdd_core.detector.bank import Bank
from exdd_core.images import Size
from exdd_core.region import Region


@dataclass(frozen=True)
class Calibration:
    """What scores mean: those of normal images that the detector has not seen, and the threshold set from them."""

    median: float  # of image scores
    threshold: float
    map_median: float  # of all map values
    map_threshold: float  # the same share of images lies above it with their map's maximum
    usual_distance: float  # median N of normal patches
    doubt: float = (
        math.inf
    )  # image scores from here to the threshold are too high to be sure of a normal image
    promised: float | None = (
        None  # rate that the threshold is guaranteed to keep (`fusion.conformal_threshold`)
    )
    odds: tuple[float, float] | None = None  # slope and offset of a defective image's log-odds, where known
    patch_odds: tuple[float, float] | None = None  # the same of a patch

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Calibration:
        """From what `dataclasses.asdict` made of one, maybe by way of JSON."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in state.items()}
        return cls(**values)


@dataclass(frozen=True)
class Match:
    """The bank row nearest to a patch, and where it came from."""

    distance: float
    image: str
    group: str
    defect_type: str
    origin: str
    row: int  # on its image's patch grid
    column: int
    grid: tuple[int, int]
    size: Size

    def box(self, shape: tuple[int, int]) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1) in pixels of its image, whose height and width are `shape`."""
        return images.patch_box(self.row, self.column, self.grid, self.size, shape)


@dataclass(frozen=True)
class Matches:
    """What both banks say of one patch. box: (x0, y0, x1, y1) in pixels of the inspected image."""

    row: int
    column: int
    box: tuple[int, int, int, int]
    negative: Match
    positive: Match | None

    @property
    def ratio(self) -> float | None:
        """N / P, one neighbour each; above 1 the patch is nearer to a defect than to normal surface."""
        return self.negative.distance / (self.positive.distance + fusion.EPS) if self.positive else None


@dataclass
class Inspection:
    """One image as one detector sees it.

    shape: (H, W) of the image as it came in. patch_scores, negative_distance, positive_distance: float32 (h, w) on the
    patch grid; distances to the nearest row. model_map: float32 at the model's size, upsampled and blurred (Eq. 21-23).
    inside: bool (h, w), the patches in the region of interest, None where all count. Outside, patch scores are lower
    than inside, maps have the median of normal images, and distances are those of the nearest patch inside.
    """

    score: float
    fusion: str
    calibration: Calibration
    shape: tuple[int, int]
    size: Size
    patch_scores: np.ndarray
    model_map: np.ndarray
    negative_distance: np.ndarray
    positive_distance: np.ndarray | None
    direction: np.ndarray | None  # float32 (h, w), the supervised direction where the fusion looks at it
    _negative_rows: np.ndarray = field(repr=False)
    _positive_rows: np.ndarray | None = field(repr=False)
    _negative: Bank = field(repr=False)
    _positive: Bank | None = field(repr=False)
    inside: np.ndarray | None = None
    _region: Region | None = field(repr=False, default=None)

    @property
    def threshold(self) -> float:
        return self.calibration.threshold

    @property
    def verdict(self) -> str:
        """ "defect" above the threshold, "not sure" where it comes close to it, else "normal"."""
        if self.score > self.threshold:
            return "defect"
        return "not sure" if self.score > self.calibration.doubt else "normal"

    @property
    def probability(self) -> float | None:
        """How probable a defect is, 0 to 1, were defects as frequent as in training; None where nothing tells."""
        likely = probability(self.score, self.calibration.odds)
        return None if likely is None else float(likely)

    @property
    def patch_probabilities(self) -> np.ndarray | None:
        """The same for every patch, float32 (h, w)."""
        likely = probability(self.patch_scores, self.calibration.patch_odds)
        if likely is None:
            return None
        likely = likely if self.inside is None else np.where(self.inside, likely, 0)
        return likely.astype(np.float32)

    @property
    def calibrated_score(self) -> float:
        """0 = median of normal images, 1 = threshold."""
        c = self.calibration
        return (self.score - c.median) / (c.threshold - c.median)

    @cached_property
    def map(self) -> np.ndarray:
        """Float32 (H, W) of the image's own size: the anomaly map, higher where more like a defect."""
        whole = images.restore_map(self.model_map, self.size, self.shape)
        return self.within(whole, np.float32(self.calibration.map_median))

    def within(self, of_pixels: np.ndarray, outside: Any = 0) -> np.ndarray:
        """An array (H, W) of the image's size with another value outside the region of interest, if there is one."""
        if self._region is None:
            return of_pixels
        return np.where(self._region.at(self.shape), of_pixels, np.array(outside, of_pixels.dtype))

    @property
    def calibrated_model_map(self) -> np.ndarray:
        """`model_map` on the scale 0 = median normal, 1 = threshold; float32."""
        c = self.calibration
        return (self.model_map - np.float32(c.map_median)) / np.float32(c.map_threshold - c.map_median)

    @cached_property
    def calibrated_map(self) -> np.ndarray:
        """`map` on the scale 0 = median normal, 1 = threshold; float32 (H, W)."""
        return self.within(images.restore_map(self.calibrated_model_map, self.size, self.shape))

    @property
    def peak(self) -> tuple[int, int]:
        """(y, x), in pixels of the image, of the middle of the patch with the highest score."""
        scores = (
            self.patch_scores if self.inside is None else np.where(self.inside, self.patch_scores, -np.inf)
        )
        row, column = np.unravel_index(scores.argmax(), scores.shape)
        x0, y0, x1, y1 = images.patch_box(
            int(row), int(column), self.patch_scores.shape, self.size, self.shape
        )
        return (y0 + y1 - 1) // 2, (x0 + x1 - 1) // 2

    def at(self, y: int, x: int) -> Matches:
        """The matched rows of both banks for the patch under pixel (y, x) of the image."""
        grid = self.patch_scores.shape
        row, column = images.patch_at(y, x, grid, self.size, self.shape)
        positive = None
        if (
            self._positive is not None
            and self._positive_rows is not None
            and self.positive_distance is not None
        ):
            positive = self._match(self._positive, self._positive_rows, self.positive_distance, row, column)
        negative = self._match(self._negative, self._negative_rows, self.negative_distance, row, column)
        return Matches(
            row, column, images.patch_box(row, column, grid, self.size, self.shape), negative, positive
        )

    @property
    def reason(self) -> str:
        """One sentence that says why the verdict is what it is."""
        y, x = self.peak
        matches = self.at(y, x)
        times = matches.negative.distance / self.calibration.usual_distance
        place = f"the patch at x {x}, y {y} is {times:.1f} times as far from normal surface as usual"
        if matches.positive is not None:
            known = f"{matches.positive.defect_type or 'defect'} in {matches.positive.image}"
            if matches.negative.distance > matches.positive.distance:
                place += f" and nearer to the {known} than to normal surface"
            else:
                place += f" and farther from the nearest known defect, the {known}, than from normal surface"
                if self.direction is not None and self.direction[matches.row, matches.column] > 0:
                    place += ", yet what was learnt from all known defects speaks for one here"
        if self.verdict == "defect":
            return f"Defect: {place}."
        if self.verdict == "not sure":
            return f"Not sure: close to the threshold, though below it; {place}."
        return f"Normal: even the most suspicious spot stays below the threshold; {place}."

    def _match(self, bank: Bank, rows: np.ndarray, distances: np.ndarray, row: int, column: int) -> Match:
        image, at_row, at_column = bank.origin(int(rows[row, column]))
        return Match(
            float(distances[row, column]),
            image.id,
            image.group,
            image.defect_type,
            image.origin,
            at_row,
            at_column,
            self.patch_scores.shape,
            self.size,
        )


def probability(scores: np.ndarray | float, odds: tuple[float, float] | None) -> np.ndarray | None:
    """Of a defect, float64 of the shape of `scores`, by a `Calibration`'s odds; None where these are."""
    if odds is None:
        return None
    slope, offset = odds
    return expit(slope * np.asarray(scores, np.float64) + offset)
