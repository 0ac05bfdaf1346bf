"""Real-IAD: OBJECT/OK/S0000/*.jpg and OBJECT/NG/TYPE/S0000/*.jpg, with a .png mask of the same name for each
defect.

C. Wang et al., "Real-IAD: A real-world multi-view dataset for benchmarking versatile industrial anomaly
detection", CVPR, 2024. A folder S0000 holds the views of one part, which are one group. OBJECT.json, from the
authors' realiad_jsons/, says the split and which views of a defective part show its defect. It lies in the
object's folder or up to two folders above; without it the grouped split is made. Defect types are the
authors' codes, such as HS or AK. Knows names and that file. Does not know pixels.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exdd_core import files
from exdd_core.datasets.categories import choose_one, detect_category
from exdd_core.datasets.groups import split_made
from exdd_core.datasets.pairing import Pairs, joined, named_masks, readable
from exdd_core.datasets.record import DEFECT, NORMAL, Reading, in_natural_order, record_of
from exdd_core.datasets.texts import MOST_BYTES
from exdd_core.datasets.tree import Tree, base, name_key, parent, stem
from exdd_core.errors import BadInput
from exdd_core.images import Size
from exdd_core.sentences import count

NAME = "real_iad"
TITLE = "Real-IAD (OK/S0000/, NG/TYPE/S0000/)"
DEFAULT_SIZE = Size(256, 256)
TEST_EVERY = (3, 2)  # of the groups without and with a defect, see groups.grouped_split
PART = re.compile(r"[sS]\d+")
JSON_FOLDERS = ("", "realiad_jsons", "realiad_jsons/realiad_jsons")
UNSEEN = (
    "views of defective parts without a mask, which may or may not show the defect; put the object's "
    "JSON file, which says whether they do, next to its folder"
)


@dataclass(frozen=True)
class _Listing:
    """What the JSON file says: image -> its class, side and mask; all names are keys of paths from OK/ or NG/
    on."""

    kind: dict[str, str] = field(default_factory=dict)
    side: dict[str, str] = field(default_factory=dict)
    mask: dict[str, str] = field(default_factory=dict)
    file: Path | None = None


def detect(tree: Tree) -> bool:
    """Whether the root is an object or holds some."""
    return detect_category(tree, _is_object, _objects)


def read(tree: Tree) -> Reading:
    """One record for each view.

    Raises `BadInput` for a folder of several objects and for a damaged JSON file.
    """
    if not _is_object(tree, ""):
        raise choose_one(tree, _objects(tree), "Real-IAD")
    pictures = [name for name in (*tree.images, *tree.unread) if _side_folder(name)]
    listing = _listing(tree)
    pairs = _pairs(pictures, tree.unread, listing)
    views = [name for name in tree.images if _side_folder(name) and name not in pairs.masks]
    masked = any(_side_folder(name) == "ng" for name in pairs.of)
    label_of, left = {}, {}
    for name in views:
        if kind := listing.kind.get(name_key(name)):
            label_of[name] = NORMAL if kind == NORMAL else DEFECT
        elif _side_folder(name) == "ok":
            label_of[name] = NORMAL
        elif masked and name not in pairs.of:
            left[name] = UNSEEN
        else:
            label_of[name] = DEFECT
    sides, notes = _sides(tree, listing, label_of)
    records = [
        record_of(
            name,
            label,
            _type(name, listing),
            pairs.of.get(name, []),
            sides.get(parent(name), ""),
            parent(name),
        )
        for name, label in label_of.items()
    ]
    used = frozenset(name for name in tree.files if listing.file == tree.root.absolute() / name)
    left |= pairs.left_out(label_of)
    return Reading(in_natural_order(records), left, notes=notes, used=used)


def _type(name: str, listing: _Listing) -> str:
    """The code of a defect: the folder below NG/, or what the JSON file calls it."""
    above = parent(name).split("/")[1:]
    code = next((part for part in above if not PART.fullmatch(part)), "")
    return code or listing.kind.get(name_key(name), "") or "defect"


def _pairs(pictures: Iterable[str], unread: Collection[str], listing: _Listing) -> Pairs:
    """The masks: those in the JSON file, those named as masks, and each .png with the stem of an image."""
    by_key = {name_key(name): name for name in pictures}
    of = {
        by_key[image]: [by_key[mask]]
        for image, mask in listing.mask.items()
        if image in by_key and mask in by_key
    }
    taken = {mask for own in of.values() for mask in own}
    named = named_masks(name for name in by_key.values() if name not in taken)
    by_stem: dict[str, list[str]] = defaultdict(list)
    for key, name in by_key.items():
        by_stem[stem(key)].append(name)
    twins = {}
    only_png = all(_is_png(name) for name in by_key.values())
    lone = set()
    for names in by_stem.values():
        marks = [name for name in names if _is_png(name)]
        others = [name for name in names if not _is_png(name)]
        if marks and others:
            twins[others[0]] = marks
        elif marks and not only_png and _side_folder(marks[0]) == "ng":
            lone.update(marks)
    found = joined(of, named, twins)
    masks = {mask for own in found.values() for mask in own} | (lone - set(found))
    return Pairs(readable(found, unread), frozenset(masks), frozenset())


def _sides(tree: Tree, listing: _Listing, views: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Part -> its side in the JSON file, and sentences about where the split comes from."""
    made = split_made("part")
    if listing.file is None:
        return {}, [f"There is no {tree.root.name}.json with the official split, so {made}"]
    of_part: dict[str, set[str]] = defaultdict(set)
    for name in views:
        of_part[parent(name)].add(listing.side.get(name_key(name), ""))
    torn = [part for part, sides in of_part.items() if {"train", "test"} <= sides]
    sides = {part: max(found, key=("", "train", "test").index) for part, found in of_part.items()}
    bare = sum(not side for side in sides.values())
    notes = [f"The split is taken from {listing.file.name}."]
    if bare:
        notes.append(
            f"{count(bare, 'part is', 'parts are')} not in {listing.file.name}; for the rest, {made}"
        )
    if torn:
        notes.append(
            f"{listing.file.name} has views of {count(len(torn), 'part')} on both sides of the split "
            f"({', '.join(torn[:3])}): all of these are used for the test, because no part may be on "
            "both sides."
        )
    absent = len(listing.side.keys() - {name_key(name) for name in views})
    if absent:
        notes.append(f"Missing or left out: {count(absent, 'image')} listed in {listing.file.name}.")
    return sides, notes


