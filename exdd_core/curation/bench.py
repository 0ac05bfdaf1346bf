"""One bank version with its held-out defects, ready to measure candidates.

Knows features, banks and validation. Does not know the queue or pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from exdd_core import images
from exdd_core.banks import features, following, history, teachers
from exdd_core.banks.detectors import load_detector
from exdd_core.curation.measures import (
    AMBER,
    GREEN,
    MEANINGS,
    RED,
    Alike,
    Measure,
    Quality,
    clean,
    effect_of,
    new,
    unknown,
    visible,
)
from exdd_core.curation.queue import TRIMMED
from exdd_core.detector import Change, Detector
from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.change import examine
from exdd_core.detector.examples import Marked
from exdd_core.detector.transfer import SCALE
from exdd_core.errors import BadInput
from exdd_core.evaluation import Validation
from exdd_core.later import torch
from exdd_core.progress import Progress
from exdd_core.workspace.candidates import Candidate

if TYPE_CHECKING:
    from exdd_core.workspace import BankVersion, Workspace

ALIKE = 3  # real defects that a candidate is shown with
FEW = 16  # patches of a candidate that are compared with those of many others
TAUGHT = "the adapter that painted it was taught with"
TWIN = 0.8  # a near-duplicate has this share of its patches within half the reach of one other image


class Bench:
    """One version, ready to measure candidates against."""

    def __init__(self, version: BankVersion, keeps_start: bool = False):
        """keeps_start: whether effects stay measured against the banks as they were first."""
        self.version, self.keeps_start = version, keeps_start
        self.last = -1  # the number of the last change that was applied
        self.grounds = 0  # number of changes to normal images or real defects
        self.detector: Detector
        self.validation: Validation | None = None
        self.why_not = ""  # why effects cannot be measured
        # What effects are measured against, and the detector of it, as the banks were at `start_last`.
        self.start: tuple[Validation, Detector] | None = None
        self.start_last = -1
        self._base: Validation | None = None  # without the painted defects of `_since`
        self._since: list[Change] = []

    def fits(self, version: BankVersion) -> bool:
        return self.version.id == version.id

    def follow(self, workspace: Workspace, effect: bool, progress: Progress) -> None:
        """Apply the changes of the banks since the last call."""
        following.follow(workspace, self.version)
        with workspace.reading() as db:
            if self.last >= 0 and history.newest(db, self.version.id) == self.last:
                later = history.Changes(self.last, [], None)
            else:
                later = history.read(db, self.version.id, max(self.last, 0))
        if self.last < 0 or later.changes:
            self.detector = load_detector(workspace, self.version.id)
            self._take(later.changes)
            self._prepare()
        self.last = later.last
        if effect and self.validation is None and not self.why_not:
            self._validate(workspace, progress)
        if effect and not (self.start and self.keeps_start):
            self.start = (self.validation, self.detector) if self.validation else None
            self.start_last = self.last

    def _take(self, changes: Sequence[Change]) -> None:
        """Extend the validation by changes of painted defects; after any other change it is made again."""
        for change in changes:
            painted = change.image.origin != "real"
            known = [c for c in self._since if c.image.id == change.image.id]
            if painted and change.action != "remove":
                self._since.append(change)
            elif painted and known:
                self._since.remove(known[0])
            else:
                self._base, self._since, self.start = None, [], None
            self.grounds += not painted
        if changes:
            self.validation, self.why_not = None, ""

    def _validate(self, workspace: Workspace, progress: Progress) -> None:
        kind = type(self.detector.fusion)
        if self._base is None or self._base.kind is not kind:
            try:
                held = features.defects(workspace, self.version.id, self.detector)
                self._base, self._since = Validation(self.detector, held, progress), []
            except BadInput as error:
                self.why_not = str(error).removesuffix(".")  # it stands within sentences
                return
        self.validation = self._base.extended(self._since) if self._since else self._base

    def _prepare(self) -> None:
        """Compute what Plausible and New compare with."""
        defects = self.detector.fitted.examples.defects
        self.real = defects.take(np.flatnonzero(defects.real))
        self.usual_distance = self._usual_distance()
        bank = self.detector.positive
        self.reach = self.detector.fitted.reference.radius
        if bank is not None and len(bank) > 1 and self.reach == 0:  # every patch is in the bank
            self.reach = float(np.median(bank.search(bank.rows, 2)[0][:, 1]))

    def _usual_distance(self) -> float | None:
        """Median distance of real defects' patches to the nearest patch of another part; None with fewer than two."""
        parts = sorted(set(self.real.groups))
        if len(parts) < 2:
            return None
        found = []
        for part in parts:
            own = self.real.of(part)
            found.append(self.real.search(self.real.rows[own], 1, own)[0][:, 0])
        return float(np.median(np.concatenate(found)))

    def state(self, workspace: Workspace, candidate: Candidate) -> str:
        """A string that changes whenever a candidate's measures, but for its effect, may have changed."""
        with workspace.reading() as db:
            query = f"select {TRIMMED} from candidates where id = ?"
            return f"{self.version.id}:{self.last}:{db.execute(query, [candidate.id]).fetchone()[0]}"

    def effect_state(self, state: str) -> str:
        """What the effect of a candidate of that `state` is measured against."""
        return f"{self.version.id}:{self.start_last}:{state.rpartition(':')[2]}"

    def quality(
        self, workspace: Workspace, candidate: Candidate, kept: Quality | None, effect: bool
    ) -> Quality:
        """Measure a candidate. kept: its last measures, of which those that still hold are taken over."""
        state = self.state(workspace, candidate)
        basis = f"{self.version.id}:{self.grounds}:{state.rpartition(':')[2]}"
        known = kept if kept and kept.basis == basis else None
        marked = teachers.marked(workspace, candidate, self.detector)
        seen = examine(self.detector.fitted, marked)
        rows, (width, height) = marked.rows[seen.clean], candidate.size
        what = np.where(seen.clean, "known", "too normal").astype("U10")
        change = self.detector.additions([marked])[0] if not self.is_in(marked.image) else None
        if change is not None:
            what[np.flatnonzero(seen.clean)[change.kept]] = "kept"
        places = [(int(y), int(x)) for y, x in marked.position]
        grid, size = self.detector.grid, self.detector.settings.size
        measured = self._alone(marked) if effect else kept.effect if kept else None
        return Quality(
            visible=known.visible if known else visible(seen, self.detector.fitted.reference.visible_from),
            clean=known.clean if known else clean(workspace, candidate),
            plausible=known.plausible if known else self._plausible(rows, marked.image),
            new=new(self._beyond(rows), int(seen.clean.sum()), len(seen.clean)),
            effect=measured or unknown("effect", "not measured yet"),
            alike=known.alike if known else self._alike(rows),
            twins=self._twins(rows, candidate.id),
            patches=[(y, x, str(w)) for (y, x), w in zip(places, what, strict=True)],
            left_out=[
                images.patch_box(y, x, grid, size, (height, width))
                for (y, x), clean in zip(places, seen.clean, strict=True)
                if not clean
            ],
            basis=basis,
            state=state,
            effect_state=self.effect_state(state) if effect else kept.effect_state if kept else "",
        )

    def _alone(self, marked: Marked) -> Measure:
        """The effect of one candidate on the banks as they were when the session began."""
        if self.start is None:
            return unknown("effect", self.why_not)
        validation, detector = self.start
        return _effect(validation, [] if _holds(detector, marked.image) else detector.additions([marked]))

    def effect(self, several: Sequence[Marked]) -> Measure:
        """The effect of several together on the banks as they are."""
        if self.validation is None:
            return unknown("effect", self.why_not)
        fresh = [m for m in several if not self.is_in(m.image)]
        if fresh and all(set(self.validation.groups) <= {*m.image.taught_by} for m in fresh):
            return unknown("effect", f"{TAUGHT} every part that could be held out")
        return _effect(self.validation, self.detector.additions(fresh) if fresh else [])

    def is_in(self, image: BankImage) -> bool:
        return _holds(self.detector, image)

    def _beyond(self, rows: np.ndarray) -> float:
        """Share of rows that are farther from the positive bank than it covers."""
        if not len(rows):
            return 0.0
        bank = self.detector.positive
        return 1.0 if bank is None else float((bank.search(rows)[0][:, 0] > self.reach).mean())

    def _plausible(self, rows: np.ndarray, image: BankImage) -> Measure:
        others = ~self.real.of(image.donor, *image.taught_by)
        if not len(rows):
            return unknown("plausible", "none of its patches differs from normal surface")
        if image.taught_by and self.real.of(*image.taught_by).all():
            return unknown("plausible", f"{TAUGHT} every part that has a real defect")
        if self.usual_distance is None or not others.any():
            return unknown("plausible", "there are no real defects of two parts to compare with")
        distance = float(np.median(self.real.search(rows, 1, ~others)[0][:, 0]))
        ratio = distance / max(self.usual_distance, 1e-6)
        light = GREEN if ratio <= 1.15 else AMBER if ratio <= 1.5 else RED
        text = f"{ratio:.1f} times as far from real defects as these are from each other"
        return Measure("plausible", ratio, light, text, MEANINGS["plausible"])

    def _alike(self, rows: np.ndarray) -> list[Alike]:
        if not len(rows) or not len(self.real):
            return []
        found = []
        for number, image in enumerate(self.real.images):
            theirs = self.real.rows[self.real.image == number]
            if len(theirs):
                own = Bank(theirs, np.zeros(len(theirs)), np.zeros((len(theirs), 2)), [image])
                found.append(Alike(image.id, image.defect_type, float(np.median(own.search(rows)[0]))))
        return sorted(found, key=lambda alike: alike.distance)[:ALIKE]

    def _twins(self, rows: np.ndarray, id: str) -> list[str]:
        """Defect images that this one nearly repeats, among all that the positive bank was chosen from."""
        known = self.detector.fitted.examples.defects
        if not len(rows) or not len(known):
            return []
        distances, numbers = known.search(rows)
        images = self._repeated(distances[:, 0], known.image[numbers[:, 0]])
        return [known.images[i].id for i in images if known.images[i].id != id]

    def _repeated(self, distances: np.ndarray, image: np.ndarray) -> list[int]:
        """Numbers of the images that a defect nearly repeats, the most alike first.

        distances: float (m,), of its patches to their nearest neighbours. image: int (m,), the images of those.
        """
        counts = np.bincount(image[distances <= self.reach / 2])
        order = np.argsort(-counts, kind="stable")
        return [int(i) for i in order if self.reach and counts[i] >= TWIN * len(distances)]

    def repeats(self, several: Sequence[Marked]) -> dict[str, str]:
        """The defects, by id, that nearly repeat an earlier one of these, and which. Compares FEW patches of each."""
        clean = [m.rows[examine(self.detector.fitted, m).clean] for m in several]
        image = np.repeat(np.arange(len(several)), [len(rows) for rows in clean])
        every, found = torch.from_numpy(np.concatenate(clean)), {}
        every = every - every.mean(0)  # distances of long, similar vectors lose precision otherwise
        for number, rows in enumerate(clean):
            start = int(np.searchsorted(image, number))
            if start and len(rows):
                some = every[start : start + len(rows)][:: -(-len(rows) // FEW)]
                nearest = torch.cdist(some, every[:start]).min(1)
                if twins := self._repeated(nearest.values.numpy(), image[nearest.indices.numpy()]):
                    found[several[number].image.id] = several[twins[0]].image.id
        return found


def _effect(validation: Validation, additions: Sequence[Change]) -> Measure:
    """What these additions change, and whether that is nothing because such paintings do not find the known defects."""
    after = validation.extended(additions) if additions else validation
    found, engines = effect_of(validation.before, after.before), {change.image.engine for change in additions}
    idle = [one for one in after.paintings if one.idle and one.engine in engines]
    if not idle or len(idle) < len(engines):
        return found
    why = "counts for nothing, because such paintings alone do not find the known defects"
    tried = ", ".join(f"{one.transfer():.2f}" for one in idle)
    return replace(found, text=f"{why} (transfer {tried}; {SCALE}); {found.text}")


def _holds(detector: Detector, image: BankImage) -> bool:
    bank = detector.positive
    return bank is not None and any(known.id == image.id for known in bank.images)
