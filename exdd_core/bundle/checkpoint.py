"""Reads a checkpoint of anomalib's PatchCore as the negative bank of a version.

Rows are comparable where network, layers, weights and the standardisation of pixels are ours to the last bit; anything
else is refused. The threshold comes from the data set's own normal images. Knows anomalib's file and not anomalib.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from exdd_core.banks.building import place, training_split, written
from exdd_core.banks.options import BuildOptions
from exdd_core.detector import Detector
from exdd_core.detector.backbones import EMBEDDED, Backbone
from exdd_core.detector.bank import Bank, BankImage
from exdd_core.errors import BadInput
from exdd_core.geometry import Size
from exdd_core.progress import Progress
from exdd_core.workspace.placing import making

if TYPE_CHECKING:
    from exdd_core.workspace import BankVersion, Workspace

ROWS, NETWORK = "model.memory_bank", "model.feature_extractor."
THEIR_NAMES = {EMBEDDED: "tf_efficientnet_lite0"}  # timm's, where it is not ours


class _Precision(str):
    """What anomalib stores its precision as; torch reads no classes that are not named."""


def import_checkpoint(
    workspace: Workspace,
    path: Path,
    dataset: str | None = None,
    who: str = "",
    progress: Progress | None = None,
) -> BankVersion:
    """Make a checkpoint a version without a positive bank, whose banks do not change.

    dataset: that it is to judge; None for the active one. Raises BadInput for a file that is no such checkpoint, and
    where backbone, layers, weights, standardisation or shapes differ.
    """
    progress, began = progress or Progress(), time.monotonic()
    told = _read(path)
    network = workspace.backbone()
    rows = _rows(path, told, network)
    width, height = _size(path, told, network)
    info = workspace.dataset(dataset)
    options = BuildOptions(
        dataset=info.name, positives="none", who=who, size=str(Size(width, height)), keep_aspect=False
    )
    came = BankImage(f"anomalib:{path.name}", f"anomalib:{path.name}")
    nowhere = np.zeros((len(rows), 2), np.int16)
    bank = Bank(rows, np.zeros(len(rows), np.int32), nowhere, [came])
    normals, _, note = training_split(workspace, info, options)
    with making(workspace, workspace.path / "banks", "import", progress) as temporary:
        detector = Detector(network, options.settings_on(info, network.name))
        detector.fit(normals, (), progress, negative=bank)
        alone = Detector.of(detector.fitted.judging_alone())
        said = [
            f"The negative bank is from anomalib's {path.name}; the score is the largest distance to it.",
            note,
        ]
        row = written(
            temporary, alone, info, options, said, time.monotonic() - began, {"imported": path.name}
        )
        place(workspace, temporary, row, activate=False)
    return workspace.bank(str(row["id"]))


def _read(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals([(_Precision, "anomalib.PrecisionType")]):
            told = torch.load(path, map_location="cpu", weights_only=True)
        if {"backbone", "layers"} <= told["hyper_parameters"].keys() and told["state_dict"][ROWS].ndim == 2:
            return told
    except Exception:  # torch raises many unrelated types for a file that it did not write, or will not read
        pass
    raise BadInput(
        f"{path.name} is not a checkpoint of anomalib's PatchCore that can be read without running code in it; use the "
        ".ckpt file that anomalib's Engine wrote."
    )


def _rows(path: Path, told: Any, network: Backbone) -> np.ndarray:
    """The memory bank, float32 (n, d), where it is of our network."""
    name, layers = told["hyper_parameters"]["backbone"], list(told["hyper_parameters"]["layers"])
    ours = THEIR_NAMES.get(network.name, network.name)
    if str(name).partition(".")[0] != ours or layers != list(network.layers):
        raise BadInput(
            f"{path.name} was created with {name} and its layers {', '.join(map(str, layers))}, but this workspace "
            f"uses {ours} and {', '.join(network.layers)}; their features cannot be compared."
        )
    theirs = [value for key, value in told["state_dict"].items() if key.startswith(NETWORK)]
    weights = list(network.network.state_dict().values())  # in the same order; theirs goes on where ours ends
    if len(theirs) < len(weights) or not all(
        torch.equal(a.float(), b.cpu().float()) for a, b in zip(theirs, weights, strict=False)
    ):
        raise BadInput(
            f"{path.name} was created with different weights of {ours} than this workspace's ({network.weights}); "
            "their features cannot be compared."
        )
    rows = told["state_dict"][ROWS].float().numpy()
    if not len(rows) or rows.shape[1] != network.dimension or not np.isfinite(rows).all():
        raise BadInput(
            f"The bank of {path.name} has the shape {rows.shape}, or values that are not finite; expected rows of "
            f"{network.dimension} finite numbers."
        )
    return rows


def _size(path: Path, told: Any, network: Backbone) -> tuple[int, int]:
    """Width and height of the model's input, where its pixels are standardised as ours."""
    try:
        steps = told["anomalib_pre_processor_config"]["transform"]["init_args"]["transforms"]
        by_name = {step["class_path"].rpartition(".")[2]: step["init_args"] for step in steps}
        height, width = by_name["Resize"]["size"]
        norm = by_name["Normalize"]["mean"], by_name["Normalize"]["std"]
        known = by_name.keys() == {"Resize", "Normalize"}
    except (KeyError, TypeError, ValueError):
        known = False
    if not known:
        raise BadInput(f"{path.name} prepares images in other ways than resizing and normalizing colours.")
    if not np.allclose(norm, (network.mean, network.std)):
        raise BadInput(
            f"{path.name} normalizes pixels by {norm[0]} and {norm[1]}, but {network.name} here by {network.mean} "
            f"and {network.std}; their features cannot be compared."
        )
    return width, height
