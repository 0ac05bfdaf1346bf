"""The answers of `import` and `datasets`, key by key, as --json prints them.

Knows names and types. Does not know how an answer is computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from exdd_core.datasets.reports import Report
    from exdd_core.workspace.dataset_states import Change
    from exdd_core.workspace.dataset_uses import Uses


class JoinedFiles(TypedDict, total=False):
    """What an import with --into says besides, as `joining.Joined`."""

    joined: list[str]
    passed_over: list[str]
    renamed: dict[str, str]
    copies: dict[str, str]
    sentences: list[str]


class DatasetImported(JoinedFiles):
    """The answer of `import`. changed: False where the data set was there already. size: "256x632"."""

    dataset: str
    changed: bool
    layout: str
    size: str
    counts: dict[str, dict[str, int]]
    state: int
    healthy: bool
    report: Report


class Summary(TypedDict):
    """A data set as `workspace.DatasetInfo` has it; size is "256x632", depth as `Depth.parse` takes it."""

    dataset: str
    called: str
    layout: str
    title: str
    size: str
    created: str
    counts: dict[str, dict[str, int]]
    state: int
    depth: str | None
    mask_rule: str
    roi: str | None
    healthy: bool


class DatasetRow(Summary):
    """A data set in a list, and whether it is the active one."""

    active: bool


class DatasetShown(Summary):
    """A data set, what was made from it, its changes and its integrity report."""

    used_by: Uses
    changes: list[Change]
    report: Report


class DatasetJoined(Summary):
    """A data set that was made of others, and its integrity report."""

    report: Report
    sentence: str


class RegionSet(TypedDict):
    """A data set's region of interest: its file, and the share of an image that counts; None where all does."""

    dataset: str
    state: int
    roi: str | None
    share: float | None
    sentence: str


class DatasetDeleted(TypedDict):
    """A data set that was deleted, and what was deleted with it."""

    dataset: str
    deleted: Uses
    sentence: str
