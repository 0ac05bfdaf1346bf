"""MVTec AD and what follows its pattern: train/good, test/good, test/TYPE, and masks in ground_truth/TYPE.

P. Bergmann et al., "The MVTec anomaly detection dataset", International Journal of Computer Vision, 2021; LOCO, whose
images have several masks each (ground_truth/TYPE/NNN/), and AD 2 (test_public/) by the same authors; BTAD (ok, ko) by
P. Mishra et al., 2021; VisA as its authors convert it. The split is kept; a validation side counts as training. The
training side mostly has no defects, so a bank of defects needs synthetic ones. Which part an image shows is not told:
every image is its own group. Knows folders and names, no pixels.
"""

from __future__ import annotations

from exdd_core.datasets.pairing import in_mask_folder, joined, masks_in_folders, named_masks
from exdd_core.datasets.record import DEFECT, NORMAL, Reading, Record, in_natural_order
from exdd_core.datasets.tree import Tree, base, parent, stem
from exdd_core.datasets.words import is_held_back, label_word, split_word
from exdd_core.errors import BadInput
from exdd_core.images import Size

NAME = "mvtec"
TITLE = "MVTec AD and its kin (train/good, test/TYPE, ground_truth/TYPE)"
DEFAULT_SIZE = Size(256, 256)
NO_IMAGE = "masks of which no image has the name"
NO_FOLDER = "images of a split lie in a folder named good or by the type of defect"


def detect(tree: Tree) -> bool:
    return _is_category(tree, "") or bool(_categories(tree))


def read(tree: Tree) -> Reading:
    """One record an image of the category `root`. Raises `BadInput` for the folder of all categories."""
    if not _is_category(tree, ""):
        names = _categories(tree)
        raise BadInput(
            f"{tree.root} holds {len(names)} categories of MVTec AD ({', '.join(names)}); choose one, "
            f"such as {tree.root / names[0]}."
        )
    left: dict[str, str] = {}
    kinds: dict[str, str] = {}  # image -> the folder that says normal or the type of defect
    for name in tree.images:
        parts = parent(name).split("/")
        if in_mask_folder(name) or not split_word(parts[0]):
            continue
        if len(parts) > 1:
            kinds[name] = "/".join(parts[1:])
        else:
            left[name] = NO_FOLDER
    beside = named_masks(kinds)
    for own in beside.values():
        for mask in own:
            kinds.pop(mask, None)
    normal = {name for name, kind in kinds.items() if label_word(kind.split("/")[0]) == NORMAL}
    masks = [name for name in tree.images if in_mask_folder(name)]
    found = joined(beside, masks_in_folders([name for name in kinds if name not in normal], masks))
    taken = {mask for own in found.values() for mask in own}
    found = joined(found, masks_in_folders(list(normal), [mask for mask in masks if mask not in taken]))
    taken = {mask for own in found.values() for mask in own}
    left |= {mask: NO_IMAGE for mask in masks if mask not in taken}
    records = in_natural_order(
        _record(name, kind, name in normal, found.get(name, [])) for name, kind in kinds.items()
    )
    held_back = sorted({name.split("/")[0] for name in kinds if is_held_back(name.split("/")[0])})
    return Reading(records, left, notes=[f"{name}/ counts as training." for name in held_back])


def _record(name: str, kind: str, normal: bool, masks: list[str]) -> Record:
    return Record(
        path=name,
        label=NORMAL if normal else DEFECT,
        defect_type="" if normal else kind,
        mask=masks[0] if masks else None,
        split=split_word(name.split("/")[0]),
        group=stem(name),
        more_masks=tuple(masks[1:]),
    )


def _is_category(tree: Tree, root: str) -> bool:
    sides: dict[str, list[str]] = {"train": [], "test": []}
    for folder in tree.subfolders(root):
        if side := split_word(base(folder)):
            sides[side] += tree.subfolders(folder)
    trained = any(label_word(base(folder)) == NORMAL and tree.below(folder) for folder in sides["train"])
    return trained and bool(sides["test"])


def _categories(tree: Tree) -> list[str]:
    return [folder for folder in tree.subfolders() if _is_category(tree, folder)]
