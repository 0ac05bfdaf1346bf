"""The digest of a stored measurement, which is compared whenever its row is read.

The database computes it by a function of this module, so that a row whose texts cannot be decoded any more is found,
too. Knows the columns of the table `runs`. Does not know what they mean.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

_TEXTS = ", ".join(
    f"cast({name} as blob)" for name in ("id", "kind", "title", "spec", "result", "bank", "created")
)
DIGEST = f"digest_of_run({_TEXTS}, cast(round(seconds * 100) as integer))"
# True for a row that is as it was stored. One from before there were digests only has to be readable.
WHOLE = f"case when digest is null then json_valid(spec) and json_valid(result) else digest = {DIGEST} end"


def prepare(db: Database) -> None:
    """Make the function known to a connection; `DIGEST` and `WHOLE` call it."""
    db.conn.create_function("digest_of_run", -1, _digest, deterministic=True)


def take(db: Database, where: str = "true", values: Sequence[object] = ()) -> None:
    """Store the digests of rows as they are, within the caller's transaction."""
    prepare(db)
    db.execute(f"update runs set digest = {DIGEST} where {where}", values)


def _digest(*values: bytes | int | None) -> str:
    total = hashlib.sha256()
    for value in values:
        content = value if isinstance(value, bytes) else str(value).encode()
        total.update(f"{len(content)}:".encode() + content)
    return total.hexdigest()
