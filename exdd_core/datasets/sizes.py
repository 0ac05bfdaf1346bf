"""Sizes of images as specifications say them.

Knows text. Does not know data sets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exdd_core.workspace.specs import Spec

if TYPE_CHECKING:
    from exdd_core.images import Size


def size_of(spec: Spec, keep_aspect: bool) -> Size:
    from exdd_core.images import Size

    return Size.parse(spec["size"], spec.get("keep_aspect", keep_aspect))
