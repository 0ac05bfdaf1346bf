"""Pairs masks with images by name: in the folder of the image, or in a folder of masks with the same
subfolders.

Knows names. Does not know pixels: `mask_pixels` says whether a file without a pair looks like a mask.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from exdd_core.datasets.record import DEFECT, NORMAL
from exdd_core.datasets.tree import Tree, base, name_key, parent, stem
from exdd_core.datasets.words import is_image_word, is_mask_word, label_word, masks_of, split_word
from exdd_core.formats import SUFFIXES

# What the name of a mask has after the name of its image, or before it; a number may follow.
_MARK = (
    r"(?:segmentation|segm?|ground[ ._-]?truth|annotations?|anno?t?"
    r"|(?:defect|label|gt|bin(?:ary)?)?[ ._-]?masks?|labels?|lbl|gt)"
)
ENDING = re.compile(rf"[ ._-]+{_MARK}(?:[ ._-]?\d+)?$")
ALONE = re.compile(rf"{_MARK}(?:[ ._-]?\d+)?")
NUMBER = re.compile(r"[ ._-]+\d+$")
BEGINNING = re.compile(rf"^{_MARK}[ ._-]+")


NO_IMAGE = "masks whose name and folders match no image"
SEVERAL = (
    "masks that match more than one image; put each in a folder that corresponds to its image's folder, such "
    "as masks/scratch/"
)
IMAGE_LEFT_OUT = "masks of images that are left out"

_COPY = re.compile(r"^(.+?)[ _-]*(?:\(copy\)|\(\d+\)|- copy(?: \(\d+\))?|copy)$")


def is_copy(name: str, files: Iterable[str]) -> bool:
    """Whether a file is named as a desktop names copies, such as "7 (copy).png", and its original is in
    `files`."""
    match = _COPY.match(name_key(stem(name)))
    return match is not None and match[1] in {name_key(stem(other)) for other in files}


def plain_stem(name: str) -> str:
    """The key of a mask's name without its mark: "a/007" for "a/007_GT_2.png"; "" for a name without a
    mark."""
    key = name_key(stem(name))
    folder, slash, last = key.rpartition("/")
    for pattern in (ENDING, BEGINNING):
        short = pattern.sub("", last)
        if short and short != last:
            return folder + slash + short
    return ""


def named_masks(images: Iterable[str]) -> dict[str, list[str]]:
    """Image -> its masks in the same folder, for names such as 007.png and 007_mask.png."""
    files = list(images)
    by_key: dict[str, list[str]] = defaultdict(list)
    for name in files:
        by_key[name_key(stem(name))].append(name)
    found: dict[str, list[str]] = defaultdict(list)
    for name in files:
        plain = plain_stem(name)
        same = by_key.get(plain) or by_key.get(_without_suffix(plain))
        if plain and same:
            found[_spelt_alike(name, same)[0]].append(name)
    taken = {mask for own in found.values() for mask in own}
    alone: dict[str, list[str]] = defaultdict(list)  # folder -> files such as mask.png
    others: dict[str, list[str]] = defaultdict(list)  # folder -> files without a mark in their names
    for name in files:
        if _is_alone(name) and name not in taken:
            alone[parent(name)].append(name)
        elif not _is_alone(name) and not plain_stem(name):
            others[parent(name)].append(name)
    for folder, marks in alone.items():
        if len(others[folder]) == 1:  # one image in the folder, such as 7/image.png and 7/mask.png
            found[others[folder][0]] += marks
    masks = {mask for own in found.values() for mask in own}
    return {image: own for image, own in found.items() if image not in masks}


def _is_alone(name: str) -> bool:
    """Whether a file is named as a mask and nothing else, such as mask.png."""
    return bool(ALONE.fullmatch(base(name_key(stem(name)))))


def in_mask_folder(name: str) -> bool:
    """Whether any folder above a file is named as one of masks."""
    return any(is_mask_word(part) for part in parent(name).split("/") if part)


def masks_in_folders(
    stages: Iterable[tuple[str, Sequence[str]]],
    masks: Iterable[str],
    places: Mapping[str, str] | None = None,
) -> tuple[dict[str, list[str]], list[str]]:
    """Image -> its masks in folders of masks; and masks that fit several images equally well.

    A mask fits an image if the end of the image's path is the mask's path without its folder of masks, both
    without words such as "images", "good" and "train". An image may have several masks, in a folder of its
    name or with numbers after its name if no image has the whole name. stages: lists of images, the most
    likely ones first, each with the label that the folders above a mask must not contradict, or "". Of
    several fitting images of one stage the one with the most folders in common is taken. places: mask -> the
    path to compare instead of its own.
    """
    found: dict[str, list[str]] = defaultdict(list)
    several: list[str] = []
    left = list(masks)
    stages = list(stages)
    for (label, images), numbered in [(stage, numbered) for numbered in (False, True) for stage in stages]:
        by_base: dict[str, list[str]] = defaultdict(list)
        for name in images:
            by_base[base(_key(name))].append(name)
        later: list[str] = []
        for mask in left:
            may = not label or _labels_above(mask) <= {label}
            fitting = _images_of((places or {}).get(mask, mask), by_base, numbered) if may else []
            if len(fitting) == 1:
                found[fitting[0]].append(mask)
            else:
                (several if fitting else later).append(mask)
        left = later
    return dict(found), several


def _images_of(mask: str, by_base: Mapping[str, list[str]], numbered: bool) -> list[str]:
    """The images that a mask fits best: none, one, or several that fit equally well.

    numbered: ignore the number after the mask's name, as in 007_2.png for the second mask of 007.png.
    """
    key, plain = _key(mask), plain_stem(mask)
    if numbered:
        key, plain = NUMBER.sub("", key), NUMBER.sub("", plain)
    tries = [key, plain, _without_suffix(key), _without_suffix(plain)]
    if (folder := parent(key)) and not is_mask_word(base(folder)):
        tries.append(folder)
    tied: list[str] = []
    for tried in filter(None, tries):
        wanted, named = _places(tried), _named_after(tried)
        ranked: dict[int, list[str]] = defaultdict(list)
        for image in by_base.get(base(tried), []):
            places = _places(_key(image))
            if not _contradicts(wanted, places):
                ranked[_shared([*wanted, *named], places)].append(image)
        best = _spelt_alike(mask, ranked[max(ranked)]) if ranked else []
        if len(best) == 1:
            return best
        tied = tied or best
    return tied


def _spelt_alike(mask: str, images: list[str]) -> list[str]:
    """Those of several images whose name the name of a mask holds in the same case; all of them where none is."""
    return [image for image in images if base(stem(image)) in base(mask)] or images


def _key(name: str) -> str:
    return name_key(stem(name))


def _without_suffix(key: str) -> str:
    """The key of "007" for the key of "007.jpg", the stem of "007.jpg.png"; "" without a second suffix."""
    return next((key[: -len(suffix)] for suffix in SUFFIXES if key.endswith(suffix)), "")


def _places(key: str) -> list[str]:
    """The folders above a name, except those named as folders of images or masks."""
    return [
        part for part in parent(key).split("/") if part and not is_mask_word(part) and not is_image_word(part)
    ]


def _named_after(key: str) -> list[str]:
    """What the folders of masks above a name are named after, such as "scratch" in scratch_masks/007."""
    return [name for name in map(masks_of, parent(key).split("/")) if name]


def _labels_above(name: str) -> set[str]:
    """The labels that the folders above a mask say, such as "defect" in bad/007.png and bad_masks/007.png."""
    parts = parent(name).split("/")
    return {label for label in map(label_word, [*parts, *map(masks_of, parts)]) if label}


def _shared(mask: list[str], image: list[str]) -> int:
    return sum(part in image for part in mask)


def _contradicts(mask: list[str], image: list[str]) -> bool:
    """Whether the folders above a mask contradict those above an image.

    A label or a side of the split that only one of both names is no contradiction: masks/007.png marks
    defect/007.png.
    """
    for part in mask:
        if part in image:
            continue
        meaning = next((word for word in (label_word, split_word) if word(part)), None)
        if meaning is None or any(meaning(other) not in ("", meaning(part)) for other in image):
            return True
    return False


def joined(*several: dict[str, list[str]]) -> dict[str, list[str]]:
    """Tables of image -> masks as one, each mask once."""
    found: dict[str, list[str]] = defaultdict(list)
    for table in several:
        for image, masks in table.items():
            found[image] += [mask for mask in masks if mask not in found[image]]
    return dict(found)


@dataclass(frozen=True)
class Pairs:
    """Which pictures are masks, and of which images.

    of: image -> its masks. masks: all pictures that are named as masks or lie in a folder of masks. several:
    those that fit more than one image.
    """

    of: dict[str, list[str]]
    masks: frozenset[str]
    several: frozenset[str]

    def left_out(self, images: Iterable[str]) -> dict[str, str]:
        """Mask -> why it is left out, for masks of none of `images`."""
        kept = set(images)
        image_of = {mask: image for image, own in self.of.items() for mask in own}
        left = {}
        for mask in self.masks:
            if mask not in image_of:
                left[mask] = SEVERAL if mask in self.several else NO_IMAGE
            elif image_of[mask] not in kept:
                left[mask] = IMAGE_LEFT_OUT
        return left


def paired(
    role: Mapping[str, str], unread: Collection[str], places: Mapping[str, str] | None = None
) -> Pairs:
    """Find the images of all masks. role: picture -> "mask", "normal", "defect" or another word if it is not
    used.

    A mask is paired with a defective image first, then with one of unknown role, then with a normal one.
    unread: pictures that cannot be decoded. They are paired like all others, so that their masks are not
    paired with other images; an image with only such masks has an empty list. places: see `masks_in_folders`.
    """
    together = named_masks(name for name in role if role[name] != "mask")
    masks = {mask for own in together.values() for mask in own}
    images = [name for name in role if role[name] != "mask" and name not in masks]
    elsewhere = [name for name in images if plain_stem(name)]
    found, _ = masks_in_folders(_stages(role, set(images) - set(elsewhere)), elsewhere)
    masks |= {mask for own in found.values() for mask in own}
    in_folders = [name for name in role if role[name] == "mask"]
    others, several = masks_in_folders(_stages(role, set(images) - masks), in_folders, places)
    of = joined(together, found, others)
    return Pairs(readable(of, unread), frozenset(masks.union(in_folders)), frozenset(several))


def readable(of: Mapping[str, Sequence[str]], unread: Collection[str]) -> dict[str, list[str]]:
    """Image -> its masks that can be decoded."""
    return {image: [mask for mask in own if mask not in unread] for image, own in of.items()}


def masks_within(tree: Tree, folder: str) -> tuple[dict[str, list[str]], dict[str, str]]:
    """For a folder whose images and masks lie together: image -> its masks, and mask -> why it is left
    out."""
    files = tree.directly_in(folder)
    unread = [name for name in tree.unread if parent(name) == folder]
    masks = named_masks([*files, *unread])
    taken = {mask for own in masks.values() for mask in own}
    usable = readable(masks, unread)
    left = {mask: IMAGE_LEFT_OUT for name in unread for mask in masks.get(name, [])}
    return {name: usable.get(name, []) for name in files if name not in taken}, left


def _stages(role: Mapping[str, str], images: set[str]) -> list[tuple[str, list[str]]]:
    """The images in the order in which masks are paired with them, with the label that masks must not
    contradict."""
    ordered = [name for name in role if name in images]
    sure = {label: [name for name in ordered if role[name] == label] for label in (DEFECT, NORMAL)}
    other = [name for name in ordered if role[name] not in sure]
    return [(DEFECT, sure[DEFECT]), ("", other), (NORMAL, sure[NORMAL])]
