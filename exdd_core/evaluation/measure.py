"""Measure fitted detectors on test images that no bank, fusion or threshold was made from.

Knows detectors, labels and masks. Does not know the database or how detectors are built. A measurement
returns all that a report needs: figures with intervals, paired tests between methods, and the score of every
image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NotRequired

import numpy as np

from exdd_core.detector import Detector
from exdd_core.detector.anomaly_regions import RegionRules
from exdd_core.detector.feature_cache import FeatureCache
from exdd_core.detector.inspection import probability
from exdd_core.errors import BadInput
from exdd_core.evaluation import resampling
from exdd_core.evaluation.account import account
from exdd_core.evaluation.metrics import FALSE_ALARM_RATE, METRIC_THREADS, Labelled, Measured, compute_metrics
from exdd_core.evaluation.part_curves import contributions
from exdd_core.evaluation.regions import region_counts
from exdd_core.evaluation.test_images import (
    TestImages,
    judgeable,
    read_images,
    reading_of,
    require_measurable,
    require_unseen,
    without_outside,
)
from exdd_core.measurements import Account, FiguresWithMasks, MaskCounts
from exdd_core.progress import Progress
from exdd_core.region import HALF, covered
from exdd_core.spill import Spill, array_or_spill

MAPS_IN_MEMORY = 1 << 30  # bytes of anomaly maps that are held in memory


class Evaluation(Account):
    """What an evaluation on test images returns, as JSON.

    methods: {method: figures}. fusions: {method: name of its fusion}; fusion: that of "exdd", where
    `evaluate_split` measured. images, defective: their numbers. masks: the numbers of defective images with
    and without a mask.
    """

    methods: dict[str, FiguresWithMasks]
    fusions: dict[str, str]
    images: int
    defective: int
    masks: MaskCounts
    fusion: NotRequired[str]


def evaluate_split(
    detector: Detector,
    rows: Sequence[Labelled],
    fusion_name: str | None = None,
    progress: Progress | None = None,
    *,
    rate: float = FALSE_ALARM_RATE,
    cache: FeatureCache | None = None,
) -> Evaluation:
    """Measure PatchCore and ExDD, by its own fusion or the named one, on test images.

    Raises BadInput where a bank was built from one of their physical parts.
    """
    judge = detector.with_fusion(fusion_name) if fusion_name else detector
    methods = {"patchcore": detector.patchcore(), "exdd": judge}
    result = evaluate_methods(methods, rows, progress, rate=rate, cache=cache)
    return {**result, "fusion": judge.fusion.name}


def evaluate_methods(
    detectors: Mapping[str, Detector],
    rows: Sequence[Labelled],
    progress: Progress | None = None,
    *,
    rate: float = FALSE_ALARM_RATE,
    cache: FeatureCache | None = None,
) -> Evaluation:
    """Measure several detectors {method: detector}, each by its own fusion, on test images.

    All must read images alike: the same backbone, size, bit depth and region. rate: the share of normal
    images that may be false alarms when recall is read. cache: of features. Pixel figures are None where no
    defect has a mask. Raises BadInput where a bank was built from one of the physical parts.
    """
    progress = progress or Progress()
    first = next(iter(detectors.values()))
    if any(reading_of(d, rows) != reading_of(first, rows) for d in detectors.values()):
        raise BadInput(
            "These bank versions read images differently; compare versions with the same backbone, size, "
            f"bit depth and region of interest.{_bordered(detectors.values())}"
        )
    rows, left_out = without_outside(rows, first.region)
    require_measurable(rows, rate)
    require_unseen(list(detectors.values()), rows)
    read = read_images(rows, first.backbone, first.settings, progress, first.region, cache)
    rows, read, unknown = judgeable(rows, read)
    require_measurable(rows, rate)
    everything = list(range(len(rows)))
    found: dict[str, Measured] = {}
    for searched, methods in _searched_once(detectors):
        found |= measure(searched, read, everything, methods, progress)
    measured = {name: [found[name]] for name in detectors}
    told = account(rows, [everything], measured, rate, progress)
    return {
        "methods": {name: read.told(folds[0].figures) for name, folds in measured.items()},
        "fusions": {name: detector.fusion.name for name, detector in detectors.items()},
        "images": len(rows),
        "defective": int(read.labels.sum()),
        **told,
        "masks": read.masked,
        "notes": [*left_out, *unknown, *read.notes, *told["notes"]],
    }


def _bordered(detectors: Iterable[Detector]) -> str:
    """What to do with versions that were built before the border of letterboxes was left out; "" where none was."""
    old = any(one.settings.size.keep_aspect and one.region is None for one in detectors)
    return " Build versions again that still count the border of letterboxes." if old else ""


def _searched_once(detectors: Mapping[str, Detector]) -> list[tuple[Detector, dict[str, str]]]:
    """Detectors to search with, and the methods {method: fusion} that each measures by one search of its banks.

    PatchCore, as `Detector.patchcore` returns it, is measured by the detector whose normal bank it shares.
    """
    by_bank: dict[int, tuple[Detector, dict[str, str]]] = {}
    for method, detector in detectors.items():
        name = detector.fusion.name
        whole = next((d for d in detectors.values() if d is not detector and _shares(d, detector)), detector)
        by_bank.setdefault(id(whole), (whole, {}))[1][method] = name
    return list(by_bank.values())


def _shares(whole: Detector, plain: Detector) -> bool:
    """Whether `plain` is PatchCore with the normal bank and calibration of `whole`, so that its figures are the
    same."""
    name = plain.fusion.name
    return (
        plain.positive is None
        and whole.positive is not None
        and whole.negative is plain.negative
        and whole.fusions.get(name) is plain.fusions[name]
    )


def measure_images(
    detector: Detector, rows: Sequence[Labelled], read: TestImages, progress: Progress
) -> FiguresWithMasks:
    """The figures of one detector, by its own fusion, on images that `read_images` has read.

    Raises BadInput where a bank was built from one of the physical parts.
    """
    require_unseen([detector], rows)
    everything = list(range(len(rows)))
    return read.told(measure(detector, read, everything, {"exdd": ""}, progress)["exdd"].figures)


def measure(
    detector: Detector,
    read: TestImages,
    held_out: list[int],
    methods: Mapping[str, str],
    progress: Progress,
) -> dict[str, Measured]:
    """Measure methods {method: name of its fusion} on held-out images. The fusion "" is the detector's own.

    held_out: numbers of the images in `read`. Raises BadInput for a fusion that the detector's parts do not
    allow.
    """
    wanted = {name: kind or detector.fusion.name for name, kind in methods.items()}
    fusions = list(dict.fromkeys(wanted.values()))
    for name in fusions:
        detector.with_fusion(name)
    scored = _score(detector, read, held_out, fusions, progress)
    truth, masks, groups = read.labels[held_out], read.masks.take(held_out), read.patches.groups[held_out]
    counted = None if read.counted is None else read.counted.take(held_out)
    rules = RegionRules(detector.settings.region_area, detector.settings.region_gap)

    def measured(number: int) -> Measured:
        calibration, scores = detector.fusions[fusions[number]][1], scored.scores[number]
        maps, spread = scored.maps[number], calibration.threshold - calibration.median
        return Measured(
            figures=compute_metrics(scores, truth, maps, masks, counted),
            scores=scores,
            calibrated=(scores - calibration.median) / spread,
            promised=calibration.promised,
            doubt=(calibration.doubt - calibration.median) / spread,
            unsure=(scores > calibration.doubt) & (scores <= calibration.threshold),
            probabilities=probability(scores, calibration.odds),
            patches=scored.tallies[number],
            contributions=contributions(scores, truth, maps, masks, groups.tolist(), counted),
            regions=region_counts(
                maps, masks, calibration.map_threshold, rules, read.known[held_out], counted
            ),
        )

    with ThreadPoolExecutor(METRIC_THREADS) as pool:  # sorting millions of pixels releases the GIL
        by_fusion = dict(zip(fusions, pool.map(measured, range(len(fusions))), strict=True))
    return {name: by_fusion[kind] for name, kind in wanted.items()}


@dataclass(frozen=True)
class _Scored:
    """f fusions on m images. scores: float (f, m). maps: for each fusion float32 (m, height, width), on disk where
    there are many.

    tallies: for each fusion its patch probabilities, as `resampling.tally`; None where it gives none.
    """

    scores: np.ndarray
    maps: list[np.ndarray | Spill]
    tallies: list[np.ndarray | None]


def _score(
    detector: Detector, read: TestImages, held_out: list[int], fusions: Sequence[str], progress: Progress
) -> _Scored:
    size, patches = detector.settings.size, read.patches
    scores = np.zeros((len(fusions), len(held_out)))
    shape, most = (size.height, size.width), MAPS_IN_MEMORY // len(fusions)
    maps = [array_or_spill(len(held_out), shape, np.float32, most) for _ in fusions]
    odds = [detector.fusions[name][1].patch_odds for name in fusions]
    tallies = [np.zeros((resampling.BINS, 3)) if known else None for known in odds]
    progress.begin("Scoring held-out images", len(held_out))
    for at, image in enumerate(held_out):
        counting = inside = None if patches.inside is None else patches.inside[image]
        found = detector.score_patches(patches.features[image], fusions, inside)
        if inside is None and size.keep_aspect and read.counted is not None:
            counting = covered(read.counted[image], patches.on_defect[image].shape) >= HALF
        which = ... if counting is None else counting
        for number, (score, of_patches, anomaly_map) in enumerate(found):
            scores[number, at], maps[number][at] = score, anomaly_map
            likely = probability(of_patches, odds[number])
            if likely is not None and read.known[image]:
                tallies[number] += resampling.tally(likely[which], patches.on_defect[image][which])
        progress.advance()
    return _Scored(scores, maps, tallies)
