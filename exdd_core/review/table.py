"""The table of results: one row for each scored image, and its CSV file.

Knows inspections. Does not know where rows are kept.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import TypedDict  # as in `regions`

from exdd_core import files, tables
from exdd_core.review.regions import RegionRow, region_rows

if TYPE_CHECKING:
    from exdd_core.detector import Inspection


class ResultRow(TypedDict):
    """What both methods say of one image; the keys are the columns of the CSV file, in this order.

    truth: "normal", "defect" or "" where it is unknown. The probabilities are None where the fusion gives
    none. Scores are None where they are no finite number; the verdict is "cannot judge" then. regions: of ExDD's map;
    None where the threshold was changed since the image was scored.
    """

    image: str
    truth: str
    defect_type: str
    patchcore_score: float | None
    patchcore_threshold: float | None
    patchcore_calibrated: float | None
    patchcore_verdict: str
    patchcore_probability: float | None
    exdd_score: float | None
    exdd_threshold: float | None
    exdd_calibrated: float | None
    exdd_verdict: str
    exdd_probability: float | None
    fusion: str
    bank_version: str
    patchcore_reason: str
    exdd_reason: str
    regions: list[RegionRow] | None


COLUMNS, NOTES = tuple(ResultRow.__annotations__), "notes"


def agreeing(verdict: str, likely: float | None) -> float | None:
    """A probability that may stand beside a verdict: None where it says the opposite.

    The threshold keeps a rate of false alarms, and a probability counts how frequent defects were in training: where
    these were rare, an image above the threshold can have a low one, which reads as a contradiction.
    """
    if likely is None or verdict == "cannot judge":
        return None
    opposite = (verdict == "defect" and likely < 0.5) or (verdict == "normal" and likely > 0.5)
    return None if opposite else likely


def result_row(
    image: str,
    truth: str,
    defect_type: str,
    patchcore: Inspection,
    exdd: Inspection,
    bank_version: str,
    in_bank: str = "",
) -> ResultRow:
    """One row of the table.

    in_bank: why the score of this image means nothing, as `TrainingImages.sentence`; "" where it means
    something.
    """
    # Imported here because torch lies behind it, and the command line needs the columns alone.
    from exdd_core.banks.training_images import reason

    return {
        "image": image,
        "truth": truth,
        "defect_type": defect_type,
        "patchcore_score": finite(patchcore.score),
        "patchcore_threshold": finite(patchcore.threshold),
        "patchcore_calibrated": finite(patchcore.calibrated_score),
        "patchcore_verdict": patchcore.verdict,
        "patchcore_probability": patchcore.probability,
        "patchcore_reason": reason(patchcore.verdict, in_bank, patchcore.reason),
        "exdd_score": finite(exdd.score),
        "exdd_threshold": finite(exdd.threshold),
        "exdd_calibrated": finite(exdd.calibrated_score),
        "exdd_verdict": exdd.verdict,
        "exdd_probability": exdd.probability,
        "exdd_reason": reason(exdd.verdict, in_bank, exdd.reason),
        "fusion": exdd.fusion,
        "bank_version": bank_version,
        "regions": region_rows(exdd),
    }


def finite(value: float) -> float | None:
    """The value, or None where it is not finite, which JSON cannot hold."""
    return float(value) if math.isfinite(value) else None


def csv_text(rows: Iterable[Mapping[str, object]]) -> str:
    """A header and one line for each row. Missing values are empty; keys that are no columns are left out.

    Regions are one cell of JSON, without contours. Rows with notes, sentences on how an image was read, have a last
    column for them.
    """
    text, several = io.StringIO(), list(rows)
    columns = (*COLUMNS, NOTES) if any(NOTES in row for row in several) else COLUMNS
    tables.write(
        text,
        columns,
        ({**row, "regions": _cell(row.get("regions")), NOTES: _joined(row.get(NOTES))} for row in several),
    )
    return text.getvalue()


def _joined(notes: object) -> str:
    return " ".join(notes) if isinstance(notes, list) else ""


def _cell(regions: object) -> str:
    if not isinstance(regions, list):
        return ""
    return json.dumps([{name: value for name, value in one.items() if name != "contour"} for one in regions])


def write_csv(path: Path | str, rows: Iterable[Mapping[str, object]]) -> None:
    """Write `csv_text` to a file in UTF-8."""
    with files.whole(Path(path)) as place:
        # Names of files may hold bytes that are not valid UTF-8: these are written as they are.
        place.write_text(csv_text(rows), encoding="utf-8", errors="surrogateescape")
