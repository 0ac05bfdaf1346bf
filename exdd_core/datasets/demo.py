"""The demo data set: images of surfaces with defects, made from a seed.

A *part* is a small piece of surface, with a defect or without. Two *shots* of it are rendered with the lamp,
the exposure and the part's position slightly changed, as similar as two photographs of one part. The files
have the layout of plain folders; their names are MATERIAL_NN_SHOT.png, where MATERIAL_NN is the part. Knows
files and parts. Does not know how surfaces and defects are computed, banks or scores.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import cv2
import numpy as np

from exdd_core.datasets import folder as plain
from exdd_core.datasets.demo_defects import DEFECTS
from exdd_core.datasets.demo_surfaces import FINE, MARGIN, MATERIALS, SIDE, Array, photograph
from exdd_core.datasets.groups import GroupRule
from exdd_core.datasets.record import Reading
from exdd_core.datasets.tree import Tree
from exdd_core.errors import BadInput
from exdd_core.images import Size, encode_png
from exdd_core.progress import Progress

NAME = "demo"
TITLE = "Demo surfaces (made by this program)"
DEFAULT_SIZE = Size(256, 256)
TEST_EVERY = plain.TEST_EVERY
PART_OF_NAME = GroupRule("pattern", r"^(.+)_\d+\.png$")
MARKER = "demo.json"
SHOTS = 2


def detect(tree: Tree) -> bool:
    return MARKER in tree.files and plain.detect(tree)


def read(tree: Tree) -> Reading:
    """One record for each image, with split "", grouped by part."""
    return plain.read(tree, PART_OF_NAME)


def generate(
    folder: Path,
    seed: int = 0,
    normal: int = 60,
    defective: int = 24,
    progress: Progress | None = None,
) -> Path:
    """Write `normal` + `defective` images and masks into `folder`, whole or not at all, and return it.

    The same seed gives the same files byte for byte. Raises `BadInput` unless `folder` is empty or missing.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(
            f"{folder} already exists and is not an empty folder; choose a new folder for the demo images."
        )
    progress = progress or Progress()
    progress.begin("Painting demo surfaces", normal + defective)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".demo-", dir=folder.parent))
    try:
        counts = dict.fromkeys(MATERIALS, 0)
        for kind, images in (("good", normal), ("defect", defective)):
            for index, shots in enumerate(_shots(images)):
                material = list(MATERIALS)[index % len(MATERIALS)]
                # The order of types starts one later with each material, so each type is on both sides of the
                # split.
                turn = index // len(MATERIALS) + index % len(MATERIALS)
                defect = list(DEFECTS)[turn % len(DEFECTS)] if kind == "defect" else None
                counts[material] += 1
                rng = np.random.default_rng([seed, kind == "defect", index])
                name = f"{material}_{counts[material]:02d}"
                _write_part(made, name, material, defect, shots, rng, progress)
        (made / MARKER).write_text(
            json.dumps({"seed": seed, "normal": normal, "defective": defective}) + "\n"
        )
        made.chmod(0o755)
        made.rename(folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return folder


def _shots(images: int) -> list[int]:
    """How many shots each part has, for `images` in all."""
    return [min(SHOTS, images - start) for start in range(0, images, SHOTS)]


def _write_part(
    root: Path,
    name: str,
    material: str,
    defect: str | None,
    shots: int,
    rng: np.random.Generator,
    progress: Progress,
) -> None:
    surface = MATERIALS[material](rng)
    place = f"defect/{defect}" if defect else "good"
    mask = DEFECTS[defect](surface, rng) if defect else None
    for shot in range(1, shots + 1):
        top, left = rng.integers(0, MARGIN * FINE + 1, 2)
        window = np.s_[top : top + SIDE * FINE, left : left + SIDE * FINE]
        _write(root / place / f"{name}_{shot}.png", photograph(surface, window, rng))
        if mask is not None:
            share = cv2.resize(mask[window].astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            _write(root / "masks" / place / f"{name}_{shot}.png", share >= 0.5)
        progress.advance()


def _write(path: Path, pixels: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(pixels))
