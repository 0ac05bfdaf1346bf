"""What the Evaluate page's script asks. Knows fields and types. Does not know what is answered."""

from __future__ import annotations

from typing import Literal

from pages.questions import Id, Ids, Number, One, Question


class Two(Question):
    """Two runs."""

    first: Id
    second: Id


class Used(One):
    """A threshold of one method of a run, on the scale of its bank version, and who uses it."""

    method: Id
    value: Number
    who: Id


class Start(Question):
    """The form of a measurement, as it was typed."""

    kind: Literal["table1", "sweep", "evaluate"]
    dataset: Id
    bank: Id = ""
    rate: Id = ""
    fusion: Id = ""
    folds: Id = ""
    seed: Id = ""
    counts: Id = ""
    seeds: Id = ""


class Work(Question):
    watched: Ids = []


class Figure(One):
    """A run, its images that are drawn, and how many rows there are without them, as it was typed."""

    images: Ids
    count: Id


class Making(Question):
    making: Id
