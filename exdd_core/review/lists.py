"""The lists of images that a person can look through: data sets, folders on this computer, uploaded files.

Knows image rows, folders and files. Does not know scores.

An image of a data set has its row's id. A file elsewhere has the id "file:PATH#MTIME": when the file changes,
it is another image.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Container, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from exdd_core import files as files_of
from exdd_core.datasets import DEFECT, incoming
from exdd_core.datasets.manifests import SPLITS
from exdd_core.datasets.tree import Tree, image_files
from exdd_core.depth import Depth
from exdd_core.errors import BadInput
from exdd_core.formats import FORMATS_TEXT, is_system_file
from exdd_core.images import probe
from exdd_core.sentences import count, spelt
from exdd_core.workspace import image_windows, imports

if TYPE_CHECKING:
    from exdd_core.workspace import ImageRow, Workspace

FOLDERS_KEPT = 5  # folders outside the workspace that are remembered, the latest first
FOLDERS = "inspect_folders"  # the setting that remembers them
DRAWN = re.compile(rf"{imports.WRITTEN}/\d+/")  # where masks lie that a state of the data set brought
UPLOADS = "uploads"  # the key of the list of uploaded files
NAME = 200  # bytes in the name of an uploaded file; file systems take 255


@dataclass(frozen=True)
class ShownImage:
    """One image of a list.

    label: "normal", "defect" or "" where the truth is unknown. ratio: width / height; 1 where the file has
    not been read yet. depth: the bit depth of its data set, for images with more than 8 bits.
    """

    id: str
    name: str
    path: Path
    label: str = ""
    defect_type: str = ""
    mask: Path | None = None
    ratio: float = 1.0
    depth: Depth | None = None


@dataclass(frozen=True)
class ImageList:
    """A list of images. key: names the list. title: what people call it. left_out: files it does not show."""

    key: str
    title: str
    count: int
    left_out: int = 0


def every_list(workspace: Workspace) -> list[ImageList]:
    """The splits of the active data set, of the other data sets, the uploaded files, and the folders."""
    found = []
    active = workspace.active_name()
    for info in sorted(workspace.datasets(), key=lambda info: info.name != active):
        for split in ("test", "train"):
            number = image_windows.count(workspace, image_windows.Which(info.name, split))
            if number:
                found.append(ImageList(f"{info.name}/{split}", f"{info.called} · {split}", number))
    uploads = _uploads(workspace)
    uploaded = len(image_files(uploads)) if uploads.is_dir() else 0
    if uploaded:
        found.append(ImageList(UPLOADS, "Uploaded images", uploaded))
    for folder in map(Path, workspace.setting(FOLDERS, [])):
        if folder.is_dir():
            tree = Tree.read(folder)
            left = len(incoming.left_out(tree))
            found.append(ImageList(f"folder:{folder}", f"Folder {folder.name}", len(tree.images), left))
    return found


def left_out(key: str) -> list[str]:
    """Sentences on the pictures of a folder that its list does not show; none for other lists."""
    folder = Path(key.removeprefix("folder:"))
    return incoming.left_out_sentences(Tree.read(folder)) if key.startswith("folder:") else []


def images_of(workspace: Workspace, key: str) -> list[ShownImage]:
    """The images of a list: uploads with the newest first, others in natural order.

    Raises BadInput where there is no such list, or no longer.
    """
    if key == UPLOADS:
        newest_first = sorted(image_files(_uploads(workspace)), key=lambda path: -path.stat().st_mtime_ns)
        return [_of_file(path, path.name) for path in newest_first]
    if key.startswith("folder:"):
        folder = Path(key.removeprefix("folder:"))
        if str(folder) not in workspace.setting(FOLDERS, []) or not folder.is_dir():
            raise BadInput(f"The folder {folder} is no longer available; add it again.")
        return [_of_file(path, path.relative_to(folder).as_posix()) for path in image_files(folder)]
    dataset, split = _split_of(key)
    return [_of_row(row) for row in workspace.images(dataset, split=split)]


class Entry(NamedTuple):
    """What a list shows of an image before it is opened; as `ShownImage`."""

    id: str
    name: str
    label: str
    defect_type: str
    ratio: float
    mask_noted: bool = False  # a line says that its defect has no mask, or who drew it


def entries_of(workspace: Workspace, key: str) -> list[Entry]:
    """The images of a list as `images_of` orders them; cheap for tens of thousands."""
    if key == UPLOADS or key.startswith("folder:"):
        return [
            Entry(image.id, image.name, image.label, image.defect_type, image.ratio)
            for image in images_of(workspace, key)
        ]
    dataset, split = _split_of(key)
    found = image_windows.listed(workspace, image_windows.Which(workspace.dataset(dataset).name, split))
    return [
        Entry(
            id, path, label, kind, width / height, label == DEFECT and (not mask or bool(DRAWN.match(mask)))
        )
        for id, path, label, kind, width, height, mask in found
    ]


def _split_of(key: str) -> tuple[str, str]:
    dataset, _, split = key.rpartition("/")
    if not dataset or split not in SPLITS:
        raise BadInput(f'There is no list "{key}"; those of a data set are called NAME/test and NAME/train.')
    return dataset, split


def find_image(workspace: Workspace, id: str) -> ShownImage:
    """The image of this id. Raises BadInput where it is gone, or in no list."""
    if not id.startswith("file:"):
        return _of_row(workspace.image(id))
    # Normalised first, so that ".." leads out of no folder.
    path = Path(os.path.normpath(id.removeprefix("file:").rsplit("#", 1)[0]))
    folders = [_uploads(workspace), *map(Path, workspace.setting(FOLDERS, []))]
    if not any(path.is_relative_to(folder) for folder in folders):
        raise BadInput(f"{path} is not in any list; add its folder again.")
    if not path.is_file():
        raise BadInput(f"{path} no longer exists.")
    return _of_file(path, path.name)


def list_of(workspace: Workspace, id: str) -> str:
    """The key of the list that holds an image. Raises BadInput where none does."""
    if not id.startswith("file:"):
        row = workspace.image(id)
        return f"{row.dataset}/{row.split}"
    path = find_image(workspace, id).path
    if path.is_relative_to(_uploads(workspace)):
        return UPLOADS
    return next(f"folder:{f}" for f in workspace.setting(FOLDERS, []) if path.is_relative_to(f))


def open_folder(workspace: Workspace, path: Path | str) -> str:
    """Remember a folder of images on this computer. Returns the key of its list; raises BadInput."""
    folder = Path(path).expanduser().resolve()
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder on this computer; enter the full path of a folder.")
    tree = Tree.read(folder)
    if not tree.images:
        told = " ".join(incoming.left_out_sentences(tree))
        raise BadInput(f"{folder} holds no images; choose one with {FORMATS_TEXT} files. {told}".rstrip())
    kept = [known for known in workspace.setting(FOLDERS, []) if known != str(folder)]
    workspace.set_setting(FOLDERS, [str(folder), *kept][:FOLDERS_KEPT])
    return f"folder:{folder}"


def add_files(workspace: Workspace, files: Sequence[tuple[Path, str]]) -> tuple[list[str], list[str]]:
    """Copy uploaded files into the workspace.

    files: (path, name) of each. Returns the ids of the images, and one sentence for each file that is not an
    image. A file with the same content and name is kept once.
    """
    ids, refused = [], []
    for path, name in files:
        try:
            incoming.require_picture(path, name)
            probe(path, name)
            with path.open("rb") as file:
                folder = _uploads(workspace) / hashlib.file_digest(file, "sha256").hexdigest()[:16]
            folder.mkdir(parents=True, exist_ok=True)
            kept = folder / _kept_name(name)
            if not kept.exists():
                with files_of.whole(kept) as unfinished:
                    shutil.copyfile(path, unfinished)
            ids.append(_of_file(kept, kept.name).id)
        except BadInput as error:
            refused.append(str(error))
    return ids, refused


def clear(workspace: Workspace, key: str, keep: Container[str]) -> str:
    """Remove the uploaded files except those of the ids in `keep`, or forget a folder; a sentence on what was done.

    `put_back` restores uploads until others are removed.
    """
    if key != UPLOADS:
        folder = key.removeprefix("folder:")
        known = workspace.setting(FOLDERS, [])
        if folder not in known:
            raise BadInput("Only uploaded images and folders can be removed here; delete a data set in Data.")
        workspace.set_setting(FOLDERS, [other for other in known if other != folder])
        return f"Removed {folder} from the lists; its files stay where they are."
    there = images_of(workspace, key)
    gone = [image.path for image in there if image.id not in keep]
    if gone:
        shutil.rmtree(_removed(workspace), ignore_errors=True)
    _move(gone, _uploads(workspace), _removed(workspace))
    left = len(there) - len(gone)
    stays = f" {count(left, 'image')} with a mark {'stays' if left == 1 else 'stay'}." if left else ""
    return f"Removed {count(len(gone), 'uploaded image')}.{stays}"


def put_back(workspace: Workspace) -> str:
    """Restore the uploads that `clear` removed last; a sentence. Raises BadInput where there are none."""
    back = image_files(removed) if (removed := _removed(workspace)).is_dir() else []
    if not back:
        raise BadInput("The removed uploads were already restored, or are deleted for good.")
    _move(back, removed, _uploads(workspace))
    return f"Restored {count(len(back), 'uploaded image')}."


def _move(files: Sequence[Path], folder: Path, other: Path) -> None:
    """Move files of one folder to the same places below another; folders that become empty are removed."""
    for path in files:
        place = other / path.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # somebody else was quicker
            os.replace(path, place)
        with suppress(OSError):  # another file is in there
            path.parent.rmdir()


def _of_row(row: ImageRow) -> ShownImage:
    name = row.id.removeprefix(f"{row.dataset}/")
    ratio = row.width / row.height
    return ShownImage(row.id, name, row.path, row.label, row.defect_type, row.mask, ratio, row.depth)


def _of_file(path: Path, name: str) -> ShownImage:
    return ShownImage(f"file:{path}#{path.stat().st_mtime_ns}", name, path)


def _uploads(workspace: Workspace) -> Path:
    return workspace.path / "cache" / "uploads"


def _removed(workspace: Workspace) -> Path:
    return workspace.path / "cache" / "uploads-removed"


def _kept_name(name: str) -> str:
    """A file name without folders that prints, is short enough, and that a listing of images does not skip."""
    last = spelt(Path(name.replace("\0", "")).name.encode("utf-8", "replace").decode())
    if len(last.encode()) > NAME:
        last = last.encode()[: NAME // 2].decode("utf-8", "ignore") + Path(last).suffix[-10:]
    return last if last and not is_system_file(last) else f"image-{last.lstrip('.')}"
