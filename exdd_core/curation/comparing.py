"""How much candidates are like the real defects of their type, group by group: told apart or not, and where they lie.

Knows candidates, training defects and the active bank version's features. Does not know decisions, test images, or
how a figure is computed (`evaluation.resemblance`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from exdd_core import datasets
from exdd_core.banks import teachers
from exdd_core.banks.detectors import load_detector
from exdd_core.detector import Detector, scoring
from exdd_core.detector.change import marks
from exdd_core.errors import BadInput
from exdd_core.evaluation.resemblance import Pooled, Resemblance, Verdict, compare, pooled
from exdd_core.images import read_image, read_mask
from exdd_core.later import stats
from exdd_core.progress import Progress
from exdd_core.sentences import count
from exdd_core.synthesis.prior import Lying, lying_of
from exdd_core.workspace import candidates

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

T = TypeVar("T")
MOST = 200  # images of a group that are read


@dataclass(frozen=True)
class Lies:
    """Where defects lie, as shares of the image: means and standard deviations across and down."""

    x: float
    x_spread: float
    y: float
    y_spread: float

    @classmethod
    def of(cls, several: Sequence[Lying]) -> Lies:
        x, y = np.array([(one.x, one.y) for one in several]).T
        return cls(float(x.mean()), float(x.std()), float(y.mean()), float(y.std()))


@dataclass(frozen=True)
class Compared:
    """The candidates of one engine and type against real defects of that type.

    gap: the largest difference of both distributions across and down (Kolmogorov and Smirnov), 0 to 1.
    """

    engine: str
    defect_type: str
    figures: Resemblance
    verdict: Verdict
    real: Lies
    painted: Lies
    gap: float
    sentence: str


def resemblances(
    workspace: Workspace, dataset: str | None = None, progress: Progress | None = None
) -> list[Compared]:
    """Compare pending and accepted candidates of a data set with its training defects, by engine and type.

    Types are never pooled: candidates without a type are compared where the data set has one type only. Real defects
    of parts that taught an engine do not say how good its paintings are, and are left out of its figures. Raises
    BadInput where the active version is of another data set, or nothing can be compared.
    """
    name, progress = workspace.dataset(dataset).name, progress or Progress()
    detector = load_detector(workspace)
    if workspace.bank().dataset != name:
        raise BadInput(
            f'The active bank version was not built from "{name}"; build or activate one that was.'
        )
    rows = [row for row in workspace.images(name, split="train", label=datasets.DEFECT) if row.mask]
    types = {row.defect_type for row in rows}
    groups: dict[tuple[str, str], list[candidates.Candidate]] = {}
    for one in candidates.pending_and_accepted(workspace, name):
        kind = one.defect_type if one.defect_type or len(types) != 1 else next(iter(types))
        if kind in types:
            groups.setdefault((one.engine, kind), []).append(one)
    if not groups:
        raise BadInput(
            f'No candidate of "{name}" has the type of a real training defect with a mask; paint some and set '
            "their defect type."
        )
    groups = {key: _some(groups[key]) for key in sorted(groups)}
    real = {kind: _some([row for row in rows if row.defect_type == kind]) for _, kind in groups}
    count_of_all = sum(len(one) for one in groups.values()) + sum(len(one) for one in real.values())
    progress.begin("Reading defects", count_of_all)
    known = {}
    for kind, several in real.items():
        read = _Defects(detector, progress)
        for row in several:
            pixels = teachers.pixels_of(workspace, row.id, row.path, detector)
            assert row.mask is not None
            read.add(pixels, read_mask(row.mask, pixels.shape[:2]), row.group)
        known[kind] = read
    return [
        _compared(engine, kind, known[kind], _painted(workspace, several, detector, progress))
        for (engine, kind), several in groups.items()
    ]


def _some(several: Sequence[T]) -> list[T]:
    """At most MOST of them, evenly."""
    return list(several[:: -(-len(several) // MOST) or 1])


class _Defects:
    """The pooled features of defects that are read one by one, and where they lie."""

    def __init__(self, detector: Detector, progress: Progress):
        self._detector, self._progress = detector, progress
        self._rows: list[tuple[np.ndarray, np.ndarray, str, str]] = []
        self.lying: list[Lying] = []
        self.taught_by: set[str] = set()  # parts whose images the engine was taught with

    def add(self, pixels: np.ndarray, mask: np.ndarray, part: str, donor: str = "") -> None:
        """pixels: uint8 (H, W, 3). mask: bool (H, W); one that marks no patch or leaves no ring is left out."""
        fitted, lying = self._detector.fitted, lying_of(mask)
        found = pooled(scoring.features(fitted, pixels), marks(fitted, mask))
        if found and lying:
            self._rows.append((*found, part, donor))
            self.lying.append(lying)
        self._progress.advance()

    @property
    def pooled(self) -> Pooled:
        if not self._rows:
            raise BadInput(
                "No mask marks a patch with its surroundings; build a version with a larger image size."
            )
        own, ring, parts, donors = zip(*self._rows, strict=True)
        return Pooled(np.stack(own), np.stack(ring), parts, donors)


def _painted(
    workspace: Workspace, several: Sequence[candidates.Candidate], detector: Detector, progress: Progress
) -> _Defects:
    read = _Defects(detector, progress)
    for one in several:
        mask = candidates.mask_of(workspace, one)
        donor = workspace.image(one.donor).group if one.donor else ""
        read.add(read_image(one.image), mask, workspace.image(one.source).group, donor)
        read.taught_by.update(one.taught_by)
    return read


def _compared(engine: str, kind: str, real: _Defects, painted: _Defects) -> Compared:
    figures = compare(real.pooled.without(painted.taught_by), painted.pooled)
    where = Lies.of(real.lying), Lies.of(painted.lying)
    gap = max(
        float(stats.ks_2samp(*([getattr(one, axis) for one in own.lying] for own in (real, painted)))[0])
        for axis in ("x", "y")
    )
    left_out = len(set(real.pooled.parts) & painted.taught_by)
    taught = (
        f" Real defects on {count(left_out, 'part')} that taught the engine are left out." if left_out else ""
    )
    said = f"{_heading(engine, kind, figures)}{taught} {_told(figures)} {_figures(figures)}{_lies(*where)}"
    return Compared(engine, kind, figures, figures.verdict, *where, gap, said)


def _heading(engine: str, kind: str, figures: Resemblance) -> str:
    painted, parts = count(figures.painted, "painting"), count(figures.real_parts, "part")
    return f"{engine}, {kind or 'no type'}: {painted} compared with {count(figures.real, 'real one')} on {parts}."


def _told(figures: Resemblance) -> str:
    own, ring = figures.own, figures.ring
    if own is None or ring is None:
        return "Too few to compare; at least 4 real parts and 4 paintings are needed."
    if figures.verdict == "surroundings differ":
        return (
            f"Surroundings differ (AUROC {ring.auroc:.2f} around them, chance up to {ring.high:.2f}), so "
            "there is no verdict on the paintings: place them where real defects lie."
        )
    if figures.verdict == "told apart":
        return f"Told apart (AUROC {own.auroc:.2f}, chance up to {own.high:.2f})."
    seen = f"with so few defects, only a value above {own.high:.2f} would show a difference"
    return f"Not told apart (AUROC {own.auroc:.2f}); {seen}."


def _figures(figures: Resemblance) -> str:
    said = ""
    if figures.kid is not None:
        said = (
            f"Kernel distance {figures.kid:.2f}; between real defects {figures.kid_real:.2f} ± "
            f"{figures.kid_spread:.2f}. "
        )
    if figures.diversity is not None:
        said += (
            f"Diversity {figures.diversity:.2f} times that of real defects; "
            f"{100 * (figures.copies or 0):.0f} % nearly repeat a real defect. "
        )
    return said


def _lies(real: Lies, painted: Lies) -> str:
    def words(lies: Lies) -> str:
        return f"{lies.x:.2f} ± {lies.x_spread:.2f} across, {lies.y:.2f} ± {lies.y_spread:.2f} down"

    return f"Paintings lie {words(painted)}; real defects {words(real)}."
