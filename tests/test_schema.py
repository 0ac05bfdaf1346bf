"""A workspace of schema version 5, with decisions and changed banks, opens with all that it held."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest
from hypothesis import given, strategies

from exdd_core.datasets.record import natural_key, natural_text
from exdd_core.workspace import Workspace, bank_contents, decisions, schema

NEW_TABLES = ("measures", "bank_states", "unfitted", "histories")
NEW_COLUMNS = {
    "images": ("place",),
    "candidates": ("mask_source",),
    "decisions": ("dataset", "undone"),
    "bank_changes": tuple(bank_contents.COLUMNS),
}
STATES = {2: {"fitted": "a"}, 3: {"fitted": ""}, 4: {"fitted": "b"}, 5: {"fitted": "b c"}}
# (bank side, image, action, rows); c is an image of the build.
CHANGES = [
    ("positive", "a", "add", b"aaaa"),
    ("positive", "b", "add", b"bbbb"),
    ("positive", "a", "remove", b"aaaa"),
    ("positive", "b", "remove", b"bbbb"),
    ("positive", "c", "remove", b"cccc"),
    ("positive", "b", "return", b"bbbb"),
]


@pytest.fixture
def older(tmp_path: Path) -> Workspace:
    """As version 5 would have left it."""
    workspace = Workspace.create(tmp_path / "w", backbone="efficientnet_lite0")
    with workspace.writing() as db:
        made = "type in ('index', 'trigger') and sql is not null"
        for kind, name in db.execute(f"select type, name from sqlite_master where {made}").fetchall():
            db.execute(f"drop {kind} [{name}]")
        for table in NEW_TABLES:
            db.execute(f"drop table {table}")
        for table, columns in NEW_COLUMNS.items():
            for column in columns:
                db.execute(f"alter table {table} drop column {column}")
        for number in (2, 10):
            path = f"good/{number}.png"
            db.table("images").insert({"id": f"d/{path}", "dataset": "d", "path": path, "split": "train"})
        known = {"value": 0.5, "light": "green"}
        quality = {name: known for name in schema.MEASURES} | {"state": "v:0:0", "effect_state": ""}
        for id, told in (("x", quality), ("y", {})):
            mask = json.dumps({"source": "drawn"})
            db.table("candidates").insert({"id": id, "quality": json.dumps(told), "mask": mask})
        columns_told = "candidate, action, reason, who, created, detail"
        insert = f"insert into decisions ({columns_told}) values (?, ?, '[]', 'Ada', '', ?)"
        for subject, action, detail in (
            ("x", "accept", {"dataset": "d"}),
            ("y", "reject", {"dataset": "d"}),
            ("x", "undo", {"of": 1, "dataset": "d"}),
        ):
            db.execute(insert, [subject, action, json.dumps(detail)])
        for number, (side, image, action, rows) in enumerate(CHANGES, 1):
            detail = {"dimension": 1, "position": [[0, 0]]}
            if number in STATES:
                detail["state"] = STATES[number]
            db.table("bank_changes").insert(
                {"bank": "v", "image": image, "bank_side": side, "action": action, "rows": rows}
                | {"detail": json.dumps(detail)}
            )
        db.execute("PRAGMA user_version = 5")
    return Workspace.open(workspace.path)


def test_decisions_say_what_took_them_back(older):
    assert [(d.action, d.undone) for d in decisions.history(older)] == [
        ("undo", None),
        ("reject", None),
        ("accept", 3),
    ]
    assert [d.subject for d in decisions.in_force(older, "accept", "reject", dataset="d")] == ["y"]


def test_images_and_measures_have_columns_to_sort_by(older):
    with older.reading() as db:
        assert [row[0] for row in db.execute("select path from images order by place desc")] == [
            "good/10.png",
            "good/2.png",
        ]
        found = db.execute(
            "select candidate, effect, new_light, state, effect_state from measures"
        ).fetchall()
        assert found == [("x", 0.5, "green", "v:0:0", "")]
        assert {row[0] for row in db.execute("select mask_source from candidates")} == {"drawn"}


def test_states_are_found_by_content_and_rows_are_held_once(older):
    with older.reading() as db:
        assert bank_contents.differing(db, "v") == {
            ("b", "positive"): 2,
            ("c", "positive"): bank_contents.GONE,
        }
        assert bank_contents.needed(db, "v", 6) == [5, 6]
        assert bank_contents.needed(db, "v", 4) == []
        # After change 6 "a" is gone, "b" is as change 2 added it, and "c" is gone: no state was kept of that.
        assert bank_contents.state_for(db, "v", bank_contents.content(db, "v")) is None
        assert bank_contents.state_for(db, "v", bank_contents.content(db, "v", 2)) == STATES[2]
        assert bank_contents.state_for(db, "v", bank_contents.content(db, "v", 4)) == STATES[4]
        assert bank_contents.content(db, "v", 4) == ""
        rows = db.execute("select rows_of, rows from bank_changes order by id").fetchall()
        assert rows == [
            *((None, rows) for _, _, _, rows in CHANGES[:2]),
            (1, b""),
            (2, b""),
            (None, b"cccc"),
            (2, b""),
        ]
        assert all("state" not in json.loads(row[0]) for row in db.execute("select detail from bank_changes"))


def test_old_states_are_forgotten_but_not_what_a_run_was_measured_with(older, monkeypatch):
    monkeypatch.setattr(bank_contents, "LAST_STATES", 1)
    with older.writing() as db:
        db.table("runs").insert({"id": "r", "bank": "v", "result": json.dumps({"changes": 2})})
        bank_contents.keep_state(db, "v", {"fitted": "b, without c"})
        kept = [
            json.loads(zlib.decompress(row[0]))
            for row in db.execute("select state from bank_states order by id")
        ]
    assert kept == [STATES[2], STATES[4], {"fitted": "b, without c"}]


@given(strategies.lists(strategies.text("019a/_. ", max_size=8), max_size=6))
def test_texts_are_in_natural_order(names):
    assert sorted(names, key=natural_text) == sorted(names, key=natural_key)
