"""Models and what is put on them: the filter and its sentences, LoRAs, words, weights of prompts, guidance."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exdd_core import device
from exdd_core.errors import BadInput, Cancelled
from exdd_core.progress import Progress
from exdd_core.synthesis import families, sdxl_adapters, sdxl_model, sdxl_prompts, weights
from exdd_core.synthesis.sdxl import SDXL
from tests import tiny_sdxl as tiny
from tests.sdxl_requests import Spy, far_apart, pipeline_class, request

pytestmark = pytest.mark.usefixtures("unloading")


@pytest.fixture
def engine(tiny_sdxl: Path) -> SDXL:
    return SDXL(str(tiny_sdxl))


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("somebody tried to reach the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


# --- which models -----------------------------------------------------------------------------------


def altered(tiny_sdxl: Path, folder: Path, index: dict[str, Any], unet: dict[str, Any] | None = None) -> Path:
    """The tiny model with other entries in model_index.json and in the U-Net's configuration."""
    shutil.copytree(tiny_sdxl, folder)
    for file, changed in (
        (folder / "model_index.json", index),
        (folder / "unet" / "config.json", unet or {}),
    ):
        file.write_text(json.dumps(json.loads(file.read_text()) | changed))
    return folder


@pytest.mark.parametrize(
    ("index", "unet", "sentence"),
    [
        (
            {"text_encoder": [None, None], "requires_aesthetics_score": True},
            {},
            "is a refiner, which only finishes",
        ),
        (
            {"_class_name": "StableDiffusionUpscalePipeline"},
            {},
            "StableDiffusionUpscalePipeline, which cannot",
        ),
        ({"_class_name": "StableDiffusionInstructPix2PixPipeline"}, {}, "which cannot inpaint here"),
        ({"_class_name": "StableDiffusionXLPipeline"}, {"in_channels": 8}, "its U-Net reads 8 channels"),
        (
            {"_class_name": "FluxPipeline"},
            {},
            "the engine paints with Stable Diffusion 1 and 2, SDXL",
        ),
    ],
)
def test_a_folder_for_another_task_is_refused_with_a_sentence(
    tiny_sdxl: Path, tmp_path: Path, index: dict[str, Any], unet: dict[str, Any], sentence: str
) -> None:
    folder = altered(tiny_sdxl, tmp_path / "other", index, unet)
    with pytest.raises(BadInput, match=sentence):
        SDXL(str(folder)).paint(request())


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({weights.FIRST_LAYER: 8, "cond_stage_model.transformer.x": 1}, "its U-Net reads 8 channels"),
        ({weights.FIRST_LAYER: 7, "conditioner.embedders.1.x": 1}, "its U-Net reads 7 channels"),
        ({weights.FIRST_LAYER: 4, "conditioner.embedders.0.model.x": 1}, "is a refiner, which only finishes"),
    ],
)
def test_a_file_for_another_task_is_refused_with_a_sentence(
    tmp_path: Path, tensors: dict[str, int], sentence: str
) -> None:
    import torch
    from safetensors.torch import save_file

    file = tmp_path / "other.safetensors"
    save_file({name: torch.zeros(2, size, 1, 1) for name, size in tensors.items()}, file)
    with pytest.raises(BadInput, match=sentence):
        SDXL(str(file)).paint(request())


def test_what_no_filter_knows_is_a_sentence_too(tiny_sdxl: Path, tmp_path: Path) -> None:
    folder = altered(tiny_sdxl, tmp_path / "odd", {}, {"block_out_channels": "none"})
    with pytest.raises(BadInput, match="cannot be loaded.*choose another one"):
        SDXL(str(folder)).paint(request())


def test_the_table_of_families_names_classes_that_diffusers_has() -> None:
    import diffusers

    assert list(families.FAMILIES) == ["sd", "xl", "xl-pag", "sd3", "flux-fill", "qwen-image", "z-image"]
    for family in families.FAMILIES.values():
        assert hasattr(diffusers, family.inpainting) and all(
            hasattr(diffusers, name) for name in family.stored
        )
        assert family.licence and family.side in (512, 1024)
        assert families.of_pipeline(family.stored[0]) is family


