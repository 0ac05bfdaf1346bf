"""Which groups of candidates to accept: those that improve held-out parts by more than an error.

Knows validations and their outcomes. Does not know candidates or the workspace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from exdd_core.detector.examples import Marked
from exdd_core.evaluation.effect import Validation
from exdd_core.later import special
from exdd_core.progress import Progress

CERTAIN = 0.99  # probability that an advised gain is above zero, by Student's t; in doubt none is accepted
# Where no gain is certain, at least so many parts must be none the worse: three may well hide that other defects are.
# With eight, groups that make a third of all parts worse pass with a probability of 0.04 = (2/3)^8.
MANY_PARTS = 8


@dataclass(frozen=True)
class Trial:
    """The effect of accepting these groups together, `count` candidates in all.

    gain: the change in AUROC, averaged over `parts` parts. error: its standard error. least: the smallest gain of
    a part.
    """

    groups: tuple[str, ...]
    count: int
    gain: float
    error: float
    least: float
    parts: int

    @property
    def sure(self) -> float:
        """A lower bound of the gain, as Student's t has it for so few parts."""
        return self.gain - float(special.stdtrit(self.parts - 1, CERTAIN)) * self.error


@dataclass(frozen=True)
class Advice:
    """The advised trial, None to accept no group; and all trials, the best first."""

    trial: Trial | None
    trials: list[Trial]

    @property
    def groups(self) -> tuple[str, ...]:
        return self.trial.groups if self.trial else ()


def advise(
    validation: Validation, groups: Mapping[str, Sequence[Marked]], progress: Progress | None = None
) -> Advice:
    """Which groups of marked patches to add to the positive bank, judged by training parts alone.

    groups: {name: marked patches}. Groups are added one after another (forward selection), the largest gain
    first. Of all trials the one with the highest lower bound above zero is advised; of equal ones the one
    with most candidates.

    Without such a trial, as when held-out parts are all detected already, the advice depends on the fusion. One with
    context weighs painted defects by what they find of real ones (`transfer`): groups are advised that make none of
    `MANY_PARTS` parts or more worse, as they may show defects that these parts do not. In other fusions every row
    counts fully, and no group is advised.
    """
    progress = progress or Progress()
    progress.begin("Trying groups of candidates", len(groups) * (len(groups) + 1) // 2)
    trials: list[Trial] = []
    taken: tuple[str, ...] = ()
    left = dict(groups)
    while left:
        tried = []
        for name in left:
            chosen = (*taken, name)
            tried.append(_trial(validation, chosen, [m for group in chosen for m in groups[group]]))
            progress.advance()
        trials += tried
        taken = max(tried, key=lambda trial: trial.gain).groups
        left.pop(taken[-1])
    best = max((t for t in trials if t.sure > 0), key=lambda t: (t.sure, t.count), default=None)
    if best is None and validation.kind.uses_context and len(validation.before.parts) >= MANY_PARTS:
        harmless = (t for t in trials if t.least >= 0)
        best = max(harmless, key=lambda t: (t.gain, t.count), default=None)
    return Advice(best, sorted(trials, key=lambda trial: -trial.sure))


def _trial(validation: Validation, groups: tuple[str, ...], marked: Sequence[Marked]) -> Trial:
    after, before = validation.outcome(validation.detector.additions(marked)), validation.before
    gains = np.array([after.parts[part] - before.parts[part] for part in before.parts])
    error = float(gains.std(ddof=1) / np.sqrt(len(gains)))
    return Trial(groups, len(marked), float(gains.mean()), error, float(gains.min()), len(gains))
