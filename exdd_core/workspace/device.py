"""The lock that lets one thread at a time use the machine's GPU.

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
    """Exclusive use of the GPU (or the CPU in its place) among all threads and processes of this workspace.

    A batch takes the lock for each image, a preview for its only one. A second lock holds all but the first waiting
    thread back, so that one waits for at most one image. The same thread may take the lock again within the block.
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
    return FileLock(folder / DEVICE_LOCK)  # one lock object for each thread, since it counts its acquisitions
