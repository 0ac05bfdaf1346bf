"""The exceptions of the package. Knows nothing else.

Anything typed, chosen or uploaded that cannot be used raises `BadInput`, whose text is one plain sentence: what is
wrong and what to do. The command line prints it and exits with 2; pages show it.
"""

from __future__ import annotations

INTERRUPTED = "Interrupted; no partial results were kept."
NOT_BEGUN = "Interrupted; nothing was done."


class BadInput(ValueError):
    """Input that cannot be used. The message is a sentence for people."""


class LostFiles(BadInput):
    """Files that work needs are lost or replaced; it can go on without them where a person says so."""


class Cancelled(Exception):
    """A person cancelled the work. Nothing incomplete may be left."""
