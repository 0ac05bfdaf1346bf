"""What the benchmark of the real size works on: images of KolektorSDD2's shape, synthetic features, a meter of memory.

Knows pixels, features and the process. Does not know what is built of them.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torchvision
from torch import nn

from exdd_core.detector.backbones import HUB_FILES, PREFERRED, Backbone
from exdd_core.device import chosen
from exdd_core.images import encode_png
from exdd_core.spill import Spill

# KolektorSDD2: images of about 230 x 630 pixels, 2,331 for training, of which 246 have a defect, and 1,004 for testing.
TRAINING, DEFECTIVE, TESTING, TESTED_DEFECTIVE = 2_331, 246, 1_004, 110
SHAPE = (630, 230)
GB = 1e9


def write_images(
    folder: Path,
    training: int,
    testing: int,
    shape: tuple[int, int] = SHAPE,
    seed: int = 0,
    defective: int | None = None,
) -> None:
    """Write images with their masks in KolektorSDD2's layout; a tenth shows a defect.

    defective: the most in each split.
    """
    for split, count, share in (
        ("train", training, DEFECTIVE / TRAINING),
        ("test", testing, TESTED_DEFECTIVE / TESTING),
    ):
        (folder / split).mkdir(parents=True)
        first_normal = max(2, min(round(share * count), count if defective is None else defective))
        for number in range(count):
            rng = np.random.default_rng([seed, split == "test", number])
            image, mask = _surface(rng, shape), np.zeros(shape, bool)
            if number < first_normal:
                mask = _defect(rng, shape)
                image[mask] = np.clip(image[mask].astype(int) + int(rng.choice([-45, 55])), 0, 255)
            (folder / split / f"{number:05d}.png").write_bytes(encode_png(image))
            (folder / split / f"{number:05d}_GT.png").write_bytes(encode_png(np.uint8(255) * mask))


def _surface(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """A dark, softly mottled surface with grain, uint8 (H, W, 3)."""
    h, w = shape
    soft = cv2.resize(
        rng.normal(0, 14, (h // 40, w // 40)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC
    )
    grey = 75 + soft + cv2.GaussianBlur(rng.normal(0, 25, shape).astype(np.float32), (0, 0), 1.2)
    return np.clip(grey[..., None] * [1.0, 0.97, 0.93], 0, 255).astype(np.uint8)


def _defect(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """A spot or a scratch: bool (H, W)."""
    mask, (h, w) = np.zeros(shape, np.uint8), shape
    at = int(rng.integers(20, w - 20)), int(rng.integers(20, h - 20))
    if rng.random() < 0.5:
        axes = int(rng.integers(5, 25)), int(rng.integers(5, 40))
        cv2.ellipse(mask, at, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    else:
        end = at[0] + int(rng.integers(-60, 60)), at[1] + int(rng.integers(-90, 90))
        cv2.line(mask, at, end, 1, int(rng.integers(2, 6)))
    return mask.astype(bool)


def random_weights(folder: Path) -> Path:
    """The folder with a file of random weights of the paper's backbone, named as the hub names it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / HUB_FILES[PREFERRED]
    if not file.is_file():
        torch.manual_seed(0)
        torch.save(torchvision.models.get_model(PREFERRED, weights=None).state_dict(), file)
    return folder


class Drawn(Spill):
    """Features of n images, 60 kinds of surface and noise, drawn from a seed whenever they are read.

    They are used as those that lie on disk are.
    """

    def __init__(self, count: int, grid: tuple[int, int], dimension: int):
        self.shape, self.dtype = (count, *grid, dimension), np.dtype(np.float16)
        self.folder = Path(tempfile.gettempdir())
        rng = np.random.default_rng(0)
        self.kinds = rng.standard_normal((60, dimension), np.float32)
        # Every image takes another stretch of it, which costs no time.
        self.noise = 0.5 * rng.standard_normal(grid[0] * grid[1] * dimension + (1 << 23), np.float32)

    def __getitem__(self, number):
        _, h, w, d = self.shape
        rng = np.random.default_rng([1, number])
        kind = np.kron(rng.integers(60, size=(h // 4 + 1, w // 4 + 1)), np.ones((4, 4), int))[:h, :w]
        start = int(rng.integers(1 << 23))
        found = self.kinds[kind]
        found += self.noise[start : start + h * w * d].reshape(h, w, d)
        return np.maximum(found, 0, out=found)

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        h, w, d = self.shape[1:]
        out, image = np.empty((len(numbers), d), np.float32), numbers // (h * w)
        for one in np.unique(image):
            own = image == one
            out[own] = self[int(one)].reshape(h * w, d)[numbers[own] % (h * w)]
        return out


def nameless_backbone() -> Backbone:
    """A backbone that features of wide_resnet50_2's shape are said to come from; it is never called."""
    zeros, ones = (0.0,) * 3, (1.0,) * 3
    return Backbone(
        PREFERRED, ("layer2", "layer3"), 1_536, "drawn", "drawn", chosen(), nn.Identity(), zeros, ones
    )


@dataclass
class Meter:
    """The highest resident memory of this process since `begin`, on top of what it had when idle."""

    idle: int = 0

    def settle(self) -> None:
        """Take the memory of now as that of an idle process."""
        self.idle = _status("VmRSS")

    def begin(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew

    def peak(self) -> float:
        """In GB."""
        return max(0, _status("VmHWM") - self.idle) / GB


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def gflops(rows: int = 8_192, columns: int = 1_024, inner: int = 128) -> float:
    """Billions of operations a second of processor time in matrix products, of the coreset's shape by default."""
    a, b, times = torch.randn(rows, inner), torch.randn(inner, columns), []
    for _ in range(8):
        began = time.process_time()
        a @ b
        times.append(time.process_time() - began)
    return 2 * rows * columns * inner / sorted(times)[len(times) // 2] / 1e9


def threads() -> Sequence[int]:
    return torch.get_num_threads(), os.cpu_count() or 1
