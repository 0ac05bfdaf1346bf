"""Annotation files in plain folders, one for each image: LabelMe's JSON, VOC's XML and YOLO's text.

Knows which formats there are. Does not know what names of folders say.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from exdd_core.datasets import labelme, voc, yolo
from exdd_core.datasets.marks import Marks, most_marked
from exdd_core.datasets.record import Outline
from exdd_core.datasets.texts import not_read, read_json
from exdd_core.datasets.tree import Tree
from exdd_core.errors import BadInput


@dataclass(frozen=True)
class Annotations:
    """What annotation files say of the images of plain folders.

    outlines: image -> its outlines, for images that have any. used: files that were read. notes: sentences,
    such as about boxes. problems: sentences, such as about outlines that cannot be drawn.
    """

    outlines: dict[str, tuple[Outline, ...]] = field(default_factory=dict)
    used: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def label_of(self, image: str) -> str:
        """The label with the largest area of an image's outlines; "" if no outline has a label."""
        return most_marked(outline for outline in self.outlines.get(image, ()) if outline.label)


def annotations_of(tree: Tree) -> Annotations:
    """Read all annotation files of a tree, in any of the three formats."""
    marks = Marks()
    labelme.add_all(tree, marks)
    voc.add_all(tree, marks)
    yolo.add_all(tree, marks, only_sure=True)
    outlines = {image: tuple(dict.fromkeys(own)) for image, own in marks.outlines.items() if own}
    problems = [*marks.all_problems(), *(f"{why}." for why in marks.left.values())]
    problems += [*_damaged(tree, marks.used), *voc.not_read(tree), *not_read(tree)]
    return Annotations(outlines, frozenset(marks.used), marks.all_notes(), problems)


def _damaged(tree: Tree, used: Collection[str]) -> list[str]:
    """A sentence about each JSON file that no format has read and that is no valid JSON."""
    found = []
    for name in tree.files:
        if name.lower().endswith(".json") and name not in used:
            try:
                read_json(tree.path(name), name)
            except BadInput as error:
                found.append(str(error))
    return found
