"""Unpacks the images and tables of a zip file and trusts nothing that its directory says.

Knows zip files, paths and limits of the disk. Does not know data sets.
"""

from __future__ import annotations

import errno
import shutil
import stat
import zipfile
from contextlib import suppress
from pathlib import Path, PurePosixPath

from exdd_core import files
from exdd_core.errors import BadInput
from exdd_core.formats import HEAD, PACKED, is_archive, is_system_file, may_be_picture
from exdd_core.pixels import MAX_BYTES
from exdd_core.progress import Progress

MAX_FILES = 200_000
MAX_TOTAL_BYTES = 64 * 2**30
MAX_RATIO = 200  # of a whole archive; a single black mask alone may reach 1000
RATIO_FROM = 2**30  # bytes from which the ratio is checked
TABLES = (".csv", ".tsv", ".json", ".txt", ".xml", ".yaml", ".yml")
OF_NAMES = (errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EILSEQ, errno.EINVAL)
UTF_8 = 0x800  # the flag of a name
LINK = "a link in a zip file; such links are not followed"
TWICE = "the zip file has several files with this name; only the last one is read"


def unpack(source: Path, target: Path, progress: Progress, left_out: dict[str, str] | None = None) -> Path:
    """Unpack the pictures and tables of the zip file `source` into `target`, and return that.

    left_out: receives links, archives within the archive, and files that a later file of the same name
    replaces, each with the reason. Raises `BadInput` for a file that is no zip file, is damaged or locked,
    leads outside of `target`, or is too large.
    """
    files.require_regular(source, str(source))
    try:
        with zipfile.ZipFile(source) as archive:
            members, left = _sorted_out(archive)
            if left_out is not None:
                left_out.update(left)
            _check_members(source, archive, members, target.parent)
            progress.begin("Unpacking", len(members))
            target.mkdir(parents=True, exist_ok=True)
            # Empty folders, too: the survey reports them.
            for folder in (member for member in archive.infolist() if member.is_dir()):
                if _is_safe(_name(folder)) and not _is_hidden(_name(folder)):
                    (target / _name(folder)).mkdir(parents=True, exist_ok=True)
            for member in members:
                _unpack_one(source, archive, member, target / _name(member))
                progress.advance()
    except (zipfile.BadZipFile, EOFError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        raise BadInput(
            f"{source} is not a zip file or is damaged; choose a folder or create the zip file again."
        ) from error
    except RuntimeError as error:  # its subclass NotImplementedError means an unknown compression
        if not isinstance(error, NotImplementedError):
            raise BadInput(f"{source} is protected by a password; create it again without one.") from error
        raise BadInput(
            f"{source} cannot be unpacked ({error}); create it again as a plain zip file."
        ) from error
    return target


def _unpack_one(source: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, place: Path) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as packed, place.open("wb") as file:
            shutil.copyfileobj(packed, file)  # zipfile reads no more than the size that was checked
    except OSError as error:
        if error.errno not in OF_NAMES:
            raise
        raise BadInput(
            f"{source} contains {member.filename!a}, which cannot be unpacked under this name ({error.strerror}); "
            "rename it and create the zip file again."
        ) from None


def _sorted_out(archive: zipfile.ZipFile) -> tuple[list[zipfile.ZipInfo], dict[str, str]]:
    """The members to unpack, and those that are left out although they may hold pictures: name -> reason."""
    wanted: dict[str, zipfile.ZipInfo] = {}
    left: dict[str, str] = {}
    for member in archive.infolist():
        name = _name(member)
        if stat.S_ISLNK(member.external_attr >> 16):
            left[name.rstrip("/")] = LINK
        elif _is_wanted(archive, member):
            if name in wanted:
                left[name] = TWICE
            wanted[name] = member
        elif is_archive(name) and not _is_hidden(name):
            left[name] = PACKED
    return list(wanted.values()), left


def _name(member: zipfile.ZipInfo) -> str:
    """The path in the archive with slashes; some Windows programs write backslashes. Those of macOS write UTF-8 and do
    not say so, so that it is taken for the letters of old PCs."""
    name = member.filename.replace("\\", "/")
    if not member.flag_bits & UTF_8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name


def _is_hidden(name: str) -> bool:
    return any(is_system_file(part) for part in PurePosixPath(name).parts if part != "..")


def _is_wanted(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    name = _name(member)
    if name.endswith("/") or _is_hidden(name):
        return False
    if PurePosixPath(name).suffix.lower() in TABLES or may_be_picture(name, b""):
        return True
    with archive.open(member) as packed:
        return may_be_picture(name, packed.read(HEAD))


def _is_safe(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and ":" not in name


def _check_members(
    source: Path, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], disk: Path
) -> None:
    if len(archive.infolist()) > MAX_FILES:
        raise BadInput(f"{source} holds more than {MAX_FILES} files; unpack it and import the folder.")
    for member in members:
        if not _is_safe(_name(member)):
            raise BadInput(
                f"{source} contains the path {member.filename!a}, which points outside the zip file; "
                "create it again."
            )
        if member.file_size > MAX_BYTES:
            raise BadInput(
                f"{member.filename} in {source} is larger than {MAX_BYTES // 2**20} MB; leave it out."
            )
    total, packed = sum(m.file_size for m in members), max(1, source.stat().st_size)
    if total > MAX_TOTAL_BYTES or (total > RATIO_FROM and total / packed > MAX_RATIO):
        raise BadInput(
            f"{source} would unpack to {total / 2**30:.0f} GB; unpack it yourself and import the folder."
        )
    if total > (free := shutil.disk_usage(disk).free):
        raise BadInput(
            f"{source} needs {total / 2**20:.0f} MB, but the workspace's disk has only "
            f"{free / 2**20:.0f} MB left; free up some space or put the workspace on another disk."
        )
