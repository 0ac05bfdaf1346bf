"""A workspace of an older program: its database has fewer tables and columns than this one's."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from exdd_core.workspace import Workspace, decisions, schema

# What each program of the past that changed the tables left behind, with a row in every table it had.
DUMPS = sorted((Path(__file__).parent / "schemas").glob("version-*.sql"))


def older(dump: Path, folder: Path) -> Path:
    """A workspace with the database of a dump."""
    folder.mkdir()
    with closing(sqlite3.connect(folder / "workspace.db")) as db:
        db.executescript(dump.read_text(encoding="utf-8"))
        db.execute("PRAGMA journal_mode = wal")
    return folder


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
def test_a_workspace_of_every_schema_there_ever_was_opens_with_all_that_it_held(dump, tmp_path):
    workspace = Workspace.open(older(dump, tmp_path / "w"))
    with workspace.reading() as db:
        assert schema.version(db) == schema.VERSION
        assert [row[0] for row in db.execute("PRAGMA integrity_check")] == ["ok"]
        for table, (columns, *_) in schema.TABLES.items():
            assert columns.keys() <= db.table(table).columns_dict.keys(), table
    assert [info.name for info in workspace.datasets()] == ["d"]
    assert [row.id for row in workspace.images("d")] == ["d/good/0.png"]
    assert [bank.name for bank in workspace.banks()] == ["v1"]
    assert workspace.backbone_name == "efficientnet_lite0"
    if "'Ada'" in dump.read_text():
        assert [one.who for one in decisions.history(workspace)] == ["Ada"]
    lines, length = decisions.past(workspace, "d", 5)
    assert length == len(lines)
    assert len(list((workspace.path / "before-migration").glob("*.db"))) == (
        not dump.stem.startswith(f"version-{schema.VERSION}")
    )


def test_the_present_schema_has_a_dump_of_its_own():
    known = {int(dump.stem[len("version-") : -1]) for dump in DUMPS}
    assert known == set(range(1, schema.VERSION + 1)), "run: python -m tests.trust.dump"
