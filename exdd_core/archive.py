"""Unpacks the images and tables of a zip file, trusting nothing that the file says.

Knows zip files, paths and the disk's limits. Does not know data sets, or what becomes of the files.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path, PurePosixPath

from exdd_core.errors import BadInput
from exdd_core.images import MAX_BYTES, SUFFIXES
from exdd_core.progress import Progress

MAX_FILES = 200_000
MAX_TOTAL_BYTES = 64 * 2**30
MAX_RATIO = 200  # of a whole archive; a single black mask alone may shrink a thousandfold
RATIO_FROM = 2**30


def unpack(source: Path, target: Path, progress: Progress) -> Path:
    """Unpack the images and tables of the zip file `source` into `target`, and return that.

    Raises BadInput for a file that is no zip, is damaged or locked, leads outside of `target`, or is too large.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            members = [member for member in archive.infolist() if _is_wanted(member)]
            _check_members(source, archive, members, target.parent)
            progress.begin("Unpacking", len(members))
            for member in members:
                place = target / PurePosixPath(member.filename)
                place.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as packed, place.open("wb") as file:
                    shutil.copyfileobj(packed, file)  # zipfile stops at the size that was checked
                progress.advance()
    except (zipfile.BadZipFile, EOFError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        raise BadInput(
            f"{source} is not a zip file or is damaged; name a folder or pack it again."
        ) from error
    except (RuntimeError, NotImplementedError) as error:  # a password, an unknown compression
        raise BadInput(f"{source} cannot be unpacked ({error}); pack it as a plain zip file.") from error
    return target


def _is_wanted(member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename)
    hidden = any(part.startswith(".") and part != ".." or part == "__MACOSX" for part in path.parts)
    return not member.is_dir() and not hidden and path.suffix.lower() in (*SUFFIXES, ".csv", ".json")


def _check_members(
    source: Path, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], disk: Path
) -> None:
    if len(archive.infolist()) > MAX_FILES:
        raise BadInput(f"{source} holds more than {MAX_FILES} files; import it as a folder.")
    for member in members:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or ":" in member.filename:
            raise BadInput(
                f"{source} holds the path {member.filename!a}, which leads outside of it; pack it again."
            )
        if member.file_size > MAX_BYTES:
            raise BadInput(
                f"{member.filename} in {source} has more than {MAX_BYTES // 2**20} MB; leave it out."
            )
    total, packed = sum(m.file_size for m in members), max(1, source.stat().st_size)
    if total > MAX_TOTAL_BYTES or (total > RATIO_FROM and total / packed > MAX_RATIO):
        raise BadInput(
            f"{source} would unpack to {total / 2**30:.0f} GB; unpack it yourself and import the folder."
        )
    if total > (free := shutil.disk_usage(disk).free):
        raise BadInput(
            f"{source} needs {total / 2**20:.0f} MB and the workspace's disk has {free / 2**20:.0f} MB left; "
            "free some space or put the workspace on another disk."
        )
