"""The settings of a workspace: one row of JSON for each key.

Knows the table. Does not know what a setting means.
"""

from __future__ import annotations

import json
from typing import Any

from sqlite_utils import Database


def get(db: Database, key: str, default: str) -> str:
    row = db.execute("select value from settings where key = ?", [key]).fetchone()
    return str(row[0]) if row else default


def put(db: Database, key: str, value: Any) -> None:
    db.table("settings").upsert({"key": key, "value": json.dumps(value)}, pk="key")
