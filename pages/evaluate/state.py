"""The state that the functions of the Evaluate page share: files in progress, and deleted runs.

Knows background work and runs. Does not know Gradio's layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core.background import Works

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.runs import Run

# Kinds of jobs that measure, with their names for people.
KINDS = {
    "table1": "Table 1",
    "sweep": "Table 2",
    "evaluate": "One bank version",
}


class Evaluate:
    """The workspace, files in progress and deleted runs of one app."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.making: Works[Sequence[Path]] = Works()  # files in progress
        self.deleted: dict[str, Run] = {}  # the last ones, which can be restored until the program ends
