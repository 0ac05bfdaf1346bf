"""Folders that are made whole: made hidden, renamed into place, entered in the database; or swept away.

Knows locks, marks and the folders of a workspace. Does not know what is made in them.
"""

from __future__ import annotations

from pathlib import Path

LOCK, TEMPORARY, MARK = ".lock", ".making-", ".unfinished"
# folders of things that are made whole: the table and the column that say what is there
MADE = {"datasets": ("datasets", "name"), "banks": ("banks", "id"), "candidates": ("candidates", "id")}


def bring_caches_up_to_date(cache: Path) -> None:
    """Move what earlier versions of the program cached of a bank version into the folder of that version."""
    for former, ending in (("maps", "npz"), ("held_out", "npy")):
        for file in (cache / former).glob(f"*.{ending}"):
            bank, _, names = file.stem.partition("-")
            name = "map" if former == "maps" else f"defects-{names}" if names else "held_out"
            place = cache / "banks" / bank / f"{name}.{ending}"
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)
        if (cache / former).is_dir() and not any((cache / former).iterdir()):
            (cache / former).rmdir()
