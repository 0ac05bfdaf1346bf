"""A folder of files that can be made again, which together take at most a given number of bytes.

The files that were used longest ago go first. Knows files and free disk space. Does not know what the files hold.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from exdd_core import files
from exdd_core.spill import RESERVE

KEPT = 0.9  # share of the allowed bytes that eviction leaves
FORGOTTEN = 3600  # seconds after which a file that was never finished is removed


@dataclass
class CappedFolder:
    """Any number of processes may use the folder at once. A disk that is full or read-only makes it useless, not wrong.

    cap: bytes that all files together may take. written: bytes stored since files were last removed.
    """

    folder: Path
    cap: int
    written: int = field(default=0, init=False, repr=False)

    def find(self, name: str) -> Path | None:
        """A file that is as it was stored, which now counts as just used; None without any."""
        file = self.folder / name
        try:
            if not files.holds(file):
                return None
            os.utime(file)
        except OSError:
            return None
        return file

    def read(self, name: str) -> bytes | None:
        """The content of a file as it was stored; None without any."""
        try:
            return None if (file := self.find(name)) is None else files.unsealed(file.read_bytes())
        except OSError:
            return None

    def store(self, name: str, size: int, write: Callable[[Path], object]) -> None:
        """Store what `write` writes at a path, and remove the files that were used longest ago if there are too many.

        size: about its bytes. Nothing is stored where less than `spill.RESERVE` of the disk would stay free.
        """
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self.folder).free < size + RESERVE:
                return
            with files.sealed(self.folder / name) as place:
                write(place)
            self.written += size
            if self.written > (1 - KEPT) * self.cap:
                self.trim()

    def trim(self) -> None:
        """Remove the files that were used longest ago until the others fit, and what was never finished."""
        self.written = 0
        there, now = [], time.time()
        with suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    about = entry.stat()
                    if not entry.name.startswith("."):
                        there.append((about.st_mtime, about.st_size, entry.path))
                    elif now - about.st_mtime > FORGOTTEN:
                        os.unlink(entry.path)
        total = sum(size for _, size, _ in there)
        limit = self.cap if total <= self.cap else KEPT * self.cap
        for _, size, path in sorted(there):
            if total <= limit:
                break
            with suppress(OSError):
                os.unlink(path)
            total -= size
