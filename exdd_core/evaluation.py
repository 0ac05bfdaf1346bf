"""How well a detector finds defects: metrics, grouped cross-validation and the data set's own split.

Knows detectors, labels and masks. Knows nothing of the database or of who reads the figures. No physical part is
ever on both sides: folds come from `datasets.folds`, and test images reach no bank, fusion or threshold.

What a measurement gives back is all that a report needs later: figures with intervals, paired tests between methods,
and every image's score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from exdd_core import confidence, datasets, images
from exdd_core.confidence import FPR_LIMIT, Contributions, region_shares
from exdd_core.detector import Detector, Settings, fusion
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.bank import BankImage
from exdd_core.detector.examples import PatchSet, TrainingImage, patch_set
from exdd_core.detector.inspection import probability
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.region import HALF, Region
from exdd_core.sentences import count, listed

METRIC_THREADS = 2  # each needs some 50 bytes a pixel
METRICS = confidence.FIGURES
FEWEST_PARTS = 6  # of each kind; of fewer, drawing anew makes differences look surer than they are
FALSE_ALARM_RATE = 0.05  # of test normals, at which recall is read where nobody says otherwise


class Labelled(Protocol):
    """An image with what is known of it; rows of a workspace are such."""

    @property
    def id(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def label(self) -> str: ...
    @property
    def mask(self) -> Path | None: ...
    @property
    def group(self) -> str: ...
    @property
    def defect_type(self) -> str: ...


def metrics(
    scores: np.ndarray,
    labels: np.ndarray,
    maps: np.ndarray,
    masks: np.ndarray,
    counted: np.ndarray | None = None,
) -> dict[str, float]:
    """Image and pixel AUROC and AP, F1 of images, AUPRO; shares, 0 to 1, NaN where only one class is there.

    scores: float (n,). labels: bool (n,), True for defective. maps: float32 (n, H, W). masks: bool (n, H, W). counted:
    bool (n, H, W), the pixels that pixel figures look at; None for all.
    """
    order = np.argsort(maps, axis=None)[::-1]  # once for all: what is sorted already is cheap to sort again
    if counted is not None:
        order, masks = order[counted.ravel()[order]], masks & counted
    flat_maps, flat_masks = maps.ravel()[order], masks.ravel()[order]
    return {
        "image_auroc": _if_both(roc_auc_score, labels, scores),
        "image_ap": _if_both(average_precision_score, labels, scores),
        "image_f1": _if_both(lambda truth, values: best_f1(values, truth)[0], labels, scores),
        "pixel_auroc": _if_both(roc_auc_score, flat_masks, flat_maps),
        "pixel_ap": _if_both(average_precision_score, flat_masks, flat_maps),
        "aupro": aupro(maps, masks, order=order, counted=counted),
    }


def aupro(
    maps: np.ndarray,
    masks: np.ndarray,
    limit: float = FPR_LIMIT,
    order: np.ndarray | None = None,
    counted: np.ndarray | None = None,
) -> float:
    """Area under the per-region overlap curve up to a false-positive rate of `limit`, over `limit`.

    The overlap at a threshold is the mean, over the connected regions (8-neighbourhood) of all masks, of the share of
    the region above it; the false-positive rate is that of all pixels outside any mask (Bergmann et al. 2020).
    maps: float32 (n, H, W). masks: bool (n, H, W). order: pixel numbers by falling map value, where that is known.
    counted: as of `metrics`; what else there is of a region does not count as part of it. NaN where there is no defect
    or nothing else.
    """
    if counted is not None:
        masks = masks & counted
    weights = np.zeros(masks.shape)
    regions = 0
    for i in np.flatnonzero(masks.any((1, 2))):
        weights[i], count = region_shares(masks[i])
        regions += count
    outside = int((~masks).sum() if counted is None else (counted & ~masks).sum())
    if not regions or not outside:
        return math.nan
    if order is None:
        order = np.argsort(maps, axis=None)[::-1]
        order = order if counted is None else order[counted.ravel()[order]]
    values = maps.ravel()[order]
    last = np.flatnonzero(np.diff(values, append=-np.inf))  # pixels of one value pass the threshold together
    overlap = np.concatenate([[0], np.cumsum(weights.ravel()[order])[last] / regions])
    false = np.concatenate([[0], np.cumsum(~masks.ravel()[order])[last] / outside])
    at_limit = np.interp(limit, false, overlap)
    inside = false <= limit
    return float(np.trapezoid([*overlap[inside], at_limit], [*false[inside], limit]) / limit)


def best_f1(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """The largest F1 over all thresholds, and the threshold: images with this score or a higher one are alarms.

    scores: float (n,). labels: bool (n,), with at least one True.
    """
    precision, recall, thresholds = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    best = int(np.argmax(f1[:-1]))  # the last point has no threshold
    return float(f1[best]), float(thresholds[best])


def threshold_at(normal_scores: np.ndarray, rate: float) -> float:
    """The lowest threshold above which lies at most the share `rate` of these scores; an alarm is a score above it.

    Raises BadInput for a rate outside 0 to 1 or without a score.
    """
    if not 0 <= rate < 1 or not len(normal_scores):
        raise BadInput(
            f"A false-alarm rate of {rate} cannot be read off {len(normal_scores)} normal images; "
            "give a share from 0 to below 1 and images without a defect."
        )
    falling = np.sort(normal_scores)[::-1]
    return float(falling[math.floor(rate * len(falling) + 1e-9)])


def found_by_type(
    scores: np.ndarray, labels: np.ndarray, types: Sequence[str], threshold: float
) -> dict[str, Any]:
    """What lies above a threshold: {"threshold", "false_alarms", "normal", "types": {type: {"found", "count"}}}.

    scores: float (n,). labels: bool (n,). types: n names, "" where nobody named it.
    """
    alarm, kinds = scores > threshold, np.asarray(types, str)
    by_type = {
        kind: {
            "found": int((alarm & labels & (kinds == kind)).sum()),
            "count": int((labels & (kinds == kind)).sum()),
        }
        for kind in sorted(set(kinds[labels]))
    }
    false = int((alarm & ~labels).sum())
    return {"threshold": threshold, "false_alarms": false, "normal": int((~labels).sum()), "types": by_type}


def cross_validate(
    rows: Sequence[Labelled],
    backbone: Backbone,
    settings: Settings,
    *,
    folds: int = 4,
    seed: int = 0,
    max_real_parts: int | None = None,
    fusions: Sequence[str] | None = None,
    rate: float = FALSE_ALARM_RATE,
    painted: Sequence[TrainingImage] | None = None,
    roi: np.ndarray | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Grouped cross-validation: every fold has its own banks, built without its physical parts.

    fusions: names; "exdd" is the settings' own (its name, or the default for the defects at hand). Of each training
    side the defects of `max_real_parts` physical parts enter (all where None), drawn with `seed`.
    painted: synthetic defects, for Table 1: "exdd" is then "exdd_base", and "exdd_full" learns from these as well, but
    for those that were painted into, or lent by, a held-out part; with an empty list there is no "exdd_full".
    roi: bool (H, W), the region of interest, outside of which nothing counts; None where everything does.
    Returns {"folds", "seed", "methods": {name: {metric: mean over folds}}, "deviation": {name: {metric: standard
    deviation}}, "per_fold": {name: [...]}, "banks": what each fold's banks hold, "fusion": what "exdd" was in each
    fold, "masks": as `TestImages.masked`} and what `_account` tells, of scores that each fold calibrated on its own
    training images. Without a mask of any defect pixel figures are None.
    Raises BadInput when there are fewer groups than folds or a fold has only one class.
    """
    progress = progress or Progress()
    own = "exdd" if painted is None else "exdd_base"
    region = None if roi is None else Region(roi)
    rows, left_out = without_outside(rows, region)
    require_measurable(rows, rate)
    wanted = {name: name for name in fusions or (fusion.PatchCore.name, "exdd")}
    wanted = {own if name == "exdd" else name: "" if name == "exdd" else name for name in wanted}
    names = [*wanted, *(["exdd_full"] if painted else [])]
    sides = datasets.folds(rows, folds, seed)
    for fold, test in enumerate(sides, 1):
        if len({rows[i].label for i in test}) == 1:
            missing = "normal" if rows[min(test)].label == "defect" else "defective"
            raise BadInput(f"Fold {fold} of {folds} has no {missing} image to measure with; use fewer folds.")
    read = read_images(rows, backbone, settings, progress, region)
    patches, labels, more = read.patches, read.labels, []
    if painted:
        size, reader = settings.size, settings.read
        more = patch_set(backbone, list(painted), size, progress, reader, region).marked()
    measured: dict[str, list[_Measured]] = {name: [] for name in names}
    banks, chosen = [], []
    for fold, test in enumerate(sides):
        held_out = sorted(test)
        training = [i for i in range(len(rows)) if i not in test]
        training = [
            training[j] for j in datasets.limit_parts([rows[i] for i in training], max_real_parts, seed)
        ]
        detector = Detector(backbone, replace(settings, seed=seed), region)
        progress.begin(f"Fold {fold + 1} of {folds}", 1)
        defects = patches.take([i for i in training if labels[i]])
        normals, asked = (
            patches.take([i for i in training if not labels[i]]),
            [n for n in wanted.values() if n],
        )
        detector.fit_patches(normals, defects, progress, asked)
        found = _measure(detector, read, held_out, wanted, progress)
        banks.append(detector.summary())
        chosen.append(detector.fusion.name)
        if more:
            known = {rows[i].group for i in held_out}
            apart = [m for m in more if not known & {m.image.group, m.image.donor}]
            detector.fit_defects([*defects.marked(), *apart], progress, asked)
            found |= _measure(detector, read, held_out, {"exdd_full": ""}, progress)
        for name in names:
            measured[name].append(found[name])
    per_fold = {name: [read.told(fold.figures) for fold in measured[name]] for name in names}
    mean, spread = ({n: read.told(_over_folds(measured[n], by)) for n in names} for by in (np.mean, np.std))
    told = _account(rows, [sorted(test) for test in sides], measured, rate, progress)
    return {
        "folds": folds,
        "seed": seed,
        "max_real_parts": max_real_parts,
        "methods": mean,
        "deviation": spread,
        "per_fold": per_fold,
        "banks": banks,
        "fusion": chosen,
        **told,
        "masks": read.masked,
        "notes": [*left_out, *read.notes, *told["notes"]],
    }


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
    if any(_look(d, rows) != _look(first, rows) for d in detectors.values()):
        raise BadInput(
            "These bank versions look at images in different ways; compare ones of one backbone, size, bit depth and "
            "region of interest."
        )
    rows, left_out = without_outside(rows, first.region)
    require_measurable(rows, rate)
    _require_unseen(list(detectors.values()), rows)
    read = read_images(rows, first.backbone, first.settings, progress, first.region)
    everything = list(range(len(rows)))
    measured = {
        name: [_measure(detector, read, everything, {"exdd": ""}, progress)["exdd"]]
        for name, detector in detectors.items()
    }
    told = _account(rows, [everything], measured, rate, progress)
    return {
        "methods": {name: read.told(folds[0].figures) for name, folds in measured.items()},
        "fusions": {name: detector.fusion.name for name, detector in detectors.items()},
        "images": len(rows),
        "defective": int(read.labels.sum()),
        **told,
        "masks": read.masked,
        "notes": [*left_out, *read.notes, *told["notes"]],
    }


