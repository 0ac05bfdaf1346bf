"""Annotation files that lie beside images, in plain folders: LabelMe's JSON, VOC's XML and YOLO's text.

Knows which formats there are. Knows nothing of folders' names.
"""

from __future__ import annotations

from exdd_core.datasets.record import Outline
from exdd_core.datasets.tree import Tree


def outlines_beside(tree: Tree) -> tuple[dict[str, tuple[Outline, ...]], frozenset[str]]:
    """image -> its outlines, of images that an annotation file beside them marks; and the files that were read."""
    return {}, frozenset()
