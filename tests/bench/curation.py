"""What curation is worth: none, all, 100 at random, or what the tool recommends, of 200 painted defects.

Grouped 4-fold cross-validation on real images. In every fold the real defects of a few training parts are known; 100
procedural defects and 100 transplants of those few are painted on training images. The recommendation sees training
data only: each known part is held out in turn (`effect.advise`, as `candidates accept --recommended` does it). Prints
image and pixel figures on the held-out fold, for the default fusion and for `distance_ratio`. Folds are kept as JSON in
OUT/curation, so that a run that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from exdd_core.curation.queue import group_of
from exdd_core.detector import Detector, Settings
from exdd_core.detector.examples import DefectImage, Marked
from exdd_core.evaluation import Validation, advise
from tests.bench import real_images
from tests.bench.grid import FOLDERS, FOLDS, Images, measured, painted

KNOWN = {"tiles": 6, "commutators": 4}  # defective parts of each training side
FUSIONS = ("context", "distance_ratio")
RANDOM = 100  # candidates accepted at random,
DRAWS = 5  # and so many draws, whose figures are averaged: one is a matter of luck
ARMS = ("none", "all", "random", "recommended")
COLUMNS = ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap")
WORSE, BETTER = 0.5, 3.0  # points: what the recommendation may lose, and what it is to gain on tiles
Fold = dict[str, Any]


def main(options: argparse.Namespace) -> None:
    data = real_images()
    kept = Path(options.out) / "curation"
    kept.mkdir(parents=True, exist_ok=True)
    for name in options.datasets.split(","):
        began, images, found = time.monotonic(), None, []
        for seed in (int(seed) for seed in options.seeds.split(",")):
            for fold in range(FOLDS):
                file = kept / f"{name}_{seed}_{fold}.json"
                if not file.is_file():
                    images = images or Images.read(data / FOLDERS[name][0], FOLDERS[name][1])
                    result = run(images, file.with_suffix(""), KNOWN[name], seed, fold)
                    file.write_text(json.dumps(result))
                found.append(json.loads(file.read_text()))
        show(name, found)
        print(f"({name}: {time.monotonic() - began:.0f} s)")


def run(images: Images, kept: Path, known: int, seed: int, fold: int) -> Fold:
    """{fusion: {"groups": recommended, arm: figures}} of one fold."""
    normals, defects, test = images.sides(seed, fold, known)
    detector = Detector(images.backbone, Settings(size=images.size, seed=seed))
    detector.fit_patches(images.patches.take(normals), images.patches.take([]))
    real = list(images.patches.take(defects).marked())
    candidates: list[tuple[str, Marked]] = []
    for engine in ("procedural", "transplant"):
        made = painted(images, kept, engine, normals, defects, [seed, fold])
        candidates += [(engine, marked) for marked in made]
    detector.fit_defects(real, fusions=FUSIONS)
    groups: dict[str, dict[str, list[Marked]]] = {name: {} for name in FUSIONS}
    held = [DefectImage(images.patches.images[i], _flat(images.patches.features[i])) for i in defects]
    advice = {}
    for name in FUSIONS:
        judging = detector.with_fusion(name)
        for engine, marked in candidates:
            if group := group_of(judging, engine, marked):
                groups[name].setdefault(group, []).append(marked)
        advice[name] = advise(Validation(judging, held), groups[name])
    every = [marked for _, marked in candidates]
    draws = [np.random.default_rng([seed, fold, n]).permutation(len(every))[:RANDOM] for n in range(DRAWS)]
    sets: dict[str, list[list[Marked]]] = {
        "none": [[]],
        "all": [every],
        "random": [[every[i] for i in some] for some in draws],
    }
    found: Fold = {name: {"groups": list(advice[name].groups)} for name in FUSIONS}
    for arm, several in sets.items():
        figures = []
        for added in several:
            detector.fit_defects([*real, *added], fusions=FUSIONS)
            figures.append(measured(images, detector, test, FUSIONS)["methods"])
        for name in FUSIONS:
            found[name][arm] = {c: float(np.mean([f[name][c] for f in figures])) for c in figures[0][name]}
    for name in FUSIONS:
        chosen = [m for group in advice[name].groups for m in groups[name][group]]
        if not chosen:
            found[name]["recommended"] = found[name]["none"]
            continue
        detector.fit_defects([*real, *chosen], fusions=(name,))
        found[name]["recommended"] = measured(images, detector, test, (name,))["methods"][name]
    return found


def _flat(features: np.ndarray) -> np.ndarray:
    return features.reshape(-1, features.shape[-1])


def show(name: str, folds: list[Fold]) -> None:
    print(
        f"\n{name}, {KNOWN[name]} known defective parts, 200 candidates, mean over {len(folds)} folds, percent"
    )
    for fusion in FUSIONS:
        print(f"{fusion:16s}" + "".join(f"{c.replace('_', ' '):>13s}" for c in COLUMNS))
        mean = {
            arm: [100 * float(np.mean([f[fusion][arm][c] for f in folds])) for c in COLUMNS] for arm in ARMS
        }
        for arm in ARMS:
            print(f"{arm:>16s}" + "".join(f"{value:13.1f}" for value in mean[arm]))
        names = Counter(" + ".join(sorted(f[fusion]["groups"])) or "none" for f in folds)
        print("  recommended: " + "; ".join(f"{count} x {group}" for group, count in names.most_common()))
        own, best = mean["recommended"][0], max(values[0] for values in mean.values())
        verdicts = {
            f"not worse than none by more than {WORSE}": own >= mean["none"][0] - WORSE,
            "better than all": own > mean["all"][0],
            "better than 100 at random": own > mean["random"][0],
        }
        if name == "tiles":
            gained = own >= mean["none"][0] + BETTER or own >= best - WORSE
            verdicts[f"{BETTER} better than none, or within {WORSE} of the best"] = gained
        print("  " + "; ".join(f"{words}: {'yes' if holds else 'NO'}" for words, holds in verdicts.items()))
