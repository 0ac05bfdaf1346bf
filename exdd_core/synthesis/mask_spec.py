"""The description of a mask (`MaskSpec`), which can be written as JSON, and the sliders that set it.

Positions are shares of the image (0 to 1 from its left and top edge), lengths and widths of generated shapes are
percent of the image's shorter side, angles are degrees, clockwise on the screen. Knows names, ranges and
defaults. Does not know pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from exdd_core.errors import BadInput
from exdd_core.spec import Json
from exdd_core.synthesis.controls import Control
from exdd_core.synthesis.prior import Place

SOURCES = ("drawn", "uploaded", "real", "generated")
ANY = "any"  # a shape of its own in every painting: from a pit to a field
SHAPES = ("scratch", "spot", "crack", "blotch", ANY)
BORROWED_SHAPE = "real"  # of a known defect, among shapes to compare
CONTROLS = {
    control.name: control
    for control in (
        Control("x", "Across", "number", 0.5, 0, 1, 0.005, help="centre, as a share of the image's width"),
        Control("y", "Down", "number", 0.5, 0, 1, 0.005, help="centre, as a share of the image's height"),
        Control("angle", "Angle", "number", 0.0, -180, 180, 1, unit="°", help="rotation, clockwise"),
        Control(
            "scale", "Size", "number", 1.0, 0.1, 4, 0.05, help="1: as large as the real defect, in pixels"
        ),
        Control("flip", "Flip", "switch", False, help="mirrored left to right, before rotation"),
        Control(
            "length", "Length", "number", 30.0, 1, 100, 0.5, unit="%", help="of the image's shorter side"
        ),
        Control("width", "Width", "number", 1.0, 0.2, 50, 0.1, unit="%", help="of the image's shorter side"),
        Control(
            "irregularity", "Irregularity", "number", 0.3, 0, 1, 0.05, help="0: straight and even; 1: ragged"
        ),
        Control(
            "count", "Count", "integer", 1, 1, 20, 1, help="number of shapes; the others lie around the first"
        ),
        Control("seed", "Seed", "integer", 0, 0, 2**31 - 1, 1, help="another seed draws a different mask"),
    )
}
BORROWED = ("x", "y", "angle", "scale", "flip")
GENERATED = ("length", "width", "angle", "irregularity", "count", "x", "y", "seed")
DRAWN = ("length", "width", "angle", "irregularity")  # what the seed decides in a shape of any kind
# A shape's starting values where they differ from a control's default: about those of real defects.
STARTS: dict[str, dict[str, float]] = {
    "scratch": {"angle": 20.0},
    "spot": {"length": 6.0, "width": 5.0},
    "crack": {"length": 35.0, "irregularity": 0.5},
    "blotch": {"width": 20.0, "irregularity": 0.5},
}


@dataclass(frozen=True)
class MaskSpec:
    """The description of one mask. Numbers out of range and unknown words raise `BadInput`.

    file: of a drawn or uploaded mask. image: the defective image that lends a real mask, "" for any. x, y: the
    centre; of a borrowed mask, the centre of its bounding box. angle, scale and flip (left to right, before
    turning) move a real mask; shape, length, width, angle, irregularity, count and seed make a generated one, of
    the shape `ANY` the last two alone.
    vary: every painting gets another position, angle and size; with `prior` they are like those of known defects.
    place: where that was drawn to lie, None for anywhere. region: the file of the region of interest that the mask
    stays in, "" for none.
    """

    source: str = "drawn"
    file: str = ""
    image: str = ""
    x: float = 0.5
    y: float = 0.5
    angle: float = 0.0
    scale: float = 1.0
    flip: bool = False
    shape: str = "scratch"
    length: float = 30.0
    width: float = 1.0
    irregularity: float = 0.3
    count: int = 1
    seed: int = 0
    vary: bool = False
    prior: bool = True
    place: Place | None = None
    from_test: bool = False
    region: str = ""

    def __post_init__(self) -> None:
        _require_choice("source", self.source, SOURCES)
        _require_choice("shape", self.shape, SHAPES)
        for name, control in CONTROLS.items():
            object.__setattr__(self, name, control.read(getattr(self, name)))
        if isinstance(self.place, Mapping):  # as JSON has it
            object.__setattr__(self, "place", Place.from_json(self.place))

    @property
    def why(self) -> str:
        """A sentence on why a varied mask lies where it does; "" where a person placed it."""
        if not (self.vary and self.prior):
            return ""
        return self.place.why if self.place else "Placed anywhere on the part."

    def to_json(self) -> Json:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MaskSpec:
        """The inverse of `to_json`; fields left out take their defaults. Raises `BadInput`."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise BadInput(f'A mask has no setting "{unknown[0]}"; leave it out.')
        return cls(**values)


def varied(shape: str = "", *, anywhere: bool = False, from_test: bool = False) -> Json:
    """A `MaskSpec` as JSON for masks that differ from painting to painting: like real defects, or of a generated shape.

    anywhere: they lie anywhere on the part, not where known defects do. from_test: the test split lends masks too.
    """
    spec: Json = {"source": "real"}
    if shape:
        spec = {"source": "generated", "shape": shape, **STARTS.get(shape, {})}
    return spec | {"vary": True, "from_test": from_test, "prior": not anywhere}


def shaped(mask: Mapping[str, object], shape: str) -> Json:
    """A `MaskSpec` as JSON with another shape, at its starting values, or "real" for borrowed ones; the rest stays.

    Raises `BadInput` for an unknown shape.
    """
    _require_choice("shape", shape, (*SHAPES, BORROWED_SHAPE))
    if mask.get("source") == "generated" and mask.get("shape") == shape:
        return dict(mask)
    kept = {name: mask[name] for name in ("x", "y", "vary", "prior", "from_test", "region") if name in mask}
    if shape == BORROWED_SHAPE:
        return {**kept, "source": "real"}
    return {**kept, "source": "generated", "shape": shape, **STARTS.get(shape, {})}


def controls(source: str, shape: str = "scratch") -> tuple[Control, ...]:
    """The sliders of a "real" or a "generated" mask, with the shape's starting values; none for other sources."""
    if source == "real":
        return tuple(CONTROLS[name] for name in BORROWED)
    if source != "generated":
        return ()
    _require_choice("shape", shape, SHAPES)
    starts = STARTS.get(shape, {})
    return tuple(
        replace(CONTROLS[name], default=starts.get(name, CONTROLS[name].default))
        for name in GENERATED
        if shape != ANY or name not in DRAWN
    )


def _require_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise BadInput(f'The mask\'s {name} is "{value}"; choose one of {", ".join(choices)}.')
