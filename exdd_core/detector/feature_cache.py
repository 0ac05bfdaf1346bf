"""Features of images on disk, so that whoever asks for the same ones again need not wait for the network.

A file an image, float32, under a name made of all that its features depend on. Together the files take at most a given
number of bytes; those that were used longest ago go first. Knows files and arrays. Does not know workspaces, nor who
asks.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from exdd_core import files
from exdd_core.detector import inference
from exdd_core.detector.backbones import Backbone
from exdd_core.geometry import Size
from exdd_core.region import Region
from exdd_core.spill import RESERVE

LARGEST_SET = (
    0.5  # share of the cache that one set of images may fill: larger ones would only push themselves out
)
KEPT = 0.9  # share of the allowed bytes that eviction leaves
FORGOTTEN = 3600  # seconds after which a file that was never finished is removed


@dataclass
class FeatureCache:
    """A folder with the features of images. Any number of processes may use it at once.

    cap: bytes that all files together may take. reading: tells how image files become pixels, such as the bit depth;
    features of other readings are others. written: bytes stored since files were last removed. A disk that is full or
    read-only makes the cache useless, not wrong.
    """

    folder: Path
    cap: int
    reading: str = ""
    written: int = field(default=0, init=False, repr=False)

    def key(
        self, backbone: Backbone, size: Size, region: Region | None, source: str | Path | np.ndarray
    ) -> str:
        """A name for the features of one image: a digest of its content and all else that they depend on."""
        where = region.digest if region is not None else ""
        engine = inference.engine_for(backbone, (size.height, size.width)).name
        depends = backbone.fingerprint, backbone.layers, engine, size, where, self.reading
        digest = hashlib.sha256(repr(depends).encode())
        if isinstance(source, np.ndarray):
            digest.update(repr((source.shape, source.dtype.str)).encode())
            digest.update(np.ascontiguousarray(source).data)
        else:
            with suppress(OSError):  # whoever reads the image says what is wrong with the file
                if files.is_regular(Path(source)):
                    digest.update(Path(source).read_bytes())
        return digest.hexdigest()

    def takes(self, size: int) -> bool:
        """Whether a set of images with so many bytes of features may be stored."""
        return size <= LARGEST_SET * self.cap

    def get(self, key: str) -> np.ndarray | None:
        """The features, float32 (h, w, d), stored under a key, which now counts as just used; None without any."""
        try:
            if not files.holds(self._file(key)):
                return None
            found = np.load(self._file(key))
            os.utime(self._file(key))
        except (OSError, ValueError, EOFError):
            return None
        return found if found.ndim == 3 and found.dtype == np.float32 else None

    def put(self, key: str, features: np.ndarray) -> None:
        """Store features, float32 (h, w, d), and remove the files that were used longest ago if there are too many.

        Nothing is stored where less than `spill.RESERVE` of the disk would stay free.
        """
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self.folder).free < features.nbytes + RESERVE:
                return
            with files.sealed(self._file(key)) as place:
                np.save(place, features)
            self.written += features.nbytes
            if self.written > (1 - KEPT) * self.cap:
                self.trim()

    def trim(self) -> None:
        """Remove the files that were used longest ago until the others fit, and what was never finished."""
        self.written = 0
        there, now = [], time.time()
        with suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    about = entry.stat()
                    if not entry.name.startswith("."):
                        there.append((about.st_mtime, about.st_size, entry.path))
                    elif now - about.st_mtime > FORGOTTEN:
                        os.unlink(entry.path)
        total = sum(size for _, size, _ in there)
        limit = self.cap if total <= self.cap else KEPT * self.cap
        for _, size, path in sorted(there):
            if total <= limit:
                break
            with suppress(OSError):
                os.unlink(path)
            total -= size

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.npy"
