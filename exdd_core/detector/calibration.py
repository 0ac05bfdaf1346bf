"""What the scores of a fusion mean: thresholds and probabilities from held-out images.

Knows a fitted detector and its evidence. Does not know how fusions score.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from exdd_core.detector import thresholds
from exdd_core.detector.anomaly_map import anomaly_map, enlarged
from exdd_core.detector.fitted import Fitted
from exdd_core.detector.fusion import EPS, Distances, Evidence, Fusion
from exdd_core.detector.thresholds import Calibration, NormalScores

DOUBT = 5  # an image above the threshold for this many times the false-alarm rate is not called normal

Odds = tuple[float, float] | None
HeldOutImage = Callable[[int, int], Distances]


def calibrate(
    fitted: Fitted, fusion: Fusion, evidence: Evidence, every: Distances, usual: NormalScores
) -> Calibration:
    """Thresholds and probabilities of a fusion.

    every: distances of the held-out normals, (m, h, w, ...). usual: the scores of the same images.
    """
    rate, parts = fitted.setup.settings.false_alarm_rate, fitted.held.parts
    median, map_median = float(np.median(usual.scores)), usual.map_median
    limit, promised = thresholds.conformal_threshold(usual.scores, parts, rate)
    map_limit = thresholds.conformal_threshold(usual.peaks, parts, rate)[0]
    doubt = thresholds.conformal_threshold(usual.scores, parts, min(0.5, DOUBT * rate))[0]
    image_odds, patch_odds = _odds(fusion, evidence, usual.scores)
    distances, inside = every.negative[..., 0], fitted.held.inside
    if inside is not None:
        distances = distances[inside.reshape(distances.shape)]
    # Identical images have no spread at all, and a threshold must still lie above the median.
    return Calibration(
        median=median,
        threshold=max(limit, median + 1e-6 * (1 + abs(median))),
        map_median=map_median,
        map_threshold=max(map_limit, map_median + 1e-6 * (1 + abs(map_median))),
        usual_distance=max(float(np.median(distances)), EPS),
        doubt=doubt,
        promised=promised if fitted.reference.guaranteed else None,
        odds=image_odds,
        patch_odds=patch_odds,
    )


def normal_scores(fitted: Fitted, fusion: Fusion, every: Distances, image_of: HeldOutImage) -> NormalScores:
    """A fusion's results for the held-out images.

    every: their distances, (m, h, w, ...). image_of: `held_out_image` of this detector.
    """
    size, scores = fitted.setup.settings.size, []
    maps = np.empty((len(every.negative), size.height, size.width), np.float32)
    for i in range(len(maps)):
        one = every.each(lambda v: v[i])  # noqa: B023
        if fusion.around:
            one = image_of(i, fusion.around)
        scores.append(fusion.image_score(one))
        maps[i] = anomaly_map(fusion.patch_scores(one), fusion.sigma, size)
    peaks = maps.max((1, 2))  # first, as the median reorders the pixels in place, which saves a copy
    inside = fitted.held.inside
    if inside is not None:  # outside the region, values repeat the nearest one inside
        grid = fitted.setup.grid
        maps = np.concatenate([m[enlarged(i.reshape(grid), size)] for m, i in zip(maps, inside, strict=True)])
    return NormalScores(np.array(scores), float(np.median(maps, overwrite_input=True)), peaks)


def _odds(fusion: Fusion, evidence: Evidence, normals: np.ndarray) -> tuple[Odds, Odds]:
    """Log-odds of an image and of a patch, from image scores of held-out normals (m,) and left-out defects.

    A defective image is represented by its highest known patch. Synthetic defects count only where no defect
    is real.
    """
    defects = evidence.defects
    if defects is None or evidence.pictures is None or evidence.parts is None or fusion.around:
        return None, None
    use = evidence.parts != "" if evidence.real_parts else np.ones(len(evidence.parts), bool)
    scores = fusion.patch_scores(defects.each(lambda v: v[use]))
    known = np.isfinite(scores)
    if not known.any():
        return None, None
    scores, pictures = scores[known], evidence.pictures[use][known]
    highest = np.array([scores[pictures == number].max() for number in np.unique(pictures)])
    share = len(highest) / (len(highest) + max(evidence.images, 1)) if evidence.real_parts else 0.5
    images = thresholds.odds(normals, highest, share)
    usual = fusion.patch_scores(evidence.normals)
    counts = np.full(len(usual), evidence.each_normal)
    if evidence.unmarked is not None and evidence.each is not None:
        others = fusion.patch_scores(evidence.unmarked)
        finite = np.isfinite(others)
        usual = np.concatenate([usual, others[finite]])
        counts = np.concatenate([counts, evidence.each[finite]])
    return images, thresholds.odds(usual, scores, min(evidence.share, 0.5), counts)
