"""What a measured method found and missed, with intervals and probabilities.

Knows figures and resampling. Does not know detectors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np

from exdd_core.evaluation import resampling
from exdd_core.evaluation.metrics import METRICS, Labelled, Measured, found_by_type, threshold_at
from exdd_core.progress import Progress

FEWEST_PARTS = 6  # of each kind; of fewer, drawing anew makes differences look surer than they are


def account(
    rows: Sequence[Labelled],
    folds: Sequence[Sequence[int]],
    measured: Mapping[str, Sequence[Measured]],
    rate: float,
    progress: Progress,
) -> dict[str, Any]:
    """What can be told of a measurement beside its figures; JSON-able. `folds` are the row numbers that each held out.

    {"rate", "notes": [sentence], "intervals": {name: {metric: [low, high]}}, "comparisons": [{"method", "against",
    "metric", "difference", "low", "high", "p"}], "at_rate" and "at_threshold": {name: as `found_by_type`, of calibrated
    scores, at the rate on these normal images and at the detector's own threshold}, "recall": as `_recall`,
    "per_image": {"id", "group", "label", "defect_type", "fold": lists}, "scores" and "calibrated": {name: list},
    "not_sure": {name: {"normal", "defect"}}, how many images got that verdict, "promised": {name: the rate of false
    alarms that all folds' own thresholds are guaranteed to keep, or None}, "doubt": {name: [calibrated score from which
    on, by fold]}, "probabilities": {name: list}, "reliability" and "patch_reliability": {name: as
    `confidence.reliability`, of images and of patches} of the methods that tell how probable a defect is}.
    """
    order = [i for fold in folds for i in fold]
    labels = np.array([rows[i].label == "defect" for i in order])
    types = [rows[i].defect_type for i in order]
    calibrated = {name: np.concatenate([m.calibrated for m in each]) for name, each in measured.items()}
    progress.begin("Drawing parts anew for intervals", len(measured))
    drawn = {}
    for name, each in measured.items():
        drawn[name] = resampling.replicates([m.contributions for m in each])
        progress.advance()
    figures = {name: over_folds(each) for name, each in measured.items()}
    comparisons = [
        {"method": b, "against": a, "metric": metric}
        | asdict(
            resampling.compare(drawn[b][metric], drawn[a][metric], figures[b][metric] - figures[a][metric])
        )
        for a, b in combinations(measured, 2)
        for metric in METRICS
    ]
    parts = [len({rows[i].group for i in order if rows[i].label == kind}) for kind in ("normal", "defect")]
    notes = []
    if not parts[1]:
        notes.append("None of these images has a defect: only false alarms can be counted.")
    elif min(parts) < FEWEST_PARTS:
        notes.append(
            f"With {parts[0]} normal and {parts[1]} defective parts intervals are rough and differences prove nothing."
        )
        comparisons = [item | {"p": None} for item in comparisons]
    at = {
        "at_rate": lambda own: threshold_at(own[~labels], rate),
        "at_threshold": lambda own: 1.0,
    }
    return {
        "rate": rate,
        "intervals": {
            name: {
                metric: resampling.interval(drawn[name][metric], figures[name][metric]) for metric in METRICS
            }
            for name in measured
        },
        "comparisons": comparisons,
        "notes": notes,
        **{
            key: {name: found_by_type(own, labels, types, where(own)) for name, own in calibrated.items()}
            for key, where in at.items()
        },
        "recall": _recall(
            calibrated, labels, types, [rows[i].group for i in order], rate, min(parts) >= FEWEST_PARTS
        ),
        "per_image": {
            "id": [rows[i].id for i in order],
            "group": [rows[i].group for i in order],
            "label": [rows[i].label for i in order],
            "defect_type": types,
            "fold": [number for number, fold in enumerate(folds) for _ in fold],
        },
        "scores": {
            name: np.concatenate([m.scores for m in each]).tolist() for name, each in measured.items()
        },
        "calibrated": {name: own.tolist() for name, own in calibrated.items()},
        **_probable(measured, labels),
    }


def _recall(
    calibrated: Mapping[str, np.ndarray],
    labels: np.ndarray,
    types: Sequence[str],
    groups: Sequence[str],
    rate: float,
    enough: bool,
) -> dict[str, Any]:
    """How sure the shares found are, parts drawn anew. {"at_rate", "at_threshold": {"intervals": {name: {
    "false_alarms", "defects": [low, high], "types": {type: the same}}}, "comparisons": [{"method",
    "against", "difference", "low", "high", "p"}], of all defects; p is None without `enough` parts}}."""
    told = {}
    for key, limit in (("at_rate", rate), ("at_threshold", None)):
        drawn = {
            name: resampling.recall(own, labels, types, groups, limit) for name, own in calibrated.items()
        }
        intervals = {
            name: {
                "false_alarms": _within(own.false_alarms),
                "defects": _within(own.defects),
                "types": {kind: _within(shares) for kind, shares in own.types.items()},
            }
            for name, own in drawn.items()
        }
        comparisons = []
        for a, b in combinations(drawn, 2):
            gain = drawn[b].defects[0] - drawn[a].defects[0]
            found = asdict(resampling.compare(drawn[b].defects, drawn[a].defects, gain))
            comparisons.append({"method": b, "against": a} | found | ({} if enough else {"p": None}))
        told[key] = {"intervals": intervals, "comparisons": comparisons}
    return told


def _within(shares: np.ndarray) -> list[float]:
    return resampling.interval(shares, float(shares[0]))


def _probable(measured: Mapping[str, Sequence[Measured]], labels: np.ndarray) -> dict[str, Any]:
    """ "not_sure" to "patch_reliability" of `_account`. labels: bool, of the images fold by fold."""
    unsure = {name: np.concatenate([m.unsure for m in each]) for name, each in measured.items()}
    probabilities, tallies = {}, {}
    for name, each in measured.items():
        told = [m.probabilities for m in each if m.probabilities is not None]
        if len(told) == len(each):
            probabilities[name] = np.concatenate(told)
        counted = [m.patches for m in each if m.patches is not None]
        if len(counted) == len(each):
            tallies[name] = np.sum(counted, axis=0)
    return {
        "not_sure": {
            name: {"normal": int((own & ~labels).sum()), "defect": int((own & labels).sum())}
            for name, own in unsure.items()
        },
        "promised": {name: _worst([m.promised for m in each]) for name, each in measured.items()},
        "doubt": {
            name: [m.doubt if math.isfinite(m.doubt) else None for m in each]
            for name, each in measured.items()
        },
        "probabilities": {name: own.tolist() for name, own in probabilities.items()},
        "reliability": {
            name: resampling.reliability(resampling.tally(own, labels)) for name, own in probabilities.items()
        },
        "patch_reliability": {name: resampling.reliability(own) for name, own in tallies.items()},
    }


def _worst(rates: Sequence[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return max(known) if len(known) == len(rates) else None


def over_folds(each: Sequence[Measured], combine: Any = np.mean) -> dict[str, float]:
    """Figures of several folds as one, without the folds that have none."""
    return {m: float(resampling.over_folds([fold.figures[m] for fold in each], combine)) for m in METRICS}
