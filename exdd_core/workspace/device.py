"""The lock under which one thread at a time uses the machine's GPU.

Knows locks. Does not know what is computed.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace


DEVICE_LOCK, NEXT_LOCK = ".device.lock", ".device-next.lock"


@contextmanager
def device(workspace: Workspace) -> Iterator[None]:
    """Alone with the machine's GPU (or what stands for it), among all threads and processes of this workspace.

    A batch takes it for each image anew, a preview for its one. Whoever waits stands first in line, so it waits for
    one image at most: the next to come stops at the second lock. Within the block the thread may ask again.
    """
    lock = _device_lock(workspace.path)
    if not lock.is_locked:
        with FileLock(workspace.path / NEXT_LOCK, poll_interval=0.02):
            lock.acquire(poll_interval=0.02)
    else:
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@functools.cache
def _device_lock(folder: Path) -> FileLock:
    return FileLock(folder / DEVICE_LOCK)  # a lock of each thread's own, which counts how often it is asked
