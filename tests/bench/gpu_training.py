"""The training steps of the GPU benchmark: a LoRA of full-size SDXL, and small networks trained from nothing.

Knows peft, diffusers' networks and the training that is planned for them. Weights and pictures are random: figures
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

from exdd_core.synthesis import sdxl, sdxl_model
from tests.bench.gpu_measuring import GB, Figures, Sizes, device, release, repeated, timed
from tests.bench.gpu_painting import MODEL, card_of, request, unet_input

RANK, RATE = 16, 1e-2  # a rate at which a few steps change pixels
STEPS = 3  # of each measurement
ATTENTION = ["to_k", "to_q", "to_v", "to_out.0"]


def lora(sizes: Sizes, folder: Path) -> Iterator[Figures]:
    """Training steps of a LoRA by size of picture and on smaller cards; then saved, put on and taken off."""
    from diffusers.training_utils import cast_training_params
    from peft import LoraConfig

    sdxl_model.unload()
    engine = sdxl.SDXL(str(folder / MODEL))
    engine.prepare({"precision": "bfloat16"})
    resident = sdxl_model.in_memory()
    assert resident is not None
    pipe = resident.pipe
    for part in (pipe.vae, pipe.text_encoder, pipe.text_encoder_2):
        part.to("cpu")  # their work is done before training begins
    release()
    unet = pipe.unet
    unet.add_adapter(
        LoraConfig(r=RANK, lora_alpha=RANK, init_lora_weights="gaussian", target_modules=ATTENTION), "defects"
    )
    cast_training_params(unet, torch.float32)
    unet.enable_gradient_checkpointing()
    learnt = [parameter for parameter in unet.parameters() if parameter.requires_grad]
    yield {"parameters": sum(parameter.numel() for parameter in learnt), "rank": RANK}
    unet.train()
    optimiser = torch.optim.AdamW(learnt, RATE)
    for side in sizes.painting["taught"]:
        yield {"side": side, **_training(partial(_step, pipe, optimiser, side))}
    for gb in sizes.painting["taught_within"]:
        with card_of(gb * GB):
            for side in sizes.painting["taught"]:
                yield {"budget_gb": gb, "side": side, **_training(partial(_step, pipe, optimiser, side))}
    _save(pipe, folder / "lora.safetensors")
    del pipe, unet, resident, optimiser, learnt
    sdxl_model.unload()
    yield _worn(sdxl.SDXL(str(folder / MODEL)), sizes, folder / "lora.safetensors")
    sdxl_model.unload()


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


def _step(pipe: Any, optimiser: torch.optim.Optimizer, side: int) -> float:
    """One training step on one random picture: the noise is predicted, and counts ten times in the mask."""
    given = {
        name: value[:1] if isinstance(value, torch.Tensor) and value.ndim else value
        for name, value in unet_input(pipe, 1, side).items()
    }
    given["added_cond_kwargs"] = {name: rows[:1] for name, rows in given["added_cond_kwargs"].items()}
    sample = given.pop("sample")
    noise = torch.randn_like(sample[:, :4])
    mask = (torch.rand_like(sample[:, 4:5]) > 0.8).to(sample.dtype)
    seen = torch.cat([sample[:, :4], mask, sample[:, 5:9]], dim=1)
    with torch.autocast(seen.device.type, torch.bfloat16):
        predicted = pipe.unet(seen, **given)[0]
    loss = ((predicted.float() - noise.float()) ** 2 * (0.1 + 0.9 * mask.float())).mean()
    loss.backward()
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return float(loss.detach())


def _save(pipe: Any, file: Path) -> None:
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft.utils import get_peft_model_state_dict

    state = get_peft_model_state_dict(pipe.unet, adapter_name="defects")
    pipe.save_lora_weights(
        file.parent, unet_lora_layers=convert_state_dict_to_diffusers(state), weight_name=file.name
    )


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
