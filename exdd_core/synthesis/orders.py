"""What somebody asks to be painted (`Order`), and how one candidate was painted (`Recipe`).

Knows engines' settings, masks and seeds. Does not know the workspace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from exdd_core.errors import BadInput

MOST, MOST_CELLS = 2000, 36
MOST_SEED = 2**53  # what JSON keeps exactly in a browser


@dataclass(frozen=True)
class Order:
    """What somebody wants painted; all of it can be written as JSON.

    sources: ids of normal images, taken in turn; [] draws one at random for each painting. template: the prompt,
    with alternatives. each: `count` paintings of every prompt the template can become, instead of `count` in all.
    mask: a `MaskSpec` as JSON. donor: the real defect to transplant, "" for any. parent: the candidate this was
    edited from. axes: of a comparison, see `grid`.
    The i-th painting has the seed `seed + i`; in a batch another one where nothing came of that, see `_alone`.
    """

    dataset: str
    engine: str
    sources: list[str] = field(default_factory=list)
    template: str = ""
    negative_prompt: str = ""
    prompt_id: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    mask: dict[str, Any] = field(default_factory=dict)
    donor: str = ""
    count: int = 1
    each: bool = False
    seed: int = 0
    parent: str = ""
    defect_type: str = ""
    axes: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Order:
        """The inverse of `to_json`. Raises BadInput for what is no order."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise BadInput(f'An order has no "{unknown[0]}"; leave it out.')
        if not {"dataset", "engine"} <= set(values):
            raise BadInput("An order needs a data set and an engine.")
        return cls(**values)


@dataclass(frozen=True)
class Recipe:
    """One painting, with everything decided. `mask` is a `MaskSpec` as JSON, `donor` the id of what lends."""

    number: int
    dataset: str
    source: str
    engine: str
    template: str
    prompt: str
    negative_prompt: str
    prompt_id: str
    settings: dict[str, Any]
    mask: dict[str, Any]
    seed: int
    donor: str
    parent: str
    defect_type: str
    axes: list[dict[str, Any]]
