"""The time as rows of the database keep it.

Knows ISO 8601. Does not know who asks.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal


def now(timespec: Literal["milliseconds", "seconds"] = "milliseconds", later: float = 0.0) -> str:
    """The time `later` seconds from now: ISO 8601, UTC."""
    return (datetime.now(UTC) + timedelta(seconds=later)).isoformat(timespec=timespec)
