"""The four panes of an image as one picture: image, PatchCore, ExDD and their difference.

Knows inspections and drawing. Does not know banks, lists or who asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw

from exdd_core import files
from exdd_core.detector.reduced_map import small_map
from exdd_core.drawing import (
    CALIBRATED,
    DIFFERENCE,
    colour_scale,
    difference,
    difference_heatmap,
    font,
    heatmap,
    outline,
    outlined,
    shortened,
)
from exdd_core.review.table import agreeing
from exdd_core.sentences import percent

if TYPE_CHECKING:
    from exdd_core.detector import Inspection

SMALLEST, LARGEST = 160, 640  # pixels of the longer side of a pane
MARGIN, SCALE_WIDTH = 16, 132
CAPTION_WIDTH = 340  # the longest caption needs this much room, however narrow the image is
OPACITY = 0.65  # of a heatmap over its image
INK, PAPER, QUIET = (28, 30, 34), (255, 255, 255), (96, 100, 108)


def panes(
    image: np.ndarray,
    patchcore: Inspection,
    exdd: Inspection,
    truth: np.ndarray | None = None,
    title: str = "",
) -> np.ndarray:
    """Draw the four panes of one image side by side.

    image: uint8 (H, W, 3). truth: bool (H, W), drawn as an outline in every pane. Returns uint8 (H', W', 3);
    the longer side of a pane has 160 to 640 pixels.
    """
    side = max(SMALLEST, min(LARGEST, max(image.shape[:2])))
    scale = side / max(image.shape[:2])
    width, height = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    base = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    lines = outline(truth) if truth is not None and truth.any() else []
    captions = [
        ("Image", "with the ground truth" if lines else ""),
        ("PatchCore", _caption(patchcore)),
        ("ExDD", _caption(exdd)),
        ("Difference", "ExDD minus PatchCore"),
    ]
    column = max(width, CAPTION_WIDTH)
    sheet = Image.new("RGB", (4 * (column + MARGIN) + 2 * SCALE_WIDTH + MARGIN, height + 88), PAPER)
    draw = ImageDraw.Draw(sheet)
    words, face = shortened(title, 15, sheet.width - 2 * MARGIN, keeps_end=True)
    draw.text((MARGIN, 10), words, fill=INK, font=face)
    pictures = _pictures(base, patchcore, exdd)
    for number, (picture, (name, words)) in enumerate(zip(pictures, captions, strict=True)):
        x = MARGIN + number * (column + MARGIN) + (SCALE_WIDTH if number == 3 else 0)
        draw.text((x, 36), name, fill=INK, font=font(14))
        draw.text((x, 54), words, fill=QUIET, font=font(11))
        sheet.paste(Image.fromarray(outlined(picture, lines, scale)), (x, 72))
        if number >= 2:
            sheet.paste(_scale_column(height, diverging=number == 3), (x + column + 8, 72))
    return np.asarray(sheet)


def single(image: np.ndarray, inspection: Inspection, truth: np.ndarray | None = None) -> np.ndarray:
    """One heatmap over its image: uint8 (H, W, 3) like `image`, with the outline of `truth`, bool of any size."""
    colours = heatmap(small_map(inspection, max(image.shape[:2])))
    lines = outline(truth) if truth is not None and truth.any() else []
    scale = image.shape[1] / truth.shape[1] if truth is not None else 1.0
    return outlined(_over_grey(image, colours), lines, scale)


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


def _pictures(base: np.ndarray, patchcore: Inspection, exdd: Inspection) -> list[np.ndarray]:
    """The pictures of the four panes, uint8 like `base`: the image, both heatmaps and their difference over it."""
    maps = [small_map(inspection, max(base.shape[:2])) for inspection in (patchcore, exdd)]
    heatmaps = [heatmap(maps[0]), heatmap(maps[1]), difference_heatmap(difference(*maps))]
    return [base, *(_over_grey(base, colours) for colours in heatmaps)]


def _over_grey(image: np.ndarray, rgba: np.ndarray) -> np.ndarray:
    """A heatmap over the image in grey, uint8 (H, W, 3)."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    colours = cv2.resize(rgba[..., :3], (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    return cv2.addWeighted(colours, OPACITY, grey, 1 - OPACITY, 0)


def _caption(inspection: Inspection) -> str:
    if not inspection.is_judged:
        return f"{inspection.verdict}, {inspection.fusion}"
    chance = agreeing(inspection.verdict, inspection.probability)
    likely = "" if chance is None else f", probability {percent(chance)}"
    return (
        f"{inspection.verdict}: {inspection.calibrated_score:.2f} (threshold 1){likely}, {inspection.fusion}"
    )


def _scale_column(height: int, diverging: bool) -> Image.Image:
    """A colour scale with its marks, as tall as a pane."""
    low, high = DIFFERENCE if diverging else CALIBRATED
    marks = [(0.0, "0 median normal"), (1.0, "1 threshold"), (high, "2 and above")]
    if diverging:
        marks = [(low, "-2"), (0.0, "0 same"), (high, "+2")]
    column = Image.new("RGB", (124, height), PAPER)
    bar = Image.fromarray(colour_scale(height, diverging)).resize((14, height))
    column.paste(bar, (0, 0))
    draw = ImageDraw.Draw(column)
    for value, words in marks:
        y = round((high - value) / (high - low) * (height - 1))
        draw.line((0, y, 18, y), fill=INK)
        draw.text((22, min(max(y - 6, 0), height - 14)), words, fill=INK, font=font(11))
    return column
