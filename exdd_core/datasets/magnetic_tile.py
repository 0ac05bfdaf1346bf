"""Magnetic tile surface defects: MT_Free, MT_Blowhole, ... each with Imgs/expE_num_N.jpg and a .png mask.

Y. Huang, C. Qiu, K. Yuan, "Surface defect saliency of magnetic tile", The Visual Computer, 2018. One physical
tile was photographed at up to six exposures E within a few dozen frames N. So a group is a chain of images,
over all classes, whose frame numbers have gaps of at most 200. There is no split. Knows names of files. Does
not know pixels.
"""

from __future__ import annotations

import re

from exdd_core.datasets.pairing import IMAGE_LEFT_OUT, NO_IMAGE
from exdd_core.datasets.record import DEFECT, NORMAL, Reading, Record, in_natural_order
from exdd_core.datasets.tree import Tree, base, name_key, stem
from exdd_core.errors import BadInput
from exdd_core.images import Size

NAME = "magnetic_tile"
TITLE = "Magnetic tile (MT_Free, MT_Blowhole, ...)"
DEFAULT_SIZE = Size(256, 256)
TEST_EVERY = (3, 2)  # of the groups without and with a defect, see groups.grouped_split
LARGEST_GAP = 200


def detect(tree: Tree) -> bool:
    return any(folder == "MT_Free" for folder in _classes(tree))


def read(tree: Tree) -> Reading:
    """One record for each image, with split "". Raises `BadInput` for a file name without a frame number."""
    found: list[tuple[int, str, str]] = []
    masks: dict[str, str] = {}
    for folder in _classes(tree):
        for name in tree.below(f"{folder}/Imgs"):
            if name.lower().endswith(".png"):
                masks[name_key(stem(name))] = name
                continue
            match = re.fullmatch(r"exp\d+_num_(\d+)", base(stem(name)))
            if not match:
                raise BadInput(
                    f"{name} is not named expE_num_N.jpg, so the tile it shows is unknown; rename or "
                    "remove it."
                )
            found.append((int(match[1]), name, folder.removeprefix("MT_").lower()))
    groups = chain_frames([frame for frame, _, _ in found])
    records = in_natural_order(_record(name, kind, groups[frame], masks) for frame, name, kind in found)
    taken = {record.mask for record in records}
    unread = {name_key(stem(name)) for name in tree.unread}
    left = {name: key in unread for key, name in masks.items() if name not in taken}
    return Reading(records, {name: IMAGE_LEFT_OUT if out else NO_IMAGE for name, out in left.items()})


def chain_frames(frames: list[int]) -> dict[int, str]:
    """The group of each frame number: chains of gaps of at most 200, named by their first and last frame."""
    chains: list[list[int]] = []
    for frame in sorted(set(frames)):
        if not chains or frame - chains[-1][-1] > LARGEST_GAP:
            chains.append([])
        chains[-1].append(frame)
    return {frame: f"frames {chain[0]}-{chain[-1]}" for chain in chains for frame in chain}


def _record(name: str, kind: str, group: str, masks: dict[str, str]) -> Record:
    normal = kind == "free"
    return Record(
        path=name,
        label=NORMAL if normal else DEFECT,
        defect_type="" if normal else kind,
        mask=masks.get(name_key(stem(name))),
        split="",
        group=group,
    )


def _classes(tree: Tree) -> list[str]:
    return [
        folder
        for folder in tree.subfolders()
        if folder.startswith("MT_") and tree.has_folder(f"{folder}/Imgs")
    ]
