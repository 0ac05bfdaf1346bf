"""YOLO's text: one file for each image with a line for each region, in labels/ or in the folder of the image.

https://docs.ultralytics.com/datasets/segment. A line is the number of a class, then the corners of a polygon
or the centre, width and height of a box, all as shares of the image. The names of classes are in data.yaml or
classes.txt. The split follows from folders (train/images or images/train) or from lists (train.txt). An image
with an empty file or without one is background, which here means normal. Knows the format. Does not know
pixels.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from exdd_core.datasets.finder import Finder, Spellings
from exdd_core.datasets.groups import GroupRule
from exdd_core.datasets.marks import Marks, folder_label, has_normal_folder, is_wrapping
from exdd_core.datasets.record import DEFECT, Outline, Reading
from exdd_core.datasets.texts import read_lines, read_yaml
from exdd_core.datasets.tree import Tree, base, name_key, parent, stem
from exdd_core.datasets.words import split_word, squeezed
from exdd_core.errors import BadInput
from exdd_core.images import Size
from exdd_core.sentences import count
from exdd_core.spec import Json

NAME = "yolo"
TITLE = "YOLO text (images/, labels/, data.yaml)"
DEFAULT_SIZE = Size(256, 256)
TEST_EVERY = (3, 2)
GROUPS = True
TABLES = ("classes.txt", "obj.names", "names.txt")
LIST_OF = ("train", "val", "valid", "test")
NO_TEXT = (
    "no image in this folder has a YOLO text file, so it is unknown whether they are normal; add labels/"
)
MOST_CLASSES = 1 << 16
LARGEST_SHARE = 2.0  # a larger coordinate is in pixels
FOLLOWED = 7  # numbers of a box that was predicted and followed through a film; a triangle has as many
SLACK = 0.01  # of the image by which a predicted box may exceed it
FOLLOWED_NOTE = (
    "Lines of 7 numbers are boxes with a confidence and the number of a track, as predictions have: they all end with "
    "a whole number and lie within the image as boxes."
)


def detect(tree: Tree) -> bool:
    """Whether there are YOLO files and no folder of normal images: plain folders read these files as well."""
    if is_wrapping(tree) or has_normal_folder(tree):
        return False
    texts = _texts(tree)
    return any(_is_yolo(tree, text) for text in texts.values()) or (
        bool(texts)
        and any(squeezed(base(parent(text))) == "labels" for text in texts.values())
        and _told(tree)
    )


def read(tree: Tree, rule: GroupRule | None = None) -> Reading:
    """One record for each image of all folders in which at least one image has a text file."""
    marks = Marks()
    texts = add_all(tree, marks)
    sides = _lists(tree)
    folders: dict[str, list[str]] = defaultdict(list)
    for image in tree.images:
        folders[parent(image)].append(image)
    background = []
    for inside in folders.values():
        bare = [image for image in inside if image not in texts]
        if len(bare) == len(inside):
            marks.left.update({image: NO_TEXT for image in bare})
            continue
        background += [image for image in bare if folder_label(image) != DEFECT]
        for image in bare:
            marks.listed(image)
    for image in marks.outlines:
        marks.listed(image, sides.get(image, ""))
    if background:
        many = count(len(background), "image has", "images have")
        marks.notes.append(
            f"{many} no text file ({', '.join(background[:3])}{', ...' if len(background) > 3 else ''}): "
            "background for YOLO, so they count as normal here; remove those that no one has checked."
        )
    return marks.reading(tree, rule)


def add_all(tree: Tree, marks: Marks, only_sure: bool = False) -> dict[str, str]:
    """Add what YOLO files say of the images of a tree to `marks`; returns image -> its file.

    only_sure: ignore text files without a line that is like YOLO's.
    """
    texts, keypoints = _texts(tree), _has_keypoints(tree)
    names = _names(tree, marks, marks.notes if texts else [])
    taken, found = {}, {}
    for image, text in texts.items():
        if only_sure and not _is_yolo(tree, text, anywhere=True):
            continue
        taken[image] = text
        marks.used.add(text)
        try:
            found[image] = [_numbers(line) for line in read_lines(tree.path(text), text)]
        except BadInput as error:
            marks.left[image] = str(error).rstrip(".")
    if followed := not keypoints and _are_followed(
        [line for lines in found.values() for line in lines if line]
    ):
        marks.notes.append(FOLLOWED_NOTE)
    for image, lines in found.items():
        marks.listed(image)
        for line in lines:
            _add(
                line[:5] if line and followed and len(line) == FOLLOWED else line,
                image,
                names,
                keypoints,
                marks,
            )
    return taken


# --- files -------------------------------------------------------------------------------------------------


def _texts(tree: Tree) -> dict[str, str]:
    """Image -> its text file.

    In labels/ for an image in images/, else in the folder of the image, else the only one of its stem in any
    labels/.
    """
    files: dict[str, str] = {}
    in_labels: dict[str, list[str]] = defaultdict(list)
    for name in tree.files:
        if name.lower().endswith(".txt") and base(name).lower() not in TABLES:
            files[stem(name)] = name
            if any(squeezed(part) == "labels" for part in parent(name).split("/")):
                in_labels[name_key(base(stem(name)))].append(name)
    stems: dict[str, int] = defaultdict(int)
    for image in tree.images:
        stems[name_key(base(stem(image)))] += 1
    finder, spellings = Finder(tree), Spellings(files)
    found = {}
    for image in tree.images:
        own, key = stem(image), name_key(base(stem(image)))
        alone = [text for text in in_labels.get(key, []) if not finder.contradicts(text, image)]
        folder, _, last = own.rpartition("/")
        places = (_swapped(own), own, f"labels/{own}", f"{folder}/labels/{last}".lstrip("/"))
        text = next(filter(None, map(spellings.find, places)), None)
        if text is not None:
            found[image] = files[text]
        elif stems[key] == 1 and len(alone) == 1:
            found[image] = alone[0]
    # Of two images whose names differ in case alone, a file is of the one that is spelt like it.
    exact = {text for image, text in found.items() if base(stem(image)) == base(stem(text))}
    return {
        image: text
        for image, text in found.items()
        if text not in exact or base(stem(image)) == base(stem(text))
    }


def _swapped(name: str) -> str:
    """The path with its last folder "images" replaced by "labels"."""
    parts = name.split("/")
    for at in range(len(parts) - 2, -1, -1):
        if name_key(parts[at]) == "images":
            return "/".join([*parts[:at], "labels", *parts[at + 1 :]])
    return name


def _is_yolo(tree: Tree, text: str, anywhere: bool = False) -> bool:
    """Whether the first line of a text file is a class and at least 4 numbers.

    anywhere: or any line, also with commas, is a class and at least 4 fractions, as in a file with a faulty line.
    """
    try:
        lines = [
            _numbers(line.replace(",", " ") if anywhere else line)
            for line in read_lines(tree.path(text), text)
        ]
    except BadInput:
        return False
    begins = bool(lines) and _is_region(lines[0])
    return (
        begins
        or anywhere
        and any(_is_region(line) and all(0 <= n <= 1 for n in line[1:]) for line in lines if line)
    )


def _is_region(numbers: list[float] | None) -> bool:
    return numbers is not None and len(numbers) >= 5 and numbers[0] == int(numbers[0])


def _told(tree: Tree) -> bool:
    """Whether another file shows that the format is YOLO, since all text files may be empty."""
    return bool(_settings(tree)) or any(base(name).lower() in TABLES for name in tree.files)


def _settings(tree: Tree) -> list[str]:
    return [name for name in tree.files if name.lower().endswith((".yaml", ".yml"))]


def _yaml(tree: Tree, notes: list[str]) -> list[tuple[str, Json]]:
    """The YAML files that can be read and name classes. notes: gets a sentence for each that cannot be read."""
    found = []
    for name in _settings(tree):
        try:
            content = read_yaml(tree.path(name), name)
        except BadInput as error:
            notes.append(f"{error} No name of a class was taken from it.")
            continue
        if isinstance(content, dict) and "names" in content:
            found.append((name, content))
    return found


def _names(tree: Tree, marks: Marks, notes: list[str]) -> dict[int, str]:
    """Number of a class -> its name, from data.yaml or else from a list of names. notes: as in `_yaml`."""
    for name, content in _yaml(tree, notes):
        names = content["names"]
        marks.used.add(name)
        if isinstance(names, list):
            return {number: str(label or "") for number, label in enumerate(names)}
        if isinstance(names, dict):
            return {int(n): str(label or "") for n, label in names.items() if str(n).isdecimal()}
    for name in tree.files:
        if base(name).lower() in TABLES:
            marks.used.add(name)
            return dict(enumerate(read_lines(tree.path(name), name, keep_empty=True)))
    return {}


def _has_keypoints(tree: Tree) -> bool:
    return any("kpt_shape" in content for _, content in _yaml(tree, []))


def _lists(tree: Tree) -> dict[str, str]:
    """Image -> the word of its side, by files such as train.txt that list images."""
    finder, sides = Finder(tree), {}
    for name in tree.files:
        word = base(stem(name)).lower()
        if name.lower().endswith(".txt") and word in LIST_OF and split_word(word):
            for line in read_lines(tree.path(name), name):
                if image := finder.find(line, parent(name)):
                    sides[image] = word
    return sides


# --- lines -------------------------------------------------------------------------------------------------


def _are_followed(lines: Sequence[list[float]]) -> bool:
    """Whether all lines of a data set that could be triangles are boxes with a confidence and the number of a track."""
    found = [line for line in lines if len(line) == FOLLOWED]
    return bool(found) and all(
        0 <= confidence <= 1 and id >= 0 and id % 1 == 0 and half < at < 1 - half + SLACK
        for _, x, y, width, height, confidence, id in found
        for at, half in ((x, width / 2 - SLACK), (y, height / 2 - SLACK))
    )


def _add(
    numbers: list[float] | None, image: str, names: dict[int, str], keypoints: bool, marks: Marks
) -> None:
    if numbers is None or len(numbers) < 5 or not 0 <= numbers[0] < MOST_CLASSES or numbers[0] % 1:
        marks.cannot_draw(image, "is a line that is not a class with its points")
        return
    number, points = int(numbers[0]), numbers[1:]
    label = names.get(number) or f"class {number}"
    if any(abs(value) > LARGEST_SHARE for value in points if math.isfinite(value)):
        marks.cannot_draw(image, "has points that are not fractions of the image, 0 to 1", label)
        return
    if keypoints or len(points) < 6:  # a fifth number is the confidence of a prediction
        x, y, width, height = points[:4]
        sides = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        marks.add(image, Outline("box", sides, label, share=True))
    else:
        marks.add(image, Outline("polygon", tuple(points), label, share=True))


def _numbers(line: str) -> list[float] | None:
    try:
        numbers = [float(part) for part in line.split()]
    except ValueError:
        return None
    return numbers if numbers and math.isfinite(numbers[0]) else None