def _look(detector: Detector, rows: Sequence[Labelled]) -> tuple[Any, ...]:
    """What decides on the features that a detector sees of these images: a bit depth only where one is deep."""
    settings = detector.settings
    deep = any(images.header(row.path).deep for row in rows)
    depth = (settings.depth, settings.by_brightest) if deep else ()
    return detector.backbone.fingerprint, settings.size, depth, detector.region


def measure_images(
    detector: Detector, rows: Sequence[Labelled], read: TestImages, progress: Progress
) -> dict[str, float | None]:
    """The figures of one detector alone, by its own fusion, on images that `read_images` has read. Raises BadInput."""
    _require_unseen([detector], rows)
    return read.told(_measure(detector, read, list(range(len(rows))), {"exdd": ""}, progress)["exdd"].figures)


def _require_unseen(detectors: Sequence[Detector], rows: Sequence[Labelled]) -> None:
    """Raise BadInput where one of the images, or another image of its physical part, has taught a detector."""
    known = taught_by(*detectors)
    if {i.id for i in known} & {r.id for r in rows}:
        raise BadInput("Some of these images are in the bank itself; evaluate on images that were held back.")
    leaking = {r.group for r in rows} & {i.group for i in known}
    if leaking:
        raise BadInput(
            f"Part {min(leaking)} is on both sides of the split; import the data set with its groups."
        )


