"""Data sets: one module a layout, each turning a folder into the same table of `Record`s.

Knows which layouts there are and what they have in common: splits, groups, manifests. Knows nothing of
features, of the workspace or of where a folder came from. A layout is a module with NAME, TITLE,
DEFAULT_SIZE, `detect(root)`, `read(root)` and, where the layout brings no split of its own, TEST_EVERY.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from exdd_core.datasets import demo, folder, kolektor_sdd, ksdd2, magnetic_tile, mvtec
from exdd_core.datasets.groups import GroupRule, folds, grouped_split, limit_parts
from exdd_core.datasets.manifests import read_manifests, write_manifests
from exdd_core.datasets.record import DEFECT, NORMAL, Record, natural_key, subfolders
from exdd_core.errors import BadInput

__all__ = [
    "DEFECT",
    "LAYOUTS",
    "NORMAL",
    "GroupRule",
    "Record",
    "detect_layout",
    "find_root",
    "folds",
    "grouped_split",
    "limit_parts",
    "natural_key",
    "read_layout",
    "read_manifests",
    "write_manifests",
]

# In the order of detection: the particular before the general.
LAYOUTS: dict[str, ModuleType] = {
    module.NAME: module for module in (demo, ksdd2, kolektor_sdd, magnetic_tile, mvtec, folder)
}


def find_root(root: Path) -> Path:
    """Where a layout begins: `root`, or what it wraps, as archives do, in folders of one folder each."""
    while _detect(root) is None:
        inner = subfolders(root)
        if len(inner) != 1:
            break
        root = inner[0]
    return root


def detect_layout(root: Path) -> str:
    """The name of the layout that `root` has. Raises `BadInput` when it has none."""
    name = _detect(_folder(root))
    if name is None:
        raise BadInput(
            f"{root} has no layout that is known; put normal images in good/ and images with a defect in "
            f"defect/, or use one of: {'; '.join(module.TITLE for module in LAYOUTS.values())}."
        )
    return name


def read_layout(
    root: Path, layout: str = "auto", groups: GroupRule | None = None
) -> tuple[str, list[Record]]:
    """The layout's name and a record for every image, in natural order of the paths, each with its split.

    Where a layout has no split, the grouped one is made. `groups` is for plain folders. Raises `BadInput`.
    """
    _folder(root)
    if layout != "auto" and layout not in LAYOUTS:
        raise BadInput(f'"{layout}" is not a layout; choose auto, {", ".join(LAYOUTS)}.')
    name = detect_layout(root) if layout == "auto" else layout
    module = LAYOUTS[name]
    if layout != "auto" and not module.detect(root):
        raise BadInput(f"{root} does not have the layout {module.TITLE}; choose another or leave it to auto.")
    if groups is not None and module is not folder:
        raise BadInput(f"Groups can be given for plain folders only; {module.TITLE} has its own.")
    records: list[Record] = folder.read(root, groups) if module is folder else module.read(root)
    if not any(record.label == NORMAL for record in records):
        raise BadInput(f"{root} holds no normal images; add some, ExDD learns from them first.")
    if hasattr(module, "TEST_EVERY"):
        records = grouped_split(records, module.TEST_EVERY)
    return name, records


def _folder(root: Path) -> Path:
    if not root.is_dir():
        raise BadInput(f"{root} is not a folder; name the folder that holds the images.")
    return root


def _detect(root: Path) -> str | None:
    return next((name for name, module in LAYOUTS.items() if module.detect(root)), None)
