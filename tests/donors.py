"""Surfaces, masks and real defects to lend, small and made up, for tests of engines that borrow."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from exdd_core.images import encode_png
from exdd_core.synthesis.request import Donor


def surface(height: int = 140, width: int = 180, level: float = 120, seed: int = 0) -> np.ndarray:
    """Even, a little rough, grey."""
    rough = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 10, (height, width)), (0, 0), 0.8)
    return np.clip(level + rough * level / 120, 0, 255).astype(np.uint8)[..., None].repeat(3, 2)


def lend(folder: Path, name: str, image: np.ndarray, mask: np.ndarray, kind: str = "pit") -> Donor:
    (folder / f"{name}.png").write_bytes(encode_png(image))
    (folder / f"{name}_mask.png").write_bytes(encode_png(mask))
    return Donor(name, folder / f"{name}.png", folder / f"{name}_mask.png", kind, name, "train")


def patch(
    shape: tuple[int, ...] = (140, 180), box: tuple[int, int, int, int] = (40, 90, 60, 130)
) -> np.ndarray:
    mask = np.zeros(shape[:2], bool)
    mask[box[0] : box[1], box[2] : box[3]] = True
    return mask
