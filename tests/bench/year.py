"""A year in a day: `python -m tests.bench year`. Does a decision, a score or a build get slower with history?

10,000 decisions, 5,000 images scored and 50 rebuilds on small plates; the first tenth against the last. Ratios within
one run: the machine's speed cancels out as far as it is steady. Knows the library. Does not know pages.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from exdd_core import curation
from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.review import Review
from exdd_core.workspace import Workspace, decisions
from exdd_core.workspace.versions import delete_bank
from tests import plates

PAINTED, WHO = 60, "Ada"
DECISIONS_A_FIT = 50  # quick decisions that one fit follows
KEPT = 3  # bank versions that stay


def main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(plates.build(Path(folder)))
        print(json.dumps(year(workspace, 10_000, 5_000, 50), indent=1))


def year(workspace: Workspace, decided: int, scored: int, rebuilt: int) -> dict[str, Any]:
    """Live through so many decisions, scored images and rebuilds, evenly mixed.

    Returns, by kind, the p95 of the first and of the last tenth in milliseconds of processor time and their ratio;
    memory, open files and threads after the first tenth and at the end; bytes of the database a decision.
    """
    for seed in range(6, PAINTED):
        plates.paint(workspace, seed)
    clock, size = Clock(), workspace.path / "workspace.db"
    process, began = psutil.Process(), None
    rounds = decided // DECISIONS_A_FIT
    review, first_size = Review(workspace), size.stat().st_size
    for number in range(rounds):
        if rebuilt and number % max(1, rounds // rebuilt) == 0:
            with clock.timed("rebuild"):
                build_bank(workspace, negative_ratio=0.2)
            for old in workspace.banks()[KEPT:]:
                delete_bank(workspace, old.id)
        _decide(workspace, clock, number)
        with clock.timed("fit"):
            load_detector(workspace)
        images = review.images("plates/test")[: max(1, scored // rounds)]
        with clock.timed("score"):
            for image in images:
                review.compare(image.id)
        if number == rounds // 10:
            began = _held(process)
    end = _held(process)
    grown = (size.stat().st_size - first_size) / max(1, decided)
    return {"times": clock.ratios(), "held": {"then": began, "now": end}, "bytes a decision": round(grown)}


def _decide(workspace: Workspace, clock: Clock, number: int) -> None:
    """Accept, reject and take back; as many are pending afterwards as before."""
    waiting = plates.pending(workspace)
    acts: list[tuple[str, Callable[[], Any]]] = []
    for turn in range(DECISIONS_A_FIT // 2):
        id = waiting[(number + turn) % len(waiting)]
        if turn % 3:
            acts.append(("accept", partial(curation.accept, workspace, [id], WHO, wait=False)))
        else:
            acts.append(("reject", partial(curation.reject, workspace, [id], WHO, ["artefact"])))
        acts.append(("undo", partial(curation.undo_last, workspace, WHO, wait=False)))
    # The last one stays until the fit, so that there is something to fit.
    for kind, act in acts[:-1]:
        with clock.timed(kind):
            act()
    with clock.timed("history"):
        decisions.past(workspace, "plates", 60)
    load_detector(workspace)
    acts[-1][1]()


class Clock:
    """Milliseconds of processor time by kind, in order."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def timed(self, kind: str) -> Iterator[None]:
        began = time.process_time()
        yield
        self.taken[kind].append(1e3 * (time.process_time() - began))

    def ratios(self) -> dict[str, dict[str, float]]:
        found = {}
        for kind, taken in self.taken.items():
            tenth = max(1, len(taken) // 10)
            first, last = (_p95(some) for some in (taken[:tenth], taken[-tenth:]))
            found[kind] = {
                "n": len(taken),
                "first": round(first, 2),
                "last": round(last, 2),
                "ratio": round(last / max(first, 1e-3), 2),
            }
        return found


def _p95(taken: list[float]) -> float:
    return sorted(taken)[min(len(taken) - 1, int(0.95 * len(taken)))]


def _held(process: psutil.Process) -> dict[str, int]:
    """Megabytes, open files and threads of this process."""
    return {
        "MB": process.memory_info().rss >> 20,
        "files": process.num_fds(),
        "threads": process.num_threads(),
    }
