"""A disk that is lost, a folder that is damaged, or a program that is newer than its data."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import zipfile
from contextlib import closing

import pytest

from exdd_core import files
from exdd_core.banks.detectors import load_detector
from exdd_core.cli import main
from exdd_core.curation import accept
from exdd_core.errors import BadInput
from exdd_core.workspace import Workspace, backup, checking, schema
from tests import plates
from tests.trust.conftest import opened


def test_a_backup_comes_back_with_the_same_scores_decisions_and_files(
    workspace, backbone, unseen, tmp_path, capsys
):
    file, place = tmp_path / "b.zip", tmp_path / "again"
    assert main(["workspace", "backup", str(file), "--workspace", str(workspace.path)]) == 0
    assert main(["workspace", "restore", str(file), "--workspace", str(place)]) == 0
    again = opened(place, backbone)
    scores = [[seen.score for seen in load_detector(one).score(unseen)] for one in (workspace, again)]
    assert scores[0] == scores[1]
    assert checking.check(again) == [] and len(again.images("plates")) == len(workspace.images("plates"))
    assert main(["workspace", "check", "--workspace", str(place)]) == 0
    assert "present and unchanged" in capsys.readouterr().out


def test_a_backup_made_while_somebody_decides_is_whole(workspace, tmp_path):
    stop = threading.Event()

    def busy() -> None:
        number = 0
        while not stop.wait(0.005):
            workspace.set_setting("busy", number := number + 1)

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        backup.save(workspace, tmp_path / "b.zip")
        accept(workspace, plates.pending(workspace)[:1], "test")
    finally:
        stop.set()
        thread.join()
    backup.restore(tmp_path / "b.zip", tmp_path / "again")
    assert checking.check(Workspace.open(tmp_path / "again")) == []


def test_a_workspace_that_cannot_be_written_to_is_saved(workspace, tmp_path, monkeypatch):
    writable = files.is_writable
    monkeypatch.setattr(
        files, "is_writable", lambda at: not at.is_relative_to(workspace.path) and writable(at)
    )
    shutil.rmtree(workspace.path / "cache")
    backup.save(workspace, tmp_path / "b.zip")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["b.zip"]
    backup.restore(tmp_path / "b.zip", tmp_path / "again")
    assert len(Workspace.open(tmp_path / "again").images("plates")) == len(workspace.images("plates"))


def test_a_damaged_backup_is_refused_and_leaves_nothing(workspace, tmp_path):
    backup.save(workspace, tmp_path / "b.zip")
    content = bytearray((tmp_path / "b.zip").read_bytes())
    content[len(content) // 2] ^= 4
    (tmp_path / "b.zip").write_bytes(content)
    with pytest.raises(BadInput, match="damaged; use another"):
        backup.restore(tmp_path / "b.zip", tmp_path / "again")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.zip", "workspace"]


def test_a_backup_never_replaces_a_workspace_nor_writes_outside_of_one(workspace, tmp_path):
    backup.save(workspace, tmp_path / "b.zip")
    with pytest.raises(BadInput, match="not empty"):
        backup.restore(tmp_path / "b.zip", workspace.path)
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("backup.json", '{"format": 1, "schema": 1, "files": {"../evil": "00"}}')
        archive.writestr("../evil", "x")
    with pytest.raises(BadInput, match="cannot be trusted"):
        backup.restore(tmp_path / "evil.zip", tmp_path / "again")
    assert not (tmp_path / "evil").exists() and not (tmp_path / "again").exists()


def test_the_database_is_copied_before_its_tables_change(workspace):
    with workspace.writing() as db:
        db.execute("delete from files")
        db.execute("PRAGMA user_version = 6")
    Workspace.open(workspace.path)
    (kept,) = (workspace.path / "before-migration").iterdir()
    with closing(sqlite3.connect(kept)) as copy:
        assert copy.execute("PRAGMA user_version").fetchone() == (6,) and kept.name == "version-6.db"
        assert copy.execute("select count(*) from images").fetchone() == (len(workspace.images("plates")),)
    with workspace.reading() as db:
        assert schema.version(db) == schema.VERSION


def test_what_no_row_names_is_moved_aside_and_what_was_never_finished_is_removed(workspace):
    (workspace.path / "candidates" / "stray").mkdir()
    (workspace.path / "candidates" / "stray" / "image.png").write_bytes(b"x")
    (workspace.path / "cache" / "banks" / "gone").mkdir()
    assert [finding["repaired"] for finding in checking.check(workspace)] == ["", ""]
    assert {finding["repaired"] for finding in checking.check(workspace, repair=True)} == {
        "moved to orphans/candidates-stray",
        "removed",
    }
    assert (workspace.path / "orphans" / "candidates-stray" / "image.png").exists()
    assert checking.check(workspace) == []
