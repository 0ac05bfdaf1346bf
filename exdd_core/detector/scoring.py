"""Score images: features -> distances to both banks -> fusion -> anomaly map, image score and matched rows.

Knows a fitted detector. Does not know how it was fitted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from exdd_core.detector import fusion, inference, patches, row_weights
from exdd_core.detector.anomaly_map import anomaly_map, enlarged
from exdd_core.detector.anomaly_regions import RegionRules
from exdd_core.detector.bank import Bank
from exdd_core.detector.fit_models import patchcore
from exdd_core.detector.fitted import Fitted
from exdd_core.detector.fusion import Distances, Fusion
from exdd_core.detector.inspection import Inspection
from exdd_core.detector.patches import Source
from exdd_core.errors import BadInput
from exdd_core.region import HALF

Shape = tuple[int, int]  # height and width of an image


@dataclass(frozen=True)
class Nearest:
    """Distances of one image's patches, and the number of the matched row of each bank, int64 (h, w)."""

    distances: Distances
    negative_rows: np.ndarray
    positive_rows: np.ndarray | None


def score(fitted: Fitted, sources: Sequence[Source]) -> list[Inspection]:
    """Inspect images: paths, or uint8 (H, W, 3) RGB arrays of any size.

    Raises BadInput for an image that cannot be read.
    """
    return [_inspected(fitted, found, shape) for found, shape in _features(fitted, sources)]


def compare(fitted: Fitted, sources: Sequence[Source]) -> list[tuple[Inspection, Inspection]]:
    """The inspections of every image by PatchCore and by this detector, which share all distances."""
    plain, pairs = patchcore(fitted), []
    for found, shape in _features(fitted, sources):
        nearest = _nearest(fitted, found, inside=_inside(fitted, shape))
        pairs.append((_inspected(plain, found, shape, nearest), _inspected(fitted, found, shape, nearest)))
    return pairs


def features(fitted: Fitted, source: Source) -> np.ndarray:
    """Features of one image as the banks hold them, float32 (h, w, d). source: see `score`."""
    return next(_features(fitted, [source]))[0]


def _features(fitted: Fitted, sources: Sequence[Source]) -> Iterator[tuple[np.ndarray, Shape]]:
    """Features, float32 (h, w, d), and height and width of every image."""
    setup, size = fitted.setup, fitted.setup.settings.size
    together = inference.engine_for(setup.backbone, (size.height, size.width)).together
    for start in range(0, len(sources), together):
        several = [
            patches.read(source, size, setup.settings.read, setup.region)
            for source in sources[start : start + together]
        ]
        batch = np.stack([image for image, _ in several])
        for found, (_, shape) in zip(patches.features(setup.backbone, batch), several, strict=True):
            inside = _inside(fitted, shape)
            if setup.region is not None and inside is not None:
                found = setup.region.spread(found, inside)
            yield found, shape


