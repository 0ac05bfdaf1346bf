"""Features of whole images: those that a version is fitted again with when its rows change, and judged by.

Features of held-out normal images and of defective training images are many times larger than the version and can be
computed again. They are cached at half precision, mapped into memory at first use, and recomputed where the file is
gone. Knows files and the workspace's images. Does not know what the features are compared with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from exdd_core import files
from exdd_core.detector import patches
from exdd_core.detector.examples import DefectImage
from exdd_core.detector.patch_features import FlatFeatures
from exdd_core.workspace.versions import cache_of

if TYPE_CHECKING:
    from exdd_core.detector import Detector
    from exdd_core.workspace import Workspace

HELD_OUT = "held_out"
DEFECT_IMAGES = 120  # at most, that effects are measured on


def keep(workspace: Workspace, bank: str, detector: Detector) -> None:
    """Store the held-out features of a detector that was just built."""
    held = detector.fitted.held
    assert held.features is not None
    _store(_file(workspace, bank), held.features)


def defects(workspace: Workspace, bank: str, detector: Detector) -> list[DefectImage]:
    """The defective training images of a version with the features of all their patches.

    At most DEFECT_IMAGES of them, spread evenly over the physical parts.
    """
    images = detector.fitted.examples.defects.images
    known = [i for i in images if i.origin == "real" and not i.id.startswith("file:")]
    turn: dict[str, int] = {}
    order: list[tuple[int, int]] = []
    for image in known:
        turn[image.group] = turn.get(image.group, 0) + 1
        order.append((turn[image.group], len(order)))
    chosen = [known[at] for _, at in sorted(sorted(order)[:DEFECT_IMAGES], key=lambda pair: pair[1])]
    if not chosen:
        return []
    names = hashlib.sha256(json.dumps([image.id for image in chosen]).encode()).hexdigest()[:12]
    found = _features(workspace, bank, f"defects-{names}", [image.id for image in chosen], detector)
    return [DefectImage(image, features) for image, features in zip(chosen, found, strict=True)]


class HeldOutFeatures(Sequence):
    """The features of a version's held-out images, float16 (n, d) each."""

    def __init__(self, workspace: Workspace, bank: str, detector: Detector):
        self._workspace, self._bank, self._detector = workspace, bank, detector
        self._ids = [image.id for image in detector.fitted.held.images]
        self._read: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, number: Any) -> Any:
        if self._read is None:
            self._read = self._found()
        return self._read[number]

    def _found(self) -> np.ndarray:
        return _features(self._workspace, self._bank, HELD_OUT, self._ids, self._detector)


def _features(
    workspace: Workspace, bank: str, name: str, ids: Sequence[str], detector: Detector
) -> np.ndarray:
    """Features of m images, float16 (m, n, d), from the cache or else from the image files."""
    height, width = detector.grid
    shape = (len(ids), height * width, detector.backbone.dimension)
    file = _file(workspace, bank, name)
    try:
        found = np.load(file, mmap_mode="r")
        if found.shape == shape:
            return found
    except (OSError, ValueError):
        pass  # the file is gone or damaged: compute it again
    paths, settings = [workspace.image(id).path for id in ids], detector.settings
    features = patches.extract(
        detector.backbone, paths, settings.size, reader=settings.read, region=detector.region
    )
    return _store(file, FlatFeatures(features))


def _file(workspace: Workspace, bank: str, name: str = HELD_OUT) -> Path:
    return cache_of(workspace, bank) / f"{name}.npy"


def _store(file: Path, features: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    file.parent.mkdir(parents=True, exist_ok=True)
    kind = {"descr": "<f2", "fortran_order": False, "shape": (len(features), *features[0].shape)}
    # Written through a stream: writing to a memory map on a full disk kills the process without a message.
    with files.whole(file) as place, place.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, kind)
        for one in features:
            stream.write(np.ascontiguousarray(one, "<f2").data)
    return np.load(file, mmap_mode="r")
