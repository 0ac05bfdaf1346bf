"""The diffusion model in memory: the process's one pipeline, how it lies in memory, and its calls.

Knows diffusers' pipelines and torch, which are imported when a model is loaded. Does not know where weights lie,
or compositing.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from exdd_core import device
from exdd_core.progress import Progress
from exdd_core.synthesis import sdxl_call, weights
from exdd_core.synthesis.engine import NotReady
from exdd_core.synthesis.request import Step, Window
from exdd_core.synthesis.sdxl_adapters import Adapters
from exdd_core.synthesis.sdxl_decoding import NoPicture, Watched, is_finite, precision, use_tiles
from exdd_core.synthesis.sdxl_memory import USUAL, Ladder, Plan, fitting, plan
from exdd_core.synthesis.sdxl_prompts import Prompts
from exdd_core.synthesis.sdxl_reading import read_pipeline, silence_libraries
from exdd_core.synthesis.sdxl_settings import SDXLSettings
from exdd_core.synthesis.sdxl_views import View, pictures, to_rgb, view_of

if TYPE_CHECKING:
    import torch

BETWEEN_PREVIEWS = 0.3  # seconds


def in_memory() -> Model | None:
    """The loaded model, or None."""
    return _resident


def unload() -> None:
    """Remove the loaded model from memory."""
    global _resident
    with PIPELINE_LOCK:
        was_there, _resident = _resident is not None, None
        if was_there:
            give_back()


def give_back() -> None:
    """Return unused memory of the GPU to the driver, so that it counts as free."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def call_key(window: Window[SDXLSettings]) -> tuple[object, ...]:
    """All that has to be equal for windows to share one call of the pipeline."""
    settings = window.settings
    return (
        window.image.shape,
        settings["padding_mask_crop"] < 0 or settings["geometry"] != "paper",
        settings["painted_together"],
        settings["model"],
        settings["lora"],
        settings["lora_weight"],
        settings["embeddings"],
        settings["guidance_rescale"],
        settings["pag_scale"],
        settings["negative_size"],
        settings["precision"],
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


def load(path: Path, progress: Progress, precision: str = "auto") -> Model:
    """The model of a folder or file, read unless it is in memory. The caller holds `PIPELINE_LOCK`."""
    global _resident
    if _resident is None or not _resident.is_at(path, precision):
        unload()
        _resident = Model(path, progress, precision)
        device.occupy(unload)
    return _resident


class Model:
    """A pipeline in memory, with the prompts that it has encoded and what running out of memory taught."""

    def __init__(self, path: Path, progress: Progress, asked: str = "auto"):
        import psutil
        import torch

        give_back()
        self.path, self.fingerprint, self.asked = path, weights.fingerprint(path), asked
        self._parts = weights.weigh(path)
        self._memory = psutil.virtual_memory().available
        self._offload, self._arranged, self.ladder = "", False, Ladder()
        self.plan = self._planned(USUAL)
        self.family = weights.family_of(path)
        in_half = "bfloat16" if self.plan.device == "cpu" or self.family.flows else "float16"
        usual = in_half if self.plan.half else "float32"
        self.dtype: torch.dtype = getattr(torch, usual if asked == "auto" else asked)
        silence_libraries()
        self.pipe = pipe = read_pipeline(path, self.dtype, self.dtype != torch.float32, progress)
        self.large = not self.family.flows and hasattr(pipe, "text_encoder_2")  # SDXL
        self.prompts, self.adapters = Prompts(pipe), Adapters(pipe, path.name)
        self.watched = Watched(pipe.vae)
        self._scheduler = pipe.scheduler
        pipe.set_progress_bar_config(disable=True)
        pipe.vae.enable_slicing()
        self._within_memory(USUAL, 1, lambda: None)

    @property
    def manner(self) -> str:
        """Precision, device and tiling, in words: pixels depend on them."""
        words = f"{'half' if self.plan.half else 'full'} precision"
        if self.asked != "auto":
            words = self.asked
        return f"{words} on {self.plan.device}" + (", decoded in tiles" if self.plan.tiled else "")

    def is_at(self, path: Path, asked: str = "auto") -> bool:
        """Whether this is the model at that place, in the precision that was asked for."""
        return (path, asked) == (self.path, self.asked) and self.fingerprint == weights.fingerprint(path)

    def wear(self, loras: Sequence[tuple[Path, float]], embeddings: Sequence[Path]) -> None:
        """Put on these LoRAs with their weights and these textual inversions, and no others. Raises `BadInput`."""
        self.adapters.use_loras(loras)
        if not self.family.flows and self.adapters.use_embeddings(embeddings):
            self._arranged = False  # the networks that were replaced lie where they were made

    # --- memory ---

    def fitting(self, pixels: int) -> int:
        """The number of images of `pixels` pixels that one call takes now."""
        if self.plan.device != "cuda":
            return 1
        planned = self.ladder.applied(self._planned(pixels), pixels)
        return min(fitting(planned, self._free() or 0, self._parts, pixels), self.ladder.most(pixels))

    def _planned(self, pixels: int) -> Plan:
        """The plan for images of `pixels` pixels. A loaded model stays on its device, in its precision."""
        if self._offload and self.plan.device != "cuda":
            return self.plan
        # Only half precision overflows: diffusers decodes bfloat16 as it is.
        upcast = self.asked in ("auto", "float16") and weights.upcasts(self.path)
        planned = plan(self._free(), self._memory, self._parts, pixels, upcast, self.asked == "float32")
        if planned.device == "cpu" and device.metal():
            return replace(planned, device="mps", half=self.asked != "float32")
        if self._offload and planned.device != "cuda":
            return Plan("cuda", self.plan.half, "layers", tiled=True)
        return planned

    def _free(self) -> int | None:
        """Bytes of the GPU that this model may use, those that it uses already included; None without a GPU."""
        import torch

        if device.chosen().type != "cuda":
            return None
        unused = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        ours = (2 if self.plan.half else 4) * sum(self._parts.values()) if self._offload == "none" else 0
        return torch.cuda.mem_get_info()[0] + unused + ours

    def _arrange(self, pixels: int) -> None:
        """Lay the model out in memory for images of `pixels` pixels. What was offloaded once stays so."""
        chosen = self.ladder.applied(self._planned(pixels), pixels)
        if self._offload in ("parts", "layers") and chosen.offload != "layers":
            chosen = replace(chosen, offload=self._offload)
        use_tiles(self.pipe.vae, chosen.tiled)
        if chosen.offload != self._offload or not self._arranged:
            if chosen.offload == "parts":
                self.pipe.enable_model_cpu_offload()
            elif chosen.offload == "layers":
                self.pipe.enable_sequential_cpu_offload()
            else:
                self.pipe.to(chosen.device)
        self.plan, self._offload, self._arranged = chosen, chosen.offload, True

    def _within_memory(self, pixels: int, count: int, work: Callable[[], Any]) -> Any:
        """Do `work` with images of `pixels` pixels; None where `count` at once were too many.

        Where memory runs out, the model is laid out with less and the work done again. Raises `NotReady` where it
        cannot do with less.
        """
        while count <= self.ladder.most(pixels):
            try:
                self._arrange(pixels)
                return work()
            except Exception as error:
                if not out_of_memory(error):
                    raise
            decoding, self.watched.busy = self.watched.busy, False
            give_back()
            if not self.ladder.down(self.plan, pixels, count, decoding):
                raise NotReady(
                    "There is not enough memory for one such image, however it is divided; close other "
                    "programs or lower the resolution."
                )
        return None

    # --- painting ---

    def paint(self, windows: list[Window[SDXLSettings]], step: Step) -> list[np.ndarray]:
        """Paint windows with the same `call_key`: uint8 (h, w, 3) each."""
        pixels = windows[0].settings["resolution"] ** 2
        done: list[np.ndarray] = []
        while len(done) < len(windows):
            left = windows[len(done) :]
            count = left[0].settings["painted_together"] or min(len(left), self.fitting(pixels))
            count = min(count, self.ladder.most(pixels))
            group = left[:count]
            padded = group + group[-1:] * (count - len(group))
            painted = self._within_memory(pixels, count, partial(self._call, padded, step))
            if painted is None:
                continue
            for window in group:
                window.settings["painted_together"] = count
            done += painted[: len(group)]
            step = without_preview(step)
        return done

    def add_notes(self, windows: Sequence[Window[SDXLSettings]]) -> None:
        """Add notes to windows whose request this model cannot follow in full."""
        sdxl_call.add_notes(self.path.name, self.family, self.pipe, self.prompts, windows)

    def _call(self, windows: list[Window[SDXLSettings]], step: Step) -> list[np.ndarray]:
        import torch

        settings = windows[0].settings
        height, width = windows[0].image.shape[:2]
        views = [view_of(self.pipe, window) for window in windows]
        self.watched.busy, self.watched.again = False, ""
        pipe = self.pipe
        own = "the model's" if self.family.flows else settings["scheduler"]
        pipe.scheduler = sdxl_call.scheduler(self._scheduler, own)
        if self.large and settings["pag_scale"]:
            pipe = sdxl_call.with_attention_guidance(pipe)
        attention = dict(self.pipe.unet.attn_processors) if pipe is not self.pipe else {}
        with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            try:
                painted = pipe(
                    **self._prompts(windows),
                    **pictures(views, crops=not self.family.flows),
                    height=height,
                    width=width,
                    num_inference_steps=settings["steps"],
                    strength=settings["strength"],
                    # With one CPU generator for each image, noise depends on neither other images nor the GPU.
                    generator=[torch.Generator("cpu").manual_seed(window.request.seed) for window in windows],
                    callback_on_step_end=self._after_step(views[0], step),
                    output_type="pil",
                    **{self.family.guidance: settings["guidance"]},
                    **(sdxl_call.told(settings, (height, width)) if self.large else {}),
                ).images
            finally:  # a pipeline does both only when it succeeds, and PAG's has no hooks to free
                if pipe is not self.pipe:
                    pipe.unet.set_attn_processor(attention)
                self.pipe.maybe_free_model_hooks()
        if self.watched.again:
            note = f"Decoded in {self.watched.again}, because {precision(self.pipe.vae.dtype)} overflowed."
            for window in {id(window): window for window in windows}.values():
                window.notes.append(note)
        if len(views) > 1 or self.family.flows:
            painted = [view.place(picture) for view, picture in zip(views, painted, strict=True)]
        return [np.array(picture) for picture in painted]

    def _prompts(self, windows: Sequence[Window[SDXLSettings]]) -> Mapping[str, object]:
        """The pipeline's arguments for the prompts of windows."""
        pairs = [(window.request.prompt, window.request.negative_prompt) for window in windows]
        if not self.family.flows:
            return self.prompts.encoded(pairs, self.adapters.worn)
        arguments = {"prompt": [prompt for prompt, _ in pairs]}
        if self.family.negative:
            arguments["negative_prompt"] = [negative for _, negative in pairs]
        return arguments

    def _after_step(self, view: View, step: Step) -> Callable[..., dict[str, torch.Tensor]]:
        """The pipeline's callback, which counts and shows steps and raises `Cancelled`."""
        shown = 0.0

        def after(pipe: Any, done: int, _: Any, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            nonlocal shown
            if not is_finite(tensors["latents"]):
                raise NoPicture(
                    f"The model produced no image: after step {done + 1} of {pipe.num_timesteps} its values are not "
                    f"finite in {precision(self.dtype)}. Choose another precision or scheduler, or a lower "
                    "guidance, or download the model again."
                )
            pixels = None
            due = time.monotonic() - shown >= BETWEEN_PREVIEWS or done + 1 == pipe.num_timesteps
            if due and not self.family.flows:  # whose latents are no small picture
                pixels = view.show(to_rgb(tensors["latents"][0].float().cpu().numpy(), self.large))
                shown = time.monotonic()
            step(done + 1, pipe.num_timesteps, pixels)
            return {}

        return after


def out_of_memory(error: Exception) -> bool:
    """Whether memory ran out; libraries below torch say so in errors of other types."""
    return isinstance(error, MemoryError) or "out of memory" in str(error).lower()
