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
Ids = Annotated[list[Id], Field(min_length=1, max_length=10_000, description="ids of candidates")]
OF_BANK = "id or name of a bank version (default: the active one)"
Bank = Annotated[Id | None, Query(description=OF_BANK)]
NamedBank = Annotated[Id | None, Field(description=OF_BANK)]  # in a body
Limit = Annotated[int, Query(ge=1, le=10_000, description="maximum number of results")]
Offset = Annotated[int, Query(ge=0, le=2**53, description="number of results to skip")]


class Call(Spec):
    """The body of a call."""

    ABOUT = "This call"


class By(Call):
    """Who decides."""

    who: Id = Field(default="", description="who decides; replaced by the account if one is signed in")


class ScoreList(Call):
    """Which images to score: `list`, the key of a list, or `folder`, a folder that the server may read."""

    list: Id = ""
    folder: Text = ""
    bank: NamedBank = None


class Accept(By):
    """type: the defect type; null leaves it unchanged."""

    ids: Ids
    type: Id | None = None


class Reject(By):
    """reasons: such as unrealistic or artefact."""

    ids: Ids
    reasons: list[Id] = Field(default_factory=list)


class Activate(Call):
    """anyway: activate it even if it fails marked images or its figures got worse."""

    anyway: bool = False


class FindThreshold(By):
    """way: by false-alarm rate, by the largest F1, by cost, or by hand. list: the list whose scored images count, for
    F1 and cost. miss: the cost of a missed defect, in false alarms. value: the threshold on the version's own scale."""

    way: Way
    list: Id = ""
    rate: float = Field(default=0.02, gt=0, lt=1)
    miss: float = Field(default=10.0, gt=0)
    value: float = Field(default=1.0, gt=0, le=1000)
    bank: NamedBank = None


class UndoThreshold(By):
    """The version whose last threshold choice is undone."""

    bank: NamedBank = None


class Paint(Call):
    """What to paint, as in Studio. dataset, engine: null for the active data set and the default engine. prompt: may
    contain alternatives, as in {thin|wide} scratch. negative_prompt: what not to paint. images: ids of normal images to
    paint on, used in turn; [] draws them at random. settings: settings of the engine, by name, in its units. shape: the
    shape of generated masks, such as scratch; "" for masks like real defects. anywhere: place masks anywhere on the
    part. count: the number of paintings. each: paint `count` of every prompt that the alternatives allow. seed: the
    seed of the first painting; each further painting uses the next one. defect_type: the type of all painted
    defects."""

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
