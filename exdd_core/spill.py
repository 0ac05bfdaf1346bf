"""Keeps arrays of one shape that do not fit into memory in a temporary file.

The file has no name, so nothing is left after a cancel, an error or a kill. It is read by copying and not mapped,
because mapped pages count as memory of the process. Knows files and free disk space. Does not know what the arrays
hold.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import DTypeLike

from exdd_core.errors import BadInput

RESERVE = 512 << 20  # bytes of a disk that stay free


class Spill(Sequence[np.ndarray]):
    """n arrays of one shape and dtype on disk. Threads may share one.

    folder: of the file; None for the system's temporary folder. what: names the arrays in errors, such as "the features
    of 2,085 images". Raises `BadInput` where the disk has too little free space.
    """

    def __init__(
        self, count: int, shape: Sequence[int], dtype: DTypeLike, folder: Path | None = None, what: str = ""
    ):
        self.shape, self.dtype = (count, *shape), np.dtype(dtype)
        self._bytes = self.dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        self.folder = folder or Path(tempfile.gettempdir())
        self.folder.mkdir(parents=True, exist_ok=True)
        require_room(self.folder, self.bytes, what or "Temporary files")
        self._file = cast(BinaryIO, tempfile.TemporaryFile(buffering=0, dir=self.folder))  # noqa: SIM115
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """The size of the file."""
        return self._bytes * len(self)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    def write(self, first: int, arrays: np.ndarray) -> None:
        """Store arrays (m, *shape) as the numbers from `first` on."""
        content = np.ascontiguousarray(arrays, self.dtype).reshape(-1).data.cast("B")
        with self._lock:
            self._file.seek(first * self._bytes)
            while len(content):
                content = content[self._file.write(content) :]

    def __setitem__(self, number: int, array: np.ndarray) -> None:
        """Store one array by its number."""
        self.write(number, array[None])

    def __getitem__(self, number):
        """One array by its number; a list of them for a slice."""
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        at = range(len(self))[number]  # raises IndexError, which ends a loop
        return self._read(at * self._bytes, self.shape[1:])

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """Rows of the last axis: (m, d). numbers: int (m,), counted over all axes but the last."""
        length = self.shape[-1]
        out = np.empty((len(numbers), length), self.dtype)
        for at, number in enumerate(numbers.tolist()):
            out[at] = self._read(number * length * self.dtype.itemsize, (length,))
        return out

    def _read(self, start: int, shape: tuple[int, ...]) -> np.ndarray:
        out = np.empty(shape, self.dtype)
        content = out.reshape(-1).data.cast("B")
        with self._lock:
            self._file.seek(start)
            while len(content):
                count = self._file.readinto(content)  # type: ignore[attr-defined]
                if not count:
                    raise OSError("a temporary file ended early")
                content = content[count:]
        return out


def array_or_spill(count: int, shape: Sequence[int], dtype: DTypeLike, most: int) -> np.ndarray | Spill:
    """Space for n arrays of one shape: zeros in memory if they take at most `most` bytes, else a `Spill`."""
    if np.dtype(dtype).itemsize * count * int(np.prod(shape, dtype=np.int64)) <= most:
        return np.zeros((count, *shape), dtype)
    return Spill(count, shape, dtype)


def require_room(folder: Path, needed: int, what: str) -> None:
    """Raise `BadInput` where the disk of `folder` lacks `needed` bytes. what: as for `Spill`."""
    free = shutil.disk_usage(folder).free
    if needed + RESERVE > free:
        raise BadInput(
            f"{what} need {said(needed)} on the disk of {folder}, but only {said(max(0, free - RESERVE))} is "
            "available; free some space, or use fewer or smaller images."
        )


def said(size: int) -> str:
    """A number of bytes for people, such as "13.2 GB"."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
