"""KolektorSDD: kosNN/PartM.jpg with PartM_label.bmp; each kosNN is one physical commutator, one group.

D. Tabernik et al., "Segmentation-based deep-learning approach for surface-defect detection", Journal of
Intelligent Manufacturing, 2019. It has no split; only the masks tell which images are defective. Knows names
of files. Does not know pixels.
"""

from __future__ import annotations

import re

from exdd_core.datasets.ksdd2 import require_few
from exdd_core.datasets.pairing import masks_within
from exdd_core.datasets.record import BY_MASK, Reading, in_natural_order, record_of
from exdd_core.datasets.tree import Tree, base, stem
from exdd_core.images import Size

NAME = "kolektor_sdd"
TITLE = "KolektorSDD (kosNN/PartM.jpg)"
DEFAULT_SIZE = Size(256, 632)
TEST_EVERY = (3, 3)  # of the groups without and with a defect, see groups.grouped_split
NO_LABEL = "without a label file, it is unknown whether they are normal; add PartM_label.bmp"


def detect(tree: Tree) -> bool:
    return any(
        base(stem(name)).endswith("_label") for part in _parts(tree) for name in tree.directly_in(part)
    )


def read(tree: Tree) -> Reading:
    """One record for each image with a label file. Raises `BadInput` if many images have none."""
    records = []
    left: dict[str, str] = {}
    for part in _parts(tree):
        masks_of, unused = masks_within(tree, part)
        left |= unused
        for name, masks in masks_of.items():
            if masks:
                records.append(record_of(name, BY_MASK, "defect", masks, "", base(part)))
            else:
                left[name] = NO_LABEL
    require_few(
        [name for name, why in left.items() if why == NO_LABEL], len(records), "label file NNN_label.bmp"
    )
    return Reading(in_natural_order(records), left)


def _parts(tree: Tree) -> list[str]:
    return [folder for folder in tree.subfolders() if re.fullmatch(r"kos\d+", folder)]
