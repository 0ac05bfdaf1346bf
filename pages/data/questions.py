"""What the region editor's script asks. Knows fields and types. Does not know what is answered."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pages.questions import Id, Layer, Question, Text, Whole

Shown = Annotated[list[Whole], Field(min_length=2, max_length=2)]  # (width, height) of the editor's copy


class OfDataset(Question):
    dataset: Id


class Look(OfDataset):
    index: Whole


class Propose(OfDataset):
    threshold: Whole
    shown: Shown


class Take(OfDataset):
    """An uploaded mask: where it is, and what it was called."""

    path: Text
    name: Id
    shown: Shown


class Owned(OfDataset):
    """A data set, and who changes it."""

    who: Id = ""


class Save(Owned):
    layer: Layer
    base: Id = ""


class Undo(Owned):
    state: Whole
