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

    def find(self, wanted: str, beside: str = "", anywhere: bool = True) -> str | None:
        """The image that a file in the folder `beside` calls `wanted`, with any slashes; None where no single one fits.

        anywhere: its own name is enough, unless the folders' names contradict it; else one folder above must fit too.
        """
        parts = [part for part in wanted.replace("\\", "/").split("/") if part not in ("", ".")]
        if not parts:
            return None
        ends = ["/".join(parts[start:]) for start in range(len(parts))]
        above = [beside, *_parents(beside)]
        for end in ends if anywhere else [ends[0], *(end for end in ends[1:] if "/" in end)]:
            for folder in (*above, *(posixpath.join(place, "images") for place in above)):
                if found := self._exact(posixpath.normpath(posixpath.join(folder, end))):
                    return None if _contradicts(wanted, beside, found) else found
        if not anywhere:
            return None
        same = self._by_base.get(name_key(parts[-1])) or (
            self._by_stem.get(name_key(parts[-1]), []) if "." not in parts[-1] else []
        )
        fits = [name for name in same if not _contradicts(wanted, beside, name)]
        return fits[0] if len(fits) == 1 else None

    def of_stem(self, annotation: str) -> str | None:
        """The image beside an annotation file, or else anywhere, that has its name but for the suffix."""
        same = self._by_stem.get(name_key(base(stem(annotation))), [])
        beside = [name for name in same if parent(name) == parent(annotation)]
        fits = beside or [name for name in same if not _contradicts(annotation, "", name)]
        return fits[0] if len(fits) == 1 else None

    def _exact(self, path: str) -> str | None:
        same = self._by_key.get(name_key(path), [])
        return path if path in same else same[0] if len(same) == 1 else None


def _contradicts(wanted: str, beside: str, image: str) -> bool:
    """Whether the folders of a name that was looked for and of an image say different labels or sides."""
    asked = [*beside.split("/"), *wanted.replace("\\", "/").split("/")[:-1]]
    for word in (label_word, split_word):
        said = {told for told in map(word, asked) if told}
        there = {told for told in map(word, parent(image).split("/")) if told}
        if said and there and not said & there:
            return True
    return False


def _parents(folder: str) -> list[str]:
    found = []
    while folder:
        folder = parent(folder)
        found.append(folder)
    return found
