"""Paints defects with diffusers' SDXL inpainting, after DIAG and section 3.3 of the paper.

Knows the settings of diffusion and the model of a request; `sdxl_model` holds the model and calls its pipeline.
Does not know compositing (the base class does it) or where weights lie (`weights` does). torch and diffusers are
imported when the model is loaded, not before.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np

from exdd_core import extras
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.sentences import count
from exdd_core.synthesis import blueprint, weights
from exdd_core.synthesis.controls import Settings
from exdd_core.synthesis.engine import Engine
from exdd_core.synthesis.request import Step, Window
from exdd_core.synthesis.sdxl_adapters import ADAPTER, listed, taught_by, weighted
from exdd_core.synthesis.sdxl_model import (
    PIPELINE_LOCK,
    call_key,
    in_memory,
    load,
    unload,
    without_preview,
)
from exdd_core.synthesis.sdxl_settings import CONTROLS, TOGETHER, SDXLSettings

REVISION = 2  # changes with all that makes the same request give other pixels
LOOKED_THROUGH = 16  # native windows among which those of one size are painted together


class SDXL(Engine[SDXLSettings]):
    """Inpainting with SDXL, or another Stable Diffusion model, through diffusers.

    model: an id, a folder or a .safetensors file; "" for the environment's EXDD_SDXL, else the paper's model.
    models: a folder in which models are looked for, such as a workspace's. A request's setting `model`
    overrides both. adapters: a folder with a folder for each LoRA that was taught here. adapter: the name of the one
    that paints where a request has no setting `lora`.
    """

    NAME = "sdxl"
    TITLE = "SDXL"
    DESCRIPTION = (
        "Diffusion: Stable Diffusion XL paints what the prompt describes into the mask, as in the paper. To "
        "weight a word, write (scratches:1.4)."
    )
    CONTROLS = CONTROLS

    def __init__(
        self, model: str = "", models: str | Path = "", adapters: str = "", adapter: str = ""
    ) -> None:
        super().__init__()
        self.model, self.models, self.adapters = model, str(models), adapters
        if adapter:
            self.CONTROLS = tuple(
                replace(control, default=adapter) if control.name == "lora" else control
                for control in CONTROLS
            )

    @property
    def version(self) -> str:
        settings, resident = self.complete({}), in_memory()
        path = weights.find(settings["model"], self.models).path
        here = resident is not None and path is not None and resident.is_at(path, settings["precision"])
        return ", ".join([self._version(settings), *([resident.manner] if resident and here else [])])

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
        if full["geometry"] == "native" and "padding_mask_crop" not in settings:
            full["padding_mask_crop"] = -1  # 2 pixels, the paper's of its square, would show no surroundings
        full["model"] = full["model"] or weights.find(self.model, self.models).asked
        if int(full["steps"] * full["strength"]) < 1:
            steps = count(full["steps"], "step")
            raise BadInput(
                f"With {steps}, strength {full['strength']:g} leaves none to paint; increase either."
            )
        if full["resolution"] % 8:
            raise BadInput(
                f"Resolution (resolution) cannot be {full['resolution']}; it must be a multiple of 8."
            )
        return full

    def _ready(self, settings: Settings, progress: Progress | None) -> None:
        path = self._path(str(settings.get("model") or self.model))
        # Read without the lock, which a painting holds for long.
        resident = in_memory()
        precision = str(settings.get("precision") or "auto")
        if resident is None or not resident.is_at(path, precision):
            with PIPELINE_LOCK:
                load(path, progress or Progress(), precision)

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
        words += [f"LoRA {weights.fingerprint(file)}" for file, _ in self._loras(settings)]
        words += [f"word {weights.fingerprint(file)}" for file in self._embeddings(settings)]
        words += [f"diffusers {metadata.version('diffusers')}", f"engine {REVISION}"]
        return ", ".join(words)

    def _taught_by(self, settings: SDXLSettings) -> list[str]:
        return sorted({part for file, _ in self._loras(settings) for part in taught_by(file)})

    def _loras(self, settings: SDXLSettings) -> list[tuple[Path, float]]:
        factor = settings["lora_weight"]
        return [(self._file(name, "LoRA"), own * factor) for name, own in weighted(settings["lora"])]

    def _embeddings(self, settings: SDXLSettings) -> list[Path]:
        return [self._file(name, "textual inversion") for name in listed(settings["embeddings"])]

    def _file(self, name: str, kind: str) -> Path:
        taught = [Path(self.adapters) / name / ADAPTER] if self.adapters else []
        for file in (*taught, Path(os.path.expanduser(name)), Path(self.models or ".") / name):
            if os.path.isfile(file):
                return file
        raise BadInput(f"The {kind} {name} does not exist; use the path of a .safetensors file.")

    def _resolution(self, settings: SDXLSettings) -> int:
        return settings["resolution"]

    def _padding(self, settings: SDXLSettings) -> int:
        return settings["padding_mask_crop"]

    def _at_once(self, settings: SDXLSettings) -> int:
        resident = in_memory()
        fitting = resident.fitting(settings["resolution"] ** 2) if resident else 1
        if settings["geometry"] == "native" and fitting > 1:
            fitting = max(fitting, LOOKED_THROUGH)
        return settings["painted_together"] or fitting

    def _render(self, window: Window[SDXLSettings], step: Step) -> np.ndarray:
        return self._render_batch([window], step)[0]

    def _render_batch(self, windows: Sequence[Window[SDXLSettings]], step: Step) -> list[np.ndarray]:
        groups: dict[tuple[object, ...], list[int]] = {}
        for number, window in enumerate(windows):
            groups.setdefault(call_key(window), []).append(number)
        rendered: dict[int, np.ndarray] = {}
        for numbers in groups.values():
            group = [windows[number] for number in numbers]
            settings = group[0].settings
            with PIPELINE_LOCK:
                model = load(self._path(settings["model"]), Progress(), settings["precision"])
                model.wear(self._loras(settings), self._embeddings(settings))
                model.add_notes(group)
                for window in group:
                    window.manner.append(
                        model.manner
                    )  # while it is locked: another painting may load another one
                watched = step if not rendered else without_preview(step)
                rendered |= zip(numbers, model.paint(group, watched), strict=True)
        return [rendered[number] for number in range(len(windows))]
