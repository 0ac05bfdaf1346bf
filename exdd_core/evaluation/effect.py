"""What adding rows to the positive bank would change, measured on training data with each defective part held back.

Every training defect is looked at by a detector that has never seen its part: no row of it, none of a defect
transplanted from it, no direction and no fusion fitted with it. Held-out normal images stand beside it. The same
again with further rows, and the difference is what those rows are worth for parts still to come. Knows detectors
and their changes; knows neither candidates nor test images, nor what is decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score

from exdd_core.detector import Change, Detector, context, fusion, nearest
from exdd_core.detector.bank import Bank
from exdd_core.detector.context import Discriminant, TrainingSums
from exdd_core.detector.direction import Direction, fit_direction
from exdd_core.detector.evidence import defect_distances, normality
from exdd_core.detector.examples import DefectImage
from exdd_core.detector.fusion import Distances, Evidence, Fusion
from exdd_core.detector.held_out import sample
from exdd_core.detector.scoring import spread
from exdd_core.errors import BadInput
from exdd_core.evaluation.outcome import Outcome
from exdd_core.progress import Progress

MOST_FOLDS = 8  # more defective parts than this are held back a few at a time
FIT_PATCHES = 4_000  # of each class: fewer than a detector is fitted on, so that a candidate takes a moment
NORMALS = 100  # held-out normal images to tell defects from
K = fusion.NEIGHBOURS
FAR = 1e3  # stands for "no row there": farther than any


class _Rows:
    """Rows of a positive bank with, for each, the folds that must not meet it. Distances are found once for all folds.

    kind: int (n,), an index into `unmet`, sets of fold numbers.
    """

    def __init__(self, bank: Bank, fold_of: dict[str, int]):
        names = [{i.group, i.donor} - {""} for i in bank.images]
        sets = [frozenset(fold_of[n] for n in own if n in fold_of) for own in names]
        self.unmet = sorted(set(sets), key=sorted)
        self.kind = np.array([self.unmet.index(s) for s in sets], int)[bank.image]
        self.rows, self.bank = bank.rows, bank

    def nearest(self, queries: np.ndarray, *apart: str) -> np.ndarray:
        """Distances to the nearest K rows of every kind, float32 (kinds, q, K); without rows of the parts `apart`."""
        out = np.full((len(self.unmet), len(queries), K), FAR, np.float32)
        for kind, rows in self._by_kind(self.bank.of(*apart)):
            nearest.merge(out[kind], queries, rows)
        return out

    def met(self, near: np.ndarray, fold: int) -> np.ndarray:
        """Distances to every kind of row, (kinds, ..., K), as one fold meets them: (..., K)."""
        there = [found for found, unmet in zip(near, self.unmet, strict=True) if fold not in unmet]
        if not there:
            return np.full(near.shape[1:], FAR, np.float32)
        return there[0] if len(there) == 1 else nearest.merged(there, K)

    def come(self, near: np.ndarray, queries: np.ndarray, folds: Sequence[int], *apart: str) -> None:
        """Take these rows into what queries (q, d) had nearest: float32 (folds, q, K), changed in place."""
        for kind, rows in self._by_kind(self.bank.of(*apart)):
            meet = [i for i, fold in enumerate(folds) if fold not in self.unmet[kind]]
            if meet:
                nearest.merge(near, queries, rows, sets=meet)

    def _by_kind(self, without: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        for kind in range(len(self.unmet)):
            rows = self.rows[(self.kind == kind) & ~without]
            if len(rows):
                yield kind, rows


@dataclass(frozen=True)
class _Near:
    """Distances to the nearest K positive rows of everything that is looked at.

    normals: float32 (folds, m, n, K), as each fold meets the bank. pictures: (n, K) each, from its own fold.
    known: (b, K), of the rows that fusions are fitted on, each without its own part.
    """

    normals: np.ndarray
    pictures: list[np.ndarray]
    known: np.ndarray


class Validation:
    """A detector's defective parts, each held back once. Any number of additions can be tried; none is kept."""

    def __init__(self, detector: Detector, defects: Sequence[DefectImage], progress: Progress | None = None):
        """defects: the real training images with a defect. Raises BadInput where they show fewer than two parts."""
        held, progress, parts = (
            detector.fitted.held_out,
            progress or Progress(),
            sorted({d.image.group for d in defects}),
        )
        if len(parts) < 2 or detector.positive is None:
            raise BadInput(
                "The effect is measured by holding one defective part back, so real defects of at least two parts "
                "are needed; import more, or decide without it."
            )
        assert held is not None and held.features is not None
        self.detector, self.kind = detector, type(detector.fusion)
        several = np.array_split(np.array(parts), min(len(parts), MOST_FOLDS))
        self.fold_of = {str(part): number for number, some in enumerate(several) for part in some}
        self.folds = [[str(part) for part in some] for some in several]
        count = min(NORMALS, len(held.images))
        progress.begin("Holding each defective part back", len(defects) + 2)
        self.apart, self.normals_n = held.parts[:count], held.negative.distances[:count]
        self.normals = np.stack([np.asarray(f, np.float32) for f in held.features[:count]])
        self.groups = [d.image.group for d in defects]
        self.pictures = [np.asarray(d.features, np.float32) for d in defects]
        self.pictures_n = []
        for one, picture in zip(defects, self.pictures, strict=True):
            self.pictures_n.append(normality(detector.fitted, picture, one.image))
            progress.advance()
        chosen = sample(detector.fitted.examples.defects, FIT_PATCHES, detector.settings.seed)
        normals = detector.fitted.examples.normals
        step = max(1, len(normals) // FIT_PATCHES)
        self.teachers = normals.take(np.arange(0, len(normals), step))
        self.learnt = self.teachers.rows
        self.known = detector.fitted.examples.defects.take(chosen)
        self.known_n = defect_distances(detector.fitted)[chosen]
        self.rows = _Rows(detector.positive, self.fold_of)
        self.near = self._nearest(self.rows, self.known)
        progress.advance()
        self.directions = self._directions(self.known, [detector.fitted.models.direction] * len(self.folds))
        self.lessons = self._lessons()
        self.discriminants = self._discriminants()
        self.along = self._along(self.known, self.directions, [detector.fitted.models.direction] * 2)
        self.before = self._outcome()
        progress.advance()

    def outcome(self, additions: Sequence[Change]) -> Outcome:
        """How held-back defects would fare with these rows in the bank too; `Detector.additions` makes them."""
        return self.extended(additions).before if additions else self.before

    def extended(self, additions: Sequence[Change]) -> Validation:
        """The same for the detector with these additions, without holding every part back again."""
        further = _bank(additions, kept=False)
        further = further.take(sample(further, FIT_PATCHES, self.detector.settings.seed))
        added = np.empty((len(further), K), np.float32)
        for number, image in enumerate(further.images):
            own = further.image == number
            added[own] = normality(self.detector.fitted, further.rows[own], image)
        other, kept = copy(self), _Rows(_bank(additions, kept=True), self.fold_of)
        other.known, other.known_n = self.known.joined(further), np.concatenate([self.known_n, added])
        other.near = self._nearer(kept, further, other.known)
        other.rows = _Rows(self.rows.bank.joined(kept.bank), self.fold_of)
        other.directions = self._directions(other.known, self.directions)
        painted = not further.real.any()
        other.lessons = self.lessons.plus(further) if self.lessons and painted else other._lessons()
        other.discriminants = other._discriminants()
        other.along = self._along(other.known, other.directions, self.directions[:1] * 2)
        other.before = other._outcome()
        return other

    def _nearest(self, rows: _Rows, known: Bank) -> _Near:
        every = [rows.nearest(f, apart) for f, apart in zip(self.normals, self.apart, strict=True)]
        normals = np.stack([rows.met(np.stack(every, 1), fold) for fold in range(len(self.folds))])
        pictures = [
            rows.met(rows.nearest(picture), self.fold_of[group])
            for picture, group in zip(self.pictures, self.groups, strict=True)
        ]
        return _Near(normals, pictures, self._of_known(rows, known))

    def _nearer(self, kept: _Rows, further: Bank, known: Bank) -> _Near:
        """What all have nearest when further rows come, of which the bank keeps some. Most of it stays as it is."""
        folds = range(len(self.folds))
        normals = self.near.normals.copy()
        kept.come(normals.reshape(len(folds), -1, K), self.normals.reshape(-1, kept.rows.shape[1]), folds)
        owners = {name for image in kept.bank.images for name in (image.id, image.group, image.donor)}
        for i in (i for i, part in enumerate(self.apart) if part in owners):  # these must not meet their own
            normals[:, i] = self.near.normals[:, i]
            kept.come(normals[:, i], self.normals[i], folds, self.apart[i])
        pictures = [near.copy() for near in self.near.pictures]
        for near, picture, group in zip(pictures, self.pictures, self.groups, strict=True):
            kept.come(near[None], picture, [self.fold_of[group]])
        beside = np.concatenate([self.near.known, self._of_known(self.rows, further)])
        return _Near(normals, pictures, nearest.merged([beside, self._of_known(kept, known)], K))

    def _of_known(self, rows: _Rows, known: Bank) -> np.ndarray:
        """Distances of known rows to a bank's, each without its own part and without its fold's: float32 (b, K)."""
        out = np.full((len(known), K), FAR, np.float32)
        for number, image in enumerate(known.images):
            own = known.image == number
            if own.any():
                fold = self.fold_of.get(image.group, -1)
                out[own] = rows.met(rows.nearest(known.rows[own], image.group, image.donor), fold)
        return out

    def _directions(self, known: Bank, start: Sequence[Direction | None]) -> list[Direction | None]:
        """What each fold learns from the known rows, but for its own."""
        if not self.kind.uses_direction:
            return [None] * len(self.folds)
        return [
            fit_direction(self.learnt, known.rows[~known.of(*parts)], before)
            for parts, before in zip(self.folds, start, strict=True)
        ]

    def _lessons(self) -> TrainingSums | None:
        """The same of the surroundings."""
        return TrainingSums.of(self.teachers, self.known, self.folds) if self.kind.uses_context else None

    def _discriminants(self) -> list[Discriminant] | None:
        """What each fold learns of them; of all known rows where it leaves none."""
        if self.lessons is None:
            return None
        whole, apart = self.lessons.discriminants()
        return [one or whole for one in apart]

    def _along(
        self, known: Bank, directions: Sequence[Direction | None], start: Sequence[Direction | None]
    ) -> np.ndarray:
        """L of every known row from a direction without its part: its fold's, or that of the other half."""
        out = np.zeros(len(known), np.float32)
        if not self.kind.uses_direction:
            return out
        fold = np.array([self.fold_of.get(group, -1) for group in known.groups])
        for number, line in enumerate(directions):
            out[fold == number] = _line(line, known.rows[fold == number])
        others = sorted(set(known.groups[fold < 0]))
        for half, before in zip((others[::2], others[1::2]), start, strict=True):
            own = np.isin(known.groups, half)
            if own.any():
                out[own] = fit_direction(self.learnt, known.rows[~known.of(*half)], before)(known.rows[own])
        return out

    def _outcome(self) -> Outcome:
        results, context = [], self._context(self.discriminants, self.normals)
        for number, (parts, line) in enumerate(zip(self.folds, self.directions, strict=True)):
            others = ~self.known.of(*parts)
            defects = Distances(self.known_n[others], self.near.known[others], direction=self.along[others])
            normals = Distances(
                self.normals_n,
                self.near.normals[number],
                direction=_line(line, self.normals),
                context=None if context is None else context[number],
            )
            real = np.where(self.known.real, self.known.groups, "")[others]
            fitted = self.kind.fit(Evidence(_some(normals), defects, self.detector.backbone.dimension, real))
            theirs = [i for i, group in enumerate(self.groups) if self.fold_of[group] == number]
            pictures = np.stack([self.pictures[i] for i in theirs])
            own = self._context(self.discriminants and self.discriminants[number : number + 1], pictures)
            seen = Distances(
                np.stack([self.pictures_n[i] for i in theirs]),
                np.stack([self.near.pictures[i] for i in theirs]),
                direction=_line(line, pictures),
                context=None if own is None else own[0],
            )
            usual, scores = _scores(fitted, normals), _scores(fitted, seen)
            results.append(self._judge(usual, scores, [self.groups[i] for i in theirs]))
        return _summed(results, len(self.normals))

    def _context(
        self, discriminants: Sequence[Discriminant] | None, features: np.ndarray
    ) -> np.ndarray | None:
        """C of images' patches, float32 (m, n, d), by each of these: float32 (discriminants, m, n)."""
        if discriminants is None:
            return None
        m, n, d = features.shape
        found = context.values(discriminants, features.reshape(m, *self.detector.grid, d))
        found = spread(self.detector.fitted, found.reshape(-1, *self.detector.grid))
        return found.reshape(-1, m, n)

    def _judge(self, usual: np.ndarray, scores: np.ndarray, groups: Sequence[str]) -> _Fold:
        """One fold: scores (m,) of normal images, and of the images held back with their parts."""
        keep = 1 - self.detector.settings.false_alarm_rate
        above = (usual < scores[:, None]).mean(1) + (usual == scores[:, None]).mean(1) / 2
        truth = np.repeat([False, True], [len(usual), len(scores)])
        ap = average_precision_score(truth, np.concatenate([usual, scores]))
        halves = (usual[::2], usual[1::2])
        limits = [np.quantile(half, keep, method="higher") for half in halves]
        alarms = sum(int((half > limit).sum()) for half, limit in zip(halves, limits[::-1], strict=True))
        found = int((scores > np.quantile(usual, keep, method="higher")).sum())
        return _Fold(list(zip(groups, above.tolist(), strict=True)), float(ap), found, alarms)


@dataclass(frozen=True)
class _Fold:
    """What became of one fold. ranks: for each image its part and the share of normal images below it."""

    ranks: list[tuple[str, float]]
    ap: float
    found: int
    alarms: int


def _summed(folds: Sequence[_Fold], normals: int) -> Outcome:
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
    """What these changes add as a bank of its own: the kept rows, or all."""
    use = [change.kept if kept else np.ones(len(change.rows), bool) for change in additions]
    number = np.repeat(np.arange(len(additions)), [int(u.sum()) for u in use])
    rows = np.concatenate([change.rows[u] for change, u in zip(additions, use, strict=True)])
    position = np.concatenate([change.position[u] for change, u in zip(additions, use, strict=True)])
    surroundings = None
    if all(change.surroundings is not None for change in additions):
        pairs = zip(additions, use, strict=True)
        surroundings = np.concatenate([c.surroundings[u] for c, u in pairs if c.surroundings is not None])
    return Bank(rows, number, position, [change.image for change in additions], surroundings)


def _line(line: Direction | None, features: np.ndarray) -> np.ndarray:
    return line(features) if line is not None else np.zeros(features.shape[:-1], np.float32)


def _scores(fitted: Fusion, distances: Distances) -> np.ndarray:
    """Of images whose patches are (m, n): float (m,)."""
    if type(fitted).image_score is Fusion.image_score:
        return fitted.patch_scores(distances).max(-1)
    columns = {n: v for n, v in vars(distances).items() if v is not None}
    several = (Distances(**{n: v[i] for n, v in columns.items()}) for i in range(len(distances.negative)))
    return np.array([fitted.image_score(one) for one in several])


def _some(distances: Distances) -> Distances:
    """A few patches of all images, the same ones every time."""
    count = distances.negative[..., 0].size
    chosen = np.sort(np.random.default_rng(0).permutation(count)[:FIT_PATCHES])
    columns = {n: v for n, v in vars(distances).items() if v is not None}
    return Distances(**{n: v.reshape(count, *v.shape[2:])[chosen] for n, v in columns.items()})
