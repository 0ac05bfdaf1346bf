"""What the Inspect page's script asks. Knows fields and types. Does not know what is answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pages.questions import Count, Id, Ids, Layer, Number, Part, Question, Side, Text, Whole


class OfBank(Question):
    """A question about one bank version, the active one where it names none."""

    bank: Id | None = None


class OpenList(OfBank):
    image: Id = ""
    list: Id = ""


class Listed(OfBank):
    list: Id


class File(Part):
    """An uploaded file: where it is, and what it was called."""

    path: Text
    name: Id


Files = Annotated[list[File], Field(max_length=100_000)]


class AddFiles(OfBank):
    files: Files


class AddFolder(OfBank):
    path: Text


class Images(OfBank):
    ids: Ids


class Exported(Images):
    """what: the panes as a zip file, or the regions as COCO."""

    what: Literal["panes", "regions"] = "panes"


class OneImage(OfBank):
    id: Id


class Point(OneImage):
    """A pixel of an image."""

    x: Number
    y: Number


class Editor(OneImage):
    """An image, and the size of the editor's copy of it."""

    width: Side
    height: Side


class Progress(OfBank):
    seen: Count
    job: Id | None = None


class OfJob(OfBank):
    job: Id


class Owned(OneImage):
    """One image, and who decides."""

    who: Id


class Marked(Owned):
    """layer: what was drawn, "" where the proposed region was left as it is."""

    action: Literal["missed", "false_alarm"]
    layer: Layer = ""
    type: Id = ""


class Outlined(Owned):
    action: Literal["outline"] = "outline"
    layer: Layer = ""
    type: Id = ""
    proposed: bool = False


class Sought(Listed):
    """How a threshold is to be found on a list. value: on the version's own scale, for the way "hand"."""

    way: Literal["rate", "f1", "cost", "hand"]
    rate: float = 0.02
    miss: float = 10.0
    value: float = 1.0


class Chosen(Sought):
    who: Id


class Person(OfBank):
    who: Id


class Undone(Owned):
    decision: Whole
