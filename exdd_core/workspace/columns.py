"""Rows of the tables `datasets`, `images`, `banks` and `decisions` as they are read, with the types of their columns.

Knows columns. Does not know what the rows mean or who writes them; `schema` creates the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NotRequired, TypedDict, cast

if TYPE_CHECKING:
    from sqlite_utils import Database

Values = Sequence[object] | dict[str, object]  # of a query's parameters


class DatasetColumns(TypedDict, total=False):
    """Columns of a data set: all of them as a row is read, or those that a change sets.

    keep_aspect: 0 or 1. fingerprint: digest of the content at the import. report: a `Report` as JSON. depth, mask_rule:
    as `Depth.parse` and `MaskRule.parse` read them. state: number of the last change, None for 1. called: the name for
    people, None for `name`. roi: a file in the data set's folder.
    """

    name: str
    layout: str
    title: str
    width: int
    height: int
    keep_aspect: int
    created: str
    fingerprint: str
    report: str
    depth: str | None
    mask_rule: str | None
    state: int | None
    called: str | None
    roi: str | None


class ImageColumns(TypedDict, total=False):
    """Columns of an image: all of them as a row is read, or those that a change sets.

    path, mask: files in the data set's folder. width, height: pixels. retired: why the image does not count, None for
    one that counts. originals: the imported files of a converted mask, a list as JSON. place: `natural_text` of path.
    """

    id: str
    dataset: str
    path: str
    label: str
    split: str
    defect_type: str
    mask: str | None
    group: str
    width: int
    height: int
    retired: str | None
    originals: str | None
    place: str | None


class BankColumns(TypedDict):
    """A bank version. settings, summary: `BankSettings` and `StoredSummary` as JSON. files: digests, as JSON."""

    id: str
    number: int
    dataset: str
    created: str
    seconds: float
    settings: str
    summary: str
    who: str | None
    files: str | None


class DecisionColumns(TypedDict):
    """A decision. candidate: id of a candidate or an image. reason, detail: JSON. undone: id of the decision's undo.

    undone_by: who undid it, only where a query joins that.
    """

    id: int
    candidate: str
    action: str
    reason: str
    who: str
    created: str
    detail: str
    dataset: str | None
    undone: int | None
    undone_by: NotRequired[str]


def dataset_rows(db: Database, query: str, values: Values = ()) -> list[DatasetColumns]:
    """The rows that a query of whole rows of `datasets` finds."""
    return cast(list[DatasetColumns], list(db.query(query, values)))


def image_rows(db: Database, query: str, values: Values = ()) -> list[ImageColumns]:
    """The rows that a query of whole rows of `images` finds."""
    return cast(list[ImageColumns], list(db.query(query, values)))


def bank_rows(db: Database, query: str, values: Values = ()) -> list[BankColumns]:
    """The rows that a query of whole rows of `banks` finds."""
    return cast(list[BankColumns], list(db.query(query, values)))


def decision_rows(db: Database, query: str, values: Values = ()) -> list[DecisionColumns]:
    """The rows that a query of whole rows of `decisions` finds."""
    return cast(list[DecisionColumns], list(db.query(query, values)))
