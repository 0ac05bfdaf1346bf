"""The blind test: a person says of crops in random order whether their defect is real or painted.

Every painted defect has a real one of its type beside it, so that guessing, or always saying the same, is right half
of the time. Crops of one type show as many pixels, whatever mask they have. Real defects are those of the training
split. Knows candidates, images and a setting. Does not know pages.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from pydantic import ConfigDict

from exdd_core import datasets
from exdd_core.errors import BadInput
from exdd_core.images import read_image, read_mask
from exdd_core.spec import Spec
from exdd_core.synthesis.mask_geometry import bounds
from exdd_core.workspace import candidates
from exdd_core.workspace.clock import now
from exdd_core.workspace.settings import BLIND_TESTS, get, put

if TYPE_CHECKING:
    from exdd_core.workspace import ImageRow, Workspace

PAIRS = 20  # of one painted and one real defect, at most
KEPT = 50  # tests of a data set
SIDE = 320  # pixels of a crop, as it is shown
LEAST = 64  # pixels of the image that a crop shows at least
AROUND = 2.0  # how much more than its defects a crop shows
Said = Literal["real", "painted"]


class Shown(Spec):
    """One crop of a test. id: of the candidate or image. engine: of its pair's painting. side: pixels of the image that
    it shows. said: "" until it is answered."""

    model_config = ConfigDict(extra="ignore")
    ABOUT = "A crop of a blind test"
    truth: Said
    id: str
    engine: str
    defect_type: str
    side: int
    said: Said | Literal[""] = ""


class BlindTest(Spec):
    """One test of one person. created, ended, deleted: ISO times, `ended` "" while it goes on, `deleted` "" while it
    counts. lost: crops left out since their pictures are gone."""

    model_config = ConfigDict(extra="ignore")
    ABOUT = "A blind test"
    id: str
    who: str
    created: str
    shown: list[Shown]
    ended: str = ""
    lost: int = 0
    deleted: str = ""

    @property
    def answered(self) -> int:
        return sum(bool(one.said) for one in self.shown)


class Outcome(Spec):
    """How many crops of one engine and type were answered and how many rightly, and the 95 % interval of that share
    (Clopper and Pearson, 1934). engine, defect_type: "" for all together."""

    engine: str
    defect_type: str
    answered: int
    right: int
    low: float
    high: float

    @property
    def guessed(self) -> bool:
        """Whether guessing would do as well: half is within the interval."""
        return self.low <= 0.5 <= self.high

    @property
    def sentence(self) -> str:
        meant = "no better than guessing" if self.guessed else "told apart" if self.low > 0.5 else "mistaken"
        interval = f"95 % interval {100 * self.low:.0f} to {100 * self.high:.0f} %"
        return f"{self.right} of {self.answered} right, {interval}: {meant}"


def listed(workspace: Workspace, dataset: str) -> list[BlindTest]:
    """The tests of a data set that are not deleted, the newest first."""
    return [one for one in reversed(_kept(workspace, dataset)) if not one.deleted]


def _kept(workspace: Workspace, dataset: str) -> list[BlindTest]:
    return [BlindTest.from_json(one) for one in workspace.setting(BLIND_TESTS, {}).get(dataset, [])]


def delete(workspace: Workspace, dataset: str, id: str, *, restored: bool = False) -> BlindTest:
    """Delete a test, or bring it back. Raises `BadInput` where there is none, or so many since that it is not kept."""
    test = next((one for one in _kept(workspace, dataset) if one.id == id), None)
    if test is None:
        raise BadInput("This blind test no longer exists.")
    return _keep(workspace, dataset, test.model_copy(update={"deleted": "" if restored else now()}))


def going_on(workspace: Workspace, dataset: str, who: str) -> BlindTest | None:
    """The test that this person has begun and not ended."""
    who = " ".join(who.split())
    return next((one for one in listed(workspace, dataset) if one.who == who and not one.ended), None)


def begin(workspace: Workspace, dataset: str, who: str, rng: np.random.Generator | None = None) -> BlindTest:
    """A new test, or the one that this person has begun. Raises `BadInput` where there is nothing to compare."""
    if not (who := " ".join(who.split())[:40]):
        raise BadInput("A blind test is saved with your name; enter your name.")
    if found := going_on(workspace, dataset, who):
        return found
    rng = rng or np.random.default_rng()
    pairs = _pairs(workspace, dataset, rng)
    if not pairs:
        raise BadInput(
            "No candidate has the type of a real training defect with a mask; paint some and set their defect type."
        )
    side = _sides(workspace, pairs)
    shown = [
        Shown(truth=truth, id=id, engine=painted.engine, defect_type=kind, side=side[kind])
        for painted, real in pairs
        for kind in (real.defect_type,)
        for truth, id in _truths(painted, real)
    ]
    order = rng.permutation(len(shown))
    test = BlindTest(id=uuid.uuid4().hex[:12], who=who, created=now(), shown=[shown[i] for i in order])
    return _keep(workspace, dataset, test)


def _truths(painted: candidates.Candidate, real: ImageRow) -> tuple[tuple[Said, str], tuple[Said, str]]:
    return ("painted", painted.id), ("real", real.id)


def _pairs(
    workspace: Workspace, dataset: str, rng: np.random.Generator
) -> list[tuple[candidates.Candidate, ImageRow]]:
    """Painted and real defects of the same type, each at most once."""
    left: dict[str, list[ImageRow]] = {}
    for row in workspace.images(dataset, split="train", label=datasets.DEFECT):
        if row.mask:
            left.setdefault(row.defect_type, []).append(row)
    only = next(iter(left)) if len(left) == 1 else ""
    for several in left.values():
        several[:] = [several[int(i)] for i in rng.permutation(len(several))]
    painted = candidates.pending_and_accepted(workspace, dataset)
    pairs: list[tuple[candidates.Candidate, ImageRow]] = []
    for number in rng.permutation(len(painted)):
        one = painted[int(number)]
        own = left.get(one.defect_type or only, [])
        if own and len(pairs) < PAIRS:
            pairs.append((one, own.pop()))
    return pairs


def _sides(workspace: Workspace, pairs: Sequence[tuple[candidates.Candidate, ImageRow]]) -> dict[str, int]:
    """By type, the pixels that its crops show: by the median of the longer sides of its defects."""
    lengths: dict[str, list[int]] = {}
    for painted, real in pairs:
        for mask in (candidates.mask_of(workspace, painted), read_mask(str(real.mask), None)):
            left, top, right, bottom = _box(mask)
            lengths.setdefault(real.defect_type, []).append(max(right - left, bottom - top))
    return {kind: max(LEAST, round(AROUND * float(np.median(own)))) for kind, own in lengths.items()}


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """left, top, right, bottom (ends excluded) of a mask's True pixels; the whole image for an empty mask."""
    if not mask.any():
        return 0, 0, mask.shape[1], mask.shape[0]
    top, bottom, left, right = bounds(mask)
    return left, top, right, bottom


