"""Which inference engine computes patch features on this machine: torch, or OpenVINO where it is the faster one.

torch in float32 is the reference. Another engine is used only if its features of a probe image differ from torch's by
no more than a stated tolerance. Both are timed once for a backbone, an image size and a machine, and the outcome is
kept in the user's cache folder, so that all processes take the same one. Knows engines. Does not know images' sources
or banks.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from pydantic import BaseModel, ValidationError

from exdd_core import files
from exdd_core.detector import openvino_engine
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.openvino_engine import OpenVinoEngine
from exdd_core.errors import BadInput
from exdd_core.later import torch

if TYPE_CHECKING:
    from exdd_core.detector.patch_network import PatchNetwork

SWITCH = "EXDD_ENGINE"
TORCH, OPENVINO, AUTO = "torch", "openvino", "auto"
# Largest length of the difference between two engines' features, by the length of torch's about their mean.
TOLERANCE = 1e-4
HALF_TOLERANCE = 1e-2  # the same for half precision on a GPU
TIMING_ROUNDS, TIMING_SECONDS = 3, 0.5
MOST_KEPT = 8  # engines in memory, one a backbone and image size

log = logging.getLogger(__name__)


class Engine(Protocol):
    """What computes features.

    name: with its version, and a note where it is not the one that was to be expected. together: images that are
    scored at once; 1 where rounding depends on the batch.
    """

    name: str
    together: int

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Patch features: uint8 (b, H, W, 3) in, float32 (b, h, w, d) out."""
        ...


class Measured(BaseModel):
    """OpenVINO against torch on the probe image: relative difference, and best seconds of each."""

    difference: float
    torch_seconds: float
    openvino_seconds: float


class TorchEngine:
    """torch itself, on the backbone's device. half: the precision of the network on a GPU; None for float32."""

    together = 1

    def __init__(self, network: PatchNetwork, half: torch.dtype | None = None, note: str = ""):
        self.name = f"torch {torch.__version__}" + (f", {str(half).removeprefix('torch.')}" if half else "")
        self.name += f" ({note})" if note else ""
        self._network, self._half, self._device = network, half, network.mean.device

    def __call__(self, images: np.ndarray) -> np.ndarray:
        batch = torch.from_numpy(np.ascontiguousarray(images))
        if self._device.type == "cuda":
            batch = batch.pin_memory().to(self._device, non_blocking=True)
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, dtype=self._half, enabled=self._half is not None),
        ):
            found = self._network(batch)
        if self._device.type == "cuda":
            pinned = torch.empty(found.shape, dtype=found.dtype, pin_memory=True)
            found = pinned.copy_(found)
        return found.float().numpy()


_engines: dict[tuple[str, str, tuple[int, int]], Engine] = {}
_choosing = threading.Lock()


def engine_for(backbone: Backbone, shape: tuple[int, int]) -> Engine:
    """The engine for images of one height and width. Raises BadInput for a wrong EXDD_ENGINE."""
    wanted = asked()
    key = wanted, _identity(backbone), shape
    found = _engines.get(key)
    if found is None:
        with _choosing:
            if key not in _engines:
                while len(_engines) >= MOST_KEPT:
                    _engines.pop(next(iter(_engines)))
                _engines[key] = _chosen(backbone, shape, wanted)
            found = _engines[key]
    return found


def asked() -> str:
    """What EXDD_ENGINE says: "torch", "openvino" or "auto"; "auto" where it is not set. Raises BadInput for others."""
    name = os.environ.get(SWITCH, "").strip().lower() or AUTO
    if name not in (TORCH, OPENVINO, AUTO):
        raise BadInput(f"{SWITCH} is '{name}', which is not an engine; set it to auto, openvino or torch.")
    return name


def _chosen(backbone: Backbone, shape: tuple[int, int], wanted: str) -> Engine:
    from exdd_core.detector.patch_network import PatchNetwork  # here, as its base is a class of torch

    network = PatchNetwork(backbone)
    if backbone.device.type == "cuda":
        return _on_gpu(network, shape)
    if wanted == TORCH or backbone.device.type != "cpu":
        return TorchEngine(network)
    if not openvino_engine.installed():
        if wanted == OPENVINO:
            raise BadInput(
                f"{SWITCH} asks for {OPENVINO}, which is not installed; install it (pip install openvino) or "
                f"set {SWITCH} to {AUTO}."
            )
        return TorchEngine(network)
    try:
        return _faster(backbone, network, shape, wanted)
    except (RuntimeError, ImportError, OSError) as error:  # what OpenVINO raises where it cannot run
        log.warning("OpenVINO cannot run %s here, so torch does: %s", backbone.name, error)
        return TorchEngine(network, note="OpenVINO cannot run here")


