"""The name of the person who changes a data set, which the browser shares with Curate and Banks.

Knows where a browser stores it. Does not know accounts: a name is only what somebody typed.
"""

from __future__ import annotations

from pages.guard import person

WHO_JS = "(localStorage.getItem('exdd.who') || '')"
NOBODY = "someone"


def who_of(name: object) -> str:
    """The name to store with a change."""
    return person(name) or NOBODY
