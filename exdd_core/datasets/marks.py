"""Collects what annotation files say of the images of a folder, and makes records of it.

An image with an outline is a defect and an image that is listed without one is normal. An image that no file
mentions is left out, since its label is unknown, unless its folder clearly says normal; a folder that says
defect makes listed images defects. Knows names, outlines and sentences. Does not know formats.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from exdd_core.datasets.finder import Finder
from exdd_core.datasets.groups import GroupRule, apply_rule
from exdd_core.datasets.outlines import LINE_LEAST, LINE_SHARE, area, beyond, fault
from exdd_core.datasets.record import DEFECT, NORMAL, Outline, Reading, Record, in_natural_order, natural_key
from exdd_core.datasets.tree import Tree, base, parent, stem
from exdd_core.datasets.words import is_held_back, label_word, split_word, squeezed
from exdd_core.errors import BadInput
from exdd_core.sentences import count, counted, listed

UNLISTED = (
    "no annotation file mentions them, so it is unknown whether they are normal; annotate them, or put "
    "normal ones into a folder named good"
)
MAYBE_NORMAL = frozenset(
    ("good", "ok", "okay", "normal", "healthy", "intact", "perfect")
)  # within other labels
NOTHING = (
    "No annotation marks anything, so all listed images are normal; check that the file is the latest export."
)
# Labels of outlines that mark no defect, as words for normal do.
NO_DEFECT = frozenset(("background", "ignore"))
PARTS = frozenset(("images", "labels", "annotations", "jpegimages"))  # folders that layouts begin with
LONGEST = 80  # characters of a defect's type
# Roboflow names each augmented copy of an image NAME_jpg.rf.HASH.jpg: all copies of one name show one part.
ROBOFLOW = re.compile(r"\.rf\.[0-9a-f]{16,}$", re.IGNORECASE)

Content = TypeVar("Content")


class Marks:
    """Collects outlines of images and faults of annotations.

    outlines: image -> its outlines, for every listed image. left: image -> why it is left out. used:
    annotation files that were read. notes, problems: sentences.
    """

    def __init__(self) -> None:
        self.outlines: dict[str, list[Outline]] = {}
        self.notes: list[str] = []
        self.problems: list[str] = []
        self.left: dict[str, str] = {}
        self.used: set[str] = set()
        self._types: dict[str, str] = {}  # image -> its defect type if no outline has one
        self._sides: dict[str, set[str]] = defaultdict(set)
        self._held_back: set[str] = set()
        # What is wrong -> images, one for each outline.
        self._faults: dict[str, list[str]] = defaultdict(list)
        self._unsure: dict[str, str] = {}
        self._no_defect: Counter[str] = Counter()
        self._maybe_normal: Counter[str] = Counter()
        # Annotation file -> images that do not exist.
        self._missing: dict[str, list[str]] = defaultdict(list)

    def listed(self, image: str, side: str = "") -> None:
        """Note that an annotation file lists this image. side: a word for its side of the split, or ""."""
        self.outlines.setdefault(image, [])
        if split_word(side):
            self._sides[image].add(split_word(side))
            if is_held_back(side):
                self._held_back.add(side)

    def add(self, image: str, outline: Outline) -> None:
        """Add an outline of an image.

        If it cannot be drawn, the image stays a defect and the fault is reported.
        """
        self.listed(image)
        outline = replace(outline, label=_plain(outline.label))
        if label_word(outline.label) == NORMAL or outline.label.strip("_").lower() in NO_DEFECT:
            self._no_defect[outline.label] += 1
        elif why := fault(outline):
            self.cannot_draw(image, why, outline.label)
        else:
            self.outlines[image].append(outline)
            words = re.split(r"[^a-z]+", outline.label.lower())
            if MAYBE_NORMAL & set(words) and not any(label_word(word) == DEFECT for word in words):
                self._maybe_normal[outline.label] += 1

    def cannot_draw(self, image: str, why: str, label: str = "") -> None:
        """Note an annotation that cannot become a mask. why: a verb and its object."""
        self._faults[why].append(image)
        self.defect(image, label)

    def defect(self, image: str, kind: str = "") -> None:
        """Note that an image has a defect, without an outline."""
        self.listed(image)
        self._types.setdefault(image, _plain(kind) or "defect")

    def unsure(self, image: str, why: str) -> None:
        """Leave an image out unless something else marks it as a defect."""
        self._unsure.setdefault(image, why)

    def missing(self, annotation: str, image: str) -> None:
        self._missing[annotation].append(image)

    def reading(self, tree: Tree, rule: GroupRule | None = None) -> Reading:
        """The records of all listed images. Raises `BadInput` if none of these exists."""
        self._require_some(tree)
        for name, why in self._unsure.items():
            if not self.outlines.get(name) and name not in self._types:
                self.outlines.pop(name, None)
                self.left[name] = why
        known = set(self.outlines) | set(self.left)
        by_folder = [name for name in tree.images if name not in known and folder_label(name) == NORMAL]
        known.update(by_folder)
        left = {name: UNLISTED for name in tree.images if name not in known}
        records = [self._record(name) for name in (*self.outlines, *by_folder)]
        if by_folder:
            self.notes.append(
                f"{_named(by_folder)} that no annotation file mentions: counted as normal because of "
                "their folder."
            )
        reading = Reading(
            in_natural_order(records),
            left | self.left,
            notes=self.all_notes(),
            used=frozenset(self.used),
            problems=self.all_problems(records),
        )
        return replace(reading, records=_grouped(reading.records, rule)) if rule is not None else reading

    def _record(self, image: str) -> Record:
        outlines = tuple(dict.fromkeys(self.outlines.get(image, ())))
        bad = bool(outlines) or image in self._types or folder_label(image) == DEFECT
        return Record(
            path=image,
            label=DEFECT if bad else NORMAL,
            defect_type=(most_marked(outlines) or self._types.get(image, "defect")) if bad else "",
            mask=None,
            split=self._side(image),
            group=ROBOFLOW.sub("", stem(image)),
            outlines=outlines,
        )

    def _side(self, image: str) -> str:
        if sides := self._sides.get(image):
            return "train" if "train" in sides else "test"
        for part in parent(image).split("/"):
            if split_word(part):
                if is_held_back(part):
                    self._held_back.add(part + "/")
                return split_word(part)
        return ""

    def _require_some(self, tree: Tree) -> None:
        if self.outlines or self.left or not self._missing:
            return
        annotation, lost = next(iter(self._missing.items()))
        raise BadInput(
            f"None of the images that {annotation} lists is in {tree.root} ({listed(lost)}); move it "
            "next to its images."
        )

    def all_notes(self) -> list[str]:
        """Sentences about what was decided; complete once all records are made."""
        lines = [f"{name} counts as training." for name in sorted(self._held_back)]
        boxes = [name for name, own in self.outlines.items() for outline in own if outline.kind == "box"]
        if boxes:
            lines.append(
                f"{_regions(boxes)} {_are(boxes)} boxed, not outlined: filled, including the good "
                "surface inside."
            )
        thin = [name for name, own in self.outlines.items() for outline in own if outline.kind == "line"]
        if thin:
            lines.append(
                f"{_regions(thin)} {_are(thin)} without a width (a line or a point): drawn with "
                f"1/{LINE_SHARE} of the image's longer side as their width, at least {LINE_LEAST} pixels."
            )
        outside = [name for name, own in self.outlines.items() for outline in own if beyond(outline)]
        if outside:
            lines.append(
                f"{_regions(outside)} extend{'s' if len(outside) == 1 else ''} beyond the image: clipped."
            )
        for label, number in self._no_defect.items():
            outlines = count(number, "outline is", "outlines are")
            lines.append(f'{outlines} labelled "{label}": not counted as a defect.')
        return lines + self.notes

    def all_problems(self, records: Sequence[Record] = ()) -> list[str]:
        """Sentences about what a person should look at."""
        lines = [
            f"{annotation} lists {_named(lost)} that {'is' if len(lost) == 1 else 'are'} missing."
            for annotation, lost in self._missing.items()
        ]
        for why, images in self._faults.items():
            lines.append(
                f"{_regions(images)} cannot be drawn: each {why}; the images still count as defects."
            )
        for label, number in self._maybe_normal.items():
            outlines = count(number, "outline is", "outlines are")
            lines.append(
                f'{outlines} labelled "{label}": counted as a defect; if it is none, name the label good.'
            )
        if torn := [name for name, sides in self._sides.items() if len(sides) > 1]:
            lines.append(f"{_named(torn)} listed for training and for testing: they count as training.")
        outlined = [r.path for r in records if r.outlines and folder_label(r.path) == NORMAL]
        if outlined:
            lines.append(
                f"{_named(outlined)} in a folder of normal images but with outlines of defects: counted "
                "as defects."
            )
        bare = [r.path for r in records if r.label == DEFECT and not r.outlines and r.path not in self._types]
        if bare:
            lines.append(
                f"{_named(bare)} in a folder of defects but without an outline: counted as defects without a "
                "mask."
            )
        if records and not any(record.label == DEFECT for record in records):
            lines.append(NOTHING)
        return lines + self.problems


def read_each(
    tree: Tree,
    marks: Marks,
    files: Iterable[str],
    read: Callable[[Path, str], Content],
    image_named: Callable[[Content], str],
) -> Iterator[tuple[str, Content]]:
    """Read annotation files of one image each; yields the image and the content of its file.

    read: path and name -> content; may raise `BadInput`. image_named: content -> what the file calls its
    image, or "". `marks` notes files that are damaged, those whose image is missing, and those that name another image.
    """
    finder, others = Finder(tree), list[str]()
    for name in files:
        marks.used.add(name)
        image = finder.of_stem(name)
        try:
            content = read(tree.path(name), name)
        except BadInput as error:
            if image is None:
                marks.problems.append(str(error))
            else:
                marks.left[image] = str(error).rstrip(".")
            continue
        wanted = image_named(content)
        named = finder.find(wanted, parent(name), anywhere=False) if wanted else None
        if image and named and named != image and base(stem(named)) != base(stem(image)):
            others.append(f"{name} names {base(named)}")
        image = image or finder.find(wanted, parent(name))
        if image is None:
            marks.missing(name, wanted or "an image with its name")
            continue
        marks.listed(image)
        yield image, content
    if others:
        marks.notes.append(
            f"The file name decided for {counted(others, 'annotation file')} whose content names another image; check "
            "that no file was renamed or copied alone."
        )


def folder_label(image: str) -> str:
    """The label that the folders above an image say: "normal", "defect", or "" for none or both."""
    labels = {label for label in map(label_word, parent(image).split("/")) if label}
    return labels.pop() if len(labels) == 1 else ""


def has_normal_folder(tree: Tree) -> bool:
    """Whether any folder of images is named as one of normal images."""
    return any(folder_label(name) == NORMAL for name in tree.images)


def is_wrapping(tree: Tree) -> bool:
    """Whether everything lies in one folder whose name says nothing, so that a layout begins below it."""
    inner = tree.subfolders()
    if len(inner) != 1 or any(not parent(name) for name in (*tree.images, *tree.files)):
        return False
    return not label_word(inner[0]) and not split_word(inner[0]) and squeezed(inner[0]) not in PARTS


def most_marked(outlines: Iterable[Outline]) -> str:
    """The label with the largest area of an image's outlines."""
    areas: dict[str, float] = defaultdict(float)
    for outline in outlines:
        areas[outline.label or "defect"] += area(outline)
    return max(areas, key=lambda label: areas[label], default="")


def _grouped(records: list[Record], rule: GroupRule) -> list[Record]:
    if rule.kind != "subfolder":
        return apply_rule(records, rule)
    lost = next((record.path for record in records if not parent(record.path)), None)
    if lost:
        raise BadInput(
            f"{lost} is not in a subfolder, so its part is unknown; group by a CSV file or a pattern."
        )
    return [replace(record, group=base(parent(record.path))) for record in records]


def _plain(label: object) -> str:
    """A label as one short line."""
    text = "" if label is None else str(label)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST]


def _are(found: Sequence[str]) -> str:
    return "is" if len(found) == 1 else "are"


def _regions(images: Sequence[str]) -> str:
    """ "3 regions on 2 images (a.png, b.png)", of the image of each region."""
    return f"{count(len(images), 'region')} on {_named(list(dict.fromkeys(images)))}"


def _named(paths: Sequence[str]) -> str:
    return counted(sorted(paths, key=natural_key))
