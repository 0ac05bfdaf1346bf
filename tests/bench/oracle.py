"""What paintings are worth at best and at worst: perfect ones, and crude ones that nobody looked at.

Grouped 4-fold cross-validation on real images. In every fold 0, 1, 3, 8 or all defective parts of the training side
are known. Perfect paintings are the real defects of all other training parts, merely labelled as painted; where no
real part is known a person vouches for them. Crude ones are 100 of the procedural engine, accepted unseen; where real
parts are known a person vouches for these too, and is wrong. Prints figures of `context` on the held-out fold; what
perfect paintings gain, as a share of what the same defects gain as real ones; what crude paintings cost; and what the
paintings find of the known real defects (`transfer`). Folds are kept as JSON in OUT/oracle, so that a run that was
interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

import numpy as np

from exdd_core.detector import Detector, Settings
from exdd_core.detector.examples import Marked
from tests.bench import real_images
from tests.bench.grid import FOLDERS, FOLDS, Images, measured, painted

KNOWN = {"0": 0, "1": 1, "3": 3, "8": 8, "all": None}  # defective parts of the training side
METHODS = ("patchcore", "context")
COLUMNS = ("image_auroc", "pixel_auroc", "pixel_ap")
LEAST = {"0": 60, "1": 70, "3": 80}  # percent of what the same defects gain as real ones
MOST_LOST = 0.5  # points of AUROC that crude paintings may cost


class Cell(TypedDict):
    """Figures of one fold with some known parts and some paintings. weight, transfer: None without paintings."""

    figures: dict[str, float]
    weight: float | None
    transfer: float | None


def main(options: argparse.Namespace) -> None:
    data, kept = real_images(), Path(options.out) / "oracle"
    kept.mkdir(parents=True, exist_ok=True)
    for name in options.datasets.split(","):
        began, images, found = time.monotonic(), None, list[dict[str, Cell]]()
        for seed in (int(seed) for seed in options.seeds.split(",")):
            for fold in range(FOLDS):
                file = kept / f"{name}_{seed}_{fold}.json"
                if not file.is_file():
                    images = images or Images.read(data / FOLDERS[name][0], FOLDERS[name][1])
                    file.write_text(json.dumps(dict(run(images, file.with_suffix(""), seed, fold))))
                found.append(json.loads(file.read_text()))
        show(name, found)
        print(f"({name}: {time.monotonic() - began:.0f} s)")


def run(images: Images, kept: Path, seed: int, fold: int) -> Iterator[tuple[str, Cell]]:
    """("known parts, paintings", cell) one after another, all on one negative bank."""
    normals, every, test = images.sides(seed, fold, None)
    detector = Detector(images.backbone, Settings(size=images.size, seed=seed))
    detector.fit_patches(images.patches.take(normals), images.patches.take([]))
    crude = painted(images, kept, "procedural", normals, every, [seed, fold])
    for known, parts in KNOWN.items():
        _, defects, _ = images.sides(seed, fold, parts)
        real = list(images.patches.take(defects).marked())
        others = [
            as_painted(marked) for marked in images.patches.take(sorted({*every} - {*defects})).marked()
        ]
        for paintings, several in (("none", []), ("perfect", others), ("crude", crude)):
            if paintings != "perfect" or several:
                vouched = paintings == "perfect" or parts != 0
                yield f"{known}, {paintings}", cell_of(images, detector, [*real, *several], test, vouched)


def as_painted(marked: Marked) -> Marked:
    """A real defect, labelled as a painting."""
    image = replace(marked.image, id=f"perfect/{marked.image.id}", origin="synthetic", engine="perfect")
    return replace(marked, image=image, unmarked=None)


def cell_of(
    images: Images, detector: Detector, defects: list[Marked], test: list[int], vouched: bool
) -> Cell:
    setup = detector.fitted.setup
    settings = replace(setup.settings, likeness=1.0 if vouched else None)
    detector.fitted = replace(detector.fitted, setup=replace(setup, settings=settings))
    detector.fit_defects(defects, fusions=METHODS)
    found = measured(images, detector, test, METHODS)["methods"]
    figures = found["context" if defects else "patchcore"]
    tried = detector.fitted.models.paintings
    weight, transfer = (tried[0].weight(), tried[0].transfer()) if tried else (None, None)
    return {
        "figures": {column: figures[column] for column in COLUMNS},
        "weight": weight,
        "transfer": transfer,
    }


def show(name: str, folds: list[dict[str, Cell]]) -> None:
    print(f"\n{name}: mean over {len(folds)} folds, percent")
    print(f"{'known':>6s} {'paintings':<10s}" + "".join(f"{c.replace('_', ' '):>13s}" for c in COLUMNS))
    mean = {
        cell: np.array([100 * np.mean([fold[cell]["figures"][c] for fold in folds]) for c in COLUMNS])
        for cell in folds[0]
    }
    for cell, values in mean.items():
        known, paintings = cell.split(", ")
        line = f"{known:>6s} {paintings:<10s}" + "".join(f"{value:13.1f}" for value in values)
        print(line + _remark(known, paintings, mean) + _earned([fold[cell] for fold in folds]))


def _remark(known: str, paintings: str, mean: dict[str, np.ndarray]) -> str:
    """What perfect paintings gain as a share of what the same defects gain, or what crude ones cost."""
    own, none, real = mean[f"{known}, {paintings}"], mean[f"{known}, none"], mean["all, none"]
    if paintings == "perfect":
        shares = 100 * (own - none) / (real - none)
        least = f" (wanted {LEAST[known]})" if known in LEAST else ""
        return "  gains " + ", ".join(f"{share:.0f}" for share in shares) + f" % of real ones' gain{least}"
    if paintings == "crude":
        lost = none[:2] - own[:2]
        verdict = "" if (lost <= MOST_LOST).all() else f": more than {MOST_LOST}"
        return "  costs " + ", ".join(f"{value:.1f}" for value in lost) + verdict
    return ""


def _earned(cells: list[Cell]) -> str:
    """The mean weight of the paintings, and the transfer of each fold."""
    weights = [cell["weight"] for cell in cells if cell["weight"] is not None]
    if not weights:
        return ""
    tried = " ".join("-" if cell["transfer"] is None else f"{cell['transfer']:.2f}" for cell in cells)
    return f"; weight {np.mean(weights):.2f}, transfer {tried}"
