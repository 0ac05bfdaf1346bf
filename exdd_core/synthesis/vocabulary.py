"""The words that the procedural engine understands, and the look of a defect that they describe.

Reads a prompt word by word and reports unknown words; this is no language model. `WORDS` has every word with its
effect, and the Studio shows that table. Does not know pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from exdd_core.errors import BadInput

TYPES = ("scratch", "crack", "pit", "spot", "stain", "dent", "grain break")
LINES = ("scratch", "crack")  # these follow the mask's length; the other types fill its width


@dataclass(frozen=True)
class Look:
    """The look that a prompt describes. A factor is 1 where the prompt does not mention it; None: the seed decides."""

    types: tuple[str, ...] = ()
    excluded: frozenset[str] = frozenset()
    # The factors, in FACTORS.
    width: float = 1.0  # of lines
    size: float = 1.0  # of blobs, as a share of the mask
    length: float = 1.0  # of lines, as a share of the mask
    contrast: float = 1.0
    depth: float = 1.0  # of the relief that the lamp shows
    rough: float = 1.0  # irregularity of outline and course
    soft: float = 1.0  # width of edges
    gloss: float = 1.0  # of rims and lips that catch the light
    gaps: float = 1.0  # places where a line is interrupted
    branches: float = 1.0
    bend: float = 1.0
    tone: int = 0  # -1 darker than the surface, 1 brighter, 0 as is usual for the type
    colour: tuple[int, int, int] | None = None
    count: int | None = None  # 0: "several", of which the seed decides the number
    angle: float | None = None  # degrees from the image's horizontal, counter-clockwise
    to_grain: float | None = None  # degrees from the surface's grain
    strands: int = 1  # parallel hairlines of a scratch
    ripples: float = 0.0  # on the face of a fracture, 0 to 1
    no_dark: bool = False
    no_bright: bool = False


FACTORS = (
    "width",
    "size",
    "length",
    "contrast",
    "depth",
    "rough",
    "soft",
    "gloss",
    "gaps",
    "branches",
    "bend",
)


@dataclass(frozen=True)
class Word:
    """Words with one meaning. kind: groups the table. effect: the text in the table. changes: fields of `Look`."""

    words: tuple[str, ...]
    kind: str
    effect: str
    changes: Mapping[str, Any] = field(default_factory=dict)


def _type(name: str, words: str, effect: str, **changes: Any) -> Word:
    return Word(tuple(words.split()), "type", effect, {"types": (name,), **changes})


def _factor(words: str, effect: str, kind: str, **changes: Any) -> Word:
    return Word(tuple(words.split()), kind, effect, changes)


def _colour(words: str, rgb: tuple[int, int, int], tone: int = 0) -> Word:
    lightness = {1: ", brighter than the surface", -1: ", darker than the surface", 0: ""}[tone]
    effect = "colour {}, {}, {} (red, green, blue){}".format(*rgb, lightness)
    return Word(tuple(words.split()), "colour", effect, {"colour": rgb, "tone": tone})


WORDS: tuple[Word, ...] = (
    _type(
        "scratch", "scratch scratched scrape scraped score groove gouge", "a dark groove with a bright lip"
    ),
    _type(
        "scratch",
        "mark scuff scuffed abrasion rub streak",
        "a scratch of many shallow parallel hairlines",
        strands=6,
        width=2.2,
        depth=0.6,
    ),
    _type("crack", "crack cracked fracture fissure split", "a thin dark jagged line that branches"),
    _type(
        "pit", "pit pitted pitting hole blowhole pore cavity void", "a hollow with a dark floor and lit walls"
    ),
    _type(
        "pit",
        "chip chipped break broken-off notch",
        "a shallow hollow with a jagged outline and the ripples of a fracture",
        rough=1.5,
        ripples=1.0,
    ),
    _type(
        "spot", "spot speck speckle dot fleck blot splash deposit inclusion", "a deposit with a crisp edge"
    ),
    _type(
        "stain",
        "stain stained discolouration discoloration smear blotch patch tarnish",
        "a soft tint with a rim",
    ),
    _type("dent", "dent dented ding bump bulge impact", "a smooth hollow, seen by its shading alone"),
    _type(
        "grain break",
        "grain-break fray frayed worn wear uneven unevenness roughened texture",
        "the surface's own grain disturbed",
    ),
    _factor("dark darker darkened shadow shadowy", "darker than the surface", "brightness", tone=-1),
    _factor("bright brighter light lighter pale", "brighter than the surface", "brightness", tone=1),
    _factor("faint subtle weak slight low-contrast", "half the contrast", "brightness", contrast=0.5),
    _factor(
        "strong visible clear pronounced obvious severe", "1.5 times the contrast", "brightness", contrast=1.5
    ),
    _colour("white chalk chalky", (238, 238, 236), 1),
    _colour("black soot sooty", (18, 18, 20), -1),
    _colour("grey gray", (128, 128, 128)),
    _colour("copper coppery", (190, 108, 62)),
    _colour("rust rusty rusted corrosion corroded", (128, 66, 30)),
    _colour("brown", (104, 70, 44)),
    _colour("brass gold golden", (196, 158, 76)),
    _colour("silver steel aluminium aluminum", (205, 208, 212), 1),
    _colour("red", (178, 40, 36)),
    _colour("orange", (222, 122, 40)),
    _colour("yellow", (222, 196, 62)),
    _colour("green verdigris", (62, 128, 92)),
    _colour("blue", (48, 88, 160)),
    _factor("tiny minute microscopic", "0.4 times as large", "size", size=0.4, width=0.55, length=0.5),
    _factor("small little", "0.65 times as large", "size", size=0.65, width=0.75, length=0.75),
    _factor("large big huge", "1.4 times as large, within the mask", "size", size=1.4, width=1.5, length=1.3),
    _factor("fine thin narrow hairline", "lines 0.55 times as wide", "size", width=0.55),
    _factor("wide broad thick", "lines 1.9 times as wide", "size", width=1.9, size=1.25),
    _factor("short", "lines half as long", "size", length=0.5),
    _factor("long", "lines as long as the mask allows", "size", length=1.6),
    _factor("deep", "1.7 times as deep, and darker where it is hollow", "depth", depth=1.7, contrast=1.2),
    _factor("shallow superficial flat", "half as deep", "depth", depth=0.5, contrast=0.8),
    _factor("metal metallic shiny glossy polished", "lips and rims catch the light", "depth", gloss=1.7),
    _factor("matte matt dull dusty", "lips and rims hardly catch the light", "depth", gloss=0.4),
    _factor("jagged rough ragged irregular", "a more irregular outline or course", "shape", rough=1.8),
    _factor("smooth even regular clean", "a more regular outline or course", "shape", rough=0.45),
    _factor("plain simple", "no branches, a regular course", "shape", branches=0.0, rough=0.7),
    _factor("sharp crisp", "edges half as wide", "shape", soft=0.5),
    _factor("soft blurred blurry diffuse fuzzy hazy", "edges 2.5 times as wide", "shape", soft=2.5),
    _factor("straight", "lines hardly bend", "shape", bend=0.1),
    _factor("curved bent wavy winding", "lines bend more", "shape", bend=3.0),
    _factor("broken interrupted dashed dotted", "lines with three times the gaps", "shape", gaps=3.0),
    _factor("continuous unbroken", "lines without gaps", "shape", gaps=0.0),
    _factor("branching branched forked spidery", "2.5 times the branches", "shape", branches=2.5),
    _factor("horizontal", "along the image's width, in a broad mask", "direction", angle=0.0),
    _factor("vertical", "along the image's height, in a broad mask", "direction", angle=90.0),
    _factor("diagonal oblique slanted", "at 45 degrees, in a broad mask", "direction", angle=45.0),
    _factor("along lengthwise", "along the surface's grain, in a broad mask", "direction", to_grain=0.0),
    _factor(
        "across crosswise transverse",
        "across the surface's grain, in a broad mask",
        "direction",
        to_grain=90.0,
    ),
    _factor("single one", "one, in each piece of the mask", "count", count=1),
    _factor("two double pair", "two", "count", count=2),
    _factor("three few", "three", "count", count=3),
    _factor("several some multiple", "three to five", "count", count=0),
    _factor("many numerous dense", "nine", "count", count=9),
)
INTENSIFIERS = {"very": 1.7, "extremely": 2.2, "slightly": 0.5, "somewhat": 0.7}
# Words that say nothing about a look: prepositions, articles, and general words for defects and surfaces.
FILLERS = frozenset(
    re.findall(
        r"\S+",
        "a an the of on in at to with and or by for from as is its into over near onto that this which there are "
        "be surface defect defects damage damaged flaw flaws fault image photo photograph picture realistic real "
        "industrial grain part object quality high detailed closeup close up",
    )
)
KIND_OF_WORD = {word: entry for entry in WORDS for word in entry.words}


@dataclass(frozen=True)
class Reading:
    """A prompt as it was understood: the look, the effect of every known word, and the unknown words."""

    look: Look
    known: dict[str, str]
    unknown: tuple[str, ...]
    overruled: dict[str, str]  # word of the negative prompt -> what the prompt asks for instead

    @property
    def notes(self) -> list[str]:
        """Sentences on unknown and overruled words, for people; empty when every word was understood."""
        words = ", ".join(f"'{word}'" for word in self.unknown)
        notes = [f"The procedural engine does not know: {words}."] if words else []
        for asked in dict.fromkeys(self.overruled.values()):
            words = ", ".join(f"'{word}'" for word, other in self.overruled.items() if other == asked)
            notes.append(f"The prompt asks for '{asked}', so the negative prompt's {words} was ignored.")
        return notes


def read(prompt: str, negative_prompt: str = "") -> Reading:
    """Read a prompt and a negative prompt, whose words are excluded or reversed.

    Where the two contradict each other, the prompt counts and a note says so: the paper's negative prompt has
    "dark", and dark scratches are still possible. Raises `BadInput` when no type is left.
    """
    look, known, unknown, overruled = Look(), {}, [], {}
    for word, entry, plural, power in _words(prompt):
        if entry is None:
            unknown.append(word)
            continue
        known[word] = entry.effect
        look = _with(look, entry.changes, power)
        if plural and entry.kind == "type" and look.count is None:
            look = replace(look, count=0)
    for word, entry, _, power in _words(negative_prompt):
        if entry is None:
            unknown.append(word)
            continue
        if asked := _asked(look, word, entry):
            overruled[word] = asked
            continue
        known[f"not {word}"] = f"excluded: {entry.effect}"
        look = _without(look, entry, power)
    return Reading(look, known, tuple(dict.fromkeys(unknown)), overruled)


def _words(prompt: str) -> Iterator[tuple[str, Word | None, bool, float]]:
    """Every word with its entry (None: unknown), whether it is a plural, and the power of a "very" before it.

    A number is a word ("3 pits"), but not the weight of a diffusion prompt ("(copper:1.3)").
    """
    power = 1.0
    for word in re.findall(r"[a-zà-ÿ]+(?:-[a-zà-ÿ]+)*|(?<![\d.:])\d+(?![\d.])", prompt.lower()):
        if word.isdigit():
            count = max(1, min(40, int(word)))
            yield word, Word((word,), "count", f"{count}", {"count": count}), False, 1.0
        elif word in INTENSIFIERS:
            power *= INTENSIFIERS[word]
            continue
        else:
            for part in [word] if _entry(word)[0] else word.split("-"):
                entry, plural = _entry(part)
                if entry or part not in FILLERS:
                    yield part, entry, plural, power
        power = 1.0


def _entry(word: str) -> tuple[Word | None, bool]:
    if word in KIND_OF_WORD:
        return KIND_OF_WORD[word], False
    for ending in ("es", "s"):
        if word.endswith(ending) and word[: -len(ending)] in KIND_OF_WORD:
            return KIND_OF_WORD[word[: -len(ending)]], True
    return None, False


def _with(look: Look, changes: Mapping[str, Any], power: float) -> Look:
    return replace(look, **{name: _changed(look, name, value, power) for name, value in changes.items()})


def _changed(look: Look, name: str, value: Any, power: float) -> Any:
    """The value that a field of the look gets from a word's `value`."""
    if name in FACTORS:
        return float(np.clip(getattr(look, name) * value**power, 0.0, 6.0))
    if name == "types":
        return tuple(dict.fromkeys((*look.types, *value)))
    return value or look.tone if name == "tone" else value


