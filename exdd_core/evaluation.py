"""How well a detector finds defects: metrics, grouped cross-validation and the data set's own split.

Knows detectors, labels and masks. Knows nothing of the database or of who reads the figures. No physical part is
ever on both sides: folds come from `datasets.folds`, and test images reach no bank, fusion or threshold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from exdd_core import datasets, fusion, images
from exdd_core.backbones import Backbone
from exdd_core.detector import Detector, PatchSet, Settings, TrainingImage, patch_set
from exdd_core.errors import BadInput
from exdd_core.images import Size
from exdd_core.progress import Progress

METRIC_THREADS = 2  # each needs some 50 bytes a pixel
FPR_LIMIT = 0.3  # of AUPRO, as everybody's
METRICS = ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap", "aupro")


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


def metrics(scores: np.ndarray, labels: np.ndarray, maps: np.ndarray, masks: np.ndarray) -> dict[str, float]:
    """Image and pixel AUROC and average precision, and AUPRO; shares, 0 to 1, NaN where only one class is there.

    scores: float (n,). labels: bool (n,), True for defective. maps: float32 (n, H, W). masks: bool (n, H, W).
    """
    order = np.argsort(maps, axis=None)[::-1]  # once for all: what is sorted already is cheap to sort again
    flat_maps, flat_masks = maps.ravel()[order], masks.ravel()[order]
    return {
        "image_auroc": _if_both(roc_auc_score, labels, scores),
        "image_ap": _if_both(average_precision_score, labels, scores),
        "pixel_auroc": _if_both(roc_auc_score, flat_masks, flat_maps),
        "pixel_ap": _if_both(average_precision_score, flat_masks, flat_maps),
        "aupro": aupro(maps, masks, order=order),
    }


def aupro(
    maps: np.ndarray, masks: np.ndarray, limit: float = FPR_LIMIT, order: np.ndarray | None = None
) -> float:
    """Area under the per-region overlap curve up to a false-positive rate of `limit`, over `limit`.

    The overlap at a threshold is the mean, over the connected regions (8-neighbourhood) of all masks, of the share of
    the region above it; the false-positive rate is that of all pixels outside any mask (Bergmann et al. 2020).
    maps: float32 (n, H, W). masks: bool (n, H, W). order: pixel numbers by falling map value, where that is known.
    NaN where there is no defect or nothing else.
    """
    weights = np.zeros(masks.shape)  # of a region's pixel: 1 / (region's area * number of regions)
    regions = 0
    for i in np.flatnonzero(masks.any((1, 2))):
        count, region = cv2.connectedComponents(masks[i].astype(np.uint8), connectivity=8)
        areas = np.bincount(region.ravel(), minlength=count)
        inverse = np.concatenate([[0], 1 / areas[1:]])
        weights[i] = inverse[region]
        regions += count - 1
    outside = int((~masks).sum())
    if not regions or not outside:
        return math.nan
    if order is None:
        order = np.argsort(maps, axis=None)[::-1]
    values = maps.ravel()[order]
    last = np.flatnonzero(np.diff(values, append=-np.inf))  # pixels of one value pass the threshold together
    overlap = np.concatenate([[0], np.cumsum(weights.ravel()[order])[last] / regions])
    false = np.concatenate([[0], np.cumsum(~masks.ravel()[order])[last] / outside])
    at_limit = np.interp(limit, false, overlap)
    inside = false <= limit
    return float(np.trapezoid([*overlap[inside], at_limit], [*false[inside], limit]) / limit)


def cross_validate(
    rows: Sequence[Labelled],
    backbone: Backbone,
    settings: Settings,
    *,
    folds: int = 4,
    seed: int = 0,
    max_real_parts: int | None = None,
    fusions: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Grouped cross-validation: every fold has its own banks, built without its physical parts.

    fusions: names; "exdd" is the settings' own (its name, or the default for the defects at hand). Of each training
    side the defects of `max_real_parts` physical parts enter (all where None), drawn with `seed`.
    Returns {"folds", "seed", "methods": {name: {metric: mean over folds}}, "deviation": {name: {metric: standard
    deviation}}, "per_fold": {name: [...]}, "banks": what
    each fold's banks hold, "fusion": what "exdd" was in each fold}.
    Raises BadInput when there are fewer groups than folds or a fold has only one class.
    """
    progress = progress or Progress()
    names = list(fusions or ()) or [fusion.PatchCore.name, "exdd"]
    sides = datasets.folds(rows, folds, seed)
    for fold, test in enumerate(sides, 1):
        if len({rows[i].label for i in test}) == 1:
            missing = "normal" if rows[min(test)].label == "defect" else "defective"
            raise BadInput(f"Fold {fold} of {folds} has no {missing} image to measure with; use fewer folds.")
    patches, masks, labels = _read_all(rows, backbone, settings.size, progress)
    per_fold: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    banks, chosen = [], []
    for fold, test in enumerate(sides):
        held_out = sorted(test)
        training = [i for i in range(len(rows)) if i not in test]
        training = [
            training[j] for j in datasets.limit_parts([rows[i] for i in training], max_real_parts, seed)
        ]
        detector = Detector(backbone, replace(settings, seed=seed))
        progress.begin(f"Fold {fold + 1} of {folds}", 1)
        detector.fit_patches(
            patches.take([i for i in training if not labels[i]]),
            patches.take([i for i in training if labels[i]]),
            progress,
        )
        figures = _figures(detector, patches, masks, labels, held_out, names, progress)
        for name in names:
            per_fold[name].append(figures[name])
        banks.append(detector.summary())
        chosen.append(detector.fusion.name)
    return {
        "folds": folds,
        "seed": seed,
        "max_real_parts": max_real_parts,
        "methods": {n: {m: float(np.mean([f[m] for f in per_fold[n]])) for m in METRICS} for n in names},
        "deviation": {n: {m: float(np.std([f[m] for f in per_fold[n]])) for m in METRICS} for n in names},
        "per_fold": per_fold,
        "banks": banks,
        "fusion": chosen,
    }


