"""Checks pictures, folders and masks from a person: which are refused, and what notes say about the others.

Knows pictures, listings of folders, masks and their images. Does not know banks, the workspace or who asks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from exdd_core import images
from exdd_core.datasets.mask_pixels import CLEARLY, LEAST_FIT, like_a_mask, mask_fit
from exdd_core.datasets.record import natural_key
from exdd_core.datasets.tree import Tree
from exdd_core.depth import Depth
from exdd_core.errors import BadInput
from exdd_core.file_tags import ONE_PAGE
from exdd_core.formats import FORMATS, FORMATS_TEXT, picture_format
from exdd_core.picture import Picture
from exdd_core.sentences import listed

LEAST_SHARE = 1e-4  # a smaller share is called "less than 0.01 %"
BORDER = 0.9  # an inverted mask marks at least this share of its image's border
INVERTED_FROM = 0.3  # an inverted mask marks more than this share of its image


def notes(
    picture: Picture, bank: str = "", depth: Depth | None = None, by_brightest: bool = False
) -> list[str]:
    """Sentences about how a picture was read.

    bank, depth: name and depth of the version that judged it; "" if there is none. by_brightest: that version
    has no depth, so the depth was guessed from the brightest value of the picture.
    """
    said = []
    if picture.pages > 1:
        said.append(ONE_PAGE.format(picture.pages))
    if picture.depth is not None and bank and depth is None:
        why = f"bank {bank} was built from 8-bit images, so the brightness may differ"
        if by_brightest:
            why = f"bank {bank} is too old to know the bit depth of its own images, so build it again"
        said.append(f"Read as {picture.depth.title}; {why}.")
    if picture.depth is not None and picture.clipped:
        whose = f", the bit depth of bank {bank}," if bank and depth is not None else ""
        said.append(
            f"{percent(picture.clipped)} of its values are outside {picture.depth.title}{whose} and were "
            "clipped."
        )
    return said


def shallow_note(count: int, bank: str, depth: Depth) -> str:
    """A sentence about `count` images of 8 bits, judged by a bank from images of more than 8 bits."""
    what = "1 image has" if count == 1 else f"{count} images have"
    return (
        f"{what} 8 bits, but bank {bank} was built from images of {depth.title}; the brightness may differ."
    )


def percent(share: float) -> str:
    """A share, 0 to 1, as "0.4 %"; a share above 0 is never written as 0."""
    if 0 < share < LEAST_SHARE:
        return f"less than {100 * LEAST_SHARE:g} %"
    return f"{float(f'{100 * share:.2g}'):g} %"


def mask_note(path: Path) -> str:
    """A sentence about a picture that looks like a mask; "" for any other picture."""
    if not like_a_mask(path):
        return ""
    return (
        "It looks like a black-and-white mask rather than a picture of a part; leave it out if it is a mask."
    )


def require_picture(path: Path, name: str) -> None:
    """Raise `BadInput` for a picture of a format that is not read.

    Other files are checked when they are decoded.
    """
    kind = picture_format(path)
    if kind and kind not in FORMATS:
        raise BadInput(f"{name}: {kind} images are not supported; save it as {FORMATS_TEXT}.")


def left_out(tree: Tree) -> dict[str, str]:
    """Pictures, links and archives below a folder that are not read: path -> reason."""
    found = tree.unread | tree.not_followed
    return {name: found[name] for name in sorted(found, key=natural_key)}


def left_out_sentences(tree: Tree) -> list[str]:
    """What of a folder is not read: one sentence for each reason."""
    by_reason: Mapping[str, list[str]] = defaultdict(list)
    for name, reason in left_out(tree).items():
        by_reason[reason].append(name)
    return [f"Left out: {listed(names)}: {reason}." for reason, names in by_reason.items()]


def take_mask(
    source: Path, shape: tuple[int, int] | None, name: str | None = None, image: Path | None = None
) -> np.ndarray:
    """Read a mask file as bool (H, W), by the rule that fits its own values (`images.take_mask`).

    shape: (H, W) of its upright image, None for any. image: the file of that image, if there is one. Raises
    `BadInput` for a photograph, for another size, for a mask that marks nothing, and for one without the EXIF
    orientation that its image has.
    """
    label = name or str(source)
    mask = images.take_mask(source, shape, label)
    if not mask.any():
        raise BadInput(
            f"{label} marks nothing, because it has the same value everywhere; a mask is white on the "
            "defect and black everywhere else."
        )
    if image is not None and _lies_as_held(mask, source, image):
        raise BadInput(
            f"The mask {label} does not seem to be rotated, but {image.name} is rotated when it is "
            "displayed; rotate the mask in the same way."
        )
    return mask


def _lies_as_held(mask: np.ndarray, source: Path, image: Path) -> bool:
    """Whether a mask fits its image clearly better when the EXIF orientation of the image is applied to
    it."""
    turn = images.exif_orientation(image)
    if turn == 1 or images.exif_orientation(source) == turn:
        return False
    picture, drawn = images.read_image(image), mask.astype(np.uint8)
    turned, own = mask_fit(picture, images.turned(drawn, turn)), mask_fit(picture, drawn)
    return turned > max(LEAST_FIT, CLEARLY * own)


def require_defect(mask: np.ndarray, most: float) -> None:
    """Raise `BadInput` for a mask, bool (H, W), that marks more than the share `most` or seems to be
    inverted."""
    share = float(mask.mean())
    if share > most:
        raise BadInput(
            f"The mask marks {100 * share:.0f} % of the image, so hardly any normal surface is left; "
            "mark only the defect, and invert the mask if it is white where the surface is normal."
        )
    if share > INVERTED_FROM and _border(mask) >= BORDER:
        raise BadInput(
            "The mask seems to be inverted: it marks the whole border of the image and leaves a hole; "
            "invert it so that it is white on the defect."
        )


def _border(mask: np.ndarray) -> float:
    """The share of the outermost pixels that a mask marks."""
    return float(np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]]).mean())
