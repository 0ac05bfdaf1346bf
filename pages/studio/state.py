"""What the Studio page keeps while it is served.

Knows previews. Does not know Gradio's layout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exdd_core.studio.previews import PreviewRun, Previews

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

GROWING_SIDE = 640  # pixels of the longer side of a painting that is not ready yet
EXAMPLES = 8  # prompts of a template that are shown where it has too many
KIND = "synthesize"


class Studio:
    """What the questions of one app's pages share."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.previews = Previews(workspace)
        self.loading: dict[str, PreviewRun] = {}  # engines that somebody has asked for
