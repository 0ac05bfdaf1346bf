"""The answers of `banks`, key by key, as --json prints them.

Knows names and types. Does not know how an answer is computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from exdd_core.jobs.results import Built

if TYPE_CHECKING:
    from exdd_core.banks.bank_map import MapColumns
    from exdd_core.banks.compare import Measured
    from exdd_core.detector.records import Drift


class BankRow(TypedDict):
    """A version in a list. rows: by side. changes: how many images' rows have changed since it was built.
    made_for: kind of the measurement that built it for itself, "" where a person did. imported: the bundle that it
    came in, or "". called: its name for people, or ""."""

    id: str
    name: str
    called: str
    dataset: str
    state: int
    created: str
    who: str
    made_for: str
    imported: str
    active: bool
    pinned: bool
    rows: dict[str, int]
    changes: int
    measured: Measured | None


class BanksCompared(TypedDict):
    """Two versions by name. values: what each has, by name. only: ids of images that only one has, by side."""

    versions: list[str]
    values: dict[str, list[object]]
    only: dict[str, dict[str, list[str]]]


class BlamedImage(TypedDict):
    """A bank image that causes marked misses or false alarms, as `blaming.Blamed`."""

    image: str
    side: str
    defect_type: str
    patches: int
    alone: float
    marked: list[str]


class BankBlamed(TypedDict):
    """What causes marked misses and false alarms, as `blaming.Blame`."""

    name: str
    tried: int
    lost: list[str]
    images: list[BlamedImage]


class BankSaid(TypedDict):
    """A version, and what was done to it."""

    bank: str
    name: str
    sentence: str


class BankState(TypedDict):
    """Whether a version should be built again, as `drift.State`. changed: what became of its data set."""

    bank: str
    name: str
    due: bool
    behind: bool
    drift: Drift
    changed: str
    sentence: str


class BankAligned(TypedDict):
    """Ids of the images whose rows came or went, and the name of the version that changed."""

    images: list[str]
    name: str
    sentence: str


class BankRebuilt(Built):
    """A version that was built anew. rebuilt: name of the one whose settings it has."""

    rebuilt: str
    sentence: str


class ImagePutBack(TypedDict):
    """An image whose rows were put back."""

    image: str
    sentence: str


class ImageDropped(ImagePutBack):
    """An image whose rows were taken out of the bank of a side."""

    side: str


class BankMapped(TypedDict):
    """A version and the map of its banks."""

    bank: str
    name: str
    map: MapColumns
