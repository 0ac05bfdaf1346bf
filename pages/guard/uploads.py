"""Files that a page may name: those that it has uploaded, and folders that were allowed at the start.

An upload is kept in a folder named by its digest, with the suffix of what it is: a page of another maker's does not
become one of ours by being called .html. Knows paths and what files are. Does not know what they are wanted for.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gradio.utils import get_upload_folder

from exdd_core import formats
from exdd_core.errors import BadInput
from pages.guard.visitors import doors_of_request

if TYPE_CHECKING:
    import gradio as gr

SUFFIXES = {  # of each format that we decode, the usual one first
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "PPM": (".ppm", ".pgm", ".pnm", ".pbm"),
}
TEXT = (".json", ".csv", ".txt", ".yaml", ".yml")  # read as text, whatever they hold
ARCHIVES = (".zip", ".ckpt")  # that no browser opens, whatever they hold


def kept_name(file: Path) -> str:
    """The name that an upload is kept under: its stem in plain characters, and the suffix of what it is."""
    stem = re.sub(r"[^\w\-. ()]+", "_", file.stem).strip("_ ")[:80] or "upload"
    suffix = file.suffix.lower()
    kind = formats.picture_format(file)
    if zipfile.is_zipfile(file):
        suffix = suffix if suffix in ARCHIVES else ".zip"
    elif kind in formats.FORMATS:
        suffix = suffix if suffix in SUFFIXES[kind] else SUFFIXES[kind][0]
    elif suffix not in TEXT + ARCHIVES:
        suffix = ".bin"
    return stem + suffix


def keep(blocks: gr.Blocks, answer: bytes) -> bytes:
    """Give what Gradio has just stored its kept names; `answer` is its list of paths, and so is what is returned."""
    files = [Path(name) for name in json.loads(answer)]
    renamed = [file.with_name(kept_name(file)) if file.is_file() else file for file in files]
    for file, name in zip(files, renamed, strict=True):
        if name != file:
            file.replace(name)
    blocks.upload_file_set.difference_update(map(str, files))
    blocks.upload_file_set.update(map(str, renamed))
    return json.dumps([str(name) for name in renamed]).encode()


def uploaded(path: object) -> Path:
    """A file that a page has uploaded. Raises BadInput for any other: a page may not name files of this machine."""
    file, folder = Path(str(path)), Path(get_upload_folder()).resolve()
    try:
        real = file.resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        raise BadInput("The uploaded file is gone; choose it again.") from None
    if not real.is_relative_to(folder) or not real.is_file():
        raise BadInput("This file was not uploaded here; choose it again.")
    return real


def allowed_path(path: str) -> str:
    """A path that somebody typed, unless it lies where pages may not look; raises BadInput then."""
    roots = doors_of_request().folders
    try:
        real = Path(path).expanduser().resolve()
    except (OSError, ValueError, RuntimeError):
        raise BadInput("This is not a valid path; write it as /home/name/images.") from None
    if not any(real.is_relative_to(root) for root in roots):
        raise BadInput(_outside(path, roots))
    return path


def _outside(path: str, roots: Iterable[Path]) -> str:
    below = ", ".join(map(str, roots))
    if not below:
        return (
            "Pages cannot open folders of a server that other machines can reach; upload a zip file, import on the "
            "command line, or start with --folders DIR."
        )
    return (
        f"{path} is not in a folder that pages may read ({below}); start with --folders DIR to allow another."
    )
