"""What a person sets about a detector, with the bounds that hold for command line, pages, jobs and `Settings` alike.

Knows names, types and bounds, and imports no numpy: --help reads the fields. Does not know what a detector does.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from exdd_core.spec import LARGEST_SEED, Spec


def _share(bank: str, patches: str) -> Any:
    title, description = f"{bank} kept share", f"share of {patches} patches to keep, above 0 and up to 1"
    return Field(default=None, gt=0, le=1, title=title, description=description)


class DetectorOptions(Spec):
    """Settings of a detector with bounds.

    seed: of the rows that are kept and of the folds. The ratios are the shares of patches kept, (0, 1]. likeness:
    how much painted defects look like the user's own, (0, 1]. region_area, region_gap: see
    `anomaly_regions.RegionRules`. None is the default of `Settings`.
    """

    seed: int = Field(
        default=0,
        ge=0,
        le=LARGEST_SEED,
        title="seed",
        description="seed for choosing the rows to keep and the folds (default: 0)",
    )
    negative_ratio: float | None = _share("negative", "normal")
    positive_ratio: float | None = _share("positive", "defect")
    likeness: float | None = Field(
        default=None,
        gt=0,
        le=1,
        title="likeness of painted defects",
        description="how much painted defects look like yours, above 0 and up to 1; used until real defects "
        "can check it",
    )
    region_area: int | None = Field(
        default=None,
        ge=0,
        title="smallest region",
        description="leave out regions with fewer pixels (of the model's input) than this (default: 0)",
    )
    region_gap: int | None = Field(
        default=None,
        ge=0,
        le=1000,
        title="gap between regions",
        description="join regions that are at most this many pixels (of the model's input) apart (default: 0)",
    )
