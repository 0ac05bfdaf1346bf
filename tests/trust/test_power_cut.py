"""A power cut or an I/O error at any moment of a day: what was not synced is lost, emptied or old."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.curation import accept, reject, undo
from exdd_core.errors import BadInput
from exdd_core.images import Size, encode_png
from exdd_core.review import Review
from exdd_core.workspace import Workspace, checking, dataset_changes, decisions
from exdd_core.workspace.imports import import_dataset
from tests import plates
from tests.trust.conftest import opened
from tests.trust.disk import Disk, write

POINTS = 30


def marks(workspace: Workspace) -> None:
    """Marks an uploaded image as a missed defect."""
    review = Review(workspace)
    place = workspace.path.parent / "upload.png"
    place.write_bytes(encode_png(plates.painting(777).image))
    (id,), _ = review.add_files([(place, "upload.png")])
    review.mark_missed(id, plates.painting(777).mask, "Ada")


def imports(workspace: Workspace) -> None:
    source = workspace.path.parent / "more"
    for i in range(3):
        (source / "good").mkdir(parents=True, exist_ok=True)
        (source / "good" / f"{i}.png").write_bytes(encode_png(plates.plate(800 + i)))
    import_dataset(workspace, source, size=Size(64, 64))


STEPS: dict[str, Callable[[Workspace], object]] = {
    "painting": lambda w: plates.paint(w, 31),
    "accepting": lambda w: accept(w, plates.pending(w)[:1], "Ada"),
    "rejecting": lambda w: reject(w, plates.pending(w)[:1], "Ada", ["blurred"]),
    "marking": marks,
    "taking back": lambda w: undo(w, decisions.newest(w), "Ada"),
    "importing": imports,
    "retiring": lambda w: dataset_changes.retire(w, [w.images("plates", split="train")[0].id], "Ada"),
    "building": lambda w: build_bank(w, "plates"),
}


def damage(workspace: Workspace) -> list[str]:
    """What a check finds but for what lies there without a row, which harms nobody."""
    said = [finding["what"] for finding in checking.check(workspace)]
    harmless = "is in no table", "was never finished", "of a version that is gone"
    return [what for what in said if not any(words in what for words in harmless)]


@pytest.mark.slow
def test_a_power_cut_at_any_of_30_moments_of_a_day_leaves_no_row_without_its_files(
    workspace, backbone, unseen, tmp_path, monkeypatch
):
    with monkeypatch.context() as patched:
        disk = Disk(workspace.path, patched)
        for step in STEPS.values():
            step(workspace)
            disk.cut()
    chosen = np.random.default_rng(0).permutation(len(disk.states))[:POINTS]
    assert len(chosen) == POINTS
    for turn, number in enumerate(np.sort(chosen)):
        folder = write(disk.states[number], tmp_path / "cut" / "workspace")
        again = opened(folder, backbone)
        assert damage(again) == [], f"moment {number}"
        if turn % 50 == 0:
            assert [seen.verdict for seen in load_detector(again).score(unseen)] == ["normal", "defect"]
        shutil.rmtree(tmp_path / "cut")


class Failing:
    """A call of the system that fails once, after `left` calls that do not."""

    def __init__(self, real: Callable, left: int, folder: Path):
        self.real, self.left, self.folder = real, left, folder

    def __call__(self, *args: object, **named: object) -> object:
        self.left -= 1
        if self.left == -1:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(self.folder))
        return self.real(*args, **named)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["painting", "accepting", "rejecting"])
def test_an_io_error_at_any_moment_is_one_sentence_and_leaves_nothing_half_made(
    built, backbone, tmp_path, monkeypatch, name
):
    for call in ("fsync", "replace", "rename"):
        for at in range(4):
            folder = tmp_path / f"{call}-{at}"
            shutil.copytree(built, folder)
            workspace = opened(folder, backbone)
            failing = Failing(getattr(os, call), at, folder)
            with monkeypatch.context() as patched:
                patched.setattr(os, call, failing)
                try:
                    STEPS[name](workspace)
                except (BadInput, OSError) as error:
                    assert "\n" not in str(error)
            assert damage(opened(folder, backbone)) == []
            shutil.rmtree(folder)
            if failing.left >= 0:
                break  # the step makes no more such calls
