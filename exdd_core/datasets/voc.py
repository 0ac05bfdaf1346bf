"""Pascal VOC's XML: one file with boxes for each image, in its folder, or in Annotations/ with images in
JPEGImages/.

M. Everingham et al., "The Pascal visual object classes challenge", International Journal of Computer Vision,
2010. Masks in SegmentationClass/ are more exact and replace the boxes; Roboflow's export also has polygons,
which replace them as well. ImageSets/Main/train.txt, val.txt and test.txt say the split. Knows the format.
Does not know pixels.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from xml.etree.ElementTree import Element

from exdd_core import files
from exdd_core.datasets import outlines
from exdd_core.datasets.finder import Finder
from exdd_core.datasets.groups import GroupRule
from exdd_core.datasets.marks import NOTHING, Marks, has_normal_folder, is_wrapping, most_marked, read_each
from exdd_core.datasets.outlines import fault, stated_size
from exdd_core.datasets.pairing import NO_IMAGE
from exdd_core.datasets.record import BY_MASK, DEFECT, Outline, Reading, Record
from exdd_core.datasets.texts import read_lines, read_xml
from exdd_core.datasets.tree import Tree, base, name_key, parent, stem
from exdd_core.datasets.words import split_word, squeezed
from exdd_core.images import Size

NAME = "voc"
TITLE = "Pascal VOC XML (boxes; Annotations/, JPEGImages/)"
DEFAULT_SIZE = Size(256, 256)
TEST_EVERY = (3, 2)
GROUPS = True
HEAD = 4096  # bytes at the start of a file that are searched for the root element
BY_OBJECT = "masks of single objects; the masks in SegmentationClass/ contain all of them"


def detect(tree: Tree) -> bool:
    """Whether there are VOC files, or masks without any, and no folder of normal images: plain folders read these
    files as well."""
    if is_wrapping(tree) or has_normal_folder(tree):
        return False
    folders = {squeezed(folder) for folder in tree.subfolders()}
    return bool(_files(tree)) or {"jpegimages", "segmentationclass"} <= folders


def read(tree: Tree, rule: GroupRule | None = None) -> Reading:
    """One record for each image that has an XML file or a mask."""
    folder_of = {name: squeezed(base(parent(name))) for name in tree.images}
    masks = [name for name, folder in folder_of.items() if folder == "segmentationclass"]
    by_object = [name for name, folder in folder_of.items() if folder == "segmentationobject"]
    others = {*masks, *by_object}
    pictures = replace(tree, images=tuple(name for name in tree.images if name not in others))
    marks, finder = Marks(), Finder(pictures)
    add_all(pictures, marks)
    mask_of = {image: mask for mask in masks if (image := finder.of_stem(mask))}
    boxed = {image: most_marked(marks.outlines.get(image, ())) for image in mask_of}
    for image in mask_of:
        marks.outlines[image] = []
    sides = _sides(pictures)
    for image in marks.outlines:
        marks.listed(image, sides.get(name_key(base(stem(image))), ""))
    reading = marks.reading(pictures, rule)
    records = [
        _with_mask(record, mask_of[record.path], boxed[record.path]) if record.path in mask_of else record
        for record in reading.records
    ]
    taken = set(mask_of.values())
    left = {name: NO_IMAGE for name in masks if name not in taken}
    left |= {name: BY_OBJECT for name in by_object}
    problems = [one for one in reading.problems if one != NOTHING or not mask_of]
    return replace(reading, records=records, left_out=reading.left_out | left, problems=problems)


def _with_mask(record: Record, mask: str, label: str) -> Record:
    """A record with a mask: a defect if its XML file marks something, else if the mask does."""
    sure = bool(label) or record.label == DEFECT
    kind = label or record.defect_type or "defect"
    return replace(record, label=DEFECT if sure else BY_MASK, defect_type=kind, mask=mask)


def add_all(tree: Tree, marks: Marks) -> None:
    """Add what VOC files say of the images of a tree to `marks`."""
    for image, root in read_each(tree, marks, _files(tree), read_xml, _image_named):
        size = stated_size(_number(root.findtext("size/width")), _number(root.findtext("size/height")))
        for found in root.iter("object"):
            _add(found, image, size, marks)


def _image_named(root: Element) -> str:
    return (root.findtext("filename") or "").strip()


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return math.nan


def _files(tree: Tree) -> list[str]:
    return [name for name in tree.files if name.lower().endswith(".xml") and _is_voc(tree, name)]


def not_read(tree: Tree) -> list[str]:
    """A sentence about each file of CVAT's own XML."""
    return [
        f"{name} is CVAT's own XML, which is not read; export it as COCO or Pascal VOC from CVAT."
        for name in tree.files
        if name.lower().endswith(".xml") and _begins_with(tree, name, rb"<annotations[\s>/]")
    ]


def _is_voc(tree: Tree, name: str) -> bool:
    return _begins_with(tree, name, rb"<annotation[\s>/]")


def _begins_with(tree: Tree, name: str, element: bytes) -> bool:
    if not files.is_regular(tree.path(name)):
        return False
    try:
        with tree.path(name).open("rb") as file:
            return re.search(element, file.read(HEAD)) is not None
    except OSError:
        return False


def _add(found: Element, image: str, size: tuple[int, int] | None, marks: Marks) -> None:
    label = (found.findtext("name") or "").strip()
    polygon, box = found.find("polygon"), found.find("bndbox")
    if polygon is not None:
        try:
            outline = Outline("polygon", _corners(polygon), label, size=size)
        except ValueError:
            outline = Outline("polygon", (), label)
        if not fault(outline) or box is None:
            marks.add(image, outline)
            return
    if box is None:
        marks.cannot_draw(image, "has no box", label)
        return
    try:
        sides = tuple(float(box.findtext(side) or "nan") for side in ("xmin", "ymin", "xmax", "ymax"))
    except ValueError:
        marks.cannot_draw(image, "has points that are not numbers", label)
        return
    marks.add(image, outlines.box(sides, label, size, _turn(found)))


def _turn(found: Element) -> float:
    """By how many degrees CVAT has turned a box."""
    told = {one.findtext("name"): one.findtext("value") for one in found.iter("attribute")}
    turn = _number(told.get("rotation"))
    return turn if math.isfinite(turn) else 0


def _corners(polygon: Element) -> tuple[float, ...]:
    """The corners of a polygon, x before y: elements x1, y1, x2, ...

    (Roboflow) or points with an x and a y.
    """
    points = [(point.findtext("x"), point.findtext("y")) for point in polygon.iter("point")]
    number = 1
    while polygon.find(f"x{number}") is not None:
        points.append((polygon.findtext(f"x{number}"), polygon.findtext(f"y{number}")))
        number += 1
    return tuple(float(value or "nan") for point in points for value in point)


def _sides(tree: Tree) -> dict[str, str]:
    """Key of an image's stem -> the word of its side, by the lists in ImageSets/."""
    sides: dict[str, str] = {}
    for name in tree.files:
        folders = [squeezed(part) for part in parent(name).split("/")]
        word = base(stem(name))
        if "imagesets" in folders and name.lower().endswith(".txt") and split_word(word):
            for line in read_lines(tree.path(name), name):
                sides.setdefault(name_key(base(line.split()[0])), word)
    return sides
