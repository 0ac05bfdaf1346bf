"""Which mask belongs to which image, by their names: beside it, or in a folder of masks that mirrors the images'.

Knows names. Does not know pixels: whether a file that pairs with nothing looks like a mask is told by `survey`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from exdd_core.datasets.tree import Tree, base, name_key, parent, stem
from exdd_core.datasets.words import is_mask_word, label_word, split_word

# What stands behind an image's name, or before it, in the name of its mask; a number may follow.
_MARK = r"(?:segmentation|ground_?truth|annotations?|masks?|labels?|seg|gt)"
ENDING = re.compile(rf"[ ._-]+{_MARK}(?:[ ._-]?\d+)?$")
BEGINNING = re.compile(rf"^{_MARK}[ ._-]+")


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
    by_key: dict[str, list[str]] = defaultdict(list)
    for name in files:
        by_key[name_key(stem(name))].append(name)
    found: dict[str, list[str]] = defaultdict(list)
    for name in files:
        plain = plain_stem(name)
        for image in by_key.get(plain, []) if plain else []:
            found[image].append(name)
            break
    return dict(found)


def mask_folders(tree: Tree) -> list[str]:
    """The topmost folders whose names say that they hold masks."""
    found: list[str] = []
    for folder in tree.folders:
        above = parent(folder)
        if is_mask_word(base(folder)) and not any(is_mask_word(part) for part in above.split("/") if part):
            found.append(folder)
    return found


def in_mask_folder(name: str) -> bool:
    """Whether any folder above this file is one of masks."""
    return any(is_mask_word(part) for part in parent(name).split("/") if part)


def masks_in_folders(
    images: Sequence[str], masks: Sequence[str], places: Mapping[str, str] | None = None
) -> dict[str, list[str]]:
    """image -> its masks, which lie in folders of masks at the place where the image lies in its own folders.

    A mask is found when the rest of its path, without the folder of masks, ends an image's path, leaving out words
    such as "images", "good", "train"; a folder named like the image may hold several masks. Where more than one image
    fits, the one whose path has most in common is taken, and none if that is no single one. places: mask -> the path
    to compare in place of its own.
    """
    by_base: dict[str, list[str]] = defaultdict(list)
    for name in images:
        by_base[base(_key(name))].append(name)
    found: dict[str, list[str]] = defaultdict(list)
    for mask in masks:
        image = _image_of((places or {}).get(mask, mask), by_base)
        if image is not None:
            found[image].append(mask)
    return dict(found)


def _image_of(mask: str, by_base: dict[str, list[str]]) -> str | None:
    key = _key(mask)
    plain = plain_stem(mask)
    folder = parent(key)
    tries = [key, plain, folder] if folder and not is_mask_word(base(folder)) else [key, plain]
    for tried in tries:
        wanted = _places(tried)
        ranked = []
        for image in by_base.get(base(tried), []) if tried else []:
            places = _places(_key(image))
            if not _contradicts(wanted, places):
                ranked.append((_shared(wanted, places), image))
        ranked.sort()
        if ranked and (len(ranked) == 1 or ranked[-1][0] > ranked[-2][0]):
            return ranked[-1][1]
    return None


def _key(name: str) -> str:
    return name_key(stem(name))


def _places(key: str) -> list[str]:
    """The folders above a name, without those that say image or mask."""
    parts = parent(key).split("/") if "/" in key else []
    return [
        part for part in parts if not is_mask_word(part) and part not in ("images", "image", "imgs", "img")
    ]


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
