"""KolektorSDD2: train/ and test/, each with NNNNN.png and its mask NNNNN_GT.png; the split is its own.

J. Božič, D. Tabernik, D. Skočaj, "Mixed supervision for surface-defect detection", Computers in Industry,
2021. An image whose mask is empty is normal. The layout does not say which part an image shows: every image
is its own group. Knows names of files. Does not know pixels.
"""

from __future__ import annotations

from exdd_core.datasets.pairing import is_copy, masks_within
from exdd_core.datasets.record import BY_MASK, Reading, in_natural_order, record_of
from exdd_core.datasets.tree import Tree, base, name_key, stem
from exdd_core.errors import BadInput
from exdd_core.images import Size
from exdd_core.sentences import count

NAME = "ksdd2"
TITLE = "KolektorSDD2 (train/, test/, NNNNN_GT.png)"
DEFAULT_SIZE = Size(224, 632)
MASK_ENDING = "_GT"
COPY = "copies of other files in the folder, such as the one in the official archive"
NO_MASK = "without a mask, it is unknown whether they are normal; add their masks"
FEW = 0.1  # share of the images that may have no mask


def detect(tree: Tree) -> bool:
    return tree.has_folder("test") and any(_is_mask(name) for name in tree.directly_in("train"))


def read(tree: Tree) -> Reading:
    """One record for each image with a mask, which tells the label.

    Raises `BadInput` if many images have none.
    """
    records = []
    left: dict[str, str] = {}
    for split in ("train", "test"):
        files = tree.directly_in(split)
        masks_of, unused = masks_within(tree, split)
        left |= unused
        for name, masks in masks_of.items():
            if is_copy(name, files):
                left[name] = COPY
            elif not masks:
                left[name] = NO_MASK
            else:
                records.append(record_of(name, BY_MASK, "defect", masks, split, stem(name)))
    require_few(
        [name for name, why in left.items() if why == NO_MASK], len(records), f"mask NNN{MASK_ENDING}.png"
    )
    return Reading(in_natural_order(records), left)


def require_few(bare: list[str], others: int, what: str) -> None:
    """Raise `BadInput` if many images lack the file that tells their label.

    bare: these images. others: how many images have the file. what: its name, with NNN for the name of the
    image.
    """
    if len(bare) > FEW * (len(bare) + others):
        name, rest = bare[0], count(len(bare) - 1, "other has", "others have")
        more = f", and {rest} none either" if len(bare) > 1 else ""
        raise BadInput(
            f"{name} has no {what.replace('NNN', base(stem(name)))}{more}, so it is unknown whether it "
            "is normal; add the file or remove the image."
        )


def _is_mask(name: str) -> bool:
    return name_key(stem(name)).endswith(name_key(MASK_ENDING))
