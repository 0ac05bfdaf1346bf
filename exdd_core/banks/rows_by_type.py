"""Which images and types of defect the rows of a version's positive bank come from, without loading a detector.

Knows the bank's file and the changes since it was built. Does not know features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exdd_core.detector.bank_header import RowsOfImage, rows_by_image

if TYPE_CHECKING:
    from exdd_core.workspace import BankVersion, Workspace

CHANGES = """select image, action, json_extract(detail, '$.image.defect_type'), json_array_length(detail, '$.kept')
             from bank_changes where bank = ? and bank_side = 'positive' order by id"""


def positive_rows(workspace: Workspace, version: BankVersion) -> dict[str, RowsOfImage]:
    """{image id: its type and rows} of the positive bank as it is now; {} where the version has none."""
    built = rows_by_image(version.path / "positive.safetensors")
    now, removed = dict(built), dict[str, RowsOfImage]()
    with workspace.reading() as db:
        changes = db.execute(CHANGES, [version.id]).fetchall()
    for image, action, defect_type, kept in changes:
        if action == "add":
            now[image] = RowsOfImage(defect_type or "", kept or 0)
        elif action == "remove" and image in now:
            removed[image] = now.pop(image)
        elif action == "return" and image in removed:
            now[image] = removed.pop(image)
    return now
