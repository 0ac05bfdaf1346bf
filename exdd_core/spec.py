"""What somebody asks for, as a value: the command line, pages, jobs and the API read it alike.

Knows pydantic, and says in one sentence what is wrong with a value. Does not know what is asked for.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from exdd_core.errors import BadInput

Json = dict[str, object]
"""A JSON object whose keys are known only to whoever wrote it, such as an engine's settings."""
LARGEST_SEED = 2**32 - 1  # that every random number generator accepts
LONGEST = 80  # characters of a value that a sentence repeats
NO_NULLS = "text without null characters"
WANTED = {  # what fits, by pydantic's names of what is wrong
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "string_pattern_mismatch": NO_NULLS,
}


class Spec(BaseModel):
    """A frozen value; null stands for a field's default. Raises `BadInput` for what no field takes.

    A field's title names it in sentences, its description is the command line's help, and its bounds hold everywhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    ABOUT: ClassVar[str] = "This"  # what a sentence calls the value

    def __init__(self, /, **values: Any):
        fields = type(self).model_fields
        given = {
            name: value
            for name, value in values.items()
            if value is not None or (name in fields and fields[name].default is None)
        }
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise BadInput(_sentence(type(self), error)) from None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises `BadInput`."""
        return cls(**values)

    def to_json(self) -> Json:
        """What was given, ready for JSON; what was left out stays left out."""
        return self.model_dump(mode="json", exclude_unset=True)


def bound(field: FieldInfo, kind: type[Ge | Gt | Le | Lt]) -> Any:
    """A field's bound of this kind, None where it has none."""
    found = next((one for one in field.metadata if isinstance(one, kind)), None)
    return None if found is None else getattr(found, kind.__name__.lower())


def types(field: FieldInfo) -> tuple[Any, ...]:
    """The types that a field takes, such as (int, NoneType) of `int | None`, without their bounds."""
    found = typing.get_args(field.annotation) or (field.annotation,)
    return tuple(typing.get_args(one)[0] if hasattr(one, "__metadata__") else one for one in found)


def _sentence(spec: type[Spec], error: ValidationError) -> str:
    """What is wrong with the first value that cannot be used, and what to give in its place."""
    first = error.errors()[0]
    name = str(first["loc"][0])[:LONGEST] if first["loc"] else ""
    if first["type"] == "value_error":  # raised by a validator of ours
        return str(first["ctx"]["error"])
    if first["type"] == "extra_forbidden":
        return f'{spec.ABOUT} has no "{name}"; leave it out.'
    if name not in spec.model_fields:
        return f"{spec.ABOUT} must be an object with named fields."
    title = spec.model_fields[name].title or name.replace("_", " ")
    if first["type"] == "missing":
        return f"{spec.ABOUT} needs the {title}."
    of = "One of the" if len(first["loc"]) > 1 and first["type"].startswith("string") else "The"
    if first["type"] in ("string_too_long", "too_long"):
        return f"{of} {title} is too long; the maximum is {first['ctx']['max_length']:,}."
    if first["type"] in ("string_too_short", "too_short"):
        return f"{of} {title} is too short; the minimum is {first['ctx']['min_length']:,}."
    given, wanted = first["input"], WANTED.get(first["type"]) or _wanted(spec.model_fields[name])
    words = "empty" if given in (None, "") else given if isinstance(given, str) else repr(given)
    return f"{of} {title} is {words[:LONGEST]}; it must be {wanted}."


def _wanted(field: FieldInfo) -> str:
    """What a field takes in words, such as "a number above 0 and up to 1"."""
    if choices := [one for one in types(field) if isinstance(one, str)]:
        return f"one of {', '.join(choices)}"
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    word = next((names[one] for one in types(field) if one in names), "a different kind of value")
    above, least, most, below = (bound(field, kind) for kind in (Gt, Ge, Le, Lt))
    if above is not None:
        word += f" above {above}"
    if least is not None:
        word += f" from {least}" if most is not None or below is not None else f", {least}"
    if most is not None:
        return f"{word} {'to' if least is not None else 'and up to' if above is not None else 'up to'} {most}"
    if below is not None:
        return f"{word} {'and' if above is not None else 'to'} below {below}"
    return word + (" or more" if least is not None else "")
