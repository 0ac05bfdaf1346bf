"""Is a positive bank of one layer better than one of all? The thesis proposes lower levels for defects.

Grouped 4-fold cross-validation on real images, all real defects of the training side. Row hygiene, the greedy choice
and the number of rows are those of the program; only the columns of the positive bank differ, and the fusions are
fitted anew on them. The negative bank and all else stay as they are.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np

from exdd_core.datasets import DEFECT
from exdd_core.detector import Detector, Settings
from exdd_core.detector.anomaly_map import anomaly_map
from exdd_core.detector.bank import Bank
from exdd_core.detector.coreset import greedy_coreset
from exdd_core.detector.evidence import held_out_distances
from exdd_core.detector.fusion import NEIGHBOURS, Context, DistanceRatio, Distances, Evidence, Fusion
from exdd_core.detector.held_out import rows_of_part
from exdd_core.detector.scoring import distances_of
from exdd_core.evaluation import compute_metrics
from tests.bench import real_images
from tests.bench.grid import COLUMNS, FOLDERS, FOLDS, THINNED, Images

KINDS = (Context, DistanceRatio)
Figures = dict[tuple[str, str], list[dict[str, float]]]  # (layers, fusion) -> one entry a fold


def main(options: argparse.Namespace) -> None:
    data = real_images()
    for name in options.datasets.split(","):
        began, found = time.monotonic(), Figures()
        images = Images.read(data / FOLDERS[name][0], FOLDERS[name][1])
        layers = _layers(images)
        for seed in (int(seed) for seed in options.seeds.split(",")):
            for fold in range(FOLDS):
                run(images, layers, seed, fold, found)
        print(f"\n{name}, positive bank of one layer or of all, mean over folds and seeds, percent")
        print(f"{'':34s}" + "".join(f"{c.replace('_', ' '):>13s}" for c in COLUMNS))
        for (layer, fusion), folds in found.items():
            values = (100 * float(np.mean([f[c] for f in folds])) for c in COLUMNS)
            print(f"{fusion:16s}{layer:18s}" + "".join(f"{v:13.1f}" for v in values))
        print(f"({name}: {time.monotonic() - began:.0f} s)", flush=True)


def _layers(images: Images) -> dict[str, slice]:
    """Which columns of a feature belong to a layer."""
    blank = np.zeros((1, images.size.height, images.size.width, 3), np.uint8)
    ends = np.cumsum([0, *(found.shape[1] for found in images.backbone(blank))]).tolist()
    columns = [slice(*pair) for pair in zip(ends[:-1], ends[1:], strict=True)]
    return {"all layers": slice(None)} | dict(zip(images.backbone.layers, columns, strict=True))


def run(images: Images, layers: dict[str, slice], seed: int, fold: int, found: Figures) -> None:
    normals, defects, test = images.sides(seed, fold, None)
    detector = Detector(images.backbone, Settings(size=images.size, seed=seed))
    marked = list(images.patches.take(defects).marked())
    detector.fit_patches(images.patches.take(normals), images.patches.take([]))
    detector.fit_defects(marked, fusions=[kind.name for kind in KINDS])
    truth = np.array([images.records[i].label == DEFECT for i in test])
    masks = images.masks[test][:, ::THINNED, ::THINNED]
    seen = [distances_of(detector.fitted, images.patches.features[i]) for i in test]
    for layer, columns in layers.items():
        bank = _bank(detector, columns)
        fitted = [kind.fit(_evidence(detector, bank, columns)) for kind in KINDS]
        distances = [
            replace(d, positive=_search(bank, images.patches.features[i], columns))
            for d, i in zip(seen, test, strict=True)
        ]
        for fusion in fitted:
            scores = np.array([fusion.image_score(d) for d in distances])
            maps = np.stack([_map(detector, fusion, d) for d in distances])
            found.setdefault((layer, fusion.name), []).append(compute_metrics(scores, truth, maps, masks))


def _bank(detector: Detector, columns: slice) -> Bank:
    """As many rows as the detector keeps, chosen and compared by these columns alone."""
    known, wanted = detector.fitted.examples.defects, detector.positive
    assert wanted is not None
    rows = np.ascontiguousarray(known.rows[:, columns])
    kept = np.sort(greedy_coreset(rows, len(wanted), seed=detector.settings.seed))
    return Bank(rows[kept], known.image[kept], known.position[kept], known.images)


def _evidence(detector: Detector, bank: Bank, columns: slice) -> Evidence:
    """Held-out normal images, none of which meets its own part, and how many parts the defects come from."""
    held, usual = detector.fitted.held_out, held_out_distances(detector.fitted)
    assert held is not None and held.features is not None
    shape = usual.negative.shape[1:3]
    positive = [
        _search(bank, np.asarray(f, np.float32).reshape(*shape, -1), columns, part)
        for f, part in zip(held.features, held.parts, strict=True)
    ]
    parts = np.where(detector.fitted.examples.defects.real, detector.fitted.examples.defects.groups, "")
    return Evidence(replace(usual, positive=np.stack(positive)), parts=parts)


def _search(bank: Bank, features: np.ndarray, columns: slice, part: str | None = None) -> np.ndarray:
    """Distances of features (h, w, d) to the nearest rows, (h, w, k)."""
    queries = np.ascontiguousarray(features[..., columns].reshape(features.shape[0] * features.shape[1], -1))
    without = None if part is None else rows_of_part(bank, part)
    return bank.search(queries, NEIGHBOURS, without)[0].reshape(*features.shape[:2], -1)


def _map(detector: Detector, fusion: Fusion, distances: Distances) -> np.ndarray:
    return anomaly_map(fusion.patch_scores(distances), fusion.sigma, detector.settings.size)[
        ::THINNED, ::THINNED
    ]
