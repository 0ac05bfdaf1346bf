"""The state that the functions of the Curate page share while it is served.

Knows the judge and background work. Does not know Gradio's layout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exdd_core.background import Works
from exdd_core.curation import measures
from exdd_core.curation.measuring import Measuring
from exdd_core.curation.refitting import Refitting
from exdd_core.workspace import candidates, decisions, unfitted
from pages.html import Answer

if TYPE_CHECKING:
    from exdd_core.curation import Decided
    from exdd_core.workspace import Workspace

MEASURES = tuple(measures.MEANINGS)
LIGHTS = {"green": "good", "amber": "so-so", "red": "poor", "grey": "unknown, or within noise"}


class Curate:
    """The workspace, background work and measurements of one app."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.bulks: Works[Answer] = Works()  # long work, such as decisions on many candidates
        self.measuring = Measuring(workspace)
        self.refitting = Refitting(workspace, self.measuring.held)

    def recorded(self, decided: Decided) -> Answer:
        """The answer to a decision that was recorded; the banks follow behind it."""
        self.refitting.wake()
        return decided_answer(decided)


def queue_stamp(shared: Curate, dataset: str) -> str:
    """A text that changes whenever the page has something new to show."""
    workspace, alike = shared.workspace, len(shared.measuring.alike)
    counts = [candidates.count(workspace, dataset, status) for status in candidates.STATUSES]
    held = sorted(decisions.claims(workspace).items())
    return str([dataset, counts, decisions.newest(workspace), held, unfitted.count(workspace), alike])


def decided_answer(decided: Decided) -> Answer:
    return {"ids": decided.ids, "sentence": decided.sentence, "left_out": len(decided.left_out)}
