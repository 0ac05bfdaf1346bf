"""Data sets of several categories, each of which is one data set of its own, such as those of MVTec AD and
VisA.

Knows folders. Does not know what makes a folder a category of a layout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from exdd_core.datasets.tree import Tree
from exdd_core.errors import BadInput
from exdd_core.sentences import count


def detect_category(
    tree: Tree, is_category: Callable[[Tree, str], bool], categories: Callable[[Tree], list[str]]
) -> bool:
    """Whether the root of a tree is a category or holds some.

    A root with a single folder and no image is no match: detection goes on with that folder.
    """
    if is_category(tree, ""):
        return True
    alone = len(tree.subfolders()) == 1 and not tree.directly_in("")
    return bool(categories(tree)) and not alone


def choose_one(tree: Tree, names: Sequence[str], what: str) -> BadInput:
    """The error for a root that holds several categories of the data set `what`."""
    many = count(len(names), "category", "categories")
    return BadInput(
        f"{tree.root} holds {many} of {what} ({', '.join(names)}); choose one, such as "
        f"{tree.root / names[0]}."
    )
