"""Fit models to the banks: the supervised direction, discriminants, and fusions with their calibration.

After a change to the banks the held-out images follow, and everything starts from what was fitted before.
Knows a fitted detector. Does not know images, nor why banks change.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from exdd_core.detector import direction, fusion, held_out, transfer
from exdd_core.detector.bank import Bank
from exdd_core.detector.calibration import HeldOutImage, calibrate, normal_scores
from exdd_core.detector.context import Discriminant, TrainingSums
from exdd_core.detector.evidence import (
    FIT_FOLDS,
    FIT_PATCHES,
    evidence,
    held_out_distances,
    held_out_image,
)
from exdd_core.detector.fitted import Fitted, Models
from exdd_core.detector.fusion import Distances, Fusion
from exdd_core.detector.thresholds import NormalScores
from exdd_core.detector.transfer import Paintings
from exdd_core.errors import BadInput
from exdd_core.progress import Progress


def possible(fitted: Fitted) -> list[type[Fusion]]:
    """The fusions that the banks allow, by their defective parts and known surroundings."""
    examples = fitted.examples
    whole = examples.normals.surroundings is not None and examples.defects.surroundings is not None
    kinds = [k for k in fusion.FUSIONS.values() if whole or not k.uses_context]
    return [k for k in kinds if fitted.defective_parts >= k.fewest_parts]


def wanted(fitted: Fitted) -> str:
    """The name of the fusion in the settings, or the next best one where the banks do not allow it."""
    names = [kind.name for kind in possible(fitted)]
    older = fusion.Stacked.name if fusion.Stacked.name in names else fusion.OpenSet.name
    for name in (fitted.setup.settings.fusion, fusion.default(fitted.defective_parts), older):
        if name in names:
            return name
    return fusion.PatchCore.name


def follow(fitted: Fitted) -> Fitted:
    """Compare the held-out images with the rows that were added since they last saw the banks."""
    seen, changes, held = fitted.refit.seen, fitted.refit.changes, fitted.held_out
    for side in ("negative", "positive"):
        old, new = getattr(seen, side, None), getattr(fitted.banks, side)
        gone = {c.image.id for c in changes if (c.side, c.action) == (side, "remove")}
        if old is not None and any(c.side == side for c in changes):
            held = fitted.held if held is None else held
            held = held.follow(side, old, new, ~old.of_images(gone), fusion.NEIGHBOURS)
        elif old is None:
            held = fitted.held if held is None else held
            held = held.follow(side, None, new, np.zeros(0, bool), fusion.NEIGHBOURS)
    return replace(fitted, held_out=held, refit=replace(fitted.refit, seen=fitted.banks, changes=()))


def fit_fusions(fitted: Fitted, names: Sequence[str], progress: Progress) -> Fitted:
    """Fit and calibrate these fusions and no others. The wanted one must be among them; it scores."""
    line = fitted.models.direction if any(fusion.by_name(name).uses_direction for name in names) else None
    fitted = fit_discriminants(replace(fitted, models=replace(fitted.models, fusions={}, direction=line)))
    fitted = _fit_named(fitted, names, progress)
    chosen = fitted.models.fusions[wanted(fitted)][0]
    return replace(fitted, models=replace(fitted.models, fusion=chosen))


def _fit_named(fitted: Fitted, names: Sequence[str], progress: Progress) -> Fitted:
    """Add these fusions to those that are fitted."""
    examples, models = fitted.examples, fitted.models
    if any(fusion.by_name(name).uses_direction for name in names):
        some = held_out.sample(examples.defects, FIT_PATCHES, fitted.setup.settings.seed)
        known = examples.defects.rows[some]
        line = direction.fit_direction(examples.normals.rows, known, models.direction)
        fitted = replace(fitted, models=replace(models, direction=line))
    every = held_out_distances(fitted)
    found = evidence(fitted, every, progress)
    fusions = dict(fitted.models.fusions)
    progress.begin("Setting thresholds", len(names))
    # Several fusions ask for the rows around the matched ones, which takes as long as searching the bank again.
    image_of = functools.cache(functools.partial(held_out_image, fitted))
    for name in names:
        one = fusion.by_name(name).fit(found)
        fitted, usual = _normal_scores(fitted, one, every, image_of)
        fusions[name] = one, calibrate(fitted, one, found, every, usual)
        progress.advance()
    return replace(fitted, models=replace(fitted.models, fusions=fusions))


def _normal_scores(
    fitted: Fitted, one: Fusion, every: Distances, image_of: HeldOutImage | None = None
) -> tuple[Fitted, NormalScores]:
    """`normal_scores`, kept for PatchCore: changes to the positive bank do not concern it."""
    image_of = image_of or functools.partial(held_out_image, fitted)
    if type(one) is not fusion.PatchCore:
        return fitted, normal_scores(fitted, one, every, image_of)
    kept, neighbours = fitted.refit.patchcore, fitted.held.negative
    if kept is None or kept[0] is not neighbours:
        kept = neighbours, normal_scores(fitted, one, every, image_of)
        fitted = replace(fitted, refit=replace(fitted.refit, patchcore=kept))
    return fitted, kept[1]


def usual_scores(fitted: Fitted) -> np.ndarray:
    """Scores of the held-out normal images by the fusion in use, float (m,); `HeldOut.parts` names their parts.

    Raises BadInput for a version without held-out images.
    """
    if not fitted.can_change:
        raise BadInput(
            "This bank version was imported or is too old, so it has no scores of normal images; build a new one."
        )
    fitted = fit_discriminants(follow(fitted))
    return _normal_scores(fitted, fitted.models.fusion, held_out_distances(fitted))[1].scores


def fit_discriminants(fitted: Fitted) -> Fitted:
    """Fit the discriminant of all training patches, and one for every fold of parts without them."""
    if fitted.banks.positive is None:
        return _with_discriminants(fitted, None, {})
    sums = _training_sums(fitted)
    fitted = _with_sums(fitted, sums)
    if sums is None:
        return _with_discriminants(fitted, None, {})
    painted = _paintings(fitted, sums)
    fitted = replace(fitted, models=replace(fitted.models, paintings=painted))
    weights, defects = {one.engine: one.weight() * one.share for one in painted}, fitted.examples.defects
    if painted and len(defects) > FIT_PATCHES and not transfer.row_counts(painted):
        some = held_out.sample(defects, FIT_PATCHES, fitted.setup.settings.seed)  # of all, as all count alike
        sums = TrainingSums.of(fitted.examples.normals, defects.take(some), sums.folds) or sums
    rows, times = {one.engine: one.of_row() for one in painted}, 1 + len(sums.folds)
    whole, several = sums.discriminants([weights] * times, [rows] * times)
    pairs = zip(sums.folds, several, strict=True)
    without = {part: one for parts, one in pairs if one is not None for part in parts}
    return _with_discriminants(fitted, whole, without)


def _with_discriminants(
    fitted: Fitted, whole: Discriminant | None, without: dict[str, Discriminant]
) -> Fitted:
    models = replace(fitted.models, discriminant=whole, discriminants_without=without)
    return replace(fitted, models=models if whole else replace(models, paintings=()))


def _with_sums(fitted: Fitted, sums: TrainingSums | None) -> Fitted:
    kept = (sums, [image.id for image in fitted.examples.defects.images]) if sums else None
    return replace(fitted, refit=replace(fitted.refit, sums=kept))


def _training_sums(fitted: Fitted) -> TrainingSums | None:
    """The sums that discriminants are fitted from: known sums with new painted defects, or all anew."""
    defects, folds = fitted.examples.defects, _folds(fitted)
    sums, known = fitted.refit.sums or (None, [])
    before, new = [i.id for i in defects.images[: len(known)]], defects.images[len(known) :]
    grown = known == before and all(image.origin != "real" for image in new)
    of_engines = np.bincount(held_out.kinds_of_rows(defects))[1:]  # real ones are sampled separately
    most = of_engines.max(initial=0) if defects.real.any() else len(defects)
    if sums and sums.folds == folds and grown and most <= FIT_PATCHES:
        return sums.plus(defects.take(np.flatnonzero(defects.image >= len(known))))
    return TrainingSums.of(*_patches_of_sums(fitted), folds)


def paintings(fitted: Fitted) -> list[Paintings]:
    """How well each engine's painted defects among the examples find the real ones; none without surroundings."""
    sums = TrainingSums.of(*_patches_of_sums(fitted), _folds(fitted))
    return _paintings(fitted, sums) if sums else []


