"""KolektorSDD: kosNN/PartM.jpg with PartM_label.bmp; each kosNN is one physical commutator, one group.

D. Tabernik et al., "Segmentation-based deep-learning approach for surface-defect detection", Journal of
Intelligent Manufacturing, 2019. It has no split; which images are defective is known from the masks alone.
Knows files and masks, nothing of splits.
"""

from __future__ import annotations

import re
from pathlib import Path

from exdd_core.datasets.record import DEFECT, NORMAL, Record, image_files, in_natural_order, subfolders
from exdd_core.errors import BadInput
from exdd_core.images import Size, read_mask

NAME = "kolektor_sdd"
TITLE = "KolektorSDD (kosNN/PartM.jpg)"
DEFAULT_SIZE = Size(256, 632)
TEST_EVERY = (3, 3)  # of the groups without and with a defect, see groups.grouped_split


def detect(root: Path) -> bool:
    return any(next(part.glob("Part*_label.*"), None) for part in _parts(root))


def read(root: Path) -> list[Record]:
    """One record an image, split "". Raises `BadInput` for an image without its label file."""
    records = []
    for part in _parts(root):
        files = {path.stem: path for path in image_files(part) if path.parent == part}
        for stem, path in files.items():
            if stem.endswith("_label"):
                continue
            mask = files.get(f"{stem}_label")
            if mask is None:
                raise BadInput(
                    f"{part.name}/{path.name} has no label file {stem}_label.bmp, so nobody knows whether it "
                    "is normal; add the file or take the image out."
                )
            defect = bool(read_mask(mask, None).any())
            records.append(
                Record(
                    path=path.relative_to(root).as_posix(),
                    label=DEFECT if defect else NORMAL,
                    defect_type="defect" if defect else "",
                    mask=mask.relative_to(root).as_posix() if defect else None,
                    split="",
                    group=part.name,
                )
            )
    return in_natural_order(records)


def _parts(root: Path) -> list[Path]:
    return [folder for folder in subfolders(root) if re.fullmatch(r"kos\d+", folder.name)]
