"""The result for one image: anomaly map, score, verdict, reason, and the bank rows matched at every point.

Knows distances, the origins of bank rows and how scores are calibrated. Does not know how banks are built or
how distances become scores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath
from typing import Any

import numpy as np

from exdd_core import images
from exdd_core.detector import fusion
from exdd_core.detector.anomaly_map import on_scale_of_score
from exdd_core.detector.anomaly_regions import AnomalyRegion, RegionRules, regions_of_image
from exdd_core.detector.bank import Bank
from exdd_core.detector.thresholds import Calibration
from exdd_core.errors import BadInput
from exdd_core.images import Size
from exdd_core.later import special
from exdd_core.region import Region

CANNOT_JUDGE = "cannot judge"
# What the reason of a verdict begins with.
REASONS = {
    "defect": "Defect: ",
    "not sure": "Not sure: close to the threshold, though below it; ",
    "normal": "Normal: even the most suspicious spot stays below the threshold; ",
}


@dataclass(frozen=True)
class Match:
    """The bank row nearest to a patch, and its origin. row, column: on the patch grid of its image."""

    distance: float
    image: str
    group: str
    defect_type: str
    origin: str
    row: int
    column: int
    grid: tuple[int, int]
    size: Size

    @property
    def name(self) -> str:
        """The image's id for people: of a file that is in no data set, "file:PATH#TIME", the file's name alone."""
        path = self.image.removeprefix("file:")
        return self.image if path == self.image else PurePath(path.rpartition("#")[0]).name

    def box(self, shape: tuple[int, int]) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1) in pixels of its image, whose height and width are `shape`."""
        return images.patch_box(self.row, self.column, self.grid, self.size, shape)


@dataclass(frozen=True)
class Matches:
    """The matches of one patch in both banks. box: (x0, y0, x1, y1) in pixels of the inspected image."""

    row: int
    column: int
    box: tuple[int, int, int, int]
    negative: Match
    positive: Match | None

    @property
    def ratio(self) -> float | None:
        """N / P, one neighbour each; above 1 the patch is nearer to a defect than to normal surface."""
        return self.negative.distance / (self.positive.distance + fusion.EPS) if self.positive else None


@dataclass(frozen=True)
class KnownRegion:
    """A region of an inspected image, in pixels of it. peak and mean are of the shown map: 1 is the threshold.

    defect_type: of the defect nearest to its peak; None without a positive bank. probability: of a defect at its peak,
    0 to 1; None where unknown.
    """

    region: AnomalyRegion
    defect_type: str | None
    probability: float | None


