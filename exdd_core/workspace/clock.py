"""The time as rows of the database keep it.

Knows ISO 8601. Does not know who asks.
"""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
