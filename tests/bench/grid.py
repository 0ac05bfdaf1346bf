"""The fusions on real images with few and many known defects, real and painted: the grid that the README states.

Grouped 4-fold cross-validation. In every fold the same negative bank stands behind all cells and methods; painted
defects are made from that fold's training images and training defects alone. PatchCore, the default fusion, the
supervised baseline (logistic regression on patches) and, in the cell "all", anomalib's PatchCore are
measured in the same run, on the same features.

Prints per cell the mean over folds and seeds; for the default fusion also how many normal images came out above the
threshold and between both, and how well its probabilities are calibrated. Folds are kept as JSON in OUT/grid, so that
a run that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from exdd_core import datasets, synthesis
from exdd_core.datasets import DEFECT, Record
from exdd_core.detector import Detector, Settings, backbones
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.bank import BankImage
from exdd_core.detector.examples import Marked, PatchSet, TrainingImage, patch_set
from exdd_core.detector.inspection import probability
from exdd_core.detector.patch_features import PatchFeatures
from exdd_core.errors import BadInput
from exdd_core.evaluation import compute_metrics, reliability, tally
from exdd_core.images import Size, probe, read_image, read_mask, resize_mask
from exdd_core.synthesis.mask_spec import MaskSpec
from exdd_core.synthesis.masks import realise
from exdd_core.synthesis.request import Donor, PaintRequest
from tests.bench import real_images
from tests.bench.ways import KINDS

FOLDERS = {
    "tiles": ("magnetic_tile", Size(256, 256)),
    "commutators": ("kolektor_sdd", Size(256, 632)),
}
CELLS: dict[str, tuple[int | None, str]] = {  # real defective parts (None: all), engine
    "0+procedural": (0, "procedural"),
    "3": (3, ""),
    "3+procedural": (3, "procedural"),
    "8": (8, ""),
    "all": (None, ""),
    "all+transplant": (None, "transplant"),
}
METHODS = ("patchcore", "context", "supervised")
COLUMNS = ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap", "aupro")
FOLDS, PAINTED, FLOOR = 4, 100, 0.5
THINNED = 2  # pixels are measured on every second row and column: the same figures in a quarter of the time
Fold = dict[str, Any]


def main(options: argparse.Namespace) -> None:
    data = real_images()
    cells = list(CELLS) if options.cells == "every" else options.cells.split(",")
    if unknown := set(cells) - set(CELLS):
        sys.exit(f"There is no cell {min(unknown)}; choose from {', '.join(CELLS)}.")
    seeds = [int(seed) for seed in options.seeds.split(",")]
    for name in options.datasets.split(","):
        kept, began = Path(options.out) / "grid", time.monotonic()
        kept.mkdir(parents=True, exist_ok=True)
        images: Images | None = None
        found: dict[str, list[Fold]] = {cell: [] for cell in cells}
        for seed in seeds:
            for fold in range(FOLDS):
                files = {cell: kept / f"{name}_{seed}_{fold}_{cell}.json" for cell in cells}
                missing = [cell for cell, file in files.items() if not file.is_file()]
                if missing:
                    images = images or Images.read(data / FOLDERS[name][0], FOLDERS[name][1])
                    for cell, result in run(images, kept / f"{name}_{seed}_{fold}", seed, fold, missing):
                        files[cell].write_text(json.dumps(result))
                for cell, file in files.items():
                    found[cell].append(json.loads(file.read_text()))
        for cell in cells:
            show(name, cell, seeds, found[cell])
        print(f"({name}: {time.monotonic() - began:.0f} s)")


@dataclass(frozen=True)
class Images:
    """A data set with the features of every image. masks: bool (n, height, width) at the model's size."""

    root: Path
    size: Size
    records: list[Record]
    patches: PatchSet
    masks: np.ndarray
    backbone: Backbone

    @classmethod
    def read(cls, root: Path, size: Size) -> Images:
        _, records = datasets.read_layout(root)
        backbone = backbones.load(backbones.EMBEDDED)
        everything = patch_set(backbone, [_training(root, r) for r in records], size)
        masks = np.zeros((len(records), size.height, size.width), bool)
        for i, r in enumerate(records):
            if r.mask:
                masks[i] = resize_mask(read_mask(root / r.mask, probe(root / r.path)[::-1]), size)
        return cls(root, size, records, everything, masks, backbone)

    def sides(self, seed: int, fold: int, parts: int | None) -> tuple[list[int], list[int], list[int]]:
        """Normal training images, training defects of so many parts, and test images, by number."""
        test = datasets.folds(self.records, FOLDS, seed)[fold]
        training = [i for i in range(len(self.records)) if i not in test]
        few = [training[j] for j in datasets.limit_parts([self.records[i] for i in training], parts, seed)]
        defects = [i for i in few if self.records[i].label == DEFECT]
        return [i for i in few if self.records[i].label != DEFECT], defects, sorted(test)


