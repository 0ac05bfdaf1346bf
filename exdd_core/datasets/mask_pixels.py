"""Reads masks of a source: which files look like masks, which values mark a defect, and how masks are turned.

Knows records, mask files and EXIF orientations. Does not know layouts, or which mask belongs to which image.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from exdd_core import images
from exdd_core.datasets import outlines
from exdd_core.datasets.record import Record
from exdd_core.datasets.tree import Tree, name_key, stem
from exdd_core.errors import BadInput
from exdd_core.mask_rules import MaskRule, Tally
from exdd_core.progress import Progress

# EXIF orientation -> the orientation that undoes it; every other one undoes itself.
BACK = {6: 8, 8: 6}
# Bytes a pixel: a compressed picture of two levels takes less, so larger files are not decoded to find masks.
DENSE = 0.15
LEAST_FIT, CLEARLY = 0.5, 2.0  # `mask_fit` of a turned mask, and its ratio to that of the mask as it is
TWO_LEVELS = 0.98  # share of the pixels of a mask that are its darkest or its brightest value


def with_same_stem(tree: Tree, records: list[Record]) -> list[Record]:
    """Make an image that looks like a mask the mask of the one image with its name and another suffix."""
    by_stem: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_stem[name_key(stem(record.path))].append(record)
    masks: dict[str, str] = {}
    for twins in by_stem.values():
        if len(twins) != 2 or any(twin.masks or twin.outlines for twin in twins):
            continue
        alike = [like_a_mask(tree.path(twin.path)) for twin in twins]
        if alike[0] != alike[1]:
            image, mask = (twins[1], twins[0]) if alike[0] else (twins[0], twins[1])
            masks[image.path] = mask.path
    taken = set(masks.values())
    return [replace(r, mask=masks.get(r.path, r.mask)) for r in records if r.path not in taken]


def without_masks(tree: Tree, records: list[Record]) -> tuple[list[Record], list[str]]:
    """The records without those that look like masks, and the paths of these.

    If at least half of them do, the images of this data set are black and white, and all records stay.
    """
    alike = dict.fromkeys(record.path for record in records if like_a_mask(tree.path(record.path)))
    if 2 * len(alike) >= len(records):
        return records, []
    return [record for record in records if record.path not in alike], list(alike)


def like_a_mask(path: Path) -> bool:
    """Whether nearly all pixels of an image are its darkest or its brightest grey, as in a mask."""
    try:
        width, height = images.probe(path)
        compressed = path.suffix.lower() not in (".bmp", ".dib", ".tif", ".tiff", ".pgm", ".ppm", ".pnm")
        if compressed and path.stat().st_size > DENSE * width * height + 2000:
            return False
        if not _of_two_levels(images.mask_values(path)):
            return False
        # The brightest channel of a picture of one colour may be at its limit everywhere.
        picture = images.read_values(path)
    except (BadInput, OSError):
        return False
    channels = [picture] if picture.ndim == 2 else [picture[..., channel] for channel in range(3)]
    return all(map(_of_two_levels, channels)) or images.few_colours(picture)


def _of_two_levels(values: np.ndarray) -> bool:
    """Whether nearly all values are the lowest or the highest of them."""
    return bool(((values == values.min()) | (values == values.max())).mean() >= TWO_LEVELS)


def rule_of(tree: Tree, records: Sequence[Record], progress: Progress) -> MaskRule:
    """Decide one rule for all masks; the integrity report names mask files that cannot be read."""
    files = list(dict.fromkeys(name for record in records for name in record.masks))
    tally = Tally()
    progress.begin("Reading masks", len(files))
    for name in files:
        with suppress(BadInput):
            tally.add(images.mask_values(tree.path(name), name))
        progress.advance()
    return tally.rule()


def marks_anything(tree: Tree, record: Record, rule: MaskRule) -> bool:
    """Whether a record's mask marks a defect; True also if it cannot be read, as its image may not be
    normal."""
    try:
        mask = mask_of(tree, record, rule)
    except BadInput:
        return True
    return mask is not None and bool(mask.any())


def mask_of(tree: Tree, record: Record, rule: MaskRule) -> np.ndarray | None:
    """The union of a record's masks and outlines as bool (H, W) of its upright image; None if it has none.

    Raises `BadInput` for files that cannot be used.
    """
    if not record.masks and not record.outlines:
        return None
    width, height = images.probe(tree.path(record.path), record.path)
    parts = []
    for name in record.masks:
        values = images.mask_values(tree.path(name), name)
        images.require_mask(values, name)
        parts.append(images.of_shape(rule.marks(_upright(tree, record, name, values)), (height, width), name))
    if record.outlines:
        parts.append(_drawn(tree, record, (height, width))[0])
        if not parts[-1].any():
            raise BadInput(f"The outlines of {record.path} mark nothing in it; correct its annotation file.")
    return np.logical_or.reduce(parts)


def _drawn(tree: Tree, record: Record, shape: tuple[int, int]) -> tuple[np.ndarray, bool]:
    """A record's outlines on its upright image of `shape` (H, W), as bool (H, W), and whether they are of the image as
    it is stored.

    Some tools apply the EXIF orientation of an image and some do not. The size that they state decides, and where it
    does not, the pixels: those of the image as it is stored must fit clearly better.
    """
    turn = images.exif_orientation(tree.path(record.path), record.path)
    stored = shape[::-1] if turn >= 5 else shape
    if turn == 1 or not outlines.may_be_of(record.outlines, stored):
        return outlines.draw(record.outlines, shape, record.path), False
    other = images.turned(outlines.draw(record.outlines, stored, record.path), turn)
    if not outlines.may_be_of(record.outlines, shape):
        return other, True
    own = outlines.draw(record.outlines, shape, record.path)
    picture = images.read_image(tree.path(record.path), record.path)
    fits = mask_fit(picture, other) > max(LEAST_FIT, CLEARLY * mask_fit(picture, own))
    return (other, True) if fits else (own, False)


def _upright(tree: Tree, record: Record, name: str, values: np.ndarray) -> np.ndarray:
    """A mask's values turned by its own EXIF orientation, or by that of its image if it then fits better."""
    turn, own = _turns(tree, record, name)
    if turn == own:
        return values
    picture = images.read_image(tree.path(record.path), record.path)
    other = images.turned(images.turned(values, BACK.get(own, own)), turn)
    return other if mask_fit(picture, other) > mask_fit(picture, values) else values


