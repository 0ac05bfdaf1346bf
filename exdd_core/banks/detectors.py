"""The detector of a bank version, following every decision that was made.

Knows versions and what waits for them. Does not know who asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exdd_core.banks import following, stored
from exdd_core.workspace import thresholds

if TYPE_CHECKING:
    from exdd_core.detector import Detector
    from exdd_core.workspace import Workspace


def load_detector(workspace: Workspace, bank: str | None = None, until: int | None = None) -> Detector:
    """The detector of a bank version (None: the active one), with the changes of its banks since it was built.

    Decisions that its banks do not follow yet are fitted first: whoever asks meanwhile waits for that. until: apply
    changes up to this number (`history.newest`), to measure a former state again; None: all of them.
    """
    version = workspace.bank(bank)
    if until is None:
        following.follow(workspace, version)
    return stored.stored_detector(workspace, version.id, until)


def judging_detector(workspace: Workspace, bank: str | None = None) -> Detector:
    """`load_detector` with the threshold that people chose for the version, by which images are judged.

    What is measured or fitted uses `load_detector`: its scale stays that of the build, whatever is chosen.
    """
    version = workspace.bank(bank)
    detector, to = load_detector(workspace, version.id), thresholds.factor(workspace, version.id)
    return detector if to == 1 else detector.with_threshold(to)
