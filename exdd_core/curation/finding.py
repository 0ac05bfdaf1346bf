"""How well candidates find real defects, by engine, defect type or prompt, before anybody accepts them.

This is the first figure for any engine, prompt and adapter (`detector.transfer`). Knows candidates and the active bank
version of their data set. Does not know decisions, nor test images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from exdd_core.banks import teachers
from exdd_core.banks.detectors import load_detector
from exdd_core.detector import change
from exdd_core.detector.examples import Marked
from exdd_core.detector.fit_models import paintings
from exdd_core.detector.fitted import Fitted
from exdd_core.detector.transfer import Paintings
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.workspace import candidates
from exdd_core.workspace.candidates import Candidate

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

BY: Mapping[str, Callable[[Candidate], str]] = {
    "engine": lambda candidate: candidate.engine,
    "type": lambda candidate: candidate.defect_type or "no type",
    "prompt": lambda candidate: candidate.prompt or "no prompt",
}


def transfers(
    workspace: Workspace, dataset: str | None = None, by: str = "engine", progress: Progress | None = None
) -> list[Paintings]:
    """How well pending and accepted candidates of a data set find its real defects, group by group.

    by: a key of `BY`. The group's name stands in the place of the engine. Raises BadInput where there is no real defect
    in the active version, or no candidate.
    """
    progress, name = progress or Progress(), workspace.dataset(dataset).name
    several = candidates.pending_and_accepted(workspace, name)
    if not several:
        raise BadInput(f'There are no candidates for "{name}"; paint some in the Studio first.')
    detector = load_detector(workspace)
    if workspace.bank().dataset != name or not detector.fitted.examples.defects.real.any():
        raise BadInput(
            f'The active bank version has no real defect of "{name}" to test paintings on; build one with '
            "real defects."
        )
    progress.begin("Reading candidates", len(several))
    named = []
    for candidate in several:
        named.append((BY[by](candidate), teachers.marked(workspace, candidate, detector)))
        progress.advance()
    return found_by(detector.fitted, named)


def found_by(fitted: Fitted, candidates: Sequence[tuple[str, Marked]]) -> list[Paintings]:
    """How well candidates, each with the name of its group, find the real defects that a detector knows.

    The groups stand in the place of engines; painted defects that the detector knows are ignored.
    """
    defects = fitted.examples.defects
    real = defects.take(np.flatnonzero(defects.real))
    bare = replace(fitted, examples=replace(fitted.examples, defects=real))
    named = [replace(marked, image=replace(marked.image, engine=group)) for group, marked in candidates]
    return paintings(change.known(bare, [change.examine(bare, marked).cleaned() for marked in named]))
