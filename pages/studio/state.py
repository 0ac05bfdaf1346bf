"""What the Studio page keeps while it is served.

Knows previews. Does not know Gradio's layout.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from exdd_core.images import encode_jpeg, encode_png
from exdd_core.studio.previews import PreviewRun, Previews

if TYPE_CHECKING:
    import numpy as np

    from exdd_core.workspace import Workspace

DISPLAY_SIDE = 1600  # pixels of the longer side of a result as it is shown
GROWING_SIDE = 640  # of a painting that is not ready yet
THUMBNAIL_SIDE = 256
CLOSE_UP_SIDE = 112
EXAMPLES = 8  # prompts of a template that are shown where it has too many
KIND = "synthesize"
Answer = dict[str, Any]


class Studio:
    """What the questions of one app's pages share."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.previews = Previews(workspace)
        self.loading: dict[str, PreviewRun] = {}  # engines that somebody has asked for


def _png(pixels: np.ndarray) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_png(pixels)).decode()


def _jpeg(pixels: np.ndarray, quality: int = 85) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(pixels, quality)).decode()
