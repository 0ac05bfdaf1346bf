"""The settings of SDXL's engine and its schedulers, by name.

Knows names and options. Does not know torch, models or what a setting does to pixels.
"""

from __future__ import annotations

from exdd_core.synthesis.controls import Control, SharedSettings, shared_controls
from exdd_core.synthesis.sdxl_memory import MOST_AT_ONCE

# diffusers' schedulers that start from a partly noised image and take one generator for each image.
# LCM, TCD and those with trailing steps are for models and LoRAs that were distilled to few steps.
SCHEDULERS: dict[str, tuple[str, dict[str, bool | str]]] = {
    "the model's": ("", {}),
    "Euler": ("EulerDiscreteScheduler", {}),
    "Euler ancestral": ("EulerAncestralDiscreteScheduler", {}),
    "DPM++ 2M": ("DPMSolverMultistepScheduler", {}),
    "DPM++ 2M Karras": ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    "DPM++ 2M SDE": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "UniPC": ("UniPCMultistepScheduler", {}),
    "DEIS": ("DEISMultistepScheduler", {}),
    "Heun": ("HeunDiscreteScheduler", {}),
    "LMS": ("LMSDiscreteScheduler", {}),
    "PNDM": ("PNDMScheduler", {"skip_prk_steps": True}),
    "DDIM": ("DDIMScheduler", {}),
    "DDPM": ("DDPMScheduler", {}),
    "LCM": ("LCMScheduler", {}),
    "TCD": ("TCDScheduler", {}),
    "Euler trailing": ("EulerDiscreteScheduler", {"timestep_spacing": "trailing"}),
    "DDIM trailing": ("DDIMScheduler", {"timestep_spacing": "trailing"}),
}
PRECISIONS = ("auto", "float16", "bfloat16", "float32")
CONTROLS = (
    Control("model", "Model", "text", "", help="a model id, a folder or a .safetensors file; empty: the default model"),
    Control("steps", "Steps", "integer", 30, minimum=1, maximum=150, step=1),
    Control(
        "guidance", "Guidance", "number", 20.0, minimum=1, maximum=50, step=0.5,
        help="how closely the prompt is followed; 1: the negative prompt has no effect",
    ),
    Control(
        "strength", "Strength", "number", 0.99, minimum=0.01, maximum=1, step=0.01,
        help="how much of what is under the mask is repainted",
    ),
    Control(
        "padding_mask_crop", "Padding of the mask's crop", "integer", 2, minimum=-1, maximum=512, step=1, unit="px",
        help="how far around the mask the model sees, enlarged; paper: pixels of the square, -1 for all of "
        "it; native: pixels of the image, by default half of the mask's size",
    ),
    Control(
        "resolution", "Resolution", "integer", 1024, minimum=64, maximum=2048, step=64, unit="px",
        help="side length of the painted square (native: of a square with the same area); SD 1.5 was made for 512",
    ),
    Control(
        "scheduler", "Scheduler", "choice", "the model's", choices=tuple(SCHEDULERS),
        help="how noise is removed step by step",
    ),
    Control(
        "lora", "LoRA", "text", "",
        help="an adapter taught here, by name, or a .safetensors file, by path or by its name in the models "
        "folder; separate several with semicolons and put a weight after a colon: a.safetensors; "
        "b.safetensors:0.6",
    ),
    Control(
        "lora_weight", "LoRA weight", "number", 1.0, minimum=-2, maximum=2, step=0.05, help="multiplies each weight"
    ),
    Control(
        "embeddings", "Textual inversions", "text", "",
        help=".safetensors files, specified as for LoRAs; a file's name without its extension is its word "
        "in the prompt",
    ),
    Control(
        "guidance_rescale", "Guidance rescale", "number", 0.0, minimum=0, maximum=1, step=0.05,
        help="removes contrast that a high guidance adds (Lin et al. 2023); 0: off",
    ),
    Control(
        "pag_scale", "PAG scale", "number", 0.0, minimum=0, maximum=20, step=0.5,
        help="perturbed-attention guidance (Ahn et al. 2024); takes half as long again; 0: off",
    ),
    Control(
        "negative_size", "Negative size", "integer", 0, minimum=0, maximum=2048, step=64, unit="px",
        help="guides SDXL away from images of this size, such as 512; 0: off",
    ),
    Control(
        "precision", "Precision", "choice", "auto", choices=PRECISIONS,
        help="auto: float16 on a GPU; bfloat16 does not overflow and is less exact; float32 takes twice the memory",
    ),
    *shared_controls(geometry="paper", feather=0, match_brightness=False, halo=4),
)  # fmt: skip
# The number of images that shared a call. Records keep it, because GPUs round differently for another number: a
# record is painted again with as many images. No engine offers it as a control.
TOGETHER = Control("painted_together", "Painted together", "integer", 0, minimum=0, maximum=MOST_AT_ONCE)


class SDXLSettings(SharedSettings):
    """The settings of SDXL, checked and complete. `SDXL.CONTROLS` and `TOGETHER` explain each."""

    model: str
    steps: int
    guidance: float
    strength: float
    padding_mask_crop: int
    resolution: int
    scheduler: str
    lora: str
    lora_weight: float
    embeddings: str
    guidance_rescale: float
    pag_scale: float
    negative_size: int
    precision: str
    painted_together: int