def patch_scores(
    fitted: Fitted, found: np.ndarray, fusions: Sequence[Fusion], inside: np.ndarray | None = None
) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Score one image's features, (h, w, d), by several fusions.

    inside: bool (h, w), the patches in the region of interest; the others repeat the nearest of them. Returns
    for each fusion the image score, patch scores (h, w) and the map at the model's size.
    """
    distances = _nearest(fitted, found, max(f.around for f in fusions), inside).distances
    scores = [(f, f.patch_scores(distances)) for f in fusions]
    size = fitted.setup.settings.size
    return [(f.image_score(distances), values, anomaly_map(values, f.sigma, size)) for f, values in scores]


def distances_of(fitted: Fitted, found: np.ndarray) -> Distances:
    """The distances of one image's features, (h, w, d), that the detector's fusion scores."""
    return _nearest(fitted, found).distances


def spread(fitted: Fitted, values: np.ndarray) -> np.ndarray:
    """Values of patches, (k, h, w), with those outside the region of interest repeating the nearest inside."""
    region, inside = fitted.setup.region, _inside(fitted)
    if region is None or inside is None:
        return values
    return np.stack([region.spread(one, inside) for one in values])


def _inside(fitted: Fitted, shape: Shape | None = None) -> np.ndarray | None:
    """The patches in the region of interest of an image of this shape, bool (h, w); None without a region."""
    setup = fitted.setup
    if setup.region is None:
        return None
    return setup.region.inside(setup.settings.size, setup.grid, shape)


def _nearest(
    fitted: Fitted, found: np.ndarray, around: int | None = None, inside: np.ndarray | None = None
) -> Nearest:
    """Search both banks for the rows nearest to an image's features, (h, w, d). inside: see `patch_scores`."""
    grid, models, positive = fitted.setup.grid, fitted.models, fitted.banks.positive
    if found.shape[:2] != grid:
        raise BadInput(
            f"Features of a {found.shape[1]} x {found.shape[0]} patch grid were compared with banks built on "
            f"{grid[1]} x {grid[0]}; use images of their size, {fitted.setup.settings.size}."
        )
    around = models.fusion.around if around is None else around
    negative, negative_rows, negative_around = _search(fitted.banks.negative, found, around)
    if positive is None:
        return Nearest(Distances(negative, negative_around=negative_around), negative_rows, None)
    to_positive, positive_rows, positive_around = _search(positive, found, around)
    along = models.direction(found) if models.direction else None
    context = models.discriminant.of_image(found) if models.discriminant else None
    if context is not None and fitted.setup.region is not None and inside is not None:
        context = fitted.setup.region.spread(context, inside)
    counted = None
    if models.counts:
        parts = row_weights.parted(positive, models.counts)
        counted = row_weights.of_patches(parts, lambda bank: _search(bank, found, 0)[0])
    distances = Distances(negative, to_positive, negative_around, positive_around, along, context, counted)
    return Nearest(distances, negative_rows, positive_rows)


def _search(bank: Bank, found: np.ndarray, around: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Distances (h, w, k) to the nearest rows, the matched row's number (h, w), and distances (h, w, b) around it."""
    shape, queries = found.shape[:2], found.reshape(-1, found.shape[-1])
    distances, rows = bank.search(queries, fusion.NEIGHBOURS)
    of_match = bank.around(queries, rows[:, 0], around).reshape(*shape, -1) if around else None
    return distances.reshape(*shape, -1), rows[:, 0].reshape(shape), of_match


def _inspected(fitted: Fitted, found: np.ndarray, shape: Shape, nearest: Nearest | None = None) -> Inspection:
    """Make the inspection of one image from its features, (h, w, d)."""
    setup, one, positive = fitted.setup, fitted.models.fusion, fitted.banks.positive
    inside = _inside(fitted, shape)
    nearest = nearest or _nearest(fitted, found, inside=inside)
    distances = nearest.distances
    scores = one.patch_scores(distances)
    # A search finds a row, at a distance that looks sound, even for features that are not finite.
    score = one.image_score(distances) if np.isfinite(found).all() else math.nan
    calibration = fitted.models.fusions[one.name][1]
    model_map = anomaly_map(scores, one.sigma, setup.settings.size)
    if setup.region is not None and inside is not None:
        scores = np.where(inside, scores, min(np.float32(calibration.median), scores[inside].min()))
        share = setup.region.share(setup.settings.size, shape)
        shown = enlarged(inside, setup.settings.size) & (share >= HALF)
        model_map = np.where(shown, model_map, np.float32(calibration.map_median))
    to_positive = distances.positive if positive is not None else None
    return Inspection(
        score=score,
        fusion=one.name,
        calibration=calibration,
        shape=shape,
        size=setup.settings.size,
        patch_scores=scores,
        model_map=model_map,
        negative_distance=distances.negative[..., 0],
        positive_distance=None if to_positive is None else to_positive[..., 0],
        direction=distances.direction if one.uses_direction else None,
        _negative_rows=nearest.negative_rows,
        _positive_rows=nearest.positive_rows if positive is not None else None,
        _negative=fitted.banks.negative,
        _positive=positive,
        inside=inside,
        _region=setup.region,
        rules=RegionRules(setup.settings.region_area, setup.settings.region_gap),
    )
