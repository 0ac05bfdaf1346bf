"""Previews, painted in background threads outside the queue of jobs.

Knows painting and threads. Does not know pages.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from exdd_core.background import Background
from exdd_core.errors import BadInput
from exdd_core.studio import ordering, painting
from exdd_core.synthesis import orders

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.candidates import Candidate

KEPT = 24  # finished previews that pages can still fetch


class PreviewRun(Background["Candidate | None"]):
    """A preview that is being painted, or an engine that is being loaded (`paints` is False).

    picture: the unfinished image, uint8 (H, W, 3), or None. pictures: how many there were so far. Once it is `over`,
    there is a `candidate` or an `error`.
    """

    def __init__(self, work: Callable[[PreviewRun], Candidate | None], paints: bool):
        self.paints = paints
        self.picture: np.ndarray | None = None
        self.pictures = 0
        super().__init__("preview", lambda progress: work(self))

    @property
    def candidate(self) -> Candidate | None:
        return self.result


class Previews:
    """The previews of a workspace, each in a thread of its own. They continue when their page is closed."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self._runs: OrderedDict[str, PreviewRun] = OrderedDict()
        self._adding = threading.Lock()

    def begin(self, order: orders.Order) -> PreviewRun:
        """Paint the first recipe of an order as a draft. Raises `BadInput` at once for an unusable order."""
        ordering.recipes(self.workspace, order)

        def paint(run: PreviewRun) -> Candidate:
            def seen(picture: np.ndarray) -> None:
                run.picture, run.pictures = picture, run.pictures + 1

            run.progress.begin("Waiting for the engine", 1)
            return painting.paint_one(self.workspace, order, run.progress, seen, draft=True)

        return self._start(paint, paints=True)

    def load(self, engine: str) -> PreviewRun:
        """Load an engine, so that the first painting does not wait for its model."""

        def load(run: PreviewRun) -> None:
            made = ordering.engine(self.workspace, engine)
            run.progress.begin(f"Loading {made.TITLE}", 1)
            made.load(run.progress)

        return self._start(load, paints=False)

    def _start(self, work: Callable[[PreviewRun], Candidate | None], paints: bool) -> PreviewRun:
        run = PreviewRun(work, paints)
        with self._adding:
            self._runs[run.id] = run
            while len(self._runs) > KEPT and next(iter(self._runs.values())).over.is_set():
                self._runs.popitem(last=False)
        return run

    def get(self, id: str) -> PreviewRun:
        """The preview of that id. Raises `BadInput` for one that is no longer known."""
        run = self._runs.get(id)
        if run is None:
            raise BadInput(
                "This preview was started before the workbench was last restarted; preview it again."
            )
        return run

    def running(self) -> list[PreviewRun]:
        """The unfinished previews, the oldest first."""
        return [run for run in list(self._runs.values()) if run.paints and not run.over.is_set()]

    def stop(self, id: str) -> None:
        """Cancel a preview; it ends within one step of its engine."""
        self.get(id).cancel()
