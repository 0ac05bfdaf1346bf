"""Work on a Ray cluster: two raylets on this machine, a worker and then a machine lost in the middle, the same bits."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from exdd_core import cluster, extras, jobs
from exdd_core.detector import backbones, patches
from exdd_core.errors import BadInput, Cancelled
from exdd_core.geometry import Size
from exdd_core.measurements import RunResult
from exdd_core.progress import Progress
from exdd_core.synthesis.orders import Order
from exdd_core.workspace import Workspace, candidates, runs
from tests import plates
from tests.cluster_tasks import HELD, drawn, held, slow, tripled

ROOT = Path(__file__).resolve().parent.parent
# A raylet that is gone counts as lost after 3 s; one that is slow to answer has 30.
WATCH = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 10_000,
    "health_check_failure_threshold": 3,
    "worker_niceness": 0,  # of 15 by default: on a busy machine hardly anything would move
}
MEMORY = 100 << 20  # of each raylet's store of objects
WORKING = "ray::_work"
PATIENCE = 180  # seconds until what must happen counts as failed


@dataclass
class Machines:
    """A head, where this process is, and a second raylet."""

    cluster: Any
    second: Any

    def workers(self, *nodes: Any) -> dict[int, str]:
        """The workers of these raylets: what Ray calls each while it works or waits."""
        raylets = [psutil.Process(node.all_processes["raylet"][0].process.pid) for node in nodes]
        titles = {child.pid: _title(child) for raylet in raylets for child in raylet.children(recursive=True)}
        return {pid: title for pid, title in titles.items() if title in (WORKING, "ray::IDLE")}

    def warm(self, folder: Path) -> None:
        """Give out tasks until the second raylet has a worker."""
        end = time.monotonic() + PATIENCE
        while not self.workers(self.second):
            assert time.monotonic() < end, "the second raylet has no worker"
            list(cluster.map_tasks(slow, str(folder), range(4), Progress()))

    def lose_worker(self) -> None:
        """Kill any worker in the middle of a task."""
        end = time.monotonic() + PATIENCE
        raylets = self.cluster.head_node, self.second
        while not (found := [pid for pid, title in self.workers(*raylets).items() if title == WORKING]):
            assert time.monotonic() < end, "no task came to a worker"
            time.sleep(0.01)
        os.kill(found[0], signal.SIGKILL)

    def lose_second(self) -> None:
        """Kill the second raylet, and what it runs."""
        self.cluster.remove_node(self.second, allow_graceful=False)

    def add_second(self) -> None:
        self.second = self.cluster.add_node(num_cpus=1, object_store_memory=MEMORY)


def _title(process: psutil.Process) -> str:
    try:
        return (process.cmdline() or [""])[0].split("(")[0].strip()
    except psutil.Error:
        return ""


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(ROOT)}
    import ray
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "object_store_memory": MEMORY, "include_dashboard": False, "_system_config": WATCH}
    made = Cluster(initialize_head=True, head_node_args=head)
    machines = Machines(made, None)
    machines.add_second()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(cluster.SWITCH, made.address)
            yield machines
    finally:
        ray.shutdown()
        made.shutdown()


@pytest.fixture
def switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cluster.SWITCH, raising=False)


# --- without a cluster ------------------------------------------------------------------------------------------------


def test_without_the_switch_items_are_worked_on_here_and_one_after_another(switched_off: None) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(3):
            taken.append(number)
            yield number

    found = cluster.map_tasks(tripled, 1, items(), Progress())
    assert next(found) == 1 and taken == [0]
    assert list(found) == [4, 7]
    assert "ray" not in sys.modules or os.environ.get("RAY_USAGE_STATS_ENABLED") == "0"


@pytest.mark.parametrize("given", ["10.0.0.5", "ray://somewhere:10001", "here or there:6379"])
def test_a_switch_that_names_no_cluster_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cluster.SWITCH, given)
    with pytest.raises(BadInput, match="set it to host:port of a Ray cluster, or to local"):
        cluster.address()


def test_a_cluster_needs_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cluster.SWITCH, "127.0.0.1:6399")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInput, match="Computing on more than one machine requires the package ray"):
        list(cluster.map_tasks(tripled, 1, [1], Progress()))
    assert extras.CLUSTER.missing()


def test_a_backbone_and_a_bank_travel_without_what_belongs_to_a_process() -> None:
    import pickle

    from exdd_core.detector.bank import Bank, BankImage

    sent = backbones.load()
    there = pickle.loads(pickle.dumps(sent))
    batch = np.random.default_rng(0).integers(0, 255, (1, 64, 64, 3), np.uint8)
    assert (there.name, there.fingerprint, there.device) == (sent.name, sent.fingerprint, sent.device)
    assert np.array_equal(patches.features(there, batch), patches.features(sent, batch))
    rows = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    bank = Bank(rows, np.zeros(20), np.zeros((20, 2)), [BankImage("a", "a")])
    found = bank.search(rows[:3])
    assert all(map(np.array_equal, pickle.loads(pickle.dumps(bank)).search(rows[:3]), found))


# --- two raylets ------------------------------------------------------------------------------------------------------


def begun_by(file: Path) -> int:
    """The process that began an item first, as soon as it has."""
    end = time.monotonic() + PATIENCE
    while not (file.exists() and file.read_text().endswith("\n")):
        assert time.monotonic() < end, "no task came to a worker"
        time.sleep(0.01)
    return int(file.read_text().split()[0])


@pytest.mark.slow
def test_a_lost_worker_and_a_lost_machine_lose_no_task(machines: Machines, tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    machines.warm(tmp_path / "before")
    found: list[np.ndarray] = []
    for result in cluster.map_tasks(held, str(tmp_path), range(12), Progress()):
        found.append(result)
        if len(found) == 1:
            os.kill(begun_by(tmp_path / f"item{HELD}"), signal.SIGKILL)
        if len(found) == 6:
            machines.lose_second()
    first, *others = (tmp_path / f"item{HELD}").read_text().split()
    assert others and first not in others  # what it had begun was done again elsewhere
    assert len(found) == 12 and all(np.array_equal(one, drawn(item)) for item, one in enumerate(found))
    machines.add_second()


@pytest.mark.slow
def test_what_a_task_raises_is_raised_here_and_a_cancel_ends_what_waits(
    machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match="^Thirteen cannot be used; give another number.$"):
        list(cluster.map_tasks(tripled, 1, [1, 13, 2], Progress()))
    progress = Progress()
    with pytest.raises(Cancelled):
        for _ in cluster.map_tasks(slow, str(tmp_path), range(100), progress):
            progress.cancel()
    time.sleep(1)
    begun = len(list(tmp_path.iterdir()))
    time.sleep(1)
    assert len(list(tmp_path.iterdir())) == begun < 20
    monkeypatch.setattr(cluster, "code", lambda: "of another version")
    with pytest.raises(BadInput, match="a different version of the workbench"):
        list(cluster.map_tasks(tripled, 1, [1], Progress()))


def evaluated(workspace: Workspace, progress: Progress) -> RunResult:
    """All that an evaluation by folds stored, but the time it took."""
    spec = {"dataset": "plates", "folds": 3}
    result = jobs.run_here(workspace, "evaluate", "Folds", spec, progress)
    return runs.get(workspace, result["run"]).result


@pytest.mark.slow
def test_an_evaluation_that_loses_a_worker_and_a_machine_is_the_same_to_the_last_bit(
    machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXDD_CACHE_GB", "0")
    workspace = Workspace.open(plates.build(tmp_path / "workspace"))
    killer = threading.Thread(target=machines.lose_worker)
    lost: list[str] = []
    seen: list[tuple[str, int, int]] = []

    def watch(progress: Progress) -> None:
        seen.append((progress.stage, progress.done, progress.total))
        if progress.stage == "Fitting and measuring folds":
            if "worker" not in lost:
                lost.append("worker")
                killer.start()
            elif progress.done == 1:
                killer.join()
                lost.append("machine")
                machines.lose_second()

    there = evaluated(workspace, Progress(watch))
    assert lost == ["worker", "machine"]
    assert ("Fitting and measuring folds", 3, 3) in seen and ("Computing features", 0, 27) in seen
    monkeypatch.delenv(cluster.SWITCH)
    here = evaluated(workspace, Progress())
    assert there == here and here["methods"]["exdd"]["image_auroc"] is not None


@pytest.mark.slow
def test_features_are_the_same_to_the_last_bit(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, rng = backbones.load(), np.random.default_rng(0)
    sources = list(rng.integers(0, 255, (35, 70, 90, 3), np.uint8))
    counted: list[int] = []
    progress = Progress(lambda p: counted.append(p.done))
    there = patches.extract(backbone, sources, Size(64, 96), progress)
    monkeypatch.delenv(cluster.SWITCH)
    here = patches.extract(backbone, sources, Size(64, 96))
    assert np.array_equal(there.stored, here.stored)
    assert counted == [0, 16, 32, 35]


@pytest.mark.slow
def test_paintings_are_the_same_to_the_last_bit(
    machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace.open(plates.build(tmp_path))
    orders = [
        Order(
            "plates",
            name,
            count=3,
            template="bright bar",
            mask={"source": "generated", "shape": "scratch", "vary": True},
            seed=5,
        )
        for name in ("procedural", "transplant")
    ]

    def painted(order: Order) -> list[tuple[int, bytes, bytes, list[str]]]:
        result = jobs.run_here(workspace, "synthesize", "Painting", order.to_json(), Progress())
        assert result["made"] == 3, result["reasons"]
        made = [candidates.get(workspace, id) for id in result["candidates"]]
        return sorted((c.seed, c.image.read_bytes(), c.mask.read_bytes(), c.notes) for c in made)

    there = [painted(order) for order in orders]
    monkeypatch.delenv(cluster.SWITCH)
    assert [painted(order) for order in orders] == there
