"""Features of images on disk, so that the network does not compute the same ones twice.

One float32 file for each image, named by a digest of all that its features depend on. The files take at most a given
number of bytes together; those used longest ago are removed first. Knows files and arrays. Does not know workspaces.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from exdd_core import files
from exdd_core.capped_folder import CappedFolder
from exdd_core.detector import inference
from exdd_core.detector.backbones import Backbone
from exdd_core.geometry import Size
from exdd_core.region import Region

# Share of the cache that one set of images may fill: a larger one would push its own files out.
LARGEST_SET = 0.5


@dataclass
class FeatureCache(CappedFolder):
    """A folder with the features of images.

    reading: how image files become pixels, such as the bit depth; it is part of each file's name.
    """

    reading: str = ""

    def key(
        self, backbone: Backbone, size: Size, region: Region | None, source: str | Path | np.ndarray
    ) -> str:
        """A name for the features of one image: a digest of its content and all else that they depend on.

        A file that cannot be read gets a name that is never found again.
        """
        where = region.digest if region is not None else ""
        engine = inference.engine_for(backbone, (size.height, size.width)).name
        depends = backbone.fingerprint, backbone.layers, engine, size, where, self.reading
        digest = hashlib.sha256(repr(depends).encode())
        if isinstance(source, np.ndarray):
            digest.update(repr((source.shape, source.dtype.str)).encode())
            digest.update(np.ascontiguousarray(source).data)
        else:
            try:
                content = Path(source).read_bytes() if files.is_regular(Path(source)) else None
            except OSError:  # reading the image will say what is wrong with the file
                content = None
            digest.update(uuid.uuid4().bytes if content is None else content)
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
