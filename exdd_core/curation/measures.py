"""The measures of a candidate and their lights.

Knows figures and what they mean for people. Does not know detectors or the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from exdd_core import images
from exdd_core.detector.records import Examined
from exdd_core.evaluation import Outcome, Trial
from exdd_core.sentences import count, percent, signed
from exdd_core.spec import Json
from exdd_core.workspace.candidates import Candidate

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

CHANGED = 3  # grey levels: less is no change that a network or a person would see
GREEN, AMBER, RED, GREY = "green", "amber", "red", "grey"
LIGHT_WORTH = {GREEN: 1.0, AMBER: 0.5, RED: 0.0}  # grey: not known
MEANINGS = {
    "visible": "Share of the mask's patches that are farther from normal surface than 99 % of the patches of held-out "
    "normal images. A defect that the network cannot see teaches nothing.",
    "clean": "Share of the changed area that lies outside the mask. Changes there would be treated as normal.",
    "plausible": "Distance of its patches from real defects of other parts, relative to the "
    "distance between real defects of different parts. 1: as similar to them as they are to each other.",
    "new": "Share of its patches that are farther from the positive bank than the bank's own rows cover. "
    "The rest are already known.",
    "effect": "What accepting it would change for defects of training parts that are held out, one part at a time. "
    "Test images are not used.",
}


@dataclass(frozen=True)
class Measure:
    """One measure. value: a share, a ratio, or percentage points of image AUROC for the effect; None where it cannot
    be taken. light: green, amber, red or grey. text: the value in a sentence. meaning: what it is. error: the standard
    error of an effect over held-out parts, in the value's unit."""

    name: str
    value: float | None
    light: str
    text: str
    meaning: str
    error: float | None = None


@dataclass(frozen=True)
class Alike:
    """A real defect that a candidate resembles. distance: median over the candidate's patches."""

    image: str
    defect_type: str
    distance: float


@dataclass(frozen=True)
class Quality:
    """All that is known of a candidate's worth, for one state of one bank version.

    patches: "kept", "known" or "too normal" for each [row, column] of the patch grid that its mask marks. left_out:
    (x0, y0, x1, y1) in pixels of the image, ends excluded, of those that are too normal. alike: the most alike real
    defects. twins: candidates and bank images that it nearly repeats. basis, state, effect_state: the measures are
    valid while these strings stay as they are: basis for Visible, Clean and Plausible, state for New too, effect_state
    for Effect ("" where it was not taken yet).
    """

    visible: Measure
    clean: Measure
    plausible: Measure
    new: Measure
    effect: Measure
    alike: list[Alike]
    twins: list[str]
    patches: list[tuple[int, int, str]]
    left_out: list[tuple[int, ...]]
    basis: str
    state: str
    effect_state: str

    @property
    def measures(self) -> list[Measure]:
        return [self.visible, self.clean, self.plausible, self.new, self.effect]

    @property
    def overall(self) -> float | None:
        """The mean of its lights, green 1, amber 0.5, red 0; None where none is known. For comparing prompts."""
        known = [LIGHT_WORTH[measure.light] for measure in self.measures if measure.light in LIGHT_WORTH]
        return sum(known) / len(known) if known else None

    def to_json(self) -> Json:
        return asdict(self) | {"overall": self.overall}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Quality:
        visible, clean, plausible, new, effect = (Measure(**values[name]) for name in MEANINGS)
        return cls(
            visible=visible,
            clean=clean,
            plausible=plausible,
            new=new,
            effect=effect,
            alike=[Alike(**a) for a in values["alike"]],
            twins=values["twins"],
            patches=[(int(y), int(x), str(what)) for y, x, what in values["patches"]],
            left_out=[tuple(box) for box in values["left_out"]],
            basis=values["basis"],
            state=values["state"],
            effect_state=values["effect_state"],
        )


@dataclass(frozen=True)
class Recommendation:
    """Which candidates to accept, out of how many, why, and every group that was tried, best first."""

    ids: list[str]
    of: int
    sentence: str
    trials: list[Trial]