def standing(workspace: Workspace, dataset: str, test: BlindTest) -> tuple[BlindTest, np.ndarray | None]:
    """The test, and the crop to be answered next, uint8 (SIDE, SIDE, 3); None once it is over.

    Crops whose pictures are gone meanwhile are left out, and counted in `lost`.
    """
    while not test.ended:
        try:
            return test, _crop(workspace, test.shown[test.answered])
        except (BadInput, OSError):
            shown = [one for i, one in enumerate(test.shown) if i != test.answered]
            ended = now() if test.answered == len(shown) else ""
            changed = {"shown": shown, "ended": ended, "lost": test.lost + 1}
            test = _keep(workspace, dataset, test.model_copy(update=changed))
    return test, None


def _crop(workspace: Workspace, one: Shown) -> np.ndarray:
    if one.truth == "painted":
        made = candidates.get(workspace, one.id)
        image, mask = read_image(made.image), candidates.mask_of(workspace, made)
    else:
        row = workspace.image(one.id)
        image = read_image(row.path, row.id, row.depth)
        mask = read_mask(str(row.mask), image.shape[:2])
    left, top, right, bottom = _box(mask)
    side = min(one.side, *image.shape[:2])
    x, y = (
        int(np.clip((first + last - side) // 2, 0, limit - side))
        for first, last, limit in ((left, right, image.shape[1]), (top, bottom, image.shape[0]))
    )
    return cv2.resize(image[y : y + side, x : x + side], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def answer(workspace: Workspace, dataset: str, test: BlindTest, number: int, said: Said) -> BlindTest:
    """Record an answer to the crop of this number; one that is answered already stays. The last one ends the test."""
    if number != test.answered:
        return test
    shown = [
        one.model_copy(update={"said": said}) if i == number else one for i, one in enumerate(test.shown)
    ]
    ended = now() if number + 1 == len(shown) else ""
    return _keep(workspace, dataset, test.model_copy(update={"shown": shown, "ended": ended}))


def end(workspace: Workspace, dataset: str, test: BlindTest) -> BlindTest:
    """End a test before its last crop; its answers count, and one without any is dropped."""
    return _keep(workspace, dataset, test.model_copy(update={"ended": now()}))


def _keep(workspace: Workspace, dataset: str, test: BlindTest) -> BlindTest:
    with workspace.writing() as db:
        every = json.loads(get(db, BLIND_TESTS, "{}"))
        kept = {one["id"]: one for one in every.get(dataset, [])} | {test.id: test.to_json()}
        if test.ended and not test.answered:
            del kept[test.id]
        put(db, BLIND_TESTS, every | {dataset: list(kept.values())[-KEPT:]})
    return test


def outcomes(test: BlindTest) -> list[Outcome]:
    """How well the answers tell painted from real defects: of all crops, then by engine and type."""
    groups: dict[tuple[str, str], list[bool]] = {("", ""): []}
    for one in test.shown:
        if one.said:
            groups[("", "")].append(one.said == one.truth)
            groups.setdefault((one.engine, one.defect_type), []).append(one.said == one.truth)
    return [_outcome(*names, own) for names, own in groups.items() if own]


def _outcome(engine: str, kind: str, right: Sequence[bool]) -> Outcome:
    from scipy.stats import binomtest

    share = binomtest(sum(right), len(right)).proportion_ci(0.95, "exact")
    return Outcome(
        engine=engine, defect_type=kind, answered=len(right), right=sum(right), low=share.low, high=share.high
    )
