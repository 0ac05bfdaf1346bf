"""Small pictures that are made once and kept on disk, named by the digests of the files that they show.

Knows files and the workspace's folder. Does not know what a picture shows, or how it is drawn.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from exdd_core.capped_folder import CappedFolder
from exdd_core.files import digest, is_regular
from exdd_core.workspace import Workspace

CAP = 1_000_000_000  # bytes of them all; one has about 10 KB
CAP_SHARE = 0.05  # of the disk that they may take at most
DRAWN = 1  # rises whenever pictures are drawn in another way


def kept_picture(workspace: Workspace, what: tuple[object, ...], make: Callable[[], bytes]) -> bytes:
    """The picture that `make` draws, or the one that was drawn before.

    what: all that it depends on; of a path, the content of its file. Raises what `make` does.
    """
    paths = [one for one in what if isinstance(one, Path)]
    if not all(is_regular(path) for path in paths):
        return make()  # which says what is wrong with the file
    told = [digest(one) if isinstance(one, Path) else one for one in what]
    name = hashlib.sha256(repr((DRAWN, told)).encode()).hexdigest()
    folder = _folder(workspace.path)
    content = folder.read(name)
    if content is None:
        content = make()
        folder.store(name, len(content), lambda place: place.write_bytes(content))
    return content


@functools.lru_cache(maxsize=16)
def _folder(workspace: Path) -> CappedFolder:
    cap = min(CAP, CAP_SHARE * shutil.disk_usage(workspace).total)
    return CappedFolder(workspace / "cache" / "pictures", int(cap))
