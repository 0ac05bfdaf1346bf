"""The gate before a bank version becomes active: every mark is a permanent test image, and figures keep their interval.

Knows marks, detectors and stored measurements. Does not know pages, nor how a version becomes active.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core.banks import compare
from exdd_core.banks.detectors import judging_detector
from exdd_core.banks.teachers import pixels_of
from exdd_core.images import read_mask
from exdd_core.measurements import SAME
from exdd_core.sentences import count
from exdd_core.workspace import drawn_masks, runs
from exdd_core.workspace.decisions import Decision, in_force

if TYPE_CHECKING:
    import numpy as np

    from exdd_core.detector import Inspection
    from exdd_core.workspace import BankVersion, Workspace

SAID = {"missed": "a missed defect", "false_alarm": "a false alarm"}


@dataclass(frozen=True)
class Seen:
    """The judgement of one version on a marked image. calibrated: its score, 1 being the threshold. passes: whether the
    verdict is as it should be (`look`)."""

    verdict: str
    calibrated: float
    passes: bool

    @property
    def told(self) -> str:
        return f"{self.verdict} {self.calibrated:.2f}".replace("-", "−")


@dataclass(frozen=True)
class Tried:
    """A marked image. action: "missed" or "false_alarm". before: by the active version; None where there is none."""

    image: str
    action: str
    before: Seen | None
    after: Seen

    @property
    def sentence(self) -> str:
        """The image with both verdicts, and whether the version is better or worse."""
        was = "" if self.before is None else f"{self.before.told}, now "
        told = was + self.after.told
        if self.after.passes:
            how = "better" if self.before is not None and not self.before.passes else "passes"
        else:
            how = "worse" if self.before is not None and self.before.passes else "fails"
        return f"{self.image}, marked as {SAID[self.action]}: {how} ({told})"


@dataclass(frozen=True)
class Gate:
    """The result of testing a version before it becomes active.

    figures: one sentence for each that fell out of its interval. lost: ids of marked images that could not be tried, as
    their file or the mask of the mark is gone.
    """

    version: str
    images: Sequence[Tried]
    figures: Sequence[str]
    lost: Sequence[str] = ()

    @property
    def failing(self) -> list[Tried]:
        return [one for one in self.images if not one.after.passes]

    @property
    def holds(self) -> bool:
        """Whether the version is held back until somebody asks for it all the same."""
        return bool(self.failing or self.figures)

    @property
    def sentence(self) -> str:
        if not self.holds:
            if not self.images:
                there = " that still exists" if self.lost else ""
                return f"{self.version} was not tested on any image: none is marked{there}."
            return f"{self.version} passes {count(len(self.images), 'marked image')}."
        failed = (
            f"it fails {len(self.failing)} of {count(len(self.images), 'marked image')}"
            if self.failing
            else ""
        )
        fell = (
            f"{count(len(self.figures), 'figure')} fell below the interval of the active version"
            if self.figures
            else ""
        )
        return f"{self.version} is held back: {' and '.join(filter(None, (failed, fell)))}."

    @property
    def lines(self) -> list[str]:
        """Image by image and figure by figure, what fails first."""
        return [
            *(one.sentence for one in sorted(self.images, key=lambda one: one.after.passes)),
            *self.figures,
            *(f"{id}: not tested because its file or its mark's mask is missing" for id in self.lost),
        ]


def look(workspace: Workspace, id: str) -> Gate:
    """Try a version on the images that were marked in its data set, next to the one that judges it now.

    A missed defect passes where the verdict is "defect". A false alarm passes where it is not, or, on an image with
    another defect, where the map stays below its threshold in what was marked. Figures of images and pixels are
    compared where both versions were measured on this data set. Raises BadInput for an unknown version.
    """
    version = workspace.bank(id)
    active = workspace.active_bank(version.dataset)
    if active is not None and (active.id == version.id or active.dataset != version.dataset):
        active = None
    made, lost = [], []
    for one in in_force(workspace, "missed", "false_alarm", dataset=version.dataset):
        if there(workspace, one):
            made.append(one)
        else:
            lost.append(one.subject)
    after = _seen(workspace, version, made)
    before: Sequence[Seen | None] = _seen(workspace, active, made) if active else [None] * len(made)
    tried = [
        Tried(one.subject, one.action, was, now) for one, was, now in zip(made, before, after, strict=True)
    ]
    return Gate(version.name, tried, _fallen(workspace, version, active) if active else [], lost)


def there(workspace: Workspace, mark: Decision) -> bool:
    """Whether a marked image and the mask of its mark still have their files."""
    return (workspace.path / mark.detail["path"]).is_file() and mask_of(workspace, mark).is_file()


def mask_of(workspace: Workspace, mark: Decision) -> Path:
    """The file of what was marked."""
    return workspace.path / drawn_masks.MASKS / str(mark.detail["mask"])


def _seen(workspace: Workspace, version: BankVersion, made: Sequence[Decision]) -> list[Seen]:
    if not made:
        return []
    detector, found = judging_detector(workspace, version.id), []
    for one in made:
        pixels = pixels_of(workspace, one.subject, workspace.path / one.detail["path"], detector)
        seen = detector.score([pixels])[0]
        mask = read_mask(mask_of(workspace, one), pixels.shape[:2])
        found.append(Seen(seen.verdict, float(seen.calibrated_score), _passes(one.action, seen, mask)))
    return found


def _passes(action: str, seen: Inspection, mask: np.ndarray) -> bool:
    if action == "missed":
        return seen.verdict == "defect"
    return seen.verdict != "defect" or not (seen.shown_map[mask] > 1).any()


def _fallen(workspace: Workspace, version: BankVersion, active: BankVersion) -> list[str]:
    """The figures of a version that lie below the interval of the active one's."""
    measured = compare.measured(workspace)
    own, other = measured.get(version.id), measured.get(active.id)
    if own is None or other is None:
        return []
    now, before = (
        runs.get(workspace, one.run).result.get("intervals", {}).get(one.method, {}) for one in (own, other)
    )
    fallen = []
    for name, value in own.metrics.items():
        low, high = before.get(name) or (None, None)
        if value is None or low is None or high is None:
            continue
        # An interval without a width means that all draws agree, which says nothing about other parts; then the
        # version's own interval counts.
        highest = value if high - low > SAME else max(value, (now.get(name) or [value] * 2)[1] or value)
        if highest < low - SAME:
            fallen.append(
                f"{name.replace('_', ' ')} is {value:.4f}, below the interval of {active.name}, {low:.4f} to {high:.4f}"
            )
    return fallen
