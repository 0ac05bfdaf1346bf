"""Finds the images that annotation files name: by path, by the end of a path, or by their own name.

Knows names. Does not know formats or what is annotated.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict

from exdd_core.datasets.tree import Tree, base, name_key, parent, stem
from exdd_core.datasets.words import label_word, split_word


class Finder:
    """Finds the images that annotation files name: by path, by the end of a path, or by their own name."""

    def __init__(self, tree: Tree):
        self._by_key: dict[str, list[str]] = defaultdict(list)
        self._by_base: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for name in tree.images:
            self._by_key[name_key(name)].append(name)
            self._by_base[name_key(base(name))].append(name)
            self._by_stem[name_key(base(stem(name)))].append(name)

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
                if found := self._exact(posixpath.normpath(posixpath.join(start, end))):
                    return None if _contradicts(wanted, folder, found) else found
        if not anywhere:
            return None
        same = self._by_base.get(name_key(parts[-1])) or (
            self._by_stem.get(name_key(parts[-1]), []) if "." not in parts[-1] else []
        )
        fits = [name for name in same if not _contradicts(wanted, folder, name)]
        return fits[0] if len(fits) == 1 else None

    def of_stem(self, annotation: str) -> str | None:
        """The image with the stem of an annotation file, in its folder or else anywhere; None unless one
        fits."""
        same = self._by_stem.get(name_key(base(stem(annotation))), [])
        together = [name for name in same if parent(name) == parent(annotation)]
        fits = together or [name for name in same if not _contradicts(annotation, "", name)]
        return fits[0] if len(fits) == 1 else None

    def _exact(self, path: str) -> str | None:
        same = self._by_key.get(name_key(path), [])
        return path if path in same else same[0] if len(same) == 1 else None


def _contradicts(wanted: str, folder: str, image: str) -> bool:
    """Whether the folders of a wanted name and those of an image say different labels or sides of the
    split."""
    asked = [*folder.split("/"), *wanted.replace("\\", "/").split("/")[:-1]]
    for word in (label_word, split_word):
        said = {meaning for meaning in map(word, asked) if meaning}
        there = {meaning for meaning in map(word, parent(image).split("/")) if meaning}
        if said and there and not said & there:
            return True
    return False


def _parents(folder: str) -> list[str]:
    found = []
    while folder:
        folder = parent(folder)
        found.append(folder)
    return found
