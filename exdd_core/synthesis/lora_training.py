"""Teaches a Stable Diffusion inpainting model a user's defects: trains a LoRA on crops of them.

At each interval it is tried on crops of held-out parts, paints four samples and writes a checkpoint, from which an
interrupted training continues: on a CPU bit for bit as if there had been no interruption. The LoRA with the lowest
held-out loss under the masks is the result. This ran on tiny random pipelines only, neither on a GPU nor with trained
weights. Knows models, crops and one folder. Does not know data sets, workspaces or jobs.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypedDict, cast

import numpy as np
import psutil
import torch
from safetensors.torch import save_file

from exdd_core import device, files
from exdd_core.errors import BadInput, Cancelled
from exdd_core.images import encode_png
from exdd_core.progress import Progress
from exdd_core.sentences import count
from exdd_core.synthesis import lora_crops, sdxl_call, weights
from exdd_core.synthesis.lora_crops import Crop, Picture, Symmetry, Words
from exdd_core.synthesis.lora_encoding import decode, encode_crops, encode_texts
from exdd_core.synthesis.lora_settings import EFFECTIVE, GB, TeachingSettings, at_once, side_for
from exdd_core.synthesis.lora_steps import Learner, joined
from exdd_core.synthesis.optimised import LearnerState
from exdd_core.synthesis.sdxl_adapters import ADAPTER, TAUGHT_BY
from exdd_core.synthesis.sdxl_model import give_back, out_of_memory
from exdd_core.synthesis.sdxl_reading import read_pipeline, silence_libraries

CHECKPOINT, LOSSES = "checkpoint.pt", "losses.json"
SAMPLES, SAMPLE_STEPS, GUIDANCE = 4, 20, 5.0
MOST_CROPS, MOST_HELD_OUT = 2000, 24


@dataclass(frozen=True)
class Lesson:
    """What is taught. defects, held_out: pictures with masks, of different parts."""

    defects: Sequence[Picture]
    held_out: Sequence[Picture]
    normals: Sequence[Picture]
    words: Words
    allowed: Sequence[Symmetry]

    @property
    def parts(self) -> list[str]:
        """All parts that the LoRA knows something of; the held-out ones choose its checkpoint."""
        return sorted({one.part for one in (*self.defects, *self.held_out, *self.normals)})


class Losses(TypedDict):
    """Losses after so many steps. learnt: mean since the row before, None at step 0. held_out: under the masks."""

    step: int
    learnt: float | None
    held_out: float


class _Checkpoint(TypedDict):
    """The content of a checkpoint. made_for: names the training that may continue from it. at_once: crops in one pass,
    on which rounding depends."""

    made_for: str
    at_once: int
    learner: LearnerState
    losses: list[Losses]


@dataclass(frozen=True)
class Taught:
    """A training's result. file: the LoRA. best: the step with the lowest held-out loss, 0 where none was better than
    the model without a LoRA."""

    file: Path
    losses: list[Losses]
    best: int
    steps: int
    resolution: int
    crops: int


def teach(
    model: Path, lesson: Lesson, settings: TeachingSettings, folder: Path, progress: Progress
) -> Taught:
    """Train a LoRA in `folder`, which keeps checkpoints; continue from the last one there.

    model: folder or file of a Stable Diffusion model. Raises `BadInput` for a model that cannot be taught and where
    there is too little memory, and `Cancelled` between steps.
    """
    family = weights.family_of(model)
    if family.flows:
        raise BadInput(
            f"{family.title} cannot be taught here; choose a Stable Diffusion model, such as SDXL."
        )
    try:
        return Training(model, lesson, settings, folder, progress).run()
    except Exception as error:
        if not out_of_memory(error):
            raise
        raise BadInput(
            "There is not enough memory for this training; choose a lower resolution, such as 512, or close "
            "other programs."
        ) from error
    finally:
        give_back()


class Training:
    """One training: the pipeline, its encoded crops, the learner and the losses so far."""

    def __init__(
        self, model: Path, lesson: Lesson, settings: TeachingSettings, folder: Path, progress: Progress
    ):
        self.lesson, self.settings, self.folder, self.progress = lesson, settings, folder, progress
        folder.mkdir(parents=True, exist_ok=True)
        self.device = device.chosen()
        on_gpu, size = self.device.type == "cuda", weights.weigh(model)
        _require_memory(sum(size.values()) * (2 if on_gpu else 4))
        free = torch.cuda.mem_get_info()[0] if on_gpu else None
        self.side = side_for(free, size["unet"], settings, weights.family_of(model).side)
        room = free or psutil.virtual_memory().available / 2  # full precision takes twice as much
        self.at_once = at_once(room, self.side, size["unet"], settings.rank)
        silence_libraries()
        self.pipe: Any = read_pipeline(model, torch.bfloat16 if on_gpu else torch.float32, on_gpu, progress)
        self._encode()
        self.pipe.unet.to(self.device)
        self.learner: Any = Learner(self.pipe, self.texts, settings.rank, settings.rate, settings.seed)
        self.losses: list[Losses] = []
        asked = [settings.to_json(), vars(lesson.words), lesson.parts, len(self.examples), self.side]
        self.made_for = json.dumps([weights.fingerprint(model), *asked])

    def _encode(self) -> None:
        """Encode prompts and crops: those to learn from, and those of held-out parts."""
        settings, lesson, progress = self.settings, self.lesson, self.progress
        progress.begin("Reading masks", len(lesson.defects))
        pieces = 0
        for picture in lesson.defects:
            pieces += len(lora_crops.pieces(_mask_of(picture)))
            progress.advance()
        self.steps = settings.count_of_steps(pieces)
        each = max(1, min(settings.variants, MOST_CROPS // max(1, pieces)))
        kinds = {picture.defect_type for picture in (*lesson.defects, *lesson.held_out)}
        prompts = ["", *sorted({lesson.words.surface, *map(lesson.words.of, kinds)} - {""})]
        self.texts = encode_texts(self.pipe, prompts, self.device)
        taken = (lesson.words, self.side, lesson.allowed)
        learnt = lora_crops.crops(lesson.defects, lesson.normals, *taken, each, settings.seed)
        count = pieces * each + lora_crops.count_of_normal(pieces * each, len(lesson.normals))
        self.examples = encode_crops(self.pipe, learnt, count, prompts, self.device, progress)
        tried = list(lora_crops.crops(lesson.held_out, [], *taken, 1, settings.seed, empty=0))[:MOST_HELD_OUT]
        self.held_out: Any = encode_crops(self.pipe, tried, len(tried), prompts, self.device, progress)
        self.shown: list[Crop] = tried[:SAMPLES]

    # --- training -------------------------------------------------------------------------------------

    def run(self) -> Taught:
        learner, steps, progress = self.learner, self.steps, self.progress
        self._go_on()
        if not self.losses:
            self._validate(None)
        recent: list[float] = []
        progress.begin(self._stage(self.losses[-1]["learnt"]), steps, learner.steps)
        while learner.steps < steps:
            if progress.cancelled:
                raise Cancelled(progress.stage)
            recent.append(self._learn())
            mean = sum(recent) / len(recent)
            if learner.steps % self.settings.every == 0 or learner.steps == steps:
                self._validate(mean)
                recent = []
            progress.stage = self._stage(mean)
            progress.advance()
        best = min(self.losses, key=lambda row: row["held_out"])
        found = self.folder / ADAPTER
        return Taught(found, self.losses, best["step"], steps, self.side, len(self.examples))

    def _learn(self) -> float:
        """One step; returns its loss."""
        return self.learner.step(self.examples, EFFECTIVE, self.at_once)

    def _save(self, place: Path) -> None:
        save_file(self.learner.weights(), place, metadata={TAUGHT_BY: json.dumps(self.lesson.parts)})

    def _stage(self, learnt: float | None) -> str:
        said = "" if learnt is None else f" {learnt:.4f},"
        return f"Teaching, loss{said} held-out {self.losses[-1]['held_out']:.4f}"

    def _validate(self, learnt: float | None) -> None:
        """Try the LoRA on the held-out crops, keep it where it is the best so far, paint samples, write a checkpoint.

        The checkpoint comes last: after a kill before it, the same steps are made again.
        """
        learner = self.learner
        with learner.averaged():
            loss = learner.held_out_loss(self.held_out, self.settings.seed)
            if not np.isfinite(loss):
                raise BadInput(
                    f"Training failed after {count(learner.steps, 'step')}: its loss is not finite. Choose a lower "
                    "learning rate or another model."
                )
            known = [row["held_out"] for row in self.losses if row["step"]]
            if learner.steps and loss < min(known, default=np.inf):
                with files.whole(self.folder / ADAPTER) as place:
                    self._save(place)
            self._paint_samples()
        self.losses.append({"step": learner.steps, "learnt": learnt, "held_out": loss})
        with files.whole(self.folder / LOSSES) as place:
            place.write_text(json.dumps({"steps": self.steps, "losses": self.losses}))
        kept: _Checkpoint = {
            "made_for": self.made_for,
            "at_once": self.at_once,
            "learner": learner.state(),
            "losses": self.losses,
        }
        with files.whole(self.folder / CHECKPOINT) as place:
            torch.save(kept, place)

    def _go_on(self) -> None:
        """Restore the last checkpoint, where there is one of the same training; begin again where it is damaged."""
        try:
            found = torch.load(self.folder / CHECKPOINT, map_location="cpu", weights_only=True)
            kept = cast(_Checkpoint, found)
            same = kept["made_for"] == self.made_for
            losses, at_once = kept["losses"], kept["at_once"]
        except FileNotFoundError:
            return
        except (
            OSError,
            EOFError,
            LookupError,
            RuntimeError,
            TypeError,
            ValueError,
            UnpicklingError,
        ) as error:
            logging.getLogger(__name__).warning(
                "%s is damaged (%s), so the training begins again.",
                self.folder / CHECKPOINT,
                type(error).__name__,
            )
            return
        if same:
            self.learner.restore(kept["learner"])
            self.losses, self.at_once = losses, at_once

    # --- samples --------------------------------------------------------------------------------------

    def _paint_samples(self) -> None:
        """Paint into the first held-out crops, from the same noise every time: sample-0.png and so on."""
        for number, crop in enumerate(self.shown):
            random = torch.Generator().manual_seed(self.settings.seed + number)
            painted = decode(self.pipe, self._denoised(number, random))
            shown = np.where(crop.mask[..., None], painted, crop.pixels)
            with files.whole(self.folder / f"sample-{number}.png", synced=False) as place:
                place.write_bytes(encode_png(shown))

    def _denoised(self, number: int, random: torch.Generator) -> torch.Tensor:
        """Latents (1, 4, h, w) of a held-out crop whose mask is painted anew."""
        learner, one = self.learner, self.held_out.at(slice(number, number + 1)).to(self.device)
        schedule = sdxl_call.scheduler(self.pipe.scheduler, "DDIM")
        schedule.set_timesteps(SAMPLE_STEPS)
        latents = torch.randn(one.clean.shape, generator=random).to(self.device)
        both = joined([one.without_text(), one])
        with torch.no_grad():
            for time in schedule.timesteps:
                times = time.to(self.device).expand(2)
                plain, asked = learner.predicted(latents.expand(2, -1, -1, -1), times, both).float().chunk(2)
                guided = plain + GUIDANCE * (asked - plain)
                latents = schedule.step(guided, time, latents, return_dict=False)[0]
        return latents


def _mask_of(picture: Picture) -> np.ndarray:
    mask = picture.read()[1]
    assert mask is not None
    return mask


def _require_memory(size: int) -> None:
    """Raise `BadInput` where a model of `size` bytes does not fit into main memory, through which all weights pass."""
    free = psutil.virtual_memory().available
    if free < 1.1 * size:
        raise BadInput(
            f"Teaching this model needs {size / GB:.1f} GB of memory, but only {free / GB:.1f} GB are free; "
            "close other programs or choose a smaller model."
        )