def _asked(look: Look, word: str, entry: Word) -> str:
    """The part of the prompt that this word of the negative prompt contradicts, "" for none."""
    if entry.kind == "type":
        return entry.changes["types"][0] if entry.changes["types"][0] in look.types else ""
    if entry.kind in ("brightness", "colour") and (tone := entry.changes.get("tone", 0)):
        return ("bright" if tone > 0 else "dark") if look.tone == tone else ""
    return word if entry.kind == "colour" and look.colour == entry.changes["colour"] else ""


def _without(look: Look, entry: Word, power: float) -> Look:
    if entry.kind == "type":
        name = entry.changes["types"][0]
        if len(look.excluded | {name}) == len(TYPES):
            raise BadInput("The negative prompt excludes every defect type; remove one of them.")
        return replace(look, excluded=look.excluded | {name})
    if entry.kind in ("brightness", "colour") and (tone := entry.changes.get("tone", 0)):
        return replace(look, no_dark=look.no_dark or tone < 0, no_bright=look.no_bright or tone > 0)
    if entry.kind == "colour":
        return look
    if entry.kind == "count":
        return replace(look, count=1) if entry.changes["count"] != 1 else replace(look, count=look.count or 3)
    if entry.kind == "direction":
        turned = {name: (value + 90.0) % 180.0 for name, value in entry.changes.items()}
        return replace(look, **turned) if look.angle is None and look.to_grain is None else look
    opposite = {n: float(np.clip(v, 1 / 3, 3)) ** -0.5 for n, v in entry.changes.items() if n in FACTORS}
    return _with(look, opposite, power)
