"""A workspace in a place that cannot be written to: a read-only disk, or somebody else's folder."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from exdd_core import files
from exdd_core.banks.detectors import load_detector
from exdd_core.cli import main
from exdd_core.curation import reject
from exdd_core.detector.backbones import Backbone
from exdd_core.errors import BadInput
from exdd_core.images import encode_png
from exdd_core.workspace import Workspace, schema
from tests import plates
from tests.trust.conftest import opened

NOBODY = 65_534  # user id


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def kept(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace that the program takes for one it may not write to, though it could."""
    folder = shutil.copytree(built, tmp_path / "workspace")
    monkeypatch.setattr(files, "is_writable", lambda place: not place.is_relative_to(folder))
    return folder


def test_a_workspace_that_cannot_be_written_to_scores_and_is_left_as_it_is(
    kept: Path, backbone: Backbone, unseen: list[np.ndarray], tmp_path: Path
) -> None:
    before = content(kept)
    workspace = opened(kept, backbone)
    assert len(workspace.images("plates")) == 27 and len(plates.pending(workspace)) == 5
    assert [seen.verdict for seen in load_detector(workspace).score(unseen)] == ["normal", "defect"]
    (tmp_path / "part.png").write_bytes(encode_png(plates.painting(901).image))
    words = ["score", str(tmp_path / "part.png"), "--workspace", str(kept)]
    assert main(words) == 0
    assert main(["banks", "list", "--workspace", str(kept)]) == 0
    assert content(kept) == before


def test_whoever_changes_it_gets_one_sentence(kept: Path, backbone: Backbone) -> None:
    before, workspace = content(kept), opened(kept, backbone)
    with pytest.raises(BadInput, match="The workspace cannot be written to"):
        reject(workspace, plates.pending(workspace)[:1], "Ada", ["blurred"])
    assert content(kept) == before


def test_what_an_older_program_made_is_copied_first(kept: Path) -> None:
    with sqlite3.connect(kept / "workspace.db") as db:
        db.execute(f"PRAGMA user_version = {schema.VERSION - 1}")
    db.close()
    with pytest.raises(BadInput, match="copy it to another place"):
        Workspace.open(kept)


@pytest.fixture
def foreign(built: Path) -> Iterator[Path]:
    """A workspace of root's that this process, as nobody, may read and not write."""
    if os.geteuid() != 0:
        pytest.skip("only root becomes somebody else")
    place = Path(tempfile.mkdtemp(prefix="exdd-"))
    place.chmod(0o755)
    folder = shutil.copytree(built, place / "workspace")
    with sqlite3.connect(folder / "workspace.db") as db:  # as the last program that used it leaves it
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield folder
    shutil.rmtree(place)


def test_somebody_elses_workspace_scores(
    foreign: Path, backbone: Backbone, unseen: list[np.ndarray], workspace: Workspace
) -> None:
    load_detector(workspace).score(unseen)  # everything is imported while that is allowed
    before = content(foreign)
    os.seteuid(NOBODY)
    try:
        theirs = opened(foreign, backbone)
        verdicts = [seen.verdict for seen in load_detector(theirs).score(unseen)]
        with pytest.raises(BadInput, match="cannot be written to"):
            theirs.set_setting("a", 1)
    finally:
        os.seteuid(0)
    assert verdicts == ["normal", "defect"] and content(foreign) == before
