"""The options of a build.

Knows names, types and bounds. Does not know how a bank is built.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from exdd_core.detector.options import DetectorOptions
from exdd_core.errors import BadInput

if TYPE_CHECKING:  # imported by what needs them: --help reads the fields without numpy
    from exdd_core.detector import Settings
    from exdd_core.geometry import Size
    from exdd_core.workspace import DatasetInfo, Workspace

POSITIVES = ("real", "synthetic", "both", "none")


class BankOptions(DetectorOptions):
    """From what and how a bank is made; None is the default of the data set, the workspace or the detector.

    state: of the data set; None is as it is now. max_real_parts: at most that many defective parts. size: "256x632",
    width x height of the model's input in pixels; keep_aspect: images are letterboxed into it instead of stretched.
    """

    ABOUT: ClassVar[str] = "A bank"
    dataset: str | None = Field(
        default=None, title="data set", description="data set (default: the active one)"
    )
    state: int | None = Field(default=None, title="state of the data set")
    max_real_parts: int | None = Field(
        default=None,
        ge=0,
        title="number of defective parts",
        description="learn from at most M defective parts",
    )
    size: str | None = Field(
        default=None, description="size of the model's input, width x height (default: the data set's)"
    )
    keep_aspect: bool | None = Field(default=None, title="choice to keep the aspect ratio")
    backbone: str | None = Field(default=None, description="backbone (default: the workspace's)")
    without_missing: bool = Field(default=False, title="choice to continue without missing or replaced files")
    fusion: str | None = Field(
        default=None, description="how distances become a score (default: chosen to suit the available data)"
    )

    @model_validator(mode="before")
    @classmethod
    def _split_size(cls, values: object) -> object:  # whatever a program sends
        if not isinstance(values, dict) or not hasattr(values.get("size"), "keep_aspect"):
            return values
        size = values["size"]
        return {**values, "size": str(size), "keep_aspect": size.keep_aspect}

    @field_validator("size")
    @classmethod
    def _check_size(cls, size: str | None) -> str | None:
        from exdd_core.geometry import Size

        return str(Size.parse(size)) if size else None

    @field_validator("backbone")
    @classmethod
    def _check_backbone(cls, name: str | None) -> str | None:
        from exdd_core.detector import backbones

        if name and name != "auto":
            backbones.choose(name)
        return name

    def size_on(self, info: DatasetInfo) -> Size:
        """The size of the model's input on a data set, which gives what is left out here."""
        from exdd_core.geometry import Size

        if not self.size:
            return info.size
        return Size.parse(self.size, info.size.keep_aspect if self.keep_aspect is None else self.keep_aspect)

    def settings_on(self, info: DatasetInfo, backbone: str) -> Settings:
        """A detector's settings on a data set, with a backbone by its name. Raises `BadInput`."""
        from exdd_core.detector import Settings

        names = ("negative_ratio", "positive_ratio", "fusion", "likeness", "region_area", "region_gap")
        given = {name: getattr(self, name) for name in names}
        return Settings(
            backbone=backbone,
            size=self.size_on(info),
            seed=self.seed,
            depth=info.depth,
            **{name: value for name, value in given.items() if value is not None},
        )


class BuildOptions(BankOptions):
    """Everything that a build takes, which is also the specification of the job "build".

    positives: which defects teach the positive bank, one of `POSITIVES`: real ones, accepted synthetic ones, both or
    none. activate: make the new version the active one. who: whoever asked for it. made_for: the measurement that
    builds the version for itself, "" where a person does. state, keep_aspect: as in `BankOptions`. without_missing:
    leave out files that are lost or were replaced.
    """

    ABOUT: ClassVar[str] = "A build"
    positives: str = Field(
        default="real", description="defects to learn from: real, synthetic, both or none (default: real)"
    )
    false_alarm_rate: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        title="false-alarm rate",
        description="share of held-out normal images that may lie above the threshold (default: 0.02)",
    )
    activate: bool = True
    who: str = ""
    made_for: SkipJsonSchema[str] = ""

    def settings_on(self, info: DatasetInfo, backbone: str) -> Settings:
        settings = super().settings_on(info, backbone)
        rate = self.false_alarm_rate
        return settings if rate is None else dataclasses.replace(settings, false_alarm_rate=rate)

    @field_validator("fusion")
    @classmethod
    def _check_fusion(cls, name: str | None) -> str | None:
        from exdd_core.detector import fusion

        if name and name != "auto":
            fusion.by_name(name)
        return name

    @field_validator("positives")
    @classmethod
    def _check_positives(cls, positives: str) -> str:
        if positives not in POSITIVES:
            raise BadInput(
                f'The defects to learn from cannot be "{positives}"; choose {", ".join(POSITIVES)}.'
            )
        return positives


def rebuild_spec(workspace: Workspace, id: str | None = None, who: str = "") -> BuildOptions:
    """The options that build a version (None: the active one) again, from what is known and decided now."""
    from exdd_core.workspace import candidates

    version = workspace.bank(id)
    kept = version.settings
    positives = kept.get("positives", "real")
    if positives == "real" and candidates.count(workspace, version.dataset, "accepted"):
        positives = "both"  # accepted defects have joined the bank since, and stay
    names = ("max_real_parts", "seed", "negative_ratio", "positive_ratio", "size", "keep_aspect", "likeness")
    more = ("backbone", "fusion", "false_alarm_rate", "region_area", "region_gap")
    given = {name: kept.get(name) for name in (*names, *more)}
    return BuildOptions.from_json({**given, "dataset": version.dataset, "positives": positives, "who": who})
