"""Magnetic tile surface defects: MT_Free, MT_Blowhole, ... each with Imgs/expE_num_N.jpg and a .png mask.

Y. Huang, C. Qiu, K. Yuan, "Surface defect saliency of magnetic tile", The Visual Computer, 2018. One physical
tile was photographed under up to six exposures E within a few dozen frames N, so images whose frame numbers
are chained by gaps of at most 200 are one group, over all classes. No split. Knows file names, no pixels.
"""

from __future__ import annotations

import re
from pathlib import Path

from exdd_core.datasets.record import DEFECT, NORMAL, Record, image_files, in_natural_order, subfolders
from exdd_core.errors import BadInput
from exdd_core.images import Size

NAME = "magnetic_tile"
TITLE = "Magnetic tile (MT_Free, MT_Blowhole, ...)"
DEFAULT_SIZE = Size(256, 256)
TEST_EVERY = (3, 2)  # of the groups without and with a defect, see groups.grouped_split
LARGEST_GAP = 200


def detect(root: Path) -> bool:
    return any(folder.name == "MT_Free" for folder in _classes(root))


def read(root: Path) -> list[Record]:
    """One record an image, split "". Raises `BadInput` for a file name without its frame number."""
    found: list[tuple[int, Path, str]] = []
    for folder in _classes(root):
        for path in image_files(folder / "Imgs"):
            if path.suffix.lower() == ".png":  # a mask
                continue
            match = re.fullmatch(r"exp\d+_num_(\d+)", path.stem)
            if not match:
                raise BadInput(
                    f"{path.relative_to(root).as_posix()} is not named expE_num_N.jpg, so the tile it shows "
                    "is unknown; rename it or take it out."
                )
            found.append((int(match[1]), path, folder.name.removeprefix("MT_").lower()))
    groups = chain_frames([frame for frame, _, _ in found])
    return in_natural_order(_record(root, path, kind, groups[frame]) for frame, path, kind in found)


def chain_frames(frames: list[int]) -> dict[int, str]:
    """The group of each frame number: chains of gaps of at most 200, named by their first and last frame."""
    chains: list[list[int]] = []
    for frame in sorted(set(frames)):
        if not chains or frame - chains[-1][-1] > LARGEST_GAP:
            chains.append([])
        chains[-1].append(frame)
    return {frame: f"frames {chain[0]}-{chain[-1]}" for chain in chains for frame in chain}


def _record(root: Path, path: Path, kind: str, group: str) -> Record:
    normal = kind == "free"
    mask = path.with_suffix(".png")
    return Record(
        path=path.relative_to(root).as_posix(),
        label=NORMAL if normal else DEFECT,
        defect_type="" if normal else kind,
        mask=None if normal or not mask.is_file() else mask.relative_to(root).as_posix(),
        split="",
        group=group,
    )


def _classes(root: Path) -> list[Path]:
    return [f for f in subfolders(root) if f.name.startswith("MT_") and (f / "Imgs").is_dir()]
