"""SDXL's engine on tiny random pipelines of the real classes: settings, pixels, steps, memory, models found."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import threading
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from exdd_core.errors import BadInput, Cancelled
from exdd_core.progress import Progress
from exdd_core.synthesis import sdxl_memory, sdxl_model, sdxl_settings, sdxl_views, weights
from exdd_core.synthesis.request import PaintRequest
from exdd_core.synthesis.sdxl import SDXL
from exdd_core.synthesis.sdxl_memory import GB, plan
from tests.sdxl_requests import QUICK, REAL, Spy, far_apart, haloed, pipeline_class, request

pytestmark = pytest.mark.usefixtures("unloading")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No connection may even be tried, and this machine's own models and cache are not seen."""

    def refuse(*_: Any) -> None:
        raise AssertionError("somebody tried to reach the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.delenv("EXDD_SDXL", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def engine(tiny_sdxl: Path) -> SDXL:
    return SDXL(str(tiny_sdxl))


# --- settings -------------------------------------------------------------------------------------


def test_the_papers_settings_are_the_defaults_and_reach_the_call(
    engine: SDXL, monkeypatch: pytest.MonkeyPatch
) -> None:
    def paint_nothing(pipe: Any, **kwargs: Any) -> Any:
        return types.SimpleNamespace(images=[kwargs["image"].point(lambda value: 255 - value)])

    spy = Spy(monkeypatch, pipeline_class(), "__call__", paint_nothing)
    usual = request()
    engine.paint(PaintRequest(usual.image, usual.mask, "white marks on the wall", "black, dark"))
    (call,) = spy.calls
    assert (call["num_inference_steps"], call["guidance_scale"], call["strength"]) == (30, 20.0, 0.99)
    assert (call["padding_mask_crop"], call["height"], call["width"]) == (2, 1024, 1024)
    assert call["image"].size == call["mask_image"].size == (1024, 1024)


def test_every_setting_reaches_the_call(
    engine: SDXL, tiny_lora: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy, encode = (Spy(monkeypatch, pipeline_class(), name) for name in ("__call__", "encode_prompt"))
    chosen = {
        "steps": 3, "guidance": 7.5, "strength": 0.8, "padding_mask_crop": 9, "resolution": 96,
        "scheduler": "DPM++ 2M Karras", "lora": str(tiny_lora), "lora_weight": 0.5,
    }  # fmt: skip
    painting = engine.paint(request(seed=77, prompt="white marks", **chosen))
    (call,) = spy.calls
    assert (call["num_inference_steps"], call["guidance_scale"], call["strength"]) == (3, 7.5, 0.8)
    assert (call["padding_mask_crop"], call["height"], call["width"]) == (9, 96, 96)
    pipe = call["self"]
    assert type(pipe.scheduler).__name__ == "DPMSolverMultistepScheduler"
    assert pipe.scheduler.config.use_karras_sigmas
    assert pipe.scheduler.config.beta_end == 0.012  # the rest stays the model's
    assert pipe.unet.peft_config["lora"].r == 2
    layer = next(module for name, module in pipe.unet.named_modules() if name.endswith("attn1.to_q"))
    assert layer.scaling == {"lora": 0.5}
    assert [generator.initial_seed() for generator in call["generator"]] == [77]
    own = next(c for c in encode.calls if c.get("prompt"))
    assert (own["prompt"], own["negative_prompt"]) == ("white marks", "smooth, plain")
    assert {**painting.settings, **chosen} == painting.settings


def test_each_setting_changes_the_pixels(engine: SDXL, tiny_lora: Path) -> None:
    usual = engine.paint(request(strength=0.9, steps=4)).image
    for change in (
        {"steps": 3}, {"guidance": 3}, {"strength": 0.6}, {"padding_mask_crop": 9}, {"padding_mask_crop": -1},
        {"resolution": 72}, {"scheduler": "DDIM"}, {"lora": str(tiny_lora)}, {"geometry": "native"},
        {"feather": 4}, {"halo": 0}, {"match_brightness": True}, {"guidance_rescale": 0.7}, {"pag_scale": 3},
        {"negative_size": 512}, {"precision": "bfloat16"},
    ):  # fmt: skip
        changed = engine.paint(request(**({"strength": 0.9, "steps": 4} | change))).image
        assert far_apart(usual, changed) > 0, change


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"steps": 2, "strength": 0.3}, "strength"),
        ({"resolution": 100}, "resolution"),
        ({"guidance": 0}, "guidance"),
        ({"scheduler": "magic"}, "scheduler"),
        ({"lora": "nowhere.safetensors"}, "nowhere.safetensors"),
        ({"model": "nobody/nothing"}, "nobody/nothing"),
        ({"model": "n" * 5000}, "not on this machine"),
        ({"lora": "\0"}, "does not exist"),
    ],
)
def test_a_setting_that_cannot_be_used_is_a_sentence(engine: SDXL, wrong: dict[str, Any], word: str) -> None:
    with pytest.raises(BadInput, match=word):
        engine.paint(request(**wrong))


