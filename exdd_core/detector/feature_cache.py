"""Features of images on disk, so that whoever asks for the same ones again need not wait for the network.

A file an image, float32, under a name made of all that its features depend on. Together the files take at most a given
number of bytes; those that were used longest ago go first. Knows files and arrays. Does not know workspaces, nor who
asks.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from exdd_core import files
from exdd_core.capped_folder import CappedFolder
from exdd_core.detector import inference
from exdd_core.detector.backbones import Backbone
from exdd_core.geometry import Size
from exdd_core.region import Region

LARGEST_SET = (
    0.5  # share of the cache that one set of images may fill: larger ones would only push themselves out
)


@dataclass
class FeatureCache(CappedFolder):
    """A folder with the features of images.

    reading: tells how image files become pixels, such as the bit depth; features of other readings are others.
    """

    reading: str = ""

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
            file = self.find(f"{key}.npy")
            found = None if file is None else np.load(file)
        except (OSError, ValueError, EOFError):
            return None
        return found if found is not None and found.ndim == 3 and found.dtype == np.float32 else None

    def put(self, key: str, features: np.ndarray) -> None:
        """Store features, float32 (h, w, d), see `store`."""
        self.store(f"{key}.npy", features.nbytes, lambda place: np.save(place, features))
