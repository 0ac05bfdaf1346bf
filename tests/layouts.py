"""Small files for tests of layouts: pictures, masks, and what a survey found in them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from exdd_core.datasets import Record, Survey

SHAPE = (24, 32)


def picture(path: Path) -> None:
    """A noisy picture, so that nothing takes it for a mask."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(map(ord, path.name)) + len(str(path))
    pixels = np.random.default_rng(seed).integers(60, 180, (*SHAPE, 3), dtype=np.uint8)
    written, data = cv2.imencode(".jpg" if path.suffix.lower() in (".jpg", ".jpeg") else ".png", pixels)
    assert written
    path.write_bytes(data.tobytes())


def mask(path: Path, value: int = 255, left: int = 4) -> None:
    """Black, but for a square of `value`; all black for 0."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros(SHAPE, dtype=np.uint8)
    pixels[5:11, left : left + 6] = value
    written, data = cv2.imencode(".bmp" if path.suffix.lower() == ".bmp" else ".png", pixels)
    assert written
    path.write_bytes(data.tobytes())


def gif(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"GIF89a\x01\x00\x01\x00\x00\x00\x00;")


def rows(found: Survey) -> dict[str, Record]:
    return {record.path: record for record in found.records}


def left_out(found: Survey) -> dict[str, str]:
    return {path: left.reason for left in found.left_out for path in left.paths}


def labels(found: Survey) -> Counter[tuple[str, str]]:
    return Counter((record.label, record.defect_type) for record in found.records)
