"""The settings of a workspace: one row of JSON for each key.

Knows the table. Does not know what a setting means.
"""

from __future__ import annotations

import json
from typing import Any

from sqlite_utils import Database

BLIND_TESTS, RESEMBLANCE = "blind_tests", "resemblance"
OF_DATASETS = (BLIND_TESTS, RESEMBLANCE)  # {name of a data set: what is kept with it}


def get(db: Database, key: str, default: str) -> str:
    row = db.execute("select value from settings where key = ?", [key]).fetchone()
    return str(row[0]) if row else default


def put(db: Database, key: str, value: Any) -> None:
    db.table("settings").upsert({"key": key, "value": json.dumps(value)}, pk="key")


def forget(db: Database, dataset: str) -> None:
    """Remove what the settings of data sets hold for one."""
    for key in OF_DATASETS:
        kept = json.loads(get(db, key, "{}"))
        if kept.pop(dataset, None) is not None:
            put(db, key, kept)
