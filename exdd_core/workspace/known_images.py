"""Compares what a source says of images that a data set has already: labels and masks, which joining leaves alone.

Knows surveys, rows and masks. Does not know how images join.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from exdd_core import images
from exdd_core.datasets.record import DEFECT, Record
from exdd_core.datasets.survey import Survey
from exdd_core.errors import BadInput
from exdd_core.sentences import counted
from exdd_core.workspace.columns import ImageColumns


def differences(found: Survey, folder: Path, known: Sequence[tuple[Record, ImageColumns]]) -> list[str]:
    """Sentences on what the source says otherwise of known images, each a record of the source and its row.

    folder: of the data set.
    """
    labels = [record.path for record, row in known if row["label"] != record.label]
    masks = [record.path for record, row in known if _marks_otherwise(found, folder, record, row)]
    lines = []
    if labels:
        lines.append(
            f"The source labels {counted(labels)} differently from the data set; relabel them where the source is "
            "right."
        )
    if masks:
        lines.append(
            f"The source marks the defect of {counted(masks)} otherwise than the data set, which keeps its own masks, "
            "or none; where the source is right, outline the defect in Inspect, or import the source as a new data set."
        )
    return lines


def _marks_otherwise(found: Survey, folder: Path, record: Record, row: ImageColumns) -> bool:
    """Whether the source marks a defect that the data set calls one too, and does not mark the same pixels."""
    if not record.label == row["label"] == DEFECT:
        return False
    try:
        mask = found.mask_of(record)
        if mask is None or not mask.any():
            return False
        return not row["mask"] or bool((mask != images.read_mask(folder / row["mask"], mask.shape)).any())
    except BadInput:  # a mask that cannot be used says nothing
        return False
