"""A small workspace for tests of curation: grey plates, plates with a bright bar, and bars painted on normal plates."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from exdd_core.banks.building import build_bank
from exdd_core.images import Size, encode_png
from exdd_core.synthesis.mask_spec import MaskSpec
from exdd_core.synthesis.orders import Recipe
from exdd_core.synthesis.request import Painting
from exdd_core.workspace import Workspace, candidates
from exdd_core.workspace.candidates import Candidate
from exdd_core.workspace.imports import import_dataset

SMALL = Size(64, 64)
SHAPE = (48, 64)


def plate(seed: int) -> np.ndarray:
    """A grey surface with grain, uint8 (48, 64, 3)."""
    return np.random.default_rng(seed).integers(90, 110, (*SHAPE, 3), dtype=np.uint8)


def painting(seed: int, strength: int = 110) -> Painting:
    """A bright bar painted on a plate; its place and tone come from the seed."""
    rng = np.random.default_rng([7, seed])
    image, mask = plate(seed), np.zeros(SHAPE, bool)
    y, x = rng.integers(2, 30), rng.integers(2, 30)
    mask[y : y + 12, x : x + 26] = True
    if strength:
        image[mask] = np.clip(image[mask].astype(int) + strength + rng.integers(-20, 20), 0, 255)
    return Painting(image, mask, "procedural", "1", {}, seed, [], 0.1)


def recipe(seed: int, **changed: object) -> Recipe:
    values: dict = {
        "number": 0,
        "dataset": "plates",
        "source": f"plates/good/{seed % 9}.png",
        "engine": "procedural",
        "template": "",
        "prompt": "bright bar",
        "negative_prompt": "",
        "prompt_id": "",
        "settings": {},
        "mask": MaskSpec("generated"),
        "seed": seed,
        "donor": "",
        "parent": "",
        "defect_type": "",
        "axes": [],
    }
    return Recipe(**values | changed)


def paint(workspace: Workspace, seed: int, strength: int = 110, **changed: object) -> Candidate:
    made = painting(seed, strength)
    return candidates.add(workspace, made, recipe(seed, **changed), made.mask)


def files(folder: Path) -> Path:
    """A folder of 15 normal plates and 12 with a bar, with masks."""
    source = folder / "plates"
    for i in range(15):
        (source / "good").mkdir(parents=True, exist_ok=True)
        (source / "good" / f"{i}.png").write_bytes(encode_png(plate(i)))
    for i in range(12):
        made = painting(1000 + i)
        for place, pixels in (("defect/bar", made.image), ("masks/bar", made.mask)):
            (source / place).mkdir(parents=True, exist_ok=True)
            (source / place / f"{i}.png").write_bytes(encode_png(pixels))
    return source


def build(folder: Path) -> Path:
    """A workspace with 15 normal plates, 12 with a bar, one bank version and six pending candidates: its path."""
    source = files(folder)
    workspace = Workspace.create(source.parent / "workspace", backbone="efficientnet_lite0")
    import_dataset(workspace, source, size=SMALL)
    build_bank(workspace, negative_ratio=0.2)
    for seed in range(6):
        paint(workspace, seed)
    return workspace.path


def pending(workspace: Workspace) -> list[str]:
    return [c.id for c in reversed(candidates.listed(workspace, status="pending"))]