def evaluate_split(
    detector: Detector,
    rows: Sequence[Labelled],
    fusion_name: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """PatchCore and ExDD (by its own fusion, or the one named) on test images that its banks have not seen.

    Raises BadInput when one of the images' physical parts is in a bank.
    """
    progress = progress or Progress()
    known = {i.group for bank in (detector.negative, detector.positive) if bank for i in bank.images}
    known_images = {i.id for bank in (detector.negative, detector.positive) if bank for i in bank.images}
    if any(r.id in known_images for r in rows):
        raise BadInput("Some of these images are in the bank itself; evaluate on images that were held back.")
    leaking = {r.group for r in rows} & known
    if leaking:
        raise BadInput(
            f"Part {min(leaking)} is on both sides of the split; import the data set with its groups."
        )
    judge = detector.with_fusion(fusion_name) if fusion_name else detector
    patches, masks, labels = _read_all(rows, detector.backbone, detector.settings.size, progress)
    names = [fusion.PatchCore.name, judge.fusion.name]
    figures = _figures(detector, patches, masks, labels, list(range(len(rows))), names, progress)
    methods = {"patchcore": figures[fusion.PatchCore.name], "exdd": figures[judge.fusion.name]}
    return {
        "methods": methods,
        "fusion": judge.fusion.name,
        "images": len(rows),
        "defective": int(labels.sum()),
    }


def _read_all(
    rows: Sequence[Labelled], backbone: Backbone, size: Size, progress: Progress
) -> tuple[PatchSet, np.ndarray, np.ndarray]:
    """Patches of all images, their masks bool (n, height, width) at the model's size, and labels bool (n,)."""
    training = [
        TrainingImage(r.id, r.path, r.group, r.mask if r.label == "defect" else None, r.defect_type)
        for r in rows
    ]
    for image, row in zip(training, rows, strict=True):
        if row.label == "defect" and image.mask is None:
            raise BadInput(
                f"{row.id} is defective but has no mask, which pixel figures need; add masks to the data set."
            )
    masks = np.zeros((len(rows), size.height, size.width), bool)
    for i, row in enumerate(rows):
        if row.label == "defect" and row.mask is not None:
            masks[i] = images.resize_mask(images.read_mask(row.mask, images.probe(row.path)[::-1]), size)
    return patch_set(backbone, training, size, progress), masks, np.array([r.label == "defect" for r in rows])


def _figures(
    detector: Detector,
    patches: PatchSet,
    masks: np.ndarray,
    labels: np.ndarray,
    held_out: list[int],
    names: Sequence[str],
    progress: Progress,
) -> dict[str, dict[str, float]]:
    """Metrics of each fusion named on the held-out images; "exdd" is the detector's own."""
    wanted = {n: detector.fusion.name if n == "exdd" else n for n in names}
    fusions = list(dict.fromkeys(wanted.values()))
    size = detector.settings.size
    scores = np.zeros((len(fusions), len(held_out)))
    maps = np.zeros((len(fusions), len(held_out), size.height, size.width), np.float32)
    progress.begin("Scoring held-out images", len(held_out))
    for at, image in enumerate(held_out):
        for method, (score, anomaly_map) in enumerate(
            detector.score_patches(patches.features[image], fusions)
        ):
            scores[method, at], maps[method, at] = score, anomaly_map
        progress.advance()
    with ThreadPoolExecutor(METRIC_THREADS) as pool:  # sorting millions of pixels leaves Python's lock
        truth, where = labels[held_out], masks[held_out]
        measured = pool.map(lambda i: metrics(scores[i], truth, maps[i], where), range(len(fusions)))
        by_fusion = dict(zip(fusions, measured, strict=True))
    return {n: by_fusion[wanted[n]] for n in names}


def _if_both(measure: Any, truth: np.ndarray, values: np.ndarray) -> float:
    return float(measure(truth, values)) if truth.any() and not truth.all() else math.nan
