"""All fusions on the real images, grouped 4-fold, compared with the figures that SPEC.md gives for them.

Goes through the command line, as a user would: import into a fresh workspace, then `evaluate --folds 4 --fusion all`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time

import numpy as np

from tests.bench import ROOT, real_images

FOLDERS = {"tiles": "magnetic_tile", "commutators": "kolektor_sdd"}
COLUMNS = ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap")
SPEC = {  # percent; image AUROC, image AP, pixel AUROC, pixel AP. The paper's score stands there without its weights.
    "tiles": {
        "patchcore": (88.1, 79.5, 86.5, 38.5),
        "paper": (78.5, 65.0),
        "ratio": (45.6, 30.2, 61.4, 5.5),
        "distance_ratio": (82.1, 72.2, 87.6, 36.6),
        "open_set": (87.7, 78.6, 89.2, 39.3),
        "supervised": (80.4, 72.1, 89.8, 38.0),
        "stacked": (89.1, 81.7, 92.8, 45.9),
    },
    "commutators": {
        "patchcore": (86.7, 65.0, 96.5, 19.8),
        "paper": (74.6, 48.7),
        "ratio": (94.9, 88.8, 98.7, 20.6),
        "distance_ratio": (98.6, 94.4, 99.6, 29.9),
        "open_set": (88.0, 62.8, 97.8, 22.2),
        "supervised": (99.6, 97.7, 99.8, 27.0),
        "stacked": (99.4, 96.5, 99.8, 30.2),
    },
}


def main(options: argparse.Namespace) -> None:
    data = real_images()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        for name in options.datasets.split(","):
            _exdd(folder, "import", data / FOLDERS[name], "--name", name, "--backbone", "efficientnet_lite0")
            began = time.monotonic()
            runs = [
                _exdd(folder, "evaluate", "--dataset", name, "--folds", 4, "--fusion", "all", "--seed", seed)
                for seed in seeds
            ]
            _print(name, runs, time.monotonic() - began)


def _exdd(workspace: str, *words: object) -> dict:
    command = [sys.executable, "-m", "exdd_core", *map(str, words), "--workspace", workspace, "--json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _print(name: str, runs: list[dict], seconds: float) -> None:
    seeds = ", ".join(str(run["seed"]) for run in runs)
    print(f"\n{name}: grouped 4-fold, mean over folds and seeds {seeds}, percent; SPEC's figure in brackets")
    print(
        f"({seconds:.0f} s; {', '.join(sorted(set(sum((run['fusion'] for run in runs), []))))} is what exdd chose)"
    )
    print(
        f"{'':16s}" + "".join(f"{c.replace('_', ' '):>17s}" for c in COLUMNS) + "    AUPRO  sd of image AUROC"
    )
    for method in runs[0]["methods"]:
        spec = SPEC[name].get(method, ())
        line = f"{method:16s}"
        for i, column in enumerate(COLUMNS):
            mean = 100 * np.mean([run["methods"][method][column] for run in runs])
            line += f"{mean:9.1f} " + (f"({spec[i]:5.1f})" if i < len(spec) else " " * 7)
        pro = 100 * np.mean([run["methods"][method]["aupro"] for run in runs])
        spread = 100 * np.std([fold["image_auroc"] for run in runs for fold in run["per_fold"][method]])
        print(f"{line} {pro:8.1f} {spread:8.1f}")
