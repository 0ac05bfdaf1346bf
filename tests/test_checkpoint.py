"""A checkpoint that anomalib wrote, read as a negative bank: the same scores, or one sentence on what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from exdd_core import cli
from exdd_core.banks.detectors import load_detector
from exdd_core.bundle.checkpoint import import_checkpoint
from exdd_core.detector.backbones import Backbone
from exdd_core.errors import BadInput
from exdd_core.workspace import Workspace
from exdd_core.workspace.imports import import_dataset
from tests import plates

SIDE = 64


@pytest.fixture(scope="module")
def patchcore() -> Any:
    """anomalib's PatchCore with the architecture of the embedded backbone and random weights."""
    from anomalib.models import Patchcore
    from anomalib.pre_processing import PreProcessor
    from torchvision.transforms.v2 import Compose, Normalize, Resize

    standard = Compose([Resize((SIDE, SIDE)), Normalize([0.5] * 3, [0.5] * 3)])
    layers = ["blocks.2", "blocks.4"]
    made = Patchcore("tf_efficientnet_lite0", layers, False, pre_processor=PreProcessor(standard))
    made.model.memory_bank = torch.zeros(1, 152)
    return made.eval()


def stored(model: Any, file: Path) -> Path:
    from lightning.pytorch import Trainer

    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(file)
    return file


def teach(model: Any, backbone: Backbone) -> None:
    """Give it our weights, and the features of four plates as its bank."""
    network = model.model.feature_extractor.feature_extractor
    own, ours = network.state_dict(), backbone.network.state_dict().values()
    network.load_state_dict(own | dict(zip(own, ours, strict=False)))
    model.train()
    model.model.feature_extractor.eval()
    model.model(torch.stack([given(seed) for seed in range(4)]))
    model.model.memory_bank = torch.vstack(model.model.embedding_store)
    model.eval()


def given(seed: int) -> torch.Tensor:
    return torch.from_numpy(square(seed)).permute(2, 0, 1).float().div(127.5).sub(1)


def square(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(90, 110 + seed, (SIDE, SIDE, 3), np.uint8)


def test_its_bank_scores_as_in_anomalib(
    patchcore: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace.create(tmp_path / "workspace", backbone="efficientnet_lite0")
    plates.files(tmp_path)
    import_dataset(workspace, tmp_path / "plates", size=plates.SMALL)
    with pytest.raises(
        BadInput, match="random.ckpt was created with different weights of tf_efficientnet_lite0"
    ):
        import_checkpoint(workspace, stored(patchcore, tmp_path / "random.ckpt"))
    teach(patchcore, workspace.backbone())
    file = stored(patchcore, tmp_path / "model.bin")
    assert cli.main(["banks", "import", str(file), "--workspace", str(workspace.path)]) == 0
    assert "was imported from model.bin" in capsys.readouterr().out
    detector = load_detector(workspace)
    np.testing.assert_array_equal(detector.negative.rows, patchcore.model.memory_bank.numpy())
    assert detector.positive is None and workspace.bank().summary["positive_rows"] == 0
    patchcore.model.num_neighbors = 1  # the plain maximum, as ours
    for seed in (40, 90):  # of images that it does not know; anomalib's own distance to itself is not 0
        with torch.inference_mode():
            expected = float(patchcore.model(given(seed)[None]).pred_score)
        assert detector.score([square(seed)])[0].score == pytest.approx(expected, rel=1e-3, abs=1e-3)

    def changed(change: str, value: object) -> Path:
        held = torch.load(file, weights_only=False)
        place = held["state_dict" if "." in change else "hyper_parameters"]
        place[change] = value
        torch.save(held, tmp_path / "changed.ckpt")
        return tmp_path / "changed.ckpt"

    steps = (
        "its layers blocks.1, blocks.4, but this workspace uses tf_efficientnet_lite0 and blocks.2, blocks.4"
    )
    for change, value, said in (
        ("layers", ["blocks.1", "blocks.4"], steps),
        ("backbone", "resnet18", "was created with resnet18"),
        ("model.memory_bank", torch.zeros(4, 9), r"has the shape \(4, 9\)"),
    ):
        with pytest.raises(BadInput, match=said):
            import_checkpoint(workspace, changed(change, value))
    (tmp_path / "no.ckpt").write_bytes(b"no")
    with pytest.raises(BadInput, match="no.ckpt is not a checkpoint of anomalib's PatchCore"):
        import_checkpoint(workspace, tmp_path / "no.ckpt")
