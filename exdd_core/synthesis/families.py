"""The families of diffusion models that inpaint: one row each.

Knows names of diffusers' classes and of settings. Does not know torch, weights or memory.
"""

from __future__ import annotations

from dataclasses import dataclass

DIFFUSION = "diffusion"  # schedulers that take noise away, all of `sdxl_settings.SCHEDULERS`
FLOW = "flow matching"  # the model's own scheduler only


@dataclass(frozen=True)
class Family:
    """A kind of model.

    stored: how model_index.json may call it. inpainting: diffusers' class that paints. guidance: what that class
    calls the guidance scale. schedulers: `DIFFUSION` or `FLOW`. side: pixels of the square it was made for.
    offered: whether the engine paints with it; the test suite paints with a tiny random one of each. negative:
    whether it reads a negative prompt.
    """

    title: str
    stored: tuple[str, ...]
    inpainting: str
    guidance: str
    schedulers: str
    side: int
    licence: str
    offered: bool
    negative: bool = True

    @property
    def flows(self) -> bool:
        return self.schedulers == FLOW


def _stored(name: str) -> tuple[str, ...]:
    return tuple(f"{name}{task}Pipeline" for task in ("", "Img2Img", "Inpaint"))


FAMILIES: dict[str, Family] = {
    "sd": Family(
        "Stable Diffusion 1 and 2", _stored("StableDiffusion"), "StableDiffusionInpaintPipeline",
        "guidance_scale", DIFFUSION, 512, "CreativeML Open RAIL-M", offered=True,
    ),
    "xl": Family(
        "SDXL", _stored("StableDiffusionXL"), "StableDiffusionXLInpaintPipeline",
        "guidance_scale", DIFFUSION, 1024, "CreativeML Open RAIL++-M", offered=True,
    ),
    "xl-pag": Family(
        "SDXL with perturbed-attention guidance",
        tuple(f"StableDiffusionXLPAG{task}Pipeline" for task in ("", "Img2Img", "Inpaint")),
        "StableDiffusionXLPAGInpaintPipeline",
        "guidance_scale", DIFFUSION, 1024, "CreativeML Open RAIL++-M", offered=True,
    ),
    "sd3": Family(
        "Stable Diffusion 3", _stored("StableDiffusion3"), "StableDiffusion3InpaintPipeline",
        "guidance_scale", FLOW, 1024, "Stability AI Community License", offered=True,
    ),
    "flux-fill": Family(
        "FLUX Fill", ("FluxFillPipeline",), "FluxFillPipeline",
        "guidance_scale", FLOW, 1024, "FLUX.1 [dev] Non-Commercial License", offered=True, negative=False,
    ),
    "qwen-image": Family(
        "Qwen-Image", _stored("QwenImage"), "QwenImageInpaintPipeline",
        "true_cfg_scale", FLOW, 1024, "Apache 2.0", offered=True,
    ),
    "z-image": Family(
        "Z-Image", _stored("ZImage"), "ZImageInpaintPipeline",
        "guidance_scale", FLOW, 1024, "Apache 2.0", offered=True,
    ),
}  # fmt: skip
# In words; SDXL with perturbed-attention guidance has the weights of SDXL.
OFFERED = ", ".join(row.title for name, row in FAMILIES.items() if row.offered and name != "xl-pag")


def of_pipeline(class_name: str) -> Family | None:
    """The family that model_index.json calls `class_name`; None for a model of another kind."""
    return next((family for family in FAMILIES.values() if class_name in family.stored), None)
