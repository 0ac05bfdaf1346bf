"""Which images a bank version was built from or has learned from: by their id, or by identical bytes.

Knows the rows of a workspace and what a detector says of its banks. Does not know what a score is, nor who asks.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core.detector.summary import knows

if TYPE_CHECKING:
    from exdd_core.detector import Detector
    from exdd_core.workspace import BankVersion, Workspace


class TrainingImages:
    """The images that one bank version knows. Files are listed when the first image from elsewhere is looked up."""

    def __init__(self, workspace: Workspace, version: BankVersion, detector: Detector):
        self.version = version
        self._workspace, self._detector = workspace, detector
        self._by_size: dict[int, list[tuple[str, Path]]] | None = None
        self._by_digest: dict[int, dict[bytes, list[str]]] = {}  # of each size that was asked for

    def sentence(self, id: str, path: Path) -> str:
        """Why the score of an image means nothing, as a clause without a full stop; "" where it means something.

        id: of the workspace, or one that begins with "file:" for a file elsewhere, which may be a copy of an image
        that the version was built from.
        """
        known = id if knows(self._detector.fitted, id) else ""
        if not known and id.startswith("file:"):
            known = self._copy_of(path)
        if not known:
            return ""
        marked = known.startswith("file:") or self._workspace.image(known).split != "train"
        how = "learned from it" if marked else "was built from it"
        itself = f"this image is in the bank itself ({self.version.name} {how})"
        return f"{itself}, so its score says nothing about new parts"

    def _copy_of(self, path: Path) -> str:
        """The id of an image that the banks know whose file has the same bytes as this one; "" for none."""
        if self._by_size is None:
            self._by_size = self._listed()
        size = path.stat().st_size
        if size not in self._by_digest:
            self._by_digest[size] = _by_digest(self._by_size.get(size, []))
        same = self._by_digest[size].get(_digest(path), [])
        return next((id for id in same if knows(self._detector.fitted, id)), "")

    def _listed(self) -> dict[int, list[tuple[str, Path]]]:
        """Ids and files of all images of the workspace by size in bytes, retired ones too: banks may hold them."""
        found: dict[int, list[tuple[str, Path]]] = defaultdict(list)
        for id, file in self._workspace.files_of_images():
            with suppress(OSError):  # of a data set that was deleted meanwhile
                found[file.stat().st_size].append((id, file))
        return found


def _by_digest(several: Iterable[tuple[str, Path]]) -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = defaultdict(list)
    for id, file in several:
        with suppress(OSError):
            found[_digest(file)].append(id)
    return found


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def reason(verdict: str, known: str, otherwise: str) -> str:
    """The reason of a verdict: that the image is known to the bank, where `TrainingImages.sentence` says so."""
    return f"{verdict.capitalize()}: {known}." if known else otherwise