@dataclass
class Inspection:
    """The result of one detector for one image.

    shape: (H, W) of the image. patch_scores, negative_distance, positive_distance: float32 (h, w) on the
    patch grid; the distances are those to the nearest row. model_map: float32 at the model's size, upsampled
    and blurred (Eq. 21-23). direction: float32 (h, w), the values of the supervised direction where the
    fusion uses it. inside: bool (h, w), the patches in the region of interest, None without a region. Outside
    it, patch scores are lower than inside, maps have the median of normal images, and distances repeat the
    nearest patch inside. rules: which regions count.
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
    direction: np.ndarray | None
    _negative_rows: np.ndarray = field(repr=False)
    _positive_rows: np.ndarray | None = field(repr=False)
    _negative: Bank = field(repr=False)
    _positive: Bank | None = field(repr=False)
    inside: np.ndarray | None = None
    _region: Region | None = field(repr=False, default=None)
    rules: RegionRules = RegionRules()

    @property
    def threshold(self) -> float:
        return self.calibration.threshold

    @cached_property
    def is_judged(self) -> bool:
        """Whether score, map and thresholds are finite numbers, without which there is no verdict."""
        known = math.isfinite(self.score) and math.isfinite(self.threshold)
        return known and not math.isnan(self.calibration.doubt) and bool(np.isfinite(self.model_map).all())

    @property
    def verdict(self) -> str:
        """ "defect" above the threshold, "not sure" above the level of doubt, else "normal"; "cannot judge" where
        something is no finite number."""
        if not self.is_judged:
            return CANNOT_JUDGE
        return self.calibration.verdict(self.score)

    @property
    def probability(self) -> float | None:
        """The probability of a defect, 0 to 1, if they are as frequent as in training; None where unknown."""
        likely = probability(self.score, self.calibration.odds) if self.is_judged else None
        return None if likely is None else float(likely)

    @property
    def patch_probabilities(self) -> np.ndarray | None:
        """The probability of a defect for every patch, float32 (h, w), 0 to 1; None where unknown."""
        likely = probability(self.patch_scores, self.calibration.patch_odds)
        if likely is None or not self.is_judged:
            return None
        likely = likely if self.inside is None else np.where(self.inside, likely, 0)
        return likely.astype(np.float32)

    @property
    def calibrated_score(self) -> float:
        """The score on a scale where 0 is the median of normal images and 1 the threshold."""
        return self.calibration.calibrated(self.score)

    @cached_property
    def map(self) -> np.ndarray:
        """The anomaly map, float32 (H, W) of the image's size, higher for defects."""
        whole = images.restore_map(self.model_map, self.size, self.shape)
        return self.within(whole, np.float32(self.calibration.map_median))

    def within(self, of_pixels: np.ndarray, outside: Any = 0) -> np.ndarray:
        """An array (H, W) of the image's size, with the value `outside` beyond the region of interest."""
        return of_pixels if self._region is None else self._region.kept(of_pixels, outside)

    @property
    def calibrated_model_map(self) -> np.ndarray:
        """`model_map` on a scale where 0 is the median of normal maps and 1 the threshold; float32."""
        c = self.calibration
        return (self.model_map - np.float32(c.map_median)) / np.float32(c.map_threshold - c.map_median)

    @cached_property
    def shown_model_map(self) -> np.ndarray:
        """The map on the scale of the image's score (`anomaly_map.on_scale_of_score`); `calibrated_model_map` for an
        image that cannot be judged."""
        values = self.calibrated_model_map
        if not self.is_judged:
            return values
        return on_scale_of_score(values, self.calibrated_score, self._counting_scores)

    @property
    def shown_map(self) -> np.ndarray:
        """`shown_model_map` at the image's size; float32 (H, W)."""
        return self.within(images.restore_map(self.shown_model_map, self.size, self.shape))

    @cached_property
    def calibrated_map(self) -> np.ndarray:
        """`map` on a scale where 0 is the median of normal maps and 1 the threshold; float32 (H, W)."""
        return self.within(images.restore_map(self.calibrated_model_map, self.size, self.shape))

    @cached_property
    def regions(self) -> list[KnownRegion]:
        """Where the shown map is above the threshold, the highest peak first; empty for an image that cannot be judged.

        A defect has at least one: where all are too small to count, it is the patch with the highest score.
        """
        if not self.is_judged:
            return []
        found = regions_of_image(
            *(self.shown_model_map, self._counting_scores, self.rules, self.size, self.shape),
            is_defect=self.verdict == "defect",
        )
        return [self._known(region) for region in found]

    def _known(self, region: AnomalyRegion) -> KnownRegion:
        x, y = region.at
        matches, likely = self.at(y, x), self.patch_probabilities
        probability = None if likely is None else float(likely[matches.row, matches.column])
        return KnownRegion(
            region, matches.positive.defect_type if matches.positive is not None else None, probability
        )

    @property
    def _counting_scores(self) -> np.ndarray:
        """Patch scores (h, w), -inf outside the region of interest."""
        return self.patch_scores if self.inside is None else np.where(self.inside, self.patch_scores, -np.inf)

    @property
    def peak(self) -> tuple[int, int]:
        """(y, x), in pixels of the image, of the centre of the patch with the highest score."""
        row, column = self.peak_patch
        x0, y0, x1, y1 = images.patch_box(row, column, self.patch_scores.shape, self.size, self.shape)
        return (y0 + y1 - 1) // 2, (x0 + x1 - 1) // 2

    @property
    def peak_patch(self) -> tuple[int, int]:
        """(row, column) on the patch grid of the patch with the highest score."""
        scores = self._counting_scores
        row, column = np.unravel_index(scores.argmax(), scores.shape)
        return int(row), int(column)

    def at(self, y: int, x: int) -> Matches:
        """The matched rows of both banks for the patch at pixel (y, x) of the image. Raises BadInput for an image that
        cannot be judged, whose patches match nothing."""
        if not self.is_judged:
            raise BadInput(self.reason)
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
        """One sentence that explains the verdict."""
        if not self.is_judged:
            return (
                "Cannot judge: the score or the heatmap of this image is not finite, so there is no "
                "verdict; inspect the image yourself, and build the bank again if other images have the "
                "same problem."
            )
        y, x = self.peak
        matches = self.at(y, x)
        usual = matches.negative.distance <= self.calibration.usual_distance
        place = f"the patch at x {x}, y {y} is {'as close to' if usual else 'farther from'} normal surface "
        place += "as usual" if usual else "than usual"
        if matches.positive is not None:
            known = f"{matches.positive.defect_type or 'defect'} in {matches.positive.name}"
            if matches.negative.distance > matches.positive.distance:
                place += f" and nearer to the {known} than to normal surface"
            else:
                place += f" and farther from the nearest known defect, the {known}, than from normal surface"
                if self.direction is not None and self.direction[matches.row, matches.column] > 0:
                    place += ", yet the direction learned from all known defects points to a defect here"
        return f"{REASONS[self.verdict]}{place}."

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


def reworded(reason: str, before: str, after: str) -> str:
    """The reason of a verdict, begun as one for the verdict `after`: the same score at another threshold."""
    short = f"{before.capitalize()}: "
    if reason.startswith(REASONS[before]):
        return REASONS[after] + reason.removeprefix(REASONS[before])
    return f"{after.capitalize()}: {reason.removeprefix(short)}" if reason.startswith(short) else reason


def probability(scores: np.ndarray | float, odds: tuple[float, float] | None) -> np.ndarray | None:
    """The probability of a defect, float64 of the shape of `scores`; None without a calibration's odds."""
    if odds is None:
        return None
    slope, offset = odds
    return special.expit(slope * np.asarray(scores, np.float64) + offset)
