"""Computes a bundle's network for images of one size, by ONNX Runtime or by OpenVINO: what is installed.

Knows both engines. Does not know what the network's values mean.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec

import numpy as np

from exdd_core.errors import BadInput
from exdd_core.geometry import Size

NETWORK = "network.onnx"
OLD_NETWORK, OLD_WEIGHTS = "network.xml", "network.bin"  # of formats 1 and 2; OpenVINO alone reads them
ENGINES = ("onnxruntime", "openvino")  # packages; the first that is installed computes
Network = Callable[[np.ndarray], np.ndarray]  # uint8 (1, H, W, 3) in, float32 (1, h, w, d) out


def compiled(files: Mapping[str, bytes], size: Size, engine: str | None = None) -> tuple[str, Network]:
    """The engine that computes, and the network. files: of the bundle, by name. engine: one of `ENGINES`, or None.

    Raises BadInput where no engine is installed that reads the network, and RuntimeError for a damaged one.
    """
    names: tuple[str, ...] = ENGINES if engine is None else (engine,)
    if NETWORK not in files:
        names = tuple(name for name in names if name == "openvino")
    name = next((name for name in names if find_spec(name)), None)
    if name is None:
        raise BadInput(_missing(engine, NETWORK in files))
    return name, (_by_onnxruntime if name == "onnxruntime" else _by_openvino)(files, size)


def _missing(engine: str | None, any_reads: bool) -> str:
    if not any_reads:
        return (
            "The network of a bundle from an older version requires OpenVINO; install it (pip install openvino), or "
            "export the bundle again."
        )
    if engine:
        return f"{engine} is not installed; install it (pip install {engine})."
    return (
        "The network requires ONNX Runtime or OpenVINO; install one (pip install onnxruntime, or openvino)."
    )


def _by_onnxruntime(files: Mapping[str, bytes], size: Size) -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    for name, side in (("height", size.height), ("width", size.width)):
        options.add_free_dimension_override_by_name(name, side)
    # Threads that wait by turning would take whole cores between two images.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # an error is raised, and said once
    try:
        session = onnxruntime.InferenceSession(files[NETWORK], options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the package's own classes, which have no common base
        raise RuntimeError(str(error)) from None
    return lambda images: session.run(None, {"image": np.ascontiguousarray(images)})[0]


def _by_openvino(files: Mapping[str, bytes], size: Size) -> Network:
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # it would tell Google Analytics
    import openvino

    core = openvino.Core()
    if NETWORK in files:
        model = core.read_model(model=files[NETWORK])
    else:
        model = core.read_model(model=files[OLD_NETWORK], weights=files[OLD_WEIGHTS])
    model.reshape([1, size.height, size.width, 3])
    config = {"INFERENCE_PRECISION_HINT": "f32"}
    if b"QuantizeLinear" in files.get(NETWORK, b""):
        # With its own int8 kernels 2026.4 is off by half the length of the features; without, it computes in float32.
        config["LP_TRANSFORMS_MODE"] = "NO"
    request = core.compile_model(model, "CPU", config).create_infer_request()
    return lambda images: np.array(request.infer([np.ascontiguousarray(images)])[0])