def tried(fitted: Fitted) -> tuple[Fitted, dict[str, float]]:
    """What painted rows will count for (`Models.counts`), before there is a positive bank, and the value with the sums
    that this was computed from, which fitting uses again."""
    real = fitted.examples.defects.real
    if real.all() or not real.any():
        return fitted, {}
    sums = _training_sums(fitted)
    return _with_sums(fitted, sums), transfer.row_counts(_paintings(fitted, sums)) if sums else {}


def _paintings(fitted: Fitted, sums: TrainingSums) -> list[Paintings]:
    return transfer.paintings(sums, *_patches_of_sums(fitted), fitted.setup.settings.likeness)


def _patches_of_sums(fitted: Fitted) -> tuple[Bank, Bank]:
    """The normal patches and those on defects that discriminants are fitted on."""
    defects = fitted.examples.defects
    some = held_out.sample_apart(defects, FIT_PATCHES, fitted.setup.settings.seed)
    return fitted.examples.normals, defects.take(some)


def _folds(fitted: Fitted) -> list[list[str]]:
    """All parts in folds, with those that have real defects spread evenly."""
    normals, defects = fitted.examples.normals, fitted.examples.defects
    real = sorted({i.group for i in defects.images if i.origin == "real"})
    every = [*normals.images, *defects.images]
    others = {name for i in every for name in (i.group, i.donor) if name} - set(real)
    usual = {i.group for i in normals.images if real}  # first, so that paintings move no other part
    parts = [*real, *sorted(others & usual), *sorted(others - usual)]
    return [parts[at::FIT_FOLDS] for at in range(min(FIT_FOLDS, len(parts)))]


