"""Add rows of an image to a bank, remove them or put them back, without building anew.

What a change does not concern is kept, the rest is fitted again. Knows a fitted detector. Does not know who
decides on a change, or how it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np

from exdd_core.detector import fusion, row_weights
from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.coreset import covering_radius, greedy_coreset
from exdd_core.detector.evidence import normality
from exdd_core.detector.examples import Marked, defect_patches
from exdd_core.detector.fit_models import fit_fusions, follow, possible, wanted
from exdd_core.detector.fitted import Banks, Examples, Fitted, Refit, empty_bank
from exdd_core.detector.models_state import restored
from exdd_core.detector.records import Change, Drift, Examined
from exdd_core.errors import BadInput
from exdd_core.progress import Progress

# The positive bank keeps at least this many rows, or all there are: a tenth of the patches of a few small defects would
# be next to nothing.
FEWEST_POSITIVE_ROWS = 1_000


def bank_size(patches: int, ratio: float) -> int:
    """The number of rows that cover this many patches on known defects in a new build."""
    return max(1, min(patches, FEWEST_POSITIVE_ROWS), round(ratio * patches))


def examine(fitted: Fitted, marked: Marked) -> Examined:
    """Find the clean patches: less normal than many normal patches, and in the region of interest."""
    distances = normality(fitted, marked.rows, marked.image)
    usual, counts = distances.mean(-1), _counts(fitted, marked)
    clean = (usual > fitted.reference.too_normal) & counts
    if marked.image.origin == "real" and counts.any() and not clean.any():
        # A person has marked a real defect, so at least its least normal patch shows it.
        clean = counts & (usual == usual[counts].max())
    return Examined(marked, distances, clean)


def marks(fitted: Fitted, mask: np.ndarray) -> np.ndarray:
    """Which patches of an image a mask, bool (H, W) of the image's size, marks: bool (h, w)."""
    setup = fitted.setup
    return defect_patches(mask, setup.settings.size, setup.grid, setup.region)


def _counts(fitted: Fitted, marked: Marked) -> np.ndarray:
    """Which of these patches lie in the region of interest, bool (m,).

    With letterboxes, which differ from image to image, the masks were already limited to the region.
    """
    setup = fitted.setup
    if setup.region is None or setup.settings.size.keep_aspect:
        return np.ones(len(marked.rows), bool)
    row, column = marked.position.T
    return setup.region.inside(setup.settings.size, setup.grid)[row, column]


def known(fitted: Fitted, several: Sequence[Examined]) -> Fitted:
    """Add the clean patches of images to the known defects, not to the positive bank."""
    defects, distances = copy(fitted.examples.defects), dict(fitted.refit.defect_distances)
    defects.add_all([(m.image, m.rows, m.position, m.surroundings) for m in (e.marked for e in several)])
    distances.update({seen.marked.image.id: seen.distances for seen in several})
    return replace(
        fitted,
        examples=replace(fitted.examples, defects=defects),
        refit=replace(fitted.refit, defect_distances=distances),
    )


def additions(fitted: Fitted, several: Sequence[Marked], side: str = "positive") -> list[Change]:
    """The changes that add these images' patches in turn, keeping the rows that extend the bank's coverage.

    Positive: clean patches whose distance to the bank exceeds its covering radius, and further ones up to the
    size of a new build. Negative: patches whose distance exceeds that of usual normal patches. Raises
    BadInput for an image that is in the bank already, and one with features that are no finite numbers.
    """
    changes = []
    for marked in several:
        if not np.isfinite(marked.rows).all():
            raise BadInput(
                f"The network's features of {marked.image.id} are not finite, so no bank can hold them."
            )
        if side == "negative":
            use = _counts(fitted, marked)
            usual = fitted.models.fusions[fusion.PatchCore.name][1].usual_distance
            chosen, _ = fitted.banks.negative.widening(marked.rows[use], usual)
        else:
            use = examine(fitted, marked).clean
            chosen = _widening(fitted, marked.image, marked.rows[use])
        kept = np.zeros(int(use.sum()), bool)
        kept[chosen] = True
        surroundings = None if marked.surroundings is None else marked.surroundings[use]
        rows, position = marked.rows[use], marked.position[use]
        changes.append(Change(side, "add", marked.image, rows, position, kept, surroundings))
        fitted = _taken(fitted, changes[-1])
    return changes


def _widening(fitted: Fitted, image: BankImage, rows: np.ndarray) -> np.ndarray:
    """Which rows (m, d) of an image extend the positive bank, with as many as a new build would have, int64.

    Paintings that do not count fully do not decide which rows of other images are kept.
    """
    counts, reference = fitted.models.counts, fitted.reference
    positive = fitted.banks.positive or empty_bank(fitted.setup.backbone.dimension)
    bank = row_weights.beside(positive, image, counts)
    count = len(row_weights.beside(fitted.examples.defects, image, counts)) + len(rows)
    size = max(min(count, FEWEST_POSITIVE_ROWS), round(fitted.setup.settings.positive_ratio * count))
    radius = reference.radius if row_weights.is_weighed(image, counts) else reference.radius_of_full
    return bank.widening(rows, radius, max(0, size - len(bank)))[0]


