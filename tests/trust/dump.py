"""`python -m tests.trust.dump` writes the tables of the present schema, with a few rows, to tests/trust/schemas.

To be run when the number of the schema grows, so that the step from it to later ones stays tested.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlite_utils import Database

from exdd_core.workspace import schema

SCHEMAS = Path(__file__).parent / "schemas"


def dump() -> str:
    """The rows of the newest dump in tables of the present schema, as SQL."""
    newest = max(SCHEMAS.glob("version-*.sql"), key=lambda file: int(file.stem[len("version-") : -1]))
    connection = sqlite3.connect(":memory:")
    connection.executescript(newest.read_text(encoding="utf-8"))
    schema.bring_up_to_date(Database(connection, execute_plugins=False))
    connection.commit()
    lines = "\n".join(connection.iterdump())
    return lines.replace("COMMIT;", f"PRAGMA user_version = {schema.VERSION};\nCOMMIT;") + "\n"


if __name__ == "__main__":
    (SCHEMAS / f"version-{schema.VERSION}a.sql").write_text(dump(), encoding="utf-8")
