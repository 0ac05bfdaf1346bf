"""Writes the network of patch features as ONNX, which other programs and engines read.

Knows PyTorch's exporter. Does not know who reads the file.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import torch

from exdd_core.detector.patch_network import PatchNetwork

OPSET = 17  # of 2022; every ONNX Runtime and OpenVINO that we name reads it
EXAMPLE_SIDE = 64  # pixels; the network is traced with an image of this size and read with any


def serialized(network: PatchNetwork) -> bytes:
    """The network as an ONNX file: uint8 (1, height, width, 3) in, float32 (1, h, w, d) out, for images of any size."""
    device = next(network.parameters()).device
    example = torch.zeros(1, EXAMPLE_SIDE, EXAMPLE_SIDE, 3, dtype=torch.uint8, device=device)
    with (
        tempfile.TemporaryDirectory(prefix="exdd-network-") as folder,
        torch.no_grad(),
        warnings.catch_warnings(),
    ):
        written = Path(folder) / "network.onnx"
        # The exporter by tracing is deprecated; the one after it needs onnxscript, too.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            written,
            input_names=["image"],
            output_names=["features"],
            dynamic_axes={"image": {1: "height", 2: "width"}},
            opset_version=OPSET,
            dynamo=False,
        )
        return written.read_bytes()
