"""Lists of images that can be looked at: data sets, folders elsewhere, files added by hand.

Knows rows and folders. Does not know scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core.depth import Depth

if TYPE_CHECKING:
    from exdd_core.workspace import ImageRow

FOLDERS_KEPT = 5  # folders elsewhere on this computer that the list of lists remembers
FOLDERS, UPLOADS = "inspect_folders", "uploads"


@dataclass(frozen=True)
class ShownImage:
    """One image of a list. A changed file has a new `id`; label "" where the truth is unknown."""

    id: str
    name: str
    path: Path
    label: str = ""
    defect_type: str = ""
    mask: Path | None = None
    ratio: float = 1.0  # width / height; 1 where it is not known before the file is read
    depth: Depth | None = None  # of its data set's images with more than 8 bits


@dataclass(frozen=True)
class ImageList:
    """Images that are looked through together; `key` names the list, `title` is for people.

    left_out: how many pictures of the folder are not looked at.
    """

    key: str
    title: str
    count: int
    left_out: int = 0


def of_dataset(row: ImageRow) -> ShownImage:
    name = row.id.removeprefix(f"{row.dataset}/")
    ratio = row.width / row.height
    return ShownImage(row.id, name, row.path, row.label, row.defect_type, row.mask, ratio, row.depth)


def elsewhere(path: Path, name: str) -> ShownImage:
    return ShownImage(f"file:{path}#{path.stat().st_mtime_ns}", name, path)