def _training(root: Path, record: Record) -> TrainingImage:
    mask = root / record.mask if record.mask and record.label == DEFECT else None
    return TrainingImage(record.path, root / record.path, record.group, mask, record.defect_type)


def run(images: Images, kept: Path, seed: int, fold: int, cells: Sequence[str]) -> Iterator[tuple[str, Fold]]:
    """(cell, its figures) one after another, all on one negative bank."""
    normals, _, test = images.sides(seed, fold, 0)
    detector = Detector(images.backbone, Settings(size=images.size, seed=seed))
    detector.fit_patches(images.patches.take(normals), images.patches.take([]))
    for cell in cells:
        parts, engine = CELLS[cell]
        _, defects, _ = images.sides(seed, fold, parts)
        marked = list(images.patches.take(defects).marked())
        if engine:
            _, lenders, _ = images.sides(seed, fold, None)
            marked += painted(images, kept, engine, normals, lenders, [seed, fold])
        began = time.monotonic()
        detector.fit_defects(marked, fusions=METHODS)
        seconds = time.monotonic() - began
        found = measured(images, detector, test) | {"seconds": seconds}
        if cell == "all":  # the same in every cell, as it knows no defects
            found["methods"]["anomalib"] = anomalib(images, detector, test)
        yield cell, found


def painted(
    images: Images, kept: Path, name: str, normals: list[int], lenders: list[int], seed: list[int]
) -> list[Marked]:
    """Patches of PAINTED defects on normal training images. Kept in a file, as painting takes longest."""
    file = kept.with_name(f"{kept.name}_{name}.npz")
    if not file.is_file():
        made = list(_painted(images, name, normals, lenders, np.random.default_rng(seed)))
        training = [
            TrainingImage(f"{name}/{i}", image, group, mask, "", "synthetic", donor)
            for i, (image, mask, group, donor) in enumerate(made)
        ]
        several = patch_set(images.backbone, training, images.size)
        names = np.array([[i.id, i.group, i.donor] for i in several.images])
        np.savez(
            file, features=np.stack(several.features[:]).astype(np.float16), on=several.on_defect, names=names
        )
    with np.load(file) as found:
        origins = [
            BankImage(id, group, "", "synthetic", donor) for id, group, donor in found["names"].tolist()
        ]
        features = PatchFeatures(found["features"].astype(np.float32))
        return list(PatchSet(features, found["on"], origins).marked())


def _painted(
    images: Images, name: str, normals: list[int], lenders: list[int], rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray, str, str]]:
    """(image, mask, part of the image, part of the donor) of PAINTED defects that are visible."""
    parts = sorted({images.records[i].group for i in lenders})
    made = 0
    while made < PAINTED:
        source, number = images.records[int(rng.choice(normals))], int(rng.integers(2**31))
        pixels, donor, lender = read_image(images.root / source.path), None, None
        if name == "transplant":
            part = str(rng.choice(parts))
            lent = images.records[int(rng.choice([i for i in lenders if images.records[i].group == part]))]
            image, mask = images.root / lent.path, images.root / str(lent.mask)
            donor = Donor(lent.path, image, mask, lent.defect_type, lent.group, "train")
            lender = read_mask(mask, probe(image)[::-1])
            spec = MaskSpec("real", image=lent.path, vary=True)
        else:
            spec = MaskSpec("generated", shape=str(rng.choice(KINDS)), seed=number, vary=True)
        try:
            where = realise(spec, pixels, number, lender)
            painting = synthesis.engine_named(name).paint(
                PaintRequest(pixels, where, seed=number, donor=donor)
            )
        except BadInput:  # nothing visible, or a mask that marks nothing after binarising: another one
            continue
        made += 1
        yield painting.image, painting.mask, source.group, donor.group if donor else ""


