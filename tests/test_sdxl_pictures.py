"""What SDXL's engine does with pictures: values that are not finite, padding, halo and sizes of windows."""

from __future__ import annotations

import socket
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from exdd_core.errors import BadInput
from exdd_core.synthesis import sdxl_model
from exdd_core.synthesis.compositing import bucketed, buckets
from exdd_core.synthesis.request import PaintRequest
from exdd_core.synthesis.sdxl import SDXL
from tests.sdxl_requests import far_apart, haloed, pipeline_class, request

pytestmark = pytest.mark.usefixtures("unloading")


@pytest.fixture
def engine(tiny_sdxl: Path) -> SDXL:
    return SDXL(str(tiny_sdxl))


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("somebody tried to reach the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


# --- what is not finite ---------------------------------------------------------------------------


def broken(monkeypatch: pytest.MonkeyPatch, owner: type, when: Any, value: float) -> None:
    """Let a network give `value` throughout where `when` says so of its input."""
    real = owner.forward  # type: ignore[attr-defined]

    def forward(self: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        result = real(self, sample, *args, **kwargs)
        if when(sample):
            (result[0] if isinstance(result, tuple) else result).fill_(value)
        return result

    monkeypatch.setattr(owner, "forward", forward)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -2.0])
def test_an_autoencoder_that_computes_no_picture_is_refused_with_a_sentence(
    engine: SDXL, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    """A black picture measures as fully changed, and so was kept."""
    from diffusers.models.autoencoders.vae import Decoder

    before = engine.paint(request()).image
    with monkeypatch.context() as patch:
        broken(patch, Decoder, lambda _: True, value)
        with pytest.raises(BadInput, match="single colour" if value == -2 else "not finite"):
            engine.paint(request())
        with pytest.raises(BadInput, match="single colour" if value == -2 else "not finite"):
            list(engine.paint_many([request(seed, painted_together=2) for seed in range(2)]))
    assert np.array_equal(engine.paint(request()).image, before)


def test_what_overflows_in_half_precision_is_decoded_again_and_said(
    engine: SDXL, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from diffusers.models.autoencoders.vae import Decoder

    before = engine.paint(request())
    resident = sdxl_model.in_memory()
    assert resident is not None
    resident.pipe.vae.to(torch.bfloat16)  # stands for half precision, which the tiny one does not overflow
    try:
        with monkeypatch.context() as patch:
            broken(patch, Decoder, lambda sample: sample.dtype == torch.bfloat16, float("nan"))
            vae, latents = resident.pipe.vae, torch.ones(1, 4, 8, 8, dtype=torch.bfloat16)
            latents[..., 3:] = -1
            with torch.no_grad():
                assert torch.isfinite(vae.decode(latents)[0]).all()
        assert resident.watched.again == "full precision" and vae.dtype == torch.bfloat16
    finally:
        resident.pipe.vae.to(torch.float32)
    with monkeypatch.context() as patch:
        broken(patch, Decoder, lambda sample: sample.dtype == torch.float32, float("nan"))
        painting = engine.paint(request())
    assert painting.notes[-1] == "Decoded in bfloat16, because full precision overflowed."
    assert far_apart(painting.image, before.image) < 40
    assert "Decoded" not in " ".join(engine.paint(request()).notes)


def test_a_network_that_computes_no_number_ends_at_its_first_step(
    engine: SDXL, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusers import UNet2DConditionModel

    before = engine.paint(request(steps=4)).image
    with monkeypatch.context() as patch:
        broken(patch, UNet2DConditionModel, lambda _: True, float("nan"))
        with pytest.raises(BadInput, match="after step 1 of 4 its values are not finite in full precision"):
            engine.paint(request(steps=4))
    assert np.array_equal(engine.paint(request(steps=4)).image, before)


# --- halo -----------------------------------------------------------------------------------------


def whitened(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Let the pipeline paint all white; returns what it is called with."""
    calls: list[dict[str, Any]] = []

    def paint_white(pipe: Any, **given: Any) -> Any:
        calls.append(given)
        size = (given["width"], given["height"])
        return types.SimpleNamespace(images=[Image.new("RGB", size, "white")] * len(given["generator"]))

    monkeypatch.setattr(pipeline_class(), "__call__", paint_white)
    return calls


def stripe(width: int, side: int = 200) -> PaintRequest:
    """A grey square with a mask of so many columns."""
    mask = np.zeros((side, side), bool)
    mask[30:-30, 80 : 80 + width] = True
    return PaintRequest(np.full((side, side, 3), 100, np.uint8), mask, "copper", settings={"resolution": 256})


@pytest.mark.parametrize("width", [1, 3, 8, 12])
def test_a_thin_defect_keeps_its_effect_and_fades_out_in_the_halo(
    engine: SDXL, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """Of masks 3 to 12 pixels wide 60 to 66 % of the effect were left."""
    whitened(monkeypatch)
    asked = stripe(width)
    painting = engine.paint(asked)
    effect = (painting.image[..., 0].astype(float) - 100) / 155
    assert effect[asked.mask].mean() > 0.99
    outside = [effect[100, 80 + width + step] for step in range(5)]
    assert np.allclose(outside, [0.8, 0.6, 0.4, 0.2, 0], atol=0.01)
    assert np.array_equal(painting.image[~haloed(asked)], asked.image[~haloed(asked)])
    assert (painting.mask >= asked.mask).all()  # what is seen to have changed is the label


def test_a_halo_stays_within_the_region_of_interest(engine: SDXL, monkeypatch: pytest.MonkeyPatch) -> None:
    whitened(monkeypatch)
    asked = stripe(6)
    region = np.zeros_like(asked.mask)
    region[:, :88] = True  # two pixels beyond the mask
    painting = engine.paint(replace(asked, region=region))
    assert np.array_equal(painting.image[~region], asked.image[~region])
    assert (painting.image[100, 86:88, 0] > 150).all()


# --- padding and sizes ----------------------------------------------------------------------------


def test_padding_of_a_native_window_counts_pixels_of_the_image(
    engine: SDXL, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = whitened(monkeypatch)
    mask = np.zeros((1000, 1000), bool)
    mask[400:420, 300:360] = True
    image = np.random.default_rng(0).integers(0, 255, (1000, 1000, 3), dtype=np.uint8)
    margins = {}
    for padding in (None, 2, 30):
        asked = {"geometry": "native", "halo": 0, "resolution": 256}
        if padding is not None:
            asked["padding_mask_crop"] = padding
        wanted = PaintRequest(image, mask, "copper", settings=asked)
        window = engine._window(wanted)
        left, top, right, bottom = window.box
        margins[padding] = min(300 - left, 400 - top, right - 360, bottom - 420)
        engine.paint(wanted)
        # One cut out of the source and one enlargement: the pipeline gets the window as it is.
        assert calls[-1]["padding_mask_crop"] is None
        assert np.array_equal(np.array(calls[-1]["image"]), window.image)
        stretched = (right - left) * calls[-1]["height"] / ((bottom - top) * calls[-1]["width"])
        assert 0.95 < stretched < 1.05
    assert margins == {None: 32, 2: 2, 30: 30}
    assert engine.complete({"geometry": "native"})["padding_mask_crop"] == -1
    assert engine.complete({})["padding_mask_crop"] == 2


def test_native_windows_have_the_sizes_that_sdxl_was_trained_on() -> None:
    sizes = buckets(1024)
    assert {(1024, 1024), (832, 1216), (512, 2048), (2048, 512)} <= set(sizes)
    assert all(width % 64 == 0 and height % 64 == 0 for width, height in sizes)
    assert all(0.9 < width * height / 1024**2 <= 1 for width, height in sizes)
    assert all(size % 8 == 0 for side in (64, 72, 512, 768, 2048) for pair in buckets(side) for size in pair)


@settings(max_examples=100)
@given(st.data())
def test_a_window_of_such_a_size_shows_all_of_its_box_without_leaving_the_image(data: st.DataObject) -> None:
    width, height = data.draw(st.integers(20, 2000)), data.draw(st.integers(20, 2000))
    left, top = data.draw(st.integers(0, width - 2)), data.draw(st.integers(0, height - 2))
    right, bottom = data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
    box, size = bucketed((left, top, right, bottom), (width, height), 1024)
    assert (
        0 <= box[0] <= left and 0 <= box[1] <= top and right <= box[2] <= width and bottom <= box[3] <= height
    )
    assert size in buckets(1024)


def test_native_windows_of_one_size_are_painted_together(
    engine: SDXL, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = whitened(monkeypatch)
    engine.load()
    monkeypatch.setattr(sdxl_model.Model, "fitting", lambda *_: 2)
    image = np.full((300, 300, 3), 90, np.uint8)
    asked = []
    for number in range(4):
        mask = np.zeros((300, 300), bool)
        mask[100 + number : 120 + number, 100:220] = True
        wanted = {"geometry": "native", "resolution": 256}
        asked.append(
            PaintRequest(image, mask if number % 2 else mask.T, "copper", settings=wanted, seed=number)
        )
    paintings = list(engine.paint_many(asked))
    assert [len(call["generator"]) for call in calls] == [2, 2]
    assert [painting.seed for painting in paintings] == [0, 1, 2, 3]
    assert [painting.settings["painted_together"] for painting in paintings] == [2, 2, 2, 2]


# --- what SDXL is told ----------------------------------------------------------------------------


@pytest.mark.parametrize("side", [256, 1024, 2048])
def test_sdxl_is_never_told_of_a_small_original(
    engine: SDXL, monkeypatch: pytest.MonkeyPatch, side: int
) -> None:
    calls = whitened(monkeypatch)
    engine.paint(replace(stripe(9), settings={"resolution": side}))
    engine.paint(replace(stripe(9), settings={"resolution": side, "negative_size": 512}))
    largest = max(side, 1024)
    assert calls[0]["original_size"] == calls[0]["target_size"] == (largest, largest)
    assert "negative_original_size" not in calls[0]
    assert calls[1]["negative_original_size"] == (512, 512)


def test_a_strength_with_which_the_model_goes_wrong_is_named(
    engine: SDXL, monkeypatch: pytest.MonkeyPatch
) -> None:
    whitened(monkeypatch)
    notes = {
        strength: engine.paint(replace(stripe(9), settings={"resolution": 64, "strength": strength})).notes
        for strength in (0.99, 1.0)
    }
    assert notes[0.99] == [] and "above 0.999" in notes[1.0][0]
