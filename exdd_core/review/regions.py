"""The regions of a verdict as rows, and those of many images as a COCO file.

Knows inspections. Does not know how regions are found or where rows are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from typing_extensions import TypedDict  # pydantic reads it, from Python 3.12 on also that of typing

from exdd_core import files

if TYPE_CHECKING:
    from exdd_core.detector import Inspection

UNNAMED = "defect"  # the category of a region whose nearest defect has no type
DIGITS = 2  # of a contour's points, in pixels


class RegionRow(TypedDict):
    """One region, in pixels of the image.

    box: [x0, y0, x1, y1], ends excluded. contour: closed lines of [x, y]. area: in pixels. area_mm2: None without a
    scale. peak, mean: of the shown map, 1 being the threshold. at: [x, y] of the peak. nearest_type: of the known
    defect nearest to the peak, "" for one of no named type; None without a positive bank. probability: at the peak, 0
    to 1, or None.
    """

    box: list[int]
    contour: list[list[list[float]]]
    area: int
    area_mm2: float | None
    peak: float
    mean: float
    at: list[int]
    nearest_type: str | None
    probability: float | None


def region_rows(inspection: Inspection) -> list[RegionRow]:
    """The regions of an inspection, the highest peak first, without areas in square millimetres."""
    return [
        {
            "box": list(known.region.box),
            "contour": [
                [[round(x, DIGITS), round(y, DIGITS)] for x, y in line] for line in known.region.contour
            ],
            "area": known.region.area,
            "area_mm2": None,
            "peak": known.region.peak,
            "mean": known.region.mean,
            "at": list(known.region.at),
            "nearest_type": known.defect_type,
            "probability": known.probability,
        }
        for known in inspection.regions
    ]


def scaled(rows: Iterable[RegionRow], mm_per_pixel: float | None) -> list[RegionRow]:
    """The rows with areas in square millimetres. mm_per_pixel: side of a pixel of the image; None where unknown."""
    squared = None if mm_per_pixel is None else mm_per_pixel**2
    return [{**row, "area_mm2": None if squared is None else row["area"] * squared} for row in rows]


class ImageRegions(NamedTuple):
    """An image with its regions. width, height: in pixels."""

    name: str
    width: int
    height: int
    regions: Sequence[RegionRow]


class CocoImage(TypedDict):
    id: int
    file_name: str
    width: int
    height: int


class CocoCategory(TypedDict):
    id: int
    name: str
    supercategory: str


class CocoAnnotation(TypedDict):
    """score: the probability at the peak where it is known, else the peak."""

    id: int
    image_id: int
    category_id: int
    bbox: list[int]
    area: int
    segmentation: list[list[float]]
    iscrowd: int
    score: float


class Coco(TypedDict):
    """A COCO file of object detection (Lin et al. 2014)."""

    images: list[CocoImage]
    categories: list[CocoCategory]
    annotations: list[CocoAnnotation]


def write_coco(path: Path, images: Iterable[ImageRegions]) -> None:
    """Write `coco` to a file. Names of files may hold bytes that are no text: JSON escapes them."""
    with files.whole(path) as place:
        place.write_text(json.dumps(coco(images)), encoding="utf-8")


def coco(images: Iterable[ImageRegions]) -> Coco:
    """The regions of many images as COCO: a category for each nearest type; images without a region are listed too."""
    found = list(images)
    names = sorted({region["nearest_type"] or UNNAMED for image in found for region in image.regions})
    numbers = {name: number for number, name in enumerate(names, 1)}
    annotations: list[CocoAnnotation] = []
    for image_id, image in enumerate(found, 1):
        for region in image.regions:
            x0, y0, x1, y1 = region["box"]
            score = region["probability"]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": numbers[region["nearest_type"] or UNNAMED],
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": region["area"],
                    "segmentation": [
                        [value for point in line for value in point] for line in region["contour"]
                    ],
                    "iscrowd": 0,
                    "score": region["peak"] if score is None else score,
                }
            )
    return {
        "images": [
            {"id": id, "file_name": image.name, "width": image.width, "height": image.height}
            for id, image in enumerate(found, 1)
        ],
        "categories": [{"id": id, "name": name, "supercategory": "defect"} for name, id in numbers.items()],
        "annotations": annotations,
    }
