"""A power cut or an I/O error at any moment of a day: what was not synced is lost, emptied or old."""

from __future__ import annotations

import errno
import io
import os
import sqlite3
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
from exdd_core.workspace import Workspace, checking, copies, dataset_changes, decisions
from exdd_core.workspace.failures import STORAGE, sentence_of
from exdd_core.workspace.imports import import_dataset
from tests import plates
from tests.trust.conftest import opened
from tests.trust.disk import Disk, Replayed

POINTS = 200
MANY = 10**6  # calls, more than any step makes
CALLS = ("fsync", "replace", "rename", "open", "commit")
COUNTED = ("datasets", "images", "dataset_changes", "banks", "candidates", "decisions")


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
    harmless = "is not in the database", "was never finished", "of a version that no longer exists"
    return [what for what in said if not any(words in what for words in harmless)]


@pytest.mark.slow
def test_a_power_cut_at_any_of_200_moments_of_a_day_leaves_no_row_without_its_files(
    workspace, backbone, unseen, tmp_path, monkeypatch
):
    with monkeypatch.context() as patched:
        disk = Disk(workspace.path, patched)
        for step in STEPS.values():
            step(workspace)
            disk.cut()
    distinct = list({frozenset(state.items()): state for state in disk.states}.values())
    chosen = np.sort(np.random.default_rng(0).permutation(len(distinct))[:POINTS])
    assert len(chosen) == POINTS
    replayed = Replayed(tmp_path / "cut")
    for turn, number in enumerate(chosen):
        again = opened(replayed.show(distinct[number]), backbone)
        assert damage(again) == [], f"moment {number}"
        if turn == POINTS // 2:
            assert [seen.verdict for seen in load_detector(again).score(unseen)] == ["normal", "defect"]


class Failing:
    """A call of the system that fails once, after `left` calls that do not.

    Counts calls that name a file in `folder`, or none.
    """

    def __init__(self, real: Callable, left: int, folder: Path, error: Exception):
        self.real, self.left, self.folder, self.error = real, left, folder, error

    def __call__(self, *args: object, **named: object) -> object:
        if not isinstance(args[0], str | Path) or Path(args[0]).is_relative_to(self.folder):
            self.left -= 1
            if self.left == -1:
                raise self.error
        return self.real(*args, **named)


def failing(patched: pytest.MonkeyPatch, call: str, left: int, folder: Path) -> Failing:
    """Have one kind of call fail: a function of `os`, opening a file (`open`), or a commit of the database."""
    owner = {"open": io, "commit": copies.Connection}.get(call, os)
    error: Exception = OSError(errno.EIO, os.strerror(errno.EIO), str(folder))
    if call == "commit":
        error = sqlite3.OperationalError("disk I/O error")
    made = Failing(getattr(owner, call), left, folder, error)
    patched.setattr(owner, call, lambda *args, **named: made(*args, **named))  # a method, too
    return made


def counts(workspace: Workspace) -> dict[str, int]:
    """How many rows of each kind there are: what a step changes wholly or not at all. An image that could not be read
    has no row, and the import names it."""
    images = {
        f"{info.name}/{item['path']}" for info in workspace.datasets() for item in info.report["unreadable"]
    }
    with workspace.reading() as db:
        rows = {table: db.execute(f"select count(*) from {table}").fetchone()[0] for table in COUNTED}
        return rows | {
            "images": len(images | {id for (id,) in db.execute("select id from images")}),
            "retired": db.execute("select count(*) from images where retired is not null").fetchone()[0],
            "pending": db.execute("select count(*) from candidates where status = 'pending'").fetchone()[0],
        }


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in STEPS if name != "building"])
def test_an_io_error_at_any_moment_is_one_sentence_and_leaves_nothing_half_made(
    built, backbone, tmp_path, monkeypatch, name
):
    place = Replayed(tmp_path / "workspace")
    start = {
        path.relative_to(built).as_posix(): path.read_bytes() for path in built.rglob("*") if path.is_file()
    }

    def step(**left: int) -> tuple[dict[str, int], dict[str, int]]:
        """Let calls fail after so many; how many of each kind there were, and the rows afterwards."""
        said = ""
        with monkeypatch.context() as patched:
            workspace = opened(place.show(start), backbone)
            made = {call: failing(patched, call, left.get(call, MANY), workspace.path) for call in CALLS}
            try:
                STEPS[name](workspace)
            except (BadInput, *STORAGE) as error:
                assert left, error
                said = sentence_of(error)
                assert "\n" not in said and said.endswith("."), said
        again = opened(workspace.path, backbone)
        assert damage(again) == []
        after = counts(again)
        assert not said or after == before, f"{left}: {said}"  # whoever is told of an error may try again
        return {call: MANY - one.left for call, one in made.items()}, after

    before = counts(opened(place.show(start), backbone))
    calls, done = step()
    assert done != before
    for call, count in calls.items():
        for at in sorted({0, count // 2, count - 1}) if count else ():
            assert step(**{call: at})[1] in (before, done), f"{call} {at} of {count}"
