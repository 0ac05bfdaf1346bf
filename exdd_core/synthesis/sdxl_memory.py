"""Plans how a Stable Diffusion model runs in the available memory.

Knows bytes and numbers of parameters. Does not know torch or where weights lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exdd_core.errors import BadInput

GB = 10**9
RESERVE = 0.6 * GB  # of a GPU's free memory, kept for fragmentation and other programs
PER_IMAGE = 1.2 * GB  # the U-Net's activations for one image of 1024 x 1024, guided, in half precision
DECODING = 3.5 * GB  # the autoencoder's activations for one such image; it decodes them one by one
LEAST = 3.0 * GB  # that offloading by layers with tiled decoding needs
MOST_AT_ONCE = 8


@dataclass(frozen=True)
class Plan:
    """How a model runs: on "cuda" or "cpu", in half or full precision, and what is offloaded to main memory.

    offload: "none", "parts" (one of text encoders, U-Net and autoencoder is on the GPU at a time) or "layers".
    tiled: images are decoded in tiles, which takes less memory and changes the pixels a little.
    """

    device: str
    half: bool
    offload: str = "none"
    tiled: bool = False
    at_once: int = 1  # images in one call


def plan(free: int | None, memory: int, parts: Mapping[str, int], pixels: int = 1024 * 1024) -> Plan:
    """The plan for a model with `parts` (number of parameters by part).

    free: bytes free on the GPU, None without a GPU. memory: bytes free in main memory. pixels: of one image.
    Raises `BadInput` where the model does not fit at all.
    """
    total, largest = 2 * sum(parts.values()), 2 * max(parts.values())  # bytes in half precision
    images, decoding = PER_IMAGE * pixels / 1024**2, DECODING * pixels / 1024**2
    if memory < 1.1 * total:  # weights pass through main memory on their way to a GPU
        raise BadInput(
            f"This model takes {total / GB:.1f} GB of memory and {memory / GB:.1f} GB are free; close other "
            "programs or choose the engine procedural or transplant, which need no weights."
        )
    room = (free or 0) - RESERVE
    if room >= total + max(images, decoding):
        return Plan("cuda", half=True, at_once=images_at_once(room - total, pixels))
    if room >= max(largest + images, decoding):
        return Plan("cuda", half=True, offload="parts", at_once=images_at_once(room - largest, pixels))
    if free is not None and free >= LEAST:
        return Plan("cuda", half=True, offload="layers", tiled=True)
    return Plan("cpu", half=memory < 2.2 * total)


def images_at_once(room: float, pixels: int) -> int:
    """The number of images of `pixels` pixels that one call takes in `room` bytes."""
    return max(1, min(MOST_AT_ONCE, int(room // (PER_IMAGE * pixels / 1024**2))))
