"""The controls of an engine: names, ranges and defaults, from which pages build widgets and values are checked.

Knows names, types and ranges. Does not know widgets or what an engine does with a value.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import SupportsFloat, TypedDict

from exdd_core.errors import BadInput

Value = str | float | bool  # a control's value; to the type checker an integer is a float
Settings = Mapping[str, object]  # by a control's name, neither checked nor complete


class SharedSettings(TypedDict):
    """The settings of `shared_controls`, which every engine has, checked and complete."""

    geometry: str
    feather: float
    halo: int
    match_brightness: bool


@dataclass(frozen=True)
class Control:
    """One setting of an engine, with all that a widget or a check of its value needs.

    `kind` is "number", "integer", "choice", "switch" or "text"; `minimum` and `maximum` are included.
    """

    name: str
    title: str
    kind: str
    default: Value
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    help: str = ""
    unit: str = ""

    def read(self, value: object) -> Value:
        """Convert `value` to this control's type; numbers may be text. Raises `BadInput` that names the range."""
        if self.kind in ("number", "integer"):
            return self._number(value)
        if self.kind == "switch":
            return self._switch(value)
        if self.kind == "choice" and value not in self.choices:
            raise BadInput(
                f"{self.title} ({self.name}) cannot be {_said(value)}; choose {', '.join(self.choices)}."
            )
        if not isinstance(value, str):
            raise BadInput(f"{self.title} ({self.name}) must be text; {_said(value)} is not.")
        return value

    def _number(self, value: object) -> float | int:
        number = math.nan
        if isinstance(value, str | SupportsFloat) and not isinstance(value, bool):
            with contextlib.suppress(TypeError, ValueError):
                number = float(value)
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        whole = self.kind == "integer"
        # A comparison with nan is False, and infinity is neither a setting nor JSON.
        if not (low <= number <= high) or math.isinf(number) or (whole and number != int(number)):
            raise BadInput(
                f"{self.title} ({self.name}) cannot be {_said(value)}; it must be a {'whole ' if whole else ''}number"
                f"{self._range()}."
            )
        return int(number) if whole else number

    def _range(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if self.minimum is not None and self.maximum is not None:
            return f" from {self.minimum:g} to {self.maximum:g}{unit}"
        if self.minimum is not None:
            return f" of at least {self.minimum:g}{unit}"
        return f" of at most {self.maximum:g}{unit}" if self.maximum is not None else ""

    def _switch(self, value: object) -> bool:
        said = str(value).lower()
        if said not in ("true", "yes", "on", "1", "false", "no", "off", "0"):
            raise BadInput(f"{self.title} ({self.name}) must be on or off; {_said(value)} is neither.")
        return said in ("true", "yes", "on", "1")


def _said(value: object) -> str:
    """A value in a sentence: words in quotes, and "empty" for nothing."""
    if value is None or value == "":
        return "empty"
    return f'"{value}"' if isinstance(value, str) else str(value)


def shared_controls(
    geometry: str, feather: float, match_brightness: bool, halo: int = 0
) -> tuple[Control, ...]:
    """The controls that every engine has, with an engine's own defaults."""
    return (
        Control(
            "geometry",
            "Geometry",
            "choice",
            geometry,
            choices=("native", "paper"),
            help="native: a window around the mask in its own aspect ratio; paper: the whole image resized "
            "to a square and back",
        ),
        Control(
            "feather",
            "Feather",
            "number",
            feather,
            minimum=0,
            maximum=64,
            step=0.5,
            unit="px",
            help="width of the soft edge inside the mask; a wide edge makes thin defects faint",
        ),
        Control(
            "halo",
            "Halo",
            "integer",
            halo,
            minimum=0,
            maximum=16,
            step=1,
            unit="px",
            help="distance around the mask over which the painting fades out; no pixel changes beyond it",
        ),
        Control(
            "match_brightness",
            "Match brightness",
            "switch",
            match_brightness,
            help="shift the brightness of the painting so that it matches the surroundings just inside the mask's edge",
        ),
    )
