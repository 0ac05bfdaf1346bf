"""One row of a data set's table, and the few things every layout needs to make it from files.

Knows names and order of files. Knows nothing of pixels, features or any particular layout.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from exdd_core.images import SUFFIXES

NORMAL, DEFECT = "normal", "defect"


@dataclass(frozen=True)
class Record:
    """One image: where it lies and what is known of it. Paths are posix and relative to the data set's root.

    `mask` marks the defect's pixels, None for normal images and where there is none. `group` is the physical
    part: images of one group never lie on both sides of a split or fold (SPEC, finding 1).
    """

    path: str
    label: str  # "normal" or "defect"
    defect_type: str  # "" for normal
    mask: str | None
    split: str  # "train", "test" or "" where it is still to be made
    group: str


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key in which "part2" comes before "part10"."""
    pieces = re.split(r"([0-9]+)", text)
    return tuple((0, int(p), p) if i % 2 else (1, 0, p) for i, p in enumerate(pieces) if p)


def image_files(folder: Path) -> list[Path]:
    """Every image below `folder` in natural order; hidden files and those of macOS archives are left out."""
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not _is_hidden(path.relative_to(folder)) and path.is_file()
    ]
    return sorted(found, key=lambda path: natural_key(path.relative_to(folder).as_posix()))


def subfolders(folder: Path) -> list[Path]:
    """The visible folders directly in `folder`, in natural order."""
    found = [path for path in folder.iterdir() if path.is_dir() and not _is_hidden(Path(path.name))]
    return sorted(found, key=lambda path: natural_key(path.name))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def in_natural_order(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: natural_key(record.path))
