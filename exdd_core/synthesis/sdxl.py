"""Stable Diffusion paints the defect: diffusers' SDXL inpainting, after DIAG and section 3.3 of the paper.

Loads a model, says how much of it fits the GPU, and calls its pipeline; one model is in memory at a time, in the
whole process. Does not know windows or compositing (the engine's base does that), nor where weights are looked
for (`weights` does). torch and diffusers are imported when the model is loaded, not before.
"""

from __future__ import annotations

import gc
import itertools
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.synthesis import weights
from exdd_core.synthesis.engine import Control, Engine, Step, Window, shared_controls
from exdd_core.synthesis.weights import status

if TYPE_CHECKING:
    import torch

__all__ = ["SDXL", "Plan", "plan", "status", "unload"]

GB = 10**9
RESERVE = 0.6 * GB  # of a GPU's free memory is left alone: fragments, and whoever else draws on it
PER_IMAGE = 1.2 * GB  # the U-Net's activations for one image of 1024 x 1024, guided, in half precision
DECODING = 3.5 * GB  # the autoencoder's, for one such image; it takes them one by one
LEAST = 3.0 * GB  # what layer by layer offloading needs with tiled decoding
MOST_AT_ONCE = 8
BETWEEN_PREVIEWS = 0.3  # seconds

# diffusers' schedulers that can start from a partly noised image and take a generator an image.
SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
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
# In a record only, no control: how many images shared the call. GPUs round differently for another number, so
# that a record is painted again among as many.
TOGETHER = Control("painted_together", "Painted together", "integer", 0, minimum=0, maximum=MOST_AT_ONCE)
# Settings that all images of one call of the pipeline share.
SHARED = ("model", "lora", "lora_weight", "steps", "guidance", "strength", "scheduler")

# From latents straight to RGB, so that a step can be shown without decoding it. SDXL: the guide to callbacks in
# diffusers' documentation; Stable Diffusion 1 and 2: as ComfyUI previews it, rounded.
LATENT_RGB = {
    True: (np.array([[60, 60, 60], [-60, -5, 10], [25, 15, -5], [-70, -50, -35]]), np.array([150, 140, 130])),
    False: (
        127.5
        * np.array([[0.35, 0.23, 0.32], [0.33, 0.50, 0.24], [-0.28, 0.18, 0.27], [-0.21, -0.26, -0.72]]),
        np.array([127.5, 127.5, 127.5]),
    ),
}


@dataclass(frozen=True)
class Plan:
    """How a model is run: on "cuda" or "cpu", in half precision or full, what waits in main memory.

    `offload`: "none", "parts" (one of text encoders, U-Net and autoencoder is on the GPU at a time) or "layers".
    `tiled`: images are decoded in tiles, which takes less memory and changes the pixels a little.
    """

    device: str
    half: bool
    offload: str = "none"
    tiled: bool = False
    at_once: int = 1  # images in one call


def plan(free: int | None, memory: int, parts: Mapping[str, int], pixels: int = 1024 * 1024) -> Plan:
    """How to run a model with `parts` (parameters by part) with the memory there is.

    free: bytes free on the GPU, None where there is none; memory: bytes free in main memory; pixels: of one image.
    Raises `BadInput` where the model does not fit at all.
    """
    total, largest = 2 * sum(parts.values()), 2 * max(parts.values())  # bytes in half precision
    images, decoding = PER_IMAGE * pixels / 1024**2, DECODING * pixels / 1024**2
    if memory < 1.1 * total:  # weights come through it on their way to a GPU, too
        raise BadInput(
            f"This model takes {total / GB:.1f} GB of memory and {memory / GB:.1f} GB are free; close other "
            "programs or choose the engine procedural or transplant, which need no weights."
        )
    room = (free or 0) - RESERVE
    if room >= total + max(images, decoding):
        return Plan("cuda", half=True, at_once=_images(room - total, pixels))
    if room >= max(largest + images, decoding):
        return Plan("cuda", half=True, offload="parts", at_once=_images(room - largest, pixels))
    if free is not None and free >= LEAST:
        return Plan("cuda", half=True, offload="layers", tiled=True)
    return Plan("cpu", half=memory < 2.2 * total)