def prepare(fitted: Fitted) -> Fitted:
    """Compute ahead what the first change to the positive bank needs and later ones reuse."""
    if fitted.banks.positive is None or fitted.held_out is None or fitted.refit.sums is not None:
        return fitted
    found = fitted.held_out.negative.distances
    every = Distances(found.reshape(len(found), *fitted.setup.grid, -1))
    fitted, _ = _normal_scores(fitted, fitted.models.fusions[fusion.PatchCore.name][0], every)
    sums = _training_sums(fitted)
    return _with_sums(fitted, sums) if sums else fitted


def with_fitted(fitted: Fitted, name: str) -> Fitted:
    """A value that has this fusion, fitting it where a change left it out.

    Raises BadInput for an unknown fusion and for one that the banks do not allow.
    """
    needed = fusion.by_name(name).fewest_parts
    if name in fitted.models.fusions:
        return fitted
    if needed <= fitted.defective_parts and fitted.can_change:
        return _fit_named(fit_discriminants(follow(fitted)), [name], Progress())
    raise BadInput(
        f"The fusion {name} needs defects of {needed} or more physical parts, but the positive bank has "
        f"{fitted.defective_parts}; choose another fusion or build with more defects."
    )


def scored_by(fitted: Fitted, name: str) -> Fitted:
    """A value that scores by this fusion. Raises BadInput as `with_fitted` does."""
    fitted = with_fitted(fitted, name)
    return replace(fitted, models=replace(fitted.models, fusion=fitted.models.fusions[name][0]))


def patchcore(fitted: Fitted) -> Fitted:
    """The same negative bank without a positive one, scored by PatchCore."""
    kept = {fusion.PatchCore.name: fitted.models.fusions[fusion.PatchCore.name]}
    models: Models = replace(
        fitted.models, fusion=kept[fusion.PatchCore.name][0], fusions=kept, direction=None
    )
    return replace(fitted, banks=replace(fitted.banks, positive=None), models=models)
