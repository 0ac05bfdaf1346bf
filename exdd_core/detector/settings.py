"""Everything a person may set about a detector.

Knows the names of backbones and fusions, image sizes and bit depths. Does not know images, features or banks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from exdd_core import picture
from exdd_core.depth import Depth
from exdd_core.detector import fusion
from exdd_core.detector.options import DetectorOptions
from exdd_core.errors import BadInput
from exdd_core.geometry import Size

EMBEDDED = "efficientnet_lite0"  # the backbone whose weights come with the packages


class SizeState(TypedDict):
    """`Size` as JSON."""

    width: int
    height: int
    keep_aspect: bool


class SettingsState(TypedDict):
    """`Settings` as JSON."""

    backbone: str
    size: SizeState
    negative_ratio: float
    positive_ratio: float
    fusion: str
    false_alarm_rate: float
    seed: int
    depth: str | None
    likeness: float | None
    region_area: int
    region_gap: int


@dataclass(frozen=True)
class Settings:
    """Everything a person may set about a detector. Raises `BadInput` for values out of range.

    negative_ratio: share of normal patches in the negative bank. positive_ratio: share of defect patches in
    the positive bank, which never has fewer than `change.FEWEST_POSITIVE_ROWS` of them. fusion: a name, or
    "auto". false_alarm_rate: share of held-out normal images that may score above the threshold. likeness: how much
    painted defects look like the user's own, 0 to 1, by a person's word; it counts until a real defect is known that
    they can be tried on. None where nobody said so. region_area, region_gap: of the regions that a verdict lists
    (`anomaly_regions.RegionRules`). depth: by which images of more than 8 bits a channel are read; None where the
    bank was built from none.
    by_brightest: the bank is older than stored depths, and each such image is read by its brightest values.
    """

    backbone: str = EMBEDDED
    size: Size = Size(256, 256)
    negative_ratio: float = 0.01
    positive_ratio: float = 0.10
    fusion: str = "auto"
    false_alarm_rate: float = 0.02
    seed: int = 0
    depth: Depth | None = None
    likeness: float | None = None
    region_area: int = 0
    region_gap: int = 0
    by_brightest: bool = False

    def __post_init__(self) -> None:
        DetectorOptions(
            seed=self.seed,
            negative_ratio=self.negative_ratio,
            positive_ratio=self.positive_ratio,
            likeness=self.likeness,
            region_area=self.region_area,
            region_gap=self.region_gap,
        )
        if not 0 < self.false_alarm_rate < 1:
            raise BadInput(
                f"The false-alarm rate is {self.false_alarm_rate}; it must be a number between 0 and 1."
            )
        if self.fusion != "auto":
            fusion.by_name(self.fusion)

    def to_json(self) -> SettingsState:
        size = self.size
        return {
            "backbone": self.backbone,
            "size": {"width": size.width, "height": size.height, "keep_aspect": size.keep_aspect},
            "negative_ratio": self.negative_ratio,
            "positive_ratio": self.positive_ratio,
            "fusion": self.fusion,
            "false_alarm_rate": self.false_alarm_rate,
            "seed": self.seed,
            "depth": str(self.depth) if self.depth else None,
            "likeness": self.likeness,
            "region_area": self.region_area,
            "region_gap": self.region_gap,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Settings:
        """Settings from what `to_json` gave; versions from before stored depths have no key "depth"."""
        depth = Depth.parse(values["depth"]) if values.get("depth") else None
        told = {"size": Size(**values["size"]), "depth": depth, "by_brightest": "depth" not in values}
        return cls(**{**values, **told})

    def read(self, path: str | Path) -> np.ndarray:
        """Read an image file as the bank's own were read: uint8 (H, W, 3) RGB. Raises `BadInput`."""
        return picture.read(Path(path), None, self.depth, self.by_brightest).pixels
