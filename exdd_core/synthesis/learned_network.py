"""The network of the engine `learned`: flow matching on the pixels of small squares, and how it refines a painting.

A square x is noised to (1 - s) x + s n (Lipman et al. 2023), s from 0 to 1, and the network gives n - x from it, the
mask, what lies around the mask and the type of defect. To refine a painting, it is noised to some s below 1 under its
mask and brought back in steps; after each step all pixels outside the mask are restored. Knows torch and arrays. Does
not know data sets or how the network learns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from exdd_core.errors import BadInput
from exdd_core.synthesis.sdxl_adapters import TAUGHT_BY

SIDE = 64  # pixels of the squares that it learns from; it refines any size
WIDTHS = (16, 32, 64, 96)  # channels from the full to the lowest resolution: 1.8 million parameters
MULTIPLE = 2 ** (len(WIDTHS) - 1)  # of which a picture's sides are multiples
NORMAL = 0  # the class of normal surface; the types of defects follow
TIME = 1000.0  # what the network is told for s = 1
TYPES = "exdd_types"  # in a file's metadata


@dataclass(frozen=True)
class Harmoniser:
    """A trained network. types: of defects, in the order of its classes from 1."""

    network: Any
    types: tuple[str, ...]
    parts: tuple[str, ...]


def new_network(types: int) -> Any:
    """A network with random weights from torch's generator, for so many types of defects."""
    plain = len(WIDTHS) - 1
    return diffusers.UNet2DModel(
        sample_size=SIDE,
        in_channels=7,  # noised pixels, mask, surroundings
        out_channels=3,
        layers_per_block=1,
        block_out_channels=WIDTHS,
        norm_num_groups=8,
        attention_head_dim=32,
        down_block_types=("DownBlock2D",) * plain + ("AttnDownBlock2D",),
        up_block_types=("AttnUpBlock2D",) + ("UpBlock2D",) * plain,
        num_class_embeds=1 + types,
    )


def save(network: Any, types: Sequence[str], parts: Sequence[str], place: Path) -> None:
    """Write weights with the types and the parts that taught them."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, place, metadata={TAUGHT_BY: json.dumps([*parts]), TYPES: json.dumps([*types])})


def load(file: Path, device: torch.device) -> Harmoniser:
    """Read a network. Raises `BadInput` for a file that holds none."""
    try:
        with safe_open(file, "numpy") as opened:
            about = opened.metadata() or {}
        types, parts = json.loads(about[TYPES]), json.loads(about[TAUGHT_BY])
        network = new_network(len(types))
        network.load_state_dict(load_file(file))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise BadInput(
            f"{file} does not contain a network of the Learned engine; teach one with: teach --engine learned"
        ) from error
    return Harmoniser(network.to(device).eval(), tuple(types), tuple(parts))


def as_tensor(pixels: np.ndarray) -> torch.Tensor:
    """uint8 (n, h, w, 3) as float32 (n, 3, h, w) from -1 to 1."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1


def velocity(network: Any, noised: torch.Tensor, s: torch.Tensor, mask: torch.Tensor, clean: torch.Tensor,
             kinds: torch.Tensor) -> torch.Tensor:  # fmt: skip
    """What leads from the noised pixels to the noise, (n, 3, h, w).

    noised, clean: (n, 3, h, w); of `clean` only what lies outside `mask`, (n, 1, h, w), is seen. s: (n,). kinds: int64
    (n,).
    """
    seen = torch.cat([noised, mask, clean * (1 - mask)], dim=1)
    return network(seen, s * TIME, class_labels=kinds, return_dict=False)[0]


def refined(
    harmoniser: Harmoniser,
    draft: np.ndarray,
    mask: np.ndarray,
    kind: int,
    noise: float,
    steps: int,
    seed: int,
    step: Callable[[int, int, np.ndarray], None] | None = None,
) -> np.ndarray:
    """The draft with what lies under the mask noised and brought back: uint8 (h, w, 3).

    draft: uint8 (h, w, 3). mask: bool (h, w). kind: class. noise: s to begin at. The same seed gives the same pixels.
    """
    height, width = mask.shape
    lacking = [(0, -height % MULTIPLE), (0, -width % MULTIPLE)]
    device = next(harmoniser.network.parameters()).device
    clean = as_tensor(np.pad(draft, [*lacking, (0, 0)], mode="edge")[None]).to(device)
    under = torch.from_numpy(np.pad(mask, lacking))[None, None].float().to(device)
    made = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed)).to(device)
    levels = torch.linspace(noise, 0, steps + 1).tolist()
    pixels = (1 - noise) * clean + noise * made
    classes = torch.tensor([kind], device=device)
    with torch.inference_mode():
        for number, (now, then) in enumerate(zip(levels, levels[1:], strict=False)):
            at = torch.tensor([now], device=device)
            flow = velocity(harmoniser.network, pixels, at, under, clean, classes)
            pixels = pixels + (then - now) * flow
            pixels = torch.where(under > 0, pixels, (1 - then) * clean + then * made)
            if step:
                step(number + 1, steps, _pixels(pixels)[:height, :width])
    return np.where(mask[..., None], _pixels(pixels)[:height, :width], draft)


def _pixels(values: torch.Tensor) -> np.ndarray:
    shown = (values[0].permute(1, 2, 0).cpu().numpy() + 1) * 127.5
    if not np.isfinite(shown).all():
        raise BadInput("The network produced no usable pixels; teach it again.")
    return np.rint(np.clip(shown, 0, 255)).astype(np.uint8)
