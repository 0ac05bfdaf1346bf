"""The pictures of a window that a diffusion model gets, and its latents as a picture.

Knows pictures, masks and crops. Does not know pipelines, weights or prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from exdd_core.synthesis.request import Window
from exdd_core.synthesis.sdxl_settings import SDXLSettings

if TYPE_CHECKING:
    from PIL import Image

# A linear map from latents to RGB, which shows a step without decoding it. True: SDXL, from the guide to callbacks
# in diffusers' documentation; False: Stable Diffusion 1 and 2, from ComfyUI's previews, rounded.
LATENT_RGB = {
    True: (np.array([[60, 60, 60], [-60, -5, 10], [25, 15, -5], [-70, -50, -35]]), np.array([150, 140, 130])),
    False: (
        127.5
        * np.array([[0.35, 0.23, 0.32], [0.33, 0.50, 0.24], [-0.28, 0.18, 0.27], [-0.21, -0.26, -0.72]]),
        np.array([127.5, 127.5, 127.5]),
    ),
}


@dataclass(frozen=True)
class View:
    """A window as PIL pictures of one size, `image` and `mask`, and the `crop` of it that the model gets."""

    image: Image.Image
    mask: Image.Image
    padding: int | None
    crop: tuple[int, int, int, int]
    processor: Any  # diffusers' VaeImageProcessor: crops and puts back exactly as a pipeline does

    def cropped(self, picture: Image.Image) -> Image.Image:
        if self.padding is None:
            return picture
        part = picture.crop(self.crop)
        return self.processor.resize(part, picture.height, picture.width, resize_mode="fill")

    def place(self, painted: Image.Image) -> Image.Image:
        """The window with its crop replaced by `painted`."""
        if self.padding is None:
            return painted
        return self.processor.apply_overlay(self.mask, self.image, painted, self.crop)

    def show(self, small: np.ndarray) -> np.ndarray:
        """The window, uint8 (h, w, 3), with its crop replaced by a small picture, uint8 (., ., 3), enlarged."""
        from PIL import Image

        return np.array(self.place(Image.fromarray(small).resize(self.image.size)))


def view_of(pipe: Any, window: Window[SDXLSettings]) -> View:
    """What a pipeline gets of a window."""
    from PIL import Image

    height, width = window.mask.shape
    # A native window was cut out of the image with its padding; a second crop would enlarge its pixels once more.
    padding = window.settings["padding_mask_crop"] if window.settings["geometry"] == "paper" else -1

    def crop(mask: np.ndarray) -> tuple[int, int, int, int]:
        if padding < 0:
            return 0, 0, width, height
        picture = Image.fromarray(mask.astype(np.uint8) * 255)
        return pipe.mask_processor.get_crop_region(picture, width, height, pad=padding)

    left, _, right, _ = crop(window.haloed)
    cell = int(np.ceil(pipe.vae_scale_factor * (right - left) / width))
    mask = widened(window.haloed, cell)
    return View(
        image=Image.fromarray(window.image),
        mask=Image.fromarray(mask.astype(np.uint8) * 255),
        padding=padding if padding >= 0 else None,
        crop=crop(mask),
        processor=pipe.image_processor,
    )


def pictures(views: Sequence[View], crops: bool) -> dict[str, object]:
    """The pipeline's arguments for these views. Where a pipeline `crops` by itself, it does so for one picture only."""
    if crops and len(views) == 1:
        view = views[0]
        return {"image": view.image, "mask_image": view.mask, "padding_mask_crop": view.padding}
    return {
        "image": [view.cropped(view.image) for view in views],
        "mask_image": [view.cropped(view.mask) for view in views],
    }


def widened(mask: np.ndarray, cell: int) -> np.ndarray:
    """The mask with everything thinner than `cell` pixels widened to `cell`.

    A model samples one pixel of the mask for each latent cell, without averaging, so it would miss a thin
    scratch. Pixels painted outside the drawn mask are not used.
    """
    if cell < 2:
        return mask
    square = np.ones((cell | 1, cell | 1), np.uint8)  # an even square has no middle and would move the mask
    thick = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, square) > 0
    return mask | (cv2.dilate((mask & ~thick).astype(np.uint8), square) > 0)


def to_rgb(latents: np.ndarray, large: bool) -> np.ndarray:
    """A small picture, uint8 (h, w, 3), of latents (4, h, w), without decoding them."""
    factors, bias = LATENT_RGB[large]
    calm = latents / max(1.0, float(latents.std()))  # some schedulers' noise is much larger than the picture
    return np.clip(np.einsum("chw,cr->hwr", calm, factors) + bias, 0, 255).astype(np.uint8)
