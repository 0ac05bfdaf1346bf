"""The tables of a workspace's database, and how an older one comes up to date.

Knows columns and what may not be there twice. Does not know what the rows mean or who writes them.
"""

from __future__ import annotations

from typing import Any

from sqlite_utils import Database

VERSION = 5
# name -> (columns, primary key, indexes, unique indexes)
TABLES: dict[str, tuple[dict[str, Any], str, list[list[str]], list[list[str]]]] = {
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
        # retired: null where it counts, else why it does not. originals: the files of a mask that was written from
        # others, as a list in JSON.
        | {"retired": str, "originals": str},
        "id",
        [["dataset", "split", "label"]],
        [],
    ),
    "dataset_changes": (
        {"id": int, "dataset": str, "state": int}
        | dict.fromkeys(("action", "detail", "who", "created"), str),
        "id",
        [],
        [["dataset", "state"]],
    ),
    "banks": (
        {"id": str, "number": int, "dataset": str, "created": str, "seconds": float}
        | dict.fromkeys(("settings", "summary", "who"), str),
        "id",
        [],
        [["number"]],
    ),
    "jobs": (
        dict.fromkeys(("id", "kind", "title", "spec", "state"), str)
        | {"position": float, "stage": str, "done": int, "total": int, "seconds_left": float}
        | {"result": str, "error": str, "pid": int, "cancel": int}
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
    # Where `job` is null, a candidate was made by hand: nulls differ from each other in a unique index.
    "candidates": (
        dict.fromkeys(("id", "dataset", "source", "engine", "engine_version", "prompt_id", "template"), str)
        | {"prompt": str, "negative_prompt": str, "settings": str, "seed": int, "mask": str, "notes": str}
        | {"defect_type": str, "parent": str, "job": str, "number": int, "seconds": float, "created": str}
        | {"status": str, "quality": str},
        "id",
        [["dataset", "status", "created"], ["prompt_id"]],
        [["job", "number"]],
    ),
    "decisions": (
        {"id": int} | dict.fromkeys(("candidate", "action", "reason", "who", "created", "detail"), str),
        "id",
        [["candidate"]],
        [],
    ),
    "bank_changes": (
        {"id": int, "bank": str, "image": str, "bank_side": str, "action": str, "rows": bytes}
        | {"detail": str, "decision": int, "created": str},
        "id",
        [["bank"]],
        [],
    ),
    "claims": ({"candidate": str, "who": str, "until": str}, "candidate", [], []),
    "runs": (
        dict.fromkeys(("id", "kind", "title", "spec", "result", "bank", "created"), str) | {"seconds": float},
        "id",
        [["created"]],
        [],
    ),
}


def version(db: Database) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def bring_up_to_date(db: Database) -> None:
    """Make the tables and columns that are not there yet. The caller holds the write lock, or the file is its own."""
    for name, (columns, key, indexes, unique) in TABLES.items():
        if db.table(name).exists():
            for column in columns.keys() - db.table(name).columns_dict.keys():
                db.table(name).add_column(column, columns[column])
            continue
        db.table(name).create(columns, pk=key)
        for index in indexes:
            db.table(name).create_index(index)
        for index in unique:
            db.table(name).create_index(index, unique=True)
    db.execute(f"PRAGMA user_version = {VERSION}")
