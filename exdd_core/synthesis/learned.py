"""Refines a transplant, a quilted or a drawn defect with a small network that was taught the user's own surface.

The painting of another engine is the draft. It is noised a part of the way under the mask and its halo, and brought
back by the network, which knows the user's normal surface and real defects of the type. Knows drafts, windows and the
file of a network. Does not know how one is taught.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from exdd_core import device
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.synthesis import weights
from exdd_core.synthesis.compositing import resized, resized_mask
from exdd_core.synthesis.controls import Control, Settings, SharedSettings, shared_controls
from exdd_core.synthesis.engine import Engine
from exdd_core.synthesis.procedural import Procedural
from exdd_core.synthesis.quilt import Quilt
from exdd_core.synthesis.request import Step, Window
from exdd_core.synthesis.sdxl_adapters import ADAPTER, taught_by
from exdd_core.synthesis.transplant import Transplant

if TYPE_CHECKING:
    from exdd_core.synthesis.learned_network import Harmoniser

DRAFTS: dict[str, type[Engine]] = {engine.NAME: engine for engine in (Transplant, Quilt, Procedural)}
HALO = 4
LARGEST = 512  # pixels of a window's longer side; a larger one is refined as a whole in a reduced copy
TEACH = "teach one with: teach --engine learned"
_loading = threading.Lock()


class LearnedSettings(SharedSettings):
    """The settings of a refined defect, checked and complete. `Learned.CONTROLS` explains each."""

    draft: str
    noise: float
    steps: int
    taught: str


class Learned(Engine[LearnedSettings]):
    """adapters: a folder with a folder for each network. adapter: the name of the one that refines by default."""

    NAME = "learned"
    TITLE = "Learned"
    DESCRIPTION = (
        "Experimental: refines another engine's painting with a small network that was taught your own "
        "surface and defects. On magnetic tiles, its paintings found real defects no better than the "
        "transplants that they started from."
    )
    CONTROLS = (
        Control("draft", "Draft", "choice", "transplant", choices=tuple(DRAFTS), help="what is refined"),
        Control(
            "noise", "Noise", "number", 0.15, 0.1, 0.7, 0.05,
            help="how much of the draft is repainted; a higher value fixes more and keeps less",
        ),
        Control("steps", "Steps", "integer", 8, 1, 50, 1, help="more steps are slower and give slightly finer results"),
        Control("taught", "Taught", "text", "", help="name of a taught adapter; empty: the one in use"),
        *shared_controls(geometry="native", feather=1.0, match_brightness=False, halo=HALO),
    )  # fmt: skip

    def __init__(self, adapters: str = "", adapter: str = "") -> None:
        super().__init__()
        self.adapters, self.adapter = adapters, adapter
        self.CONTROLS = tuple(
            replace(control, default=adapter) if control.name == "taught" else control
            for control in self.CONTROLS
        )

    @property
    def version(self) -> str:
        return self._version(self.complete({}))

    def missing(self) -> str:
        if self.adapter:
            return ""
        return (
            "This engine has not been taught yet, or none of its adapters is in use: teach it in Studio's panel "
            "below or with teach --engine learned, or choose an adapter with adapters use NAME."
        )

    def complete(self, settings: Settings) -> LearnedSettings:
        full = super().complete(settings)
        full["taught"] = full["taught"].strip() or self.adapter
        return full

    def _ready(self, settings: Settings, progress: Progress | None) -> None:
        self._harmoniser(self.complete(settings))

    def _version(self, settings: LearnedSettings) -> str:
        words = ["1", f"{settings['draft']} {DRAFTS[settings['draft']]().version}"]
        if settings["taught"]:
            words.append(f"{settings['taught']} {weights.fingerprint(self._file(settings))}")
        return ", ".join(words)

    def _taught_by(self, settings: LearnedSettings) -> list[str]:
        return taught_by(self._file(settings))

    def _file(self, settings: LearnedSettings) -> Path:
        name = settings["taught"]
        if not name:
            raise BadInput(self.missing())
        file = Path(self.adapters) / name / ADAPTER
        if Path(name).name != name or not file.is_file():
            raise BadInput(f'There is no taught adapter named "{name}"; choose another, or {TEACH}')
        return file

    def _harmoniser(self, settings: LearnedSettings) -> Harmoniser:
        file = self._file(settings)
        with _loading:
            return _loaded(str(file), file.stat().st_mtime_ns, device.asked())

    def _render(self, window: Window[LearnedSettings], step: Step) -> np.ndarray:
        from exdd_core.synthesis import learned_network

        settings, request = window.settings, window.request
        harmoniser, donor = self._harmoniser(settings), request.donor
        if donor is None:
            raise BadInput("This engine needs a real defect as an example; choose one.")
        if donor.defect_type not in harmoniser.types:
            raise BadInput(
                f'{settings["taught"]} was not taught defects of the type "{donor.defect_type}"; choose another '
                f"defect, or {TEACH}"
            )
        own = {name: settings[name] for name in ("geometry", "feather", "halo", "match_brightness")}
        drawn = DRAFTS[settings["draft"]]().paint(replace(request, settings=own))
        window.notes.extend(drawn.notes)
        left, top, right, bottom = window.box
        height, width = window.mask.shape
        draft = resized(drawn.image[top:bottom, left:right], (width, height))
        shrunk = min(1.0, LARGEST / max(height, width))
        small = max(1, round(width * shrunk)), max(1, round(height * shrunk))
        if shrunk < 1:
            window.notes.append("The mask is so large that only the draft's coarse structure was refined.")

        def shown(done: int, total: int, pixels: np.ndarray) -> None:
            step(done, total, pixels if shrunk == 1 else None)

        begun = resized(draft, small)
        refined = learned_network.refined(
            harmoniser,
            begun,
            resized_mask(window.haloed, small),
            1 + harmoniser.types.index(donor.defect_type),
            settings["noise"],
            settings["steps"],
            int(window.rng.integers(2**31)),
            shown,
        )
        if shrunk == 1:
            return refined
        change = resized(refined.astype(np.float32) - begun, (width, height))
        return np.rint(np.clip(draft + change, 0, 255)).astype(np.uint8)


@lru_cache(maxsize=4)
def _loaded(file: str, changed: int, asked: str) -> Harmoniser:
    """The network of a file that was `changed` at that time, on the device that is `asked` for."""
    from exdd_core.synthesis import learned_network

    return learned_network.load(Path(file), device.chosen())
