"""What ways of painting give on held-out folds: the table of `painting`, with intervals by physical part.

In every grouped fold 0, 3, 8 or all defective parts of the training side are known. They lend what is painted, which
is accepted unseen as a whole ("all") or as `candidates accept --recommended` would have it: that holds back each known
part in turn, sees no test image, and may accept none. With no known part it accepts none always. Perfect paintings are
those of `oracle`.

A cell is kept as JSON with the scores of test images and with its figures on resampled parts. Draws depend on parts
alone, so cells are paired, and a part that is tested with several seeds is drawn equally often in each. Folds come in
an order in which whatever is finished is balanced: another fold of another seed, then of the other data set.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import TypedDict

import numpy as np

from exdd_core.curation.queue import group_of
from exdd_core.datasets import DEFECT, Record
from exdd_core.detector import Detector, Settings, change, fit_models
from exdd_core.detector.bank import Bank
from exdd_core.detector.examples import DefectImage, Marked
from exdd_core.detector.transfer import Paintings
from exdd_core.evaluation import REPLICATES, Validation, advise, compute_metrics, resampling
from exdd_core.evaluation.part_curves import contributions
from tests.bench import oracle
from tests.bench.grid import FOLDERS, FOLDS, THINNED, Images
from tests.bench.ways import PAINTED, WAYS, Reader, Side, paint

KNOWN = {known: parts for known, parts in oracle.KNOWN.items() if known != "1"}
PLACED = [way for way, one in WAYS.items() if one.placed]


class Cell(TypedDict):
    """One row of the table in one fold. figures: by column. weight, transfer: of the paintings, None without any.

    accepted: paintings. drawn: by column the figure on all parts and on REPLICATES draws of parts.
    """

    figures: dict[str, float]
    accepted: int
    weight: float | None
    transfer: float | None
    scores: list[float]
    drawn: dict[str, list[float]]


Cells = dict[str, Cell]


def stages() -> list[list[str]]:
    """ "known parts, way" of every row, and "..., recommended", in the order in which they are worth their time."""

    def every(*several: str) -> list[str]:
        rows = [(known, way) for known in several for way in ("none", "perfect", *PLACED)]
        return [f"{known}, {way}" for known, way in rows if _makes_sense(known, way)]

    def advised(known: str) -> list[str]:
        return [f"{known}, {way}, recommended" for way in PLACED]

    return [every("0", "3") + advised("3"), every("8", "all") + advised("8"), advised("all")]


def _makes_sense(known: str, way: str) -> bool:
    """Not where nothing is left for perfect paintings, nor where there is no defect to lend."""
    return (known, way) != ("all", "perfect") and not (known == "0" and way in WAYS and WAYS[way].lent)


def order(seeds: Sequence[int], folds: int) -> Iterator[tuple[list[str], int, int]]:
    """Cells with their seed and fold: those of (0, 0), (1, 1), (2, 2), then of (0, 1), (1, 2) ...; the longest last."""
    rounds = [[(seed, (at + shift) % folds) for at, seed in enumerate(seeds)] for shift in range(folds)]
    first, second, longest = stages()
    for some in rounds:
        yield from ((stage, seed, fold) for stage in (first, second) for seed, fold in some)
    yield from ((longest, seed, fold) for some in rounds for seed, fold in some)


def run(data: Path, kept: Path, names: Sequence[str], seeds: Sequence[int], folds: int | None) -> None:
    """Fill the cells that are missing, and print the table."""
    images: dict[str, Images] = {}
    for (stage, seed, fold), name in itertools.product(order(seeds, folds or FOLDS), names):
        file = kept / f"held_out_{name}_{seed}_{fold}.json"
        found: Cells = json.loads(file.read_text()) if file.is_file() else {}
        missing = [cell for cell in stage if cell not in found]
        if missing and name not in images:
            images[name] = Images.read(data / FOLDERS[name][0], FOLDERS[name][1])
        for cell, own in Fold(images[name], seed, fold).fill(missing, found) if missing else ():
            found[cell] = own
            file.write_text(json.dumps(found))
    for name in names:
        show(name, [json.loads(file.read_text()) for file in sorted(kept.glob(f"held_out_{name}_*.json"))])


class Remembering(Bank):
    """A bank that keeps what it found: the same patches are looked up for every cell of a fold."""

    def __init__(self, bank: Bank):
        super().__init__(bank.rows, bank.image, bank.position, bank.images, bank.surroundings)
        self.found: dict[tuple[bytes, int, bytes], tuple[np.ndarray, np.ndarray]] = {}

    def search(
        self, queries: np.ndarray, k: int = 1, without: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        asked = (
            blake2b(queries.tobytes()).digest(),
            k,
            b"" if without is None else without.tobytes(),
        )
        if asked not in self.found:
            self.found[asked] = super().search(queries, k, without)
        distances, rows = self.found[asked]
        return distances.copy(), rows.copy()


class Fold:
    """A fold with its negative bank, which all cells share."""

    def __init__(self, images: Images, seed: int, fold: int):
        self.images, self.seed, self.fold = images, seed, fold
        self.normals, self.every, self.test = images.sides(seed, fold, None)
        detector = Detector(images.backbone, Settings(size=images.size, seed=seed))
        fitted = detector.fit_patches(images.patches.take(self.normals), images.patches.take([])).fitted
        banks = replace(fitted.banks, negative=Remembering(fitted.banks.negative))
        self.detector = Detector.of(replace(fitted, banks=banks))
        self.plain: dict[str, Detector] = {}
        self.read, self.made = Reader(images.root, images.size, images.backbone), dict[str, list[Marked]]()

    def fill(self, missing: Sequence[str], there: Mapping[str, Cell]) -> Iterator[tuple[str, Cell]]:
        """The missing cells one after another. there: those known, which the caller adds these to."""
        for cell in missing:
            known, way, *advised = cell.split(", ")
            yield cell, self._cell(known, way, bool(advised), there)

    def _cell(self, known: str, way: str, advised: bool, there: Mapping[str, Cell]) -> Cell:
        _, defects, _ = self.images.sides(self.seed, self.fold, KNOWN[known])
        real, none = list(self.images.patches.take(defects).marked()), there.get(f"{known}, none")
        paintings = self._paintings(known, way, defects)
        if advised:
            chosen = self._recommended(known, real, defects, way, paintings)
            if len(chosen) == len(paintings):
                return there[f"{known}, {way}"]
            paintings = chosen
        if none and not paintings:
            return none
        tried = self._tried(known, real, paintings) if real and paintings else []
        if none and tried and all(one.idle for one in tried):
            own = none  # without weight they change no score, to the last bit (`tests/test_row_weights.py`)
        else:
            vouched = 1.0 if way == "perfect" else None
            detector = self._fitted([*real, *paintings], vouched) if paintings else self._plain(known, real)
            own = self._scored(detector, "context" if real or paintings else "patchcore")
            tried = detector.fitted.models.paintings
        weight, transfer = (tried[0].weight(), tried[0].transfer()) if tried else (None, None)
        return own | {"accepted": len(paintings), "weight": weight, "transfer": transfer}

    def _paintings(self, known: str, way: str, defects: list[int]) -> list[Marked]:
        if way == "none":
            return []
        if way == "perfect":
            others = self.images.patches.take(sorted({*self.every} - {*defects}))
            return [oracle.as_painted(marked) for marked in others.marked()]
        if f"{known}, {way}" not in self.made:
            side = Side(*([self.images.records[i] for i in own] for own in (self.normals, defects)))
            rng = np.random.default_rng([self.seed, self.fold])
            made = paint(self.images.root, WAYS[way], side, rng, PAINTED)
            self.made[f"{known}, {way}"] = self.read.painted(way, made)
        return self.made[f"{known}, {way}"]

    def _fitted(self, defects: list[Marked], likeness: float | None) -> Detector:
        fitted = self.detector.fitted
        settings = replace(fitted.setup.settings, likeness=likeness)
        detector = Detector.of(replace(fitted, setup=replace(fitted.setup, settings=settings)))
        return detector.fit_defects(defects, fusions=("context",) if defects else ())

    def _plain(self, known: str, real: list[Marked]) -> Detector:
        """The detector that knows these parts and no painting."""
        if known not in self.plain:
            self.plain[known] = self._fitted(real, None)
        return self.plain[known]

    def _tried(self, known: str, real: list[Marked], paintings: list[Marked]) -> Sequence[Paintings]:
        """What paintings find of the known parts."""
        plain = self._plain(known, real).fitted
        return fit_models.paintings(
            change.known(plain, [change.examine(plain, m).cleaned() for m in paintings])
        )

    def _recommended(
        self, known: str, real: list[Marked], defects: list[int], way: str, paintings: list[Marked]
    ) -> list[Marked]:
        """Those that `candidates accept --recommended` would take, judged by the known parts alone."""
        judging, patches = self._plain(known, real).with_fusion("context"), self.images.patches
        groups: dict[str, list[Marked]] = {}
        for marked in paintings:
            if group := group_of(judging, way, marked):
                groups.setdefault(group, []).append(marked)
        flat = (-1, judging.backbone.dimension)
        held = [DefectImage(patches.images[i], patches.features[i].reshape(flat)) for i in defects]
        advice = advise(Validation(judging, held), groups)
        return [marked for group in advice.groups for marked in groups[group]]

    def _scored(self, detector: Detector, fusion: str) -> Cell:
        scores, maps = np.zeros(len(self.test)), list[np.ndarray]()
        for at, image in enumerate(self.test):
            ((scores[at], _, found),) = detector.score_patches(self.images.patches.features[image], [fusion])
            maps.append(found[::THINNED, ::THINNED])
        records, masks = self.images.records, self.images.masks[self.test][:, ::THINNED, ::THINNED]
        truth = np.array([records[i].label == DEFECT for i in self.test])
        figures = compute_metrics(scores, truth, np.stack(maps), masks)
        several = contributions(scores, truth, maps, masks, [records[i].group for i in self.test])
        weights = draws(records, several.parts)
        both = resampling.figures_of(several.images, weights) | resampling.figures_of(several.pixels, weights)
        return {
            "figures": {column: figures[column] for column in oracle.COLUMNS},
            "accepted": 0,
            "weight": None,
            "transfer": None,
            "scores": [float(f"{score:.6g}") for score in scores],
            "drawn": {column: both[column].round(5).tolist() for column in oracle.COLUMNS},
        }


def draws(records: Sequence[Record], parts: Sequence[str]) -> np.ndarray:
    """How often each of these parts is drawn where all parts of a data set are drawn from, those with a defect and the
    others by themselves: float64 (1 + REPLICATES, parts). The first row is all ones."""
    defective, rng = {r.group for r in records if r.label == DEFECT}, np.random.default_rng(resampling.SEED)
    every: dict[str, np.ndarray] = {}
    for side in filter(None, (defective, {r.group for r in records} - defective)):
        found = rng.multinomial(len(side), np.full(len(side), 1 / len(side)), REPLICATES)
        every |= dict(zip(sorted(side), found.T, strict=True))
    return np.stack([np.append(1.0, every[part]) for part in parts], axis=1)


def show(name: str, folds: Sequence[Cells]) -> None:
    """Of each row the mean over the folds that have it, and in brackets what it gains over none in these, with the
    95 % interval by physical part."""
    print(f"\n{name}: on held-out folds, percent; gain over none [95 % interval by part]")
    print(
        f"{'known':>5s} {'painted':<24s}{'folds':>6s}{f'of {PAINTED}':>6s}{'weight':>7s}"
        + "".join(f"{c:>30s}" for c in oracle.COLUMNS)
    )
    for cell in sorted({cell for fold in folds for cell in fold}, key=_place):
        known, way = cell.split(", ", 1)
        pairs = [(fold[cell], fold[f"{known}, none"]) for fold in folds if cell in fold]
        weights = [own["weight"] for own, _ in pairs if own["weight"] is not None]
        line = f"{known:>5s} {way:<24s}{len(pairs):6d}{np.mean([own['accepted'] for own, _ in pairs]):6.0f}"
        line += f"{np.mean(weights):7.2f}" if weights else f"{'-':>7s}"
        print(line + "".join(f"{_gain(pairs, column):>30s}" for column in oracle.COLUMNS))


def _place(cell: str) -> tuple[int, int, int]:
    known, way, *advised = cell.split(", ")
    return list(KNOWN).index(known), ["none", "perfect", *PLACED].index(way), len(advised)


def _gain(pairs: Sequence[tuple[Cell, Cell]], column: str) -> str:
    own, none = (float(np.mean([pair[side]["figures"][column] for pair in pairs])) for side in (0, 1))
    a, b = (np.mean([pair[side]["drawn"][column] for pair in pairs], axis=0) for side in (0, 1))
    found = resampling.compare(a, b, own - none)
    return f"{100 * own:.1f} ({100 * (own - none):+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}])"