# --- LoRAs and words --------------------------------------------------------------------------------


def test_several_loras_are_put_on_with_their_weights_and_taken_off_exactly(
    engine: SDXL, tmp_path: Path
) -> None:
    first = tiny.build_lora(tmp_path / "first.safetensors")
    second = tiny.build_lora(tmp_path / "second.safetensors", seed=5)
    plain, alone = engine.paint(request()), engine.paint(request(lora=str(first)))
    both = engine.paint(request(lora=f"{first}; {second}:0.5", lora_weight=2.0))
    resident = sdxl_model.in_memory()
    assert resident is not None
    layer = next(part for name, part in resident.pipe.unet.named_modules() if name.endswith("attn1.to_q"))
    assert layer.scaling == {"lora": 2.0, "lora1": 1.0} and set(layer.active_adapters) == {"lora", "lora1"}
    assert far_apart(both.image, alone.image) > 0 and both.engine_version.count("LoRA") == 2
    assert np.array_equal(engine.paint(request(lora=f"{first};{second}:0")).image, alone.image)
    assert np.array_equal(engine.paint(request()).image, plain.image)
    with pytest.raises(BadInput, match="nowhere.safetensors does not exist"):
        engine.paint(request(lora=f"{first}; nowhere.safetensors:0.5"))


def test_a_list_of_files_may_have_weights() -> None:
    text = r"C:\lora\a.safetensors; b.safetensors:0.6 ;;/c d.safetensors:-1"
    assert sdxl_adapters.weighted(text) == [
        (r"C:\lora\a.safetensors", 1.0),
        ("b.safetensors", 0.6),
        ("/c d.safetensors", -1.0),
    ]


def test_a_textual_inversion_is_a_word_while_it_is_chosen(engine: SDXL, tmp_path: Path) -> None:
    file = tiny.build_embedding(tmp_path / "krackle.safetensors")
    plain = engine.paint(request(prompt="copper krackle"))
    taught = engine.paint(request(prompt="copper krackle", embeddings=str(file)))
    resident = sdxl_model.in_memory()
    assert resident is not None
    assert len(resident.prompts._tokens("krackle")) == 2  # both vectors of the file
    assert far_apart(plain.image, taught.image) > 0 and "word" in taught.engine_version
    again = engine.paint(request(prompt="copper krackle"))
    assert np.array_equal(again.image, plain.image)
    wrong = tmp_path / "wrong.safetensors"
    from safetensors.torch import load_file, save_file

    save_file({name: vectors[:, :-1].contiguous() for name, vectors in load_file(file).items()}, wrong)
    with pytest.raises(BadInput, match="not a textual inversion for tiny"):
        engine.paint(request(embeddings=str(wrong)))
    assert np.array_equal(engine.paint(request(prompt="copper krackle")).image, plain.image)


# --- prompts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("copper scratches", [("copper scratches", 1.0)]),
        ("a (b:1.4), c", [("a", 1.0), ("b", 1.4), (", c", 1.0)]),
        ("((a)) [b]", [("a", 1.21), ("b", 1 / 1.1)]),
        ("((a:1.2) b)", [("a", 1.32), ("b", 1.1)]),
        (r"\(a\) 3:4", [("(", 1.0), ("a", 1.0), (")", 1.0), ("3", 1.0), (":", 1.0), ("4", 1.0)]),
        ("(a", [("a", 1.0)]),
        ("a) b", [("a", 1.0), (")", 1.0), ("b", 1.0)]),
        ("", []),
    ],
)
def test_weights_of_words_are_read(prompt: str, expected: list[tuple[str, float]]) -> None:
    found = sdxl_prompts.pieces(prompt)
    assert [text for text, _ in found] == [text for text, _ in expected]
    assert [weight for _, weight in found] == pytest.approx([weight for _, weight in expected])


