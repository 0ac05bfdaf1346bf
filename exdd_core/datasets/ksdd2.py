"""KolektorSDD2: train/ and test/, each with NNNNN.png and its mask NNNNN_GT.png; the split is its own.

J. Božič, D. Tabernik, D. Skočaj, "Mixed supervision for surface-defect detection", Computers in
Industry, 2021.
An image whose mask is empty is normal. Which part an image shows is not told: every image is its own group.
Knows files and masks.
"""

from __future__ import annotations

from pathlib import Path

from exdd_core.datasets.record import DEFECT, NORMAL, Record, image_files, in_natural_order
from exdd_core.errors import BadInput
from exdd_core.images import Size, read_mask

NAME = "ksdd2"
TITLE = "KolektorSDD2 (train/, test/, NNNNN_GT.png)"
DEFAULT_SIZE = Size(224, 632)
MASK_ENDING = "_GT"


def detect(root: Path) -> bool:
    return all((root / split).is_dir() for split in ("train", "test")) and any(
        (root / "train").glob(f"*{MASK_ENDING}.png")
    )


def read(root: Path) -> list[Record]:
    """One record an image. Raises `BadInput` for one without its mask: only the mask tells the label."""
    records = []
    for split in ("train", "test"):
        files = {path.stem: path for path in image_files(root / split) if path.parent == root / split}
        for stem, path in files.items():
            if stem.endswith(MASK_ENDING):
                continue
            mask = files.get(stem + MASK_ENDING)
            if mask is None:
                raise BadInput(
                    f"{split}/{path.name} has no mask {stem}{MASK_ENDING}.png, so nobody knows whether it is "
                    "normal; add the file or take the image out."
                )
            defect = bool(read_mask(mask, None).any())
            records.append(
                Record(
                    path=f"{split}/{path.name}",
                    label=DEFECT if defect else NORMAL,
                    defect_type="defect" if defect else "",
                    mask=f"{split}/{mask.name}" if defect else None,
                    split=split,
                    group=f"{split}/{stem}",
                )
            )
    return in_natural_order(records)
