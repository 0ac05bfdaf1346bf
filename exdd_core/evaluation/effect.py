"""What adding rows to the positive bank would change, measured by leave-one-part-out validation.

Each training defect is scored by a detector that knows nothing of its physical part: no row of it, no row of
a defect copied from it, and no direction, discriminant or fusion fitted on it. Held-out normal images are
scored by the same detector. The same again with further rows gives the effect of these rows on parts that no
bank has seen.

Knows detectors and their changes. Does not know candidates, test images or what is decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np

from exdd_core.detector import Change, Detector, context, nearest, transfer
from exdd_core.detector.bank import Bank
from exdd_core.detector.context import Discriminant, TrainingSums
from exdd_core.detector.direction import Direction, fit_direction
from exdd_core.detector.evidence import defect_distances, normality
from exdd_core.detector.examples import DefectImage
from exdd_core.detector.fusion import Distances, Evidence, Fusion
from exdd_core.detector.held_out import sample, sample_apart
from exdd_core.detector.scoring import spread
from exdd_core.detector.transfer import Paintings
from exdd_core.detector.weighted_distances import weighted_mean
from exdd_core.errors import BadInput
from exdd_core.evaluation.fold_rows import NO_ROW, FoldRows, K
from exdd_core.evaluation.outcome import Outcome
from exdd_core.evaluation.pictures import FeaturesOf, Pictures, Some
from exdd_core.evaluation.seen_rows import HeldOutPictures, Seen
from exdd_core.later import metrics
from exdd_core.progress import Progress

MOST_FOLDS = 8  # more defective parts than this are left out several at a time
# Of each class; a detector is fitted on more, but one candidate must be measured in a moment.
FIT_PATCHES = 4_000
NORMALS = 100  # held-out normal images that defects are compared with


class Validation:
    """Leave-one-part-out validation of one detector. Any number of additions can be tried; none is kept.

    before: the figures without additions. kind: the class of the detector's fusion.
    """

    def __init__(self, detector: Detector, defects: Sequence[DefectImage], progress: Progress | None = None):
        """defects: the real training images with a defect. Raises BadInput where they show fewer than two parts."""
        progress, parts = progress or Progress(), sorted({d.image.group for d in defects})
        if len(parts) < 2 or detector.positive is None:
            raise BadInput(
                "The effect is measured by holding one defective part back, so real defects of at least two "
                "parts are needed; import or mark more, or decide without it."
            )
        self.detector, self.kind = detector, type(detector.fusion)
        several = np.array_split(np.array(parts), min(len(parts), MOST_FOLDS))
        self.fold_of = {str(part): number for number, some in enumerate(several) for part in some}
        self.folds = [[str(part) for part in some] for some in several]
        progress.begin("Holding each defective part back", len(defects) + 2)
        self._take_normals()
        self._take_defects(defects, progress)
        self._take_examples()
        self.held_out = HeldOutPictures(
            self.normals, self.normal_parts, self.pictures, self.groups, self.fold_of
        )
        self.rows = FoldRows(detector.positive, self.fold_of)
        self.seen = self.held_out.seeing(self.rows)
        self.kinds: dict[str | None, Seen] = {}
        self.defects_positive = self._of_defects(self.rows, self.defects)
        progress.advance()
        start = detector.fitted.models.direction
        self.directions = self._directions(self.defects, [start] * len(self.folds))
        self.sums = self._sums()
        self.paintings: Sequence[Paintings] = ()
        self.discriminants = self._discriminants()
        self.projected = self._projected(self.defects, self.directions, [start] * 2)
        self.before = self._outcome()
        progress.advance()

    def outcome(self, additions: Sequence[Change]) -> Outcome:
        """The figures with these additions, which `Detector.additions` makes."""
        return self.extended(additions).before if additions else self.before

    def extended(self, additions: Sequence[Change]) -> Validation:
        """The validation of the detector with these additions; only what they change is computed again."""
        further = _bank(additions, kept=False)
        further = further.take(sample(further, FIT_PATCHES, self.detector.settings.seed))
        negative = np.empty((len(further), K), np.float32)
        for number, image in enumerate(further.images):
            own = further.image == number
            negative[own] = normality(self.detector.fitted, further.rows[own], image)
        other, kept = copy(self), FoldRows(_bank(additions, kept=True), self.fold_of)
        other.defects = self.defects.joined(further)
        other.defects_negative = np.concatenate([self.defects_negative, negative])
        other.seen = self.held_out.seeing_more(self.seen, kept)
        former = np.concatenate([self.defects_positive, self._of_defects(self.rows, further)])
        other.defects_positive = nearest.merged([former, self._of_defects(kept, other.defects)], K)
        other.rows = FoldRows(self.rows.bank.joined(kept.bank), self.fold_of)
        if self.kind.uses_context and self.rows.bank.real.any():
            self._seen_of(None)  # computed here once, not again for each extension
        other.kinds = {kind: self._seen_with(kind, kept.bank) for kind in self.kinds}
        other.directions = self._directions(other.defects, self.directions)
        painted = not further.real.any()
        other.sums = self.sums.plus(further) if self.sums and painted else other._sums()
        other.discriminants = other._discriminants()
        other.projected = self._projected(other.defects, other.directions, self.directions[:1] * 2)
        other.before = other._outcome()
        return other

    def _take_normals(self) -> None:
        """m held-out normal images: their parts, negative distances (m, n, K) and features."""
        held_out = self.detector.fitted.held_out
        assert held_out is not None and held_out.features is not None
        count = min(NORMALS, len(held_out.images))
        self.normal_parts = held_out.parts[:count]
        self.normals_negative = held_out.negative.distances[:count]
        self.normals = Pictures(Some(held_out.features, count))

    def _take_defects(self, defects: Sequence[DefectImage], progress: Progress) -> None:
        """The images that are held out: parts, features (n, d) and negative distances (n, K) of each."""
        images = [d.image for d in defects]
        self.groups = [image.group for image in images]
        self.pictures = Pictures(FeaturesOf(defects))
        self.pictures_negative = []
        for image, picture in zip(images, self.pictures, strict=True):
            self.pictures_negative.append(normality(self.detector.fitted, picture, image))
            progress.advance()

    def _take_examples(self) -> None:
        """The patches that directions, discriminants and fusions are fitted on, normal and defective."""
        examples = self.detector.fitted.examples
        step = max(1, len(examples.normals) // FIT_PATCHES)
        self.fit_normals = examples.normals.take(np.arange(0, len(examples.normals), step))
        apart = sample_apart if self.detector.fitted.models.counts else sample
        chosen = apart(examples.defects, FIT_PATCHES, self.detector.settings.seed)
        self.defects = examples.defects.take(chosen)
        self.defects_negative = defect_distances(self.detector.fitted)[chosen]

    # --- distances to the positive bank ---------------------------------------------------------------

    def _seen_of(self, kind: str | None) -> Seen:
        """The distances to the rows that an engine painted, or to the real ones (None); kept once they are known."""
        if kind not in self.kinds:
            bank = self.rows.bank
            whole = kind is None and bank.real.all()
            own = self.seen if whole else self.held_out.seeing(FoldRows(_of_kind(bank, kind), self.fold_of))
            self.kinds[kind] = own
        return self.kinds[kind]

    def _seen_with(self, kind: str | None, further: Bank) -> Seen:
        """The distances of `_seen_of` once further rows have joined the bank."""
        more = _of_kind(further, kind)
        known = self.kinds[kind]
        return self.held_out.seeing_more(known, FoldRows(more, self.fold_of)) if len(more) else known

    def _counting(self, fold: int) -> list[tuple[float, Seen]]:
        """Real and painted rows as a fold sees them, with what each counts for by what its engine's paintings find of
        the other parts; empty where every row counts fully."""
        counts = self._counts(fold)
        if not counts:
            return []
        weights = {one.engine: counts.get(one.engine, 1.0) for one in self.paintings}
        painted = [(weight, self._seen_of(engine)) for engine, weight in weights.items() if weight > 0]
        return [(1.0, self._seen_of(None)), *painted]

    def _counts(self, fold: int) -> dict[str, float]:
        """By engine, what painted rows count for in a fold, where that is below 1."""
        return transfer.row_counts(self.paintings, self.folds[fold]) if self.rows.bank.real.any() else {}

    def _of_defects(self, rows: FoldRows, defects: Bank) -> np.ndarray:
        """Distances of defect patches to the bank without rows of their own part and fold: float32 (b, K)."""
        out = np.full((len(defects), K), NO_ROW, np.float32)
        for number, image in enumerate(defects.images):
            own = defects.image == number
            if own.any():
                fold = self.fold_of.get(image.group, -1)
                out[own] = rows.seen_by(fold, rows.nearest(defects.rows[own], *image.parts))
        return out

    # --- directions and discriminants -----------------------------------------------------------------

    def _directions(self, defects: Bank, start: Sequence[Direction | None]) -> list[Direction | None]:
        """The direction of each fold, fitted without its parts. start: where fitting begins."""
        if not self.kind.uses_direction:
            return [None] * len(self.folds)
        return [
            fit_direction(self.fit_normals.rows, defects.rows[~defects.of(*parts)], before)
            for parts, before in zip(self.folds, start, strict=True)
        ]

    def _projected(
        self, defects: Bank, directions: Sequence[Direction | None], start: Sequence[Direction | None]
    ) -> np.ndarray:
        """L of every defect patch by a direction fitted without its part: float32 (b,).

        That is the direction of its fold. Parts in no fold are halved, and each half takes a direction fitted
        without it.
        """
        out = np.zeros(len(defects), np.float32)
        if not self.kind.uses_direction:
            return out
        fold = np.array([self.fold_of.get(group, -1) for group in defects.groups])
        for number, direction in enumerate(directions):
            out[fold == number] = _project(direction, defects.rows[fold == number])
        others = sorted(set(defects.groups[fold < 0]))
        for half, before in zip((others[::2], others[1::2]), start, strict=True):
            own = np.isin(defects.groups, half)
            if own.any():
                direction = fit_direction(self.fit_normals.rows, defects.rows[~defects.of(*half)], before)
                out[own] = direction(defects.rows[own])
        return out

    def _sums(self) -> TrainingSums | None:
        """The sums that discriminants of all folds follow from."""
        return TrainingSums.of(self.fit_normals, self.defects, self.folds) if self.kind.uses_context else None

    def _discriminants(self) -> list[Discriminant] | None:
        """The discriminant of each fold, fitted without its parts; on all defects where none are left."""
        if self.sums is None:
            return None
        likeness = self.detector.settings.likeness
        self.paintings = transfer.paintings(self.sums, self.fit_normals, self.defects, likeness)
        without = [(), *self.folds]
        weights = [{one.engine: one.weight(parts) * one.share for one in self.paintings} for parts in without]
        rows = [{one.engine: one.of_row(parts) for one in self.paintings} for parts in without]
        whole, by_fold = self.sums.discriminants(weights, rows)
        return [one or whole for one in by_fold]

    def _context(
        self, discriminants: Sequence[Discriminant] | None, features: np.ndarray
    ) -> np.ndarray | None:
        """C of the patches of m images by each discriminant. features: float32 (m, n, d).

        Returns float32 (discriminants, m, n), spread over neighbouring patches.
        """
        if discriminants is None:
            return None
        m, n, d = features.shape
        found = context.values(discriminants, features.reshape(m, *self.detector.grid, d))
        found = spread(self.detector.fitted, found.reshape(-1, *self.detector.grid))
        return found.reshape(-1, m, n)

    def _of_normals(self) -> tuple[np.ndarray, np.ndarray | None]:
        """L of the held-out normal images by the direction of each fold, and C by its discriminant: float32
        (folds, m, n) each; None without discriminants."""
        along, contexts = [], []
        for _, several in self.normals.together():
            along.append(np.stack([_project(direction, several) for direction in self.directions]))
            found = self._context(self.discriminants, several)
            if found is not None:
                contexts.append(found)
        return np.concatenate(along, 1), np.concatenate(contexts, 1) if contexts else None

    # --- figures --------------------------------------------------------------------------------------

    def _outcome(self) -> Outcome:
        along, contexts = self._of_normals()
        results = []
        for number in range(len(self.folds)):
            counting = self._counting(number)
            normals = Distances(
                self.normals_negative,
                self.seen.normals[number],
                direction=along[number],
                context=None if contexts is None else contexts[number],
                counted=_counted([(w, seen.normals[number]) for w, seen in counting]),
            )
            own = [i for i, group in enumerate(self.groups) if self.fold_of[group] == number]
            fitted, held_back = self._fusion(number, normals), self._held_back(number, own, counting)
            scores = _scores(fitted, normals), _scores(fitted, held_back)
            results.append(self._judge(*scores, [self.groups[i] for i in own]))
        return _combined(results, len(self.normals))

    def _fusion(self, number: int, normals: Distances) -> Fusion:
        """The fusion of a fold, fitted without the defects of its parts."""
        others = ~self.defects.of(*self.folds[number])
        defects = Distances(
            self.defects_negative[others], self.defects_positive[others], direction=self.projected[others]
        )
        real = np.where(self.defects.real, self.defects.groups, "")[others]
        dimension = self.detector.backbone.dimension
        painted = [(one.weight(self.folds[number]), one.defects) for one in self.paintings]
        counts = self._counts(number)
        return self.kind.fit(
            Evidence(_some(normals), defects, dimension, real, painted=painted, counts=counts)
        )

    def _held_back(self, number: int, own: list[int], counting: Sequence[tuple[float, Seen]]) -> Distances:
        """The distances of the images that a fold holds back. own: their numbers. counting: as `_counting` gives it."""
        pictures = np.stack([self.pictures[i] for i in own])
        found = self._context(self.discriminants and self.discriminants[number : number + 1], pictures)
        return Distances(
            np.stack([self.pictures_negative[i] for i in own]),
            np.stack([self.seen.defects[i] for i in own]),
            direction=_project(self.directions[number], pictures),
            context=None if found is None else found[0],
            counted=_counted([(w, np.stack([seen.defects[i] for i in own])) for w, seen in counting]),
        )

    def _judge(self, normal: np.ndarray, defective: np.ndarray, groups: Sequence[str]) -> _FoldFigures:
        """The figures of one fold. normal, defective: scores (m,). groups: parts of the defective ones."""
        keep = 1 - self.detector.settings.false_alarm_rate
        above = (normal < defective[:, None]).mean(1) + (normal == defective[:, None]).mean(1) / 2
        truth = np.repeat([False, True], [len(normal), len(defective)])
        ap = metrics.average_precision_score(truth, np.concatenate([normal, defective]))
        # Alarms are counted in each half of the normal images by the threshold of the other half.
        halves = (normal[::2], normal[1::2])
        limits = [np.quantile(half, keep, method="higher") for half in halves]
        alarms = sum(int((half > limit).sum()) for half, limit in zip(halves, limits[::-1], strict=True))
        found = int((defective > np.quantile(normal, keep, method="higher")).sum())
        return _FoldFigures(list(zip(groups, above.tolist(), strict=True)), float(ap), found, alarms)


@dataclass(frozen=True)
class _FoldFigures:
    """The figures of one fold. ranks: of each defective image, part and share of normal images below."""

    ranks: list[tuple[str, float]]
    ap: float
    found: int
    alarms: int


def _combined(folds: Sequence[_FoldFigures], normals: int) -> Outcome:
    ranks = [pair for fold in folds for pair in fold.ranks]
    parts = sorted({part for part, _ in ranks})
    by_part = {part: float(np.mean([rank for name, rank in ranks if name == part])) for part in parts}
    return Outcome(
        parts=by_part,
        auroc=float(np.mean(list(by_part.values()))),
        ap=float(np.mean([fold.ap for fold in folds])),
        found=sum(fold.found for fold in folds),
        defects=len(ranks),
        false_alarms=float(np.mean([fold.alarms for fold in folds])),
        normals=normals,
    )


def _bank(additions: Sequence[Change], kept: bool) -> Bank:
    """The rows that these changes add, as a bank of their own: the kept ones, or all."""
    use = [change.kept if kept else np.ones(len(change.rows), bool) for change in additions]
    number = np.repeat(np.arange(len(additions)), [int(u.sum()) for u in use])
    rows = np.concatenate([change.rows[u] for change, u in zip(additions, use, strict=True)])
    position = np.concatenate([change.position[u] for change, u in zip(additions, use, strict=True)])
    surroundings = None
    if all(change.surroundings is not None for change in additions):
        pairs = zip(additions, use, strict=True)
        surroundings = np.concatenate([c.surroundings[u] for c, u in pairs if c.surroundings is not None])
    return Bank(rows, number, position, [change.image for change in additions], surroundings)


def _of_kind(bank: Bank, kind: str | None) -> Bank:
    """The rows that an engine painted, or the real ones (None)."""
    own = [(None if image.origin == "real" else image.engine) == kind for image in bank.images]
    return bank.take(np.flatnonzero(np.array(own, bool)[bank.image]))


def _counted(kinds: Sequence[tuple[float, np.ndarray]]) -> np.ndarray | None:
    """`Distances.counted` from the weight and distances of each kind of row; None for no kind."""
    return weighted_mean(kinds, K) if kinds else None


def _project(direction: Direction | None, features: np.ndarray) -> np.ndarray:
    """L of patches (..., d) by a direction: float32 (...). Zero without one."""
    return direction(features) if direction is not None else np.zeros(features.shape[:-1], np.float32)


def _scores(fitted: Fusion, distances: Distances) -> np.ndarray:
    """The scores of m images by the distances of their patches (m, n, ...): float (m,)."""
    if type(fitted).image_score is Fusion.image_score:
        return fitted.patch_scores(distances).max(-1)
    several = (distances.each(lambda v: v[i]) for i in range(len(distances.negative)))  # noqa: B023
    return np.array([fitted.image_score(one) for one in several])


def _some(distances: Distances) -> Distances:
    """At most FIT_PATCHES patches of all images, the same ones every time."""
    count = distances.negative[..., 0].size
    chosen = np.sort(np.random.default_rng(0).permutation(count)[:FIT_PATCHES])
    return distances.each(lambda v: v.reshape(count, *v.shape[2:])[chosen])
