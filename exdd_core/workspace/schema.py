"""The tables of a workspace's database, and the update of older databases.

Knows columns, keys and indexes. Does not know what the rows mean or who writes them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

from exdd_core.datasets.record import natural_text
from exdd_core.workspace import bank_contents, run_digests
from exdd_core.workspace.settings import put

VERSION = 12
MEASURES = ("visible", "clean", "plausible", "new", "effect")
# name -> (columns, primary key, indexes, unique indexes)
TABLES: dict[str, tuple[Mapping[str, type], str, list[list[str]], list[list[str]]]] = {
    "settings": ({"key": str, "value": str}, "key", [], []),
    "datasets": (
        dict.fromkeys(("name", "layout", "title"), str)
        | dict.fromkeys(("width", "height", "keep_aspect"), int)
        | dict.fromkeys(("created", "fingerprint", "report"), str)
        | {"depth": str, "mask_rule": str}
        # state: number of the last change, null for 1. called: for people, null for the name. roi: a file.
        | {"state": int, "called": str, "roi": str},
        "name",
        [],
        [],
    ),
    "images": (
        dict.fromkeys(("id", "dataset", "path", "label", "split", "defect_type", "mask", "group"), str)
        | {"width": int, "height": int}
        # retired: null for an image that counts, else the reason why it does not. originals: the imported files of a
        # converted mask, as a list in JSON. place: the path as a text that sorts in natural order.
        | {"retired": str, "originals": str, "place": str},
        "id",
        [
            ["dataset", "split", "label"],
            ["dataset", "retired", "place"],
            ["dataset", "retired", "split", "place"],
            ["dataset", "retired", "split", "label", "defect_type"],
        ],
        [],
    ),
    # Files of data sets with the SHA-256 of their content; id: DATASET/path.
    "files": (dict.fromkeys(("id", "dataset", "digest"), str), "id", [["dataset"]], []),
    "dataset_changes": (
        {"id": int, "dataset": str, "state": int}
        | dict.fromkeys(("action", "detail", "who", "created"), str),
        "id",
        [],
        [["dataset", "state"]],
    ),
    "banks": (
        {"id": str, "number": int, "dataset": str, "created": str, "seconds": float}
        # files: digests of the version's files in JSON, null until they are taken.
        | dict.fromkeys(("settings", "summary", "who", "files"), str),
        "id",
        [],
        [["number"]],
    ),
    "jobs": (
        dict.fromkeys(("id", "kind", "title", "spec", "state"), str)
        | {"position": float, "stage": str, "done": int, "total": int, "seconds_left": float}
        | {"result": str, "error": str, "pid": int, "cancel": int}
        # who: ordered it. turn: number of its end among all ends, which orders ended jobs whatever the clock says.
        | {"who": str, "turn": int}
        # retries: how often it still continues by itself after a crash.
        # lost: 1 where it failed as files are lost.
        | {"retries": int, "lost": int}
        | dict.fromkeys(("created", "started", "ended"), str),
        "id",
        [["state", "position"]],
        [],
    ),
    "prompts": (
        dict.fromkeys(
            ("id", "name", "prompt", "negative_prompt", "tags", "engine", "settings", "created", "changed"),
            str,
        ),
        "id",
        [],
        [["name"]],
    ),
    # `job` is null for a preview; nulls differ from each other in a unique index.
    "candidates": (
        dict.fromkeys(("id", "dataset", "source", "engine", "engine_version", "prompt_id", "template"), str)
        | {"prompt": str, "negative_prompt": str, "settings": str, "seed": int, "mask": str, "notes": str}
        | {"defect_type": str, "parent": str, "job": str, "number": int, "seconds": float, "created": str}
        | {"status": str, "quality": str, "mask_source": str},
        "id",
        [["dataset", "status", "created"], ["prompt_id"]],
        [["job", "number"]],
    ),
    # The measures of a candidate that are sorted and filtered by; all of them are in its `quality`.
    "measures": (
        {"candidate": str}
        | dict.fromkeys(MEASURES, float)
        | dict.fromkeys((*(f"{name}_light" for name in MEASURES), "state", "effect_state"), str),
        "candidate",
        [],
        [],
    ),
    # undone: the decision that took this one back.
    "decisions": (
        {"id": int}
        | dict.fromkeys(("candidate", "action", "reason", "who", "created", "detail", "dataset"), str)
        | {"undone": int},
        "id",
        [["candidate"], ["undone", "action"], ["dataset", "action"]],
        [],
    ),
    # Decisions of a data set that its history shows, kept by triggers: counting them would cost more with each.
    "histories": ({"dataset": str, "length": int}, "dataset", [], []),
    "bank_changes": (
        {"id": int, "bank": str, "image": str, "bank_side": str, "action": str, "rows": bytes}
        # digest: SHA-256 of what the row says; null in rows from before there were digests.
        | {"detail": str, "decision": int, "created": str, "digest": str}
        | bank_contents.COLUMNS,
        "id",
        [["bank"], ["bank", "image", "bank_side"]],
        [],
    ),
    # What was fitted to the banks of a version while they had this content: JSON, compressed by zlib.
    "bank_states": (
        {"id": int, "bank": str, "content": str, "state": bytes},
        "id",
        [],
        [["bank", "content"]],
    ),
    # Decisions that a version's banks do not follow yet: they are fitted once, behind the decisions.
    "unfitted": ({"decision": int, "bank": str}, "decision", [["bank"]], []),
    "claims": ({"candidate": str, "who": str, "until": str}, "candidate", [], []),
    # password: null for people who sign in by another service; subject: what that calls them, after its own name.
    "people": (
        dict.fromkeys(("name", "role", "password", "created", "subject"), str),
        "name",
        [],
        [["subject"]],
    ),
    "sessions": (dict.fromkeys(("token", "person", "until"), str), "token", [["person"]], []),
    "runs": (
        dict.fromkeys(("id", "kind", "title", "spec", "result", "bank", "created"), str)
        # digest: SHA-256 of what the row says; null in rows from before there were digests.
        | {"seconds": float, "digest": str},
        "id",
        [["created"]],
        [],
    ),
}

# The newest decisions of a data set are found, and counted, in the same time among any number of decisions.
HISTORIES = (
    "create index if not exists decisions_to_show on decisions (dataset, id) where action <> 'undo'",
    """create trigger if not exists history_grows after insert on decisions
       when new.action <> 'undo' and new.dataset is not null begin
           insert into histories (dataset, length) values (new.dataset, 1)
           on conflict (dataset) do update set length = length + 1;
       end""",
    """create trigger if not exists history_shrinks after delete on decisions
       when old.action <> 'undo' and old.dataset is not null begin
           update histories set length = length - 1 where dataset = old.dataset;
       end""",
)


def version(db: Database) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def bring_up_to_date(db: Database) -> None:
    """Create missing tables, columns and indexes. The caller holds the write lock or has the file to itself."""
    before = version(db)
    for name, (columns, key, indexes, unique) in TABLES.items():
        table = db.table(name)
        if table.exists():
            for column in columns.keys() - table.columns_dict.keys():
                table.add_column(column, columns[column])
        else:
            table.create(dict(columns), pk=key)
        for index in indexes:
            table.create_index(index, if_not_exists=True)
        for index in unique:
            table.create_index(index, unique=True, if_not_exists=True)
    # Finds a person's last decision that can be undone among any number of decisions.
    db.execute(
        "create index if not exists decisions_to_undo on decisions (who, id) "
        "where undone is null and action not in ('undo', 'align')"
    )
    for statement in HISTORIES:
        db.execute(statement)
    if 0 < before < 6:
        _fill_columns(db)
    if 0 < before < 9:
        db.execute(
            "update jobs set turn = (select count(*) from jobs j where j.ended <= jobs.ended) where ended <> ''"
        )
    if 0 < before < 12:
        db.execute(
            "insert or replace into histories (dataset, length) select dataset, count(*) from decisions "
            "where action <> 'undo' and dataset is not null group by dataset"
        )
    if 0 < before < 11:
        run_digests.take(db, "json_valid(spec) and json_valid(result)")
    db.execute(f"PRAGMA user_version = {VERSION}")


def _fill_columns(db: Database) -> None:
    """Fill the columns of version 6 from the JSON of an older workspace."""
    db.conn.create_function("natural_text", 1, natural_text, deterministic=True)
    db.execute("update images set place = natural_text(path)")
    db.execute("update candidates set mask_source = coalesce(json_extract(mask, '$.source'), '')")
    _fill_decisions(db)
    values = ", ".join(
        [f"json_extract(quality, '$.{name}.value')" for name in MEASURES]
        + [f"json_extract(quality, '$.{name}.light')" for name in MEASURES]
        + ["json_extract(quality, '$.state')", "json_extract(quality, '$.effect_state')"]
    )
    columns = list(TABLES["measures"][0])
    db.execute(
        f"insert or replace into measures ({', '.join(columns)}) select id, {values} from candidates "
        "where json_valid(quality) and json_extract(quality, '$.state') is not null"
    )
    bank_contents.fill(db)


def _fill_decisions(db: Database) -> None:
    undone = {}
    for id, action, detail in db.execute("select id, action, detail from decisions").fetchall():
        told = json.loads(detail)
        db.execute("update decisions set dataset = ? where id = ?", [told.get("dataset"), id])
        if action == "undo":
            undone[told["of"]] = id
    db.conn.executemany("update decisions set undone = ? where id = ?", [(u, d) for d, u in undone.items()])


def write(path: Path, settings: Mapping[str, object]) -> None:
    """Make the database of a new workspace, with these settings."""
    with closing(sqlite3.connect(path)) as connection:
        db = Database(connection, execute_plugins=False)
        db.enable_wal()
        db.table("settings").create({"key": str, "value": str}, pk="key")
        bring_up_to_date(db)
        for key, value in settings.items():
            put(db, key, value)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # only the main file is renamed into place
