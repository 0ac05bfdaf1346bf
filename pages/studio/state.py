"""The state that the functions of the Studio page share while it is served.

Knows previews and the judge of curation. Does not know Gradio's layout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exdd_core.curation.judge import Judge
from exdd_core.studio.previews import PreviewRun, Previews

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

GROWING_SIDE = 640  # pixels of the longer side of an unfinished painting
EXAMPLES = 8  # prompts that are shown of a template with too many
KIND = "synthesize"


class Studio:
    """The workspace, previews and loading engines of one app."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.previews = Previews(workspace)
        self.judge = Judge(workspace)
        self.loading: dict[str, PreviewRun] = {}  # engines that are loading or loaded
