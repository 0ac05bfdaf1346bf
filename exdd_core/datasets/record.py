"""Records, the rows of a data set's table; what a layout reads from a folder; and the natural order of names.

Knows names. Does not know pixels, features or any particular layout.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

NORMAL, DEFECT = "normal", "defect"
# The label of an image that is a defect if its mask marks anything; used until masks are read.
BY_MASK = "by mask"


@dataclass(frozen=True)
class Outline:
    """A region that an annotation file marks, in pixels of the upright image, x before y.

    kind: "polygon" (x0, y0, x1, y1, ...), "box" (left, top, right, bottom), "disc" (x, y, radius), "line"
    (x0, y0, x1, y1, ...; one point is allowed) or "runs": COCO's run lengths, where `points` is the (height,
    width) that they fill and `runs` the numbers joined by spaces. share: points are shares of width and
    height, 0 to 1. label: the name in the file. size: (width, height) of the image that it was drawn on, None
    if the file does not say it.
    """

    kind: str
    points: tuple[float, ...]
    label: str = ""
    runs: str = ""
    share: bool = False
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Record:
    """One image: its file, label, mask and group. Paths are posix and relative to the data set's root.

    mask: the file that marks the defect's pixels; None for normal images and if there is none. group: the
    physical part; images of one group are never on both sides of a split or fold (SPEC, finding 1).
    more_masks, outlines: united with `mask`; empty once a data set is imported.
    """

    path: str
    label: str  # "normal", "defect" or, until masks are read, BY_MASK
    defect_type: str  # "" for normal
    mask: str | None
    split: str  # "train", "test" or "" where it is still to be made
    group: str
    more_masks: tuple[str, ...] = ()
    outlines: tuple[Outline, ...] = ()

    @property
    def masks(self) -> tuple[str, ...]:
        """All files that mark its defect."""
        return (*((self.mask,) if self.mask else ()), *self.more_masks)


def record_of(
    path: str,
    label: str,
    defect_type: str,
    masks: Sequence[str],
    split: str,
    group: str,
    outlines: tuple[Outline, ...] = (),
) -> Record:
    """A record of an image with any number of masks; a normal image has no defect type."""
    kind = "" if label == NORMAL else defect_type
    mask = masks[0] if masks else None
    return Record(path, label, kind, mask, split, group, tuple(masks[1:]), outlines)


@dataclass(frozen=True)
class Question:
    """A question to a person: what the images of a folder show.

    folder: its path, "" for the root. images: how many it holds. guess: the answer that its name suggests, or
    "".
    """

    folder: str
    images: int
    guess: str = ""


# The answers to a `Question`.
ROLES = {
    "normal": "Normal images",
    "defect": "Images with a defect",
    "mask": "Masks",
    "none": "Leave out",
}


@dataclass(frozen=True)
class Reading:
    """What a layout reads from a folder.

    left_out: path of a picture -> why it is neither image nor mask of the data set. notes: sentences about
    decisions of the layout, such as a validation side that counts as training. problems: sentences about what
    a person should look at. used: tables and annotation files that were read.
    """

    records: list[Record]
    left_out: dict[str, str] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    used: frozenset[str] = frozenset()
    problems: list[str] = field(default_factory=list)


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key in which "part2" comes before "part10"."""
    pieces = re.split(r"([0-9]+)", text)
    return tuple((0, int(p), p) if i % 2 else (1, 0, p) for i, p in enumerate(pieces) if p)


def natural_text(text: str) -> str:
    """A text whose order among its kind is that of `natural_key`, for a database to sort by."""
    key = natural_key(text)
    return "".join(f"0{len(str(n)):04d}{n}\x01{p}\x01" if not kind else f"1{p}\x01" for kind, n, p in key)


def in_natural_order(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: natural_key(record.path))
