"""Our time for an image with both banks against anomalib's PatchCore with one, in the same run on the same patches."""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from anomalib.models.components import KCenterGreedy
from anomalib.models.image.patchcore.torch_model import PatchcoreModel

from exdd_core.detector import Detector, Settings, backbones, inference, patches
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.bank import BankImage
from exdd_core.detector.coreset import greedy_coreset
from exdd_core.detector.examples import PatchSet
from exdd_core.detector.patch_features import PatchFeatures
from exdd_core.images import Size
from tests.bench.gpu_detecting import loaded, pictures

IMAGES, SIDE = 104, 256  # 104 images of 32 x 32 patches: 106,496 rows, 2 % of which are 2,129
BATCH = 32  # images whose throughput is measured
ROUNDS = {backbones.EMBEDDED: 15, backbones.PREFERRED: 3}
THEIR_NAMES = {backbones.EMBEDDED: "tf_efficientnet_lite0", backbones.PREFERRED: backbones.PREFERRED}


def main(options: argparse.Namespace) -> None:
    del options
    images = pictures(IMAGES, Size(SIDE, SIDE))
    print(
        f"\nspeed, {torch.get_num_threads()} threads of {platform.processor() or platform.machine()}, {SIDE} x {SIDE}"
    )
    print("medians of alternating rounds; seconds of all cores in brackets")
    with tempfile.TemporaryDirectory() as folder:
        for name, rounds in ROUNDS.items():
            _scoring(loaded(name, Path(folder), "cpu"), images, rounds)
    _coreset(loaded(backbones.EMBEDDED, Path(), "cpu"), images)


def _scoring(backbone: Backbone, images: np.ndarray, rounds: int) -> None:
    """Both heatmaps for one image and for a batch, against anomalib's PatchCore with the first bank alone."""
    count = IMAGES if backbone.name == backbones.EMBEDDED else 16
    features = _features(backbone, images[:count])
    on_defect = np.zeros(features.shape[:3], bool)
    on_defect[-4:, 8:24, 8:24] = True
    everything = PatchSet(
        PatchFeatures(features), on_defect, [BankImage(str(i), str(i)) for i in range(count)]
    )
    ours = Detector(
        backbone, Settings(backbone.name, negative_ratio=2_130 / (1024 * (count - 4)), positive_ratio=1.0)
    )
    ours.fit_patches(everything.take(range(count - 4)), everything.take(range(count - 4, count)))
    theirs = PatchcoreModel(
        list(backbone.layers), THEIR_NAMES[backbone.name], pre_trained=False, num_neighbors=9
    )
    theirs.eval()
    theirs.memory_bank = torch.from_numpy(ours.negative.rows)
    positive = len(ours.positive) if ours.positive else 0
    print(f"{backbone.name} by {inference.engine_for(backbone, (SIDE, SIDE)).name}")
    print(f"  banks: {len(ours.negative)} negative rows for both, {positive} positive rows for ours only")
    for batch in (1, BATCH):
        some = images[:batch]
        theirs_takes = torch.from_numpy(some).permute(0, 3, 1, 2).float().div(255)

        def anomalib(given: torch.Tensor = theirs_takes) -> None:
            with torch.inference_mode():
                theirs((given - 0.5) / 0.5)

        def both(given: np.ndarray = some) -> None:
            ours.compare(list(given))

        def network(given: np.ndarray = some) -> None:
            _features(backbone, given)

        a, b, floor = _alternate([anomalib, both, network], rounds if batch == 1 else max(2, rounds // 5))
        print(
            f"  {batch} image{'s' * (batch > 1)}: anomalib's PatchCore {a.told(batch)}, our two {b.told(batch)}; time "
            f"{b.wall / a.wall:.2f} ({b.cores / a.cores:.2f}) of anomalib's, throughput {a.wall / b.wall:.1f} "
            f"({a.cores / b.cores:.1f}) times; network {floor.told(batch)}, {floor.cores / b.cores:.0%} of ours"
        )


def _features(backbone: Backbone, images: np.ndarray) -> np.ndarray:
    parts = [images[at : at + patches.LARGEST_BATCH] for at in range(0, len(images), patches.LARGEST_BATCH)]
    return np.concatenate([patches.features(backbone, part) for part in parts])


def _coreset(backbone: Backbone, images: np.ndarray) -> None:
    rows = torch.from_numpy(_features(backbone, images).reshape(-1, backbone.dimension))
    share = 0.005
    size = int(share * len(rows))
    a, b = _alternate(
        [lambda: KCenterGreedy(rows, share).select_coreset_idxs(), lambda: greedy_coreset(rows, size)], 1
    )
    times = f"anomalib {a.wall:.1f} s, ours {b.wall:.1f} s, ratio {b.wall / a.wall:.2f}"
    print(f"coreset of {size} of {len(rows)} rows: {times}")


@dataclass(frozen=True)
class Taken:
    """Seconds of a clock, and of all cores together."""

    wall: float
    cores: float

    def told(self, images: int) -> str:
        return f"{1e3 * self.wall / images:.1f} ({1e3 * self.cores / images:.1f}) ms"


def _alternate(functions: Sequence[Callable[[], object]], rounds: int) -> list[Taken]:
    """Median times of each, called in turn so that a busy machine slows all; a first call of each is not counted."""
    taken: list[list[Taken]] = [[] for _ in functions]
    for number in range(rounds + (rounds > 1)):
        for function, times in zip(functions, taken, strict=True):
            began, cores = time.perf_counter(), time.process_time()
            function()
            if number or rounds == 1:
                times.append(Taken(time.perf_counter() - began, time.process_time() - cores))
    return [
        Taken(statistics.median(t.wall for t in times), statistics.median(t.cores for t in times))
        for times in taken
    ]
