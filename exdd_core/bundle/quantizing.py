"""Quantizes a bundle's network to int8 by ONNX Runtime's tools, and measures what that costs and saves.

Rows, models and threshold stay those of the version, so a bundle in int8 can be imported as that version. With rows
computed anew in int8 the image AUROC was 0.6 points lower on magnetic tiles and 1.7 higher on the demo, scores came
hardly nearer to those in float32, and nobody would have calibrated the threshold for them. Knows bundles and labelled
images. Does not know how a bundle is written.
"""

from __future__ import annotations

import logging
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from exdd_core import datasets, evaluation, images
from exdd_core.bundle.manifest import Cost, Figures
from exdd_core.errors import BadInput
from exdd_core.evaluation.masks import Counted, Masks
from exdd_core.sentences import count
from exdd_core.spill import array_or_spill

if TYPE_CHECKING:
    from exdd_core.bundle.scorer import Bundle
    from exdd_core.detector import Detector
    from exdd_core.geometry import Size
    from exdd_core.progress import Progress
    from exdd_core.workspace import BankVersion, ImageRow, Workspace

CALIBRATED_BY = 64  # normal training images, from which the ranges of values are taken
MAPS_IN_MEMORY = 1 << 29  # bytes
TIMED = 10  # runs of each network, alternating


def quantized(
    workspace: Workspace, version: BankVersion, bundle: Bundle, network: bytes
) -> tuple[bytes, int]:
    """The network in int8, as ONNX for images of the bundle's size, and the number of images it was calibrated by.

    Weights are quantized by channel; the first convolution stays in float32, without which features of the demo are off
    by 9 % of their length instead of 7. Raises BadInput where no training image is left.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quant_pre_process, quantize_static
    from onnxruntime.tools.onnx_model_utils import make_dim_param_fixed

    rows = workspace.images(version.dataset, split="train", label=datasets.NORMAL)
    rows = [row for row in rows if row.path.is_file()]
    if not rows:
        raise BadInput(
            "The data set of this version has no normal training image left to calibrate int8 with."
        )
    some = rows[:: -(-len(rows) // CALIBRATED_BY)]
    model = onnx.load_from_string(network)
    make_dim_param_fixed(model.graph, "height", bundle.size.height)
    make_dim_param_fixed(model.graph, "width", bundle.size.width)
    with tempfile.TemporaryDirectory(prefix="exdd-int8-") as name, _Quiet():
        plain, made = Path(name) / "plain.onnx", Path(name) / "int8.onnx"
        quant_pre_process(model, plain, skip_symbolic_shape=True)
        first = next(node.name for node in onnx.load(plain).graph.node if node.op_type == "Conv")
        quantize_static(
            plain,
            made,
            _Prepared(bundle, some),
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[first],
        )
        return made.read_bytes(), len(some)


class _Prepared:
    """Images as ONNX Runtime's tools ask for them, one after another."""

    def __init__(self, bundle: Bundle, rows: Sequence[ImageRow]):
        self._given: Iterator[dict[str, np.ndarray]] = ({"image": bundle.prepared(row.path)} for row in rows)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._given, None)