@pytest.mark.parametrize("name", list(sdxl_settings.SCHEDULERS))
def test_every_scheduler_paints_the_same_again(engine: SDXL, name: str) -> None:
    first, second = (engine.paint(request(steps=3, strength=0.7, scheduler=name)) for _ in range(2))
    assert np.array_equal(first.image, second.image)


# --- pixels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("geometry", ["paper", "native"])
@pytest.mark.parametrize("padding", [-1, 0, 2, 40])
@pytest.mark.parametrize("per_call", [1, 2])
def test_outside_the_mask_pixels_are_identical(
    engine: SDXL, geometry: str, padding: int, per_call: int
) -> None:
    asked = request(geometry=geometry, padding_mask_crop=padding, painted_together=per_call)
    painting = engine.paint(asked)
    assert np.array_equal(painting.image[~haloed(asked)], asked.image[~haloed(asked)])
    assert far_apart(painting.image, asked.image) > 10
    assert not (painting.mask & ~haloed(asked)).any()


def test_the_same_seed_gives_the_same_pixels_and_another_seed_others(engine: SDXL) -> None:
    one, again, other = (engine.paint(request(seed)).image for seed in (5, 5, 6))
    assert np.array_equal(one, again)
    assert far_apart(one, other) > 10


@pytest.mark.parametrize("geometry", ["paper", "native"])
def test_a_batch_is_the_same_as_one_by_one(engine: SDXL, geometry: str) -> None:
    def wishes(per_call: int) -> list[PaintRequest]:
        paddings = [2, 9, 0]
        return [
            request(
                seed, f"copper {seed}", geometry=geometry, padding_mask_crop=pad, painted_together=per_call
            )
            for seed, pad in enumerate(paddings)
        ]

    alone = list(engine.paint_many(wishes(1)))
    together = list(engine.paint_many(wishes(3)))
    for one, of_three in zip(alone, together, strict=True):
        assert (
            far_apart(one.image, of_three.image) <= 2
        )  # rounding: other shapes take other ways through the processor
    assert far_apart(alone[0].image, alone[1].image) > 10
    # A record says how many there were, and so is painted to the bit.
    last = together[2]
    assert last.settings["painted_together"] == 3
    again = engine.paint(wishes(3)[2])
    assert np.array_equal(again.image, last.image)
    assert again.settings == last.settings


def test_requests_that_differ_in_settings_go_in_calls_of_their_own_and_stay_in_order(engine: SDXL) -> None:
    mixed = [
        request(seed, guidance=guidance, painted_together=4) for seed, guidance in enumerate((5, 5, 9, 5))
    ]
    paintings = list(engine.paint_many(mixed))
    assert [painting.seed for painting in paintings] == [0, 1, 2, 3]
    assert [painting.settings["guidance"] for painting in paintings] == [5, 5, 9, 5]
    alone = engine.paint(mixed[2])
    assert np.array_equal(alone.image, paintings[2].image)


