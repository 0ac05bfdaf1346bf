"""Histograms of the neighbour distances of normal patches and defect patches to both banks of a version.

Knows detectors and candidates. Does not know pages or the map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from exdd_core.banks.detectors import load_detector
from exdd_core.detector.bank import Bank
from exdd_core.detector.evidence import defect_distances
from exdd_core.detector.fusion import NEIGHBOURS
from exdd_core.detector.held_out import rows_of_part
from exdd_core.errors import BadInput

if TYPE_CHECKING:
    from exdd_core.detector import Detector
    from exdd_core.workspace import Workspace

METHODS = ("pca", "umap")
NORMALS = 10_000  # at most, held-out normal patches that are counted
BINS = 48


@dataclass(frozen=True)
class Kind:
    """Patches of one kind. negative, positive: the share of them in each bin of `Distances`, by their distance to that
    bank; positive is None where there is no positive bank. beyond: the share of them farther from the negative bank
    than `Distances.visible_from`."""

    name: str  # "normal", "real" or "synthetic"
    patches: int
    beyond: float
    negative: list[float]
    positive: list[float] | None


@dataclass(frozen=True)
class Distances:
    """Mean distances to the five nearest rows of each bank (N and P), leave-one-part-out.

    edges: of the bins, by bank. visible_from: 99 % of held-out normal patches have a smaller N.
    """

    edges: dict[str, list[float]]
    visible_from: float
    kinds: list[Kind]


def distances(workspace: Workspace, bank: str | None = None) -> Distances:
    """Neighbour distances of normal, real and synthetic patches to both banks of a version (None: the active one).

    Normal patches are those of the held-out images that set the threshold; defect patches are those that the positive
    bank was built from. Rows of a patch's own physical part are left out. Raises BadInput for a version of an older
    kind.
    """
    detector = load_detector(workspace, workspace.bank(bank).id)
    if not detector.fitted.can_change:
        raise BadInput(
            "This bank version is imported or in an older format, so it has no held-out patches; build a new one."
        )
    found = {"normal": _of_normals(detector)} | _of_defects(detector)
    found = {name: pair for name, pair in found.items() if len(pair[0])}
    edges = {"negative": _edges([n for n, _ in found.values()])}
    if detector.positive is not None:
        edges["positive"] = _edges([p for _, p in found.values() if p is not None])
    kinds = [
        Kind(
            name,
            len(n),
            float((n > detector.fitted.reference.visible_from).mean()),
            _shares(n, edges["negative"]),
            _shares(p, edges["positive"]) if p is not None and len(p) else None,
        )
        for name, (n, p) in found.items()
    ]
    return Distances(
        {side: e.tolist() for side, e in edges.items()}, detector.fitted.reference.visible_from, kinds
    )


# N, float (n,), and P, float (m,). m <= n: a patch has no P where every row is of its own physical part.
Pair = tuple[np.ndarray, np.ndarray | None]


def _of_normals(detector: Detector) -> Pair:
    held, rng = detector.fitted.held_out, np.random.default_rng(detector.settings.seed)
    assert held is not None and held.features is not None
    each = max(1, NORMALS // max(1, len(held.parts)))
    n, p = [], []
    for number, part in enumerate(held.parts):
        features = held.features[number]
        order = rng.permutation(len(features))
        if held.inside is not None:
            order = order[held.inside[number][order]]
        chosen = np.sort(order[:each])
        rows = np.asarray(features[chosen], np.float32)
        n.append(_mean(detector.negative, rows, rows_of_part(detector.negative, part)))
        if detector.positive is not None:
            p.append(_mean(detector.positive, rows, rows_of_part(detector.positive, part)))
    return _finite(n), _finite(p) if p else None


def _of_defects(detector: Detector) -> dict[str, Pair]:
    """N and P of the patches on "real" and on "synthetic" defects."""
    bank = detector.fitted.examples.defects
    if detector.positive is None or not len(bank):
        return {}
    n, p = defect_distances(detector.fitted).mean(-1), np.full(len(bank), np.inf, np.float32)
    for number, image in enumerate(bank.images):
        own = bank.image == number
        others = detector.positive.of(image.id, *image.parts)
        p[own] = _mean(detector.positive, bank.rows[own], others)
    kinds = {"real": bank.real, "synthetic": ~bank.real}
    return {name: (_finite([n[own]]), _finite([p[own]])) for name, own in kinds.items()}


def _mean(bank: Bank, rows: np.ndarray, without: np.ndarray | None) -> np.ndarray:
    return bank.search(rows, NEIGHBOURS, without)[0].mean(-1)


def _finite(parts: Sequence[np.ndarray]) -> np.ndarray:
    joined = np.concatenate(parts)
    return joined[np.isfinite(joined)]


def _edges(several: Sequence[np.ndarray]) -> np.ndarray:
    """Edges of BINS bins that span nearly all values of every kind; the outermost bins take the rest."""
    filled = [values for values in several if len(values)]
    if not filled:
        return np.linspace(0, 1, BINS + 1)
    first = min(float(np.quantile(values, 0.002)) for values in filled)
    last = max(float(np.quantile(values, 0.995)) for values in filled)
    spare = max(last - first, 1e-6) / BINS
    return np.linspace(max(0.0, first - spare), last + spare, BINS + 1)


def _shares(values: np.ndarray, edges: np.ndarray) -> list[float]:
    counted = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    return (counted / max(1, len(values))).round(5).tolist()
