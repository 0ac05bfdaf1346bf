"""LabelMe's JSON: one file for each image, with polygons, boxes, circles, lines, points and masks.

K. Wada, https://github.com/wkentaro/labelme. The image has the name of its file, or else the file names it.
An image that is embedded in the file is ignored. Knows the format and embedded masks. Does not know pixels of
images.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Required, TypedDict, cast

import numpy as np
from PIL import Image

from exdd_core.datasets.groups import GroupRule
from exdd_core.datasets.marks import Marks, has_normal_folder, is_wrapping, read_each
from exdd_core.datasets.outlines import MOST_PIXELS, runs_of, stated_size
from exdd_core.datasets.record import DEFECT, Outline, Reading
from exdd_core.datasets.texts import AGAIN, LABELME, json_files, read_json
from exdd_core.datasets.tree import Tree
from exdd_core.datasets.words import label_word
from exdd_core.errors import BadInput
from exdd_core.images import Size

NAME = "labelme"
TITLE = "LabelMe JSON (one file per image)"
DEFAULT_SIZE = Size(256, 256)
TEST_EVERY = (3, 2)
GROUPS = True


class _File(TypedDict, total=False):
    """The keys of a file that are read; only `shapes` is checked to be a list."""

    shapes: Required[list[Any]]
    imagePath: str
    imageWidth: int
    imageHeight: int
    flags: dict[str, bool]


def detect(tree: Tree) -> bool:
    """Whether there are LabelMe files and no folder of normal images: plain folders read these files as
    well."""
    return not is_wrapping(tree) and not has_normal_folder(tree) and bool(json_files(tree, LABELME))


def read(tree: Tree, rule: GroupRule | None = None) -> Reading:
    """One record for each image with a file."""
    marks = Marks()
    add_all(tree, marks)
    return marks.reading(tree, rule)


def add_all(tree: Tree, marks: Marks) -> None:
    """Add what LabelMe files say of the images of a tree to `marks`."""
    for image, content in read_each(tree, marks, json_files(tree, LABELME), _read, _image_named):
        size = stated_size(content.get("imageWidth"), content.get("imageHeight"))
        for shape in content["shapes"]:
            _add(shape, image, size, marks)
        flags = content.get("flags")
        for flag, is_set in flags.items() if isinstance(flags, dict) else ():
            if is_set and label_word(str(flag)) == DEFECT:
                marks.defect(image, flag)


def _read(path: Path, name: str) -> _File:
    content = read_json(path, name)
    if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
        raise BadInput(f"{name} has no list of shapes, which LabelMe files need; {AGAIN}.")
    return cast(_File, content)


def _image_named(content: _File) -> str:
    return str(content.get("imagePath") or "")


def _add(shape: Any, image: str, size: tuple[int, int] | None, marks: Marks) -> None:
    kind = "polygon"
    label: Any = ""
    try:
        label, kind = shape.get("label") or "", shape.get("shape_type") or "polygon"
        points = [(float(x), float(y)) for x, y in shape["points"]]
        outline = _outline(kind, points, shape, size)
    except (AttributeError, BadInput, IndexError, KeyError, OverflowError, TypeError, ValueError):
        marks.cannot_draw(image, f"is a shape ({kind}) that cannot be read", label)
        return
    if outline is None:
        marks.cannot_draw(image, f"is a shape of a kind that is not supported ({kind})", label)
        return
    marks.add(image, Outline(outline.kind, outline.points, str(label), outline.runs, size=size))


def _outline(
    kind: str, points: list[tuple[float, float]], shape: Mapping[str, Any], size: tuple[int, int] | None
) -> Outline | None:
    flat = tuple(value for point in points for value in point)
    if kind in ("polygon", "rotation", "quadrilateral"):  # the last two are X-AnyLabeling's
        return Outline("polygon", flat)
    if kind == "rectangle":
        return Outline("box", flat) if len(points) == 2 else Outline("polygon", flat)
    if kind == "circle":
        (x, y), (edge_x, edge_y) = points
        return Outline("disc", (x, y, float(np.hypot(edge_x - x, edge_y - y))))
    if kind in ("line", "linestrip", "point"):
        return Outline("line", flat)
    return _mask(points, shape["mask"], size) if kind == "mask" else None


def _mask(points: list[tuple[float, float]], text: str, size: tuple[int, int] | None) -> Outline:
    """A mask that is embedded in the file, as a picture of the box between two corners."""
    if size is None or size[0] * size[1] > MOST_PIXELS:
        raise ValueError("a mask needs the size of its image")
    try:
        with Image.open(io.BytesIO(base64.b64decode(text)), formats=("PNG",)) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise ValueError("larger than any image")
            inner = np.asarray(picture.convert("L")) > 0
    except Exception as error:  # Pillow raises whatever a damaged picture makes it trip over
        raise ValueError("no picture") from error
    left, top = (round(value) for value in points[0])
    mask = np.zeros(size[::-1], bool)
    if min(left, top) < 0 or top + inner.shape[0] > size[1] or left + inner.shape[1] > size[0]:
        raise ValueError("beyond the image")
    mask[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return runs_of(mask)
