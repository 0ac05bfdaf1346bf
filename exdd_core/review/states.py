"""A bank version in one state of its banks, and how that version reads an image.

Knows bank versions, the decisions that they follow and image files. Does not know detectors or scores.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exdd_core.banks import following
from exdd_core.datasets import incoming
from exdd_core.depth import Depth
from exdd_core.errors import BadInput
from exdd_core.picture import Picture, read as read_picture
from exdd_core.review.results import Results
from exdd_core.workspace import bank_contents, thresholds

if TYPE_CHECKING:
    from exdd_core.review.lists import ShownImage
    from exdd_core.workspace import BankVersion, Workspace

VERSIONS_KEPT = 16  # versions whose results stay in memory; others are read again from their files


@dataclass(frozen=True)
class BankState:
    """A bank version in one state of its banks.

    state: "" as the version was built, else a hash of the changes in force, with the threshold that somebody
    chose. Two states with the same of both are the same, whatever was made and undone in between.
    """

    version: BankVersion
    state: str

    @property
    def stamp(self) -> str:
        """A text that differs wherever scores may differ."""
        return f"{self.version.id} {self.state}"

    @property
    def content(self) -> str:
        """The state without the threshold: the same wherever the banks hold the same rows."""
        return self.state.partition("~")[0]


def bank_state(workspace: Workspace, bank: str | None = None) -> BankState | None:
    """A bank version as its banks are now.

    bank: its id or name; None: the active version. Returns None where no version is active; raises BadInput
    for a version that does not exist.
    """
    version = workspace.bank(bank) if bank else workspace.active_bank()
    return BankState(version, _state(workspace, version)) if version else None


def require_state(workspace: Workspace, bank: str | None) -> BankState:
    """`bank_state`; raises BadInput where no version is active."""
    state = bank_state(workspace, bank)
    if state is None:
        raise BadInput("There is no bank version yet; build one first.")
    return state


def followed_state(workspace: Workspace, bank: str | None) -> BankState:
    """`require_state`, once the banks follow every decision made so far: what is computed begins with it."""
    following.follow(workspace, require_state(workspace, bank).version)
    return require_state(workspace, bank)


def _state(workspace: Workspace, bank: BankVersion) -> str:
    with workspace.reading() as db:
        content = bank_contents.content(db, bank.id)[:16]
    to = thresholds.factor(workspace, bank.id)
    return content if to == 1 else f"{content}~{to:.9g}"


def former_name(workspace: Workspace, bank: BankVersion) -> dict[str, str]:
    """The present state by the name that it had before schema 6, under which its results may be stored."""
    with workspace.reading() as db:
        changed = bank_contents.differing(db, bank.id)
        now = bank_contents.content(db, bank.id)[:16]
    told = json.dumps(sorted([*key, since] for key, since in changed.items()))
    return {hashlib.sha256(told.encode()).hexdigest()[:16]: now} if changed else {}


class KeptResults:
    """The stored results of the versions that were looked at last. Safe to use from any thread."""

    def __init__(self, workspace: Workspace):
        self._workspace, self._lock = workspace, threading.Lock()
        self._kept: OrderedDict[str, Results] = OrderedDict()

    def of(self, bank: BankVersion) -> Results:
        with self._lock:
            if bank.id not in self._kept:
                path = self._workspace.path / "cache" / "results" / f"{bank.id}.jsonl"
                self._kept[bank.id] = Results(path, former_name(self._workspace, bank))
            self._kept.move_to_end(bank.id)
            while len(self._kept) > VERSIONS_KEPT:
                self._kept.popitem(last=False)
            return self._kept[bank.id]


def read(workspace: Workspace, image: ShownImage, bank: str | None = None) -> Picture:
    """An image as a bank version reads it; None: the active one, or plainly without one. Raises BadInput."""
    state = bank_state(workspace, bank)
    depth, by_brightest = _depth_of(state.version) if state else (None, False)
    return read_picture(image.path, image.name, depth, by_brightest, image.depth)


def notes(workspace: Workspace, image: ShownImage, picture: Picture, bank: str | None = None) -> list[str]:
    """Sentences on how a version has read an image: its pages, its bit depth, likeness to a mask."""
    state = bank_state(workspace, bank)
    if state is None:
        said = incoming.notes(picture)
    else:
        depth, by_brightest = _depth_of(state.version)
        said = incoming.notes(picture, state.version.name, depth, by_brightest)
        if picture.depth is None and depth is not None:
            said.append(incoming.shallow_note(1, state.version.name, depth))
    if image.id.startswith("file:") and (alike := incoming.mask_note(image.path)):
        said.append(alike)
    return said


def _depth_of(version: BankVersion) -> tuple[Depth | None, bool]:
    """The bit depth that a version reads deep images with, and whether it guesses one for each.

    The depth is None where the version was built from 8-bit images alone. Versions from before bit depths
    were stored guess 12 or 16 bits from the brightest value of each image.
    """
    kept = version.settings.get("depth")
    return (Depth.parse(kept) if kept else None), "depth" not in version.settings