def measured(images: Images, detector: Detector, test: list[int], methods: Sequence[str] = METHODS) -> Fold:
    """Metrics of every method that could be fitted, and what the default's threshold and probabilities are worth."""
    names = [name for name in methods if name in detector.fusions]
    scores = np.zeros((len(names), len(test)))
    masks = images.masks[test][:, ::THINNED, ::THINNED]
    maps = np.zeros((len(names), *masks.shape), np.float32)
    calibration, tallies = detector.fusions[detector.fusion.name][1], []
    began = time.monotonic()
    for at, image in enumerate(test):
        found_here = detector.score_patches(images.patches.features[image], names)
        for method, (score, of_patches, map) in enumerate(found_here):
            scores[method, at], maps[method, at] = score, map[::THINNED, ::THINNED]
            likely = probability(of_patches, calibration.patch_odds)
            if likely is not None and names[method] == detector.fusion.name:
                tallies.append(tally(likely, images.patches.on_defect[image]))
    seconds = (time.monotonic() - began) / len(test)
    truth = np.array([images.records[i].label == DEFECT for i in test])
    found: Fold = {"rows": detector.summary(), "scoring": seconds}
    found["methods"] = {
        n: compute_metrics(s, truth, m, masks) for n, s, m in zip(names, scores, maps, strict=True)
    }
    if detector.fusion.name not in names:
        return found
    own = scores[names.index(detector.fusion.name)]
    usual = own[~truth]
    found["alarms"] = float((usual > calibration.threshold).mean())
    found["unsure"] = float(((usual > calibration.doubt) & (usual <= calibration.threshold)).mean())
    found["missed"] = float((own[truth] <= calibration.doubt).mean())
    found["wanted"] = detector.settings.false_alarm_rate
    likely = probability(own, calibration.odds)
    if likely is not None and tallies:
        found["image_bins"] = tally(likely, truth).tolist()
        found["patch_bins"] = np.sum(tallies, axis=0).tolist()
    return found


def show(name: str, cell: str, seeds: list[int], folds: list[Fold]) -> None:
    print(
        f"\n{name}, {cell}: grouped 4-fold, mean over folds and seeds {', '.join(map(str, seeds))}, percent"
    )
    print(f"{'':16s}" + "".join(f"{c.replace('_', ' '):>13s}" for c in COLUMNS) + "  sd of image AUROC")
    plain = [np.mean([f["methods"]["patchcore"][c] for f in folds]) for c in COLUMNS]
    for method in (*METHODS, "anomalib"):
        every = [f["methods"][method] for f in folds if method in f["methods"]]
        if not every:
            continue
        values = [np.mean([m[c] for m in every]) for c in COLUMNS]
        line = f"{method:16s}" + "".join(f"{100 * v:13.1f}" for v in values)
        below = [
            c for c, v, p in zip(COLUMNS, values, plain, strict=True) if "auroc" in c and v < p - FLOOR / 100
        ]
        note = f"  below PatchCore: {', '.join(below)}" if below else ""
        print(f"{line} {100 * np.std([m['image_auroc'] for m in every]):8.1f}{note}")
    mean = {k: 100 * np.mean([f[k] for f in folds]) for k in ("alarms", "unsure", "missed", "wanted")}
    print(
        f"default: normal images above the threshold {mean['alarms']:.1f} (wanted {mean['wanted']:.1f}), "
        f"not sure {mean['unsure']:.1f}; defective ones called normal {mean['missed']:.1f}"
    )
    for kind in ("image", "patch"):
        known = [f[f"{kind}_bins"] for f in folds if f"{kind}_bins" in f]
        if known:
            total = np.sum(known, axis=0)
            line = " ".join(f"{100 * d / c:.0f}" if c >= 10 else "-" for c, _, d in total)
            print(
                f"{kind} probability: ECE {100 * reliability(total)['ece']:.1f}; share of defects by tenth: {line}"
            )
    fitting, scoring = np.mean([f["seconds"] for f in folds]), 1e3 * np.mean([f["scoring"] for f in folds])
    print(f"fitting {fitting:.1f} s, scoring {scoring:.0f} ms an image for all methods")


def anomalib(images: Images, detector: Detector, test: list[int]) -> dict[str, float]:
    """anomalib's PatchCore on the same rows, with its own weights of 9 neighbours and its own map.

    Its coreset is not run: it takes 20 times as long for the same greedy choice (see `speed`).
    """
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    layers = list(images.backbone.layers)
    model = PatchcoreModel(layers, "tf_efficientnet_lite0", pre_trained=False, num_neighbors=9).eval()
    model.memory_bank = torch.from_numpy(detector.negative.rows)
    shape, grid = (images.size.height, images.size.width), images.patches.features.shape[1:3]
    scores, maps = [], []
    with torch.inference_mode():
        for i in test:
            queries = torch.from_numpy(images.patches.features[i].reshape(-1, images.backbone.dimension))
            distances, where = model.nearest_neighbors(embedding=queries, n_neighbors=1)
            scores.append(float(model.compute_anomaly_score(distances[None], where[None], queries)))
            whole = model.anomaly_map_generator(distances.reshape(1, 1, *grid), shape)[0, 0].numpy()
            maps.append(whole[::THINNED, ::THINNED])
    truth = np.array([images.records[i].label == DEFECT for i in test])
    return compute_metrics(
        np.array(scores), truth, np.stack(maps), images.masks[test][:, ::THINNED, ::THINNED]
    )
