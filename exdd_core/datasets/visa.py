"""VisA as its authors publish it: a category with Data/Images/{Normal,Anomaly}, Data/Masks/Anomaly and
image_anno.csv.

Y. Zou et al., "SPot-the-Difference self-supervised pre-training for anomaly detection and segmentation",
ECCV, 2022. image_anno.csv says the defect types. The official split is split_csv/1cls.csv in the folder of
all categories; without it the grouped split is made. The layout does not say which part an image shows: every
image is its own group. Masks hold numbers of labels, which the rule for masks recognises. Knows folders,
names and both tables. Does not know pixels.
"""

from __future__ import annotations

from collections.abc import Iterable

from exdd_core.datasets.categories import choose_one, detect_category
from exdd_core.datasets.finder import Spellings
from exdd_core.datasets.groups import read_table, split_made
from exdd_core.datasets.pairing import IMAGE_LEFT_OUT, paired
from exdd_core.datasets.record import DEFECT, NORMAL, Reading, in_natural_order, record_of
from exdd_core.datasets.tree import Tree, is_below, name_key, parent, stem
from exdd_core.datasets.words import label_word
from exdd_core.images import Size
from exdd_core.sentences import count

NAME = "visa"
TITLE = "VisA (Data/Images/{Normal,Anomaly}, image_anno.csv)"
DEFAULT_SIZE = Size(256, 256)
TEST_EVERY = (3, 2)  # of the groups without and with a defect, see groups.grouped_split
IMAGES, MASKS, TABLE = "Data/Images", "Data/Masks", "image_anno.csv"
SPLIT = "split_csv/1cls.csv"
NOT_SURE = "image_anno.csv does not list them, and they are neither in Normal/ nor in Anomaly/"
CONTRADICTED = "image_anno.csv and the folder contradict each other about them; correct one of the two"


def detect(tree: Tree) -> bool:
    """Whether the root is a category or holds some."""
    return detect_category(tree, _is_category, _categories)


def read(tree: Tree) -> Reading:
    """One record for each image of the category at the root. Raises `BadInput` for a folder of several."""
    if not _is_category(tree, ""):
        raise choose_one(tree, _categories(tree), "VisA")
    rows = read_table(tree.path(TABLE), ("image", "label", "mask")) if TABLE in tree.files else []
    pictures = [name for name in (*tree.images, *tree.unread) if is_below(name, IMAGES)]
    masks = [name for name in tree.images if is_below(name, MASKS)]
    row_of = _rows_of(rows, pictures, masks)
    left = {}
    label_of: dict[str, str] = {}
    for name in pictures:
        by_folder = next(filter(None, map(label_word, parent(name).split("/"))), "")
        by_table = _label(row_of[name][0]) if name in row_of else ""
        label_of[name] = by_table or by_folder
        if not label_of[name]:
            left[name] = NOT_SURE
        elif {by_table, by_folder} == {NORMAL, DEFECT}:
            left[name], label_of[name] = CONTRADICTED, ""
    own = {name: mask for name, (_, mask) in row_of.items() if mask}
    others = set(masks) - set(own.values())
    pairs = paired(label_of | dict.fromkeys(sorted(others), "mask"), tree.unread)
    sides, notes = _split(tree, rows, pictures)
    records = []
    for name in tree.images:
        if label := label_of.get(name, ""):
            found = list(dict.fromkeys([*([own[name]] if name in own else []), *pairs.of.get(name, [])]))
            kind = _type(row_of[name][0]) if name in row_of else "defect"
            records.append(record_of(name, label, kind, found, sides.get(name, ""), stem(name)))
    kept = {record.path for record in records}
    left |= pairs.left_out(kept) | {mask: IMAGE_LEFT_OUT for name, mask in own.items() if name not in kept}
    missing = len(rows) - len(row_of)
    if missing:
        notes.append(f"Rows of {TABLE} whose image does not exist: {missing}.")
    used = {TABLE} if rows else set()
    return Reading(in_natural_order(records), left, notes=notes, used=frozenset(used))


def _rows_of(
    rows: Iterable[dict[str, str]], pictures: Iterable[str], masks: Iterable[str]
) -> dict[str, tuple[str, str]]:
    """Image -> its label in the table, and its mask or ""."""
    images, marks = Spellings(pictures), Spellings(masks)
    found = {}
    for row in rows:
        if name := images.find(_inside(row["image"])):
            found[name] = row["label"], marks.find(_inside(row["mask"])) or ""
    return found


def _split(tree: Tree, rows: list[dict[str, str]], pictures: list[str]) -> tuple[dict[str, str], list[str]]:
    """Image -> its side in the official split, and a sentence about where the split comes from."""
    root = tree.root.absolute()
    table = next((place / SPLIT for place in (root, root.parent) if (place / SPLIT).is_file()), None)
    made = split_made("image")
    if table is None:
        return {}, [f"There is no {SPLIT} next to {tree.root.name}/, so {made}"]
    named = {name_key(row["image"].replace("\\", "/").split("/")[0]) for row in rows}
    named.add(name_key(tree.root.name))
    images = Spellings(pictures)
    sides = {}
    for row in read_table(table, ("object", "split", "image")):
        name = images.find(_inside(row["image"]))
        side = row["split"].strip().casefold()
        if name and name_key(row["object"].strip()) in named and side in ("train", "test"):
            sides[name] = side
    if not sides:
        return {}, [f"{SPLIT} lists no image of {tree.root.name}/, so {made}"]
    bare = len(set(pictures) - set(sides))
    others = f" {count(bare, 'image is', 'images are')} not in it; for the rest, {made}" if bare else ""
    return sides, [f"The split is taken from {SPLIT}.{others}"]


def _inside(written: str) -> str:
    """A path in a table from Data/ on; tables begin it with the category's folder."""
    path = written.strip().replace("\\", "/")
    start = path.casefold().find("data/")
    return path[start:] if start >= 0 else path


def _label(text: str) -> str:
    """The label of a row, whose text is "normal" or names of defects; "" for an empty one."""
    return "" if not text.strip() else NORMAL if label_word(text) == NORMAL else DEFECT


def _type(text: str) -> str:
    """The defect type of a row; "defect" if it names none."""
    kinds = [kind.strip() for kind in text.split(",") if kind.strip()]
    return "defect" if not kinds or all(map(label_word, kinds)) else ", ".join(kinds)


def _is_category(tree: Tree, root: str) -> bool:
    at = f"{root}/" if root else ""
    has_data = f"{at}{TABLE}" in tree.files or tree.has_folder(f"{at}{MASKS}")
    return has_data and tree.has_folder(f"{at}{IMAGES}") and bool(tree.below(f"{at}{IMAGES}"))


def _categories(tree: Tree) -> list[str]:
    return [folder for folder in tree.subfolders() if _is_category(tree, folder)]
