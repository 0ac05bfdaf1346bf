"""What rows of the database say: data sets, images and bank versions as frozen values.

Knows columns and their types. Does not know how rows are read or changed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exdd_core.datasets.record import Record
from exdd_core.datasets.reports import Report, SurveyReport
from exdd_core.depth import Depth
from exdd_core.errors import BadInput
from exdd_core.images import Size
from exdd_core.workspace import dataset_states

IMAGE_COLUMNS = ("id", "dataset", "label", "split", "defect_type", "group", "width", "height")


@dataclass(frozen=True)
class DatasetInfo:
    """One imported data set. `report` is the integrity report; `size` is what banks are built at."""

    name: str
    layout: str
    title: str
    size: Size
    created: str  # ISO 8601, UTC
    counts: dict[str, dict[str, int]]  # split -> label -> images
    report: Report  # what an older version wrote may lack keys
    depth: Depth | None = None  # of images with more than 8 bits a channel; None where there are none
    changed: bool = True  # False when an import found that this very data set was there already
    state: int = 1  # the number of its last change, 1 as it was imported
    called: str = ""  # what people call it; `name` stays in ids and folders
    roi: str | None = None  # file of the region outside of which nothing counts, in its folder
    mask_rule: str = ""  # how masks that come with new images are read, as `MaskRule.parse` takes it

    @property
    def commonest_size(self) -> tuple[int, int]:
        """(width, height) in pixels of most of its images. Raises `BadInput` where none can be read."""
        size = self.report["sizes"]["most_common"]
        if size is None:
            raise BadInput(f'"{self.called}" has no image that can be read; import some first.')
        return size[0], size[1]


@dataclass(frozen=True)
class DatasetPreview:
    """What an import would make of a source: the name, layout and size it would get, its records and what it says."""

    name: str
    layout: str
    title: str
    size: Size
    records: list[Record]
    report: SurveyReport
    # A defective image, uint8 (H, W, 3), and its mask, bool (H, W).
    example: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class ImageRow:
    """One image of a data set. `id` is "DATASET/relative/path.png"; width and height in pixels, upright."""

    id: str
    dataset: str
    path: Path
    label: str
    split: str
    defect_type: str
    mask: Path | None
    group: str
    width: int
    height: int
    depth: Depth | None = None  # how its values are read where they have more than 8 bits


@dataclass(frozen=True)
class FileDigests:
    """SHA-256 of files by name. taken: when, ISO 8601; that of the build, or later for an older version."""

    taken: str
    digests: dict[str, str]


@dataclass(frozen=True)
class BankVersion:
    """One bank version.

    settings: the detector's (size as "256x632"), layers, positives, max_real_parts. summary: rows and images
    of both banks, the fusion, and a `note` on what was left out. seconds: the time the build took. who: built
    it, "" where that is not known.
    """

    id: str
    number: int
    dataset: str
    created: str  # ISO 8601, UTC
    seconds: float
    settings: dict[str, Any]
    summary: dict[str, Any]
    active: bool
    path: Path
    pinned: bool = False  # cannot be deleted
    who: str = ""
    files: FileDigests | None = None  # None for one that was built before there were digests

    @property
    def name(self) -> str:
        return f"v{self.number}"

    @property
    def state(self) -> int:
        """The state of its data set that it was built from."""
        return int(self.settings.get("state", dataset_states.FIRST))


def dataset_info(row: dict[str, Any], changed: bool = True) -> DatasetInfo:
    """What a row of `datasets` says."""
    report = json.loads(row["report"])
    return DatasetInfo(
        row["name"],
        row["layout"],
        row["title"],
        Size(row["width"], row["height"], bool(row["keep_aspect"])),
        row["created"],
        report["counts"],
        report,
        Depth.parse(row["depth"]) if row["depth"] else None,
        changed,
        dataset_states.current(row),
        row["called"] or row["name"],
        row["roi"],
        row["mask_rule"] or "",
    )
