"""What jobs return, ready for JSON, by kind; measurements return what their run holds but for figures of single images.

Knows names and types. Does not know how anything is computed.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Built(TypedDict):
    """A bank version, by the id `bank`; the rest is as in `workspace.BankVersion`."""

    bank: str
    name: str
    dataset: str
    active: bool
    seconds: float
    settings: dict[str, Any]
    summary: dict[str, Any]
    path: str


class Imported(TypedDict):
    """A data set, how many images it has, and whether anything is new. Of a join also what `joining.Joined` says."""

    dataset: str
    changed: bool
    images: int
    state: NotRequired[int]
    joined: NotRequired[list[str]]
    passed_over: NotRequired[list[str]]
    renamed: NotRequired[dict[str, str]]
    copies: NotRequired[dict[str, str]]
    sentences: NotRequired[list[str]]


class DemoMade(TypedDict):
    """The name of the data set."""

    dataset: str


class Scored(TypedDict):
    """How many images could not be read, and why, of the first ones."""

    unreadable: int
    reasons: list[str]


class Exported(TypedDict):
    """The path of a zip file; of a data set also what `exporting.export` returns."""

    path: str
    sentences: NotRequired[list[str]]


class MapMade(TypedDict):
    """How many rows of a bank version are on its map, and how many are not."""

    bank: str
    name: str
    rows: int
    left_out: int
