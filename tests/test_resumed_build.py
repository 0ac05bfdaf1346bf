"""A build that was killed goes on where its coreset was, and becomes the same bank."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exdd_core import jobs
from exdd_core.banks import BuildOptions, build_bank, load_detector
from exdd_core.datasets import demo
from exdd_core.detector import greedy
from exdd_core.jobs.table import job_folder
from exdd_core.workspace import Workspace
from exdd_core.workspace.imports import import_dataset
from tests.forked import Forked

OPTIONS: dict[str, Any] = {"dataset": "plates", "size": "64x64", "negative_ratio": 0.2, "positives": "none"}

# Runs the first job, and waits to be killed once some rows are picked and written.
KILLED = """
import sys, time
from exdd_core import jobs
from exdd_core.detector import greedy
from exdd_core.workspace import Workspace

greedy.SAVED_EVERY, save = 0, greedy.Greedy._save
greedy.CANDIDATES = 32  # few picks a step

def told(self, file):
    save(self, file)
    if self.count > 20:
        print(self.count, flush=True)
        time.sleep(600)

greedy.Greedy._save = told
jobs.run_next(Workspace.open(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_killed_build_continues_its_coreset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace.create(tmp_path / "workspace", "efficientnet_lite0")
    demo.generate(tmp_path / "plates", seed=0, normal=24, defective=3)
    import_dataset(workspace, tmp_path / "plates", name="plates")
    job = jobs.submit(workspace, "build", "Build", OPTIONS)
    process = Forked(KILLED, workspace.path)
    picked = int(process.stdout.readline())
    process.kill()
    state = job_folder(workspace, job.id) / "coreset.npz"
    assert state.is_file() and not workspace.banks()

    found, real = [], greedy.Greedy._continue

    def watched(self: greedy.Greedy, file: Path) -> None:
        real(self, file)
        found.append((self.count, self.progress.done, self.progress.total))

    monkeypatch.setattr(greedy.Greedy, "_continue", watched)
    jobs.resume(workspace, job.id)
    done = jobs.run_next(workspace)
    assert done is not None and done.result is not None, done
    size = len(load_detector(workspace, workspace.banks()[0].id).negative)
    assert found == [(picked, picked, size)] and 1 < picked < size  # the progress begins with what is there
    assert not job_folder(workspace, job.id).exists()

    same = build_bank(workspace, BuildOptions(**OPTIONS))
    one, other = (load_detector(workspace, bank).negative for bank in (str(done.result["bank"]), same.id))
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.position, other.position)
    np.testing.assert_array_equal(one.rows, other.rows)


def test_a_full_disk_ends_no_selection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    picked = greedy.Greedy(greedy.torch.from_numpy(rows), 20, 3, greedy.Progress()).run()
    again = greedy.Greedy(greedy.torch.from_numpy(rows), 20, 3, greedy.Progress())
    np.testing.assert_array_equal(again.run(tmp_path / "no folder" / "state.npz"), picked)
