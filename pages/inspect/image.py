"""Answers the Inspect page's script on one image: picture, maps, and a point with its matches.

Knows the review and drawing. Does not know lists or marks.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from exdd_core import drawing
from exdd_core.curation import outlining
from exdd_core.detector import reduced_map
from exdd_core.errors import BadInput
from exdd_core.images import thumbnail
from exdd_core.review import ComparedImage, Review, at_pixel, finite, truth_of
from exdd_core.review.table import agreeing
from pages.html import Answer
from pages.inspect import questions
from pages.inspect.state import bank_answer, mark_answer, sides_of
from pages.pictures import jpeg_url, png_url

if TYPE_CHECKING:
    import numpy as np

    from exdd_core.detector import Inspection
    from exdd_core.detector.inspection import Match

DISPLAY_SIDE = 1600  # pixels of the longer side of the shown picture; maps need fewer
MAP_SIDE = 320
CROP_SIDE = 208


def picture(review: Review, asked: questions.OneImage) -> Answer:
    """The shown picture and its true mask's outline in the image's pixels. Needs no bank version."""
    image, bank = review.image(asked.id), asked.bank
    read = review.read(image, bank)
    pixels = read.pixels
    height, width = pixels.shape[:2]
    shown = drawing.reduce(pixels, DISPLAY_SIDE)
    truth = truth_of(image, (height, width))
    return {
        "image": jpeg_url(shown, quality=95),
        "width": width,
        "height": height,
        "reduced": width / shown.shape[1],
        "truth": {"lines": drawing.outline(truth) if truth is not None else []},
        "notes": review.notes(image, read, bank),
        "outline": _outline(review, image.id),
    }


def _outline(review: Review, id: str) -> Answer:
    """Whether an image lacks a mask, and who drew the one that it has."""
    by = outlining.outlined(review.workspace, id)
    return {"wanted": outlining.wanted(review.workspace, id), "by": asdict(by) if by else None}


def inspect(review: Review, asked: questions.OneImage) -> Answer:
    """Scores, verdicts, reasons and coloured maps of both methods, and the image's marks."""
    return inspection_answer(review, review.compare(asked.id, asked.bank))


def inspection_answer(review: Review, made: ComparedImage) -> Answer:
    known = review.results(made.bank).of_images([made.image.id], made.bank_state.state)
    row = known[made.image.id]
    y, x = made.exdd.peak
    maps = [reduced_map.small_map(inspection, MAP_SIDE) for inspection in (made.patchcore, made.exdd)]
    return bank_answer(review, made.bank_state) | {
        "positive": made.exdd.positive_distance is not None,
        "peak": [int(x), int(y)],
        "patchcore": _side(made.patchcore) | {"reason": made.reason(made.patchcore)},
        "exdd": _side(made.exdd) | {"reason": made.reason(made.exdd)},
        "regions": [
            {**region, "probability": agreeing("defect", region["probability"])}
            for region in review.regions(made)
        ],
        "difference": png_url(drawing.difference_heatmap(drawing.difference(*maps))),
        "rows": {made.image.id: sides_of(row)},
        "marks": [mark_answer(mark) for mark in review.marks(made.image.id)],
        "why_not": review.why_not(made.image.id, made.bank.id),
        "test": not made.image.id.startswith("file:"),
        "surface": made.exdd.at(y, x).negative.image if made.exdd.is_judged else "",
    }


def _side(inspection: Inspection) -> Answer:
    low, high = reduced_map.raw_range(inspection)
    marks = inspection.calibration
    return {
        "score": finite(inspection.score),
        "threshold": finite(inspection.threshold),
        "calibrated": finite(inspection.calibrated_score),
        "verdict": inspection.verdict,
        "probability": agreeing(inspection.verdict, inspection.probability),
        "promised": marks.promised,
        "doubt": (min(marks.doubt, marks.threshold) - marks.median) / (marks.threshold - marks.median),
        "fusion": inspection.fusion,
        "map": png_url(drawing.heatmap(reduced_map.small_map(inspection, MAP_SIDE))),
        "raw_map": png_url(drawing.heatmap(reduced_map.small_map(inspection, MAP_SIDE, raw=True), low, high)),
        "raw_marks": {"low": low, "high": high, "median": marks.median, "threshold": marks.threshold},
    }


def point(review: Review, asked: questions.Point) -> Answer:
    """The patch at pixel (x, y) and its nearest patches in both banks."""
    made = review.compare(asked.id, asked.bank)
    pointed = at_pixel(made, asked.x, asked.y)
    found = pointed.matches
    return {
        "here": _crop(made.pixels, found.box)
        | {
            "at": [int(edge) for edge in found.box],
            "row": found.row,
            "column": found.column,
            "patchcore": pointed.patchcore,
            "exdd": pointed.exdd,
            "probability": pointed.probability,
        },
        "normal": _neighbour(review, found.negative),
        "defect": _neighbour(review, found.positive) if found.positive else None,
        "ratio": None if found.ratio is None else float(found.ratio),
    }


def _neighbour(review: Review, match: Match) -> Answer:
    answer: Answer = {"distance": float(match.distance), "type": match.defect_type, "origin": match.origin}
    try:
        image = review.image(match.image)
        pixels = review.read(image).pixels
        return answer | {"name": image.name} | _crop(pixels, match.box(pixels.shape[:2]))
    except BadInput:
        return answer | {"name": f"{match.image} (no longer there)", "image": "", "box": [0, 0, 0, 0]}


def _crop(pixels: np.ndarray, box: tuple[int, int, int, int]) -> Answer:
    """A patch with its surroundings, and the patch's box as shares of the view."""
    view, (x0, y0, x1, y1) = drawing.crop_around(pixels, box)
    height, width = view.shape[:2]
    shares = [x0 / width, y0 / height, x1 / width, y1 / height]
    return {"image": jpeg_url(thumbnail(view, CROP_SIDE)), "box": shares}
