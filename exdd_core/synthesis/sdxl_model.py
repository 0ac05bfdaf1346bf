"""The Stable Diffusion model in memory: the process's one pipeline, its LoRA and its calls.

Knows diffusers' pipelines and torch, which are imported when a model is loaded. Does not know where weights lie,
or compositing.
"""

from __future__ import annotations

import gc
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.synthesis import weights
from exdd_core.synthesis.controls import Control, SharedSettings
from exdd_core.synthesis.request import Step, Window
from exdd_core.synthesis.sdxl_memory import MOST_AT_ONCE, RESERVE, images_at_once, plan
from exdd_core.synthesis.sdxl_reading import read_pipeline, silence_libraries
from exdd_core.synthesis.sdxl_views import View, pictures, to_rgb, widened

if TYPE_CHECKING:
    import torch

BETWEEN_PREVIEWS = 0.3  # seconds
# diffusers' schedulers that start from a partly noised image and take one generator for each image.
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
}
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
    painted_together: int


def in_memory() -> Model | None:
    """The loaded model, or None."""
    return _resident


def unload() -> None:
    """Remove the loaded model from memory."""
    global _resident
    with PIPELINE_LOCK:
        device = _resident.plan.device if _resident else "cpu"
        _resident = None
        gc.collect()
        if device == "cuda":
            import torch

            torch.cuda.empty_cache()


def call_key(window: Window[SDXLSettings]) -> tuple[object, ...]:
    """All that has to be equal for windows to share one call of the pipeline."""
    settings = window.settings
    return (
        window.image.shape,
        settings["padding_mask_crop"] < 0,
        settings["painted_together"],
        settings["model"],
        settings["lora"],
        settings["lora_weight"],
        settings["steps"],
        settings["guidance"],
        settings["strength"],
        settings["scheduler"],
    )


def without_preview(step: Step) -> Step:
    """`step`, which gets no pixels."""
    return lambda done, total, pixels: step(done, total, None)


PIPELINE_LOCK = threading.RLock()  # a pipeline serves one call at a time
_resident: Model | None = None


def load(path: Path, progress: Progress) -> Model:
    """The model of a folder or file, read unless it is in memory. The caller holds `PIPELINE_LOCK`."""
    global _resident
    if _resident is None or not _resident.is_at(path):
        unload()
        _resident = Model(path, progress)
    return _resident


