"""Lost files: an image or a mask is gone, emptied by a power cut, or replaced behind the program's back."""

from __future__ import annotations

import pytest

from exdd_core import jobs
from exdd_core.banks.building import build_bank
from exdd_core.cli import main
from exdd_core.errors import BadInput
from exdd_core.images import encode_png
from exdd_core.jobs import run_here
from exdd_core.progress import Progress
from exdd_core.workspace import ImageRow, Workspace, candidates, checking, dataset_files, runs
from tests import plates


def one(workspace: Workspace, split: str, label: str) -> ImageRow:
    return next(row for row in workspace.images("plates", split=split) if row.label == label)


def lose(row: ImageRow, how: str) -> None:
    if how == "lost":
        row.path.unlink()
    elif how == "replaced":
        row.path.write_bytes(encode_png(plates.plate(999)))
    elif row.mask:
        row.mask.write_bytes(b"")


@pytest.mark.parametrize(
    ("how", "words"), [("lost", "missing"), ("replaced", "replaced"), ("empty", "empty")]
)
def test_a_lost_replaced_or_emptied_file_is_named_and_stops_a_build(workspace, how, words):
    row = one(workspace, "train", "defect")
    lose(row, how)
    with pytest.raises(BadInput, match=f"{row.id}: its (file|mask) .*{words}.*--without-missing"):
        build_bank(workspace)
    assert [finding["what"] for finding in checking.check(workspace) if row.id in finding["what"]]


@pytest.mark.slow
def test_a_build_goes_on_without_lost_files_where_a_person_says_so_and_the_version_says_so(workspace, capsys):
    rows = [one(workspace, "train", "defect"), one(workspace, "train", "normal")]
    lose(rows[0], "empty")
    lose(rows[1], "lost")
    accepted = candidates.listed(workspace, status="accepted")[0]
    accepted.mask.write_bytes(b"")
    place = ["--workspace", str(workspace.path), "--positives", "both"]
    assert main(["build", *place]) == 2
    assert main(["build", "--without-missing", *place]) == 0
    note = workspace.bank().summary["note"]
    assert all(row.id in note for row in rows) and accepted.id in note
    assert workspace.bank().name == "v2"


@pytest.mark.slow
def test_an_evaluation_goes_on_without_lost_files_where_a_person_says_so_and_the_run_says_so(workspace):
    row = one(workspace, "test", "normal")
    lose(row, "replaced")
    spec = {"dataset": "plates", "bank": workspace.bank().id}
    with pytest.raises(BadInput, match=row.id):
        run_here(workspace, "evaluate", "Measuring", spec, Progress())
    failed = jobs.listed(workspace)[0]
    assert (failed.state, failed.lost) == ("failed", True)
    jobs.resume(workspace, failed.id, without_missing=True)
    again = jobs.run_next(workspace)
    assert again is not None and (again.state, again.lost, again.error) == ("done", False, "")
    with pytest.raises(BadInput, match="is done"):
        jobs.resume(workspace, failed.id, without_missing=True)
    assert any(row.id in note for note in runs.get(workspace).result["notes"])
    assert runs.get(workspace).spec["without_missing"]


def test_data_sets_from_before_digests_get_them_at_the_first_check(workspace):
    rows = workspace.images("plates")
    with workspace.writing() as db:
        kept = db.execute("select id, digest from files order by id").fetchall()
        db.execute("delete from files")
    assert dataset_files.faults(workspace, rows) == {}
    with workspace.reading() as db:
        assert db.execute("select id, digest from files order by id").fetchall() == kept
    assert len(kept) == len(rows) + sum(row.mask is not None for row in rows)
