"""The training steps of the GPU benchmark: a LoRA of full-size SDXL, and small networks trained from nothing.

Knows the step of a LoRA's training (`lora_steps`), and diffusers' networks. Weights and pictures are random: figures
are seconds and memory, and that what is saved loads, changes pixels and is taken off exactly.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from exdd_core.synthesis import sdxl, sdxl_model
from exdd_core.synthesis.lora_settings import needed
from exdd_core.synthesis.lora_steps import Examples, Learner, Texts
from tests.bench.gpu_measuring import GB, Figures, Sizes, device, release, repeated, timed
from tests.bench.gpu_painting import MODEL, card_of, request, unet_input

RANK, RATE = 16, 1e-2  # a rate at which a few steps change pixels
STEPS = 3  # of each measurement


def lora(sizes: Sizes, folder: Path) -> Iterator[Figures]:
    """Training steps of a LoRA by size of picture and on smaller cards; then saved, put on and taken off."""
    sdxl_model.unload()
    engine = sdxl.SDXL(str(folder / MODEL))
    engine.prepare({"precision": "bfloat16"})
    resident = sdxl_model.in_memory()
    assert resident is not None
    pipe = resident.pipe
    for part in (pipe.vae, pipe.text_encoder, pipe.text_encoder_2):
        part.to("cpu")  # their work is done before training begins
    release()
    learner = Learner(pipe, _texts(pipe), RANK, RATE, seed=0)
    yield {"parameters": sum(parameter.numel() for parameter in learner.parameters), "rank": RANK}
    for side in sizes.painting["taught"]:
        needs = needed(side, sum(p.numel() for p in pipe.unet.parameters()), RANK) / GB
        found = _training(partial(learner.step, _examples(pipe, side), 1, 1))
        yield {"side": side, "planned_gb": needs, **found}
    for gb in sizes.painting["taught_within"]:
        with card_of(gb * GB):
            for side in sizes.painting["taught"]:
                found = _training(partial(learner.step, _examples(pipe, side), 1, 1))
                yield {"budget_gb": gb, "side": side, **found}
    save_file(learner.weights(), folder / "lora.safetensors")
    del pipe, resident, learner
    sdxl_model.unload()
    yield _worn(sdxl.SDXL(str(folder / MODEL)), sizes, folder / "lora.safetensors")
    sdxl_model.unload()


def _texts(pipe: Any) -> Texts:
    """Two prompts' random embeddings."""
    given = unet_input(pipe, 1, 64)
    return Texts(given["encoder_hidden_states"], given["added_cond_kwargs"]["text_embeds"])


def _examples(pipe: Any, side: int) -> Examples:
    """Two random crops of that size."""
    cells = side // pipe.vae_scale_factor
    clean, surroundings = torch.randn(2, 2, 4, cells, cells)
    mask = (torch.rand(2, 1, cells, cells) > 0.8).float()
    return Examples(clean, surroundings, mask, mask, torch.tensor([0, 1]))


def _training(step: Callable[[], float]) -> Figures:
    """Seconds of a step and its peak memory, or that the card does not hold it."""
    release()
    try:
        _, found = timed(step)
        seconds = statistics.median(repeated(0, step, fewest=STEPS))
        return {**found, "seconds": seconds}
    except torch.cuda.OutOfMemoryError:
        return {"sentence": "The card does not hold it."}
    finally:
        release()


def _worn(engine: sdxl.SDXL, sizes: Sizes, file: Path) -> Figures:
    """Whether a saved LoRA changes pixels, and leaves none changed when it is taken off."""
    before = engine.paint(request(sizes, 1, steps=STEPS))
    worn = engine.paint(request(sizes, 1, steps=STEPS, lora=str(file)))
    after = engine.paint(request(sizes, 1, steps=STEPS))
    return {
        "worn_differs": not np.array_equal(before.image, worn.image),
        "taken_off_exactly": bool(np.array_equal(before.image, after.image)),
    }


def small_networks(sizes: Sizes, _: Path) -> Iterator[Figures]:
    """Training steps of small networks that paint into a mask by flow matching, in bfloat16."""
    from diffusers import UNet2DModel

    for side in sizes.painting["small_sides"]:
        torch.manual_seed(0)
        network: Any = UNet2DModel(
            sample_size=side,
            in_channels=7,  # noisy picture, mask, surroundings
            out_channels=3,
            layers_per_block=1,
            block_out_channels=(32, 64, 96, 128),
            down_block_types=("DownBlock2D", "DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D", "UpBlock2D"),
            norm_num_groups=8,
            num_class_embeds=6,
        )
        network.to(device())
        optimiser = torch.optim.AdamW(network.parameters(), 2e-4)
        count = sizes.painting["small_batch"]
        found = _training(partial(_flow_step, network, optimiser, side, count))
        parameters = sum(parameter.numel() for parameter in network.parameters())
        row: Figures = {"side": side, "images": count, "parameters": parameters, **found}
        if "seconds" in found:
            row["images_per_second"] = count / found["seconds"]
        yield row


def _flow_step(network: Any, optimiser: torch.optim.Optimizer, side: int, count: int) -> float:
    """One step: the velocity n - x of pictures x on their straight way to noise n, within and around a mask."""
    pictures, noise = torch.randn(2, count, 3, side, side, device=device())
    mask = (torch.rand(count, 1, side, side, device=device()) > 0.7).float()
    share = torch.sigmoid(torch.randn(count, 1, 1, 1, device=device()))
    noisy = (1 - share) * pictures + share * noise
    types = torch.randint(0, 6, (count,), device=device())
    with torch.autocast(device().type, torch.bfloat16):
        seen = torch.cat([noisy, mask, pictures * (1 - mask)], dim=1)
        predicted = network(seen, 1000 * share.flatten(), class_labels=types).sample
    loss = ((predicted.float() - (noise - pictures)) ** 2 * (0.1 + 0.9 * mask)).mean()
    loss.backward()
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return float(loss.detach())