class Model:
    """A pipeline in memory, with the prompts that it has encoded."""

    def __init__(self, path: Path, progress: Progress):
        import psutil
        import torch

        gpu = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else None
        self.path, self.fingerprint = path, weights.fingerprint(path)
        self._free, self._parts = gpu, weights.weigh(path)
        self.plan = plan(gpu, psutil.virtual_memory().available, self._parts)
        dtype = torch.float32
        if self.plan.half:
            dtype = torch.float16 if self.plan.device == "cuda" else torch.bfloat16
        silence_libraries()
        self.pipe = pipe = read_pipeline(path, dtype, self.plan.half, progress)
        self.large = hasattr(pipe, "text_encoder_2")  # SDXL, not Stable Diffusion 1 or 2
        self._scheduler = pipe.scheduler
        self._lora: tuple[str, float] | None = None
        self._embeddings: OrderedDict[tuple[object, ...], dict[str, torch.Tensor]] = OrderedDict()
        pipe.set_progress_bar_config(disable=True)
        pipe.vae.enable_slicing()
        if self.plan.tiled:
            pipe.vae.enable_tiling()
        if self.plan.offload == "parts":
            pipe.enable_model_cpu_offload()
        elif self.plan.offload == "layers":
            pipe.enable_sequential_cpu_offload()
        else:
            pipe.to(self.plan.device)

    @property
    def manner(self) -> str:
        """Precision, device and tiling, in words: pixels depend on them."""
        words = f"{'half' if self.plan.half else 'full'} precision on {self.plan.device}"
        return words + (", decoded in tiles" if self.plan.tiled else "")

    def is_at(self, path: Path) -> bool:
        return self.path == path and self.fingerprint == weights.fingerprint(path)

    def fitting(self, pixels: int) -> int:
        """The number of images of `pixels` pixels that one call takes."""
        if self._free is None or self.plan.device != "cuda" or self.plan.offload == "layers":
            return 1
        sizes = [2 * count for count in self._parts.values()]
        taken = sum(sizes) if self.plan.offload == "none" else max(sizes)
        return images_at_once(self._free - RESERVE - taken, pixels)

    def use_lora(self, lora: Path | None, weight: float) -> None:
        """Load a LoRA with a weight, or unload it (None). Raises `BadInput` for a file that does not fit the model."""
        wanted = (f"{lora} {weights.fingerprint(lora)}", weight) if lora else None
        if wanted == self._lora:
            return
        if self._lora and (wanted is None or wanted[0] != self._lora[0]):
            self.pipe.unload_lora_weights()
            self._lora = None
        if lora and wanted:
            if self._lora is None:
                self._load_lora(lora)
            self.pipe.set_adapters(["lora"], [weight])
        self._lora = wanted

    def _load_lora(self, lora: Path) -> None:
        try:
            self.pipe.load_lora_weights(
                str(lora.parent), weight_name=lora.name, adapter_name="lora", local_files_only=True
            )
            fits = any("lora" in names for names in self.pipe.get_list_adapters().values())
        except Exception:  # three libraries raise errors of many types for a file of another kind
            fits = False
        if not fits:
            self.pipe.unload_lora_weights()
            raise BadInput(
                f"{lora} is no LoRA for {self.path.name}; choose one that was made for this model."
            )

    def paint(self, windows: list[Window[SDXLSettings]], step: Step) -> list[np.ndarray]:
        """Paint windows with the same `call_key`: uint8 (h, w, 3) each."""
        import torch

        count = windows[0].settings["painted_together"] or len(windows)
        if len(windows) > count:
            return [*self.paint(windows[:count], step), *self.paint(windows[count:], without_preview(step))]
        for window in windows:
            window.settings["painted_together"] = count
        padded = windows + windows[-1:] * (count - len(windows))
        try:
            return self._call(padded, step)[: len(windows)]
        except torch.cuda.OutOfMemoryError:
            if count == 1:
                raise BadInput(
                    "The GPU's memory does not hold this image; close other programs, or lower the resolution."
                ) from None
        torch.cuda.empty_cache()
        for window in windows:
            window.settings["painted_together"] = 1
        return [pixels for window in windows for pixels in self.paint([window], step)]

    def add_notes(self, windows: Sequence[Window[SDXLSettings]]) -> None:
        """Add notes to windows whose request this model cannot follow in full."""
        side = self.pipe.unet.config.sample_size * self.pipe.vae_scale_factor
        for window in windows:
            resolution = window.settings["resolution"]
            if resolution > 1.5 * side:
                window.notes.append(
                    f"{self.path.name} was made for {side} px; at {resolution} px it may repeat itself."
                )
            for name in ("prompt", "negative_prompt"):
                cut_off = self._cut_off(getattr(window.request, name))
                if cut_off:
                    window.notes.append(
                        f"The model does not read the end of the {name.replace('_', ' ')}: {cut_off}."
                    )

    def _cut_off(self, prompt: str) -> str:
        """The end of a prompt, beyond the 77 tokens that the text encoders read."""
        tokenizer = self.pipe.tokenizer
        tokens = tokenizer(prompt, truncation=False, verbose=False).input_ids
        return tokenizer.decode(tokens[tokenizer.model_max_length - 1 : -1]).strip()

    def _call(self, windows: list[Window[SDXLSettings]], step: Step) -> list[np.ndarray]:
        import torch

        settings = windows[0].settings
        height, width = windows[0].image.shape[:2]
        views = [self._view(window) for window in windows]
        self.pipe.scheduler = self._schedule(settings["scheduler"])
        with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            try:
                painted = self.pipe(
                    **self._encoded(windows),
                    **pictures(views),
                    height=height,
                    width=width,
                    num_inference_steps=settings["steps"],
                    guidance_scale=settings["guidance"],
                    strength=settings["strength"],
                    # With one CPU generator for each image, noise depends on neither other images nor the GPU.
                    generator=[torch.Generator("cpu").manual_seed(window.request.seed) for window in windows],
                    callback_on_step_end=self._after_step(views[0], step),
                    output_type="pil",
                ).images
            except BaseException:
                self.pipe.maybe_free_model_hooks()  # a pipeline does so only when it succeeds
                raise
        if len(views) > 1:
            painted = [view.place(picture) for view, picture in zip(views, painted, strict=True)]
        return [np.array(picture) for picture in painted]

    def _schedule(self, name: str) -> Any:
        """A new scheduler. Schedulers count steps, so a cancelled call would leave a used one in the middle."""
        import diffusers

        class_name, options = SCHEDULERS[name]
        kind = getattr(diffusers, class_name) if class_name else type(self._scheduler)
        return kind.from_config(self._scheduler.config, **options)

    def _encoded(self, windows: Sequence[Window[SDXLSettings]]) -> dict[str, torch.Tensor]:
        import torch

        each = [self._encode(window.request.prompt, window.request.negative_prompt) for window in windows]
        return {name: torch.cat([embeddings[name] for embeddings in each]) for name in each[0]}

    def _encode(self, prompt: str, negative: str) -> dict[str, torch.Tensor]:
        """The embeddings of a prompt, computed once."""
        key = (prompt, negative, self._lora)
        if key not in self._embeddings:
            encoded = self.pipe.encode_prompt(
                prompt=prompt,
                device=self.pipe._execution_device,
                num_images_per_prompt=1,
                do_classifier_free_guidance=True,
                negative_prompt=negative or None,  # SDXL was trained with zeros where there is none
            )
            names = (
                "prompt_embeds",
                "negative_prompt_embeds",
                "pooled_prompt_embeds",
                "negative_pooled_prompt_embeds",
            )
            self._embeddings[key] = dict(zip(names, encoded, strict=False))
            if len(self._embeddings) > 256:
                self._embeddings.popitem(last=False)
        self._embeddings.move_to_end(key)
        return self._embeddings[key]

    def _after_step(self, view: View, step: Step) -> Callable[..., dict[str, torch.Tensor]]:
        """The pipeline's callback, which counts and shows steps and raises `Cancelled`."""
        shown = 0.0

        def after(pipe: Any, done: int, _: Any, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            nonlocal shown
            pixels = None
            if time.monotonic() - shown >= BETWEEN_PREVIEWS or done + 1 == pipe.num_timesteps:
                pixels = view.show(to_rgb(tensors["latents"][0].float().cpu().numpy(), self.large))
                shown = time.monotonic()
            step(done + 1, pipe.num_timesteps, pixels)
            return {}

        return after

    def _view(self, window: Window[SDXLSettings]) -> View:
        from PIL import Image

        height, width = window.mask.shape
        padding = window.settings["padding_mask_crop"]

        def crop(mask: np.ndarray) -> tuple[int, int, int, int]:
            if padding < 0:
                return 0, 0, width, height
            picture = Image.fromarray(mask.astype(np.uint8) * 255)
            return self.pipe.mask_processor.get_crop_region(picture, width, height, pad=padding)

        left, _, right, _ = crop(window.mask)
        cell = int(np.ceil(self.pipe.vae_scale_factor * (right - left) / width))
        mask = widened(window.mask, cell)
        return View(
            image=Image.fromarray(window.image),
            mask=Image.fromarray(mask.astype(np.uint8) * 255),
            padding=padding if padding >= 0 else None,
            crop=crop(mask),
            processor=self.pipe.image_processor,
        )
