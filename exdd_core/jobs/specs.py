"""The specifications of jobs that no lower room defines; `kinds.KINDS` lists all kinds.

Knows names and types. Does not know what a job does with them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import ConfigDict, Field

from exdd_core.errors import BadInput
from exdd_core.geometry import Size
from exdd_core.spec import Spec

if TYPE_CHECKING:
    from exdd_core.datasets import Choices


class _Tolerant(Spec):
    """Ignores unknown fields, which a job of another version of the program may have."""

    model_config = ConfigDict(extra="ignore")
    ABOUT: ClassVar[str] = "A job"


class ImportSpec(_Tolerant):
    """Import a source as a new data set with `name` and `size`, or add it to the data set `into`.

    source: path of a folder or zip file. upload: path of an uploaded zip file. size: of banks, such as "256x632".
    layout, groups, roles, depth, masks: `Choices` as JSON. who: the person who adds images.
    """

    source: str | None = None
    upload: str | None = None
    name: str | None = None
    size: str | None = None
    keep_aspect: bool | None = None
    into: str | None = None
    who: str = ""
    layout: str = "auto"
    groups: str | None = None
    roles: dict[str, str] = Field(default_factory=dict)
    depth: str | None = None
    masks: str | None = None

    @classmethod
    def of(
        cls, name: str | None, size: Size | None, choices: Choices, into: str | None = None, who: str = ""
    ) -> Self:
        """A specification without its source. None: the default."""
        groups = choices.groups
        if groups is not None and groups.kind == "csv":
            groups = replace(groups, value=str(Path(groups.value).expanduser().resolve()))
        told = replace(choices, groups=groups).to_json()
        keep_aspect = size.keep_aspect if size else None
        return cls(
            name=name, size=str(size) if size else None, keep_aspect=keep_aspect, into=into, who=who, **told
        )

    @property
    def place(self) -> str:
        """The path to read from. Raises `BadInput`."""
        found = self.upload or self.source
        if not found:
            raise BadInput("An import needs the path of a folder or a zip file; specify one.")
        return found

    @property
    def model_size(self) -> Size | None:
        return Size.parse(self.size, bool(self.keep_aspect)) if self.size else None

    @property
    def choices(self) -> Choices:
        """The choices as a value. Raises `BadInput` for invalid ones."""
        from exdd_core.datasets import Choices

        return Choices.from_json(self.model_dump())


class DemoSpec(_Tolerant):
    """The job takes no options."""


class ScoreSpec(_Tolerant):
    """Score a list. list: key of one of `Review.lists`. bank: id of a version, None for the active one."""

    list: str
    bank: str | None = None


class ExportSpec(_Tolerant):
    """Export panes as one zip file, or regions as COCO. ids: of images. bank: id of a version, None for the active."""

    ids: list[str]
    what: Literal["panes", "regions"] = "panes"
    bank: str | None = None


class ExportDatasetSpec(Spec):
    """Export a data set. The fields are the arguments of `exporting.export`."""

    ABOUT: ClassVar[str] = "An export"
    dataset: str | None = None
    layout: str
    target: str
    painted: bool = True
    marks: bool = True


class MapSpec(_Tolerant):
    """Compute a map by UMAP. bank: id of a version."""

    bank: str


class CompareSpec(_Tolerant):
    """Compare the candidates of a data set with its real defects. dataset: its name."""

    dataset: str