def _listing(tree: Tree) -> _Listing:
    """Read the object's JSON file, if there is one. Raises `BadInput` for a file in another format."""
    root = tree.root.absolute()
    places = (place / inner for place in (root, root.parent, root.parent.parent) for inner in JSON_FOLDERS)
    file = next(
        (place / f"{root.name}.json" for place in places if (place / f"{root.name}.json").is_file()), None
    )
    if file is None:
        return _Listing()
    found = _Listing(file=file)
    try:
        content = json.loads(files.read_regular(file, file.name, MOST_BYTES).decode("utf-8-sig"))
        normal = str(content.get("meta", {}).get("normal_class", "OK"))
        for side in ("train", "test"):
            for row in content.get(side, []):
                key = _inside(str(row["image_path"]))
                kind = str(row["anomaly_class"])
                found.kind[key] = NORMAL if kind == normal else kind
                found.side[key] = side
                if row.get("mask_path"):
                    found.mask[key] = _inside(str(row["mask_path"]))
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        raise BadInput(
            f"{file} does not have the format that the authors of Real-IAD use (train and test, each a "
            "list with image_path and anomaly_class); remove or replace it."
        ) from None
    return found


def _inside(written: str) -> str:
    """The key of a path in the JSON file from OK/ or NG/ on; some files begin it with the object's folder."""
    key = name_key(written.replace("\\", "/"))
    match = re.search(r"(?:^|/)((?:ok|ng)/.*)", key)
    return match[1] if match else key


def _is_png(name: str) -> bool:
    return name.lower().endswith(".png")


def _side_folder(name: str) -> str:
    """The top folder of a file, "ok" or "ng"; "" for any other."""
    top = name_key(name.split("/")[0])
    return top if "/" in name and top in ("ok", "ng") else ""


def _is_object(tree: Tree, root: str) -> bool:
    """Whether a folder holds OK/ with folders of parts, such as S0000, and images in these, and NG/."""
    named: Mapping[str, str] = {name_key(base(folder)): folder for folder in tree.subfolders(root)}
    if "ok" not in named:
        return False
    parts = [folder for folder in tree.subfolders(named["ok"]) if PART.fullmatch(base(folder))]
    return "ng" in named and any(map(tree.directly_in, parts))


def _objects(tree: Tree) -> list[str]:
    """The objects below the root, or below folders such as realiad_1024/."""
    tops = tree.subfolders()
    return [name for top in tops for name in (top, *tree.subfolders(top)) if _is_object(tree, name)]
