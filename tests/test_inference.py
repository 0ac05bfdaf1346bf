"""Inference engines: agreement, choice, what is kept between processes, threads, and scores by either engine."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from exdd_core.datasets import demo
from exdd_core.detector import Detector, Settings, backbones, inference, openvino_engine, patches
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.examples import TrainingImage
from exdd_core.detector.openvino_engine import OpenVinoEngine
from exdd_core.detector.patch_network import PatchNetwork
from exdd_core.errors import BadInput
from exdd_core.images import Size

SHAPE = (96, 64)
SCORE_TOLERANCE = (
    1e-4  # largest difference of scores by two engines, by the distance from the median to the threshold
)

needs_openvino = pytest.mark.skipif(not openvino_engine.installed(), reason="OpenVINO is not installed")


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return backbones.load(device="cpu")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tests of OpenVINO's engine keep the converted network."""
    return tmp_path_factory.mktemp("networks") / "network.xml"


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which nothing was chosen yet: empty cache folder, no engine in memory, no switch."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(inference.SWITCH, raising=False)
    monkeypatch.setattr(inference, "_engines", {})
    return tmp_path / "cache" / "exdd" / "inference"


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *SHAPE, 3), np.uint8)


# --- agreement ------------------------------------------------------------------------------------------


@needs_openvino
@pytest.mark.parametrize("threads", [1, 3])
def test_openvino_agrees_with_torch_and_with_itself_in_every_batch(
    backbone: Backbone, stored: Path, threads: int
) -> None:
    network, several = PatchNetwork(backbone), pictures(5)
    engine, reference = OpenVinoEngine(network, SHAPE, threads, stored), inference.TorchEngine(network)
    found, expected = engine(several), reference(several)
    assert found.dtype == expected.dtype == np.float32 and found.shape == expected.shape == (5, 12, 8, 152)
    assert 0 < inference.difference(found, expected) < inference.TOLERANCE
    one_by_one = np.concatenate([engine(several[at : at + 1]) for at in range(5)])
    assert np.array_equal(found, one_by_one)
    assert np.array_equal(found[::-1], engine(several[::-1]))  # an array with negative strides


