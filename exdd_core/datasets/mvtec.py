"""MVTec AD and data sets of its pattern: train/good, test/good, test/TYPE, and masks in ground_truth/TYPE.

P. Bergmann et al., "The MVTec anomaly detection dataset", International Journal of Computer Vision, 2021;
LOCO, with several masks for each image (ground_truth/TYPE/NNN/), AD 2 (test_public/), and 3D-AD, of which the
pictures (rgb/, gt/) are read, by the same authors;
BTAD (ok, ko) by P. Mishra et al., 2021; VisA as its authors convert it. The split is kept; a validation side
counts as training. The training side mostly has no defects, so the positive bank needs synthetic ones. The
layout does not say which part an image shows: unless a rule groups them, every image is its own group. A folder
whose name may not be a defect type becomes a question. Knows folders and names. Does not know pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from exdd_core.datasets.annotated import annotations_of
from exdd_core.datasets.categories import choose_one
from exdd_core.datasets.groups import GroupRule, apply_rule
from exdd_core.datasets.left_out import AS_CHOSEN
from exdd_core.datasets.pairing import in_mask_folder, paired
from exdd_core.datasets.record import DEFECT, NORMAL, Outline, Reading, Record, in_natural_order, record_of
from exdd_core.datasets.roles import ASKED, MASK, NONE, UNKNOWN, checked, place_of_mask, questions, role_of
from exdd_core.datasets.tree import Tree, base, is_below, name_key, parent, stem
from exdd_core.datasets.words import (
    is_held_back,
    is_image_word,
    is_mask_word,
    label_word,
    role_guess,
    split_word,
    squeezed,
)
from exdd_core.errors import BadInput
from exdd_core.images import Size

NAME = "mvtec"
TITLE = "MVTec AD and similar (train/good, test/TYPE, ground_truth/TYPE)"
DEFAULT_SIZE = Size(256, 256)
GROUPS = True
ASKS = True  # `read` takes answers to the layout's questions
PRIVATE = "their authors do not publish the labels, so it is unknown whether they are normal"
POINTS = "they hold the coordinates of points, which are not read; the pictures lie beside them in rgb/"
# Names of folders that are no defect type.
NO_TYPE = frozenset(("unlabeled", "unlabelled", "unknown", "other", "misc"))
OUTSIDE = "outside"  # the role of pictures outside of folders of a split


def detect(tree: Tree) -> bool:
    """Whether the root is a category or holds some; a single one below the root is found there instead."""
    if _is_category(tree, ""):
        return True
    found = _categories(tree)
    alone = len(found) == 1 and (len(tree.subfolders()) == 1 or is_image_word(base(found[0])))
    return bool(found) and not alone


def read(tree: Tree, rule: GroupRule | None = None, roles: Mapping[str, str] | None = None) -> Reading:
    """One record for each image of the category at the root. roles: folder -> a key of `record.ROLES`.

    Raises `BadInput` for a folder of several categories, for a role of a folder that does not exist, and for a rule by
    subfolders or one that leaves an image without a group.
    """
    if rule is not None and rule.kind == "subfolder":
        raise BadInput(
            "Folders of this layout are defect types, not parts; group by a CSV file or a pattern."
        )
    if not _is_category(tree, ""):
        raise choose_one(tree, _categories(tree), "MVTec AD")
    answers = checked(tree, roles or {})
    points = {name: POINTS for name in tree.images if _holds_points(tree, parent(name))}
    tree = replace(tree, images=tuple(name for name in tree.images if name not in points))
    marked = {part for name in tree.images if in_mask_folder(name) for part in parent(name).split("/")}
    role = {name: _role(parent(name), answers, marked) for name in (*tree.images, *tree.unread)}
    tested = {name_key(base(parent(name))) for name in role if split_word(name.split("/")[0]) == "test"}
    places = {name: _place(place_of_mask(name, answers), tested) for name in role if role[name] == MASK}
    pairs = paired(role, tree.unread, places)
    images = [name for name in tree.images if name not in pairs.masks]
    chosen = [name for name in images if role[name] in (NORMAL, DEFECT)]
    unknown = [name for name in images if role[name] == UNKNOWN]
    left = pairs.left_out(chosen)
    left |= {mask: AS_CHOSEN for name, own in pairs.of.items() if role[name] == NONE for mask in own}
    left |= {name: AS_CHOSEN for name in images if role[name] == NONE} | {name: ASKED for name in unknown}
    left |= points
    left |= {name: PRIVATE for name in images if role[name] == OUTSIDE and _is_private(name)}
    annotations = annotations_of(tree)
    records = in_natural_order(
        _record(name, role[name], pairs.of.get(name, []), annotations.outlines.get(name, ()))
        for name in chosen
    )
    records = records if rule is None else apply_rule(records, rule)
    sides = sorted({name.split("/")[0] for name in chosen})
    notes = [f"{side}/ counts as training." for side in sides if is_held_back(side) or not split_word(side)]
    notes += annotations.notes
    return Reading(records, left, questions(unknown, chosen), notes, annotations.used, annotations.problems)


def _record(name: str, label: str, masks: list[str], outlines: tuple[Outline, ...]) -> Record:
    side, *kind = parent(name).split("/")
    kinds = "/".join(part for part in kind if not is_image_word(part)) or "defect"
    outlines = () if masks else outlines
    return record_of(name, label, kinds, masks, split_word(side) or "train", stem(name), outlines)


def _role(folder: str, answers: Mapping[str, str], marked: set[str]) -> str:
    """The role of the images directly in a folder. marked: names of folders that also exist below a folder of
    masks.

    A folder of the test side is a defect type unless its name suggests something else. A folder of the
    training side is a defect type only if there are masks for it.
    """
    role = role_of(folder, answers)
    side, *kind = folder.split("/")
    answered = [name for name in answers if name and is_below(f"{folder}/", name)]
    if role in (MASK, NONE) or any("/" in name or not split_word(side) for name in answered):
        return role
    if not split_word(side):
        return OUTSIDE
    unsure = answers.get(side, UNKNOWN)
    if not kind:
        return unsure
    if label_word(kind[0]):
        return role_of("/".join(kind), {})
    if any(label_word(part) == NORMAL for part in kind):
        return UNKNOWN
    if kind[0] in marked:
        return DEFECT
    says_type = (
        squeezed(kind[0]) not in NO_TYPE
        and not is_image_word(kind[0])
        and role_guess(kind[0]) in ("", DEFECT)
    )
    return DEFECT if split_word(side) == "test" and says_type else unsure


def _place(mask: str, tested: set[str]) -> str:
    """The path to compare with images: below test/ if the mask's folders name a type of the test side and no
    side."""
    parts = parent(mask).split("/")
    kinds = [part for part in parts if not is_mask_word(part)]
    return (
        f"test/{mask}" if kinds and not any(map(split_word, parts)) and name_key(kinds[0]) in tested else mask
    )


def _holds_points(tree: Tree, folder: str) -> bool:
    """Whether a folder is that of MVTec 3D-AD's point clouds, beside one of pictures."""
    return base(folder) == "xyz" and tree.has_folder(f"{parent(folder)}/rgb")


def _is_private(name: str) -> bool:
    """Whether a file lies in one of the test sides of MVTec AD 2 that have no labels."""
    return squeezed(name.split("/")[0]).startswith("testprivate")


def _is_category(tree: Tree, root: str) -> bool:
    sides: dict[str, list[str]] = {"train": [], "test": []}
    for folder in tree.subfolders(root):
        if side := split_word(base(folder)):
            sides[side] += tree.subfolders(folder)
    trained = any(label_word(base(folder)) == NORMAL and tree.below(folder) for folder in sides["train"])
    return trained and bool(sides["test"])


def _categories(tree: Tree) -> list[str]:
    return [folder for folder in tree.subfolders() if _is_category(tree, folder)]
