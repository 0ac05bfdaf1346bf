"""What to paint (`Order`), and how one candidate was painted (`Recipe`), as values.

Knows engines' settings, masks and seeds. Does not know the workspace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NotRequired, TypedDict

from exdd_core.errors import BadInput
from exdd_core.synthesis.controls import Settings
from exdd_core.synthesis.mask_spec import MaskSpec

MOST, MOST_CELLS = 2000, 36  # paintings of an order, cells of a comparison
MOST_SEED = 2**53  # the largest whole number that a browser reads exactly from JSON


class Axis(TypedDict):
    """One axis of a comparison: the setting that varies, and its values. index: of one recipe's value."""

    name: str
    values: list[Any]
    index: NotRequired[int]


@dataclass(frozen=True)
class Order:
    """What to paint; all of it can be written as JSON.

    sources: ids of normal images, used in turn; with [] each painting draws one at random. template: the prompt,
    with alternatives. each: `count` paintings of every prompt of the template, instead of `count` in all. mask:
    a `MaskSpec` as JSON. donor: the real defect to transplant, "" for any. parent: the candidate that this order
    varies. axes: those of a comparison. search: spend `count` paintings on the axes' values, and the template's
    prompts, that turn out to be of use (`curation.searching`). The i-th painting has the seed `seed + i`; a batch
    tries another seed where that one changes nothing visible.
    """

    dataset: str
    engine: str
    sources: list[str] = field(default_factory=list)
    template: str = ""
    negative_prompt: str = ""
    prompt_id: str = ""
    settings: Settings = field(default_factory=dict)
    mask: Mapping[str, object] = field(default_factory=dict)
    donor: str = ""
    count: int = 1
    each: bool = False
    seed: int = 0
    parent: str = ""
    defect_type: str = ""
    axes: list[Axis] = field(default_factory=list)
    search: bool = False

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Order:
        """The inverse of `to_json`. Raises `BadInput` for unknown or unreadable fields."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise BadInput(f'An order has no "{unknown[0]}"; leave it out.')
        if not {"dataset", "engine"} <= set(values):
            raise BadInput("An order needs a data set and an engine.")
        return cls(**values)


@dataclass(frozen=True)
class Recipe:
    """All that one painting depends on. donor: the id of the image that lends a mask or a defect."""

    number: int
    dataset: str
    source: str
    engine: str
    template: str
    prompt: str
    negative_prompt: str
    prompt_id: str
    settings: Settings
    mask: MaskSpec
    seed: int
    donor: str
    parent: str
    defect_type: str
    axes: list[Axis]
