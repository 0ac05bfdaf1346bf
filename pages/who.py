"""The name of the person who changes or decides something: one name a browser, the same on every page.

Knows where a browser stores it. Does not know accounts: a name is only what somebody typed.
"""

from __future__ import annotations

from pages import answers
from pages.guard import person

WHO = "exdd.who"  # the key in the browser's storage, as in assets/shared/who.js
# An expression of a script: the name, or '', also where the browser stores nothing.
WHO_JS = f"(() => {{ try {{ return localStorage.getItem('{WHO}') || ''; }} catch {{ return ''; }} }})()"
# Adds the name to the events of `answers.buttons`.
NAMED_BUTTONS_JS = answers.BUTTONS_JS.replace("...button.dataset", f"...button.dataset, who: {WHO_JS}")
NOBODY = "someone"


def who_of(name: object) -> str:
    """The name to store with a change."""
    return person(name) or NOBODY