def _images(room: float, pixels: int) -> int:
    """How many images of that size are worked on at once in so many bytes."""
    return max(1, min(MOST_AT_ONCE, int(room // (PER_IMAGE * pixels / 1024**2))))


class SDXL(Engine):
    """Inpainting with SDXL, or another Stable Diffusion model, through diffusers.

    model: an id, a folder or a .safetensors file; "" takes EXDD_SDXL or the paper's. models: a folder in which
    models are looked for, such as a workspace's. A request's setting `model` goes before both.
    """

    NAME = "sdxl"
    TITLE = "SDXL"
    DESCRIPTION = "Diffusion: Stable Diffusion XL paints into the mask what the prompt says, as in the paper."
    CONTROLS = (
        Control("model", "Model", "text", "", help="a model id, a folder or a .safetensors file; empty: the usual"),
        Control("steps", "Steps", "integer", 30, minimum=1, maximum=150, step=1),
        Control(
            "guidance", "Guidance", "number", 20.0, minimum=1, maximum=50, step=0.5,
            help="how closely the prompt is followed; 1: the negative prompt has no effect",
        ),
        Control(
            "strength", "Strength", "number", 0.99, minimum=0.01, maximum=1, step=0.01,
            help="how much of what is under the mask is painted anew",
        ),
        Control(
            "padding_mask_crop", "Padding of the mask's crop", "integer", 2, minimum=-1, maximum=512, step=1, unit="px",
            help="the model sees the mask's surroundings this far, enlarged; -1: all of the window or image",
        ),
        Control(
            "resolution", "Resolution", "integer", 1024, minimum=64, maximum=2048, step=64, unit="px",
            help="side of the square that is painted (native: of its area); SD 1.5 was made for 512",
        ),
        Control(
            "scheduler", "Scheduler", "choice", "the model's", choices=tuple(SCHEDULERS),
            help="how noise is taken away step by step",
        ),
        Control("lora", "LoRA", "text", "", help="a .safetensors file, by its path or its name in the models' folder"),
        Control("lora_weight", "LoRA weight", "number", 1.0, minimum=-2, maximum=2, step=0.05),
        *shared_controls(geometry="paper", feather=4, match_brightness=False),
    )  # fmt: skip

    def __init__(self, model: str = "", models: str | Path = "") -> None:
        super().__init__()
        self.model, self.models = model, str(models)

    @property
    def version(self) -> str:
        return self._version(self.complete({}))

    def missing(self) -> str:
        return weights.missing(self.model, self.models)

    def load(self, progress: Progress | None = None) -> None:
        """Read the model into memory, unless it is there. Raises `BadInput` when it is missing."""
        self._ready({}, progress)

    def unload(self) -> None:
        """Give the memory back; the next painting loads the model again."""
        unload()

    def complete(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        asked = {name: value for name, value in settings.items() if name != TOGETHER.name}
        full = super().complete(asked)
        full[TOGETHER.name] = TOGETHER.read(settings.get(TOGETHER.name, TOGETHER.default))
        full["model"] = full["model"] or weights.find(self.model, self.models).asked
        if int(full["steps"] * full["strength"]) < 1:
            raise BadInput(
                f"{full['steps']} steps at strength {full['strength']:g} leave no step to paint; give more of either."
            )
        if full["resolution"] % 8:
            raise BadInput(f"Resolution (resolution) cannot be {full['resolution']}; give a multiple of 8.")
        return full

    def _ready(self, settings: Mapping[str, Any], progress: Progress | None) -> None:
        path = self._path(str(settings.get("model") or self.model))
        resident = _resident  # looked at without a lock: a painting must not keep others from learning that it is there
        if resident is None or not resident.is_at(path):
            with _turn:
                _load(path, progress or Progress())

    def _path(self, model: str) -> Path:
        path = weights.find(model, self.models).path
        if path is None:
            raise BadInput(weights.missing(model, self.models))
        return path

    def _version(self, settings: Mapping[str, Any]) -> str:
        found = weights.find(settings["model"], self.models)
        if found.path is None:
            return f"{found.name}, not on this machine"
        words = [f"{found.name} {weights.fingerprint(found.path)}"]
        if settings["lora"]:
            words.append(f"LoRA {weights.fingerprint(self._lora(settings['lora']))}")
        words.append(f"diffusers {metadata.version('diffusers')}")
        resident = _resident
        if resident is not None and resident.is_at(found.path):
            words.append(resident.manner)
        return ", ".join(words)

    def _lora(self, name: str) -> Path:
        for file in (Path(os.path.expanduser(name)), Path(self.models or ".") / name):
            if os.path.isfile(file):
                return file
        raise BadInput(f"The LoRA {name} does not exist; give the path of a .safetensors file.")

    def _resolution(self, settings: Mapping[str, Any]) -> int:
        return settings["resolution"]

    def _at_once(self, settings: Mapping[str, Any]) -> int:
        resident = _resident
        fitting = resident.fitting(settings["resolution"] ** 2) if resident else 1
        return settings[TOGETHER.name] or fitting

    def _render(self, window: Window, step: Step) -> np.ndarray:
        return self._render_batch([window], step)[0]

    def _render_batch(self, windows: Sequence[Window], step: Step) -> list[np.ndarray]:
        rendered: list[np.ndarray] = []
        for _, alike in itertools.groupby(windows, _call_key):
            group = list(alike)
            settings = group[0].settings
            with _turn:
                model = _load(self._path(settings["model"]), Progress())
                model.wear(
                    self._lora(settings["lora"]) if settings["lora"] else None, settings["lora_weight"]
                )
                model.remark(group)
                watched = step if not rendered else _unseen(step)
                rendered += model.paint(group, watched)
        return rendered


def unload() -> None:
    """Take whatever model is loaded out of memory."""
    global _resident
    with _turn:
        device = _resident.plan.device if _resident else "cpu"
        _resident = None
        gc.collect()
        if device == "cuda":
            import torch

            torch.cuda.empty_cache()


def _call_key(window: Window) -> tuple[Any, ...]:
    """What has to be alike for windows to share one call."""
    settings = window.settings
    whole = settings["padding_mask_crop"] < 0
    return (window.image.shape, whole, settings[TOGETHER.name], *(settings[name] for name in SHARED))


def _unseen(step: Step) -> Step:
    return lambda done, total, pixels: step(done, total, None)


# --- the model in memory --------------------------------------------------------------------------

_turn = threading.RLock()  # a pipeline serves one call at a time
_resident: _Model | None = None


def _load(path: Path, progress: Progress) -> _Model:
    """The model of a folder or file, read unless it is the one in memory. Call with `_turn` held."""
    global _resident
    if _resident is None or not _resident.is_at(path):
        unload()
        _resident = _Model(path, progress)
    return _resident


class _Model:
    """A pipeline in memory, with what has been encoded for it."""

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
        _hush()
        self.pipe = pipe = _read(path, dtype, self.plan.half, progress)
        self.large = hasattr(pipe, "text_encoder_2")  # SDXL, not Stable Diffusion 1 or 2
        self._scheduler = pipe.scheduler
        self._lora: tuple[str, float] | None = None
        self._embeddings: OrderedDict[tuple[Any, ...], dict[str, torch.Tensor]] = OrderedDict()
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
        """How it computes, as far as pixels depend on it."""
        words = f"{'half' if self.plan.half else 'full'} precision on {self.plan.device}"
        return words + (", decoded in tiles" if self.plan.tiled else "")

    def is_at(self, path: Path) -> bool:
        return self.path == path and self.fingerprint == weights.fingerprint(path)

    def fitting(self, pixels: int) -> int:
        """How many images of that size one call takes."""
        if self._free is None or self.plan.device != "cuda" or self.plan.offload == "layers":
            return 1
        sizes = [2 * count for count in self._parts.values()]
        taken = sum(sizes) if self.plan.offload == "none" else max(sizes)
        return _images(self._free - RESERVE - taken, pixels)

    def wear(self, lora: Path | None, weight: float) -> None:
        """Put a LoRA on at a weight, or take it off. Raises `BadInput` for a file that does not fit the model."""
        wanted = (f"{lora} {weights.fingerprint(lora)}", weight) if lora else None
        if wanted == self._lora:
            return
        if self._lora and (wanted is None or wanted[0] != self._lora[0]):
            self.pipe.unload_lora_weights()
            self._lora = None
        if lora and wanted:
            if self._lora is None:
                self._put_on(lora)
            self.pipe.set_adapters(["lora"], [weight])
        self._lora = wanted

    def _put_on(self, lora: Path) -> None:
        try:
            self.pipe.load_lora_weights(
                str(lora.parent), weight_name=lora.name, adapter_name="lora", local_files_only=True
            )
            fits = any("lora" in names for names in self.pipe.get_list_adapters().values())
        except Exception:  # of three libraries, each raises what it likes for a file of another kind
            fits = False
        if not fits:
            self.pipe.unload_lora_weights()
            raise BadInput(
                f"{lora} is no LoRA for {self.path.name}; choose one that was made for this model."
            )

    def paint(self, windows: list[Window], step: Step) -> list[np.ndarray]:
        """The windows as the model paints them, uint8 (h, w, 3) each; they share size and `SHARED` settings."""
        import torch

        count = windows[0].settings[TOGETHER.name] or len(windows)
        if len(windows) > count:
            return [*self.paint(windows[:count], step), *self.paint(windows[count:], _unseen(step))]
        for window in windows:
            window.settings[TOGETHER.name] = count
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
            window.settings[TOGETHER.name] = 1
        return [pixels for window in windows for pixels in self.paint([window], step)]

    def remark(self, windows: Sequence[Window]) -> None:
        """Note what a person should know about what they asked of this model."""
        side = self.pipe.unet.config.sample_size * self.pipe.vae_scale_factor
        for window in windows:
            resolution = window.settings["resolution"]
            if resolution > 1.5 * side:
                window.notes.append(
                    f"{self.path.name} was made for {side} px; at {resolution} px it may repeat itself."
                )
            for name in ("prompt", "negative_prompt"):
                lost = self._lost(getattr(window.request, name))
                if lost:
                    window.notes.append(
                        f"The model does not read the end of the {name.replace('_', ' ')}: {lost}."
                    )

    def _lost(self, prompt: str) -> str:
        """What of a prompt does not fit the text encoders' 77 tokens."""
        tokenizer = self.pipe.tokenizer
        tokens = tokenizer(prompt, truncation=False, verbose=False).input_ids
        return tokenizer.decode(tokens[tokenizer.model_max_length - 1 : -1]).strip()

    def _call(self, windows: list[Window], step: Step) -> list[np.ndarray]:
        import torch

        settings = windows[0].settings
        height, width = windows[0].image.shape[:2]
        views = [self._view(window) for window in windows]
        self.pipe.scheduler = self._schedule(settings["scheduler"])
        with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            try:
                painted = self.pipe(
                    **self._encoded(windows),
                    **_pictures(views),
                    height=height,
                    width=width,
                    num_inference_steps=settings["steps"],
                    guidance_scale=settings["guidance"],
                    strength=settings["strength"],
                    # One an image, on the CPU: neither its neighbours nor the kind of GPU change its noise.
                    generator=[torch.Generator("cpu").manual_seed(window.request.seed) for window in windows],
                    callback_on_step_end=self._after_step(views[0], step),
                    output_type="pil",
                ).images
            except BaseException:
                self.pipe.maybe_free_model_hooks()  # what a pipeline does itself when it comes to its end
                raise
        if len(views) > 1:
            painted = [view.place(picture) for view, picture in zip(views, painted, strict=True)]
        return [np.array(picture) for picture in painted]

    def _schedule(self, name: str) -> Any:
        """A fresh scheduler: they keep count of steps, and a cancelled call leaves them in its middle."""
        import diffusers

        class_name, options = SCHEDULERS[name]
        kind = getattr(diffusers, class_name) if class_name else type(self._scheduler)
        return kind.from_config(self._scheduler.config, **options)

    def _encoded(self, windows: Sequence[Window]) -> dict[str, torch.Tensor]:
        import torch

        each = [self._encode(window.request.prompt, window.request.negative_prompt) for window in windows]
        return {name: torch.cat([embeddings[name] for embeddings in each]) for name in each[0]}

    def _encode(self, prompt: str, negative: str) -> dict[str, torch.Tensor]:
        """The text encoders' view of a prompt, encoded once."""
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

    def _after_step(self, view: _View, step: Step) -> Callable[..., dict[str, Any]]:
        """Counts and shows; raises `Cancelled` out of the pipeline when somebody wants that."""
        shown = 0.0

        def after(pipe: Any, done: int, _: Any, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
            nonlocal shown
            pixels = None
            if time.monotonic() - shown >= BETWEEN_PREVIEWS or done + 1 == pipe.num_timesteps:
                pixels = view.show(_to_rgb(tensors["latents"][0].float().cpu().numpy(), self.large))
                shown = time.monotonic()
            step(done + 1, pipe.num_timesteps, pixels)
            return {}

        return after

    def _view(self, window: Window) -> _View:
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
        mask = _widened(window.mask, cell)
        return _View(
            image=Image.fromarray(window.image),
            mask=Image.fromarray(mask.astype(np.uint8) * 255),
            padding=padding if padding >= 0 else None,
            crop=crop(mask),
            processor=self.pipe.image_processor,
        )


@dataclass(frozen=True)
class _View:
    """A window as PIL pictures of one size, `image` and `mask`, and the part `crop` that the model is shown."""

    image: Any
    mask: Any
    padding: int | None
    crop: tuple[int, int, int, int]
    processor: Any  # diffusers' VaeImageProcessor: crops and puts back exactly as a pipeline does

    def cropped(self, picture: Any) -> Any:
        if self.padding is None:
            return picture
        part = picture.crop(self.crop)
        return self.processor.resize(part, picture.height, picture.width, resize_mode="fill")

    def place(self, painted: Any) -> Any:
        """The window with the part of it that was `painted`."""
        if self.padding is None:
            return painted
        return self.processor.apply_overlay(self.mask, self.image, painted, self.crop)

    def show(self, small: np.ndarray) -> np.ndarray:
        """The window, uint8 (h, w, 3), with a small picture of that part, uint8 (., ., 3)."""
        from PIL import Image

        return np.array(self.place(Image.fromarray(small).resize(self.image.size)))


def _pictures(views: Sequence[_View]) -> dict[str, Any]:
    """What a pipeline is given to see. It crops by itself, but only where there is one picture."""
    if len(views) == 1:
        view = views[0]
        return {"image": view.image, "mask_image": view.mask, "padding_mask_crop": view.padding}
    return {
        "image": [view.cropped(view.image) for view in views],
        "mask_image": [view.cropped(view.mask) for view in views],
    }


def _widened(mask: np.ndarray, cell: int) -> np.ndarray:
    """`mask` with what is thinner than `cell` pixels widened to it.

    A model sees the mask one pixel a latent cell, picked without averaging: a scratch between two would be no
    mask at all. What is painted beyond the drawn mask is not used.
    """
    if cell < 2:
        return mask
    square = np.ones((cell | 1, cell | 1), np.uint8)  # odd: an even one has no middle and would move the mask
    thick = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, square) > 0
    return mask | (cv2.dilate((mask & ~thick).astype(np.uint8), square) > 0)


def _to_rgb(latents: np.ndarray, large: bool) -> np.ndarray:
    """A small picture, uint8 (h, w, 3), of latents (4, h, w) without decoding them."""
    factors, bias = LATENT_RGB[large]
    calm = latents / max(1.0, float(latents.std()))  # some schedulers' noise is far larger than the picture
    return np.clip(np.einsum("chw,cr->hwr", calm, factors) + bias, 0, 255).astype(np.uint8)


# --- reading --------------------------------------------------------------------------------------


def _read(path: Path, dtype: torch.dtype, half: bool, progress: Progress) -> Any:
    """An inpainting pipeline from a folder or a single file. Raises `BadInput`."""
    try:
        return (
            _read_folder(path, dtype, half, progress) if path.is_dir() else _read_file(path, dtype, progress)
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"The model {path} cannot be loaded: {_first(error)} Download it again.") from error


def _read_folder(folder: Path, dtype: torch.dtype, half: bool, progress: Progress) -> Any:
    from diffusers import AutoPipelineForInpainting

    content = weights.index(folder)
    sizes, read = weights.weigh(folder), 0
    progress.begin("Loading the model, percent", 100)
    parts: dict[str, Any] = {}
    for part, size in sizes.items():
        library, class_name = content[part]
        if library not in ("diffusers", "transformers"):  # a downloaded file must not choose what is imported
            raise BadInput(f"{folder} wants code of its own ({library}); choose another model.")
        kind = getattr(import_module(library), class_name)
        parts[part] = kind.from_pretrained(
            folder,
            subfolder=part,
            variant=weights.variant(folder / part, half),
            local_files_only=True,
            **{"torch_dtype" if library == "diffusers" else "dtype": dtype},
        )
        read += size
        progress.advance(100 * read // sum(sizes.values()) - progress.done)
    return AutoPipelineForInpainting.from_pretrained(
        folder, local_files_only=True, **parts, **_extras("text_encoder_2" in parts)
    )


def _read_file(file: Path, dtype: torch.dtype, progress: Progress) -> Any:
    from diffusers import StableDiffusionInpaintPipeline, StableDiffusionXLInpaintPipeline

    from exdd_core.synthesis.blueprint import blueprint

    progress.begin("Loading the model", 1)  # diffusers says nothing while it reads one
    large = weights.family(file).startswith("xl")
    kind = StableDiffusionXLInpaintPipeline if large else StableDiffusionInpaintPipeline
    with blueprint(file) as config:
        pipe = kind.from_single_file(
            str(file), config=str(config), torch_dtype=dtype, local_files_only=True, **_extras(large)
        )
    progress.advance()
    return pipe


def _extras(large: bool) -> dict[str, Any]:
    """Neither a watermark nor a filter that blackens pictures belongs into a data set of defects."""
    return {"add_watermarker": False} if large else {"safety_checker": None, "requires_safety_checker": False}


def _hush() -> None:
    """No bars and advice of diffusers and transformers on the terminal: `Progress` and notes say what matters."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for logging in (diffusers_logging, transformers_logging):
        logging.disable_progress_bar()
        logging.set_verbosity_error()


def _first(error: Exception) -> str:
    """The first line of somebody else's message, as a sentence."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0].strip()
    return line if line.endswith(".") else line + "."
