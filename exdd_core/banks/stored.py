"""Loads the detector of a bank version with every stored change since it was built; keeps the last two in memory.

Knows versions, their changes and the detector. Does not know decisions or who asks.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exdd_core.banks import features, history
from exdd_core.workspace import version_files
from exdd_core.workspace.failures import as_bad_input

if TYPE_CHECKING:
    from exdd_core.detector import Detector
    from exdd_core.workspace import BankVersion, Workspace

DETECTORS_KEPT = 2


@dataclass
class _Kept:
    """The detectors last used, by version, each with the number of its last change."""

    detectors: OrderedDict[str, tuple[int, Detector]] = field(default_factory=OrderedDict)
    # One thread reads a version, however many ask for it.
    lock: threading.RLock = field(default_factory=threading.RLock)


_LOCK = threading.Lock()


def _kept(workspace: Workspace) -> _Kept:
    # A detector knows its workspace: kept anywhere else, both would stay for as long as the process.
    with _LOCK:
        kept: _Kept = vars(workspace).setdefault("kept_detectors", _Kept())
    return kept


def stored_detector(workspace: Workspace, bank: str | None = None, until: int | None = None) -> Detector:
    """The detector of a bank version (None: the active one), with the changes of its banks since it was built.

    until: apply changes up to this number (`history.newest`), to measure a former state again; None: all of them.
    The last two detectors stay in memory and take in what other threads and processes change.
    """
    version, kept = workspace.bank(bank), _kept(workspace)
    with kept.lock, as_bad_input():
        with workspace.reading() as db:
            newest = history.newest(db, version.id)
        then = until is not None and until != newest
        newest = until if until is not None else newest
        last, detector = (0, None) if then else kept.detectors.get(version.id, (0, None))
        if detector is None:
            detector = load_as_built(workspace, version)
            if detector.fitted.can_change:
                detector.recall(features.HeldOutFeatures(workspace, version.id, detector))
        if last < newest:
            later = _later(workspace, version, last, newest)
            last = later.last
            if later.changes:
                detector = detector.changed(later.changes, later.state)
        if not then:
            keep_detector(workspace, version.id, last, detector)
        return detector


def _later(workspace: Workspace, version: BankVersion, after: int, until: int) -> history.Changes:
    """What has changed in a version. Raises BadInput where a change is damaged."""
    from exdd_core.detector.soundness import Damaged

    try:
        with workspace.reading() as db:
            return history.read(db, version.id, after, until)
    except Damaged as error:
        raise version_files.damaged(version, error.what) from error


def load_as_built(workspace: Workspace, version: BankVersion) -> Detector:
    """The detector of a version without later changes. Raises BadInput where a file is damaged, before it is used."""
    from exdd_core.detector import Detector
    from exdd_core.detector.soundness import Damaged

    version_files.require_undamaged(version)
    try:
        detector = Detector.load(version.path, workspace.backbone(version.settings["backbone"]))
    except Damaged as error:
        raise version_files.damaged(version, error.what) from error
    if version.files is None:
        version_files.take(workspace, version)
    return detector


def keep_detector(workspace: Workspace, bank: str, last: int, detector: Detector) -> None:
    """Keep a detector in memory for whoever loads the version next. last: the number of its last change."""
    kept = _kept(workspace)
    with kept.lock:
        if bank not in kept.detectors or kept.detectors[bank][0] <= last:
            kept.detectors[bank] = (last, detector)
        kept.detectors.move_to_end(bank)
        while len(kept.detectors) > DETECTORS_KEPT:
            kept.detectors.popitem(last=False)
