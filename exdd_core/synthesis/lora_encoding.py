"""Encodes crops and prompts for a training, each once, and decodes what the U-Net paints meanwhile.

Text encoders and autoencoder are on the device only while they work. Knows torch and the parts of a pipeline. Does
not know how one learns, or files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate, max_pool2d

from exdd_core.progress import Progress
from exdd_core.synthesis.lora_crops import Crop
from exdd_core.synthesis.lora_steps import Examples, Texts, joined
from exdd_core.synthesis.sdxl_decoding import TILE, use_tiles


def encode_texts(pipe: Any, prompts: Sequence[str], device: torch.device) -> Texts:
    """Encode prompts, "" as the engine encodes no prompt. The pipeline has no text encoders afterwards."""
    encoders = [name for name in ("text_encoder", "text_encoder_2") if getattr(pipe, name, None) is not None]
    for name in encoders:
        getattr(pipe, name).to(device)
    words, pooled = [], []
    with torch.no_grad():
        for prompt in prompts:
            found = pipe.encode_prompt(
                prompt or "", device=device, num_images_per_prompt=1, do_classifier_free_guidance=True,
                negative_prompt=None,
            )  # fmt: skip
            place = 0 if prompt else 1  # the prompt's, or those of no prompt
            words.append(found[place].cpu())
            pooled += [found[2 + place].cpu()] if len(found) > 2 else []
    for name in encoders:
        setattr(pipe, name, None)
    return Texts(torch.cat(words), torch.cat(pooled) if pooled else None)


def encode_crops(
    pipe: Any,
    crops: Iterable[Crop],
    count: int,
    prompts: Sequence[str],
    device: torch.device,
    progress: Progress,
) -> Examples:
    """Encode crops in full precision, since half precision overflows in some autoencoders. count: of crops."""
    vae, several = pipe.vae, []
    usual = vae.dtype
    vae.to(device, torch.float32)
    progress.begin("Encoding crops", count)
    with torch.no_grad():
        for crop in crops:
            several.append(_encoded(pipe, crop, prompts.index(crop.prompt), device))
            progress.advance()
    vae.to("cpu", usual)
    return joined(several)


def _encoded(pipe: Any, crop: Crop, text: int, device: torch.device) -> Examples:
    pixels = torch.from_numpy(crop.pixels).permute(2, 0, 1)[None].float().to(device) / 127.5 - 1
    mask = torch.from_numpy(crop.mask)[None, None].float().to(device)
    factor = pipe.vae.config.scaling_factor
    both = pipe.vae.encode(torch.cat([pixels, pixels * (1 - mask)])).latent_dist.mode() * factor
    cells = pipe.vae_scale_factor
    seen = interpolate(mask, size=both.shape[2:])  # as the pipeline scales masks
    covered = max_pool2d(mask, cells)  # the thinnest scratch is learnt, too
    found = Examples(both[:1], both[1:], seen, covered, torch.tensor([text]))
    return found.to(torch.device("cpu"))


def decode(pipe: Any, latents: torch.Tensor) -> np.ndarray:
    """The picture of latents (1, 4, h, w), uint8 (H, W, 3)."""
    vae = pipe.vae
    usual = vae.dtype
    vae.to(latents.device, torch.float32)
    use_tiles(vae, latents.shape[-1] * pipe.vae_scale_factor > TILE)
    with torch.no_grad():
        picture = vae.decode(latents.float() / vae.config.scaling_factor, return_dict=False)[0]
    vae.to("cpu", usual)
    shown = ((picture[0].permute(1, 2, 0).cpu() + 1) * 127.5).nan_to_num().clamp(0, 255)
    return shown.round().to(torch.uint8).numpy()
