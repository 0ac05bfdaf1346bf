"""The features of held-out images that a bank version is fitted again with when rows come or go.

They are many times larger than the version and can be made again from its images: so they lie in the cache, at
half precision, are mapped into memory when they are first looked at, and computed where they are gone. Knows files
and the workspace's images; does not know what they are compared with.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from exdd_core import patches

if TYPE_CHECKING:
    from exdd_core.detector import Detector
    from exdd_core.workspace import Workspace

FOLDER = "cache/held_out"


def keep(workspace: Workspace, bank: str, detector: Detector) -> None:
    """Store the held-out features of a detector that was just built."""
    assert detector.held_out is not None and detector.held_out.features is not None
    _store(_file(workspace, bank), detector.held_out.features)


def forget(workspace: Workspace, bank: str) -> None:
    _file(workspace, bank).unlink(missing_ok=True)


class Features(Sequence):
    """The features of a version's held-out images, float16 (n, d) each."""

    def __init__(self, workspace: Workspace, bank: str, detector: Detector):
        assert detector.held_out is not None
        self._workspace, self._bank, self._detector = workspace, bank, detector
        self._ids = [image.id for image in detector.held_out.images]
        self._read: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, number: Any) -> Any:
        if self._read is None:
            self._read = self._found()
        return self._read[number]

    def _found(self) -> np.ndarray:
        height, width = self._detector.grid
        shape = (len(self), height * width, self._detector.backbone.dimension)
        file = _file(self._workspace, self._bank)
        try:
            found = np.load(file, mmap_mode="r")
            if found.shape == shape:
                return found
        except (OSError, ValueError):
            pass  # gone or damaged, as a cache may be
        paths = [self._workspace.image(id).path for id in self._ids]
        features = patches.extract(self._detector.backbone, paths, self._detector.settings.size)
        return _store(file, features.reshape(shape))


def _file(workspace: Workspace, bank: str) -> Path:
    return workspace.path / FOLDER / f"{bank}.npy"


def _store(file: Path, features: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(f".{uuid.uuid4().hex[:8]}")
    stored = np.lib.format.open_memmap(unfinished, "w+", np.float16, (len(features), *features[0].shape))
    for number, one in enumerate(features):
        stored[number] = one
    stored.flush()
    unfinished.rename(file)
    return stored
