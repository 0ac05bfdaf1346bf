"""Stores masks that people drew, one PNG file for each content.

Knows files. Does not know what a mask marks.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from exdd_core import files
from exdd_core.images import encode_png

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

MASKS = "masks"


def keep_mask(workspace: Workspace, mask: np.ndarray) -> str:
    """Store a drawn or uploaded mask, bool (H, W), and return the name for `MaskSpec.file`."""
    content = encode_png(mask)
    name = f"{hashlib.sha256(content).hexdigest()[:20]}.png"
    folder = workspace.path / MASKS
    folder.mkdir(exist_ok=True)
    if not (folder / name).exists():
        with files.whole(folder / name) as place:
            place.write_bytes(content)
    return name
