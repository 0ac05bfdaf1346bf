"""Features of whole images: those that a version is fitted again with when its rows change, and judged by.

Features of held-out normal images and of defective training images are many times larger than the version and can be
computed again. They are cached at half precision, read image by image, and recomputed where the file is gone. Knows
files and the workspace's images. Does not know what the features are compared with.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from exdd_core import files
from exdd_core.detector import patches
from exdd_core.detector.examples import DefectImage
from exdd_core.detector.feature_cache import FeatureCache
from exdd_core.detector.patch_features import FlatFeatures
from exdd_core.errors import BadInput
from exdd_core.workspace.decisions import in_force
from exdd_core.workspace.versions import cache_of

if TYPE_CHECKING:
    from exdd_core.detector import Detector, Settings
    from exdd_core.detector.bank import BankImage
    from exdd_core.detector.fitted import Setup
    from exdd_core.workspace import Workspace

HELD_OUT = "held_out"
# Of the features that all computations of a workspace share; EXDD_CACHE_GB sets another number.
CACHE_GB = 10.0
CACHE_SHARE = 0.25  # of the room on the disk that they may take at most
DEFECT_IMAGES = 120  # at most, that effects are measured on


def keep(workspace: Workspace, bank: str, detector: Detector) -> None:
    """Store the held-out features of a detector that was just built."""
    held = detector.fitted.held
    assert held.features is not None
    _store(_file(workspace, bank), held.features)


def shared(workspace: Workspace, settings: Settings) -> FeatureCache:
    """The features that builds, evaluations, sweeps and curation of a workspace share, of images read as settings say.

    They take at most CACHE_GB and a share of the disk. Raises BadInput where EXDD_CACHE_GB is no number.
    """
    folder, asked = workspace.path / "cache" / "features", os.environ.get("EXDD_CACHE_GB") or str(CACHE_GB)
    try:
        wanted = float(asked)
    except ValueError as error:
        raise BadInput(f"EXDD_CACHE_GB is '{asked}'; set it to a number of gigabytes, such as 10.") from error
    cap = min(wanted * 1e9, CACHE_SHARE * shutil.disk_usage(workspace.path).total)
    return FeatureCache(folder, int(cap), repr((settings.depth, settings.by_brightest)))


def defects(workspace: Workspace, bank: str, detector: Detector) -> Sequence[DefectImage]:
    """The defective images that a version learnt from, with the features of all their patches.

    At most DEFECT_IMAGES of them, spread evenly over the physical parts.
    """
    images = detector.fitted.examples.defects.images
    known = [i for i in images if i.origin == "real"]
    turn: dict[str, int] = {}
    order: list[tuple[int, int]] = []
    for image in known:
        turn[image.group] = turn.get(image.group, 0) + 1
        order.append((turn[image.group], len(order)))
    chosen = [known[at] for _, at in sorted(sorted(order)[:DEFECT_IMAGES], key=lambda pair: pair[1])]
    if not chosen:
        return []
    names = hashlib.sha256(json.dumps([image.id for image in chosen]).encode()).hexdigest()[:12]
    found = _features(
        workspace, bank, f"defects-{names}", [image.id for image in chosen], detector.fitted.setup
    )
    return _DefectImages(chosen, found)


class HeldOutFeatures(Sequence):
    """The features of a version's held-out images, float16 (n, d) each."""

    def __init__(self, workspace: Workspace, bank: str, detector: Detector):
        # Not the detector itself, whose banks would then stay in memory as long as these features.
        self._workspace, self._bank, self._setup = workspace, bank, detector.fitted.setup
        self._ids = [image.id for image in detector.fitted.held.images]
        self._read: _Stored | None = None

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, number: Any) -> Any:
        if self._read is None:
            self._read = _features(self._workspace, self._bank, HELD_OUT, self._ids, self._setup)
        return self._read[number]


class _DefectImages(Sequence[DefectImage]):
    """Defective images whose features are read when they are looked at."""

    def __init__(self, images: Sequence[BankImage], features: Sequence[np.ndarray]):
        self._images, self._features = images, features

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, number: Any) -> Any:
        return DefectImage(self._images[number], self._features[number])


class _Stored(Sequence):
    """The arrays of one file, (m, n, d). Each is copied from it when it is asked for, and none stays in memory."""

    def __init__(self, file: Path):
        """Raises OSError or ValueError where the file is gone or damaged."""
        self._file, self.shape = file, np.load(file, mmap_mode="r").shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        return np.array(np.load(self._file, mmap_mode="r")[number])


def _features(workspace: Workspace, bank: str, name: str, ids: Sequence[str], setup: Setup) -> _Stored:
    """Features of m images, float16 (m, n, d), from the cache or else from the image files."""
    height, width = setup.grid
    shape = (len(ids), height * width, setup.backbone.dimension)
    file = _file(workspace, bank, name)
    try:
        found = _Stored(file)
        if found.shape == shape and _is_sound(file, found):
            return found
    except (OSError, ValueError):
        pass  # the file is gone or damaged: compute it again
    marked = {d.subject: workspace.path / d.detail["path"] for d in in_force(workspace, "missed")}
    paths, settings = [marked.get(id) or workspace.image(id).path for id in ids], setup.settings
    cache = shared(workspace, settings)
    features = patches.extract(
        setup.backbone, paths, settings.size, reader=settings.read, region=setup.region, cache=cache
    )
    return _store(file, FlatFeatures(features))


def _is_sound(file: Path, found: Sequence[np.ndarray]) -> bool:
    """Whether a file is what was stored. A file without a seal, of an older program, is if its numbers are finite."""
    holds = files.holds(file)
    if holds is None and all(np.isfinite(one).all() for one in found):
        with suppress(OSError):  # of a workspace that cannot be written to
            files.seal(file)
        return True
    return bool(holds)


def _file(workspace: Workspace, bank: str, name: str = HELD_OUT) -> Path:
    return cache_of(workspace, bank) / f"{name}.npy"


def _store(file: Path, features: Sequence[np.ndarray]) -> _Stored:
    file.parent.mkdir(parents=True, exist_ok=True)
    kind = {"descr": "<f2", "fortran_order": False, "shape": (len(features), *features[0].shape)}
    # Written through a stream: writing to a memory map on a full disk kills the process without a message.
    with files.sealed(file) as place, place.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, kind)
        for one in features:
            stream.write(np.ascontiguousarray(one, "<f2").data)
    return _Stored(file)
