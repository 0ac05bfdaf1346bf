"""Which candidates to accept: those that separate held-out parts better, as far as that is certain.

Knows outcomes of trials. Does not know the workspace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from exdd_core.detector.examples import Marked
from exdd_core.evaluation.effect import Validation
from exdd_core.progress import Progress

CERTAIN = (
    1.0  # standard errors by which a gain must exceed nothing: parts are few, and doubt means "accept none"
)


@dataclass(frozen=True)
class Trial:
    """Some groups accepted together, `count` candidates in all. gain: change of the mean AUROC over parts; error: its
    standard error; least: the gain of the part that fares worst."""

    groups: tuple[str, ...]
    count: int
    gain: float
    error: float
    least: float

    @property
    def sure(self) -> float:
        """What the gain is at least, as far as so few parts can tell."""
        return self.gain - CERTAIN * self.error


@dataclass(frozen=True)
class Advice:
    """Which groups to accept, maybe none, and everything that was tried, best first. trial: of those groups."""

    trial: Trial | None
    trials: list[Trial]

    @property
    def groups(self) -> tuple[str, ...]:
        return self.trial.groups if self.trial else ()


def advise(
    validation: Validation, groups: Mapping[str, Sequence[Marked]], progress: Progress | None = None
) -> Advice:
    """Which groups of marked patches are worth adding, going by training parts alone.

    Groups are taken in one after another, the one that gains most first. Of all that was tried the surest gain is
    advised, which no single part can make; among equal ones that of most candidates. Where no gain is sure, as when
    the held-back parts are found already, it depends on the fusion. One that learns from surroundings gives painted
    defects a tenth of the weight at most (`context.PAINTED`), so that they may come where no part fares worse: what
    they are like, the few known parts need not show. In others every row counts in full, and none is advised.
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
    if best is None and validation.kind.uses_context:
        harmless = (t for t in trials if t.least >= 0)
        best = max(harmless, key=lambda t: (t.gain, t.count), default=None)
    return Advice(best, sorted(trials, key=lambda trial: -trial.sure))


def _trial(validation: Validation, groups: tuple[str, ...], marked: Sequence[Marked]) -> Trial:
    after, before = validation.outcome(validation.detector.additions(marked)), validation.before
    gains = np.array([after.parts[part] - before.parts[part] for part in before.parts])
    error = float(gains.std(ddof=1) / np.sqrt(len(gains)))
    return Trial(groups, len(marked), float(gains.mean()), error, float(gains.min()))
