"""Changes the active bank version for a decision: computed first, written in one transaction, then published.

The caller holds the lock under which versions change. Knows detectors and a version's history. Does not know what was
decided, or why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from exdd_core.banks import history
from exdd_core.banks.stored import keep_detector, load_as_built, stored_detector
from exdd_core.detector import Change
from exdd_core.detector.change import examine
from exdd_core.detector.examples import Marked
from exdd_core.workspace import bank_contents

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace import BankVersion, Workspace


class BankUpdate:
    """A version's banks after a decision. `write` stores the changes, and `publish` shows them to other readers."""

    def __init__(self, workspace: Workspace, version: BankVersion):
        self.workspace, self.version = workspace, version
        self.detector = self.new = stored_detector(workspace, version.id)
        self._entered: list[tuple[Change, int]] = []

    @classmethod
    def active(cls, workspace: Workspace, dataset: str) -> BankUpdate | None:
        """The version that judges this data set, where one was built from it."""
        version = workspace.active_bank(dataset)
        return cls(workspace, version) if version and version.dataset == dataset else None

    def holds(self, id: str, side: str) -> bool:
        bank = self.detector.negative if side == "negative" else self.detector.positive
        return bank is not None and any(image.id == id for image in bank.images)

    def add(self, several: Sequence[Marked], side: str = "positive") -> list[Change]:
        fresh = [m for m in several if not self.holds(m.image.id, side)]
        if len(fresh) == 1 and self.just_left(fresh[0], side):
            return self.put_back(fresh[0].image.id, side)
        changes = self.detector.additions(fresh, side)
        if changes:
            self.new = self.detector.changed(changes)
        return changes

    def exchange(
        self,
        gone: Sequence[tuple[str, str]],
        back: Sequence[tuple[str, str]],
        several: Mapping[str, list[Marked]],
    ) -> list[Change]:
        """Change many images at once, with one fit.

        gone, back: (image, side) whose rows are removed, or put back as they were removed. several: patches that are
        added, by side.
        """
        changes = [change for id, side in gone for change in self.detector.removals(id, side)]
        with self.workspace.reading() as db:
            kept = [history.left(db, self.version.id, id, side) for id, side in back]
        changes += [found[1] for found in kept if found is not None]
        # Only the banks matter for what is added next, so what was fitted stays for the moment.
        between = self.detector.changed(changes, self.detector.fitted_state()) if changes else self.detector
        for side, marked in several.items():
            changes += between.additions(marked, side)
        return self._make(changes)

    def remove(self, id: str, side: str) -> list[Change]:
        """Remove an image's rows from a bank."""
        return self._make(self.detector.removals(id, side))

    def put_back(self, id: str, side: str) -> list[Change]:
        """Put an image's removed rows back as they were; no change where they were not kept."""
        with self.workspace.reading() as db:
            found = history.left(db, self.version.id, id, side)
        return self._make([found[1]]) if found else []

    def can_put_back(self, id: str, side: str) -> bool:
        """Whether the rows of an image were kept when they were removed."""
        with self.workspace.reading() as db:
            return history.left(db, self.version.id, id, side) is not None

    def just_left(self, marked: Marked, side: str) -> bool:
        """Whether the version's last change removed exactly these patches, so that adding them is taking it back."""
        with self.workspace.reading() as db:
            found = history.left(db, self.version.id, marked.image.id, side)
            if found is None or found[0] != history.newest(db, self.version.id):
                return False
        use = examine(self.detector.fitted, marked).clean if side == "positive" else slice(None)
        return found[1].image == marked.image and np.array_equal(found[1].position, marked.position[use])

    def _make(self, changes: list[Change]) -> list[Change]:
        """Apply changes; where the banks held the same rows before, what was fitted then is taken over."""
        if not changes:
            return changes
        told = [(change.image.id, change.side, change.action) for change in changes]
        with self.workspace.reading() as db:
            content = history.content_after(db, self.version.id, told)
            state = None if content is None else bank_contents.state_for(db, self.version.id, content)
        as_built = state == {}
        fitted = load_as_built(self.workspace, self.version).fitted_state() if as_built else state
        self.new = self.detector.changed(changes, fitted)
        return changes

    def enter(self, changes: Sequence[Change], decision: int) -> None:
        self._entered += [(change, decision) for change in changes]

    def write(self, db: Database) -> int:
        """Write what was entered; returns the number of the version's last change."""
        for change, decision in self._entered:
            history.record(db, self.version.id, change, decision)
        if self._entered:
            bank_contents.keep_state(db, self.version.id, self.new.fitted_state())
        return history.newest(db, self.version.id)

    def publish(self, last: int) -> None:
        keep_detector(self.workspace, self.version.id, last, self.new)
