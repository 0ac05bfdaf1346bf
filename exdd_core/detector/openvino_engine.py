"""OpenVINO as an inference engine for patch features on CPUs: a network compiled for one image size.

Images are computed one by one, a batch on several streams at once, so an image's features are the same to the last
bit in every batch. Precision is float32; left alone, OpenVINO takes bfloat16 where the processor has it. Knows
OpenVINO. Does not know whether it is the better engine.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import warnings
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from exdd_core import files
from exdd_core.later import torch

if TYPE_CHECKING:
    from exdd_core.detector.patch_network import PatchNetwork

MOST_STREAMS = 16  # images computed at once, each of which takes the memory of an image
EXAMPLE_SIDE = 64  # pixels; the network is traced with an image of this size and read with any


def installed() -> bool:
    """Whether the package is there; it is not imported."""
    with suppress(metadata.PackageNotFoundError):
        return bool(metadata.version("openvino"))
    return False


def version() -> str:
    """The version of the installed package."""
    return metadata.version("openvino")


def processor() -> str:
    """The processor's name and what it can compute with, as OpenVINO sees them."""
    core = _openvino().Core()
    abilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return f"{core.get_property('CPU', 'FULL_DEVICE_NAME')}, {' '.join(sorted(abilities))}"


class OpenVinoEngine:
    """A network compiled for images of one height and width, for any number of threads that ask at once.

    threads: of the processor, which all streams share.
    """

    together = MOST_STREAMS

    def __init__(
        self, network: PatchNetwork, shape: tuple[int, int], threads: int, stored: Path | None = None
    ):
        """stored: a file ending in .xml where the converted network is kept; None converts it anew."""
        self.name = f"openvino {version()}"
        self._streams = min(threads, MOST_STREAMS)
        self._threads = threads
        self._model = _converted(network, stored)
        self._model.reshape([1, *shape, 3])
        self._alone = self._compiled(streams=1)
        self._together: Any = None
        self._idle: list[Any] = []  # requests that no thread uses at the moment
        self._lock = threading.Lock()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Patch features: uint8 (b, H, W, 3) in, float32 (b, h, w, d) out."""
        images = np.ascontiguousarray(images)
        if len(images) > 1 and self._streams > 1:
            return self._at_once(images)
        with self._lock:
            request = self._idle.pop() if self._idle else self._alone.create_infer_request()
        try:
            one_by_one = [images[at : at + 1] for at in range(len(images))]
            found = [request.infer([one], share_inputs=True)[0] for one in one_by_one]
            return found[0] if len(found) == 1 else np.concatenate(found)
        finally:
            with self._lock:
                self._idle.append(request)

    def _at_once(self, images: np.ndarray) -> np.ndarray:
        with self._lock:
            self._together = self._together or self._compiled(self._streams)
            requests = [self._together.create_infer_request() for _ in range(min(self._streams, len(images)))]
        out = np.empty((len(images), *self._together.output(0).shape[1:]), np.float32)

        def finish(at: int) -> None:
            request = requests[at % len(requests)]
            request.wait()
            out[at] = request.get_output_tensor(0).data[0]

        # No callbacks: one that still wants Python's lock while a model is destroyed holds up the program for good.
        for at in range(len(images)):
            if at >= len(requests):
                finish(at - len(requests))
            requests[at % len(requests)].start_async([images[at : at + 1]], share_inputs=True)
        for at in range(max(0, len(images) - len(requests)), len(images)):
            finish(at)
        return out

    def _compiled(self, streams: int) -> Any:
        return (
            _openvino()
            .Core()
            .compile_model(
                self._model,
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": "f32",
                    "INFERENCE_NUM_THREADS": self._threads,
                    "NUM_STREAMS": streams,
                    "ENABLE_CPU_PINNING": False,  # other processes and torch's threads use the same cores
                },
            )
        )


def _converted(network: PatchNetwork, stored: Path | None) -> Any:
    """The network as OpenVINO has it, for images of any size: read from a file, or converted and written there."""
    openvino = _openvino()
    if stored is not None and stored.is_file():
        with suppress(RuntimeError):  # a damaged file
            return openvino.Core().read_model(stored)
    texts, weights = serialized(network)
    if stored is not None:
        with suppress(OSError):  # nothing is lost without it but time
            _write(stored, texts, weights)
    # A model that was read back rounds otherwise than the one that was written: take what every process will read.
    return openvino.Core().read_model(model=texts, weights=weights)


def serialized(network: PatchNetwork) -> tuple[bytes, bytes]:
    """The network as OpenVINO stores it, for images of any size: the text of its .xml file and the .bin file."""
    openvino = _openvino()
    example = torch.zeros(1, EXAMPLE_SIDE, EXAMPLE_SIDE, 3, dtype=torch.uint8)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit.trace, which OpenVINO calls, is deprecated
        model = openvino.convert_model(network, example_input=example, input=[1, -1, -1, 3])
    with tempfile.TemporaryDirectory(prefix="exdd-network-") as folder:
        written = Path(folder) / "network.xml"
        openvino.serialize(model, written, written.with_suffix(".bin"))
        return written.read_bytes(), written.with_suffix(".bin").read_bytes()


def _write(file: Path, texts: bytes, weights: bytes) -> None:
    """Write the two files of a model; the one that is looked for gets its name last."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with files.whole(file) as unfinished, files.whole(file.with_suffix(".bin")) as weights_file:
        unfinished.write_bytes(texts)
        weights_file.write_bytes(weights)


def _openvino() -> ModuleType:
    """The package without its telemetry, which would otherwise tell Google Analytics of every import."""
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # its own fallback sends nothing
    import openvino

    return openvino
