"""KolektorSDD2's shape from import to inspection, and many small images: memory of each step, time against the floor.

`python -m tests.bench real_size --images N` runs three parts, each in a process of its own. `paper` makes N training
images of 230 x 630 pixels with defects and takes wide_resnet50_2 with random weights; `small` does the same with images
of 256 x 256, of which a handful are defective, and the embedded backbone. Both also run with N / 2, as growth with the
number of images would show. `features` builds from all 2,331 images' 5.2 million patches; their features are drawn from
a seed whenever they are read, in place of a network's that lie on disk. Memory is the highest resident one of a step on
top of that of the idle process. The floor, of a build and of an evaluation, is the processor time of the network alone
and of the matrix products that an exact coreset and an exact search need. Images and weights are made up: the figures
say nothing about detection. Linux only, which tells the highest memory of a step.

`python -m tests.bench.real_size PART IMAGES FOLDER [SHARE]` runs one part once, with SHARE of the normal patches kept.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

import numpy as np

from exdd_core.detector.backbones import Backbone
from exdd_core.progress import Progress
from tests.bench import ROOT
from tests.bench.real_size_data import (
    DEFECTIVE,
    GB,
    TRAINING,
    Drawn,
    Meter,
    gflops,
    nameless_backbone,
    random_weights,
    threads,
    write_images,
)

RATIO = {"paper": 0.01, "small": 0.01, "features": 0.0005}
IMAGES, INSPECTED = 240, 20
FEWEST_TESTED, MOST_TESTED = 20, 2_000
HANDFUL = 50  # defective images of each split among many small ones


class StepFigures(TypedDict):
    """One step: seconds on the clock and of processor time, and GB of memory on top of the idle process."""

    step: str
    seconds: float
    cpu: float
    peak_gb: float


class PartFigures(TypedDict):
    """One part. images: for training. floor: seconds of processor time that a step needs at least."""

    part: str
    images: int
    patches: int
    rows: int
    idle_gb: float
    disk_gb: float
    steps: list[StepFigures]
    floor: dict[str, float]
    gflops: float
    threads: list[int]


def main(options: argparse.Namespace) -> None:
    asked = [name for name in options.steps.split(",") if name] or ["paper", "small", "features"]
    folder = Path(options.out).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    images, found = options.images or IMAGES, list[PartFigures]()
    for part in asked:
        for count in [TRAINING] if part == "features" else [images // 2, images]:
            given = [sys.executable, "-m", "tests.bench.real_size", part, str(count), str(folder)]
            made = subprocess.run(given, cwd=ROOT, capture_output=True, text=True, check=False)
            if made.returncode:
                sys.exit(f"{part} with {count} images failed:\n{made.stderr}")
            found.append(json.loads(made.stdout.splitlines()[-1]))
            _print(found[-1])
            (Path(options.json) if options.json else folder / "real_size.json").write_text(
                json.dumps(found, indent=1)
            )


def _print(part: PartFigures) -> None:
    print(
        f"{part['part']}, {part['images']:,} images, {part['patches']:,} patches, {part['rows']:,} rows kept; idle "
        f"{part['idle_gb']:.2f} GB, {part['disk_gb']:.1f} GB on disk"
    )
    for step in part["steps"]:
        floor = part["floor"].get(step["step"])
        above = f"  {step['cpu'] / floor:.1f} times the floor of {floor:.0f} s" if floor else ""
        print(
            f"  {step['step']:<9} {step['seconds']:7.1f} s, {step['cpu']:7.1f} of processor  "
            f"{step['peak_gb']:5.2f} GB{above}",
            flush=True,
        )


class Run:
    """The steps of one part, and what each took."""

    def __init__(self) -> None:
        self.meter, self.steps = Meter(), list[StepFigures]()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.meter.begin()
        began, worked = time.perf_counter(), time.process_time()
        yield
        seconds, cpu = time.perf_counter() - began, time.process_time() - worked
        self.steps.append({"step": name, "seconds": seconds, "cpu": cpu, "peak_gb": self.meter.peak()})
        print(
            f"{name}: {seconds:.1f} s, {cpu:.1f} of processor, {self.steps[-1]['peak_gb']:.2f} GB",
            file=sys.stderr,
        )


def through_the_workbench(part: str, images: int, folder: Path, ratio: float) -> PartFigures:
    """Import, build, evaluate and inspect, as the workbench does it. ratio: of normal patches that the bank keeps."""
    paper = part == "paper"
    if paper:
        os.environ["EXDD_WEIGHTS"] = str(random_weights(folder / "weights"))
    from exdd_core.banks import build_bank, load_detector
    from exdd_core.datasets import NORMAL
    from exdd_core.detector.backbones import EMBEDDED, PREFERRED
    from exdd_core.experiments import EvaluateSpec, evaluate
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.imports import import_dataset

    run, shape = Run(), (630, 230) if paper else (256, 256)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        tested = min(max(FEWEST_TESTED, images // 3), MOST_TESTED)
        write_images(Path(place) / "images", images, tested, shape, defective=None if paper else HANDFUL)
        workspace = Workspace.create(Path(place) / "workspace", PREFERRED if paper else EMBEDDED)
        network = workspace.backbone()
        size = "224x632" if paper else "256x256"
        an_image = _network_seconds(network, size)
        run.meter.settle()
        with run.step("import"):
            import_dataset(workspace, Path(place) / "images", name="real")
        with run.step("build"):
            bank = build_bank(workspace, "real", size=size, negative_ratio=ratio)
        detector = load_detector(workspace, bank.id)
        h, w = detector.grid
        rows = len(detector.negative)
        normals = sum(row.label == NORMAL for row in workspace.images("real", split="train"))
        with run.step("evaluate"):
            evaluate(workspace, EvaluateSpec(bank=bank.id), Progress(), "measured")
        with run.step("inspect"):
            for row in workspace.images("real", split="test")[:INSPECTED]:
                load_detector(workspace, bank.id).compare([row.path])
    patches = normals * h * w
    floor = {
        "build": images * an_image + _build_products(patches, rows, network.dimension),
        "evaluate": tested * an_image + _product_seconds(tested * h * w, rows, network.dimension),
    }
    on_disk = 2 * images * h * w * network.dimension / GB
    return _figures(run, part, images, patches, rows, floor, on_disk)


def of_drawn_features(images: int) -> PartFigures:
    """Build from features that are drawn in place of a network's: a build of the real size without its hours."""
    from exdd_core.detector import Detector, Settings
    from exdd_core.detector.bank import BankImage
    from exdd_core.detector.examples import PatchSet
    from exdd_core.detector.patch_features import PatchFeatures
    from exdd_core.images import Size

    network, run, grid = nameless_backbone(), Run(), (28, 79)
    defective = round(images * DEFECTIVE / TRAINING)
    on_defect = np.zeros((images, *grid), bool)
    on_defect[:defective, 10:18, 30:44] = True  # 112 patches each
    origins = [BankImage(str(i), f"part {i}") for i in range(images)]
    several = PatchSet(PatchFeatures(Drawn(images, grid, network.dimension)), on_defect, origins)
    settings = Settings(backbone=network.name, size=Size(224, 632), negative_ratio=RATIO["features"])
    run.meter.settle()
    with run.step("build"):
        normals, defects = several.take(range(defective, images)), several.take(range(defective))
        detector = Detector(network, settings).fit_patches(normals, defects, _telling())
    patches, rows = (images - defective) * grid[0] * grid[1], len(detector.negative)
    floor = {"build": _build_products(patches, rows, network.dimension)}
    return _figures(run, "features", images, patches, rows, floor, 0.0)