def kept_rows(fitted: Fitted, counts: Mapping[str, float], progress: Progress | None = None) -> np.ndarray:
    """The numbers of the known defects' rows that a new positive bank keeps, ascending. counts: as `Models.counts`."""
    settings = fitted.setup.settings

    def keep(rows: np.ndarray) -> np.ndarray:
        size = bank_size(len(rows), settings.positive_ratio)
        return greedy_coreset(rows, size, seed=settings.seed, progress=progress)

    return row_weights.choose(fitted.examples.defects, keep, counts)


def removals(fitted: Fitted, image_id: str, side: str = "positive") -> list[Change]:
    """The change that removes every row of an image from a bank, with all that is needed to put it back.

    Raises BadInput where the image has no row there.
    """
    banks, examples = fitted.banks, fitted.examples
    bank = banks.positive if side == "positive" else banks.negative
    known_rows = examples.defects if side == "positive" else examples.normals
    image = next((i for i in bank.images if i.id == image_id), None) if bank else None
    if bank is None or image is None:
        raise BadInput(f"{image_id} is not in the {side} bank.")
    own, fitted_on = bank.of_image(image_id), known_rows.of_image(image_id)
    further = own.take(np.flatnonzero(~_among(own.position, fitted_on.position)))
    position = np.concatenate([fitted_on.position, further.position])
    surroundings = None
    if fitted_on.surroundings is not None:
        unknown = np.full((len(further), fitted_on.surroundings.shape[1]), np.nan, np.float32)
        surroundings = np.concatenate([fitted_on.surroundings, unknown])
    rows, kept = np.concatenate([fitted_on.rows, further.rows]), _among(position, own.position)
    used = np.arange(len(position)) < len(fitted_on)
    return [Change(side, "remove", image, rows, position, kept, surroundings, used)]


def _among(position: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which places, int (m, 2), are among others, int (n, 2): bool (m,)."""
    return (position[:, None] == others[None]).all(-1).any(1)


def changed(
    fitted: Fitted,
    changes: Sequence[Change],
    state: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """Make these changes in turn and fit the models again.

    state: the models as they were stored after the same changes, so that nothing is fitted; without it the
    held-out features must be there. Raises BadInput for an image that is added twice or removed without being
    there.
    """
    for change in changes:
        fitted = _taken(fitted, change)
    if state is not None:
        return replace(fitted, models=restored(state, fitted.models))
    fitted = follow(fitted)
    names = {fusion.PatchCore.name, wanted(fitted)}
    return fit_fusions(fitted, [k.name for k in possible(fitted) if k.name in names], progress or Progress())


def _taken(fitted: Fitted, change: Change) -> Fitted:
    """Make one change to the banks and examples; models are not fitted again."""
    take = _taken_negative if change.side == "negative" else _taken_positive
    banks, examples, refit = take(fitted, change)
    refit = replace(refit, changes=(*refit.changes, change))
    return replace(fitted, banks=banks, examples=examples, refit=refit)


def _taken_negative(fitted: Fitted, change: Change) -> tuple[Banks, Examples, Refit]:
    negative, normals = copy(fitted.banks.negative), copy(fitted.examples.normals)
    if change.action == "remove":
        negative.remove(change.image.id)
        normals.drop(change.image.id)
    else:
        use = slice(None) if change.fitted_on is None else change.fitted_on
        surroundings = None if change.surroundings is None else change.surroundings[use]
        negative.add(change.image, change.rows[change.kept], change.position[change.kept])
        normals.add(change.image, change.rows[use], change.position[use], surroundings)
    refit = replace(fitted.refit, defect_distances={}, unmarked_distances={}, sums=None)
    return Banks(negative, fitted.banks.positive), replace(fitted.examples, normals=normals), refit


def _taken_positive(fitted: Fitted, change: Change) -> tuple[Banks, Examples, Refit]:
    banks, defects, distances = fitted.banks, copy(fitted.examples.defects), fitted.refit.defect_distances
    positive: Bank | None = copy(banks.positive) if banks.positive else None
    distances = dict(distances)
    if change.action != "remove":
        positive = positive or empty_bank(fitted.setup.backbone.dimension)
        positive.add(change.image, change.rows[change.kept], change.position[change.kept])
        defects.add(change.image, change.rows, change.position, change.surroundings)
    elif positive is not None:
        positive.remove(change.image.id)
        defects.drop(change.image.id)
        distances.pop(change.image.id, None)
        positive = positive if len(positive) else None
    refit = replace(fitted.refit, defect_distances=distances)
    return Banks(banks.negative, positive), replace(fitted.examples, defects=defects), refit


def drift(fitted: Fitted) -> Drift:
    """Compare the positive bank with a new build of the same images; takes a second or two."""
    positive, defects, reference = fitted.banks.positive, fitted.examples.defects, fitted.reference
    rows = len(positive) if positive else 0
    if not positive or not len(defects):
        return Drift(reference.built, rows, 0.0, 0.0, 0.0)
    nearest = positive.search(defects.rows)[0][:, 0]
    fresh = covering_radius(defects.rows, defects.rows[kept_rows(fitted, fitted.models.counts)])
    uncovered = float((nearest > 1.001 * reference.radius + 1e-6).mean())
    return Drift(reference.built, rows, uncovered, float(nearest.max()), fresh)
