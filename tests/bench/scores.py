"""One hash over everything that detectors say, so that a change to the code is seen to leave every bit as it was.

Builds detectors of demo images, of the same within a region of interest, and of magnetic tiles, all with seed 0 and by
the public interface alone. For each fusion the hash covers image scores, calibrated scores, probabilities, anomaly
maps, the distance maps and the matched rows of both banks: as fitted, once saved and loaded, and after changes to both
banks. The same machine and packages give the same hashes; another processor may round otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from exdd_core import datasets
from exdd_core.datasets import DEFECT, NORMAL, demo
from exdd_core.detector import Detector, Inspection, Settings, backbones
from exdd_core.detector.examples import Marked, PatchSet, TrainingImage, patch_set
from exdd_core.detector.patches import Source
from exdd_core.images import Size
from tests.bench import real_images

SCORED = 6  # images that each fusion looks at
POINTS = ((0, 0), (40, 60), (100, 30))  # (y, x) at which the matched rows of both banks are asked for


def main(options: argparse.Namespace) -> None:
    del options
    with tempfile.TemporaryDirectory() as folder:
        generated = Path(folder) / "demo"
        demo.generate(generated, seed=0, normal=30, defective=24)
        disc = np.hypot(*np.mgrid[-128:128, -128:128]) < 110
        report("demo", _images(generated, 20, 12), Settings(size=Size(128, 128)))
        report("demo in a region", _images(generated, 20, 12), Settings(size=Size(128, 128)), disc)
        tiles = _images(real_images() / "magnetic_tile", 40, 20)
        report("tiles", tiles, Settings(size=Size(256, 256), false_alarm_rate=0.2, seed=0))


def _images(root: Path, normals: int, defects: int) -> tuple[list[TrainingImage], list[TrainingImage]]:
    """Normal images and images with defects of as many parts each, taken at equal steps."""
    found: dict[str, dict[str, TrainingImage]] = {NORMAL: {}, DEFECT: {}}
    for record in datasets.read_layout(root)[1]:
        if record.label == NORMAL or record.mask:
            mask = root / record.mask if record.mask and record.label == DEFECT else None
            image = TrainingImage(record.path, root / record.path, record.group, mask, record.defect_type)
            found[record.label].setdefault(record.group, image)
    return _spread(list(found[NORMAL].values()), normals), _spread(list(found[DEFECT].values()), defects)


def _spread(images: list[TrainingImage], count: int) -> list[TrainingImage]:
    return [images[i] for i in np.linspace(0, len(images) - 1, min(count, len(images))).astype(int)]


def report(
    name: str,
    images: tuple[list[TrainingImage], list[TrainingImage]],
    settings: Settings,
    roi: np.ndarray | None = None,
) -> None:
    """Print the hashes of a data set: the last third of its images are scored, banks are built from the others."""
    began, (normals, defects) = time.monotonic(), images
    known, shown = [d for i, d in enumerate(defects) if i % 3 < 2], defects[2::3]
    used, free = normals[:-4], normals[-4:]
    scored = [image.source for image in (free + shown)[-SCORED:]]
    backbone = backbones.load(settings.backbone)
    detector = Detector(backbone, settings, roi)
    everything = patch_set(backbone, [*used, *known, *shown, *free], settings.size, region=detector.region)
    at = np.cumsum([0, len(used), len(known), len(shown), len(free)])
    several = [everything.take(range(*pair)) for pair in zip(at[:-1], at[1:], strict=True)]
    detector.fit_patches(several[0], several[1])
    fusions = list(detector.fusions)
    _print(name, "fitted", detector, fusions, scored)
    with tempfile.TemporaryDirectory() as folder:
        detector.save(Path(folder))
        loaded = Detector.load(Path(folder), backbone)
    _print(name, "loaded", loaded, fusions, scored)
    loaded.recall(detector.fitted.held.features or [])
    changed = _changed(loaded, list(several[2].marked()), several[3])
    _print(name, "changed", changed, fusions, scored)
    print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)


def _changed(detector: Detector, defects: Sequence[Marked], normals: PatchSet) -> Detector:
    """Two defects, one of them painted, join the positive bank, one leaves it, and a normal patch joins."""
    painted = replace(defects[0], image=replace(defects[0].image, origin="synthetic"), unmarked=None)
    detector = detector.changed(detector.additions([painted]))
    detector = detector.changed(detector.additions([defects[1]]))
    assert detector.positive is not None
    detector = detector.changed(detector.removals(detector.positive.images[0].id))
    on = np.zeros(normals.features.shape[1:3], bool)
    on[4:8, 5:9] = True
    alarm = Marked.of(normals.images[0], normals.features[0], on)
    return detector.changed(detector.additions([alarm], "negative"))


def _print(
    name: str, stage: str, detector: Detector, fusions: Sequence[str], scored: Sequence[Source]
) -> None:
    for fusion in fusions:
        detector.with_fusion(fusion)  # fits those that a change left out, one after another
    for fusion in fusions:
        digest = hashlib.sha256()
        for seen in detector.with_fusion(fusion).score(scored):
            _add(digest, seen)
        print(f"{digest.hexdigest()}  {name}, {fusion}, {stage}", flush=True)


def _add(digest: hashlib._Hash, seen: Inspection) -> None:
    digest.update(repr((seen.score, seen.calibrated_score, seen.probability, seen.verdict)).encode())
    digest.update(repr([seen.at(y, x) for y, x in POINTS]).encode())
    arrays = (seen.map, seen.calibrated_map, seen.patch_probabilities, seen.direction)
    for array in (*arrays, seen.negative_distance, seen.positive_distance):
        digest.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
