"""Teaching a LoRA on a tiny random SDXL: losses, interruption, what is saved, and that the engine paints with it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from exdd_core.errors import BadInput, Cancelled
from exdd_core.progress import Progress
from exdd_core.synthesis import lora_steps, lora_training, sdxl_adapters
from exdd_core.synthesis.lora_crops import Picture, Words
from exdd_core.synthesis.lora_settings import GB, TeachingSettings, at_once, needed, side_for
from exdd_core.synthesis.lora_training import Lesson, Taught, Training, teach
from exdd_core.synthesis.sdxl import SDXL
from tests import tiny_sdxl
from tests.sdxl_requests import far_apart, request

pytestmark = pytest.mark.usefixtures("unloading")

QUICK = TeachingSettings(resolution=64, steps=4, rank=2, rate=0.05, every=2, variants=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lora_training, "SAMPLE_STEPS", 1)
    monkeypatch.setattr(lora_steps, "WARM_UP", 2)


def picture(number: int, defective: bool) -> Picture:
    pixels = np.random.default_rng(number).integers(90, 160, (80, 96, 3), dtype=np.uint8)
    mask = np.zeros((80, 96), bool)
    mask[20:34, 30 + number : 60] = True
    pixels[mask] //= 3
    return Picture(
        f"set/{number}.png", f"part {number}", "scratches", lambda: (pixels, mask if defective else None)
    )


def lesson() -> Lesson:
    defects, held_out, normals = (
        [picture(n, n < 5) for n in numbers] for numbers in ((0, 1, 2), (3, 4), (5, 6))
    )
    return Lesson(defects, held_out, normals, Words("copper metal", "exdd"), ((False, 0), (True, 0)))


def stopping_at(step: int) -> Progress:
    """A progress that is cancelled when the training has made so many steps."""

    def listen(progress: Progress) -> None:
        if progress.stage.startswith("Teaching") and progress.done == step:
            progress.cancel()

    return Progress(listen)


@pytest.fixture(scope="module")
def taught(tiny_sdxl: Path, tmp_path_factory: pytest.TempPathFactory) -> Taught:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lora_training, "SAMPLE_STEPS", 1)
        patch.setattr(lora_steps, "WARM_UP", 2)
        return teach(tiny_sdxl, lesson(), QUICK, tmp_path_factory.mktemp("taught"), Progress())


# --- the loss, by hand ----------------------------------------------------------------------------


def test_the_loss_counts_ten_times_in_the_mask_and_forgets_its_size() -> None:
    covered = torch.zeros(2, 1, 2, 2)
    covered[0, 0, 0, 0] = covered[1, 0, :, 0] = 1
    predicted = torch.zeros(2, 4, 2, 2)
    predicted[0, :, 0, 0] = predicted[1, :, 0, 1] = 2  # an error of 4, in the mask and beside it
    found = lora_steps.weighted_loss(predicted, torch.zeros_like(predicted), covered)
    assert found.tolist() == pytest.approx([4 / 1.3, 0.4 / 2.2])
    everywhere = torch.ones(1, 4, 2, 2)
    for mask in (covered[:1], covered[1:]):  # the same error everywhere gives the same loss for any mask
        assert float(lora_steps.weighted_loss(everywhere, -everywhere, mask)) == pytest.approx(4)
    assert float(lora_steps.weighted_loss(predicted[1:], 0 * predicted[1:], covered[1:], 0.0)) == 0


@pytest.mark.parametrize(
    ("kind", "expected"), [("epsilon", [5 / 99, 1, 1]), ("v_prediction", [5 / 100, 1 / 2, 0.25 / 1.25])]
)
def test_weights_of_timesteps(kind: str, expected: list[float]) -> None:
    schedule = SimpleNamespace(
        alphas_cumprod=torch.tensor([0.99, 0.5, 0.2]), config=SimpleNamespace(prediction_type=kind)
    )  # SNR = a / (1 - a): 99, 1 and 0.25
    assert lora_steps.min_snr(schedule, torch.tensor([0, 1, 2])).tolist() == pytest.approx(expected, rel=1e-4)


def test_velocity_is_what_a_model_of_velocity_learns(tiny_sdxl: Path) -> None:
    schedule: Any = diffusers.DDPMScheduler(num_train_timesteps=10, prediction_type="v_prediction")
    clean, noise, times = torch.full((1, 4, 2, 2), 3.0), torch.ones(1, 4, 2, 2), torch.tensor([5])
    part = float(schedule.alphas_cumprod[5])
    velocity = math.sqrt(part) - math.sqrt(1 - part) * 3
    learner = object.__new__(lora_steps.Learner)
    learner.schedule, learner.device = schedule, torch.device("cpu")
    learner.predicted = lambda noisy, times, batch: torch.full_like(noisy, velocity)  # type: ignore[method-assign]
    examples = lora_steps.Examples(clean, clean, clean[:, :1], torch.ones(1, 1, 2, 2), torch.tensor([0]))
    assert float(learner._losses(examples, times, noise, 0.1)) == pytest.approx(0, abs=1e-10)


# --- memory ---------------------------------------------------------------------------------------


def test_memory_decides_the_size_of_crops() -> None:
    unet, asked = 2_567_463_684, TeachingSettings()
    sides = {free: side_for(free * GB, unet, asked, 1024) for free in (9, 12, 16, 24)}
    assert sides == {9: 512, 12: 768, 16: 1024, 24: 1024}
    assert (
        side_for(None, unet, asked, 1024) == 512
        and side_for(9 * GB, unet, TeachingSettings(resolution=1024), 1024) == 1024
    )
    assert [at_once(free * GB, 1024, unet, 16) for free in (9, 16, 24, 80)] == [1, 1, 2, 4]
    with pytest.raises(BadInput, match="needs about 8.6 GB of GPU memory, but only 6.0 GB are free; close"):
        side_for(6 * GB, unet, asked, 1024)
    assert needed(512, unet, 16) < needed(1024, unet, 16) < needed(1024, unet, 16, 2)


def test_what_cannot_be_taught_is_a_sentence(
    tiny_sdxl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match="resolution is 100; it must be a multiple of 64"):
        TeachingSettings(resolution=100)

    def full(*_: object) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(lora_training, "encode_crops", full)
    with pytest.raises(BadInput, match="not enough memory for this training; choose a lower resolution"):
        teach(tiny_sdxl, lesson(), QUICK, tmp_path, Progress())
    monkeypatch.setattr(lora_training, "_require_memory", lambda size: None)
    monkeypatch.setattr(
        lora_training.weights, "family_of", lambda path: SimpleNamespace(flows=True, title="FLUX Fill")
    )
    with pytest.raises(BadInput, match="FLUX Fill cannot be taught here"):
        teach(tiny_sdxl, lesson(), QUICK, tmp_path, Progress())


# --- a training -----------------------------------------------------------------------------------


def test_a_training_reports_losses_and_samples(taught: Taught) -> None:
    folder = taught.file.parent
    assert [row["step"] for row in taught.losses] == [0, 2, 4] and taught.losses[0]["learnt"] is None
    assert all(np.isfinite(row["held_out"]) and row["held_out"] > 0 for row in taught.losses)
    assert len({row["held_out"] for row in taught.losses}) == 3
    assert json.loads((folder / "losses.json").read_text()) == {"steps": 4, "losses": taught.losses}
    assert taught.crops == 4 and len(list(folder.glob("sample-*.png"))) == 2  # one of each held-out crop
    assert sdxl_adapters.taught_by(taught.file) == [f"part {n}" for n in range(7)]


def test_stopped_and_resumed_is_the_same_bit_for_bit(taught: Taught, tiny_sdxl: Path, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        teach(tiny_sdxl, lesson(), QUICK, tmp_path, stopping_at(3))  # one step after a checkpoint
    assert len(json.loads((tmp_path / "losses.json").read_text())["losses"]) == 2
    begun: list[int] = []
    progress = Progress(lambda told: begun.append(told.done) if told.stage.startswith("Teaching") else None)
    again = teach(tiny_sdxl, lesson(), QUICK, tmp_path, progress)
    assert begun[0] == 2 and again.losses == taught.losses
    assert again.file.read_bytes() == taught.file.read_bytes()
    one, other = (
        torch.load(f.parent / "checkpoint.pt", weights_only=True)["learner"]
        for f in (taught.file, again.file)
    )
    assert all(torch.equal(a, b) for a, b in zip(one["adapter"], other["adapter"], strict=True))
    assert torch.equal(one["noise"], other["noise"]) and one["steps"] == other["steps"] == 4
    for a, b in zip(one["optimiser"]["state"].values(), other["optimiser"]["state"].values(), strict=True):
        assert torch.equal(a["exp_avg"], b["exp_avg"]) and torch.equal(a["exp_avg_sq"], b["exp_avg_sq"])


@pytest.mark.parametrize("kept", [0, 10, 2000])
def test_a_damaged_checkpoint_begins_the_training_again(taught: Taught, tmp_path: Path, kept: int) -> None:
    content = (taught.file.parent / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(content[:kept])
    training = SimpleNamespace(folder=tmp_path, made_for="this", learner=None, losses=[], at_once=1)
    Training._go_on(training)  # type: ignore[arg-type]
    assert training.losses == []


def test_the_engine_paints_with_what_was_taught(taught: Taught, tiny_sdxl: Path) -> None:
    assert any(
        value.abs().max() > 0
        for name, value in load_file(taught.file).items()
        if ".up." in name or "lora_B" in name
    )
    engine = SDXL(str(tiny_sdxl))
    plain = engine.paint(request()).image
    worn = engine.paint(request(lora=str(taught.file))).image
    assert far_apart(plain, worn) > 0
    assert np.array_equal(engine.paint(request()).image, plain)


def test_a_model_of_four_channels_learns_too_and_not_from_another_checkpoint(
    taught: Taught, tmp_path: Path
) -> None:
    model = tiny_sdxl.build_sd15(tmp_path / "sd15")
    (tmp_path / "checkpoint.pt").write_bytes((taught.file.parent / "checkpoint.pt").read_bytes())
    settings = QUICK.model_copy(update={"steps": 1})
    found = teach(model, lesson(), settings, tmp_path, Progress())
    assert [row["step"] for row in found.losses] == [0, 1]
