"""Which mask belongs to which image, by their names: beside it, or in a folder of masks that mirrors the images'.

Knows names. Does not know pixels: whether a file that pairs with nothing looks like a mask is told by `survey`.
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

# What stands behind an image's name, or before it, in the name of its mask; a number may follow.
_MARK = r"(?:segmentation|segm?|ground[ ._-]?truth|annotations?|anno?t?|(?:defect|label|gt)?[ ._-]?masks?|labels?|gt)"
ENDING = re.compile(rf"[ ._-]+{_MARK}(?:[ ._-]?\d+)?$")
ALONE = re.compile(rf"{_MARK}(?:[ ._-]?\d+)?")
NUMBER = re.compile(r"[ ._-]+\d+$")
BEGINNING = re.compile(rf"^{_MARK}[ ._-]+")


NO_IMAGE = "masks of which no image has the name"
SEVERAL = "masks that fit more than one image; put each at the place of its image, such as masks/scratch/"
IMAGE_LEFT_OUT = "masks of images that are left out"

_COPY = re.compile(r"^(.+?)[ _-]*(?:\(copy\)|\(\d+\)|- copy(?: \(\d+\))?|copy)$")


def is_copy(name: str, files: Iterable[str]) -> bool:
    """Whether a file is what a desktop makes of a copy, such as "7 (copy).png", and its original is among `files`."""
    match = _COPY.match(name_key(stem(name)))
    return match is not None and match[1] in {name_key(stem(other)) for other in files}


def plain_stem(name: str) -> str:
    """The key of a mask's name without what says that it is one: "a/007_GT_2.png" is "a/007"; "" of none such."""
    key = name_key(stem(name))
    folder, slash, last = key.rpartition("/")
    for pattern in (ENDING, BEGINNING):
        short = pattern.sub("", last)
        if short and short != last:
            return folder + slash + short
    return ""


def named_masks(images: Iterable[str]) -> dict[str, list[str]]:
    """Of files that lie together: image -> its masks, for names such as 007.png and 007_mask.png, in one folder."""
    files = list(images)
    by_key: dict[str, str] = {}
    for name in files:
        by_key.setdefault(name_key(stem(name)), name)
    found: dict[str, list[str]] = defaultdict(list)
    for name in files:
        plain = plain_stem(name)
        image = by_key.get(plain) or by_key.get(_without_suffix(plain))
        if plain and image:
            found[image].append(name)
    taken = {mask for own in found.values() for mask in own}
    alone: dict[str, list[str]] = defaultdict(list)  # folder -> files such as mask.png
    others: dict[str, list[str]] = defaultdict(list)  # folder -> files whose names say nothing of masks
    for name in files:
        if _is_alone(name) and name not in taken:
            alone[parent(name)].append(name)
        elif not _is_alone(name) and not plain_stem(name):
            others[parent(name)].append(name)
    for folder, marks in alone.items():
        if len(others[folder]) == 1:  # a folder an image, such as 7/image.png beside 7/mask.png
            found[others[folder][0]] += marks
    masks = {mask for own in found.values() for mask in own}
    return {image: own for image, own in found.items() if image not in masks}


def _is_alone(name: str) -> bool:
    """Whether the whole name of a file says that it is a mask."""
    return bool(ALONE.fullmatch(base(name_key(stem(name)))))


def in_mask_folder(name: str) -> bool:
    """Whether any folder above this file is one of masks."""
    return any(is_mask_word(part) for part in parent(name).split("/") if part)


def masks_in_folders(
    stages: Iterable[tuple[str, Sequence[str]]],
    masks: Iterable[str],
    places: Mapping[str, str] | None = None,
) -> tuple[dict[str, list[str]], list[str]]:
    """image -> its masks, which lie in folders of masks at the place where the image lies in its own folders.

    A mask is found when the rest of its path, without the folder of masks, ends an image's path, leaving out words
    such as "images", "good", "train"; a folder named like the image may hold several masks, and so may numbers
    behind its name, where no image has the whole name. stages: images, the likely ones first, each with the label
    that no folder above their masks contradicts, or "". Where more than one image of a stage fits, the one whose
    path has most in common is taken; where that is no single one, the mask is among the second result. places: mask
    -> the path to compare in place of its own.
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
    """The images that a mask fits best: none, one, or several that fit as well as each other.

    numbered: without the number behind its name, as in 007_2.png for the second mask of 007.png.
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
        best = ranked[max(ranked)] if ranked else []
        if len(best) == 1:
            return best
        tied = tied or best
    return tied


def _key(name: str) -> str:
    return name_key(stem(name))