class _Quiet(logging.Filter):
    """Keeps the tools' advice out of the log, which is ours."""

    def __enter__(self) -> None:
        logging.getLogger().addFilter(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        return False


def cost(
    workspace: Workspace,
    version: BankVersion,
    detector: Detector,
    networks: dict[str, tuple[Bundle, bytes]],
    calibrated_by: int,
    progress: Progress,
) -> Cost:
    """Score the test images of parts that the version does not know by both networks.

    networks: "float32" and "int8", each with the bundle that computes it and the file. Figures are None where a class
    has no test image, and those of pixels where no defect has a mask.
    """
    rows = _unknown(workspace, version, detector)
    labels = np.array([row.label == datasets.DEFECT for row in rows], bool)
    size, verdicts = detector.settings.size, {name: list[str]() for name in networks}
    maps = {
        name: array_or_spill(len(rows), (size.height, size.width), np.float32, MAPS_IN_MEMORY)
        for name in networks
    }
    scores = {name: np.zeros(len(rows)) for name in networks}
    progress.begin("Measuring the cost of int8", len(rows))
    for number, row in enumerate(rows):
        pixels = detector.settings.read(row.path)
        for name, (bundle, _) in networks.items():
            seen = bundle.score(pixels)
            scores[name][number], maps[name][number] = seen.score, seen.model_map
            verdicts[name].append(seen.verdict)
        progress.advance()
    masks, counted = _masks(rows, labels, size, detector)
    times = _milliseconds([bundle for bundle, _ in networks.values()])
    told: dict[str, Figures] = {
        name: {
            **_figures(scores[name], labels, maps[name], masks, counted),
            "milliseconds": taken,
            "bytes": len(network),
        }
        for (name, (_, network)), taken in zip(networks.items(), times, strict=True)
    }
    return {
        "float32": told["float32"],
        "int8": told["int8"],
        "images": len(rows),
        "defective": int(labels.sum()),
        "otherwise": sum(one != other for one, other in zip(*verdicts.values(), strict=True)),
        "calibrated_by": calibrated_by,
    }


def _unknown(workspace: Workspace, version: BankVersion, detector: Detector) -> Sequence[Any]:
    """The test images of parts that the version does not know, and whose defect lies in the region of interest."""
    known = {part for image in evaluation.images_in_banks(detector) for part in image.parts}
    rows = [row for row in workspace.images(version.dataset, split="test") if row.group not in known]
    return evaluation.without_outside([row for row in rows if row.path.is_file()], detector.region)[0]


def _masks(
    rows: Sequence[ImageRow], labels: np.ndarray, size: Size, detector: Detector
) -> tuple[Masks, Counted]:
    """The true masks at the model's size, and the pixels that count: in the region, of images with known truth."""
    shapes = [images.probe(row.path)[::-1] for row in rows]
    masks, known = Masks(size, labels), ~labels
    for number in np.flatnonzero(labels).tolist():
        if (file := rows[number].mask) is not None:
            mask = images.resize_mask(images.read_mask(file, shapes[number]), size)
            masks.write(number, mask)
            known[number] = mask.any()
    return masks, Counted(size, shapes, known, detector.region)


class _Auroc(TypedDict):
    image_auroc: float | None
    pixel_auroc: float | None


def _figures(scores: np.ndarray, labels: np.ndarray, maps: Any, masks: Masks, counted: Counted) -> _Auroc:
    if labels.all() or not labels.any():
        return {"image_auroc": None, "pixel_auroc": None}
    found = evaluation.compute_metrics(scores, labels, maps, masks, counted)
    of_pixels = found["pixel_auroc"]
    return {
        "image_auroc": found["image_auroc"],
        "pixel_auroc": None if math.isnan(of_pixels) else of_pixels,
    }


def _milliseconds(bundles: Sequence[Bundle]) -> list[float]:
    """The median time of each network for an image, in rounds of one after another."""
    black = np.zeros((bundles[0].size.height, bundles[0].size.width, 3), np.uint8)
    taken: list[list[float]] = [[] for _ in bundles]
    for _ in range(TIMED):
        for times, bundle in zip(taken, bundles, strict=True):
            began = time.perf_counter()
            bundle.features(black)
            times.append(time.perf_counter() - began)
    return [float(np.median(times)) * 1000 for times in taken]


def sentence(found: Cost) -> str:
    """What quantizing cost and saved, for people."""
    before, after = found["float32"], found["int8"]
    saved = (
        f"its network takes {after['milliseconds']:.0f} ms per image instead of "
        f"{before['milliseconds']:.0f}, and {after['bytes'] / 2**20:.1f} MB instead of {before['bytes'] / 2**20:.1f}"
    )
    if before["image_auroc"] is None or after["image_auroc"] is None:
        return f"In int8, {saved}; without labelled test images of both kinds, its cost was not measured."
    words = [f"image AUROC from {before['image_auroc']:.2%} to {after['image_auroc']:.2%}"]
    if before["pixel_auroc"] is not None and after["pixel_auroc"] is not None:
        words.append(f"pixel AUROC from {before['pixel_auroc']:.2%} to {after['pixel_auroc']:.2%}")
    return (
        f"In int8, {saved}; on {count(found['images'], 'test image')}, {found['defective']} of them defective, it "
        f"changes {' and '.join(words)}, and the number of changed verdicts is {found['otherwise']}."
    )
