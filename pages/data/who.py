"""Who changes a data set: one name a browser, as Curate and Banks ask for it.

Knows where a browser keeps it.
"""

from __future__ import annotations

WHO_JS = "(localStorage.getItem('exdd.who') || '')"
NOBODY = "someone"


def who_of(name: object) -> str:
    """The name that stands beside a change."""
    return " ".join(str(name or "").split())[:40] or NOBODY
