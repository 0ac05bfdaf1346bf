"""What the script of the Banks page asks. Knows fields and types. Does not know what is answered."""

from __future__ import annotations

from typing import Literal

from pages.questions import Id, Question, Whole

Side = Literal["positive", "negative"]


class Shown(Question):
    """The version that the page shows, "" where it shows none."""

    bank: Id = ""


class Picture(Shown):
    method: Id = ""


class Version(Shown):
    bank: Id


class Image(Version):
    """An image with rows in one bank of a version."""

    image: Id
    side: Side


class Place(Image):
    """One of those rows: its patch's row and column."""

    row: Whole
    column: Whole


class Dropped(Image):
    who: Id = ""