def test_a_scratch_of_one_pixel_is_still_a_mask_for_the_model(
    engine: SDXL, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusers import UNet2DConditionModel

    spy = Spy(monkeypatch, UNet2DConditionModel, "forward")
    asked = request()
    mask = np.zeros_like(asked.mask)
    mask[10:140, 33] = True
    painting = engine.paint(
        PaintRequest(asked.image, mask, "copper", "", {**QUICK, "padding_mask_crop": -1, "halo": 0}, 0)
    )
    seen = spy.calls[0]["args"][0][0, 4].numpy()  # the mask is the fifth channel of nine
    assert seen.any(axis=1).sum() >= 7  # of 8 rows
    assert painting.mask.any()
    assert np.array_equal(painting.image[~mask], asked.image[~mask])


@settings(max_examples=30)
@given(st.data())
def test_widening_reaches_every_cell_that_a_mask_touches_in_passing(data: st.DataObject) -> None:
    cell = data.draw(st.integers(2, 9))
    mask = np.zeros((64, 64), bool)
    row, column = data.draw(st.integers(0, 63)), data.draw(st.integers(0, 63))
    mask[row, : column + 1] = True
    wide = sdxl_views.widened(mask, cell)
    assert (wide & mask).sum() == mask.sum()
    thick = np.zeros((64, 64), bool)
    thick[10:40, 10:40] = True
    assert np.array_equal(sdxl_views.widened(thick, cell), thick)  # what is thick stays as it was drawn
    covered = np.flatnonzero(wide.any(axis=1))
    assert len(covered) >= cell - cell // 2 and np.array_equal(np.diff(covered), np.ones(len(covered) - 1))


# --- steps ----------------------------------------------------------------------------------------


def test_previews_arrive_step_by_step(engine: SDXL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdxl_model, "BETWEEN_PREVIEWS", 0)
    asked, seen, counted = request(steps=5), list[np.ndarray](), list[tuple[int, int]]()
    engine.paint(asked, Progress(lambda p: counted.append((p.done, p.total))), seen.append)
    assert len(seen) == 5
    assert counted[-1] == (5, 5)
    for shown in seen:
        assert shown.shape == asked.image.shape and shown.dtype == np.uint8
        assert np.array_equal(shown[~haloed(asked)], asked.image[~haloed(asked)])
    assert far_apart(seen[0], seen[-1]) > 5 and far_apart(seen[-1], asked.image) > 5


def test_cancel_ends_within_one_step_and_leaves_nothing_behind(
    engine: SDXL, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusers import UNet2DConditionModel

    before = engine.paint(request(steps=6)).image
    spy = Spy(monkeypatch, UNet2DConditionModel, "forward")
    progress = Progress(lambda p: p.cancel() if p.total == 6 and p.done == 2 else None)
    with pytest.raises(Cancelled):
        engine.paint(request(steps=6), progress)
    assert len(spy.calls) <= 3
    assert np.array_equal(engine.paint(request(steps=6)).image, before)


def test_cancel_ends_a_batch_within_one_step_too(engine: SDXL, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import UNet2DConditionModel

    engine.load()
    spy, progress = Spy(monkeypatch, UNet2DConditionModel, "forward"), Progress()
    threading.Timer(0, progress.cancel).start()
    with pytest.raises(Cancelled):
        list(engine.paint_many([request(seed, steps=40) for seed in range(4)], progress))
    assert len(spy.calls) < 40


# --- prompts --------------------------------------------------------------------------------------


def test_a_prompt_is_encoded_once_for_fifty_images(engine: SDXL, monkeypatch: pytest.MonkeyPatch) -> None:
    sdxl_model.unload()
    engine.load()
    spy = Spy(monkeypatch, pipeline_class(), "encode_prompt")
    tokens = Spy(monkeypatch, type(sdxl_model.in_memory().pipe.text_encoder_2), "forward")
    fifty = [request(seed, steps=1, painted_together=5) for seed in range(50)]
    assert len(list(engine.paint_many(fifty))) == 50
    own = [call for call in spy.calls if call.get("prompt")]
    assert len(own) == 1
    assert len(tokens.calls) == 2  # prompt and negative prompt
    engine.paint(request(0, "white marks", steps=1))
    assert len(tokens.calls) == 4


def test_what_a_model_does_not_read_is_said(engine: SDXL) -> None:
    painting = engine.paint(request(prompt="copper metal " * 60 + "scratches"))
    assert any(
        "does not read the end of the prompt" in note and "scratches" in note for note in painting.notes
    )
    assert engine.paint(request(strength=0.9)).notes == []


# --- LoRA -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny_lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests import tiny_sdxl

    return tiny_sdxl.build_lora(tmp_path_factory.mktemp("lora") / "lora.safetensors")


def test_a_lora_is_put_on_by_weight_and_taken_off_without_a_trace(engine: SDXL, tiny_lora: Path) -> None:
    plain = engine.paint(request())
    worn = engine.paint(request(lora=str(tiny_lora)))
    half = engine.paint(request(lora=str(tiny_lora), lora_weight=0.5))
    none = engine.paint(request(lora=str(tiny_lora), lora_weight=0))
    assert far_apart(plain.image, worn.image) > 2 and far_apart(worn.image, half.image) > 0
    assert np.array_equal(plain.image, none.image)
    assert np.array_equal(plain.image, engine.paint(request()).image)
    assert "LoRA" in worn.engine_version and "LoRA" not in plain.engine_version


def test_a_lora_is_found_by_name_in_the_folder_of_models(tiny_sdxl: Path, tiny_lora: Path) -> None:
    by_name = SDXL(str(tiny_sdxl), models=tiny_lora.parent).paint(request(lora="lora.safetensors"))
    assert np.array_equal(by_name.image, SDXL(str(tiny_sdxl)).paint(request(lora=str(tiny_lora))).image)


def test_a_file_that_is_no_lora_is_refused_and_leaves_the_model_as_it_was(
    engine: SDXL, tiny_sdxl: Path
) -> None:
    before = engine.paint(request()).image
    with pytest.raises(BadInput, match="not a LoRA for tiny"):
        engine.paint(request(lora=str(tiny_sdxl / "vae" / "diffusion_pytorch_model.safetensors")))
    assert np.array_equal(engine.paint(request()).image, before)


# --- models ---------------------------------------------------------------------------------------


def test_one_file_paints_as_its_folder_does(tmp_path: Path, engine: SDXL, tiny_sdxl: Path) -> None:
    from tests import tiny_sdxl as tiny

    shutil.copytree(tiny_sdxl, tmp_path / "tiny")
    file = tiny.build_single(tmp_path / "tiny")
    for weight in (tmp_path / "tiny").glob("*/*.safetensors"):
        weight.unlink()  # only the configuration stays next to the file
    painting = SDXL(str(file)).paint(request())
    assert far_apart(painting.image, engine.paint(request()).image) <= 1
    assert painting.engine_version.startswith("tiny.safetensors ")


def test_one_file_alone_is_read_with_the_written_configuration(
    tmp_path: Path, tiny_sdxl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the sizes of the tiny networks written in, which are all that differs from the real ones."""
    from exdd_core.synthesis import blueprint
    from tests import tiny_sdxl as tiny

    for name, part in (
        ("UNET_XL", "unet"),
        ("VAE", "vae"),
        ("TEXT", "text_encoder"),
        ("TEXT_XL", "text_encoder_2"),
    ):
        content = json.loads((tiny_sdxl / part / "config.json").read_text())
        monkeypatch.setattr(blueprint, name, content)
    shutil.copytree(tiny_sdxl, tmp_path / "tiny")
    file = tiny.build_single(tmp_path / "tiny").rename(tmp_path / "alone.safetensors")
    SDXL(str(file)).load()
    alone = sdxl_model.in_memory()
    assert alone is not None and type(alone.pipe) is pipeline_class()
    SDXL(str(tiny_sdxl)).load()
    whole = sdxl_model.in_memory()
    assert whole is not None
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        ours, theirs = (getattr(model.pipe, part).state_dict() for model in (alone, whole))
        assert ours.keys() == theirs.keys() and all((ours[name] == theirs[name]).all() for name in ours), part
    assert alone.pipe.scheduler.config.timestep_spacing == "leading"
    assert len(alone.pipe.tokenizer) == len(alone.pipe.tokenizer_2) == 49408
    assert alone.pipe.tokenizer_2.pad_token == "!"


@pytest.mark.parametrize("channels", [4, 9])
def test_stable_diffusion_1_5_paints_too(tmp_path: Path, channels: int) -> None:
    from tests import tiny_sdxl as tiny

    folder = tiny.build_sd15(tmp_path / "sd15", channels)
    asked = request(resolution=64)
    painting = SDXL().paint(
        PaintRequest(asked.image, asked.mask, "copper", "", {**QUICK, "model": str(folder)}, 0)
    )
    assert far_apart(painting.image, asked.image) > 10
    assert painting.engine_version.startswith("sd15 ") and painting.settings["model"] == str(folder)
    assert np.array_equal(painting.image[~haloed(asked)], asked.image[~haloed(asked)])


def test_weights_in_half_precision_only_are_read_as_they_are(tmp_path: Path) -> None:
    from tests import tiny_sdxl as tiny

    folder = tiny.build(tmp_path / "half", half=True)
    assert (
        weights.variant(folder / "unet", half=True) == weights.variant(folder / "unet", half=False) == "fp16"
    )
    assert SDXL(str(folder)).paint(request()).mask.any()


def test_both_precisions_are_chosen_by_need(tmp_path: Path, tiny_sdxl: Path) -> None:
    shutil.copytree(tiny_sdxl / "unet", tmp_path / "unet")
    file = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    shutil.copy(file, file.with_name("diffusion_pytorch_model.fp16.safetensors"))
    assert weights.variant(tmp_path / "unet", half=True) == "fp16"
    assert weights.variant(tmp_path / "unet", half=False) is None


def test_a_model_is_found_where_people_put_it(
    tmp_path: Path, tiny_sdxl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    assert weights.find("", models).path is None
    shutil.copytree(tiny_sdxl, models / "whatever")
    assert weights.find("", models).path == models / "whatever"
    assert weights.find("", models).name == "whatever"  # not what was looked for at first
    shutil.copytree(tiny_sdxl, models / "stable-diffusion-xl-1.0-inpainting-0.1")
    assert weights.find("", models).path == models / "stable-diffusion-xl-1.0-inpainting-0.1"
    assert weights.find("whatever", models).path == models / "whatever"
    assert weights.find("somebody/whatever", models).path == models / "whatever"
    snapshot = weights.hub_cache() / "models--somebody--other" / "snapshots" / "abc"
    shutil.copytree(tiny_sdxl, snapshot)
    assert weights.find("somebody/other").path == snapshot
    assert weights.find("somebody/other").name == "somebody/other"
    monkeypatch.setenv("EXDD_SDXL", str(tiny_sdxl))
    assert weights.find("", models).path == tiny_sdxl
    assert SDXL().missing() == ""


def test_without_weights_a_sentence_says_what_to_do_and_nothing_is_tried(tmp_path: Path) -> None:
    engine = SDXL(models=tmp_path / "models")
    words = engine.missing()
    for part in (
        "diffusers/stable-diffusion-xl-1.0-inpainting-0.1",
        "6.9 GB",
        "13.9 GB",
        "hf download",
        "EXDD_SDXL",
    ):
        assert part in words
    for part in (str(tmp_path / "models"), str(weights.hub_cache()), "procedural", "transplant"):
        assert part in words
    with pytest.raises(BadInput, match="6.9 GB"):
        engine.paint(request())
    with pytest.raises(BadInput, match="6.9 GB"):
        engine.load()
    assert not weights.status(models=tmp_path)["present"]
    assert "not on this machine" in engine.version


def test_the_command_that_downloads_is_understood_by_the_program(tmp_path: Path) -> None:
    command = shlex.split(weights.download_command(tmp_path / "my models"))
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"}, timeout=60
    )
    said = done.stdout + done.stderr
    assert "offline" in said  # it got as far as wanting the network
    assert "Ignoring" not in said and "Usage" not in said and "No such" not in said


def test_a_model_that_is_not_whole_is_named(tmp_path: Path, tiny_sdxl: Path) -> None:
    folder = tmp_path / "models" / "stable-diffusion-xl-1.0-inpainting-0.1"
    shutil.copytree(tiny_sdxl, folder)
    next((folder / "text_encoder_2").glob("*.safetensors")).unlink()
    assert "lacks the weights of text_encoder_2" in SDXL(models=tmp_path / "models").missing()
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes((tiny_sdxl / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()[:-100])
    assert "not a complete .safetensors" in SDXL(str(cut)).missing()
    other = tmp_path / "other.safetensors"
    shutil.copy(tiny_sdxl / "unet" / "diffusion_pytorch_model.safetensors", other)
    assert "does not contain a Stable Diffusion model" in SDXL(str(other)).missing()
    flux = tmp_path / "flux"
    shutil.copytree(tiny_sdxl, flux)
    content = json.loads((flux / "model_index.json").read_text()) | {"_class_name": "FluxPipeline"}
    (flux / "model_index.json").write_text(json.dumps(content))
    assert "FluxPipeline" in SDXL(str(flux)).missing()


def test_the_version_changes_with_the_weights(tmp_path: Path, tiny_sdxl: Path) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_sdxl, folder)
    engine = SDXL(str(folder))
    engine.load()
    before = engine.version
    assert engine.version == before and "diffusers" in before
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    assert engine.version != before
    old = sdxl_model.in_memory()
    engine.load()
    assert sdxl_model.in_memory() is not old  # other weights at the same place are read anew


def test_the_model_loads_once_with_progress_and_unloads(engine: SDXL, tiny_sdxl: Path) -> None:
    sdxl_model.unload()
    stages: list[str] = []
    threads = [
        threading.Thread(target=engine.load, args=(Progress(lambda p: stages.append(p.stage)),))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stages.count("Loading the model, percent") == 5  # begun once, four parts
    resident = sdxl_model.in_memory()
    SDXL(models=tiny_sdxl.parent).load()
    assert sdxl_model.in_memory() is resident  # found in another way, the same model
    before = engine.paint(request()).image
    engine.unload()
    assert sdxl_model.in_memory() is None
    assert np.array_equal(engine.paint(request()).image, before)


def test_loading_can_be_cancelled(engine: SDXL) -> None:
    sdxl_model.unload()
    progress = Progress(lambda p: p.cancel())
    with pytest.raises(Cancelled):
        engine.load(progress)
    assert sdxl_model.in_memory() is None
    assert engine.paint(request()).mask.any()


def test_two_threads_paint_what_each_paints_alone(engine: SDXL) -> None:
    alone = [engine.paint(request(seed)).image for seed in range(2)]
    results: dict[int, np.ndarray] = {}

    def work(seed: int) -> None:
        results[seed] = engine.paint(request(seed)).image

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(2):
        np.testing.assert_array_equal(results[seed], alone[seed])


# --- single files' configuration --------------------------------------------------------------------


def test_the_written_configuration_is_that_of_the_real_models(tmp_path: Path) -> None:
    from accelerate import init_empty_weights
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    from exdd_core.synthesis import blueprint

    blueprint.write(tmp_path, "xl-inpaint")
    with init_empty_weights():
        made = {
            "unet": UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(tmp_path / "unet")),
            "vae": AutoencoderKL.from_config(AutoencoderKL.load_config(tmp_path / "vae")),
            "text_encoder": CLIPTextModel(CLIPTextConfig.from_pretrained(tmp_path / "text_encoder")),
            "text_encoder_2": CLIPTextModelWithProjection(
                CLIPTextConfig.from_pretrained(tmp_path / "text_encoder_2")
            ),
        }
    counts = {
        part: sum(parameter.numel() for parameter in model.parameters()) for part, model in made.items()
    }
    assert counts == REAL and sum(counts.values()) == weights.PARAMETERS
    words = CLIPTokenizer.from_pretrained(tmp_path / "tokenizer")
    assert words("a photo of a cat").input_ids == [
        49406,
        320,
        1125,
        539,
        320,
        2368,
        49407,
    ]  # OpenAI's numbers


# --- memory ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("free", "device", "half", "offload", "at_once"),
    [
        (None, "cpu", False, "none", 1),
        (2.0, "cpu", False, "none", 1),
        (4.0, "cuda", True, "layers", 1),
        (7.5, "cuda", True, "parts", 1),
        (11.5, "cuda", True, "none", 3),
        (23.5, "cuda", True, "none", 8),
        (79.0, "cuda", True, "none", 8),
    ],
)
def test_free_memory_chooses_precision_and_offloading(
    free: float | None, device: str, half: bool, offload: str, at_once: int
) -> None:
    chosen = plan(None if free is None else int(free * GB), 64 * GB, REAL)
    assert (chosen.device, chosen.half, chosen.offload, chosen.at_once) == (device, half, offload, at_once)
    assert chosen.tiled == (offload == "layers")


@pytest.mark.parametrize(
    ("offload", "method"),
    [("none", "to"), ("parts", "enable_model_cpu_offload"), ("layers", "enable_sequential_cpu_offload")],
)
def test_the_plan_is_what_is_done(
    engine: SDXL, monkeypatch: pytest.MonkeyPatch, offload: str, method: str
) -> None:
    """There is no GPU here: what would move the pipeline to it is only watched."""
    import torch

    tiled = offload == "layers"
    monkeypatch.setattr(sdxl_model, "plan", lambda *_: sdxl_memory.Plan("cuda", True, offload, tiled))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (6 * GB, 8 * GB))
    names = ("to", "enable_model_cpu_offload", "enable_sequential_cpu_offload")
    spies = {name: Spy(monkeypatch, pipeline_class(), name, lambda pipe, *_: pipe) for name in names}
    sdxl_model.unload()
    engine.load()
    resident = sdxl_model.in_memory()
    assert resident is not None
    assert [name for name, spy in spies.items() if spy.calls] == [method]
    assert {part.dtype for part in (resident.pipe.unet, resident.pipe.vae)} == {torch.float16}
    assert resident.pipe.vae.use_tiling == tiled and resident.pipe.vae.use_slicing
    assert engine.at_once({}) == (1 if tiled else 4)
    assert engine.at_once({"resolution": 2048}) == 1
    assert engine.at_once({"painted_together": 2}) == 2
    assert "half precision on cuda" in engine.version and ("tiles" in engine.version) == tiled
    sdxl_model.unload()


def test_half_precision_paints_without_a_gpu_too(engine: SDXL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdxl_model, "plan", lambda *_: sdxl_memory.Plan("cpu", half=True))
    sdxl_model.unload()
    asked = request(steps=3)
    painting = engine.paint(asked)
    assert "half precision on cpu" in painting.engine_version
    assert np.array_equal(painting.image[~haloed(asked)], asked.image[~haloed(asked)])
    assert np.array_equal(engine.paint(asked).image, painting.image)
    sdxl_model.unload()


def test_a_painting_tells_of_the_model_that_painted_it_whatever_is_loaded_since(
    engine: SDXL, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = engine.paint(request()).engine_version
    render = SDXL._render_batch

    def and_unload(*given: Any) -> Any:
        try:
            return render(*given)
        finally:
            sdxl_model.unload()

    monkeypatch.setattr(SDXL, "_render_batch", and_unload)
    assert "full precision on cpu" in before
    assert engine.paint(request()).engine_version == before


def test_main_memory_counts_too() -> None:
    assert plan(None, 10 * GB, REAL).half  # too little for full precision
    with pytest.raises(BadInput, match="6.9 GB of memory, but only 4.0 GB are free"):
        plan(None, 4 * GB, REAL)
    with pytest.raises(BadInput, match="procedural"):
        plan(int(7.5 * GB), 4 * GB, REAL)
    with pytest.raises(BadInput, match="procedural"):
        plan(24 * GB, 4 * GB, REAL)


@given(st.integers(0, 100 * GB), st.integers(0, 100 * GB))
def test_more_memory_is_never_used_worse(free: int, more: int) -> None:
    order = ["cpu none", "cuda layers", "cuda parts", "cuda none"]
    less, plenty = (plan(amount, 64 * GB, REAL) for amount in (free, free + more))
    ranks = [order.index(f"{chosen.device} {chosen.offload}") for chosen in (less, plenty)]
    assert ranks[0] <= ranks[1]
    assert ranks[0] < ranks[1] or less.at_once <= plenty.at_once


def test_fewer_images_fit_when_they_are_larger() -> None:
    assert plan(24 * GB, 64 * GB, REAL, 2048 * 2048).at_once < plan(24 * GB, 64 * GB, REAL, 512 * 512).at_once


def test_a_full_gpu_paints_one_at_a_time_instead(engine: SDXL, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    real = pipeline_class().__call__

    def tight(pipe: Any, **kwargs: Any) -> Any:
        if len(kwargs["generator"]) > 1:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return real(pipe, **kwargs)

    spy = Spy(monkeypatch, pipeline_class(), "__call__", tight)
    paintings = list(engine.paint_many([request(seed, painted_together=3) for seed in range(3)]))
    assert len(spy.calls) == 4
    assert [painting.settings["painted_together"] for painting in paintings] == [1, 1, 1]
    assert np.array_equal(paintings[1].image, engine.paint(request(1)).image)
