"""Our time for an image with both banks against anomalib's PatchCore with one, in the same run on the same patches."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from anomalib.models.components import KCenterGreedy
from anomalib.models.image.patchcore.torch_model import PatchcoreModel

from exdd_core.detector import Detector, Settings, backbones, patches
from exdd_core.detector.bank import BankImage
from exdd_core.detector.coreset import greedy_coreset
from exdd_core.detector.examples import PatchSet
from exdd_core.detector.patch_features import PatchFeatures

IMAGES, SIDE, ROUNDS = 104, 256, 15  # 104 images of 32 x 32 patches: 106,496 rows, 2 % of which are 2,129


def main(options: argparse.Namespace) -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (IMAGES, SIDE // 8, SIDE // 8, 3), np.uint8)
    images = coarse.repeat(8, 1).repeat(8, 2) // 2 + rng.integers(0, 127, (IMAGES, SIDE, SIDE, 3), np.uint8)
    backbone = backbones.load(backbones.EMBEDDED)
    theirs = PatchcoreModel(
        list(backbone.layers), "tf_efficientnet_lite0", pre_trained=False, num_neighbors=9
    ).eval()
    features = np.concatenate([patches.features(backbone, images[i : i + 8]) for i in range(0, IMAGES, 8)])
    on_defect = np.zeros(features.shape[:3], bool)
    on_defect[-4:, 8:24, 8:24] = True
    everything = PatchSet(
        PatchFeatures(features), on_defect, [BankImage(str(i), str(i)) for i in range(IMAGES)]
    )
    ours = Detector(backbone, Settings(negative_ratio=0.0213, positive_ratio=1.0))
    ours.fit_patches(everything.take(range(IMAGES - 4)), everything.take(range(IMAGES - 4, IMAGES)))
    theirs.memory_bank = torch.from_numpy(ours.negative.rows)
    positive = len(ours.positive) if ours.positive else 0
    print(
        f"\nspeed, {torch.get_num_threads()} threads, {SIDE} x {SIDE}, median of {ROUNDS} alternating rounds"
    )
    print(f"banks: {len(ours.negative)} negative rows for both, {positive} positive rows for ours only")

    normalised = (torch.from_numpy(images[:1]).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5

    def anomalib() -> None:
        with torch.inference_mode():
            theirs(normalised)

    a, b = _alternate(anomalib, lambda: ours.compare(list(images[:1])), ROUNDS)
    print(
        f"scoring an image: anomalib's PatchCore {a * 1e3:.0f} ms, our two {b * 1e3:.0f} ms, ratio {b / a:.2f}"
    )

    rows = torch.from_numpy(features.reshape(-1, features.shape[-1]))
    share = 0.005
    size = int(share * len(rows))
    a, b = _alternate(
        lambda: KCenterGreedy(rows, share).select_coreset_idxs(), lambda: greedy_coreset(rows, size), 1
    )
    print(f"coreset of {size} of {len(rows)} rows: anomalib {a:.1f} s, ours {b:.1f} s, ratio {b / a:.2f}")


def _alternate(first: Callable[[], object], second: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median seconds of each, called in turn so that a busy machine slows both."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for function, times in zip((first, second), taken, strict=True):
            began = time.perf_counter()
            function()
            times.append(time.perf_counter() - began)
    return statistics.median(taken[0]), statistics.median(taken[1])
