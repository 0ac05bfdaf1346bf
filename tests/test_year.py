"""What a decision costs does not grow with history: steps of the database, bytes that it keeps, fits behind decisions.

Steps are counted by SQLite itself, so that a busy machine changes nothing.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exdd_core import curation
from exdd_core.banks import following
from exdd_core.banks.detectors import load_detector
from exdd_core.curation import queue, sifting
from exdd_core.curation.refitting import Refitting
from exdd_core.workspace import Workspace, candidates, connections, decisions, unfitted
from pages.curate.state import Curate, queue_stamp
from tests import plates

ROOT = Path(__file__).resolve().parent.parent
HISTORY, STEP = 5_000, 10  # decisions of a long history; instructions of the database between two counts


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plates.build(tmp_path_factory.mktemp("year"))


@pytest.fixture
def workspace(built: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(built, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], int]:
    """How many instructions the database needs for something."""
    count, connect = [0], connections.connect

    def counting(path: Path) -> Any:
        connection = connect(path)
        connection.set_progress_handler(lambda: count.__setitem__(0, count[0] + STEP), STEP)
        return connection

    def needed(act: Callable[[], Any]) -> int:
        count[0] = 0
        act()
        return count[0]

    monkeypatch.setattr(connections, "connect", counting)
    return needed


def positive(workspace: Workspace) -> set[str]:
    bank = load_detector(workspace).positive
    assert bank is not None
    return {image.id for image in bank.images if image.origin == "synthetic"}


def round_of(workspace: Workspace, steps: Callable[[Callable[[], Any]], int]) -> dict[str, int]:
    """Steps of what somebody does with one candidate, and of what its page shows."""
    (id, *_), bank = plates.pending(workspace), workspace.bank().id
    return {
        "accept": steps(lambda: curation.accept(workspace, [id], "Ada", wait=False)),
        "undo": steps(lambda: curation.undo_last(workspace, "Ada", wait=False)),
        "reject": steps(lambda: curation.reject(workspace, [id], "Ada", ["artefact"])),
        "undo a rejection": steps(lambda: curation.undo_last(workspace, "Ada", wait=False)),
        "its decisions": steps(lambda: decisions.in_force(workspace, "accept", "reject", subject=id)),
        "the history": steps(lambda: decisions.past(workspace, "plates", 3)),
        "whether there is news": steps(lambda: queue_stamp(Curate(workspace), "plates")),
        "marks": steps(lambda: decisions.in_force(workspace, "missed", "false_alarm")),
        "what waits": steps(lambda: unfitted.count(workspace, bank)),
        "its mask": steps(lambda: candidates.mask_of(workspace, candidates.get(workspace, id))),
    }


def test_a_decision_after_thousands_needs_no_more_steps_than_the_first(workspace, steps):
    round_of(workspace, steps)  # as many decisions as the history that is compared shows
    before = round_of(workspace, steps)
    version = workspace.bank().id
    with workspace.writing() as db:
        for number in range(HISTORY // 2):
            made = decisions.write(db, f"old{number % 50}", "accept", "Ada", dataset="plates")
            decisions.write(db, f"old{number % 50}", "undo", "Ada", of=made, dataset="plates")
    after = round_of(workspace, steps)
    # A tree of an index that holds thousands is a little deeper.
    assert {name: count for name, count in after.items() if count > 1.2 * before[name] + 50} == {}
    assert decisions.past(workspace, "plates", 1)[1] == HISTORY // 2 + 6
    assert load_detector(workspace).fitted.can_change and version == workspace.bank().id


def test_a_pair_of_decisions_keeps_next_to_nothing(workspace):
    """Rows of features and what was fitted are kept once, however often a candidate comes and goes."""
    id = plates.pending(workspace)[0]

    def pair() -> tuple[int, int]:
        curation.accept(workspace, [id], "Ada")
        curation.undo_last(workspace, "Ada")
        with workspace.reading() as db:
            rows = "select sum(length(rows) + length(detail)) from bank_changes"
            return db.execute(rows).fetchone()[0], db.execute(
                "select sum(length(state)) from bank_states"
            ).fetchone()[0]

    (rows, states), (more, same) = pair(), pair()
    assert same == states and more - rows < 4_000
    assert positive(workspace) == set()


def test_a_workspace_that_nobody_uses_any_more_leaves_the_memory_with_its_detectors(workspace):
    again = Workspace.open(workspace.path)
    load_detector(again)
    known = weakref.ref(again)
    del again
    gc.collect()
    assert known() is None


def test_many_quick_decisions_are_one_fit(workspace, monkeypatch):
    fits: list[int] = []
    follow = following._follow

    def counted(*given: Any) -> None:
        fits.append(1)
        follow(*given)

    monkeypatch.setattr(following, "_follow", counted)
    first, second, third, *_ = plates.pending(workspace)
    began = time.process_time()
    for id in (first, second, third):
        decided = curation.accept(workspace, [id], "Ada", wait=False)
        assert decided.waits and decided.rows == 0 and "updated before its next use" in decided.sentence
    curation.undo(workspace, decisions.history(workspace, second)[0].id, "Ada", wait=False)
    assert time.process_time() - began < 0.4 and not fits
    assert unfitted.count(workspace) == 4
    assert positive(workspace) == {first, third} and len(fits) == 1 and unfitted.count(workspace) == 0
    assert candidates.get(workspace, second).status == "pending"


def test_a_thread_fits_what_waits_and_then_ends(workspace):
    from contextlib import nullcontext

    id = plates.pending(workspace)[0]
    curation.accept(workspace, [id], "Ada", wait=False)
    refitting = Refitting(workspace, nullcontext)
    refitting.wake()
    refitting.wake()
    end = time.monotonic() + 60
    while (unfitted.count(workspace) or refitting._running) and time.monotonic() < end:
        time.sleep(0.05)
    assert not refitting._running and positive(workspace) == {id}


KILLED = """
import sys, time
from exdd_core import curation
from exdd_core.workspace import Workspace
workspace = Workspace.open(sys.argv[1])
for id in sys.argv[2:]:
    curation.accept(workspace, [id], "Ada", wait=False)
