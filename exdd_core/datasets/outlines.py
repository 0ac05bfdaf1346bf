"""From what annotation files mark to masks.

Knows polygons, boxes, discs and COCO's run lengths. Does not know files.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from pycocotools import mask as coco

from exdd_core.datasets.record import Outline
from exdd_core.errors import BadInput


def draw(outlines: Sequence[Outline], shape: tuple[int, int], name: str) -> np.ndarray:
    """The union of outlines on an image of `shape` (H, W), as bool (H, W). Raises `BadInput`; `name` is the image's."""
    mask = np.zeros(shape, np.uint8)
    for outline in outlines:
        if outline.kind == "runs":
            mask |= _filled(outline, shape, name)
            continue
        height, width = shape
        points = np.array(outline.points, np.float64)
        if not np.isfinite(points).all() or len(points) < 3:
            raise BadInput(
                f"An outline on {name} has points that are no numbers; correct its annotation file."
            )
        if outline.kind == "disc":
            cv2.circle(mask, _whole(points[:2]), max(1, round(points[2])), 1, -1)
            continue
        pairs = points[: len(points) // 2 * 2].reshape(-1, 2) * ((width, height) if outline.share else 1)
        if outline.kind == "box":
            left, top = np.clip(np.floor(pairs.min(0)), 0, None).astype(int)
            right, bottom = np.ceil(pairs.max(0)).astype(int)
            mask[top:bottom, left:right] = 1
        else:
            cv2.fillPoly(mask, [np.round(pairs).astype(np.int32)], 1)
    return mask.astype(bool)


def _whole(point: np.ndarray) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def _filled(outline: Outline, shape: tuple[int, int], name: str) -> np.ndarray:
    """COCO's run lengths, which go down the columns, as uint8 (H, W)."""
    height, width = (int(side) for side in outline.points)
    if (height, width) != shape:
        raise BadInput(
            f"The annotation of {name} is for {width} x {height} pixels and the image has {shape[1]} x {shape[0]}; "
            "correct one of them."
        )
    text = outline.runs
    try:
        if text and all(part.isdigit() for part in text.split(" ")):
            packed = coco.frPyObjects(
                {"size": [height, width], "counts": [int(n) for n in text.split(" ")]}, height, width
            )
        else:
            packed = {"size": [height, width], "counts": text.encode()}
        return np.asarray(coco.decode(packed), np.uint8)
    except Exception:  # pycocotools raises whatever its compiled code trips over
        raise BadInput(f"The run lengths of {name} cannot be read; export its annotations again.") from None
