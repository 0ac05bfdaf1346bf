"""How well a detector finds defects: metrics, grouped cross-validation and the data set's own split.

Knows detectors, labels and masks. Knows nothing of the database or of who reads the figures. No physical part is
ever on both sides: folds come from `datasets.folds`, and test images reach no bank, fusion or threshold.

What a measurement gives back is all that a report needs later: figures with intervals, paired tests between methods,
and every image's score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from exdd_core.detector import Detector
from exdd_core.detector.inspection import probability
from exdd_core.errors import BadInput
from exdd_core.evaluation import resampling
from exdd_core.evaluation.account import account
from exdd_core.evaluation.metrics import FALSE_ALARM_RATE, METRIC_THREADS, Labelled, Measured, compute_metrics
from exdd_core.evaluation.test_images import (
    TestImages,
    looked_at,
    read_images,
    require_measurable,
    require_unseen,
    without_outside,
)
from exdd_core.progress import Progress


def evaluate_split(
    detector: Detector,
    rows: Sequence[Labelled],
    fusion_name: str | None = None,
    progress: Progress | None = None,
    *,
    rate: float = FALSE_ALARM_RATE,
) -> dict[str, Any]:
    """PatchCore and ExDD (by its own fusion, or the one named) on test images that its banks have not seen.

    Raises BadInput when one of the images' physical parts is in a bank.
    """
    judge = detector.with_fusion(fusion_name) if fusion_name else detector
    result = evaluate_methods({"patchcore": detector.patchcore(), "exdd": judge}, rows, progress, rate=rate)
    return {**result, "fusion": judge.fusion.name}


def evaluate_methods(
    detectors: Mapping[str, Detector],
    rows: Sequence[Labelled],
    progress: Progress | None = None,
    *,
    rate: float = FALSE_ALARM_RATE,
) -> dict[str, Any]:
    """Several detectors of one backbone and size, each by its own fusion, on test images that no bank has seen.

    Returns {"methods": {name: {metric: value}}, "fusions": {name: fusion}, "images", "defective", "masks"} and what
    `_account` tells; without a mask of any defect pixel figures are None. Raises BadInput when one of the images'
    physical parts is in a bank.
    """
    progress = progress or Progress()
    first = next(iter(detectors.values()))
    if any(looked_at(d, rows) != looked_at(first, rows) for d in detectors.values()):
        raise BadInput(
            "These bank versions look at images in different ways; compare ones of one backbone, size, bit depth and "
            "region of interest."
        )
    rows, left_out = without_outside(rows, first.region)
    require_measurable(rows, rate)
    require_unseen(list(detectors.values()), rows)
    read = read_images(rows, first.backbone, first.settings, progress, first.region)
    everything = list(range(len(rows)))
    measured = {
        name: [measure(detector, read, everything, {"exdd": ""}, progress)["exdd"]]
        for name, detector in detectors.items()
    }
    told = account(rows, [everything], measured, rate, progress)
    return {
        "methods": {name: read.told(folds[0].figures) for name, folds in measured.items()},
        "fusions": {name: detector.fusion.name for name, detector in detectors.items()},
        "images": len(rows),
        "defective": int(read.labels.sum()),
        **told,
        "masks": read.masked,
        "notes": [*left_out, *read.notes, *told["notes"]],
    }


def measure_images(
    detector: Detector, rows: Sequence[Labelled], read: TestImages, progress: Progress
) -> dict[str, float | None]:
    """The figures of one detector alone, by its own fusion, on images that `read_images` has read. Raises BadInput."""
    require_unseen([detector], rows)
    return read.told(measure(detector, read, list(range(len(rows))), {"exdd": ""}, progress)["exdd"].figures)


def measure(
    detector: Detector,
    read: TestImages,
    held_out: list[int],
    methods: Mapping[str, str],
    progress: Progress,
) -> dict[str, Measured]:
    """The methods {name: fusion} on the held-out images; the fusion "" is the detector's own."""
    wanted = {name: kind or detector.fusion.name for name, kind in methods.items()}
    fusions = list(dict.fromkeys(wanted.values()))
    size, patches = detector.settings.size, read.patches
    scores = np.zeros((len(fusions), len(held_out)))
    maps = np.zeros((len(fusions), len(held_out), size.height, size.width), np.float32)
    for name in fusions:
        detector.with_fusion(name)  # refused here where its parts do not allow it
    odds = [detector.fusions[name][1].patch_odds for name in fusions]
    tallies = [np.zeros((resampling.BINS, 3)) if known else None for known in odds]
    progress.begin("Scoring held-out images", len(held_out))
    for at, image in enumerate(held_out):
        inside = {} if patches.inside is None else {"inside": patches.inside[image]}
        for method, (score, of_patches, anomaly_map) in enumerate(
            detector.score_patches(patches.features[image], fusions, **inside)
        ):
            scores[method, at], maps[method, at] = score, anomaly_map
            likely = probability(of_patches, odds[method])
            if likely is not None and read.known[image]:
                which = inside.get("inside", ...)
                tallies[method] += resampling.tally(likely[which], patches.on_defect[image][which])
        progress.advance()
    truth, where, groups = read.labels[held_out], read.masks[held_out], patches.groups[held_out]
    counted = None if read.counted is None else read.counted[held_out]

    def measured(method: int) -> Measured:
        calibration, own = detector.fusions[fusions[method]][1], scores[method]
        spread = calibration.threshold - calibration.median
        return Measured(
            compute_metrics(own, truth, maps[method], where, counted),
            own,
            (own - calibration.median) / spread,
            calibration.promised,
            (calibration.doubt - calibration.median) / spread,
            (own > calibration.doubt) & (own <= calibration.threshold),
            probability(own, calibration.odds),
            tallies[method],
            resampling.contributions(own, truth, maps[method], where, groups.tolist(), counted),
        )

    with ThreadPoolExecutor(METRIC_THREADS) as pool:  # sorting millions of pixels leaves Python's lock
        by_fusion = dict(zip(fusions, pool.map(measured, range(len(fusions))), strict=True))
    return {name: by_fusion[kind] for name, kind in wanted.items()}
