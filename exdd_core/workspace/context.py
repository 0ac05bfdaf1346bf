"""The data set that a request works on, where it names one: each browser tab has its own.

Without one it is the workspace's active data set. Knows names. Does not know rows, nor who asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_DATASET: ContextVar[str] = ContextVar("dataset", default="")


def dataset() -> str:
    """The name of the data set that is worked on here; "" for the active one."""
    return _DATASET.get()


@contextmanager
def working_on(name: str) -> Iterator[None]:
    """Within the block this data set is the active one, and its own version the active version; "" changes nothing."""
    token = _DATASET.set(name or _DATASET.get())
    try:
        yield
    finally:
        _DATASET.reset(token)
