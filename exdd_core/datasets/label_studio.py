"""Label Studio's export as JSON or JSON-MIN: a list of tasks with polygons, rectangles, ellipses and brush
strokes.

https://labelstud.io/guide/export. Coordinates are percent of the image. Tasks name images by URL or by the
name of the upload, which has eight characters and a dash before the name of the file. A task without an
annotation says nothing about its image. Knows the format. Does not know pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from exdd_core.datasets.finder import Finder
from exdd_core.datasets.groups import GroupRule
from exdd_core.datasets.marks import Marks, is_wrapping
from exdd_core.datasets.outlines import MOST_PIXELS, runs_of
from exdd_core.datasets.record import DEFECT, NORMAL, Outline, Reading
from exdd_core.datasets.texts import AGAIN, LABEL_STUDIO, json_files, read_json
from exdd_core.datasets.tree import Tree, base, parent
from exdd_core.datasets.words import label_word
from exdd_core.errors import BadInput
from exdd_core.formats import SUFFIXES
from exdd_core.images import Size
from exdd_core.sentences import count

NAME = "label_studio"
TITLE = "Label Studio JSON export"
DEFAULT_SIZE = Size(256, 256)
TEST_EVERY = (3, 2)
GROUPS = True
UPLOADED = re.compile(r"^[0-9a-f]{8}-", re.IGNORECASE)
NOT_ANNOTATED = (
    "Label Studio tasks without an annotation; annotate them, leaving the annotation empty where they "
    "are normal"
)
CORNERS = 64  # of the polygon that replaces an ellipse
CHANNELS = 4  # of a brush's picture: the last one holds the strokes


class _Result(TypedDict, total=False):
    """A region or a choice of an annotation; its values are not checked."""

    type: str
    value: Any  # by type: points, a box, an ellipse, a brush, choices
    image_rotation: float | None
    original_width: int | None
    original_height: int | None


def detect(tree: Tree) -> bool:
    return not is_wrapping(tree) and bool(json_files(tree, LABEL_STUDIO))


def read(tree: Tree, rule: GroupRule | None = None) -> Reading:
    """One record for each image of a task with an annotation. Raises `BadInput` for damaged files."""
    marks, finder = Marks(), Finder(tree)
    several = 0
    for name in json_files(tree, LABEL_STUDIO):
        marks.used.add(name)
        tasks = read_json(tree.path(name), name)
        if not all(isinstance(task, dict) for task in tasks):
            raise BadInput(f"{name} is not a list of tasks as Label Studio exports them; {AGAIN}.")
        for task in tasks:
            names = _names(task)
            image = next(filter(None, (_find(finder, text, parent(name)) for text in names)), None)
            if image is None:
                marks.missing(
                    name, names[0] if names else f"the image of task {task.get('id', 'without an id')}"
                )
                continue
            annotations = _annotations(task)
            several += len(annotations) > 1
            if not annotations:
                marks.left.setdefault(image, NOT_ANNOTATED)
            for results in annotations:
                marks.listed(image)
                for result in results:
                    _add(result, image, marks)
                if choice := _unsure(results):
                    marks.unsure(image, f'the choice "{choice}" alone does not say whether they are normal')
    if several:
        marks.notes.append(
            f"{count(several, 'image is', 'images are')} annotated more than once: all regions are merged."
        )
    return marks.reading(tree, rule)


# --- tasks -------------------------------------------------------------------------------------------------


def _names(task: Mapping[str, Any]) -> list[str]:
    """The names of images in a task: in its data (in JSON-MIN, in the task itself) and in the name of the
    upload."""
    data = task["data"] if isinstance(task.get("data"), dict) else task
    texts = [value for value in data.values() if isinstance(value, str)]
    if isinstance(task.get("file_upload"), str):
        texts.append(task["file_upload"])
    names = list(dict.fromkeys(map(_path, texts)))
    return [name for name in names if name.lower().endswith(SUFFIXES)]


def _path(text: str) -> str:
    """The path in a URL or in the query of one, such as /data/local-files/?d=parts/a.png."""
    try:
        url = urlsplit(text)
        inner = parse_qs(url.query).get("d")
    except ValueError:
        return text
    if inner:
        return inner[0]
    return unquote(url.path) if url.scheme or text.startswith("/data/") else text


def _find(finder: Finder, name: str, folder: str) -> str | None:
    short = UPLOADED.sub("", base(name.replace("\\", "/")))
    return finder.find(name, folder) or finder.find(short, folder)


def _annotations(task: Mapping[str, Any]) -> list[list[_Result]]:
    """The results of each annotation of a task; empty if it has none or was skipped."""
    if isinstance(task.get("data"), dict):
        rows = task.get("annotations", task.get("completions"))
        return [
            _dicts(row.get("result"))
            for row in _dicts(rows)
            if isinstance(row.get("result"), list) and not row.get("was_cancelled") and not row.get("skipped")
        ]
    results: list[_Result] = []
    for key, value in task.items():
        for item in _dicts(value):
            kind = next((k for k in item if k.lower().endswith("labels")), "")
            results.append(
                {
                    "type": kind or key,
                    "value": item,
                    "image_rotation": item.get("image_rotation"),
                    "original_width": item.get("original_width"),
                    "original_height": item.get("original_height"),
                }
            )
        if isinstance(value, str) and label_word(value):
            results.append({"type": "choices", "value": {"choices": [value]}})
    return [results] if results or "annotator" in task or "annotation_id" in task else []


def _unsure(results: list[_Result]) -> str:
    """A choice of an annotation in which no choice says normal or defect; "" without choices."""
    choices = [choice for result in results for choice in _choices(result)]
    return choices[0] if choices and not any(map(label_word, choices)) else ""


def _choices(result: _Result) -> list[str]:
    """The choices for a whole image; empty for a result of another type."""
    value = result.get("value")
    chosen = value.get("choices") if result.get("type") == "choices" and isinstance(value, dict) else None
    return [str(choice) for choice in chosen] if isinstance(chosen, list) else []


def _dicts(value: object) -> list[Any]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


# --- regions -----------------------------------------------------------------------------------------------


def _add(result: _Result, image: str, marks: Marks) -> None:
    kind, value = str(result.get("type") or "").lower(), result.get("value")
    if kind in ("textarea", "rating", "number", "datetime", "relation"):
        return
    if kind == "choices":
        for choice in _choices(result):
            if label_word(choice) == DEFECT:
                marks.defect(image, choice)
        return
    if not isinstance(value, dict):
        marks.cannot_draw(image, f"is a region ({kind}) that cannot be read")
        return
    labels = next((v for k, v in value.items() if k.lower().endswith("labels") and isinstance(v, list)), [])
    label = str(labels[0]) if labels else ""
    if result.get("image_rotation"):
        marks.cannot_draw(image, "was drawn on a rotated image", label)
        return
    try:
        outlines = list(_outlines(value, result, label))
    except (IndexError, KeyError, OverflowError, TypeError, ValueError):
        marks.cannot_draw(image, f"is a region ({kind}) that cannot be read", label)
        return
    if not outlines and label_word(label) != NORMAL:
        marks.cannot_draw(image, f"is a region of a kind that is not supported ({kind})", label)
    for outline in outlines:
        marks.add(image, outline)


def _outlines(value: Mapping[str, Any], result: _Result, label: str) -> Iterator[Outline]:
    """The outlines of a region, by the keys of its value: several types of results have the same keys."""
    width, height = int(result.get("original_width") or 0), int(result.get("original_height") or 0)
    size = (width, height) if width > 0 and height > 0 else None
    if "rle" in value:
        if size is None:
            raise ValueError("a brush needs the size of its image")
        yield runs_of(_brush(value["rle"], *size), label)
    elif "points" in value:
        points = np.array(value["points"], np.float64)
        if points.shape[1:] != (2,):
            raise ValueError("points without an x and a y")
        yield Outline("polygon", tuple((points / 100).ravel().tolist()), label, share=True, size=size)
    elif "width" in value and "height" in value:
        x, y, wide, high = (float(value[key]) for key in ("x", "y", "width", "height"))
        if not float(value.get("rotation") or 0):
            sides = (x / 100, y / 100, (x + wide) / 100, (y + high) / 100)
            yield Outline("box", sides, label, share=True, size=size)
        else:
            corners = np.array([(0, 0), (wide, 0), (wide, high), (0, high)])
            yield _turned(corners, (x, y), float(value["rotation"]), size, label)
    elif "radiusX" in value and "radiusY" in value:
        x, y, across, down = (float(value[key]) for key in ("x", "y", "radiusX", "radiusY"))
        angles = np.arange(CORNERS) * 2 * np.pi / CORNERS
        corners = np.stack([across * np.cos(angles), down * np.sin(angles)], axis=1)
        yield _turned(corners, (x, y), float(value.get("rotation") or 0), size, label)


def _turned(
    corners: np.ndarray, around: tuple[float, float], degrees: float, size: tuple[int, int] | None, label: str
) -> Outline:
    """A polygon (n, 2) in percent, turned clockwise around the origin and moved by `around`.

    It is turned in pixels, since percents of width and height are different lengths unless the image is
    square.
    """
    if degrees and size is None:
        raise ValueError("a turned region needs the size of its image")
    scale = np.array(size or (1, 1)) / 100
    turn = np.deg2rad(degrees)
    matrix = np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])
    points = (corners * scale) @ matrix / scale + around
    return Outline("polygon", tuple((points / 100).ravel().tolist()), label, share=True, size=size)


def _brush(packed: list[int], width: int, height: int) -> np.ndarray:
    """Decode the strokes of a brush to bool (H, W), from the bits of thi.ng's rle-pack format.

    32 bits: the number of values. 5 bits: the bits of a value, minus 1. Four times 4 bits: the bits of a
    run's length, minus 1. Then runs: 1 bit for whether one value is repeated, 2 bits for which of the four
    lengths is used, the length minus 1, and one value or as many as the length. Raises `ValueError`.
    """
    bits = np.unpackbits(np.array(packed, np.uint8))
    at = 0

    def take(count: int) -> int:
        nonlocal at
        if at + count > len(bits):
            raise ValueError("cut off")
        at += count
        return int("".join(map(str, bits[at - count : at])), 2)

    number, of_value = take(32), take(5) + 1
    lengths = [take(4) + 1 for _ in range(4)]
    if number != width * height * CHANNELS or width * height > MOST_PIXELS or of_value > 8:
        raise ValueError("of another image")
    values = np.zeros(number, np.uint8)
    done = 0
    while done < number:
        repeated = take(1)
        end = done + 1 + take(lengths[take(2)])
        if repeated:
            values[done:end] = take(of_value)
        else:
            for index in range(done, min(end, number)):
                values[index] = take(of_value)
        done = end
    return values.reshape(height, width, CHANNELS)[..., 3] > 0
