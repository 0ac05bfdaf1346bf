"""Measures candidates in five ways, and recommends which to accept.

Visible, Clean, Plausible and New compare a candidate with its source and with the banks; Effect says what accepting
it would change for held-out defective parts. Test images are never used. Measures are stored with the candidate and
with the state of the bank that they hold for: a change of painted defects outdates New and Effect only. Knows
candidates, detectors and validations. Does not decide.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from exdd_core.banks import teachers
from exdd_core.curation.bench import Bench
from exdd_core.curation.finding import found_by
from exdd_core.curation.measures import Measure, Quality, Recommendation
from exdd_core.curation.queue import group_of, keep_quality, kept_quality
from exdd_core.detector.examples import Marked
from exdd_core.detector.fit_models import prepare
from exdd_core.errors import BadInput
from exdd_core.evaluation import MANY_PARTS, Advice, advise
from exdd_core.progress import Progress
from exdd_core.sentences import count, signed
from exdd_core.workspace import candidates

if TYPE_CHECKING:
    from exdd_core.detector.fusion import Fusion
    from exdd_core.detector.transfer import Paintings
    from exdd_core.workspace import BankVersion, Workspace


def _is_idle(fusion: Fusion, engines: Collection[str], found: Sequence[Paintings]) -> bool:
    """Whether paintings of these engines change no score. found: what paintings find of the known defects."""
    own = [one for one in found if one.engine in engines]
    return fusion.uses_context and bool(own) and all(one.idle for one in own)


def _advised(advice: Advice, of: int, idle: bool) -> str:
    """The advice as a sentence. of: how many candidates were tried. idle: whether all that are advised count for
    nothing."""
    if advice.trial is None:
        best = advice.trials[0] if advice.trials else None
        tried = (
            f"; the best of {count(len(advice.trials), 'group')} tried gains {signed(100 * best.gain)} points of "
            "image AUROC"
            if best
            else ""
        )
        few = advice.trials and advice.trials[0].parts < MANY_PARTS
        more = (
            f" With {MANY_PARTS} defective parts or more it is easier to tell: import or mark some."
            if few
            else ""
        )
        return f"Accept none: no group tried is sure to help on held-out training parts{tried}.{more}"
    trial = advice.trial
    gain = f"image AUROC {signed(100 * trial.gain)} ± {100 * trial.error:.1f}"
    what = f"Accept {trial.count} of {of} ({'; '.join(trial.groups)})"
    if trial.sure > 0:
        return f"{what}: {gain} on held-out training parts."
    if idle:
        return f"{what}: they change no score unless they find a defect that is imported or marked later."
    return (
        f"{what}: none of the {trial.parts} held-out training parts gets worse ({gain}), so they may help with future "
        "defects."
    )


def require_bank(workspace: Workspace, dataset: str) -> BankVersion:
    """The active bank version. Raises BadInput where there is none, or where it is of another data set."""
    version = workspace.bank()
    if version.dataset != dataset:
        raise BadInput(
            f'The active bank version was not built from "{dataset}"; build or activate one that was.'
        )
    return version


class Judge:
    """Measures candidates against the active version of their data set. Any thread may call anything.

    The validation, which holds out each defective part, is computed once for a state of the bank, and extended when
    candidates are accepted.
    """

    def __init__(
        self, workspace: Workspace, pause: Callable[[], None] = lambda: None, keeps_start: bool = False
    ):
        """pause: called between the steps of a long computation; it may block. keeps_start: whether the effects of
        single candidates stay measured against the banks as they were first, until `start_anew`."""
        self.workspace, self.pause, self.keeps_start = workspace, pause, keeps_start
        self._lock = threading.RLock()
        self._bench: Bench | None = None

    def prepare(self, dataset: str) -> None:
        """Load the active version ahead of the first measure and the first decision. Raises BadInput where it is of
        another data set."""
        detector = self._ready(dataset, False).detector
        detector.fitted = prepare(detector.fitted)

    def quality(self, id: str, effect: bool = True) -> Quality:
        """The measures of one candidate, stored ones where they still hold. Without `effect` its effect stays as it was
        last measured. Raises BadInput where the active bank version is of another data set."""
        candidate = candidates.get(self.workspace, id)
        with self._lock:
            bench = self._ready(candidate.dataset, effect)
            kept, state = kept_quality(candidate), bench.state(self.workspace, candidate)
            of_effect = bench.effect_state(state)
            if kept and kept.state == state and (kept.effect_state == of_effect or not effect):
                return kept
            made = bench.quality(self.workspace, candidate, kept, effect)
        with self.workspace.writing() as db:
            keep_quality(db, id, made)
        return made

    def start(self, bank: str) -> int | None:
        """The number of the change of a version's banks that effects are measured after; None: of the last one."""
        bench = self._bench
        kept = self.keeps_start and bench is not None and bench.start is not None and bench.version.id == bank
        return bench.start_last if bench is not None and kept else None

    def start_anew(self) -> None:
        """Measure effects against the banks as they are now, from now on."""
        with self._lock:
            if self._bench is not None:
                self._bench.start = None

    def measure(self, ids: Sequence[str], progress: Progress | None = None) -> None:
        """Measure many candidates and store their measures."""
        progress = progress or Progress()
        progress.begin("Measuring candidates", len(ids))
        for id in ids:
            self.quality(id)
            progress.advance()

    def effect(self, ids: Sequence[str]) -> Measure:
        """What accepting all of these at once would change. Raises BadInput where it cannot be measured."""
        chosen = [candidates.get(self.workspace, id) for id in ids]
        if not chosen:
            raise BadInput("No candidate was chosen; choose at least one.")
        with self._lock:  # so that no other thread changes the bench between both calls
            bench = self._ready(chosen[0].dataset, True)
            return bench.effect([teachers.marked(self.workspace, c, bench.detector) for c in chosen])

    def repeats(self, ids: Sequence[str]) -> dict[str, str]:
        """The candidates, by id, that nearly repeat an earlier one of these, and which."""
        chosen = [candidates.get(self.workspace, id) for id in ids]
        if not chosen:
            return {}
        bench = self._ready(chosen[0].dataset, False)
        return bench.repeats([teachers.marked(self.workspace, c, bench.detector) for c in chosen])

    def recommend(
        self, dataset: str | None = None, ids: Sequence[str] | None = None, progress: Progress | None = None
    ) -> Recommendation:
        """Which of these pending candidates (None: all of the data set) to accept, if any; from training data only."""
        progress = progress or Progress()
        name = self.workspace.dataset(dataset).name
        pending = candidates.listed(self.workspace, name, "pending")
        chosen = [c for c in pending if ids is None or c.id in set(ids)]
        if not chosen:
            return Recommendation([], 0, "There are no pending candidates.", [])
        with self._lock:  # both are replaced when another thread finds that the banks have changed
            bench = self._ready(name, True, progress)
            validation, detector, why_not = bench.validation, bench.detector, bench.why_not
        if validation is None:
            return Recommendation([], len(chosen), f"{why_not}.", [])
        progress.begin("Reading candidates", len(chosen))
        groups: dict[str, list[tuple[str, Marked]]] = {}
        engines: list[tuple[str, Marked]] = []
        for candidate in chosen:
            marked = teachers.marked(self.workspace, candidate, detector)
            engines.append((candidate.engine, marked))
            kind = group_of(detector, candidate.engine, marked)
            if kind and not bench.is_in(marked.image):
                groups.setdefault(kind, []).append((candidate.id, marked))
            progress.advance()
        with self._lock:
            advice = advise(validation, {k: [m for _, m in v] for k, v in groups.items()}, progress)
            found = found_by(detector.fitted, engines)
        accepted = [id for group in advice.groups for id, _ in groups[group]]
        advised = {m.image.engine for group in advice.groups for _, m in groups[group]}
        idle = _is_idle(detector.fusion, advised, found)
        said = " ".join([_advised(advice, len(chosen), idle), *(one.sentence() for one in found)])
        return Recommendation(accepted, len(chosen), said, advice.trials)

    def _ready(self, dataset: str, effect: bool, progress: Progress | None = None) -> Bench:
        version = require_bank(self.workspace, dataset)
        with self._lock:
            if self._bench is None or not self._bench.fits(version):
                self._bench = Bench(version, self.keeps_start)
            self._bench.follow(self.workspace, effect, progress or Progress(lambda _: self.pause()))
            return self._bench
