"""The mask of one painting: from a `MaskSpec` to pixels, and whether a defect can be painted there.

Knows specs, lenders' masks, the part and the region of interest as arrays. Does not know files, data sets,
which split may lend a mask, or what is painted.
"""

from __future__ import annotations

import numpy as np

from exdd_core.errors import BadInput
from exdd_core.synthesis.foreground import foreground
from exdd_core.synthesis.mask_geometry import Array, stretched
from exdd_core.synthesis.mask_shapes import generate
from exdd_core.synthesis.mask_spec import MaskSpec
from exdd_core.synthesis.placing import place, varied

# Largest share of the part's area that a mask may cover: an engine has to see some of the surface. The largest
# real defect in the data sets we know covers 49 %.
TOO_LARGE = 0.75
ON_PART = 0.5  # the share of a mask that has to lie on the part


def realise(
    spec: MaskSpec, image: Array, seed: int, lender: Array | None = None, region: Array | None = None
) -> Array:
    """The mask for one painting of `image` (H, W, 3): bool (H, W), the same for the same arguments.

    lender: the bool mask that `spec.file` or `spec.image` names, of any size. A drawn or uploaded one is
    stretched to the image; a real one keeps its pixels. seed: used with `spec.vary` only. region: the region of
    interest, bool (H, W), None where everything counts. A varied mask lies on the part and in the region; any
    other keeps its position, and `check` and `within` treat what is outside the region. Raises `BadInput` where
    a mask is needed and is missing or empty, and where nothing of the part is in the region.
    """
    shape = image.shape[:2]
    if spec.source == "generated":
        if spec.vary:
            return varied(spec, image, seed, None, region)
        return generate(spec, shape)
    if lender is None:
        raise BadInput(
            "No mask was drawn or chosen; draw one, borrow one from a real defect or generate one."
        )
    if spec.source != "real":
        lender = stretched(lender, shape)
    if not lender.any():
        raise BadInput("The mask is empty; paint where the defect should be.")
    if spec.vary:
        return varied(spec, image, seed, lender, region)
    if spec.source == "real":
        return place(lender, shape, spec.x, spec.y, spec.angle, spec.scale, spec.flip)
    return lender.copy()


def check(mask: Array, image: Array, region: Array | None = None) -> None:
    """Raise `BadInput` where no defect can be painted into `mask`, bool (H, W), of `image`, (H, W, 3).

    region: the region of interest, bool (H, W), outside of which the mask does not count; None where everything
    counts.
    """
    if mask.shape != image.shape[:2]:
        (height, width), (wanted_height, wanted_width) = mask.shape, image.shape[:2]
        raise BadInput(
            f"The mask is {width} x {height} pixels but the image is {wanted_width} x {wanted_height}; "
            "use a mask of the image's size."
        )
    if not mask.any():
        raise BadInput("The mask is empty; paint where the defect should be.")
    mask = within(mask, region)[0]
    if not mask.any():
        raise BadInput(
            "The mask lies outside the region of interest, in an area that is ignored; paint it inside the region."
        )
    part = foreground(image)
    on_part = np.count_nonzero(mask & part)
    if on_part < ON_PART * np.count_nonzero(mask):
        raise BadInput("The mask lies outside the part, on the background; paint it onto the part.")
    if on_part > TOO_LARGE * np.count_nonzero(part):
        raise BadInput(
            f"The mask covers {100 * on_part / np.count_nonzero(part):.0f} % of the part, which leaves too "
            f"little of its surface for comparison; paint at most {100 * TOO_LARGE:.0f} % of it."
        )


def within(mask: Array, region: Array | None) -> tuple[Array, str]:
    """A mask, bool (H, W), cut to the region of interest, and a sentence on what was cut off or ""."""
    if region is None or not (mask & ~region).any():
        return mask, ""
    share = np.count_nonzero(mask & ~region) / np.count_nonzero(mask)
    cut = "Less than 1 %" if share < 0.01 else f"{100 * share:.0f} %"
    return mask & region, f"{cut} of the mask lay outside the region of interest and was left out."