def taught_by(*detectors: Detector) -> list[BankImage]:
    """Every image that a bank, a fusion or a threshold of these was made of."""
    rooms = [
        room
        for d in detectors
        for room in (d.negative, d.positive, d.defects, d.held_out)
        if room is not None
    ]
    return [image for room in rooms for image in room.images]


def require_measurable(rows: Sequence[Labelled], rate: float = 0.0) -> None:
    """Raise BadInput where nothing can be measured on these images, before anything long begins."""
    normal = sum(row.label != "defect" for row in rows)
    if not normal:
        raise BadInput(
            "There is no normal image to test with, so no false alarm can be counted; import some."
        )
    threshold_at(np.zeros(normal), rate)


@dataclass(frozen=True)
class TestImages:
    """Images to measure with, as a detector sees them: n of them.

    masks: bool (n, height, width) at the model's size. labels: bool (n,), True for defective. known: bool (n,), False
    for a defective image whose mask is missing or empty: of its pixels nothing is known. counted: bool (n, height,
    width), the pixels that pixel figures look at; None for all.
    """

    __test__ = False  # no test of pytest's

    patches: PatchSet
    masks: np.ndarray
    labels: np.ndarray
    known: np.ndarray
    counted: np.ndarray | None

    @property
    def masked(self) -> dict[str, int]:
        """How many defective images have a usable mask, and how many have none."""
        return {
            "used": int((self.labels & self.known).sum()),
            "missing": int((self.labels & ~self.known).sum()),
        }

    @property
    def notes(self) -> list[str]:
        """What pixel figures leave out, in a sentence."""
        used, missing = self.masked.values()
        if not missing:
            return []
        if not used:
            return ["No defective image has a mask, so there are no pixel figures."]
        have = "has" if missing == 1 else "have"
        return [
            f"{missing} of {used + missing} defective images {have} no mask; pixel figures leave them out."
        ]

    def told(self, figures: Mapping[str, float]) -> dict[str, float | None]:
        """Figures with None for those that nothing can be said of, as no defective image has a mask."""
        none = () if self.masked["used"] or not self.masked["missing"] else confidence.PIXEL_FIGURES
        return {name: None if name in none else value for name, value in figures.items()}


