"""Data sets, images and bank versions as frozen values, made from rows of the database.

Knows columns and their types. Does not know how rows are read or changed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from exdd_core.datasets.record import Record
from exdd_core.datasets.reports import Report, SurveyReport
from exdd_core.depth import Depth
from exdd_core.errors import BadInput
from exdd_core.images import Size
from exdd_core.workspace import dataset_states
from exdd_core.workspace.columns import DatasetColumns

if TYPE_CHECKING:
    from exdd_core.detector.summary import StoredSummary


@dataclass(frozen=True)
class DatasetInfo:
    """One imported data set. report: the integrity report. size: that banks are built at."""

    name: str
    layout: str
    title: str
    size: Size
    created: str  # ISO 8601, UTC
    counts: dict[str, dict[str, int]]  # split -> label -> images
    report: Report  # reports of older versions may lack keys
    depth: Depth | None = None  # of images with more than 8 bits a channel; None where there are none
    changed: bool = True  # False when an import found the same content under the same name
    state: int = 1  # the number of its last change, 1 as it was imported
    called: str = ""  # the name for people; `name` stays in ids and folders
    roi: str | None = None  # file of the region of interest, in the data set's folder
    mask_rule: str = ""  # for masks of new images, as `MaskRule.parse` reads it

    @property
    def commonest_size(self) -> tuple[int, int]:
        """(width, height) in pixels of most images. Raises `BadInput` without readable images."""
        size = self.report["sizes"]["most_common"]
        if size is None:
            raise BadInput(f'"{self.called}" has no images that can be read; import some first.')
        return size[0], size[1]


@dataclass(frozen=True)
class DatasetPreview:
    """The result that an import would have: name, layout, size, records and report."""

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
    depth: Depth | None = None  # bit depth, None for 8 bits


@dataclass(frozen=True)
class FileDigests:
    """SHA-256 of files by name. taken: when, ISO 8601; that of the build, or later for an older version."""

    taken: str
    digests: dict[str, str]


class BankSettings(TypedDict, total=False):
    """How a bank version was built; one from an older program lacks some of them.

    size: "256x632", the model's input in pixels. layers: of the backbone. negative_ratio, positive_ratio: shares of
    patches kept, (0, 1]. fusion: a name, or "auto". depth: as `Depth.parse` reads it. positives, max_real_parts, state:
    as in `banks.options`. made_for: the measurement that built it for itself. imported: the bundle that it came in.
    """

    backbone: str
    size: str
    negative_ratio: float
    positive_ratio: float
    fusion: str
    false_alarm_rate: float
    seed: int
    depth: str | None
    keep_aspect: bool
    layers: Sequence[str]
    positives: str
    max_real_parts: int | None
    state: int
    made_for: str
    imported: str


@dataclass(frozen=True)
class BankVersion:
    """One bank version.

    seconds: time that the build took. who: the person who built it, "" if unknown. made_for: kind of the measurement
    that built it for itself, "" where a person did. called: its name for people, "" for none.
    """

    id: str
    number: int
    dataset: str
    created: str  # ISO 8601, UTC
    seconds: float
    settings: BankSettings
    summary: StoredSummary
    active: bool
    path: Path
    pinned: bool = False  # cannot be deleted
    who: str = ""
    files: FileDigests | None = None  # None for one that was built before there were digests
    made_for: str = ""
    called: str = ""

    @property
    def name(self) -> str:
        return f"v{self.number}"

    @property
    def title(self) -> str:
        """Its name with that for people, such as "v3 new lamp"."""
        return f"{self.name} {self.called}".strip()

    @property
    def state(self) -> int:
        """The state of its data set that it was built from."""
        return int(self.settings.get("state", dataset_states.FIRST))

    @property
    def imported(self) -> str:
        """The bundle that it came in, in words; "" for one that was built here."""
        return self.settings.get("imported", "")

    @property
    def is_measurement(self) -> bool:
        """Whether a measurement built it for itself and nobody has taken it over: lists for people leave it out."""
        return bool(self.made_for) and not (self.active or self.pinned)


def dataset_info(row: DatasetColumns, changed: bool = True) -> DatasetInfo:
    """A row of `datasets` as a value."""
    report: Report = json.loads(row["report"])
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
