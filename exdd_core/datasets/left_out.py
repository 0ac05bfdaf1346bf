"""Pictures that became neither image nor mask of a data set, by folder and reason.

Knows names and sentences. Does not know pixels or layouts.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from exdd_core.datasets.record import natural_key
from exdd_core.datasets.reports import LeftOutRow
from exdd_core.datasets.tree import Tree, is_below, parent
from exdd_core.sentences import count, listed, spelt

EMPTY = "it holds nothing"
AS_CHOSEN = "as you chose"
CHOSEN = (AS_CHOSEN,)  # reasons that need no attention


@dataclass(frozen=True)
class LeftOut:
    """Pictures of one folder that became neither image nor mask, for one reason.

    paths: relative to the root of the source. serious: a person should look at them.
    """

    folder: str
    reason: str
    paths: tuple[str, ...]
    serious: bool = True

    @property
    def sentence(self) -> str:
        what = f"{self.folder}/" if self.folder else "the folder itself"
        many = len(self.paths)
        if self.paths == (self.folder,):
            return f"{what if self.reason == EMPTY else self.folder} is left out: {self.reason}."
        shown = listed([path[len(self.folder) :].lstrip("/") for path in self.paths])
        files = count(many, f"file of {what} is", f"files of {what} are")
        return f"{files} left out ({shown}): {self.reason}."

    def to_row(self) -> LeftOutRow:
        return {
            "folder": self.folder,
            "reason": self.reason,
            "count": len(self.paths),
            "paths": list(self.paths),
            "serious": self.serious,
        }


def by_folder(tree: Tree, reasons: dict[str, str]) -> list[LeftOut]:
    """All that is left out, by folder and reason, and every empty folder. reasons: picture -> why."""
    grouped: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, reason in (reasons | tree.unread).items():
        grouped[parent(name), reason].append(name)
    for name, reason in tree.not_followed.items():
        grouped[name, reason].append(name)
    full = {parent(name) for name in (*tree.images, *tree.files, *tree.unread, *tree.not_followed)}
    for folder in tree.folders:
        if folder not in full and not any(is_below(name, folder) for name in (*full, *tree.folders)):
            grouped[folder, EMPTY].append(folder)
    return [
        LeftOut(
            spelt(folder), reason, tuple(map(spelt, sorted(paths, key=natural_key))), reason not in CHOSEN
        )
        for (folder, reason), paths in sorted(grouped.items(), key=lambda item: natural_key(item[0][0]))
    ]
