"""Cuts the crops that a LoRA learns a user's defects from: square windows around defects, and normal ones.

The same pictures and seed give the same crops. Knows images, masks and what may be turned. Does not know networks,
where pictures come from or how one learns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from exdd_core.synthesis.compositing import resized, resized_mask
from exdd_core.synthesis.mask_geometry import grown

AROUND = (1.5, 3.0)  # side of a window over the longer side of its defect
SCALE = (0.8, 1.25)  # by which a defect appears larger than that
LEAST_SIDE = 64  # pixels of the image that a window shows at least
BRIGHTNESS = 0.1  # largest relative change
GROWN = 8.0  # pixels of the crop by which its mask is dilated at most
NORMAL_SHARE = 0.3  # of all crops: with normal crops alone, a mask does not come to mean "defect"
EMPTY_SHARE = 0.1  # of prompts: guidance needs a network that also paints without a prompt
LEAST_AREA = 8  # pixels; smaller areas of a mask are specks
MOST_PIECES = 16  # of one mask, the largest
ALIGNED = 10.0  # degrees between the grain and the image's axes below which mirroring keeps the grain

Shape = tuple[int, int]
Symmetry = tuple[bool, int]  # whether a crop is mirrored, and its quarter turns


@dataclass(frozen=True)
class Picture:
    """An image of the training split. part: its physical part.

    read: gives its pixels, uint8 (H, W, 3), and the mask of its defect, bool (H, W), or None for a normal image.
    """

    id: str
    part: str
    defect_type: str
    read: Callable[[], tuple[np.ndarray, np.ndarray | None]]


@dataclass(frozen=True)
class Words:
    """What prompts are made of. trigger: a word for these defects that no prompt has by chance, or ""."""

    surface: str
    trigger: str = ""

    def of(self, defect_type: str) -> str:
        """The prompt for a defect of this type.

        >>> Words("copper surface", "exdd").of("MT_Break")
        'copper surface with exdd MT Break'
        """
        kind = defect_type.replace("_", " ").replace("-", " ").strip() or "defect"
        return " ".join(word for word in (self.surface, "with", self.trigger, kind) if word)


@dataclass(frozen=True)
class Crop:
    """A square to learn from. pixels: uint8 (side, side, 3). mask: bool (side, side), never empty.

    image, part: what it was cut from. defect: whether its mask lies on one, else it lies on normal surface.
    """

    pixels: np.ndarray
    mask: np.ndarray
    prompt: str
    image: str
    part: str
    defect: bool


def symmetries(grains: Sequence[float | None]) -> tuple[Symmetry, ...]:
    """How crops may be mirrored and turned without turning the grain of their surface.

    grains: directions of the surfaces' lines in degrees, None for a surface without lines.
    """
    lines = [grain for grain in grains if grain is not None]
    if not lines:
        return tuple((mirrored, turns) for mirrored in (False, True) for turns in range(4))
    upright = all(min(line % 90, 90 - line % 90) <= ALIGNED for line in lines)
    return tuple(
        (mirrored, turns) for mirrored in ((False, True) if upright else (False,)) for turns in (0, 2)
    )


def pieces(mask: np.ndarray) -> list[tuple[int, int, int, int]]:
    """The boxes (top, left, bottom, right), ends excluded, of a mask's connected areas, the largest area first.

    Areas below `LEAST_AREA` pixels are left out unless all are. mask: bool (H, W).
    """
    count, _, found, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    order = sorted(range(1, count), key=lambda i: (-int(found[i, cv2.CC_STAT_AREA]), i))
    large = [i for i in order if found[i, cv2.CC_STAT_AREA] >= LEAST_AREA] or order[:1]
    boxes = []
    for left, top, width, height, _ in found[large[:MOST_PIECES]].tolist():
        boxes.append((top, left, top + height, left + width))
    return boxes


def window(box: tuple[int, int, int, int], shape: Shape, rng: np.random.Generator) -> tuple[int, int, int]:
    """(top, left, side) of a square window around a piece, within an image of `shape` (H, W).

    It shows the whole piece, or as much as a square of the image's shorter side can.
    """
    top, left, bottom, right = box
    longer = max(bottom - top, right - left)
    wanted = round(longer * rng.uniform(*AROUND) / rng.uniform(*SCALE))
    side = min(max(wanted, LEAST_SIDE), *shape)
    return _start(top, bottom, side, shape[0], rng), _start(left, right, side, shape[1], rng), side


def _start(first: int, end: int, side: int, limit: int, rng: np.random.Generator) -> int:
    """A random start, within 0..limit, of `side` pixels that show those from `first` to `end`, or as many as fit."""
    low, high = sorted((max(0, end - side), min(first, limit - side)))
    return int(rng.integers(low, high + 1))


def crops(
    defects: Sequence[Picture],
    normals: Sequence[Picture],
    words: Words,
    side: int,
    allowed: Sequence[Symmetry],
    each: int,
    seed: int,
    empty: float = EMPTY_SHARE,
) -> Iterator[Crop]:
    """`each` crops of every piece of every defect, and then normal ones, 30 % of all, with the masks of others.

    side: of a crop in pixels. allowed: `symmetries`. empty: share of prompts that are left empty. Without normal
    pictures there are no normal crops.
    """
    masks: list[tuple[np.ndarray, int]] = []
    made = 0
    for number, picture in enumerate(defects):
        pixels, mask = picture.read()
        assert mask is not None
        for piece, box in enumerate(pieces(mask)):
            for variant in range(each):
                rng = np.random.default_rng([seed, 0, number, piece, variant])
                top, left, cut = window(box, mask.shape, rng)
                here = np.s_[top : top + cut, left : left + cut]
                drawn = grown(resized_mask(mask[here], (side, side)), rng.uniform(0, GROWN))
                if variant == 0:
                    masks.append((np.packbits(drawn), cut))
                said = "" if rng.uniform() < empty else words.of(picture.defect_type)
                yield _crop(pixels[here], drawn, said, picture, allowed, True, rng)
                made += 1
    wanted = count_of_normal(made, len(normals))
    for number, picture in enumerate(normals):
        first = wanted * number // len(normals)
        if first < wanted * (number + 1) // len(normals):
            pixels, _ = picture.read()
            for variant in range(first, wanted * (number + 1) // len(normals)):
                rng = np.random.default_rng([seed, 1, variant])
                said = "" if rng.uniform() < empty else words.surface
                lent = masks[int(rng.integers(len(masks)))]
                yield _normal(picture, pixels, lent, said, side, allowed, rng)


def count_of_normal(made: int, normals: int) -> int:
    """The number of normal crops beside `made` crops of defects, from so many normal pictures."""
    return round(made * NORMAL_SHARE / (1 - NORMAL_SHARE)) if normals else 0


def _normal(
    picture: Picture,
    pixels: np.ndarray,
    lent: tuple[np.ndarray, int],
    prompt: str,
    side: int,
    allowed: Sequence[Symmetry],
    rng: np.random.Generator,
) -> Crop:
    """A crop of a normal image with a mask and a size of window that a defect had."""
    packed, size = lent
    cut = min(size, *pixels.shape[:2])
    top, left = (int(rng.integers(length - cut + 1)) for length in pixels.shape[:2])
    mask = np.unpackbits(packed, count=side * side).reshape(side, side).astype(bool)
    mask = turned(mask, (bool(rng.integers(2)), int(rng.integers(4))))  # lies otherwise than the defect did
    here = pixels[top : top + cut, left : left + cut]
    return _crop(here, mask, prompt, picture, allowed, False, rng)


def _crop(
    pixels: np.ndarray,
    mask: np.ndarray,
    prompt: str,
    picture: Picture,
    allowed: Sequence[Symmetry],
    defect: bool,
    rng: np.random.Generator,
) -> Crop:
    """A crop of the mask's size from a square of an image, mirrored, turned and of another brightness."""
    symmetry = allowed[int(rng.integers(len(allowed)))]
    bright = resized(pixels, (mask.shape[1], mask.shape[0])) * rng.uniform(1 - BRIGHTNESS, 1 + BRIGHTNESS)
    shown = np.rint(np.clip(bright, 0, 255)).astype(np.uint8)
    return Crop(turned(shown, symmetry), turned(mask, symmetry), prompt, picture.id, picture.part, defect)


def turned(layer: np.ndarray, symmetry: Symmetry) -> np.ndarray:
    """A layer, (h, w) or (h, w, 3), mirrored and turned."""
    mirrored, turns = symmetry
    return np.ascontiguousarray(np.rot90(layer[:, ::-1] if mirrored else layer, turns))