print("torch" in sys.modules, flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_a_kill_between_decision_and_fit_loses_nothing_and_a_decision_loads_no_torch(workspace):
    ids = plates.pending(workspace)[:2]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-c", KILLED, str(workspace.path), *ids]
    process = subprocess.Popen(program, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "False\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert unfitted.count(workspace) == 2
    assert positive(Workspace.open(workspace.path)) == set(ids)


def test_a_candidate_that_cannot_be_read_is_left_out_and_the_others_are_followed(workspace):
    first, second, *_ = plates.pending(workspace)
    curation.accept(workspace, [first, second], "Ada", wait=False)
    shutil.rmtree(workspace.path / "candidates" / first)
    assert positive(workspace) == {second} and unfitted.count(workspace) == 0


def test_filters_and_orders_of_the_queue(workspace):
    ids = plates.pending(workspace)
    curation.reject(workspace, [ids[0]], "Ada")
    curation.set_type(workspace, [ids[1]], "bar", "Ada")
    values = {ids[1]: (0.5, "green"), ids[2]: (None, "grey"), ids[3]: (2.0, "green"), ids[4]: (-1.0, "red")}
    with workspace.writing() as db:
        for id, (value, light) in values.items():
            db.table("measures").insert(
                {"candidate": id, "effect": value, "effect_light": light, "clean": value}
            )
    nothing: dict[str, str | None] = dict.fromkeys(sifting.FILTERS)

    def sift(status: str = "pending", sort: str = "effect", **filters: str) -> sifting.Sifted:
        return sifting.sift(workspace, "plates", nothing | filters, status, sort, 3)

    found = sift()
    assert found.ids == [ids[3], ids[1], ids[4]] and found.total == 5
    assert found.counts == {"pending": 5, "rejected": 1}
    assert found.options["effect"] == {"green": 2, "grey": 2, "red": 1}
    assert found.options["type"] == {"": 4, "bar": 1}
    assert sift(sort="clean").ids == [ids[4], ids[1], ids[3]]  # less is better
    assert sift(sort="oldest").ids == ids[1:4] and sift("all", "newest").ids == ids[:-4:-1]
    assert sift(effect="green", type="bar").ids == [ids[1]]
    assert sift("rejected").ids == [ids[0]] and sift("rejected", effect="red").total == 0
    assert sifting.passing(workspace, "plates", nothing | {"effect": "green"}) == [ids[3], ids[1]]
    assert json.dumps(queue.late(workspace, "plates", [ids[1]])) == "4"
    [first] = queue.next_late(workspace, "plates", [ids[2]], [ids[2], ids[4]])
    assert first.id == ids[4]


def test_a_detector_that_a_decision_replaced_leaves_memory_at_once(workspace):
    """Without waiting for the garbage collector, which knows nothing of how much memory a bank takes."""
    first, *_ = plates.pending(workspace)
    before = weakref.ref(load_detector(workspace))
    gc.collect()
    gc.disable()
    try:
        curation.accept(workspace, [first], "Ada")
        assert positive(workspace) == {first}
        assert before() is None
    finally:
        gc.enable()
