"""What one call of a Stable Diffusion pipeline gets: scheduler, guidance, and the sizes that SDXL is told.

Knows settings and diffusers' arguments. Does not know images, prompts or memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from exdd_core.errors import BadInput
from exdd_core.synthesis.families import FAMILIES, Family
from exdd_core.synthesis.request import Window
from exdd_core.synthesis.sdxl_prompts import Prompts, plain
from exdd_core.synthesis.sdxl_settings import SCHEDULERS, SDXLSettings

MOST_STRENGTH = 0.999  # issues 4858 and 8450 of diffusers


def scheduler(usual: Any, name: str) -> Any:
    """A new scheduler. Schedulers count steps, so a cancelled call would leave a used one in the middle."""
    import diffusers

    class_name, options = SCHEDULERS[name]
    kind = getattr(diffusers, class_name) if class_name else type(usual)
    return kind.from_config(usual.config, **options)


def told(settings: SDXLSettings, size: tuple[int, int]) -> dict[str, object]:
    """The arguments that SDXL's pipelines understand and those of Stable Diffusion 1 and 2 do not.

    size: (height, width) of the picture. SDXL was trained with the size of each original, and paints what looks
    like an enlarged small one where it is told of less than its own 1024 pixels.
    """
    side = FAMILIES["xl"].side
    grown = max(1.0, side / math.sqrt(size[0] * size[1]))
    target = round(size[0] * grown), round(size[1] * grown)
    arguments: dict[str, object] = {
        "guidance_rescale": settings["guidance_rescale"],
        "original_size": (max(side, target[0]), max(side, target[1])),
        "target_size": target,
    }
    if settings["negative_size"]:
        arguments["negative_original_size"] = (settings["negative_size"],) * 2
    if settings["pag_scale"]:
        arguments["pag_scale"] = settings["pag_scale"]
    return arguments


def with_attention_guidance(pipe: Any) -> Any:
    """A pipeline of the same networks with perturbed-attention guidance (PAG)."""
    import diffusers

    kind = getattr(diffusers, FAMILIES["xl-pag"].inpainting)
    guided = kind(**pipe.components, add_watermarker=False, pag_applied_layers="mid")
    guided.set_progress_bar_config(disable=True)
    return guided


def add_notes(
    model: str, family: Family, pipe: Any, prompts: Prompts, windows: Sequence[Window[SDXLSettings]]
) -> None:
    """Add notes to windows whose request the `model` cannot follow in full."""
    if family.flows:
        _add_notes_of_flow(model, family, windows)
        return
    side = pipe.unet.config.sample_size * pipe.vae_scale_factor
    large = hasattr(pipe, "text_encoder_2")
    for window in windows:
        settings = window.settings
        resolution = settings["resolution"]
        if resolution > 1.5 * side:
            window.notes.append(_too_large(model, side, resolution))
        if settings["strength"] > MOST_STRENGTH and large and pipe.unet.config.in_channels == 9:
            window.notes.append(
                "SDXL's inpainting models are known to fail at a strength above 0.999; the paper uses 0.99."
            )
        unread = ("guidance_rescale", "pag_scale", "negative_size")
        asked = [name for name in unread if settings[name]]  # type: ignore[literal-required]
        if asked and not large:
            window.notes.append(f"{model} is not an SDXL model and does not support {' and '.join(asked)}.")
        for name in ("prompt", "negative_prompt"):
            cut_off = prompts.cut_off(getattr(window.request, name))
            if cut_off:
                window.notes.append(
                    f"The model does not read the end of the {name.replace('_', ' ')}: {cut_off}."
                )


def _too_large(model: str, side: int, resolution: int) -> str:
    return f"{model} was made for {side} px; at {resolution} px it may repeat itself."


def _add_notes_of_flow(model: str, family: Family, windows: Sequence[Window[SDXLSettings]]) -> None:
    for window in windows:
        settings, request = window.settings, window.request
        if window.image.shape[0] % 16 or window.image.shape[1] % 16:
            raise BadInput(f"{family.title} needs a resolution (resolution) that is a multiple of 16.")
        unread = ("guidance_rescale", "pag_scale", "negative_size", "embeddings")
        asked = [name for name in unread if settings[name]]  # type: ignore[literal-required]
        resolution = settings["resolution"]
        if resolution > 1.5 * family.side:
            window.notes.append(_too_large(model, family.side, resolution))
        if settings["scheduler"] != "the model's":
            asked.append("schedulers other than its own")
        if request.negative_prompt and not family.negative:
            asked.append("negative prompts")
        if any(plain(text) != text for text in (request.prompt, request.negative_prompt)):
            asked.append("word weights")
        if asked:
            window.notes.append(f"{model} ({family.title}) does not support {', '.join(asked)}.")
