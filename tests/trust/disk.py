"""A disk that loses power: what is certain to lie on it at every moment, and what may or may not.

A file is certain once it was synced, a name once its folder was. Whatever else a program wrote may be there, be lost,
or be an empty file. The database is taken as it is, as SQLite syncs each commit itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from exdd_core.workspace import copies

DATABASES = ("workspace.db", "workspace.db-wal", "jobs.db", "jobs.db-wal", "workspace.db-shm", "jobs.db-shm")
FOLDERS = ("cache", "datasets", "banks", "candidates")  # that a workspace always has
DRAWS = 12  # of what is lost at one moment
State = dict[str, bytes]  # content by path in the workspace


class Disk:
    """Watches a folder; `states` has what a power cut may leave before each call that counts."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, seed: int = 0):
        self.root, self.states, self.rng = root, list[State](), np.random.default_rng(seed)
        self._read: dict[int, tuple[tuple[int, int], bytes]] = {}  # by inode
        self._synced: dict[int, bytes] = {}
        self.certain = self._now()
        for path in self.certain:
            self._synced[(root / path).stat().st_ino] = self.certain[path]
        after: dict[str, Callable] = {"fsync": self._fsync, "sync": self._sync}
        for name in ("fsync", "sync", "replace", "rename", "mkdir", "unlink"):
            monkeypatch.setattr(os, name, self._watched(getattr(os, name), after.get(name)))
        commit = self._watched(copies.Connection.commit)
        monkeypatch.setattr(copies.Connection, "commit", lambda *args: commit(*args))  # a method

    def _watched(self, real: Callable, after: Callable | None = None) -> Callable:
        def call(*args: object, **named: object) -> object:
            self.cut()
            result = real(*args, **named)
            if after:
                after(*args)
            return result

        return call

    def cut(self) -> None:
        """Note several states that a power cut may leave now."""
        now = self._now()
        databases = {n: (self.root / n).read_bytes() for n in DATABASES[:4] if (self.root / n).exists()}
        self.states += [self._left(now) | databases for _ in range(DRAWS)]

    def _fsync(self, number: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{number}"))
        if path.is_dir():
            self._name(path)
        elif path.is_relative_to(self.root):
            self._synced[path.stat().st_ino] = self._content(path)

    def _name(self, folder: Path) -> None:
        """The names in a folder become certain, with the content that was synced."""
        below = f"{folder.relative_to(self.root).as_posix()}/" if folder.is_relative_to(self.root) else "/"
        now = self._now()
        for path in [path for path in self.certain if path.startswith(below) and path not in now]:
            del self.certain[path]
        for path in now:
            inode = (self.root / path).stat().st_ino
            if path.startswith(below) and (inode in self._synced or (self.root / path).parent == folder):
                self.certain[path] = self._synced.get(inode, b"")

    def _sync(self) -> None:
        self.certain = self._now()
        for path, content in self.certain.items():
            self._synced[(self.root / path).stat().st_ino] = content

    def _left(self, now: State) -> State:
        """What a power cut may leave now: of each folder that is not certain, its new state, its old one, or names
        without content."""
        chosen, left = dict[str, int](), dict[str, bytes]()
        for path in sorted(now.keys() | self.certain.keys()):
            choice = chosen.setdefault(os.path.dirname(path), int(self.rng.integers(3)))
            if now.get(path) == self.certain.get(path) or choice == 0:
                content = self.certain.get(path)
            else:
                known = path in now and (self.root / path).stat().st_ino in self._synced
                content = now.get(path) if known or choice == 1 else b""
            if content is not None:
                left[path] = content
        return left

    def _now(self) -> State:
        found = {}
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = Path(folder) / name
                if name not in DATABASES and not name.endswith(".lock"):
                    found[path.relative_to(self.root).as_posix()] = self._content(path)
        return found

    def _content(self, path: Path) -> bytes:
        about = path.stat()
        stamp = about.st_mtime_ns, about.st_size
        if self._read.get(about.st_ino, ((), b""))[0] != stamp:
            self._read[about.st_ino] = stamp, path.read_bytes()
        return self._read[about.st_ino][1]


class Replayed:
    """A folder that has one state after another. Only what differs is written, so that many states are cheap."""

    def __init__(self, root: Path):
        self.root = root
        self._written: dict[str, tuple[bytes, tuple[int, ...]]] = {}  # content, and the file as it was left

    def show(self, state: State) -> Path:
        """The folder in that state, whatever became of it since the last one."""
        for name in FOLDERS:
            (self.root / name).mkdir(parents=True, exist_ok=True)
        found = {path.relative_to(self.root).as_posix(): path for path in self.root.rglob("*")}
        for name, path in reversed(found.items()):  # what lies in a folder before the folder
            if path.is_file() and name not in state:
                path.unlink()
            elif path.is_dir() and name not in FOLDERS and not any(path.iterdir()):
                path.rmdir()
        for name, content in state.items():
            path = self.root / name
            if name not in found or self._written.get(name) != (content, _stamp(path)):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                self._written[name] = content, _stamp(path)
        return self.root


def _stamp(path: Path) -> tuple[int, ...]:
    about = path.stat()
    return about.st_ino, about.st_mtime_ns, about.st_size
