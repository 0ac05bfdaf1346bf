"""A bundle's time for an image against anomalib's OpenVINO inferencer, in one run: same network, bank and image.

anomalib's PatchCore gets our embedded backbone and the bundle's negative rows; OpenVINO converts the whole model, as
anomalib 2.7 itself exports nothing without onnxscript. Ours looks at the positive bank too, and finds regions. The
network alone and one product with each bank's rows are what no bundle in float32 can be without.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import warnings
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from exdd_core.banks.building import build_bank
from exdd_core.bundle import engines, scorer, writing
from exdd_core.detector import backbones
from exdd_core.images import Size, encode_png
from exdd_core.workspace import Workspace
from exdd_core.workspace.imports import import_dataset
from tests.bench.gpu_detecting import pictures
from tests.bench.speed import THEIR_NAMES, _alternate

NORMAL, DEFECTS, SIDE = 24, 6, 256
SHARE = 2_130 / (1024 * NORMAL)  # of negative rows that the bank keeps
ROUNDS = 40
FLOAT32 = {
    "INFERENCE_PRECISION_HINT": "f32"
}  # left alone, OpenVINO takes bfloat16 where the processor has it
WANTED = 0.5  # of anomalib's time


def main(options: argparse.Namespace) -> None:
    """Print the medians of alternating rounds, by each engine of bundles."""
    del options
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workspace = _workspace(folder)
        writing.write(workspace, folder / "bundle.zip")
        bundles = [scorer.load(folder / "bundle.zip", engine) for engine in engines.ENGINES]
        rows = bundles[0]._arrays
        theirs = [_inferencer(rows["negative"], folder, config) for config in (None, FLOAT32)]
        image = pictures(1, Size(SIDE, SIDE), seed=9)[0]
        prepared = bundles[0].prepared(image)
        features = bundles[0].features(image).reshape(-1, rows["negative"].shape[1])
        every = np.concatenate([rows["negative"], rows["positive"]]).T.copy()
        calls = [
            *(lambda one=one: one.predict(image) for one in theirs),
            *(lambda one=one: one.score(image) for one in bundles),
            *(lambda one=one: one._network(prepared) for one in bundles),
            lambda: features @ every,
        ]
        with threadpool_limits(1, "blas"):  # as the program has it
            usual, precise, *measured = _alternate(calls, ROUNDS)
    *measured, products = measured
    ours, networks = measured[: len(bundles)], measured[len(bundles) :]
    told = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {SIDE} x {SIDE}"
    print(f"\nexported, {told}; medians of {ROUNDS} rounds; seconds of all cores in brackets")
    print(
        f"banks: {len(rows['negative'])} negative rows for both, {len(rows['positive'])} positive rows for ours only"
    )
    print(f"anomalib's OpenVINO inferencer {usual.told(1)}, held to float32 {precise.told(1)}")
    for engine, one, network in zip(engines.ENGINES, ours, networks, strict=True):
        ratio, least = one.cores / usual.cores, network.cores + products.cores
        print(
            f"bundle by {engine} {one.told(1)}: {ratio:.2f} of the processor time ({one.cores / precise.cores:.2f} of "
            f"that in float32), {'at most' if ratio <= WANTED else 'MORE THAN'} {WANTED}; network {network.told(1)} "
            f"and products {products.told(1)} alone are {least / usual.cores:.2f}"
        )


def _workspace(folder: Path) -> Workspace:
    images = pictures(NORMAL + DEFECTS, Size(SIDE, SIDE))
    mask = np.zeros((SIDE, SIDE), bool)
    mask[-32:, 64:192] = True
    for number, image in enumerate(images):
        places = {"good": image} if number < NORMAL else {"defect/dark": image // 3, "masks/dark": mask}
        for place, pixels in places.items():
            (folder / "data" / place).mkdir(parents=True, exist_ok=True)
            (folder / "data" / place / f"{number}.png").write_bytes(encode_png(pixels))
    workspace = Workspace.create(folder / "workspace", backbone=backbones.EMBEDDED)
    import_dataset(workspace, folder / "data", size=Size(SIDE, SIDE))
    build_bank(workspace, negative_ratio=SHARE)
    return workspace


def _inferencer(rows: np.ndarray, folder: Path, config: Any) -> Any:
    """anomalib's PatchCore with our network and rows, from pixels to the map, as its inferencer runs it."""
    import openvino
    from anomalib.deploy import OpenVINOInferencer
    from anomalib.models import Patchcore

    ours = backbones.load(backbones.EMBEDDED, device="cpu")
    model: Any = Patchcore(
        backbone=THEIR_NAMES[ours.name],
        layers=list(ours.layers),
        pre_trained=False,
        pre_processor=Patchcore.configure_pre_processor((SIDE, SIDE)),
    )
    network = model.model.feature_extractor.feature_extractor
    weights, own = list(ours.network.state_dict().values()), network.state_dict()
    used = dict(zip(own, weights, strict=False))  # theirs goes on where ours ends; the order is the same
    assert [own[name].shape for name in used] == [one.shape for one in weights]
    network.load_state_dict(own | used)
    model.model.memory_bank = torch.from_numpy(rows.copy())
    whole = torch.nn.Sequential(model.pre_processor, Named(model.model)).eval()
    shape = [1, 3, SIDE, SIDE]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = openvino.convert_model(whole, example_input=torch.rand(shape), input=shape)
    openvino.save_model(made, path := folder / "anomalib.xml", compress_to_fp16=False)
    with chdir(folder):  # it makes a cache where it runs
        inferencer: Any = OpenVINOInferencer(path, "CPU", config)
    inferencer.post_process = lambda found: dict(
        zip(("pred_score", "anomaly_map"), found.to_tuple(), strict=True)
    )
    return inferencer


class Named(torch.nn.Module):
    """What anomalib's model answers, as two tensors."""

    def __init__(self, model: torch.nn.Module):
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.model(images)
        return found.pred_score, found.anomaly_map
