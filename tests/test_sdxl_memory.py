"""SDXL's engine where memory is short: a simulated card of a few gigabytes, as the real networks would fill it."""

from __future__ import annotations

import json
import shutil
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exdd_core.synthesis import sdxl_decoding, sdxl_memory, sdxl_model, weights
from exdd_core.synthesis.engine import NotReady
from exdd_core.synthesis.sdxl import SDXL
from exdd_core.synthesis.sdxl_memory import DECODING, GB, PER_IMAGE, Ladder, Plan, plan
from tests.sdxl_requests import REAL, Spy, pipeline_class, request

pytestmark = pytest.mark.usefixtures("unloading")

SIDE = 64  # what costs on the simulated card as much as 1024 pixels do on a real one
TOTAL, LARGEST = 2 * sum(REAL.values()), 2 * max(REAL.values())


class Card:
    """A GPU that says that `told` bytes are free for SDXL and holds `size`; the tiny networks fill it as real ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, told: float, size: float):
        import torch
        from diffusers import UNet2DConditionModel
        from diffusers.models.autoencoders.vae import Decoder

        self.told, self.size, self.offload, self.refused = told * GB, size * GB, "none", 0
        self.decoded, self.emptied, self.asked_before_emptied = 0, 0, 0
        for name, value in (("USUAL", SIDE**2), ("TILE", SIDE**2 // 4)):
            monkeypatch.setattr(sdxl_memory, name, value)
        monkeypatch.setattr(sdxl_model, "USUAL", SIDE**2)
        monkeypatch.setattr(sdxl_decoding, "TILE", SIDE // 2)
        monkeypatch.setattr(weights, "weigh", lambda path: REAL)
        memory = types.SimpleNamespace(available=64 * GB)
        monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "mem_get_info", self._info)
        monkeypatch.setattr(torch.cuda, "empty_cache", self._empty)
        for name, offload in (
            ("to", "none"),
            ("enable_model_cpu_offload", "parts"),
            ("enable_sequential_cpu_offload", "layers"),
        ):
            monkeypatch.setattr(pipeline_class(), name, self._offloaded(offload))
        monkeypatch.setattr(UNet2DConditionModel, "forward", self._unet(UNet2DConditionModel.forward))
        monkeypatch.setattr(Decoder, "forward", self._decoder(Decoder.forward))

    def _info(self) -> tuple[int, int]:
        self.asked_before_emptied += not self.emptied
        resident = TOTAL if sdxl_model.in_memory() and self.offload == "none" else 0
        return int(self.told - resident), int(self.size)

    def _empty(self) -> None:
        self.emptied += 1

    def _offloaded(self, offload: str) -> Any:
        def arrange(pipe: Any, *_: Any, **__: Any) -> Any:
            self.offload = offload
            return pipe

        return arrange

    def _hold(self, weight: float, activations: float) -> None:
        import torch

        if weight + activations > self.size:
            self.refused += 1
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    def _unet(self, real: Any) -> Any:
        def forward(unet: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
            images, pixels = sample.shape[0] / 2, sample.shape[2] * sample.shape[3] * 64
            weight = {"none": TOTAL, "parts": LARGEST, "layers": 0}[self.offload]
            self._hold(weight, images * PER_IMAGE * pixels / SIDE**2)
            return real(unet, sample, *args, **kwargs)

        return forward

    def _decoder(self, real: Any) -> Any:
        def forward(decoder: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
            self.decoded += 1
            wide = sample.element_size() / 2
            self._hold(
                TOTAL if self.offload == "none" else 2 * REAL["vae"],
                wide * DECODING * sample.shape[2] * sample.shape[3] * 64 / SIDE**2,
            )
            return real(decoder, sample, *args, **kwargs)

        return forward


@pytest.fixture(autouse=True)
def unloaded() -> Iterator[None]:
    sdxl_model.unload()
    yield
    sdxl_model.unload()


def with_autoencoder(tiny_sdxl: Path, folder: Path, **changed: Any) -> SDXL:
    """The tiny model with another configuration of its autoencoder."""
    shutil.copytree(tiny_sdxl, folder)
    file = folder / "vae" / "config.json"
    config = {**json.loads(file.read_text()), **changed}
    file.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))
    return SDXL(str(folder))


# --- the ladder -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_batch_on_a_card_that_holds_less_than_it_said_walks_the_ladder_once(
    tiny_sdxl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, card = SDXL(str(tiny_sdxl)), Card(monkeypatch, told=24, size=8)
    engine.load()
    assert engine.at_once({"resolution": SIDE}) == 8
    paintings = list(engine.paint_many([request(seed, steps=1) for seed in range(9)]))
    assert len(paintings) == 9 and all(painting.mask.any() for painting in paintings)
    # 8, 4, 2 and 1 at once, in tiles, then by parts: each was refused once.
    assert card.refused == 5 and card.offload == "parts"
    list(engine.paint_many([request(seed, steps=1) for seed in range(2)]))
    assert card.refused == 5
    assert engine.at_once({"resolution": SIDE}) == 1


@pytest.mark.slow
def test_at_the_end_of_the_ladder_the_engine_is_not_ready(
    tiny_sdxl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, card = SDXL(str(tiny_sdxl)), Card(monkeypatch, told=24, size=1)
    with pytest.raises(NotReady, match="lower the resolution"):
        engine.paint(request(steps=1))
    assert card.offload == "layers"


def test_each_rung_is_taken_once_and_for_as_large_images_only() -> None:
    ladder, usual = Ladder(), Plan("cuda", half=True, at_once=8)
    assert ladder.down(
        usual, 100, 8, decoding=True
    )  # the autoencoder holds one image, however many there are
    assert ladder.applied(usual, 100).tiled and not ladder.applied(usual, 99).tiled
    assert ladder.most(100) == 8
    assert ladder.down(ladder.applied(usual, 100), 100, 8, decoding=False)
    assert (ladder.most(100), ladder.most(25), ladder.most(1000)) == (4, 8, 1)
    assert ladder.down(ladder.applied(usual, 100), 100, 1, decoding=False)
    assert ladder.applied(usual, 1).offload == "parts"
    assert ladder.down(ladder.applied(usual, 100), 100, 1, decoding=False)
    assert ladder.applied(usual, 1).offload == "layers"
    assert not ladder.down(ladder.applied(usual, 100), 100, 1, decoding=False)
    assert not Ladder().down(Plan("cpu", half=False, tiled=True), 100, 1, decoding=False)


# --- the plan -------------------------------------------------------------------------------------


def test_a_plan_knows_that_decoding_in_full_precision_takes_twice_the_memory() -> None:
    free = int(11.5 * GB)
    assert plan(free, 64 * GB, REAL).at_once == 3 and not plan(free, 64 * GB, REAL).tiled
    assert plan(
        free, 64 * GB, REAL, upcast=True
    ).tiled  # 7 GB for decoding beside 6.9 GB of weights do not fit
    assert not plan(24 * GB, 64 * GB, REAL, upcast=True).tiled


@pytest.mark.parametrize(("force_upcast", "tiled"), [(True, True), (False, False), (None, True)])
def test_the_models_force_upcast_reaches_the_plan(
    tiny_sdxl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force_upcast: bool | None, tiled: bool
) -> None:
    engine = with_autoencoder(tiny_sdxl, tmp_path / "model", force_upcast=force_upcast)
    card = Card(monkeypatch, told=11.5, size=11.5)
    assert engine.paint(request(steps=1)).mask.any()
    assert card.refused == 0
    resident = sdxl_model.in_memory()
    assert resident is not None and resident.plan.tiled == tiled


@pytest.mark.slow
def test_larger_images_are_planned_for_before_they_are_painted(
    tiny_sdxl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, card = SDXL(str(tiny_sdxl)), Card(monkeypatch, told=12, size=12)
    engine.load()
    resident = sdxl_model.in_memory()
    assert resident is not None and not resident.plan.tiled
    assert engine.at_once({"resolution": 2 * SIDE}) == 1  # 2048 px on a real card
    assert engine.paint(request(steps=1, resolution=2 * SIDE)).mask.any()
    assert resident.plan.tiled and card.refused == 0
    engine.paint(request(steps=1))
    assert not resident.plan.tiled


def test_what_is_free_now_counts_and_not_what_was_free_when_the_model_was_loaded(
    tiny_sdxl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, card = SDXL(str(tiny_sdxl)), Card(monkeypatch, told=24, size=24)
    engine.load()
    assert card.asked_before_emptied == 0  # what an allocator keeps would count as taken
    before = engine.at_once({"resolution": SIDE})
    card.told = 10 * GB  # a bank is being built on the same card
    assert (before, engine.at_once({"resolution": SIDE})) == (8, 2)


# --- tiles ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample_size", [None, 1024])
def test_tiles_have_512_pixels_whatever_the_configuration_says(
    tiny_sdxl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample_size: int | None
) -> None:
    from diffusers.models.autoencoders.vae import Decoder

    engine = with_autoencoder(tiny_sdxl, tmp_path / "model", sample_size=sample_size)
    engine.load()
    resident = sdxl_model.in_memory()
    assert resident is not None
    sdxl_decoding.use_tiles(resident.pipe.vae, True)
    assert resident.pipe.vae.tile_sample_min_size == 512
    spy = Spy(monkeypatch, Decoder, "forward")
    import torch

    with torch.no_grad():
        picture = resident.pipe.vae.decode(torch.zeros(1, 4, 96, 64).normal_())[0]
    assert picture.shape[2:] == (768, 512)
    assert [call["args"][0].shape[2:] for call in spy.calls] == [(64, 64), (64, 16), (48, 64), (48, 16)]
    assert np.isfinite(picture.numpy()).all()