def read_images(
    rows: Sequence[Labelled],
    backbone: Backbone,
    settings: Settings,
    progress: Progress,
    region: Region | None = None,
) -> TestImages:
    """Patches, masks and labels of all images. Raises BadInput where one cannot be read."""
    size, labels = settings.size, np.array([r.label == "defect" for r in rows])
    training, known = [], np.ones(len(rows), bool)
    masks = np.zeros((len(rows), size.height, size.width), bool)
    counted = None
    if region is not None:
        counted = np.stack([region.share(size, images.probe(r.path)[::-1]) >= HALF for r in rows])
    for i, row in enumerate(rows):
        mask = _truth(row)
        known[i] = row.label != "defect" or mask is not None
        place = None if mask is None else row.mask
        training.append(TrainingImage(row.id, row.path, row.group, place, row.defect_type))
        if mask is not None:
            masks[i] = images.resize_mask(mask if region is None else mask & region.at(mask.shape), size)
    if not known.all():
        counted = np.ones_like(masks) if counted is None else counted
        counted[~known] = False
    patches = patch_set(backbone, training, size, progress, settings.read, region)
    return TestImages(patches, masks, labels, known, counted)


def _truth(row: Labelled) -> np.ndarray | None:
    """Where the defect of an image is, bool (H, W); None for a normal one and where no mask, or an empty one, tells."""
    if row.label != "defect" or row.mask is None:
        return None
    mask = images.read_mask(row.mask, images.probe(row.path)[::-1])
    return mask if mask.any() else None


def without_outside(rows: Sequence[Labelled], region: Region | None) -> tuple[Sequence[Labelled], list[str]]:
    """The images without those whose defect lies wholly outside the region of interest, and a sentence on these.

    Such an image is not normal, nor has it a defect that counts.
    """
    if region is None:
        return rows, []
    outside = []
    for row in rows:
        mask = _truth(row)
        if mask is not None and not (mask & region.at(mask.shape)).any():
            outside.append(row.id)
    if not outside:
        return rows, []
    words = ("image is left out: its defect lies", "images are left out: their defects lie")
    sentence = f"{count(len(outside), *words)} outside the region of interest ({listed(outside)})."
    return [row for row in rows if row.id not in set(outside)], [sentence]