def _faster(backbone: Backbone, network: PatchNetwork, shape: tuple[int, int], wanted: str) -> Engine:
    """OpenVINO if its features agree with torch's and it was asked for or is faster; else torch."""
    height, width = shape
    threads, folder = torch.get_num_threads(), _folder()
    depends = _identity(backbone), openvino_engine.version(), torch.__version__
    stored = folder / f"{_digest(*depends)}.xml" if folder else None
    here = _digest(*depends, openvino_engine.processor(), threads)
    known = folder / f"{here}-{width}x{height}.json" if folder else None
    measured, engine = _read(known), None
    if measured is None:
        engine = OpenVinoEngine(network, shape, threads, stored)
        measured = measure(TorchEngine(network), engine, shape)
        _write(measured, known)
    if measured.difference > TOLERANCE:
        log.warning(
            "OpenVINO's features of %s differ by %.1e, so torch is used", backbone.name, measured.difference
        )
        return TorchEngine(network, note=f"OpenVINO differs by {measured.difference:.1e}")
    if wanted == AUTO and measured.torch_seconds <= measured.openvino_seconds:
        return TorchEngine(network)
    return engine or OpenVinoEngine(network, shape, threads, stored)


def measure(reference: Engine, other: Engine, shape: tuple[int, int]) -> Measured:
    """Compare OpenVINO with torch on the probe image, and time both in turn, for half a second or one round."""
    image = probe(shape)
    found = difference(other(image), reference(image))
    best, began = [np.inf, np.inf], time.perf_counter()
    for _ in range(TIMING_ROUNDS):
        for at, engine in enumerate((reference, other)):
            start = time.perf_counter()
            engine(image)
            best[at] = min(best[at], time.perf_counter() - start)
        if time.perf_counter() - began > TIMING_SECONDS:
            break
    return Measured(difference=found, torch_seconds=best[0], openvino_seconds=best[1])


def probe(shape: tuple[int, int]) -> np.ndarray:
    """An image with coarse and fine texture: uint8 (1, height, width, 3)."""
    height, width = shape
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 128, (-(-height // 16), -(-width // 16), 3), np.uint8)
    whole = coarse.repeat(16, 0).repeat(16, 1)[:height, :width]
    return (whole + rng.integers(0, 128, whole.shape, np.uint8))[None]


def difference(features: np.ndarray, reference: np.ndarray) -> float:
    """Length of the difference of features, by that of the reference about its mean patch; (b, h, w, d) each.

    Infinite where a value is no number.
    """
    exact = reference.astype(np.float64)
    spread = np.linalg.norm(exact - exact.mean((0, 1, 2)))
    relative = np.linalg.norm(features - exact) / max(spread, np.finfo(np.float64).tiny)
    return float(relative) if np.isfinite(relative) else np.inf


def _on_gpu(network: PatchNetwork, shape: tuple[int, int]) -> Engine:
    """Half precision where its features agree with those of float32, measured at every start."""
    engine, image = TorchEngine(network, torch.float16), probe(shape)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        found = difference(engine(image), TorchEngine(network)(image))
    if found <= HALF_TOLERANCE:
        return engine
    log.warning("Features in half precision differ by %.1e, so float32 is used", found)
    return TorchEngine(network, note=f"half precision differs by {found:.1e}")


def _identity(backbone: Backbone) -> str:
    """A digest of all that features of pixels depend on, except the engine."""
    told = backbone.fingerprint, backbone.layers, backbone.mean, backbone.std, str(backbone.device)
    return _digest(*told, type(backbone.network).__qualname__, _SOURCE)


def _digest(*values: object) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()[:32]


_HERE = Path(__file__).parent
_MODULES = "backbones", "efficientnet", "taps", "patch_network"
_SOURCE = _digest(*((_HERE / f"{name}.py").read_bytes() for name in _MODULES))


def _folder() -> Path | None:
    """Where converted networks and timings are kept; None where there is no such place."""
    with suppress(RuntimeError):
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "exdd" / "inference"
    return None


def _read(file: Path | None) -> Measured | None:
    if file is not None:
        with suppress(OSError, ValidationError):
            return Measured.model_validate_json(file.read_bytes())
    return None


def _write(measured: Measured, file: Path | None) -> None:
    if file is not None:
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            with files.whole(file) as place:
                place.write_text(measured.model_dump_json())
