"""Finds the images that annotation files name: by path, by the end of a path, or by their own name.

Knows names. Does not know formats or what is annotated.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice

from exdd_core.datasets.tree import Tree, base, name_key, parent, stem
from exdd_core.datasets.words import label_word, split_word


class Spellings:
    """Finds a name among others by its own spelling first, else by the only one that differs in case or in Unicode's
    composition."""

    def __init__(self, names: Iterable[str]):
        self._same: dict[str, list[str]] = defaultdict(list)
        for name in names:
            self._same[name_key(name)].append(name)

    def find(self, wanted: str) -> str | None:
        same = self._same.get(name_key(wanted), [])
        return wanted if wanted in same else same[0] if len(same) == 1 else None


class Finder:
    """Finds the images that annotation files name: by path, by the end of a path, or by their own name."""

    def __init__(self, tree: Tree):
        self._paths = Spellings(tree.images)
        self._by_base: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        self._stems_in: dict[str, set[str]] = defaultdict(set)  # by folder
        self._folders_of: dict[str, list[str]] = defaultdict(list)  # by the name of any folder in their path
        self._shared: dict[tuple[str, str], list[str]] = {}  # by two folders
        for name in tree.images:
            self._by_base[name_key(base(name))].append(name)
            self._by_stem[name_key(base(stem(name)))].append(name)
            self._stems_in[parent(name)].add(name_key(base(stem(name))))
        for folder in self._stems_in:
            for part in set(name_key(folder).split("/")) - {""}:
                self._folders_of[part].append(folder)

    def find(self, wanted: str, folder: str = "", anywhere: bool = True) -> str | None:
        """The image that a file in `folder` calls `wanted`, with any slashes; None unless exactly one fits.

        anywhere: the image's own name is enough, unless names of folders contradict it; else the folder above
        it must fit as well.
        """
        parts = [part for part in wanted.replace("\\", "/").split("/") if part not in ("", ".")]
        if not parts:
            return None
        ends = ["/".join(parts[start:]) for start in range(len(parts))]
        above = [folder, *_parents(folder)]
        for end in ends if anywhere else [ends[0], *(end for end in ends[1:] if "/" in end)]:
            for start in (*above, *(posixpath.join(place, "images") for place in above)):
                if found := self._paths.find(posixpath.normpath(posixpath.join(start, end))):
                    named_whole = end == ends[0]
                    return None if self.contradicts(wanted, found, folder, named_whole) else found
        if not anywhere:
            return None
        same = self._by_base.get(name_key(parts[-1])) or (
            self._by_stem.get(name_key(parts[-1]), []) if "." not in parts[-1] else []
        )
        fits = list(islice((name for name in same if not self.contradicts(wanted, name, folder)), 2))
        return fits[0] if len(fits) == 1 else None

    def of_stem(self, annotation: str) -> str | None:
        """The image with the stem of an annotation file, in its folder or else anywhere; None unless one
        fits."""
        same = self._by_stem.get(name_key(base(stem(annotation))), [])
        together = [name for name in same if parent(name) == parent(annotation)]
        fits = together or [name for name in same if not self.contradicts(annotation, name)]
        return fits[0] if len(fits) == 1 else None

    def contradicts(self, wanted: str, image: str, folder: str = "", named_whole: bool = False) -> bool:
        """Whether folders say that a path which a file in `folder` names is not an image: another label, another side
        of the split, or another folder of images that has names in common with the image's, so that a name alone says
        nothing. named_whole: the path leads to the image, whatever other folders hold."""
        above = wanted.replace("\\", "/").split("/")[:-1]
        asked = [*folder.split("/"), *above]
        for said, there in zip(_meanings("/".join(asked)), _meanings(parent(image)), strict=True):
            if said and there and not said & there:
                return True
        if named_whole:
            return False
        own = name_key(parent(image)).split("/")
        return any(
            part not in own and self._shares_names(part, image)
            for part in map(name_key, above or folder.split("/"))
        )

    def _shares_names(self, part: str, image: str) -> bool:
        """Whether images below a folder of this name have the same names as others in the image's folder."""
        own = name_key(base(stem(image)))
        return any(
            shared != own
            for folder in self._folders_of.get(part, [])
            for shared in self._shared_by(parent(image), folder)
        )

    def _shared_by(self, one: str, other: str) -> list[str]:
        """Up to two names that images in both folders have; a third would tell no more."""
        if (one, other) not in self._shared:
            few, many = sorted((self._stems_in[one], self._stems_in[other]), key=len)
            self._shared[one, other] = list(islice((name for name in few if name in many), 2))
        return self._shared[one, other]


@lru_cache(maxsize=1 << 16)
def _meanings(folder: str) -> tuple[frozenset[str], frozenset[str]]:
    """The labels and the sides of the split that the names in a folder's path say."""
    parts = folder.split("/")
    labels, sides = (frozenset(filter(None, map(word, parts))) for word in (label_word, split_word))
    return labels, sides


def _parents(folder: str) -> list[str]:
    found = []
    while folder:
        folder = parent(folder)
        found.append(folder)
    return found