def left_out(found: Quality, mask: np.ndarray) -> np.ndarray:
    """The part of a candidate's mask, bool (H, W), whose patches are too normal for the positive bank."""
    boxes = np.zeros_like(mask)
    for x0, y0, x1, y1 in found.left_out:
        boxes[y0:y1, x0:x1] = True
    return boxes & mask


def unknown(name: str, why: str) -> Measure:
    """A measure that cannot be taken. why: a clause."""
    return Measure(name, None, GREY, why, MEANINGS[name])


def visible(seen: Examined, visible_from: float) -> Measure:
    """How many patches stand out. visible_from: as in `Reference`."""
    share = float((seen.distances.mean(-1) > visible_from).mean()) if len(seen.clean) else 0.0
    light = GREEN if share >= 0.5 else AMBER if share >= 0.2 else RED
    return Measure(
        "visible",
        share,
        light,
        f"{percent(share)} of its patches stand out from normal surface",
        MEANINGS["visible"],
    )


def new(beyond: float, clean: int, marked: int) -> Measure:
    """beyond: share of the clean patches that the positive bank does not cover. clean, marked: numbers of patches."""
    light = GREEN if beyond >= 0.3 else AMBER if beyond > 0 else RED
    text = f"{percent(beyond)} of its patches are new to the positive bank"
    if clean < marked:
        text += f"; {marked - clean} of {marked} too similar to normal surface and left out"
    return Measure("new", beyond, light, text, MEANINGS["new"])


def clean(workspace: Workspace, candidate: Candidate) -> Measure:
    """Compares a candidate with its source, pixel by pixel."""
    row = workspace.image(candidate.source)
    source, painted = images.read_image(row.path, row.id, row.depth), images.read_image(candidate.image)
    if source.shape != painted.shape:
        return unknown("clean", "its size differs from that of its source")
    difference = np.abs(source.astype(np.int16) - painted).max(-1)
    changed, outside = difference >= CHANGED, ~images.read_mask(candidate.mask, painted.shape[:2])
    missed = float((changed & outside).sum() / max(1, changed.sum()))
    beyond = difference[outside] if outside.any() else np.zeros(1)
    largest, mean = int(beyond.max()), float(beyond.mean())
    light = GREEN if missed <= 0.1 else AMBER if missed <= 0.3 else RED
    text = f"{percent(missed)} of the changed area lies outside the mask"
    text += f"; the change there is at most {largest} of 255, {mean:.2f} on average" if largest else ""
    return Measure("clean", missed, light, text, MEANINGS["clean"])


def effect_of(before: Outcome, after: Outcome) -> Measure:
    """The difference of two outcomes, as a measure.

    Green where nothing contradicts a gain beyond the error over held-out parts, grey where no figure changes by more.
    """
    gain, error = 100 * (after.auroc - before.auroc), _error(before, after)
    found, alarms = after.found - before.found, round(after.false_alarms - before.false_alarms)
    ap, noise = 100 * (after.ap - before.ap), max(0.1, round(error, 1))
    shown = round(gain, 1)  # light and figures say the same
    helps, harms = shown > noise, shown < -noise or found < 0
    contradicted = harms or alarms > 0 or ap < -1
    if helps or harms:
        light = GREEN if not contradicted else AMBER if helps else RED
    else:
        light = AMBER if contradicted or found else GREY
    what = f"{abs(found)} {'more' if found > 0 else 'fewer'}" if found else f"the same {after.found}"
    first = f"finds {what} of {count(after.defects, 'held-out defect')}"
    second = count(abs(alarms), "new false alarm" if alarms >= 0 else "fewer false alarm")
    third = f"image AUROC {signed(gain)} ± {error:.1f}, AP {signed(ap)}"
    text = f"{first}; {second}; {third}" + ("; within noise" if light == GREY else "")
    return Measure("effect", gain, light, text, MEANINGS["effect"], error)


def _error(before: Outcome, after: Outcome) -> float:
    """The standard error of the gain over held-out parts, percentage points; 0 with fewer than two."""
    gains = [100 * (after.parts[part] - auroc) for part, auroc in before.parts.items()]
    return float(np.std(gains, ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else 0.0
