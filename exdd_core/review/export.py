"""Exports: the table of results as CSV, the panes of one image as PNG, those of many as a zip file.

Knows compared images and stored results. Does not know pages or who asked.
Files are written to cache/exports/.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from exdd_core import files
from exdd_core.errors import BadInput
from exdd_core.images import encode_png
from exdd_core.progress import Progress
from exdd_core.review.regions import ImageRegions, region_rows, write_coco
from exdd_core.review.sheet import panes
from exdd_core.review.table import ResultRow, csv_text, write_csv

if TYPE_CHECKING:
    from exdd_core.review.comparing import ComparedImage
    from exdd_core.review.lists import ShownImage
    from exdd_core.workspace import BankVersion, Workspace


def write_table(workspace: Workspace, bank: BankVersion, rows: Sequence[ResultRow]) -> Path:
    """Write results of a bank version as CSV. Raises BadInput where there are none."""
    if not rows:
        raise BadInput("None of these images has been scored yet; score them first.")
    path = _folder(workspace) / f"results-bank-{bank.name}.csv"
    write_csv(path, rows)
    return path


def write_image(workspace: Workspace, compared: ComparedImage) -> Path:
    """Write the panes of one image as PNG."""
    path = _folder(workspace) / f"{_file_name(compared.image)}-bank-{compared.bank.name}.png"
    with files.whole(path) as unfinished:
        unfinished.write_bytes(encode_png(_panes(compared)))
    return path


def write_zip(
    workspace: Workspace,
    bank: BankVersion,
    ids: Sequence[str],
    compare: Callable[[str], ComparedImage],
    progress: Progress,
) -> Path:
    """Write the panes of many images and the table of their results into one zip file.

    compare: from an image's id to what both methods say of it. Nothing is left where this is cancelled.
    """
    path, rows = _folder(workspace) / f"panes-bank-{bank.name}.zip", []
    progress.begin("Drawing panes", len(ids))
    # Stored, not deflated: PNG is compressed already.
    with files.whole(path) as unfinished, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive:
        for number, id in enumerate(ids, 1):
            compared = compare(id)
            rows.append(compared.row())
            name = f"{number:04d}-{_file_name(compared.image)}.png"
            archive.writestr(name, encode_png(_panes(compared)))
            progress.advance()
        archive.writestr("results.csv", csv_text(rows))
    return path


def write_regions(
    workspace: Workspace,
    bank: BankVersion,
    ids: Sequence[str],
    compare: Callable[[str], ComparedImage],
    progress: Progress,
) -> Path:
    """Write the regions of many images as COCO annotations. compare: as in `write_zip`."""
    path = _folder(workspace) / f"regions-bank-{bank.name}.json"
    progress.begin("Finding regions", len(ids))
    found = []
    for id in ids:
        compared = compare(id)
        height, width = compared.exdd.shape
        found.append(ImageRegions(compared.image.name, width, height, region_rows(compared.exdd)))
        progress.advance()
    write_coco(path, found)
    return path


def _panes(compared: ComparedImage) -> np.ndarray:
    title = f"{compared.image.name}   bank {compared.bank.name}"
    return panes(compared.pixels, compared.patchcore, compared.exdd, compared.truth, title)


def _folder(workspace: Workspace) -> Path:
    folder = workspace.path / "cache" / "exports"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _file_name(image: ShownImage) -> str:
    name = Path(image.name).with_suffix("").as_posix()
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
