"""Checks that arrays read from disk can be those of a bank: types, shapes, ranges, finite values.

So damage shows even in folders without digests of their files. Knows what each array stands for. Does not know files,
and cannot tell one plausible value from another.
"""

from __future__ import annotations

import numpy as np

from exdd_core.errors import BadInput


class Damaged(BadInput):
    """A stored detector is not what was stored. what: a clause that says where, for a sentence of the caller's."""

    def __init__(self, what: str):
        super().__init__(f"This bank version is damaged: {what}; build it again.")
        self.what = what


def require(healthy: bool, what: str) -> None:
    """Raise `Damaged` with the clause `what` where something is not healthy."""
    if not healthy:
        raise Damaged(what)


def require_bank_arrays(name: str, arrays: dict[str, np.ndarray], images: int) -> None:
    """Raise `Damaged` unless these are the arrays of a bank of `images` images, as `Bank.save` writes them."""
    rows, image, position = arrays["rows"], arrays["image"], arrays["position"]
    require(rows.dtype == np.float32 and rows.ndim == 2, f"the rows in {name} are not float32 (n, d)")
    require(
        image.dtype == np.int32 and image.shape == (len(rows),), f"the images in {name} are not int32 (n,)"
    )
    same = position.dtype == np.int16 and position.shape == (len(rows), 2)
    require(same, f"the positions in {name} are not int16 (n, 2)")
    require(bool(np.isfinite(rows).all()), f"{name} holds features that are not finite")
    named = not len(image) or 0 <= image.min() <= image.max() < images
    require(bool(named), f"{name} holds rows of images that it does not name")
    around = arrays.get("beside")
    if around is not None:
        fits = around.dtype == np.float32 and around.ndim == 2 and len(around) == len(rows)
        require(fits, f"the surroundings in {name} are not float32 (n, e)")
        there = np.isfinite(around)  # a row whose surroundings are not known has NaN in every column
        whole = there.all(1) | np.isnan(around).all(1)
        require(bool(whole.all()), f"{name} holds surroundings that are not finite")
