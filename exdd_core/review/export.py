"""What leaves the review as files: the panes of an image as PNG, and the table of all results as CSV.

Knows inspections and drawing. Does not know pages or who asked.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image, ImageDraw

from exdd_core import files
from exdd_core.detector.reduced_map import small_map
from exdd_core.drawing import (
    _INK,
    _PAPER,
    _QUIET,
    CALIBRATED,
    DIFFERENCE,
    OPACITY,
    _over,
    colour_scale,
    difference,
    difference_heatmap,
    font,
    heatmap,
    outline,
    outlined,
)

if TYPE_CHECKING:
    from exdd_core.detector import Inspection

# One row for each scored image, in the order of the exported table.
COLUMNS = (
    "image",
    "truth",
    "defect_type",
    "patchcore_score",
    "patchcore_threshold",
    "patchcore_calibrated",
    "patchcore_verdict",
    "patchcore_probability",
    "exdd_score",
    "exdd_threshold",
    "exdd_calibrated",
    "exdd_verdict",
    "exdd_probability",
    "fusion",
    "bank_version",
    "patchcore_reason",
    "exdd_reason",
)


def _scale_column(height: int, diverging: bool) -> Image.Image:
    """A colour scale with its marks, as tall as a pane."""
    low, high = DIFFERENCE if diverging else CALIBRATED
    marks = [(0.0, "0 median normal"), (1.0, "1 threshold"), (high, "2 and above")]
    if diverging:
        marks = [(low, "-2"), (0.0, "0 same"), (high, "+2")]
    column = Image.new("RGB", (124, height), _PAPER)
    bar = Image.fromarray(colour_scale(height, diverging)).resize((14, height))
    column.paste(bar, (0, 0))
    draw = ImageDraw.Draw(column)
    for value, words in marks:
        y = round((high - value) / (high - low) * (height - 1))
        draw.line((0, y, 18, y), fill=_INK)
        draw.text((22, min(max(y - 6, 0), height - 14)), words, fill=_INK, font=font(11))
    return column


def panes(
    image: np.ndarray,
    patchcore: Inspection,
    exdd: Inspection,
    truth: np.ndarray | None = None,
    title: str = "",
) -> np.ndarray:
    """The four panes of one image with scores and scales: uint8 (H', W', 3), each pane at most 640 pixels.

    `image` uint8 (H, W, 3); `truth` bool (H, W) is drawn as an outline.
    """
    side = max(160, min(640, max(image.shape[:2])))
    scale = side / max(image.shape[:2])
    width, height = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    base = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    lines = outline(truth) if truth is not None and truth.any() else []
    maps = [small_map(inspection, side) for inspection in (patchcore, exdd)]
    pictures = [
        base,
        _over(base, heatmap(maps[0]), OPACITY),
        _over(base, heatmap(maps[1]), OPACITY),
        _over(base, difference_heatmap(difference(*maps)), OPACITY),
    ]
    captions = [
        ("Image", "with the ground truth" if lines else ""),
        ("PatchCore", _caption(patchcore)),
        ("ExDD", _caption(exdd)),
        ("Difference", "ExDD minus PatchCore"),
    ]
    column = max(width, 200)  # a caption needs room even over a very narrow image
    sheet = Image.new("RGB", (4 * (column + 16) + 2 * 132 + 16, height + 88), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((16, 10), title, fill=_INK, font=font(15))
    for number, (picture, (name, words)) in enumerate(zip(pictures, captions, strict=True)):
        x = 16 + number * (column + 16) + (132 if number == 3 else 0)
        draw.text((x, 36), name, fill=_INK, font=font(14))
        draw.text((x, 54), words, fill=_QUIET, font=font(11))
        sheet.paste(Image.fromarray(outlined(picture, lines, scale)), (x, 72))
        if number >= 2:
            sheet.paste(_scale_column(height, diverging=number == 3), (x + column + 8, 72))
    return np.asarray(sheet)


def _caption(inspection: Inspection) -> str:
    chance = inspection.probability
    likely = "" if chance is None else f", probability {chance:.0%}"
    return (
        f"{inspection.verdict}: {inspection.calibrated_score:.2f} (threshold 1){likely}, {inspection.fusion}"
    )


def write_panes(
    path: Path | str,
    image: np.ndarray,
    patchcore: Inspection,
    exdd: Inspection,
    truth: np.ndarray | None = None,
    title: str = "",
) -> None:
    """Write `panes` as a PNG file."""
    with files.whole(Path(path)) as place:
        Image.fromarray(panes(image, patchcore, exdd, truth, title)).save(place, format="PNG")


def result_row(
    image: str, truth: str, defect_type: str, patchcore: Inspection, exdd: Inspection, bank_version: str
) -> dict[str, Any]:
    """One row of the table, with every key of COLUMNS. `truth`: "normal", "defect" or "" where unknown."""
    row: dict[str, Any] = {"image": image, "truth": truth, "defect_type": defect_type}
    for method, inspection in (("patchcore", patchcore), ("exdd", exdd)):
        row[f"{method}_score"] = float(inspection.score)
        row[f"{method}_threshold"] = float(inspection.threshold)
        row[f"{method}_calibrated"] = float(inspection.calibrated_score)
        row[f"{method}_verdict"] = inspection.verdict
        row[f"{method}_probability"] = inspection.probability
        row[f"{method}_reason"] = inspection.reason
    return row | {"fusion": exdd.fusion, "bank_version": bank_version}


def csv_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """A header and one line a row; what a row lacks is left empty, keys outside COLUMNS are left out."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_csv(path: Path | str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write `csv_text` to a file, UTF-8."""
    with files.whole(Path(path)) as place:
        # A file's name may hold bytes that are no text: they are written as they are.
        place.write_text(csv_text(rows), encoding="utf-8", errors="surrogateescape")