@needs_openvino
def test_threads_that_ask_at_once_get_what_they_would_get_alone(backbone: Backbone, stored: Path) -> None:
    engine, several = OpenVinoEngine(PatchNetwork(backbone), SHAPE, 2, stored), pictures(8)
    expected, found = engine(several), [np.zeros(0)] * 8

    def ask(at: int) -> None:
        for _ in range(3):
            some = several[at : at + 1] if at % 2 else several[[at, at - 1]]
            found[at] = engine(some)[:1]

    threads = [threading.Thread(target=ask, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(np.concatenate(found), expected)


def test_the_difference_is_told_by_hand() -> None:
    reference = np.array([[[[0.0, 0], [6, 8]]]])  # both lie 5 from their mean (3, 4): length 5 * sqrt(2)
    found = reference + np.array([[[[0.0, 0], [0.3, 0.4]]]])  # length 0.5
    assert inference.difference(found, reference) == pytest.approx(0.1 / np.sqrt(2))
    assert inference.difference(reference, reference) == 0
    assert inference.difference(reference * np.nan, reference) == np.inf


# --- the choice -----------------------------------------------------------------------------------------


def engines(
    monkeypatch: pytest.MonkeyPatch, change: float = 0.0, seconds: tuple[float, float] = (2.0, 1.0)
) -> None:
    """Stand-ins for OpenVINO, whose features are `change` too large, and for the clock."""

    class Stand:
        name = "openvino of a test"
        together = 2

        def __init__(self, network: PatchNetwork, *_: Any):
            self.torch = inference.TorchEngine(network)

        def __call__(self, images: np.ndarray) -> np.ndarray:
            return self.torch(images) * np.float32(1 + change)

    measure = inference.measure

    def timed(*given: Any) -> inference.Measured:
        return measure(*given).model_copy(
            update={"torch_seconds": seconds[0], "openvino_seconds": seconds[1]}
        )

    monkeypatch.setattr(inference, "OpenVinoEngine", Stand)
    monkeypatch.setattr(inference, "measure", timed)


@needs_openvino
@pytest.mark.parametrize(
    ("asked", "seconds", "expected"),
    [
        ("auto", (2.0, 1.0), "openvino of a test"),
        ("auto", (1.0, 2.0), f"torch {torch.__version__}"),
        (" OpenVINO ", (1.0, 2.0), "openvino of a test"),
        ("torch", (2.0, 1.0), f"torch {torch.__version__}"),
        ("", (2.0, 1.0), "openvino of a test"),
    ],
)
def test_the_faster_engine_is_chosen_unless_one_is_asked_for(
    backbone: Backbone, fresh: Path, monkeypatch: pytest.MonkeyPatch, asked: str, seconds: Any, expected: str
) -> None:
    engines(monkeypatch, seconds=seconds)
    monkeypatch.setenv(inference.SWITCH, asked)
    assert inference.engine_for(backbone, SHAPE).name == expected


@needs_openvino
@pytest.mark.parametrize("asked", ["auto", "openvino"])
def test_an_engine_that_disagrees_is_not_used(
    backbone: Backbone, fresh: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    engines(monkeypatch, change=1e-3)
    monkeypatch.setenv(inference.SWITCH, asked)
    engine = inference.engine_for(backbone, SHAPE)
    assert isinstance(engine, inference.TorchEngine)
    assert re.search(r"OpenVINO differs by \d\.\de-03", engine.name)


@needs_openvino
def test_an_engine_that_cannot_run_is_replaced(
    backbone: Backbone, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(inference, "OpenVinoEngine", broken)
    assert inference.engine_for(backbone, SHAPE).name.endswith("(OpenVINO cannot run here)")


def test_without_the_package_torch_is_used_unless_it_is_asked_for(
    backbone: Backbone, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_engine, "installed", lambda: False)
    assert inference.engine_for(backbone, SHAPE).name == f"torch {torch.__version__}"
    monkeypatch.setenv(inference.SWITCH, "openvino")
    with pytest.raises(BadInput, match="not installed; install it"):
        inference.engine_for(backbone, SHAPE)


def test_a_wrong_switch_is_one_sentence(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(inference.SWITCH, "onnx")
    with pytest.raises(BadInput, match="^EXDD_ENGINE is 'onnx', which is not an engine; set it to auto,"):
        inference.engine_for(backbone, SHAPE)


# --- what is kept ---------------------------------------------------------------------------------------


@needs_openvino
def test_the_next_process_measures_and_converts_nothing(
    backbone: Backbone, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(inference.SWITCH, "openvino")
    found = patches.features(backbone, pictures(1))
    assert sorted(file.suffix for file in fresh.iterdir()) == [".bin", ".json", ".xml"]
    inference._engines.clear()  # as in a process that has just begun
    monkeypatch.setattr(inference, "measure", pytest.fail)
    monkeypatch.setattr(openvino_engine, "_write", pytest.fail)
    assert np.array_equal(patches.features(backbone, pictures(1)), found)


@pytest.mark.slow
@needs_openvino
def test_damaged_files_are_made_anew(
    backbone: Backbone, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(inference.SWITCH, "openvino")
    found = patches.features(backbone, pictures(1))
    for file in sorted(fresh.iterdir()):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        inference._engines.clear()
        assert np.array_equal(patches.features(backbone, pictures(1)), found), file.suffix


@needs_openvino
def test_weights_threads_and_sizes_are_told_apart(
    backbone: Backbone, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines(monkeypatch)
    other = replace(backbone, fingerprint="other")
    for network, shape in ((backbone, SHAPE), (other, SHAPE), (backbone, (64, 64)), (backbone, SHAPE)):
        inference.engine_for(network, shape)
    assert len(list(fresh.glob("*.json"))) == 3
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    inference._engines.clear()
    inference.engine_for(backbone, SHAPE)
    assert len(list(fresh.glob("*.json"))) == 4


@needs_openvino
def test_nothing_is_reported_to_anyone() -> None:
    code = (
        "from exdd_core.detector import openvino_engine; openvino_engine.processor(); import sys; "
        "print([n for n in sys.modules if n.startswith('openvino_telemetry.')], sys.modules['openvino_telemetry'])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[] None"


# --- half precision -------------------------------------------------------------------------------------


class Overflows(nn.Module):
    """A network whose maps do not fit half precision."""

    def forward(self, batch: torch.Tensor) -> list[torch.Tensor]:
        weights = torch.full((1, 3, 8, 8), 1e3, device=batch.device)
        return [nn.functional.conv2d(batch, weights, stride=8) * 1e3]


def test_half_precision_is_used_where_it_agrees(backbone: Backbone) -> None:
    """On the CPU, which stands for the GPU."""
    network = PatchNetwork(backbone)
    engine = inference._on_gpu(network, SHAPE)
    assert engine.name == f"torch {torch.__version__}, float16"
    found, exact = engine(pictures(2)), inference.TorchEngine(network)(pictures(2))
    assert found.dtype == np.float32
    assert 1e-5 < inference.difference(found, exact) < inference.HALF_TOLERANCE


def test_half_precision_that_overflows_is_not_used() -> None:
    cpu = torch.device("cpu")
    network = PatchNetwork(
        Backbone("large", ("a",), 1, "none", "1", cpu, Overflows(), (0.0,) * 3, (1.0,) * 3)
    )
    engine = inference._on_gpu(network, (32, 32))
    assert engine.name.endswith("(half precision differs by inf)")
    assert np.isfinite(engine(inference.probe((32, 32)))).all()


# --- scores ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@needs_openvino
def test_a_bank_of_one_engine_scores_alike_by_the_other(
    backbone: Backbone, fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores, maps and verdicts of generated images, for a bank of either engine, stored and loaded."""
    demo.generate(tmp_path / "demo", seed=0, normal=10, defective=6)
    good = sorted((tmp_path / "demo").glob("**/good/*.png"))
    bad = [file for file in sorted((tmp_path / "demo").glob("**/*.png")) if "good" not in str(file)]
    assert len(good) >= 10
    found: dict[tuple[str, str], list[Any]] = {}
    masks = {file.stem.removesuffix("_mask"): file for file in bad if "mask" in str(file)}
    defects = [file for file in bad if "mask" not in str(file)]
    for built in ("torch", "openvino"):
        monkeypatch.setenv(inference.SWITCH, built)
        detector = Detector(backbone, Settings(size=Size(64, 64)))
        detector.fit(
            [TrainingImage(str(file), file, str(file)) for file in good[:8]],
            [TrainingImage(str(f), f, str(f), masks[f.stem]) for f in defects[:4] if f.stem in masks],
        )
        (tmp_path / built).mkdir()
        detector.save(tmp_path / built)
        for scored in ("torch", "openvino"):
            monkeypatch.setenv(inference.SWITCH, scored)
            loaded = Detector.load(tmp_path / built, backbone)
            assert loaded.summary()["engine"].startswith(built)
            found[built, scored] = loaded.score([*good, *defects])
            alone = loaded.score([good[3]])[0]
            assert np.array_equal(alone.map, found[built, scored][3].map)
    one = found["torch", "torch"]
    for other in found.values():
        for a, b in zip(one, other, strict=True):
            unit = a.calibration.threshold - a.calibration.median
            assert abs(a.score - b.score) < SCORE_TOLERANCE * unit
            assert abs(a.model_map - b.model_map).max() < SCORE_TOLERANCE * unit
            assert a.verdict == b.verdict
