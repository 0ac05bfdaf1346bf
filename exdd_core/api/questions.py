"""What calls of the API bring, besides what rooms have models of themselves (`BuildOptions`).

Knows names, types and bounds. Does not know what is answered.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import Field, StringConstraints

from exdd_core.spec import Spec
from exdd_core.workspace.thresholds import Way

Id = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
Text = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*$")]
Ids = Annotated[list[Id], Field(min_length=1, max_length=10_000, description="of candidates")]
OF_BANK = "id or name of a bank version; default: the active one"
Bank = Annotated[Id | None, Query(description=OF_BANK)]
NamedBank = Annotated[Id | None, Field(description=OF_BANK)]  # in a body
Limit = Annotated[int, Query(ge=1, le=10_000, description="at most so many")]
Offset = Annotated[int, Query(ge=0, description="without the first so many")]


class Call(Spec):
    """A call's body."""

    ABOUT = "This call"


class By(Call):
    """Who decides."""

    who: Id = Field(
        default="", description="who decides; where somebody is signed in, the account stands in its place"
    )


class ScoreList(Call):
    """Which images to score: the `list` of that key, or a `folder` that the server may read."""

    list: Id = ""
    folder: Text = ""
    bank: NamedBank = None


class Accept(By):
    """type: the defect's type; None leaves it as it is."""

    ids: Ids
    type: Id | None = None


class Reject(By):
    """reasons: such as unrealistic or artefact."""

    ids: Ids
    reasons: list[Id] = Field(default_factory=list)


class Activate(Call):
    """anyway: though it fails marked images or its figures fell."""

    anyway: bool = False


class FindThreshold(By):
    """way: by a rate of false alarms, the largest F1, costs, or by hand. list: whose scored images count, for F1 and
    cost. miss: what a missed defect costs, in false alarms. value: on the version's own scale."""

    way: Way
    list: Id = ""
    rate: float = Field(default=0.02, gt=0, lt=1)
    miss: float = Field(default=10.0, gt=0)
    value: float = Field(default=1.0, gt=0, le=1000)
    bank: NamedBank = None


class UndoThreshold(By):
    """Whose threshold is taken back."""

    bank: NamedBank = None


class Paint(Call):
    """What to paint, as in an order of the Studio. dataset, engine: null for the active and the default one. prompt:
    with alternatives, as in {thin|wide} scratch; negative_prompt: what not to paint. images: ids of normal images to
    paint on, used in turn; [] draws them. settings: of the engine, by name, with its units. shape: of generated
    masks, such as scratch; "" for masks like real defects. anywhere: masks lie anywhere on the part. each: `count` of
    every prompt of the alternatives. seed: of the first painting; each further one has the next. defect_type: of all
    of them."""

    dataset: Id | None = None
    engine: Id | None = None
    prompt: Text = ""
    negative_prompt: Text = ""
    images: list[Id] = Field(default_factory=list)
    settings: dict[Id, bool | int | float | Text] = Field(default_factory=dict)
    shape: Id = ""
    anywhere: bool = False
    count: int = Field(default=10, ge=1)
    each: bool = False
    seed: int = Field(default=0, ge=0)
    defect_type: Id = ""
