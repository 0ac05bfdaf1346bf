"""The results of jobs by kind, ready for JSON. Measurements return their run without figures of single images.

Knows names and types. Does not know how anything is computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, TypedDict

if TYPE_CHECKING:
    from exdd_core.detector.summary import StoredSummary
    from exdd_core.workspace.rows import BankSettings


class Built(TypedDict):
    """A bank version. bank: its id; the rest as in `workspace.BankVersion`. held, lines: as in `releasing.Released`."""

    bank: str
    name: str
    dataset: str
    active: bool
    seconds: float
    settings: BankSettings
    summary: StoredSummary
    path: str
    held: NotRequired[str]
    lines: NotRequired[list[str]]


class Imported(TypedDict):
    """A data set, its number of images, and whether anything is new. Of a join, also the fields of `joining.Joined`."""

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
    """The number of unreadable images, and the reasons of the first ones."""

    unreadable: int
    reasons: list[str]


class Exported(TypedDict):
    """The path of a zip file; of a data set also what `exporting.export` returns."""

    path: str
    sentences: NotRequired[list[str]]


class MapMade(TypedDict):
    """The numbers of a bank version's rows on its map, and of those left out."""

    bank: str
    name: str
    rows: int
    left_out: int


class Resembled(TypedDict):
    """A data set whose candidates were compared with real defects, and the number of engines and types."""

    dataset: str
    groups: int