def _turns(tree: Tree, record: Record, name: str) -> tuple[int, int]:
    """The EXIF orientations of an image and of its mask."""
    turn = images.exif_orientation(tree.path(record.path), record.path)
    return turn, images.exif_orientation(tree.path(name), name)


def turn_of(tree: Tree, record: Record) -> str:
    """How a record's mask was turned to fit its image, in words; "" if its own EXIF orientation was
    applied."""
    if record.outlines:
        with suppress(BadInput):
            width, height = images.probe(tree.path(record.path), record.path)
            if _drawn(tree, record, (height, width))[1]:
                return (
                    f"the outlines of {record.path} are of the image as it is stored and are rotated with it"
                )
    for name in record.masks:
        with suppress(BadInput):
            turn, own = _turns(tree, record, name)
            if turn == own:
                continue
            values = images.mask_values(tree.path(name), name)
            if _upright(tree, record, name, values) is not values:
                if turn == 1:
                    return (
                        f"{name} has an EXIF rotation that {record.path} does not have, so it is not applied"
                    )
                return f"{name} is stored in the same orientation as {record.path} and is rotated with it"
    return ""


def is_clipped(tree: Tree, record: Record) -> bool:
    """Whether an outline exceeds its image, of those whose files do not state the size of the image."""
    found = [one for one in record.outlines if not one.share and not one.size and one.kind != "runs"]
    if not found:
        return False
    with suppress(BadInput):
        size = images.probe(tree.path(record.path), record.path)
        turn = images.exif_orientation(tree.path(record.path), record.path)
        sizes = {size, size[::-1] if turn >= 5 else size}
        return all(any(outlines.beyond(replace(one, size=sides)) for one in found) for sides in sizes)
    return False


def mask_fit(picture: np.ndarray, values: np.ndarray) -> float:
    """How well a mask fits an image: the difference between marked and other pixels in standard deviations.

    Sums the differences in brightness and in roughness. picture: uint8 (H, W, 3). values: the mask, (H, W)
    before its rule is known. Returns 0 if all or no pixels are marked, and -1 if the mask has another size.
    """
    if values.shape != picture.shape[:2]:
        return -1.0
    marked = values > (int(values.min()) + int(values.max())) / 2
    if not marked.any() or marked.all():
        return 0.0
    grey = picture.mean(axis=2)
    rough = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 2))
    return sum(
        abs(float(plane[marked].mean() - plane[~marked].mean())) / (float(plane.std()) + 1e-6)
        for plane in (grey, rough)
    )
