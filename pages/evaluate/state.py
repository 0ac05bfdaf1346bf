"""What the questions of the Evaluate page share: files that are being made, and runs that can come back.

Knows background work and runs. Does not know Gradio's layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core.background import Background

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.runs import Run

# Kinds of jobs that measure, and what people call them.
KINDS = {
    "table1": "Table 1",
    "sweep": "Table 2",
    "evaluate": "One bank version",
}


class Evaluate:
    """What the questions of one app's pages share."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.making: dict[str, Background[Sequence[Path]]] = {}  # files that are on their way
        self.deleted: dict[str, Run] = {}  # until the program ends they can come back
