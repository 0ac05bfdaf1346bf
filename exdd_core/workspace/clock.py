"""The current time in the format of the database.

Knows ISO 8601. Does not know the tables.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal


def now(timespec: Literal["milliseconds", "seconds"] = "milliseconds", later: float = 0.0) -> str:
    """The time `later` seconds from now: ISO 8601, UTC."""
    return (datetime.now(UTC) + timedelta(seconds=later)).isoformat(timespec=timespec)