@dataclass(frozen=True)
class _Measured:
    """One method on the held-out images of one fold: scores float (n,), calibrated as `Inspection.calibrated_score`.

    promised: the rate of false alarms that the threshold is guaranteed to keep, None where nothing is. doubt: the
    calibrated score from which on the verdict is "not sure" and no longer "normal". unsure: bool (n,), whose
    verdict that is. probabilities: float (n,) of a defect, and patches: as `confidence.tally`, those of all patches;
    None where nothing tells.
    """

    figures: dict[str, float]
    scores: np.ndarray
    calibrated: np.ndarray
    promised: float | None
    doubt: float
    unsure: np.ndarray
    probabilities: np.ndarray | None
    patches: np.ndarray | None
    contributions: Contributions


def _measure(
    detector: Detector,
    read: TestImages,
    held_out: list[int],
    methods: Mapping[str, str],
    progress: Progress,
) -> dict[str, _Measured]:
    """The methods {name: fusion} on the held-out images; the fusion "" is the detector's own."""
    wanted = {name: kind or detector.fusion.name for name, kind in methods.items()}
    fusions = list(dict.fromkeys(wanted.values()))
    size, patches = detector.settings.size, read.patches
    scores = np.zeros((len(fusions), len(held_out)))
    maps = np.zeros((len(fusions), len(held_out), size.height, size.width), np.float32)
    for name in fusions:
        detector.with_fusion(name)  # refused here where its parts do not allow it
    odds = [detector.fusions[name][1].patch_odds for name in fusions]
    tallies = [np.zeros((confidence.BINS, 3)) if known else None for known in odds]
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
                tallies[method] += confidence.tally(likely[which], patches.on_defect[image][which])
        progress.advance()
    truth, where, groups = read.labels[held_out], read.masks[held_out], patches.groups[held_out]
    counted = None if read.counted is None else read.counted[held_out]

    def measured(method: int) -> _Measured:
        calibration, own = detector.fusions[fusions[method]][1], scores[method]
        spread = calibration.threshold - calibration.median
        return _Measured(
            metrics(own, truth, maps[method], where, counted),
            own,
            (own - calibration.median) / spread,
            calibration.promised,
            (calibration.doubt - calibration.median) / spread,
            (own > calibration.doubt) & (own <= calibration.threshold),
            probability(own, calibration.odds),
            tallies[method],
            confidence.contributions(own, truth, maps[method], where, groups.tolist(), counted),
        )

    with ThreadPoolExecutor(METRIC_THREADS) as pool:  # sorting millions of pixels leaves Python's lock
        by_fusion = dict(zip(fusions, pool.map(measured, range(len(fusions))), strict=True))
    return {name: by_fusion[kind] for name, kind in wanted.items()}


def _account(
    rows: Sequence[Labelled],
    folds: Sequence[Sequence[int]],
    measured: Mapping[str, Sequence[_Measured]],
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
        drawn[name] = confidence.replicates([m.contributions for m in each])
        progress.advance()
    figures = {name: _over_folds(each) for name, each in measured.items()}
    comparisons = [
        {"method": b, "against": a, "metric": metric}
        | asdict(
            confidence.compare(drawn[b][metric], drawn[a][metric], figures[b][metric] - figures[a][metric])
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
                metric: confidence.interval(drawn[name][metric], figures[name][metric]) for metric in METRICS
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


def _over_folds(each: Sequence[_Measured], combine: Any = np.mean) -> dict[str, float]:
    """Figures of several folds as one, without the folds that have none."""
    return {m: float(confidence.over_folds([fold.figures[m] for fold in each], combine)) for m in METRICS}


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
            name: confidence.recall(own, labels, types, groups, limit) for name, own in calibrated.items()
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
            found = asdict(confidence.compare(drawn[b].defects, drawn[a].defects, gain))
            comparisons.append({"method": b, "against": a} | found | ({} if enough else {"p": None}))
        told[key] = {"intervals": intervals, "comparisons": comparisons}
    return told


def _within(shares: np.ndarray) -> list[float]:
    return confidence.interval(shares, float(shares[0]))


def _probable(measured: Mapping[str, Sequence[_Measured]], labels: np.ndarray) -> dict[str, Any]:
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
            name: confidence.reliability(confidence.tally(own, labels)) for name, own in probabilities.items()
        },
        "patch_reliability": {name: confidence.reliability(own) for name, own in tallies.items()},
    }


def _worst(rates: Sequence[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return max(known) if len(known) == len(rates) else None


def _if_both(measure: Any, truth: np.ndarray, values: np.ndarray) -> float:
    return float(measure(truth, values)) if truth.any() and not truth.all() else math.nan
