"""The threshold that somebody chooses for a bank version: finds, stores and undoes it, and judges images by it.

Values lie on the version's own scale: 0 is the median of normal images, 1 the threshold that it was built with. Knows
results, detectors and choices. Does not know pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from exdd_core.banks.detectors import load_detector
from exdd_core.detector.inspection import CANNOT_JUDGE, reworded
from exdd_core.errors import BadInput
from exdd_core.evaluation import cutting
from exdd_core.review import lists, states
from exdd_core.sentences import count, percent
from exdd_core.workspace import thresholds
from exdd_core.workspace.thresholds import Choice, Way

if TYPE_CHECKING:
    from exdd_core.detector.thresholds import Calibration
    from exdd_core.review.comparing import Comparing
    from exdd_core.review.results import StoredRow
    from exdd_core.review.states import BankState
    from exdd_core.workspace import Workspace

FEWEST = 0.01  # a threshold cannot lie at the median of normal images or below it


@dataclass(frozen=True)
class Wanted:
    """How a threshold is to be found. way: "rate", "f1", "cost" or "hand". images: the list whose scored images count,
    for F1 and cost. rate: of normal images above. miss: what a missed defect costs, in false alarms. value: by hand."""

    way: Way
    images: str = ""
    rate: float = 0.02
    miss: float = 10.0
    value: float = 1.0


@dataclass(frozen=True)
class Found:
    """A threshold that was found, and how, in words. low, high: its 95 % interval; both its value without one."""

    value: float
    low: float
    high: float
    said: str


def find(comparing: Comparing, workspace: Workspace, bank: str | None, wanted: Wanted) -> Found:
    """Find a threshold for a version. Raises BadInput where too little is known for it."""
    state = states.followed_state(workspace, bank)
    if wanted.way == "hand":
        return _found(wanted.value, "set by hand")
    if wanted.way == "rate":
        value = load_detector(workspace, state.version.id).at_rate(wanted.rate)
        return _found(value, f"for {percent(wanted.rate, 1)} false alarms on held-out normal images")
    scores, labels, parts, unscored = _known(comparing, workspace, state, wanted.images)
    if wanted.way == "f1":
        cut, how = cutting.by_f1(scores, labels, parts), "the largest F1"
    else:
        cut = cutting.by_cost(scores, labels, parts, wanted.miss)
        how = f"the lowest cost, where a missed defect costs as much as {wanted.miss:g} false alarms"
    value = max(cut.value, FEWEST)
    made = cutting.counted(scores, labels, value)
    counts = (
        f"finds {made.defects - made.missed} of {count(made.defects, 'defect')} and raises false alarms on "
        f"{made.false_alarms} of {count(made.normals, 'normal image')}"
    )
    left = f", {unscored} more not scored" if unscored else ""
    said = f"{how} on {wanted.images}: {counts}{left}; 95 % interval {cut.low:.2f} to {cut.high:.2f}"
    return Found(value, cut.low, cut.high, said)


def choose(
    comparing: Comparing, workspace: Workspace, bank: str | None, wanted: Wanted, who: str
) -> tuple[Choice, str]:
    """Store the threshold by which a version's images are judged from now on. Returns the choice and a sentence."""
    before = states.followed_state(workspace, bank)
    found = find(comparing, workspace, bank, wanted)
    choice = Choice(value=found.value, way=wanted.way, said=found.said, who=who)
    kept = thresholds.choose(workspace, before.version.id, choice)
    changed = _carry(comparing, workspace, before)
    return kept, f"{before.version.name} now has the threshold {kept.value:.2f}, {kept.said}.{changed}"


def undo(comparing: Comparing, workspace: Workspace, bank: str | None, who: str) -> tuple[Choice, str]:
    """Undo the last choice, so that the threshold before it is used again. Returns that choice and a sentence."""
    before = states.followed_state(workspace, bank)
    back = thresholds.undo(workspace, before.version.id, who)
    changed = _carry(comparing, workspace, before)
    now = thresholds.factor(workspace, before.version.id)
    again = "the one it was built with" if now == 1 else f"the previous one, {now:.2f},"
    return back, f"Undid the threshold {back.value:.2f}; {before.version.name} has {again} again.{changed}"


def _found(value: float, said: str) -> Found:
    if value < FEWEST:
        raise BadInput(
            f"A threshold of {value:.2f} is not above the median score of normal images: half of them would "
            "be alarms. Choose a higher one."
        )
    return Found(value, value, value, said)


def _known(
    comparing: Comparing, workspace: Workspace, state: BankState, key: str
) -> tuple[np.ndarray, np.ndarray, list[str], int]:
    """Scores on the version's own scale, labels and physical parts of the scored images of a list, and how many images
    with a label are not scored."""
    images = [image for image in lists.images_of(workspace, key) if image.label]
    rows = comparing.results(state.version).rows(state.state)
    to = thresholds.factor(workspace, state.version.id)
    scored = [
        (image, score)
        for image in images
        if image.id in rows and (score := rows[image.id]["exdd_calibrated"]) is not None
    ]
    labels = np.array([image.label == "defect" for image, _ in scored], bool)
    if not labels.any() or labels.all():
        raise BadInput(
            f"{state.version.name} needs scores of both normal and defective images of {key}; score that list first."
        )
    dataset, _, split = key.rpartition("/")
    groups = {row.id: row.group for row in workspace.images(dataset, split=split)}
    found = [groups[image.id] for image, _ in scored]
    return np.array([score for _, score in scored]) * to, labels, found, len(images) - len(scored)


def _carry(comparing: Comparing, workspace: Workspace, before: BankState) -> str:
    """Judge the stored results by the present threshold. Returns a sentence on how many verdicts changed."""
    results = comparing.results(before.version)
    to = thresholds.factor(workspace, before.version.id)
    detector = load_detector(workspace, before.version.id)
    after = states.require_state(workspace, before.version.id)
    if after.content != before.content:
        return " Its banks have changed in the meantime; score the images again."
    own = detector.fusions[detector.fusion.name][1].moved(to)
    sides = ("exdd",) if detector.positive is not None else ("exdd", "patchcore")
    rows = results.rows(before.state)
    judged = {id: _judged(row, own, sides) for id, row in rows.items()}
    results.add(after.state, judged.values())
    changed = sum(judged[id]["exdd_verdict"] != row["exdd_verdict"] for id, row in rows.items())
    return f" {changed} of {count(len(rows), 'verdict')} changed." if rows else ""


def _judged(row: StoredRow, own: Calibration, sides: tuple[str, ...]) -> StoredRow:
    """The row of an image by another threshold of the same scores."""
    changes: dict[str, object] = {"regions": None}  # known for the former threshold alone
    for side in sides:
        score, verdict = row[f"{side}_score"], row[f"{side}_verdict"]  # type: ignore[literal-required]
        if score is None or verdict == CANNOT_JUDGE:
            continue
        now = own.verdict(score)
        changes |= {
            f"{side}_threshold": own.threshold,
            f"{side}_calibrated": own.calibrated(score),
            f"{side}_verdict": now,
            f"{side}_reason": reworded(row[f"{side}_reason"], verdict, now),  # type: ignore[literal-required]
        }
    return {**row, **changes}  # type: ignore[typeddict-item]
