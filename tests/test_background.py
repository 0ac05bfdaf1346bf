"""What a server keeps for its visitors stays small, however long it runs and however many never come back."""

from __future__ import annotations

import threading
from functools import partial
from typing import cast

from exdd_core import background
from exdd_core.background import Works
from exdd_core.progress import Progress
from exdd_core.review import states
from exdd_core.review.states import KeptResults
from exdd_core.workspace import BankVersion, Workspace


def counted(number: int, _: Progress) -> int:
    return number


def test_works_whose_results_nobody_takes_are_forgotten_and_running_ones_are_not() -> None:
    works: Works[int] = Works()
    waiting = threading.Event()
    running = works.begin("waits", lambda _: int(waiting.wait(60)))
    for number in range(3 * background.KEPT):
        last = works.begin("counts", partial(counted, number))
        assert works[last].over.wait(60)
    assert len(works) <= background.KEPT + 2
    assert running in works and works[last].result == 3 * background.KEPT - 1
    waiting.set()
    assert works[running].over.wait(60)


def test_results_of_few_versions_stay_in_memory(demo_workspace: Workspace) -> None:
    kept = KeptResults(demo_workspace)
    version = demo_workspace.bank()
    versions = [
        cast("BankVersion", type("Version", (), {"id": f"{version.id}-{number}"}))
        for number in range(2 * states.VERSIONS_KEPT)
    ]
    first = kept.of(version)
    assert kept.of(version) is first
    for one in versions:
        kept.of(one)
        assert kept.of(version) is first  # what is looked at often stays
    assert len(kept._kept) == states.VERSIONS_KEPT
