"""Trains the network of the engine `learned` on squares of the user's defects and normal surface.

Half of every batch shows defects of the training parts, half normal surface under masks of defects. `lora_training`
writes checkpoints, validates and resumes after an interruption. Knows squares, torch and one folder. Does not know
data sets, workspaces or jobs.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from exdd_core import device, files
from exdd_core.images import encode_png
from exdd_core.progress import Progress
from exdd_core.synthesis import learned_crops as crops, learned_network as networks
from exdd_core.synthesis.learned_crops import Squares
from exdd_core.synthesis.lora_settings import TeachingSettings
from exdd_core.synthesis.lora_steps import LARGEST_GRADIENT, weighted_loss
from exdd_core.synthesis.lora_training import SAMPLES, Lesson, Losses, Taught, Training
from exdd_core.synthesis.optimised import Optimised

BATCH = 16  # squares that a step learns from
STEPS = 1500  # where none are asked for
RATE, WARM_UP = 5e-4, 50  # of AdamW, falling to 0 by half a cosine
NOISE = (0.02, 0.75)  # the range of s, the share of noise, from which each square of a step draws
TRIED = (0.15, 0.3, 0.45, 0.6)  # s, at which held-out squares are tried
MOST_TRIED = 48  # held-out squares
SAMPLE_NOISE, SAMPLE_STEPS = 0.6, 8


def teach(lesson: Lesson, settings: TeachingSettings, folder: Path, progress: Progress) -> Taught:
    """Train a network in `folder`, which keeps checkpoints; continue from the last one there.

    Uses the number of steps, the interval and the seed alone of the settings. Raises `Cancelled` between steps.
    """
    return _Training(lesson, settings, folder, progress).run()


class _Training(Training):
    """One training: its squares, the learner and the losses so far."""

    def __init__(self, lesson: Lesson, settings: TeachingSettings, folder: Path, progress: Progress):
        self.lesson, self.settings, self.folder, self.progress = lesson, settings, folder, progress
        folder.mkdir(parents=True, exist_ok=True)
        self.steps, self.side, self.at_once = settings.steps or STEPS, networks.SIDE, BATCH
        self.types = sorted({picture.defect_type for picture in lesson.defects})
        taken = (self.types, lesson.allowed)
        self.defects = crops.of_defects(lesson.defects, *taken, crops.EACH, settings.seed, progress)
        count = len(self.defects) if lesson.normals else 0
        self.normals = crops.of_normals(
            lesson.normals, self.defects.mask, lesson.allowed, count, settings.seed, progress
        )
        each = math.ceil(MOST_TRIED / max(1, len(lesson.held_out)))
        tried = crops.of_defects(lesson.held_out, *taken, each, settings.seed, progress)
        some = np.random.default_rng(settings.seed).permutation(len(tried))[:MOST_TRIED]
        self.held_out: Any = Squares(tried.pixels[some], tried.mask[some], tried.kind[some])
        self.examples: Any = [*range(len(self.defects) + len(self.normals))]
        self.learner = Learner(len(self.types), self.steps, settings.seed, device.chosen())
        self.losses: list[Losses] = []
        asked = [settings.to_json(), lesson.parts, len(self.examples), self.steps, [*networks.WIDTHS]]
        self.made_for = json.dumps(asked)

    def _learn(self) -> float:
        return self.learner.step(self.defects, self.normals)

    def _save(self, place: Path) -> None:
        networks.save(self.learner.network, self.types, self.lesson.parts, place)

    def _paint_samples(self) -> None:
        """Refine squares of held-out defects, from the same noise every time: sample-0.png and so on."""
        learnt = networks.Harmoniser(self.learner.network, tuple(self.types), ())
        for number in range(min(SAMPLES, len(self.held_out))):
            pixels, mask = self.held_out.pixels[number], self.held_out.mask[number]
            kind = int(self.held_out.kind[number])
            shown = networks.refined(
                learnt, pixels, mask, kind, SAMPLE_NOISE, SAMPLE_STEPS, self.settings.seed
            )
            with files.whole(self.folder / f"sample-{number}.png", synced=False) as place:
                place.write_bytes(encode_png(shown))


class Learner(Optimised):
    """The network, its optimiser, its moving average and its random numbers."""

    def __init__(self, types: int, total: int, seed: int, at: torch.device):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = networks.new_network(types)
        super().__init__(network.to(at).train(), RATE, seed, at)
        self.total = total

    def step(self, defects: Squares, normals: Squares) -> float:
        """Learn from one batch; returns its mean loss."""
        half = BATCH // 2 if len(normals) else BATCH
        rows = torch.randint(len(defects), (half,), generator=self.random).numpy()
        others = torch.randint(max(1, len(normals)), (BATCH - half,), generator=self.random).numpy()
        both = [(defects.pixels, normals.pixels), (defects.mask, normals.mask), (defects.kind, normals.kind)]
        pixels, mask, kind = (np.concatenate([own[rows], other[others]]) for own, other in both)
        s = NOISE[0] + (NOISE[1] - NOISE[0]) * torch.rand(BATCH, generator=self.random)
        noise = torch.randn(BATCH, 3, *mask.shape[1:], generator=self.random)
        rate = min(1.0, (self.steps + 1) / WARM_UP) * (1 + math.cos(math.pi * self.steps / self.total)) / 2
        for group in self.optimiser.param_groups:
            group["lr"] = RATE * rate
        loss = self._losses(Squares(pixels, mask, kind), s, noise).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, LARGEST_GRADIENT)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.average.step(self.parameters)
        self.steps += 1
        return float(loss.detach())

    def held_out_loss(self, squares: Squares, seed: int) -> float:
        """The mean loss under the masks, with the same noise at the same levels every time."""
        random, losses = torch.Generator().manual_seed(seed), []
        with torch.no_grad():
            for s in TRIED:
                noise = torch.randn(len(squares), 3, *squares.mask.shape[1:], generator=random)
                losses.append(self._losses(squares, torch.full((len(squares),), s), noise, 0.0).mean())
        return float(torch.stack(losses).mean())

    def _losses(
        self, squares: Squares, s: torch.Tensor, noise: torch.Tensor, outside: float = 0.1
    ) -> torch.Tensor:
        """The loss of each square, float32 (n,)."""
        clean = networks.as_tensor(squares.pixels).to(self.device)
        s, noise = s.to(self.device), noise.to(self.device)
        mask = torch.from_numpy(squares.mask)[:, None].float().to(self.device)
        kinds = torch.from_numpy(squares.kind).to(self.device)
        level = s[:, None, None, None]
        noised = (1 - level) * clean + level * noise
        return weighted_loss(
            networks.velocity(self.network, noised, s, mask, clean, kinds), noise - clean, mask, outside
        )
