"""The painting steps of the GPU benchmark: SDXL inpainting of full size with random weights, through our engine.

Random weights prove memory, speed and plumbing. They say nothing about pictures, nor whether trained weights
overflow in half precision. Knows nothing of deadlines or of the file that figures go to.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from exdd_core.errors import BadInput, Cancelled
from exdd_core.progress import Progress
from exdd_core.synthesis import sdxl, sdxl_model, weights
from exdd_core.synthesis.blueprint import write
from exdd_core.synthesis.request import Painting, PaintRequest
from tests import tiny_sdxl
from tests.bench.gpu_measuring import GB, Figures, Sizes, device, release, repeated, timed

MODEL, UPCAST = (
    "sdxl",
    "sdxl-upcast",
)  # folders: with the paper's mended autoencoder, and one like SDXL base's
BUDGET_STEPS = 3  # memory does not grow with their number
LEAVES = 0.2  # GB that may stay behind when a model is unloaded


# --- weights --------------------------------------------------------------------------------------


def write_weights(sizes: Sizes, folder: Path) -> Iterator[Figures]:
    """Random weights in half precision, built on the device and saved as diffusers saves a model."""
    place = folder / MODEL
    began = time.perf_counter()
    if sizes.painting["full"]:
        place.mkdir()
        write(place, "xl-inpaint")
        torch.manual_seed(0)
        content = weights.index(place)
        for part in weights.parts(place):
            _save(place / part, *content[part])
    else:
        tiny_sdxl.build(place, half=True)
    config = json.loads((place / "vae" / "config.json").read_text())
    side = 1024 if sizes.painting["full"] else 128
    for name, force in ((MODEL, False), (UPCAST, True)):
        _linked(place, folder / name)
        (folder / name / "vae" / "config.json").unlink()
        (folder / name / "vae" / "config.json").write_text(
            json.dumps({**config, "sample_size": side, "force_upcast": force})
        )
    parts = weights.weigh(place)
    yield {"seconds": time.perf_counter() - began, "parameters": sum(parts.values()), "parts": parts}


def _save(place: Path, library: str, kind: str) -> None:
    """One part with random weights, from the configuration that lies in its folder."""
    made_of = getattr(importlib.import_module(library), kind)
    torch.set_default_dtype(torch.float16)
    try:
        with torch.device(device()):
            if library == "diffusers":
                part = made_of.from_config(made_of.load_config(place))
            else:
                part = made_of(made_of.config_class.from_pretrained(place))
    finally:
        torch.set_default_dtype(torch.float32)
    part.to(torch.float16).save_pretrained(place, variant="fp16")


def _linked(source: Path, target: Path) -> None:
    """The same model in another folder: its files are links, so that it takes no room."""
    for file in source.rglob("*"):
        other = target / file.relative_to(source)
        if file.is_file() and not other.exists():
            other.parent.mkdir(parents=True, exist_ok=True)
            other.symlink_to(file)


# --- painting -------------------------------------------------------------------------------------


def request(sizes: Sizes, seed: int, **settings: Any) -> PaintRequest:
    """A textured square with a disc to paint."""
    side = settings.get("resolution", sizes.painting["resolution"])
    rng = np.random.default_rng(5)
    image = (rng.integers(60, 120, (side, side, 1)) + rng.integers(0, 9, (side, side, 3))).astype(np.uint8)
    y, x = np.mgrid[:side, :side] / side - 0.5
    asked = {"resolution": side, "steps": sizes.painting["steps"], **settings}
    return PaintRequest(image, x**2 + y**2 < 0.05, "copper metal, scratches", "smooth", asked, seed)


def painting(sizes: Sizes, folder: Path) -> Iterator[Figures]:
    """Seconds an image for one and several at once; the same seed twice; cancel; what unloading leaves behind."""
    sdxl_model.unload()
    before = _taken()
    engine = sdxl.SDXL(str(folder / MODEL))
    _, loading = timed(engine.load)
    assert sdxl_model.in_memory() is not None
    yield {"loading": _plan(), **loading}
    engine.paint(request(sizes, 9, steps=BUDGET_STEPS))  # loads kernels, outside of what is timed
    first, alone = timed(engine.paint, request(sizes, 1))
    again = engine.paint(request(sizes, 1))
    yield {
        "at_once": 1,
        "seconds_per_image": alone["seconds"],
        **alone,
        "same_seed_same_pixels": bool(np.array_equal(first.image, again.image)),
        "spread_of_pixels": float(first.image[first.mask].std()),
    }
    yield _cancelled(engine, sizes, first.image)
    yield _not_finite(engine, sizes, first.image)
    several: list[Painting] = []
    for count in sizes.painting["counts"][1:]:
        if count == 2 and len(sizes.painting["counts"]) > 2:
            continue
        asked = [request(sizes, seed, painted_together=count) for seed in range(1, 1 + count)]
        several, found = timed(_painted, engine, asked)
        yield {
            "at_once": several[0].settings["painted_together"],
            "asked_at_once": count,
            "seconds_per_image": found["seconds"] / count,
            **found,
            "other_seed_differs": not np.array_equal(several[0].image, several[1].image),
            "largest_difference_to_alone": int(np.abs(several[0].image.astype(int) - first.image).max()),
        }
    del first, again, several
    engine.unload()
    release()
    after = _taken()
    yield {"unloaded": True, "left_gb": after - before, "within": bool(after - before <= LEAVES)}


def _painted(engine: sdxl.SDXL, asked: list[PaintRequest]) -> list[Painting]:
    return list(engine.paint_many(asked))


def _taken() -> float:
    """GB of the GPU that tensors of this process hold."""
    return torch.cuda.memory_allocated() / GB if torch.cuda.is_available() else 0.0


def _plan() -> str:
    assert sdxl_model.in_memory() is not None
    plan = sdxl_model.in_memory().plan
    return f"{plan.device}, offload {plan.offload}, tiled {plan.tiled}, {plan.at_once} at once"


def _cancelled(engine: sdxl.SDXL, sizes: Sizes, expected: np.ndarray) -> Figures:
    """Cancel after two steps; the next painting must be as if nothing had happened."""
    asked_at: list[float] = []

    def listen(progress: Progress) -> None:
        if progress.done >= 2 and not asked_at:
            asked_at.append(time.perf_counter())
            progress.cancel()

    state = "painted to its end"
    try:
        engine.paint(request(sizes, 1), Progress(listen))
    except Cancelled:
        state = "cancelled"
    seconds = time.perf_counter() - asked_at[0]
    again = engine.paint(request(sizes, 1))
    same = bool(np.array_equal(again.image, expected))
    return {"cancel": state, "seconds_to_stop": seconds, "next_painting_same": same}


def _not_finite(engine: sdxl.SDXL, sizes: Sizes, expected: np.ndarray) -> Figures:
    """NaN from the U-Net must be refused; NaN from the autoencoder in its own precision must be decoded again."""
    assert sdxl_model.in_memory() is not None
    pipe = sdxl_model.in_memory().pipe
    usual, found = pipe.vae.dtype, {}

    def broken(_: Any, given: Any, output: Any) -> Any:
        if given[0].dtype == usual:
            (output[0] if isinstance(output, tuple) else output).fill_(float("nan"))

    for name, part in (("unet", pipe.unet), ("autoencoder", pipe.vae.decoder)):
        hook = part.register_forward_hook(broken)
        try:
            found[name] = "painted: " + " ".join(engine.paint(request(sizes, 1)).notes)
        except BadInput as sentence:
            found[name] = f"refused: {sentence}"
        finally:
            hook.remove()
    again = engine.paint(request(sizes, 1))
    return {"not_finite": found, "next_painting_same": bool(np.array_equal(again.image, expected))}


# --- memory ---------------------------------------------------------------------------------------


def memory(sizes: Sizes, folder: Path) -> Iterator[Figures]:
    """Peak memory of one pass of the U-Net and of the autoencoder, by size and number of images; what flags cost."""
    sdxl_model.unload()
    engine = sdxl.SDXL(str(folder / MODEL))
    engine.load()
    assert sdxl_model.in_memory() is not None
    pipe = sdxl_model.in_memory().pipe
    kind = pipe.unet.dtype
    with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        for side in sizes.painting["sides"]:
            for count in sizes.painting["counts"]:
                yield {"part": "unet", "side": side, "images": count, **_pass(pipe, count, side)}
        for upcast in (False, True):
            pipe.vae.to(torch.float32 if upcast else kind)
            for side in sizes.painting["sides"]:
                yield from _autoencoder(pipe, side, upcast)
        pipe.vae.to(kind)
    yield from _flags(pipe, sizes)
    del pipe
    sdxl_model.unload()


def _pass(pipe: Any, count: int, side: int) -> Figures:
    """Peak memory of one guided pass of the U-Net."""
    given = unet_input(pipe, count, side)
    return _peak(partial(pipe.unet, **given))


def unet_input(pipe: Any, count: int, side: int) -> dict[str, Any]:
    """What a guided pass gets for so many images of that size."""
    config, both, small = pipe.unet.config, 2 * count, side // pipe.vae_scale_factor
    like = {"device": pipe.unet.device, "dtype": pipe.unet.dtype}
    pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    added = {
        "text_embeds": torch.randn(both, pooled, **like),
        "time_ids": torch.full((both, 6), 1024.0, **like),
    }
    return {
        "sample": torch.randn(both, config.in_channels, small, small, **like),
        "timestep": torch.tensor(500.0, device=pipe.unet.device),
        "encoder_hidden_states": torch.randn(both, 77, config.cross_attention_dim, **like),
        "added_cond_kwargs": added,
        "return_dict": False,
    }


def _peak(call: Callable[..., Any], *given: Any) -> Figures:
    """Peak memory of a call, or that the card does not hold it."""
    release()
    try:
        return timed(call, *given)[1]
    except torch.cuda.OutOfMemoryError:
        return {"sentence": "The card does not hold it."}
    finally:
        release()


def _autoencoder(pipe: Any, side: int, upcast: bool) -> Iterator[Figures]:
    """Decoding and encoding of one image, whole and in tiles of 512 pixels."""
    vae, small = pipe.vae, side // pipe.vae_scale_factor
    like = {"device": vae.device, "dtype": vae.dtype}
    latents = torch.randn(1, vae.config.latent_channels, small, small, **like)
    picture = torch.randn(1, 3, side, side, **like)
    row = {"side": side, "precision": "full" if upcast else "half"}
    yield {"part": "decode", **row, **_peak(vae.decode, latents)}
    yield {"part": "encode", **row, **_peak(vae.encode, picture)}
    if side < 1024:
        return
    usual = vae.tile_sample_min_size, vae.tile_latent_min_size
    vae.enable_tiling()
    vae.tile_sample_min_size, vae.tile_latent_min_size = 512, 64
    yield {"part": "decode in tiles of 512", **row, **_peak(vae.decode, latents)}
    yield {"part": "encode in tiles of 512", **row, **_peak(vae.encode, picture)}
    vae.tile_sample_min_size, vae.tile_latent_min_size = usual
    vae.disable_tiling()


def _flags(pipe: Any, sizes: Sizes) -> Iterator[Figures]:
    """Seconds of one guided pass of the U-Net: what determinism costs, what another layout of memory saves."""
    given = unet_input(pipe, 1, sizes.painting["resolution"])
    every = ((True, False, False), (False, False, False), (True, True, False), (True, True, True))
    for deterministic, channels_last, fused in every:
        if channels_last:
            pipe.unet.to(memory_format=torch.channels_last)
        if fused:
            pipe.unet.fuse_qkv_projections()
        with (
            torch.no_grad(),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=deterministic),
        ):
            times = repeated(0, partial(pipe.unet, **given), fewest=sizes.repeats)
        flags = {"deterministic": deterministic, "channels_last": channels_last, "fused": fused}
        yield {"part": "one pass of the U-Net", **flags, "seconds": statistics.median(times)}


# --- budgets --------------------------------------------------------------------------------------


def budgets(sizes: Sizes, folder: Path) -> Iterator[Figures]:
    """Our engine on cards with less memory: what it plans, whether it runs out, and how close its peak comes."""
    usual = sizes.painting["resolution"]
    cases = [(gb, model, usual) for gb in sizes.painting["budgets"] for model in (MODEL, UPCAST)]
    if sizes.painting["full"]:
        cases += [(24, MODEL, 2048), (12, MODEL, 2048)]
    for gb, model, side in cases:
        row: Figures = {"budget_gb": gb, "force_upcast": model == UPCAST, "side": side}
        sdxl_model.unload()
        with card_of(gb * GB):
            engine = sdxl.SDXL(str(folder / model))
            try:
                engine.load()
                row |= {"plan": _plan(), "asked_at_once": engine.at_once({"resolution": side})}
                yield row | _within(engine, sizes, side, row["asked_at_once"])
            except (BadInput, torch.cuda.OutOfMemoryError) as fault:
                yield row | {"sentence": str(fault)[:300]}
            finally:
                engine.unload()
                release()


def _within(engine: sdxl.SDXL, sizes: Sizes, side: int, count: int) -> Figures:
    """As many images as the engine takes at once, and the most memory that it took."""
    asked = [request(sizes, seed, resolution=side, steps=BUDGET_STEPS) for seed in range(count)]
    try:
        paintings, found = timed(_painted, engine, asked)
    except BadInput as fault:
        return {"sentence": str(fault)}
    together = [painting.settings["painted_together"] for painting in paintings]
    if torch.cuda.is_available():
        found["allocated_gb"] = torch.cuda.max_memory_allocated() / GB
    return {"painted_together": together, "ran_out": together[0] != count, "painted_as": _plan(), **found}


@contextlib.contextmanager
def card_of(size: float) -> Iterator[None]:
    """A card with so many bytes free: PyTorch's allocator gives no more, and says that no more are there."""
    if not torch.cuda.is_available():
        yield
        return
    release()
    whole = torch.cuda.mem_get_info()[1]
    torch.cuda.set_per_process_memory_fraction(size / whole)
    left = mock.patch(
        "torch.cuda.mem_get_info", lambda *_: (int(size) - torch.cuda.memory_reserved(), int(size))
    )
    try:
        with left:
            yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