def test_what_studio_says_of_weights_is_how_they_are_read() -> None:
    assert ("scratches", 1.4) in sdxl_prompts.pieces(SDXL.DESCRIPTION)


def test_a_weighted_word_is_one_token_whose_embedding_is_scaled(engine: SDXL) -> None:
    import torch

    engine.load()
    resident = sdxl_model.in_memory()
    assert resident is not None
    prompts = resident.prompts
    with torch.no_grad():
        plain = prompts.encoded([("copper scratches marks", "dark")], None)
        weighted = prompts.encoded([("copper (scratches:1.4) marks", "[dark]")], None)
    assert len(prompts._tokens("scratches")) == 1
    factors = torch.ones(77)
    factors[2] = 1.4  # after the start and "copper"
    assert torch.allclose(weighted["prompt_embeds"], plain["prompt_embeds"] * factors[None, :, None])
    factors = torch.ones(77)
    factors[1] = 1 / 1.1
    assert torch.allclose(
        weighted["negative_prompt_embeds"], plain["negative_prompt_embeds"] * factors[None, :, None]
    )
    assert prompts.cut_off("copper (scratches:1.4) " * 70).startswith("scratches")


# --- guidance and precision -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["LCM", "TCD", "Euler trailing", "DDIM trailing"])
def test_models_of_few_steps_have_their_schedulers(
    engine: SDXL, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    spy = Spy(monkeypatch, pipeline_class(), "__call__")
    assert engine.paint(request(scheduler=name, steps=4, strength=1.0, guidance=1)).mask.any()
    used = spy.calls[0]["self"].scheduler
    assert type(used).__name__.startswith(name.split()[0])
    assert used.config.timestep_spacing == ("trailing" if "trailing" in name else "leading")
    assert len(used.timesteps) == 4 and spy.calls[0]["guidance_scale"] == 1


def test_attention_guidance_leaves_no_trace_where_it_is_cancelled(engine: SDXL) -> None:
    usual = engine.paint(request(steps=4)).image
    guided = engine.paint(request(steps=4, pag_scale=5)).image
    assert far_apart(usual, guided) > 2
    progress = Progress(lambda p: p.cancel() if p.total == 4 and p.done == 2 else None)
    with pytest.raises(Cancelled):
        engine.paint(request(steps=4, pag_scale=5), progress)
    assert np.array_equal(engine.paint(request(steps=4)).image, usual)
    together = list(engine.paint_many([request(s, steps=4, pag_scale=5, painted_together=2) for s in (0, 1)]))
    assert far_apart(together[0].image, guided) <= 2


def test_bfloat16_can_be_chosen_and_decodes_as_it_is(engine: SDXL) -> None:
    import torch

    painting = engine.paint(request(precision="bfloat16"))
    resident = sdxl_model.in_memory()
    assert resident is not None and resident.pipe.unet.dtype == resident.pipe.vae.dtype == torch.bfloat16
    assert "bfloat16 on cpu" in painting.engine_version
    assert far_apart(painting.image, engine.paint(request()).image) < 40
    assert sdxl_model.in_memory() is not resident  # another precision is read anew


def test_apples_gpu_is_used_where_there_is_one(engine: SDXL, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    sdxl_model.unload()
    monkeypatch.setattr(device, "metal", lambda: True)
    spy = Spy(monkeypatch, pipeline_class(), "to", lambda pipe, *_: pipe)
    engine.load()
    resident = sdxl_model.in_memory()
    assert resident is not None and [call["args"] for call in spy.calls] == [("mps",)]
    assert resident.pipe.unet.dtype == torch.float16 and "half precision on mps" in engine.version
    sdxl_model.unload()


# --- room for others --------------------------------------------------------------------------------


def test_a_loaded_model_leaves_when_others_need_the_device(engine: SDXL) -> None:
    engine.load()
    device.vacate()
    assert sdxl_model.in_memory() is None
    assert engine.paint(request()).mask.any()
