"""Writes many files as a folder or a zip file that appears completely or not at all.

Knows paths, zip files and the disk's limits. Does not know what is written.
"""

from __future__ import annotations

import shutil
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from exdd_core import files
from exdd_core.errors import BadInput

# Takes a posix path below the target and its content: bytes, a file to copy, or None for an empty folder.
Put = Callable[[str, "Path | bytes | None"], None]


def free_place(target: Path) -> Path:
    """The absolute path of a target. Raises `BadInput` unless nothing or an empty folder is there."""
    target = target.expanduser().absolute()
    if not target.parent.is_dir():
        raise BadInput(f"There is no folder {target.parent}; create it first, or choose another place.")
    if target.is_dir() and not _is_zip(target) and not any(target.iterdir()):
        return target
    if target.exists() or target.is_symlink():
        what = "is a folder that contains files" if target.is_dir() else "already exists"
        raise BadInput(f"{target} {what}; choose a new name, because nothing is overwritten.")
    return target


@contextmanager
def whole_target(target: Path, size: int) -> Iterator[Put]:
    """Write files to `target`, a folder or, by its suffix, a zip file, which appears when the block ends.

    size: bytes to write. Raises `BadInput` where the disk has less free space.
    """
    free = shutil.disk_usage(target.parent).free
    if size > free:
        raise BadInput(
            f"The images take {size / 2**20:.0f} MB, but the disk of {target.parent} has only "
            f"{free / 2**20:.0f} MB left; free up some space or choose another disk."
        )
    if _is_zip(target):
        with files.whole(target) as unfinished, _archive(unfinished) as put:
            yield put
        return
    unfinished = target.with_name(f".{uuid.uuid4().hex[:8]}")
    unfinished.mkdir()
    try:
        yield lambda name, content: _put(unfinished / name, content)
        unfinished.rename(target)  # replaces an empty folder
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _is_zip(target: Path) -> bool:
    return target.suffix.lower() == ".zip"


@contextmanager
def _archive(file: Path) -> Iterator[Put]:
    with zipfile.ZipFile(
        file, "w", zipfile.ZIP_DEFLATED, compresslevel=1, strict_timestamps=False
    ) as archive:

        def put(name: str, content: Path | bytes | None) -> None:
            if content is None:
                archive.mkdir(name)
            elif isinstance(content, bytes):
                archive.writestr(name, content)
            else:
                archive.write(content, name)

        yield put


def _put(place: Path, content: Path | bytes | None) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        place.mkdir()
    elif isinstance(content, bytes):
        place.write_bytes(content)
    else:
        shutil.copyfile(content, place)
