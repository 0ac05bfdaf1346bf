"""A year in a day: `python -m tests.bench year`. Does a decision, a score or a build get slower with history?

10,000 decisions, 5,000 images scored and 50 rebuilds on small plates. A peer without history, a copy of the workspace
as it began, does the same acts in turn with it, so that a machine that slows down slows both: what counts is the
last tenth against the peer's in those rounds. Knows the library. Does not know pages.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from exdd_core import curation, device
from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.review import Review
from exdd_core.workspace import Workspace, decisions
from exdd_core.workspace.versions import delete_bank
from tests import plates

PAINTED, WHO = 60, "Ada"
DECISIONS_A_FIT = 50  # quick decisions that one fit follows
OF_PEER = 12  # decisions of the peer a round: it has a year's hundredth before it begins anew
KEPT = 3  # bank versions that stay


def main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(plates.build(Path(folder)))
        print(json.dumps(year(workspace, 10_000, 5_000, 50), indent=1))


def year(workspace: Workspace, decided: int, scored: int, rebuilt: int) -> dict[str, Any]:
    """Live through so many decisions, scored images and rebuilds, evenly mixed.

    Returns, by kind, what `compared` does; memory, open files and threads after the first tenth and at the end; bytes
    of the database a decision.
    """
    for seed in range(6, PAINTED):
        plates.paint(workspace, seed)
    rounds = decided // DECISIONS_A_FIT
    old, fresh = Clock(), Clock()
    size, process, began = workspace.path / "workspace.db", psutil.Process(), None
    first_size = size.stat().st_size
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(workspace.path, Path(folder) / "begun")
        for number in range(rounds):
            if number % max(1, rounds // 10) == 0:
                peer = _anew(Path(folder), workspace)
            due = bool(rebuilt) and number % max(1, rounds // rebuilt) == 0
            images = max(1, scored // rounds)
            _round(workspace, old, number, due, DECISIONS_A_FIT, images)
            _round(peer, fresh, number, due, OF_PEER, min(images, 5))
            if number == rounds // 10:
                began = _held(process)
    end = _held(process)
    grown = (size.stat().st_size - first_size) / max(1, decided)
    return {
        "times": compared(old, fresh),
        "held": {"then": began, "now": end},
        "bytes a decision": round(grown),
    }


def _anew(folder: Path, workspace: Workspace) -> Workspace:
    """The workspace as it began, with a detector in memory. The peer before is gone from memory by then."""
    gc.collect()
    shutil.rmtree(folder / "peer", ignore_errors=True)
    shutil.copytree(folder / "begun", folder / "peer")
    peer = Workspace.open(folder / "peer")
    peer._backbones |= workspace._backbones
    load_detector(peer)
    return peer


def _round(workspace: Workspace, clock: Clock, number: int, due: bool, decided: int, scored: int) -> None:
    """A rebuild if one is due, decisions, the fit that follows them, and scores."""
    if due:
        with clock.timed("rebuild"):
            build_bank(workspace, negative_ratio=0.2)
        for old in workspace.banks()[KEPT:]:
            delete_bank(workspace, old.id)
        device.trim()  # as the worker does after a job
    _decide(workspace, clock, number, decided)
    with clock.timed("fit"):
        load_detector(workspace)
    review = Review(workspace)
    images = review.images("plates/test")[:scored]
    for image in images:
        with clock.timed("score"):
            review.compare(image.id)


def _decide(workspace: Workspace, clock: Clock, number: int, decided: int) -> None:
    """Accept, reject and take back; as many are pending afterwards as before."""
    waiting = plates.pending(workspace)
    acts: list[tuple[str, Callable[[], Any]]] = []
    for turn in range(decided // 2):
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
        decisions.past(workspace, "plates", 6)
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

    def tenths(self, kind: str) -> tuple[float, float]:
        """The p95 of the first and of the last tenth."""
        taken = self.taken[kind]
        tenth = max(1, len(taken) // 10)
        return _p95(taken[:tenth]), _p95(taken[-tenth:])


def compared(old: Clock, fresh: Clock) -> dict[str, dict[str, float]]:
    """By kind: how often, the p95 of the first and last tenth in milliseconds of processor time, and their ratio; the
    peer's; and the last tenth against the peer's, which is what history costs."""
    found = {}
    for kind, taken in old.taken.items():
        (first, last), (peer_first, peer_last) = old.tenths(kind), fresh.tenths(kind)
        found[kind] = {
            "n": len(taken),
            "first": round(first, 2),
            "last": round(last, 2),
            "ratio": round(last / max(first, 1e-3), 2),
            "peer first": round(peer_first, 2),
            "peer last": round(peer_last, 2),
            "against the peer": round(last / max(peer_last, 1e-3), 2),
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
