"""Paints defects with diffusers' SDXL inpainting, after DIAG and section 3.3 of the paper.

Knows the settings of diffusion and the model of a request; `sdxl_model` holds the model and calls its pipeline.
Does not know compositing (the base class does it) or where weights lie (`weights` does). torch and diffusers are
imported when the model is loaded, not before.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

from exdd_core import extras
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.synthesis import blueprint, weights
from exdd_core.synthesis.controls import Control, Settings, shared_controls
from exdd_core.synthesis.engine import Engine
from exdd_core.synthesis.request import Step, Window
from exdd_core.synthesis.sdxl_model import (
    PIPELINE_LOCK,
    SCHEDULERS,
    TOGETHER,
    SDXLSettings,
    call_key,
    in_memory,
    load,
    unload,
    without_preview,
)


class SDXL(Engine[SDXLSettings]):
    """Inpainting with SDXL, or another Stable Diffusion model, through diffusers.

    model: an id, a folder or a .safetensors file; "" for the environment's EXDD_SDXL, else the paper's model.
    models: a folder in which models are looked for, such as a workspace's. A request's setting `model`
    overrides both.
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
        path = weights.find(self.model, self.models).path
        if path is None:
            return weights.missing(self.model, self.models)
        alone = path.is_file() and blueprint.own_configuration(path) is None
        return extras.SDXL_FILE.missing() if alone else ""

    def load(self, progress: Progress | None = None) -> None:
        """Load the model unless it is in memory. Raises `BadInput` when it is missing."""
        self._ready({}, progress)

    def unload(self) -> None:
        """Free the memory; the next painting loads the model again."""
        unload()

    def complete(self, settings: Settings) -> SDXLSettings:
        asked = {name: value for name, value in settings.items() if name != TOGETHER.name}
        full = super().complete(asked)
        full["painted_together"] = int(TOGETHER.read(settings.get(TOGETHER.name, TOGETHER.default)))
        full["model"] = full["model"] or weights.find(self.model, self.models).asked
        if int(full["steps"] * full["strength"]) < 1:
            raise BadInput(
                f"{full['steps']} steps at strength {full['strength']:g} leave no step to paint; give more of either."
            )
        if full["resolution"] % 8:
            raise BadInput(f"Resolution (resolution) cannot be {full['resolution']}; give a multiple of 8.")
        return full

    def _ready(self, settings: Settings, progress: Progress | None) -> None:
        path = self._path(str(settings.get("model") or self.model))
        # Read without the lock, which a painting holds for long.
        resident = in_memory()
        if resident is None or not resident.is_at(path):
            with PIPELINE_LOCK:
                load(path, progress or Progress())

    def _path(self, model: str) -> Path:
        path = weights.find(model, self.models).path
        if path is None:
            raise BadInput(weights.missing(model, self.models))
        return path

    def _version(self, settings: SDXLSettings) -> str:
        found = weights.find(settings["model"], self.models)
        if found.path is None:
            return f"{found.name}, not on this machine"
        words = [f"{found.name} {weights.fingerprint(found.path)}"]
        if settings["lora"]:
            words.append(f"LoRA {weights.fingerprint(self._lora(settings['lora']))}")
        words.append(f"diffusers {metadata.version('diffusers')}")
        resident = in_memory()
        if resident is not None and resident.is_at(found.path):
            words.append(resident.manner)
        return ", ".join(words)

    def _lora(self, name: str) -> Path:
        for file in (Path(os.path.expanduser(name)), Path(self.models or ".") / name):
            if os.path.isfile(file):
                return file
        raise BadInput(f"The LoRA {name} does not exist; give the path of a .safetensors file.")

    def _resolution(self, settings: SDXLSettings) -> int:
        return settings["resolution"]

    def _at_once(self, settings: SDXLSettings) -> int:
        resident = in_memory()
        fitting = resident.fitting(settings["resolution"] ** 2) if resident else 1
        return settings["painted_together"] or fitting

    def _render(self, window: Window[SDXLSettings], step: Step) -> np.ndarray:
        return self._render_batch([window], step)[0]

    def _render_batch(self, windows: Sequence[Window[SDXLSettings]], step: Step) -> list[np.ndarray]:
        rendered: list[np.ndarray] = []
        for _, alike in itertools.groupby(windows, call_key):
            group = list(alike)
            settings = group[0].settings
            with PIPELINE_LOCK:
                model = load(self._path(settings["model"]), Progress())
                model.use_lora(
                    self._lora(settings["lora"]) if settings["lora"] else None, settings["lora_weight"]
                )
                model.add_notes(group)
                watched = step if not rendered else without_preview(step)
                rendered += model.paint(group, watched)
        return rendered
