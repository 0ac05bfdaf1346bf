"""Previews that are painted in the background, one a page.

Knows painting and the device's lock. Does not know pages.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from exdd_core.errors import BadInput, Cancelled
from exdd_core.progress import Progress
from exdd_core.studio import ordering, painting
from exdd_core.synthesis import orders

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.candidates import Candidate

KEPT = 24  # paintings that somebody may still ask about


@dataclass
class PreviewRun:
    """A painting (or the loading of an engine) that somebody waits for.

    `picture` uint8 (H, W, 3) is what it looks like by now, the `pictures`-th; when it is `over`, there is a
    `candidate` or an `error`.
    """

    id: str
    progress: Progress
    paints: bool = True  # else it loads an engine
    picture: np.ndarray | None = None
    pictures: int = 0
    candidate: Candidate | None = None
    error: Exception | None = None
    over: threading.Event = field(default_factory=threading.Event)


class Previews:
    """Paintings beside the queue, each in a thread of its own; they outlive the page that asked for them."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self._runs: OrderedDict[str, PreviewRun] = OrderedDict()
        self._adding = threading.Lock()

    def begin(self, order: orders.Order) -> PreviewRun:
        """Paint the first of an order and keep it. Raises BadInput at once where the order cannot be used."""
        ordering.recipes(self.workspace, order)

        def paint(run: PreviewRun) -> None:
            def seen(picture: np.ndarray) -> None:
                run.picture, run.pictures = picture, run.pictures + 1

            run.progress.begin("Waiting for the engine", 1)
            run.candidate = painting.paint_one(self.workspace, order, run.progress, seen)

        return self._start(paint, paints=True)

    def load(self, engine: str) -> PreviewRun:
        """Make an engine ready, so that the first painting does not wait for its model."""

        def load(run: PreviewRun) -> None:
            made = ordering.engine(self.workspace, engine)
            run.progress.begin(f"Loading {made.TITLE}", 1)
            made.load(run.progress)

        return self._start(load, paints=False)

    def _start(self, work: Callable[[PreviewRun], None], paints: bool) -> PreviewRun:
        run = PreviewRun(uuid.uuid4().hex[:12], Progress(), paints)
        with self._adding:
            self._runs[run.id] = run
            while len(self._runs) > KEPT and next(iter(self._runs.values())).over.is_set():
                self._runs.popitem(last=False)

        def do() -> None:
            try:
                work(run)
            except Exception as error:
                run.error = error
            finally:
                run.over.set()

        threading.Thread(target=do, name=f"preview {run.id}", daemon=True).start()
        return run

    def get(self, id: str) -> PreviewRun:
        """Raises BadInput for a run that is not known any more."""
        if id not in self._runs:
            raise BadInput("This preview was begun before the workbench was last started; preview it again.")
        return self._runs[id]

    def running(self) -> list[PreviewRun]:
        """Paintings on their way, the oldest first."""
        return [run for run in list(self._runs.values()) if run.paints and not run.over.is_set()]

    def stop(self, id: str) -> None:
        """Ask for the end of a painting; it comes within one step of its engine."""
        self.get(id).progress.cancel()

    @staticmethod
    def was_stopped(run: PreviewRun) -> bool:
        return isinstance(run.error, Cancelled)
