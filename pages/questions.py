"""What a page's script may ask: the base of the questions, and the kinds of fields that they have.

The questions of each page are in its own file of this name. Knows JSON. Does not know what is answered.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from exdd_core.spec import Spec

# The id of a thing, or a person's name.
Id = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
Text = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*$")]
Layer = Annotated[str, StringConstraints(max_length=64 << 20)]  # a PNG as a data URL; "" for none
Ids = Annotated[list[Id], Field(max_length=200_000)]
Few = Annotated[list[Id], Field(max_length=100)]
Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]  # as far as a browser counts exactly
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Number = Annotated[float, Field(ge=-1e9, le=1e9)]
Side = Annotated[int, Field(ge=1, le=65_536)]  # pixels
Setting = bool | int | float | Text
Settings = Annotated[dict[Id, Setting], Field(max_length=100)]


class Part(Spec):
    """A part of what a script asks: JSON of exactly these fields and types. null stands for a field's default."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    ABOUT = "This call"


class Question(Part):
    """What a script asks. dataset: the data set that the browser's tab works on; "" for the active one."""

    dataset: Id = ""


class One(Question):
    """One thing of those that a page shows."""

    id: Id


class Named(One):
    """One thing and its new name."""

    name: Id
