"""The two ways a long or a wrong thing ends early. Knows nothing else.

Everything a person typed, chose or uploaded that cannot be used raises `BadInput`, whose text is one plain
sentence: what is wrong and what to do. The command line prints it and exits with 2; pages show it.
"""

from __future__ import annotations


class BadInput(ValueError):
    """What came in cannot be used; the message is the sentence that a person reads."""


class Cancelled(Exception):
    """Somebody pressed cancel; whatever was being made must be left as if it had never begun."""
