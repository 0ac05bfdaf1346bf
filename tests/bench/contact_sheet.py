"""Contact sheets of real, procedural, transplanted and quilted defects: one PNG a data set, 12 crops of each.

All at the same scale, from the training split only. The engines paint into normal training images, with masks
borrowed from real defects of other parts, one of every kind in turn, and moved to a place of their own.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from exdd_core import datasets
from exdd_core.datasets import DEFECT, NORMAL, Record
from exdd_core.errors import BadInput
from exdd_core.images import encode_png, read_image, read_mask
from exdd_core.synthesis import engine_named, mask_spec, masks
from exdd_core.synthesis.request import Donor, PaintRequest
from tests.bench import real_images

COUNT, COLUMNS, SIDE, LABEL = 12, 6, 256, 18
ATTEMPTS = 5  # normal images that are tried for one painting
SHEETS = {
    "tiles": ("magnetic_tile", 170),
    "commutators": ("kolektor_sdd", 280),
}  # folder, pixels that a crop shows
PROMPTS = {  # what a person would write for a defect of this kind
    "blowhole": "dark pit",
    "break": "deep chip",
    "crack": "dark crack",
    "fray": "worn grain-break",
    "uneven": "soft stain",
    "defect": "dark crack",  # the commutators'
}


def main(options: argparse.Namespace) -> None:
    data = real_images()
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    for name, (folder, side) in SHEETS.items():
        path = out / f"contact_sheet_{name}.png"
        path.write_bytes(encode_png(sheet(data / folder, side)))
        print(f"{path}: {COUNT} each, real, procedural, transplanted, quilted; {side} pixels a crop")


def sheet(root: Path, side: int) -> np.ndarray:
    """uint8 (H, W, 3): four blocks of crops, labelled."""
    _, records = datasets.read_layout(root)
    training = [record for record in records if record.split == "train"]
    lenders = _in_turn([r for r in training if r.label == DEFECT and r.mask])
    normals = _one_a_part([r for r in training if r.label == NORMAL])
    blocks = {"real": [_real(root, record, side) for record in lenders[:COUNT]]}
    for name in ("procedural", "transplant", "quilt"):
        blocks[name] = []
        for i in range(COUNT):
            # Other donors than those shown above, so that nobody compares a defect with its own copy.
            lender = lenders[(i + COUNT) % len(lenders)]
            others = [normals[(5 * i + k) % len(normals)] for k in range(len(normals))]
            others = [normal for normal in others if normal.group != lender.group]
            blocks[name].append(_painted(root, name, others[:ATTEMPTS], lender, i, side))
    return np.vstack([_block(f"{root.name}: {name}", crops) for name, crops in blocks.items()])


def _in_turn(records: list[Record]) -> list[Record]:
    """One defect of every kind in turn, and of a kind from another part each time while there are any."""
    kinds: dict[str, list[Record]] = {}
    for record in records:
        kinds.setdefault(record.defect_type, []).append(record)
    for kind, members in kinds.items():
        seen: Counter[str] = Counter()
        again = []  # how many of the same part came before
        for record in members:
            again.append(seen[record.group])
            seen[record.group] += 1
        kinds[kind] = [members[i] for i in sorted(range(len(members)), key=lambda i: again[i])]
    longest = max(len(members) for members in kinds.values())
    return [members[i] for i in range(longest) for members in kinds.values() if i < len(members)]


def _one_a_part(records: list[Record]) -> list[Record]:
    return list({record.group: record for record in reversed(records)}.values())


def _real(root: Path, record: Record, side: int) -> tuple[str, np.ndarray]:
    image = read_image(root / record.path)
    return record.defect_type, _crop(image, read_mask(root / str(record.mask), image.shape[:2]), side)


def _painted(
    root: Path, name: str, normals: list[Record], lender: Record, seed: int, side: int
) -> tuple[str, np.ndarray]:
    """One painting into the first of `normals` in which it is visible; that of a dark border may not be."""
    paths = (root / lender.path, root / str(lender.mask))
    donor = Donor(lender.path, *paths, lender.defect_type, lender.group, lender.split)
    prompt = PROMPTS[lender.defect_type] if name == "procedural" else ""
    for normal in normals:
        image = read_image(root / normal.path)
        spec = mask_spec.MaskSpec("real", image=lender.path, vary=True)
        mask = masks.realise(spec, image, seed, read_mask(paths[1], None))
        try:
            painting = engine_named(name).paint(PaintRequest(image, mask, prompt, seed=seed, donor=donor))
        except BadInput as refused:
            print(f"{name} {seed} into {normal.path}: {refused}")
        else:
            return prompt or lender.defect_type, _crop(painting.image, painting.mask, side)
    sys.exit(f"{name} painted nothing with the mask of {lender.path}.")


def _crop(image: np.ndarray, mask: np.ndarray, side: int) -> np.ndarray:
    """uint8 (SIDE, SIDE, 3): the `side` pixels around a mask; black outside the image."""
    rows, columns = np.nonzero(mask)
    top = int(np.clip(rows.mean() - side / 2, 0, max(0, image.shape[0] - side)))
    left = int(np.clip(columns.mean() - side / 2, 0, max(0, image.shape[1] - side)))
    part = image[top : top + side, left : left + side]
    canvas = np.zeros((side, side, 3), np.uint8)
    canvas[: part.shape[0], : part.shape[1]] = part
    return cv2.resize(canvas, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def _block(title: str, crops: list[tuple[str, np.ndarray]]) -> np.ndarray:
    lines = [_labelled(title, np.zeros((0, COLUMNS * SIDE, 3), np.uint8))]
    for start in range(0, len(crops), COLUMNS):
        line = [_labelled(text, crop) for text, crop in crops[start : start + COLUMNS]]
        lines.append(np.hstack(line))
    return np.vstack(lines)


def _labelled(text: str, picture: np.ndarray) -> np.ndarray:
    label = np.full((LABEL, picture.shape[1], 3), 24, np.uint8)
    cv2.putText(label, text, (4, LABEL - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (235, 235, 235), 1, cv2.LINE_AA)
    return np.vstack([label, picture])
