"""The account of a measurement: intervals, paired tests, recall and probabilities of all measured methods.

Knows measured methods and resampling. Does not know detectors or how images are read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from exdd_core.evaluation import resampling
from exdd_core.evaluation.metrics import (
    METRICS,
    Labelled,
    Measured,
    found_by_type,
    threshold_at,
)
from exdd_core.evaluation.regions import summed
from exdd_core.evaluation.resampling import PairedDifference, share_interval
from exdd_core.measurements import (
    Account,
    Difference,
    Figures,
    FoundByType,
    FoundDifference,
    MetricDifference,
    PerImage,
    ProbabilityAccount,
    RecallAccount,
    RecallIntervals,
)
from exdd_core.progress import Progress
from exdd_core.sentences import count

FEWEST_PARTS = 6  # of each class; with fewer, resampled differences look more certain than they are


def account(
    rows: Sequence[Labelled],
    folds: Sequence[Sequence[int]],
    measured: Mapping[str, Sequence[Measured]],
    rate: float,
    progress: Progress,
) -> Account:
    """Intervals, paired tests, recall and probabilities of all measured methods.

    folds: for each fold the numbers of the rows that it held out. measured: {method: what it measured in each
    fold}. rate: the share of normal images that may be false alarms when recall is read.
    """
    images = _HeldOutImages.of(rows, folds)
    calibrated = {name: np.concatenate([m.calibrated for m in each]) for name, each in measured.items()}
    scores = {name: np.concatenate([m.scores for m in each]) for name, each in measured.items()}
    replicates = _replicates(measured, progress)
    figures = {name: over_folds(each) for name, each in measured.items()}
    return {
        "rate": rate,
        "intervals": {
            name: {m: resampling.interval(replicates[name][m], figures[name][m]) for m in METRICS}
            for name in measured
        },
        "comparisons": _differences(replicates, figures, images),
        "notes": images.notes(),
        "regions": {name: summed(fold.regions for fold in each) for name, each in measured.items()},
        "at_rate": _found(calibrated, images, lambda own: threshold_at(own[~images.defective], rate)),
        "at_threshold": _found(calibrated, images, lambda own: 1.0),
        "recall": {
            "at_rate": _recall(calibrated, images, rate),
            "at_threshold": _recall(calibrated, images, None),
        },
        "per_image": images.columns(),
        "scores": {name: own.tolist() for name, own in scores.items()},
        "calibrated": {name: own.tolist() for name, own in calibrated.items()},
        **_probabilities(measured, images.defective),
    }


def over_folds(
    each: Sequence[Measured], combine: Callable[..., np.ndarray | np.floating] = np.mean
) -> Figures:
    """The mean of every figure over the folds that have it, or another statistic."""
    return {m: float(resampling.over_folds([fold.figures[m] for fold in each], combine)) for m in METRICS}


@dataclass(frozen=True)
class _HeldOutImages:
    """The measured images, fold by fold. defective: bool (n,)."""

    rows: list[Labelled]
    fold: list[int]
    defective: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[Labelled], folds: Sequence[Sequence[int]]) -> _HeldOutImages:
        held_out = [rows[i] for fold in folds for i in fold]
        numbers = [number for number, fold in enumerate(folds) for _ in fold]
        return cls(held_out, numbers, np.array([row.label == "defect" for row in held_out]))

    @property
    def types(self) -> list[str]:
        return [row.defect_type for row in self.rows]

    @property
    def groups(self) -> list[str]:
        return [row.group for row in self.rows]

    @property
    def parts(self) -> tuple[int, int]:
        """The numbers of normal and of defective parts."""
        normal, defective = (
            len({row.group for row in self.rows if row.label == label}) for label in ("normal", "defect")
        )
        return normal, defective

    @property
    def enough(self) -> bool:
        """Whether there are enough parts of each class for a p-value."""
        return min(self.parts) >= FEWEST_PARTS

    def notes(self) -> list[str]:
        normal, defective = self.parts
        if not defective:
            return ["None of these images has a defect: only false alarms can be counted."]
        if not self.enough:
            return [
                f"With {normal} normal and {count(defective, 'defective part')}, intervals are rough and differences "
                "prove nothing."
            ]
        return []

    def columns(self) -> PerImage:
        return {
            "id": [row.id for row in self.rows],
            "group": self.groups,
            "label": [row.label for row in self.rows],
            "defect_type": self.types,
            "fold": self.fold,
        }


def _replicates(
    measured: Mapping[str, Sequence[Measured]], progress: Progress
) -> dict[str, dict[str, np.ndarray]]:
    """{method: {metric: replicates}}, see `resampling.replicates`."""
    progress.begin("Resampling parts for intervals", len(measured))
    found = {}
    for name, each in measured.items():
        found[name] = resampling.replicates([m.contributions for m in each])
        progress.advance()
    return found


def _differences(
    replicates: Mapping[str, Mapping[str, np.ndarray]],
    figures: Mapping[str, Figures],
    images: _HeldOutImages,
) -> list[MetricDifference]:
    """Every metric of every method minus that of each method before it."""
    # Without any defect all differences are NaN, and so is p.
    with_p = images.enough or not images.parts[1]
    found: list[MetricDifference] = []
    for a, b in combinations(figures, 2):
        for metric in METRICS:
            exact = figures[b][metric] - figures[a][metric]
            paired = resampling.compare(replicates[b][metric], replicates[a][metric], exact)
            difference = _difference(paired, with_p)
            found.append({"method": b, "against": a, "metric": metric, **difference})
    return found


def _found(
    calibrated: Mapping[str, np.ndarray],
    images: _HeldOutImages,
    threshold: Callable[[np.ndarray], float],
) -> dict[str, FoundByType]:
    """{method: images above the threshold that its calibrated scores (n,) lead to}."""
    return {
        name: found_by_type(own, images.defective, images.types, threshold(own))
        for name, own in calibrated.items()
    }


def _recall(
    calibrated: Mapping[str, np.ndarray], images: _HeldOutImages, rate: float | None
) -> RecallAccount:
    """Intervals and paired tests of the shares found. rate: of false alarms; None: at threshold 1."""
    resampled = {
        name: resampling.recall(own, images.defective, images.types, images.groups, rate)
        for name, own in calibrated.items()
    }
    intervals: dict[str, RecallIntervals] = {}
    for name, own in resampled.items():
        normal, defective, *of_types = own.parts
        types = zip(own.types.items(), of_types, strict=True)
        intervals[name] = {
            # At a rate, every draw sets the threshold that keeps it.
            "false_alarms": share_interval(own.false_alarms, normal if rate is None else 0),
            "defects": share_interval(own.defects, defective),
            "types": {kind: share_interval(shares, parts) for (kind, shares), parts in types},
        }
    comparisons: list[FoundDifference] = []
    for a, b in combinations(resampled, 2):
        exact = resampled[b].defects[0] - resampled[a].defects[0]
        paired = resampling.compare(resampled[b].defects, resampled[a].defects, exact)
        comparisons.append({"method": b, "against": a, **_difference(paired, images.enough)})
    return {"intervals": intervals, "comparisons": comparisons}


def _difference(paired: PairedDifference, with_p: bool) -> Difference:
    return {
        "difference": paired.difference,
        "low": paired.low,
        "high": paired.high,
        "p": paired.p if with_p else None,
    }


def _probabilities(measured: Mapping[str, Sequence[Measured]], defective: np.ndarray) -> ProbabilityAccount:
    """Verdicts and probabilities of all methods. defective: bool (n,), of the images fold by fold."""
    unsure = {name: np.concatenate([m.unsure for m in each]) for name, each in measured.items()}
    probabilities, tallies = {}, {}
    for name, each in measured.items():
        of_images = [m.probabilities for m in each if m.probabilities is not None]
        if len(of_images) == len(each):
            probabilities[name] = np.concatenate(of_images)
        of_patches = [m.patches for m in each if m.patches is not None]
        if len(of_patches) == len(each):
            tallies[name] = np.sum(of_patches, axis=0)
    return {
        "not_sure": {
            name: {"normal": int((own & ~defective).sum()), "defect": int((own & defective).sum())}
            for name, own in unsure.items()
        },
        "promised": {name: _highest([m.promised for m in each]) for name, each in measured.items()},
        "doubt": {
            name: [m.doubt if math.isfinite(m.doubt) else None for m in each]
            for name, each in measured.items()
        },
        "probabilities": {name: own.tolist() for name, own in probabilities.items()},
        "reliability": {
            name: resampling.reliability(resampling.tally(own, defective))
            for name, own in probabilities.items()
        },
        "patch_reliability": {name: resampling.reliability(own) for name, own in tallies.items()},
    }


def _highest(rates: Sequence[float | None]) -> float | None:
    """The highest rate that all folds promise; None where one promises none."""
    known = [rate for rate in rates if rate is not None]
    return max(known) if len(known) == len(rates) else None
