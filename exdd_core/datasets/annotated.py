"""Annotation files that lie beside images, in plain folders: LabelMe's JSON, VOC's XML and YOLO's text.

Knows which formats there are. Knows nothing of folders' names.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from exdd_core.datasets import labelme, voc, yolo
from exdd_core.datasets.marks import Marks, most_marked
from exdd_core.datasets.record import Outline
from exdd_core.datasets.texts import read_json
from exdd_core.datasets.tree import Tree
from exdd_core.errors import BadInput


@dataclass(frozen=True)
class Beside:
    """What annotation files say of the images of plain folders.

    outlines: image -> its outlines, for images that a file marks. used: the files that were read. notes, problems:
    sentences, of boxes and of what cannot be drawn.
    """

    outlines: dict[str, tuple[Outline, ...]] = field(default_factory=dict)
    used: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def label_of(self, image: str) -> str:
        """The label of most of what is outlined on an image; "" where nothing is, or nothing is called anything."""
        return most_marked(outline for outline in self.outlines.get(image, ()) if outline.label)


def outlines_beside(tree: Tree) -> Beside:
    """What annotation files of any format that is known here say of the images of a tree."""
    marks = Marks()
    labelme.add_all(tree, marks)
    voc.add_all(tree, marks)
    yolo.add_all(tree, marks, only_beside=True)
    outlines = {image: tuple(dict.fromkeys(own)) for image, own in marks.outlines.items() if own}
    problems = [*marks.all_problems(), *(f"{why}." for why in marks.left.values())]
    problems += _damaged(tree, marks.used)
    return Beside(outlines, frozenset(marks.used), marks.all_notes(), problems)


def _damaged(tree: Tree, used: Collection[str]) -> list[str]:
    """A sentence about each JSON file that nobody has read and nobody can: what it marks is not known."""
    found = []
    for name in tree.files:
        if name.lower().endswith(".json") and name not in used:
            try:
                read_json(tree.path(name), name)
            except BadInput as error:
                found.append(str(error))
    return found
