"""Plans how a diffusion model runs in the available memory, and steps down a ladder where it ran out.

Knows bytes and numbers of parameters. Does not know torch or where weights lie.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from exdd_core.errors import BadInput

GB = 10**9
USUAL = 1024 * 1024  # pixels of one image, to which the figures below refer
RESERVE = 0.6 * GB  # of a GPU's free memory, kept for fragmentation and other programs
PER_IMAGE = 1.2 * GB  # the U-Net's activations for one image, guided, in half precision
DECODING = 3.5 * GB  # the autoencoder's activations in half precision; it decodes images one by one
TILE = 512 * 512  # pixels that the autoencoder holds at a time where it works in tiles
LEAST = 3.0 * GB  # that offloading by layers with tiled decoding needs
MOST_AT_ONCE = 8
OFFLOADS = ("none", "parts", "layers")  # from the fastest to the one that needs the least


@dataclass(frozen=True)
class Plan:
    """How a model runs: on "cuda", "mps" or "cpu", in half or full precision, and what is offloaded to main memory.

    offload: "none", "parts" (one of text encoders, U-Net and autoencoder is on the GPU at a time) or "layers".
    tiled: images are decoded in tiles, which takes less memory and changes the pixels a little.
    """

    device: str
    half: bool
    offload: str = "none"
    tiled: bool = False
    at_once: int = 1  # images in one call


def plan(
    free: int | None,
    memory: int,
    parts: Mapping[str, int],
    pixels: int = USUAL,
    upcast: bool = False,
    full: bool = False,
) -> Plan:
    """The plan for a model with `parts` (number of parameters by part).

    free: bytes free on the GPU, None without a GPU. memory: bytes free in main memory. pixels: of one image.
    upcast: the autoencoder decodes in full precision (`force_upcast`). full: everything runs in full precision.
    Raises `BadInput` where the model does not fit at all.
    """
    width = 4 if full else 2
    total = width * sum(parts.values())
    if memory < 1.1 * total:  # weights pass through main memory on their way to a GPU
        raise BadInput(
            f"This model needs {total / GB:.1f} GB of memory, but only {memory / GB:.1f} GB are free; close "
            "other programs or choose the engine procedural or transplant, which need no weights."
        )
    room = (free or 0) - RESERVE
    for offload in ("none", "parts"):
        for tiled in (False, True):
            chosen = Plan("cuda", not full, offload, tiled)
            resident = _resident(chosen, parts)
            decoding = _decoding(chosen, parts, pixels, upcast)
            if room >= max(resident + activations(pixels, chosen.half), decoding):
                return replace(chosen, at_once=images_at_once(room - resident, pixels, chosen.half))
    if free is not None and free >= LEAST + max(0, activations(pixels, not full) - PER_IMAGE):
        return Plan("cuda", not full, offload="layers", tiled=True)
    return Plan("cpu", half=not full and memory < 2.2 * total)


def _resident(plan: Plan, parts: Mapping[str, int]) -> int:
    """Bytes of weights on the GPU while the U-Net runs."""
    sizes = [(2 if plan.half else 4) * count for count in parts.values()]
    return sum(sizes) if plan.offload == "none" else max(sizes)


def _decoding(plan: Plan, parts: Mapping[str, int], pixels: int, upcast: bool) -> float:
    """Bytes that are taken while one image is decoded: weights and activations."""
    wide = 2 if upcast or not plan.half else 1
    autoencoder = wide * 2 * parts.get("vae", 0)
    weights = _resident(plan, parts) if plan.offload == "none" else autoencoder
    widened = autoencoder if plan.offload == "none" and upcast and plan.half else 0
    return weights + widened + wide * DECODING * (min(pixels, TILE) if plan.tiled else pixels) / USUAL


def activations(pixels: int, half: bool = True) -> float:
    """Bytes of the U-Net's activations for one image of `pixels` pixels."""
    return (1 if half else 2) * PER_IMAGE * pixels / USUAL


def images_at_once(room: float, pixels: int, half: bool = True) -> int:
    """The number of images of `pixels` pixels that one call takes in `room` bytes."""
    return max(1, min(MOST_AT_ONCE, int(room // activations(pixels, half))))


def fitting(plan: Plan, free: int, parts: Mapping[str, int], pixels: int) -> int:
    """The number of images that one call takes on a GPU that has `free` bytes for the model and all it needs."""
    if plan.offload == "layers":
        return 1
    return images_at_once(free - RESERVE - _resident(plan, parts), pixels, plan.half)


class Ladder:
    """What running out of memory taught about one loaded model; each rung down is taken once.

    The rungs: fewer images in one call, decoding in tiles, offloading by parts, offloading by layers.
    """

    def __init__(self) -> None:
        self._pixels_at_once = math.inf  # of all images of one call
        self._tiled_from = math.inf  # pixels of one image
        self._offload = "none"

    def most(self, pixels: int) -> int:
        """The number of images of `pixels` pixels that one call may have."""
        return int(max(1, min(MOST_AT_ONCE, self._pixels_at_once // pixels)))

    def applied(self, plan: Plan, pixels: int) -> Plan:
        """`plan` with what was learnt for images of `pixels` pixels."""
        offload = max(plan.offload, self._offload, key=OFFLOADS.index)
        return replace(plan, offload=offload, tiled=plan.tiled or pixels >= self._tiled_from)

    def down(self, plan: Plan, pixels: int, count: int, decoding: bool) -> bool:
        """Step down after `plan` ran out of memory with `count` images at once; False at the ladder's end.

        decoding: the autoencoder was at work, which takes one image after the other.
        """
        if count > 1 and (plan.tiled or not decoding):
            self._pixels_at_once = pixels * (count // 2)
        elif not plan.tiled:
            self._tiled_from = min(self._tiled_from, pixels)
        elif plan.device == "cuda" and plan.offload != OFFLOADS[-1]:
            self._offload = OFFLOADS[OFFLOADS.index(plan.offload) + 1]
        else:
            return False
        return True
