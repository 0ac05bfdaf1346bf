"""The listing of a data set's folder: pictures, other files, folders, and what is not read.

Knows folders, links and names. Does not know layouts.
"""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from exdd_core.datasets.record import natural_key
from exdd_core.formats import FORMATS, FORMATS_TEXT, PACKED, is_archive, is_system_file, picture_format


def name_key(text: str) -> str:
    """One key for all spellings of a name: composed Unicode without case."""
    return unicodedata.normalize("NFC", text).casefold()


@dataclass(frozen=True)
class Tree:
    """The listing of a folder. All paths are posix, relative to `root` and in natural order; "" is the root
    itself.

    images: pictures that can be decoded. unread: pictures of other formats, with the reason. files: all other
    files, such as tables. system: hidden files and folders, and those of operating systems. not_followed:
    archives, and links that lead nowhere or to a folder that is listed already, with the reason.
    """

    root: Path
    images: tuple[str, ...] = ()
    unread: dict[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    system: tuple[str, ...] = ()
    not_followed: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> Tree:
        """List `root` and all below it. Links are followed; a folder that is reached twice is listed once."""
        found = _Walk()
        found.enter("", root)
        found.follow_links()
        return found.tree(root)

    def path(self, name: str) -> Path:
        return self.root / name

    def below(self, folder: str) -> list[str]:
        """The images in `folder` and in all folders below it."""
        return [name for name in self.images if is_below(name, folder)]

    def directly_in(self, folder: str) -> list[str]:
        """The images in `folder` itself."""
        return list(self._by_folder.get(folder, ()))

    def subfolders(self, folder: str = "") -> list[str]:
        """The folders directly in `folder`, as paths."""
        return [name for name in self.folders if parent(name) == folder]

    def has_folder(self, folder: str) -> bool:
        return folder in self._folder_set

    def under(self, folder: str) -> Tree:
        """The listing of one of the folders, with this folder as the root."""
        start = len(folder) + 1 if folder else 0

        def inside(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(name[start:] for name in names if is_below(name, folder))

        def inside_of(reasons: dict[str, str]) -> dict[str, str]:
            return {name[start:]: why for name, why in reasons.items() if is_below(name, folder)}

        return Tree(
            self.root / folder,
            inside(self.images),
            inside_of(self.unread),
            inside(self.files),
            inside(self.folders),
            inside(self.system),
            inside_of(self.not_followed),
        )

    @cached_property
    def _by_folder(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for name in self.images:
            found[parent(name)].append(name)
        return found

    @cached_property
    def _folder_set(self) -> set[str]:
        return {"", *self.folders}


def image_files(folder: Path) -> list[Path]:
    """Every image below `folder` in natural order, without hidden files and those of operating systems."""
    return [folder / name for name in Tree.read(folder).images]


def parent(name: str) -> str:
    """The folder of a path; "" for a file in the root."""
    return name.rpartition("/")[0]


def base(name: str) -> str:
    """The last part of a path."""
    return name.rpartition("/")[2]


def stem(name: str) -> str:
    """The path without its file's suffix."""
    folder, slash, last = name.rpartition("/")
    return folder + slash + (last.rpartition(".")[0] or last)


def is_below(name: str, folder: str) -> bool:
    return not folder or name.startswith(folder + "/")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or a link to one; a link to itself is not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


class _Walk:
    """Lists real folders before it follows links, so a folder that is reached twice keeps its own name."""

    def __init__(self) -> None:
        self._entered: set[tuple[int, int]] = set()
        self._links: list[tuple[str, Path]] = []
        self._images: list[str] = []
        self._unread: dict[str, str] = {}
        self._files: list[str] = []
        self._folders: list[str] = []
        self._system: list[str] = []
        self._not_followed: dict[str, str] = {}

    def enter(self, name: str, place: Path) -> None:
        """List a folder, unless it was listed before."""
        try:
            stat = place.stat()
            entries = list(os.scandir(place))
        except OSError as error:
            self._not_followed[name] = f"cannot be opened ({error.strerror})"
            return
        if (stat.st_dev, stat.st_ino) in self._entered:
            self._not_followed[name] = "a link to a folder that has already been read"
            return
        self._entered.add((stat.st_dev, stat.st_ino))
        if name:
            self._folders.append(name)
        for entry in entries:
            inner = f"{name}/{entry.name}" if name else entry.name
            if is_system_file(entry.name):
                self._system.append(inner)
            elif not _is_folder(entry):
                self._sort(inner, place / entry.name)
            elif entry.is_symlink():
                self._links.append((inner, place / entry.name))
            else:
                self.enter(inner, place / entry.name)

    def follow_links(self) -> None:
        while self._links:
            self._links.sort(key=lambda link: natural_key(link[0]), reverse=True)
            self.enter(*self._links.pop())

    def _sort(self, name: str, place: Path) -> None:
        if not place.is_file():  # a broken link, a pipe, a device
            self._not_followed[name] = "a broken link" if place.is_symlink() else "not a regular file"
            return
        kind = picture_format(place)
        if kind in FORMATS:
            self._images.append(name)
        elif kind:
            self._unread[name] = f"{kind} images are not supported: save them as {FORMATS_TEXT}"
        elif is_archive(name):
            self._not_followed[name] = PACKED
        else:
            self._files.append(name)

    def tree(self, root: Path) -> Tree:
        def ordered(names: list[str]) -> tuple[str, ...]:
            return tuple(sorted(names, key=natural_key))

        return Tree(
            root,
            ordered(self._images),
            self._unread,
            ordered(self._files),
            ordered(self._folders),
            ordered(self._system),
            self._not_followed,
        )
