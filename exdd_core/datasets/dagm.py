"""DAGM 2007: ClassN/Train/NNNN.PNG and ClassN/Test/NNNN.PNG, with Label/NNNN_label.PNG in both for defective
images.

M. Wieler, T. Hahn, "Weakly supervised learning for industrial optical inspection", DAGM symposium, 2007. The
split is kept. An image without a label file is normal, unless Labels.txt names a label file that is missing.
The layout does not say which part an image shows: every image is its own group. Knows names. Does not know
pixels.
"""

from __future__ import annotations

import re
from contextlib import suppress

from exdd_core import files
from exdd_core.datasets.categories import choose_one, detect_category
from exdd_core.datasets.pairing import paired
from exdd_core.datasets.record import DEFECT, NORMAL, Reading, in_natural_order, record_of
from exdd_core.datasets.texts import MOST_BYTES
from exdd_core.datasets.tree import Tree, base, is_below, name_key, parent, stem
from exdd_core.datasets.words import split_word
from exdd_core.errors import BadInput
from exdd_core.images import Size

NAME = "dagm"
TITLE = "DAGM 2007 (Train/, Test/, each with Label/NNNN_label.PNG)"
DEFAULT_SIZE = Size(256, 256)
BY_DEFINITION = "Images without a label file are normal: the layout has label files for defects only."
WEAK = (
    "Masks are ellipses drawn around the defects and larger than the defects, so pixel figures are only "
    "approximate."
)
LABEL = re.compile(r"\b(\d+)_label\.\w+", re.IGNORECASE)


def detect(tree: Tree) -> bool:
    """Whether the root is a class or holds some."""
    return detect_category(tree, _is_class, _classes)


def read(tree: Tree) -> Reading:
    """One record for each image of the class at the root.

    Raises `BadInput` for a folder of several classes.
    """
    sides = _sides(tree, "")
    if not sides:
        raise choose_one(tree, _classes(tree), "DAGM 2007")
    role: dict[str, str] = {}
    defective: set[str] = set()
    used = set()
    for side in sides:
        for name in (*tree.images, *tree.unread):
            if parent(name) == side:
                role[name] = DEFECT
            elif _is_label(name) and is_below(name, side):
                role[name] = "mask"
        for name in tree.files:
            if is_below(name, side) and (numbers := _listed(tree, name)):
                used.add(name)
                defective |= {f"{name_key(side)}/{number}" for number in numbers}
    pairs = paired(role, tree.unread)
    defective |= {name_key(stem(name)) for name in pairs.of}
    records = []
    for name in tree.images:
        if role.get(name) != DEFECT:
            continue
        label = DEFECT if name_key(stem(name)) in defective else NORMAL
        split = split_word(name.split("/")[0])
        records.append(record_of(name, label, "defect", pairs.of.get(name, []), split, stem(name)))
    left = pairs.left_out(record.path for record in records)
    return Reading(in_natural_order(records), left, notes=[BY_DEFINITION, WEAK], used=frozenset(used))


def _listed(tree: Tree, name: str) -> set[str]:
    """The numbers of the images for which Labels.txt names a label file."""
    if name_key(base(name)) != "labels.txt":
        return set()
    with suppress(OSError, BadInput):
        content = files.read_regular(tree.path(name), name, MOST_BYTES)
        return set(LABEL.findall(content.decode(errors="replace")))
    return set()


def _is_label(name: str) -> bool:
    return name_key(base(parent(name))) == "label"


def _sides(tree: Tree, root: str) -> list[str]:
    """The folders Train and Test of a class, if both hold images and one holds label files; else none."""
    sides = [folder for folder in tree.subfolders(root) if name_key(base(folder)) in ("train", "test")]
    labelled = any(
        _is_label(name) and LABEL.fullmatch(base(name)) for side in sides for name in tree.below(side)
    )
    return sides if labelled and len(sides) == 2 and all(map(tree.directly_in, sides)) else []


def _is_class(tree: Tree, root: str) -> bool:
    return bool(_sides(tree, root))


def _classes(tree: Tree) -> list[str]:
    return [folder for folder in tree.subfolders() if _is_class(tree, folder)]
