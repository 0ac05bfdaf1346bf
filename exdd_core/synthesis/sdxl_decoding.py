"""Watches an autoencoder: no picture that is not finite leaves it, and tiles have one size.

Knows diffusers' autoencoders and torch. Does not know pipelines, memory plans or where latents come from.
"""

from __future__ import annotations

from typing import Any

from exdd_core.errors import BadInput

# Pixels; diffusers' own sizes are 32 without `sample_size` in a configuration, and 1024 with SDXL's.
TILE = 512
PRECISIONS = {
    "torch.float16": "half precision",
    "torch.bfloat16": "bfloat16",
    "torch.float32": "full precision",
}


class NoPicture(BadInput):
    """A model computed values that are no picture."""


def use_tiles(vae: Any, tiled: bool) -> None:
    """Let an autoencoder encode and decode in tiles of 512 x 512 pixels, or whole."""
    if not tiled:
        vae.disable_tiling()
    elif hasattr(vae, "tile_latent_min_size"):
        vae.enable_tiling()
        vae.tile_sample_min_size = TILE
        vae.tile_latent_min_size = TILE // 2 ** (len(vae.config.block_out_channels) - 1)
    else:  # the autoencoders of videos, which count height and width by themselves
        stride = TILE * 3 // 4
        vae.enable_tiling(TILE, TILE, stride, stride)


class Watched:
    """An autoencoder whose `encode` and `decode` are watched.

    busy: whether it is at work, which says who ran out of memory. again: the precision in which the last picture
    was decoded a second time, because the first was not finite; "" where once was enough.
    """

    def __init__(self, vae: Any):
        self.vae, self.busy, self.again = vae, False, ""
        self._encode, self._decode = vae.encode, vae.decode
        vae.encode, vae.decode = self.encode, self.decode

    def encode(self, *args: Any, **kwargs: Any) -> Any:
        self.busy = True
        encoded = self._encode(*args, **kwargs)
        self.busy = False
        return encoded

    def decode(self, latents: Any, *args: Any, **kwargs: Any) -> Any:
        """Decode latents; where that overflows, in full precision, then in bfloat16. Raises `NoPicture`."""
        import torch

        self.busy = True
        usual = self.vae.dtype
        decoded = self._decode(latents, *args, **kwargs)
        try:
            for kind in (torch.float32, torch.bfloat16):
                if is_finite(decoded[0]):
                    break
                self.vae.to(torch.float32)  # weights that become bfloat16 and back again would be others
                with torch.autocast(latents.device.type, dtype=kind, enabled=kind != torch.float32):
                    decoded = self._decode(latents.float(), *args, **kwargs)
                self.again = precision(kind)
        finally:
            self.vae.to(usual)
        self.busy = False
        _check(decoded[0])
        return decoded


def is_finite(tensor: Any) -> bool:
    """Whether all numbers of a tensor are finite."""
    return bool(tensor.isfinite().all())


def precision(kind: Any) -> str:
    """The words for a torch dtype."""
    return PRECISIONS[str(kind)]


def _check(pictures: Any) -> None:
    """Refuse pictures, (n, 3, ...) from -1 to 1, that are not finite, or of one colour all over."""
    if not is_finite(pictures):
        raise NoPicture(
            "The model's autoencoder produced no image: its values are not finite, even in full precision. "
            "Download the model again, or choose another one."
        )
    flat = pictures.float().clamp(-1, 1).flatten(2)
    if bool(((flat.amax(2) - flat.amin(2)) * 127.5 < 0.5).all(1).any()):
        raise NoPicture(
            "The model painted a single colour, as a damaged model does; choose another scheduler or precision, "
            "or download the model again."
        )
