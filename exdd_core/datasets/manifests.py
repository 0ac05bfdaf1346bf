"""The CSV manifests of a data set, one for each side of the split: path and label as in the thesis, type,
mask, group.

Knows the table and its columns. Does not know where the records come from.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from exdd_core import files, tables
from exdd_core.datasets.record import DEFECT, NORMAL, Record
from exdd_core.errors import BadInput

COLUMNS = ("path", "label", "split", "defect_type", "mask", "group")
SPLITS = ("train", "test")


def write_manifests(records: Iterable[Record], folder: Path) -> list[Path]:
    """Write train.csv and test.csv (UTF-8) into `folder`, in the order of the records; return their paths."""
    rows = list(records)
    written = []
    for split in SPLITS:
        path = folder / f"{split}.csv"
        # surrogateescape keeps the bytes of file names that are not UTF-8.
        with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            of_split = (
                vars(record) | {"mask": record.mask or ""} for record in rows if record.split == split
            )
            tables.write(file, COLUMNS, of_split)
        written.append(path)
    return written


def read_manifests(folder: Path) -> list[Record]:
    """The records of `folder`'s train.csv and test.csv, in file order. Raises `BadInput`."""
    records: list[Record] = []
    for split in SPLITS:
        path = folder / f"{split}.csv"
        try:
            files.require_regular(path, f"The manifest {path}")
            with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
                reader = csv.DictReader(file)
                if tuple(reader.fieldnames or ()) != COLUMNS:
                    raise BadInput(f"{path} must have the columns {','.join(COLUMNS)}; create it again.")
                records += [_record(row, path) for row in reader]
        except (OSError, csv.Error):
            raise BadInput(f"The manifest {path} cannot be read; import the data set again.") from None
    return records


def _record(row: dict[str, str], path: Path) -> Record:
    if None in row or None in row.values() or row["label"] not in (NORMAL, DEFECT):
        raise BadInput(
            f"{path} has a line that is not an image with a label ({row.get('path') or 'without a path'}); correct it."
        )
    row = {column: tables.read(cell) for column, cell in row.items()}
    return Record(
        path=row["path"],
        label=row["label"],
        defect_type=row["defect_type"],
        mask=row["mask"] or None,
        split=row["split"],
        group=row["group"],
    )
