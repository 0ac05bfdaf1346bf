"""COCO's JSON: a list of images and a list of annotations, in one file or one for each side of the split.

T.-Y. Lin et al., "Microsoft COCO: common objects in context", ECCV 2014;
https://cocodataset.org/#format-data. Regions are polygons, run lengths (plain or compressed) or boxes. The
side of an image follows from the name of the file (instances_train.json), from the file's folder (Roboflow's
train/_annotations.coco.json) or from the image's own folder. Knows the format. Does not know pixels.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, TypedDict

from exdd_core.datasets import mvtec
from exdd_core.datasets.finder import Finder
from exdd_core.datasets.groups import GroupRule
from exdd_core.datasets.marks import Marks, is_wrapping
from exdd_core.datasets.outlines import box, fault, stated_size, unpacked
from exdd_core.datasets.pairing import in_mask_folder
from exdd_core.datasets.record import Outline, Reading
from exdd_core.datasets.texts import AGAIN, COCO, json_files, read_json
from exdd_core.datasets.tree import Tree, base, parent, stem
from exdd_core.datasets.words import split_word
from exdd_core.errors import BadInput
from exdd_core.images import Size
from exdd_core.sentences import count

NAME = "coco"
TITLE = "COCO JSON (polygons, run lengths or boxes), also from Roboflow"
DEFAULT_SIZE = Size(256, 256)
TEST_EVERY = (3, 2)
GROUPS = True


def detect(tree: Tree) -> bool:
    """Whether there is a COCO JSON file; masks in the layout of MVTec AD have priority over it."""
    if is_wrapping(tree) or not json_files(tree, COCO):
        return False
    return not (mvtec.detect(tree) and any(in_mask_folder(name) for name in tree.images))


def read(tree: Tree, rule: GroupRule | None = None) -> Reading:
    """One record for each image that a file lists.

    Raises `BadInput` for files that are damaged or list nothing.
    """
    marks, finder, empty = Marks(), Finder(tree), []
    for name in json_files(tree, COCO):
        marks.used.add(name)
        if not _File(tree, name).put_into(marks, finder):
            empty.append(name)
    if empty and not marks.outlines:
        raise BadInput(
            f"{empty[0]} lists no images, so it is unknown which are normal; {AGAIN} with all images in it, or "
            "say what the folders contain with --role FOLDER=normal or =defect."
        )
    marks.problems += [f"{name} lists no images." for name in empty]
    return marks.reading(tree, rule)


class _Image(TypedDict, total=False):
    id: int | str | None
    file_name: str | None
    width: int
    height: int


class _Runs(TypedDict):
    """Run lengths of a mask of `size` (height, width), as numbers or compressed to text."""

    size: list[int]
    counts: list[int] | str


class _Annotation(TypedDict, total=False):
    image_id: int | str | None
    category_id: int | str | None
    segmentation: list[list[float]] | list[float] | _Runs
    bbox: list[float]  # left, top, width, height in pixels
    attributes: dict[str, object]  # of CVAT


class _Category(TypedDict, total=False):
    id: int | str | None
    name: str


class _File:
    """One COCO file, with its three lists checked to be lists of objects."""

    def __init__(self, tree: Tree, name: str):
        self.name = name
        content = read_json(tree.path(name), name)
        self.images: list[_Image] = self._table(content, "images")
        self.annotations: list[_Annotation] = self._table(content, "annotations")
        if any("segments_info" in row for row in self.annotations):
            raise BadInput(
                f"{name} is a panoptic COCO file, which is not read; export instances, with polygons or run lengths."
            )
        has_categories = bool(content.get("categories"))
        categories: list[_Category] = self._table(content, "categories") if has_categories else []
        self.labels: dict[str, str] = {}
        for row in categories:
            id, label = _key(row.get("id")), str(row.get("name") or "")
            if self.labels.setdefault(id, label) != label:
                raise BadInput(f"{name} gives two categories the same id {id}; {AGAIN}.")

    def put_into(self, marks: Marks, finder: Finder) -> int:
        """Add all annotations of the file to `marks`; returns how many images it lists, existing or not."""
        names = [str(row.get("file_name") or "") for row in self.images]
        often = Counter(base(name.replace("\\", "/")) for name in names)
        found: dict[str, tuple[str, tuple[int, int] | None]] = {}  # id -> image and its size
        ids: dict[str, str] = {}
        for row, wanted in zip(self.images, names, strict=True):
            id = _key(row.get("id"))
            if not id or not wanted:
                raise BadInput(f"{self.name} lists an image without an id or a file_name; {AGAIN}.")
            if ids.setdefault(id, wanted) != wanted:
                raise BadInput(f"{self.name} assigns the same id {id} to {ids[id]} and {wanted}; {AGAIN}.")
            alone, side = often[base(wanted.replace("\\", "/"))] == 1, self._side().strip("/")
            image = finder.find(wanted, parent(self.name), alone)
            if image is None and side:  # CVAT keeps images of train.json in images/train/
                image = finder.find(f"{side}/{wanted}", parent(self.name), anywhere=False)
            if image is None:
                marks.missing(self.name, wanted)
                continue
            marks.listed(image, self._side())
            found[id] = (image, stated_size(row.get("width"), row.get("height")))
        strangers = unnamed = 0
        for annotation in self.annotations:
            id = _key(annotation.get("image_id"))
            if id in found:
                self._add(annotation, *found[id], marks)
                unnamed += bool(self.labels) and _key(annotation.get("category_id")) not in self.labels
            elif id not in ids:
                strangers += 1
        if strangers:
            marks.problems.append(
                f"{self.name}: {strangers} "
                f"{'annotation belongs' if strangers == 1 else 'annotations belong'} to no image that it "
                "lists."
            )
        if unnamed:
            marks.problems.append(
                f"{self.name}: {count(unnamed, 'annotation is', 'annotations are')} of no category that "
                "it lists, so the type of the defect is not known."
            )
        return len(self.images)

    def _add(self, row: _Annotation, image: str, size: tuple[int, int] | None, marks: Marks) -> None:
        label = self.labels.get(_key(row.get("category_id")), "")
        segmentation = row.get("segmentation")
        try:
            drawn = (
                [_sized(outline, size) for outline in _outlines(segmentation, label)] if segmentation else []
            )
        except (TypeError, ValueError, KeyError, OverflowError):
            marks.cannot_draw(image, "has a segmentation that cannot be read", label)
            drawn = []
        for outline in drawn:
            marks.add(image, outline)
        if any(not fault(outline) for outline in drawn):
            return
        try:
            left, top, width, height = (float(value) for value in row["bbox"])
        except (TypeError, ValueError, KeyError, OverflowError):
            if not segmentation:
                marks.cannot_draw(image, "has neither a segmentation nor a box", label)
            return
        sides = (left, top, left + width, top + height)
        marks.add(image, box(sides, label, size, _turn(row.get("attributes"))))

    def _side(self) -> str:
        """The word for the side of all its images, from the file's name, else from a folder's; "" if there is
        none."""
        words = re.split(r"[^0-9A-Za-z]+|(?<=[a-z])(?=\d)", base(stem(self.name)))
        folders = [part for part in parent(self.name).split("/") if split_word(part)]
        return next((word for word in words if split_word(word)), folders[-1] + "/" if folders else "")

    def _table(self, content: Any, key: str) -> list[Any]:
        rows = content.get(key) if isinstance(content, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise BadInput(f'{self.name} has no "{key}" list, which COCO JSON needs; {AGAIN}.')
        return rows


def _outlines(segmentation: list[list[float]] | list[float] | _Runs, label: str) -> list[Outline]:
    """The parts of a segmentation. Raises `TypeError`, `ValueError` or `KeyError` if it is none."""
    if isinstance(segmentation, dict):
        height, width = (int(side) for side in segmentation["size"])
        counts = segmentation["counts"]
        if not isinstance(counts, str) and any(count % 1 for count in counts):
            raise ValueError("run lengths that are no whole numbers")
        runs = unpacked(counts) if isinstance(counts, str) else " ".join(str(int(count)) for count in counts)
        return [Outline("runs", (height, width), label, runs)]
    parts = segmentation if isinstance(segmentation[0], list) else [segmentation]
    return [Outline("polygon", tuple(float(value) for value in part), label) for part in parts]


def _turn(attributes: object) -> float:
    """By how many degrees CVAT has turned a box."""
    found = attributes.get("rotation") if isinstance(attributes, dict) else None
    return float(found) if isinstance(found, int | float) else 0


def _sized(outline: Outline, size: tuple[int, int] | None) -> Outline:
    return (
        outline if outline.kind == "runs" else Outline(outline.kind, outline.points, outline.label, size=size)
    )


def _key(id: int | str | None) -> str:
    return "" if id is None else str(id)