def _without_suffix(key: str) -> str:
    """The key of "007.jpg" for one of "007.jpg.png"; "" where it has no second suffix."""
    return next((key[: -len(suffix)] for suffix in SUFFIXES if key.endswith(suffix)), "")


def _places(key: str) -> list[str]:
    """The folders above a name, without those that say image or mask."""
    return [
        part for part in parent(key).split("/") if part and not is_mask_word(part) and not is_image_word(part)
    ]


def _named_after(key: str) -> list[str]:
    """What folders of masks above a name are named after, as in scratch_masks/007."""
    return [told for told in map(masks_of, parent(key).split("/")) if told]


def _labels_above(name: str) -> set[str]:
    """The labels that the folders above a mask say: bad/007.png and bad_masks/007.png belong to no normal image."""
    parts = parent(name).split("/")
    return {label for label in map(label_word, [*parts, *map(masks_of, parts)]) if label}


def _shared(mask: list[str], image: list[str]) -> int:
    return sum(part in image for part in mask)


def _contradicts(mask: list[str], image: list[str]) -> bool:
    """Whether a mask lies in a folder that its image does not lie in.

    A label or a side that only one of both names contradicts nothing: masks/007.png marks defect/007.png.
    """
    for part in mask:
        if part in image:
            continue
        told = next((word for word in (label_word, split_word) if word(part)), None)
        if told is None or any(told(other) not in ("", told(part)) for other in image):
            return True
    return False


def joined(*several: dict[str, list[str]]) -> dict[str, list[str]]:
    """One table of several, each mask once."""
    found: dict[str, list[str]] = defaultdict(list)
    for table in several:
        for image, masks in table.items():
            found[image] += [mask for mask in masks if mask not in found[image]]
    return dict(found)


@dataclass(frozen=True)
class Pairs:
    """Which pictures are masks, and whose. of: image -> its masks. masks: all that are called masks, in a folder of
    masks or by their own name. several: those of them that fit more than one image.
    """

    of: dict[str, list[str]]
    masks: frozenset[str]
    several: frozenset[str]

    def left_out(self, images: Iterable[str]) -> dict[str, str]:
        """mask -> why it is left out, for those that belong to none of `images`."""
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
    """Find the images of all masks. role: picture -> "mask", "normal", "defect" or another word for what is not used.

    unread: of these pictures, those that are not decoded. They take part, so that their masks are not taken for those
    of other images; as masks they are of no use, and an image that has no other one has an empty list. A mask belongs
    rather to a defective image than to one of unknown role, and to a normal one last. places: see `masks_in_folders`.
    """
    beside = named_masks(name for name in role if role[name] != "mask")
    masks = {mask for own in beside.values() for mask in own}
    images = [name for name in role if role[name] != "mask" and name not in masks]
    elsewhere = [name for name in images if plain_stem(name)]
    found, _ = masks_in_folders(_stages(role, set(images) - set(elsewhere)), elsewhere)
    masks |= {mask for own in found.values() for mask in own}
    apart = [name for name in role if role[name] == "mask"]
    others, several = masks_in_folders(_stages(role, set(images) - masks), apart, places)
    of = joined(beside, found, others)
    return Pairs(readable(of, unread), frozenset(masks.union(apart)), frozenset(several))


def readable(of: Mapping[str, Sequence[str]], unread: Collection[str]) -> dict[str, list[str]]:
    """image -> those of its masks that are decoded."""
    return {image: [mask for mask in own if mask not in unread] for image, own in of.items()}


def masks_within(tree: Tree, folder: str) -> tuple[dict[str, list[str]], dict[str, str]]:
    """For a folder whose images and masks lie together: image -> its masks, and mask -> why it is left out."""
    files = tree.directly_in(folder)
    unread = [name for name in tree.unread if parent(name) == folder]
    masks = named_masks([*files, *unread])
    taken = {mask for own in masks.values() for mask in own}
    usable = readable(masks, unread)
    left = {mask: IMAGE_LEFT_OUT for name in unread for mask in masks.get(name, [])}
    return {name: usable.get(name, []) for name in files if name not in taken}, left


def _stages(role: Mapping[str, str], images: set[str]) -> list[tuple[str, list[str]]]:
    """The images in the order in which they are offered to masks, with the label that a mask must not contradict."""
    ordered = [name for name in role if name in images]
    sure = {label: [name for name in ordered if role[name] == label] for label in (DEFECT, NORMAL)}
    other = [name for name in ordered if role[name] not in sure]
    return [(DEFECT, sure[DEFECT]), ("", other), (NORMAL, sure[NORMAL])]
