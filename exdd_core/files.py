"""A file is written whole or not at all, whatever happens on the way.

Knows names and renaming. Does not know what is written, nor for whom.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """A hidden place beside `file`, of the same ending, to write it at; it gets its name when the block has ended.

    A full disk, a cancel and the like leave what was there before. A device or a pipe is written to directly.
    """
    if file.exists() and not file.is_file():
        yield file
        return
    unfinished = file.with_name(f".{uuid.uuid4().hex[:8]}{file.suffix}")
    try:
        yield unfinished
        unfinished.replace(file.resolve())  # a link stays one
    except BaseException as error:
        if isinstance(error, OSError) and str(error.filename) == str(unfinished):
            error.filename = str(file)  # the name that people know
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