def _telling() -> Progress:
    """A progress that writes each stage, with the time and the memory at which it began, to standard error."""
    seen = set()

    def tell(progress: Progress) -> None:
        if progress.stage not in seen:
            seen.add(progress.stage)
            told = f"{time.strftime('%H:%M:%S')} {progress.stage}: {Meter().peak():.2f} GB in all"
            print(told, file=sys.stderr, flush=True)

    return Progress(tell)


def _network_seconds(network: Backbone, size: str) -> float:
    """Processor time of the network alone for one image, by two batches."""
    from exdd_core.detector import patches
    from exdd_core.images import Size

    at = Size.parse(size)
    batch = np.random.default_rng(0).integers(0, 255, (8, at.height, at.width, 3), np.uint8)
    patches.features(network, batch[:2])
    began = time.process_time()
    for _ in range(2):
        patches.features(network, batch)
    return (time.process_time() - began) / 16


def _build_products(patches: int, rows: int, dimension: int) -> float:
    """Seconds of the projection to 128 channels and of comparing all patches with all rows once in them."""
    return _product_seconds(patches, 128, dimension) + _product_seconds(patches, rows, 128)


def _product_seconds(n: int, m: int, inner: int) -> float:
    """Processor time of the product of n x inner with inner x m, by one of this width timed here."""
    return 2 * n * m * inner / (gflops(inner=inner) * 1e9)


def _figures(
    run: Run, part: str, images: int, patches: int, rows: int, floor: dict[str, float], disk: float
) -> PartFigures:
    return {
        "part": part,
        "images": images,
        "patches": patches,
        "rows": rows,
        "idle_gb": run.meter.idle / GB,
        "disk_gb": disk,
        "steps": run.steps,
        "floor": floor,
        "gflops": gflops(),
        "threads": list(threads()),
    }


if __name__ == "__main__":
    part, images, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    ratio = float(sys.argv[4]) if len(sys.argv) > 4 else RATIO[part]
    made = (
        of_drawn_features(images)
        if part == "features"
        else through_the_workbench(part, images, folder, ratio)
    )
    print(json.dumps(made))
