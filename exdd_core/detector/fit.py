"""Fit a detector: normals and defects -> patch features -> coresets -> two banks -> every fusion, calibrated.

Fusions are fitted and calibrated on training images that are compared with no bank row of their own physical
part. Knows training examples and banks. Does not know where images are stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from exdd_core.detector import context, fusion, inference
from exdd_core.detector.bank import Bank
from exdd_core.detector.change import examine, kept_rows, known
from exdd_core.detector.coreset import covering_radius
from exdd_core.detector.coreset_of_blocks import coreset_of_blocks
from exdd_core.detector.evidence import FIT_PATCHES
from exdd_core.detector.examples import Marked, PatchSet, TrainingImage, patch_set
from exdd_core.detector.feature_cache import FeatureCache
from exdd_core.detector.fit_models import fit_fusions, follow, possible, tried, wanted, with_fitted
from exdd_core.detector.fitted import Banks, Fitted, Reference, Refit, empty_examples
from exdd_core.detector.held_out import HeldOut, Neighbours
from exdd_core.detector.patch_features import FlatFeatures
from exdd_core.detector.row_weights import parted
from exdd_core.detector.unmarked import UnmarkedSample
from exdd_core.errors import BadInput
from exdd_core.progress import Progress

CALIBRATION_IMAGES = 150  # at most this many held-out normal images set medians and thresholds
FIT_UNMARKED = 2_000  # at most this many patches outside the masks of real defects are fitted on
# Parts are reserved for a guaranteed threshold where there are this many times as many as it needs.
PLENTY = 4
# Quantiles of the mean distance of held-out normal patches to the negative bank: a patch on a defect is clean above the
# first, and visible above the second.
TOO_NORMAL, VISIBLE = 0.5, 0.99


def fit(
    fitted: Fitted,
    normals: Sequence[TrainingImage],
    defects: Sequence[TrainingImage] = (),
    progress: Progress | None = None,
    cache: FeatureCache | None = None,
    coreset_state: Path | None = None,
    negative: Bank | None = None,
) -> Fitted:
    """Build both banks from training images and fit every fusion that they allow.

    normals: defect-free images, at least two. defects: images with masks; without any the detector is
    PatchCore. A defect whose mask marks nothing, or nothing in the region of interest, is left out, as
    `summary.notes` tells. cache: of features. Features of many images lie on its disk meanwhile, else on that of
    temporary files; the memory that a build takes does not grow with their number. coreset_state: a file that the
    selection of normal rows is continued from, see `coreset.select`. negative: the bank of other normal images that
    these are compared with, in place of rows of these. Raises BadInput for too few images, a missing mask or a disk
    without room, `Cancelled` when asked to stop.
    """
    for image in defects:
        if image.mask is None:
            raise BadInput(
                f"{image.id} has no mask, so its defect cannot be located; add a mask or leave the image out."
            )
    setup, settings = fitted.setup, fitted.setup.settings
    everything = patch_set(
        setup.backbone, [*normals, *defects], settings.size, progress, settings.read, setup.region, cache
    )
    everything.require_finite()
    engine = inference.engine_for(setup.backbone, (settings.size.height, settings.size.width)).name
    fitted = replace(fitted, setup=replace(setup, engine=engine))
    n = len(normals)
    of_defects = everything.take(range(n, n + len(defects)))
    return fit_patches(fitted, everything.take(range(n)), of_defects, progress, None, coreset_state, negative)


def fit_patches(
    fitted: Fitted,
    normals: PatchSet,
    defects: PatchSet,
    progress: Progress | None = None,
    fusions: Sequence[str] | None = None,
    coreset_state: Path | None = None,
    negative: Bank | None = None,
) -> Fitted:
    """`fit` from computed features; `defects` may hold no image. fusions: see `fit_defects`."""
    if len(normals.images) < 2:
        raise BadInput("At least two normal training images are needed to build a bank; import more.")
    progress, settings = progress or Progress(), fitted.setup.settings
    reserved = _reserved(
        normals.groups, {i.group for i in defects.images}, settings.false_alarm_rate, settings.seed
    )
    used = normals.take(np.flatnonzero(~reserved)) if reserved.any() else normals
    others = normals.take(np.flatnonzero(reserved)) if reserved.any() else used
    if negative is None:
        negative = _coreset_bank(used, settings.negative_ratio, settings.seed, progress, coreset_state)
    rng = np.random.default_rng(settings.seed)
    sampled = _sample_normals(used, rng, progress)
    examples = replace(fitted.examples, normals=sampled, mask_faults=defects.mask_faults)
    held = _hold_out(negative, used, others, rng, progress)
    usual = held.negative.distances.mean(-1)
    usual = usual if held.inside is None else usual[held.inside]
    too_normal, visible_from = (float(np.quantile(usual, q)) for q in (TOO_NORMAL, VISIBLE))
    fitted = replace(
        fitted,
        setup=replace(fitted.setup, grid=normals.features.shape[1:3]),
        banks=Banks(negative),
        examples=examples,
        held_out=held,
        reference=Reference(
            too_normal=too_normal, visible_from=visible_from, guaranteed=bool(reserved.any())
        ),
        refit=Refit(),
    )
    return fit_defects(fitted, defects.marked(), progress, fusions)


def _reserved(groups: np.ndarray, defective: set[str], rate: float, seed: int) -> np.ndarray:
    """Which normal images neither banks nor models use, so that the threshold keeps its guarantee.

    groups: str (n,). Returns bool (n,): the images of whole parts without a defect, where there are PLENTY
    times as many parts as a threshold at the false-alarm rate `rate` needs; none otherwise.
    """
    parts = np.array(sorted(set(groups) - defective))
    needed = int(np.ceil(1 / rate - 1e-9)) - 1
    if len(parts) < PLENTY * needed:
        return np.zeros(len(groups), bool)
    count = min(max(needed, CALIBRATION_IMAGES), len(parts) // PLENTY)
    return np.isin(groups, np.random.default_rng(seed).permutation(parts)[:count])


def _coreset_bank(patches: PatchSet, ratio: float, seed: int, progress: Progress, state: Path | None) -> Bank:
    """The coreset of all patches, or of those in the region of interest, each with its origin."""
    features, inside = patches.features, patches.inside
    _, h, w, _ = features.shape
    count = len(features) * h * w if inside is None else int(inside.sum())
    size = max(1, round(ratio * count))
    progress.begin("Projecting patches", len(features))

    def blocks() -> Iterator[np.ndarray]:
        for number, found in enumerate(features):
            yield found.reshape(h * w, -1) if inside is None else found[inside[number]]
            progress.advance()

    dimension = features.shape[-1]
    kept = np.sort(coreset_of_blocks(blocks(), count, dimension, size, seed, progress, state))
    number = kept if inside is None else np.flatnonzero(inside)[kept]
    image, place = np.divmod(number, h * w)
    row, column = np.divmod(place, w)
    return Bank(features.rows(image, row, column), image, np.stack([row, column], 1), patches.images)


def _sample_normals(normals: PatchSet, rng: np.random.Generator, progress: Progress) -> Bank:
    """The normal patches, with their surroundings, that models are fitted on."""
    h, w = normals.features.shape[1:3]
    order = rng.permutation(len(normals.images) * h * w)
    if normals.inside is not None:
        order = order[normals.inside.ravel()[order]]
    chosen = np.sort(order[:FIT_PATCHES])
    image, (row, column) = chosen // (h * w), np.divmod(chosen % (h * w), w)
    d = normals.features.shape[-1]
    rows = np.empty((len(chosen), d), np.float32)
    surroundings = np.empty((len(chosen), context.width(d)), np.float32)
    numbers = np.unique(image)
    progress.begin("Sampling normal patches", len(numbers))
    for number in numbers:
        own, features = image == number, normals.features[number]
        rows[own] = features[row[own], column[own]]
        surroundings[own] = context.around(features)[row[own], column[own]]
        progress.advance()
    return Bank(rows, image, np.stack([row, column], 1), normals.images, surroundings)


def _hold_out(
    negative: Bank, used: PatchSet, others: PatchSet, rng: np.random.Generator, progress: Progress
) -> HeldOut:
    """Choose the images among `others` that set thresholds, and find their nearest negative rows."""
    chosen = np.sort(rng.permutation(len(others.images))[:CALIBRATION_IMAGES])
    # Where all images show a single part, leaving it out would leave no row: images are left out instead.
    single = len(set(used.groups)) == 1
    parts = [others.images[i].id if single else others.images[i].group for i in chosen]
    features = FlatFeatures(others.features.take(chosen).copied())
    progress.begin("Comparing held-out normal images with the others", len(chosen))
    found = Neighbours.find(negative, features, parts, fusion.NEIGHBOURS, progress)
    inside = None if others.inside is None else others.inside[chosen].reshape(len(chosen), -1)
    return HeldOut([others.images[i] for i in chosen], parts, features, found, inside=inside)


def fit_defects(
    fitted: Fitted,
    defects: Iterable[Marked],
    progress: Progress | None = None,
    fusions: Sequence[str] | None = None,
) -> Fitted:
    """Build the positive bank anew from these defects alone, and fit fusions; the negative bank stays.

    defects: looked at one by one, so they need not be in memory together. fusions: names of those to fit
    besides the wanted one; None for all that the banks allow. Raises BadInput where the banks do not allow the
    wanted one.
    """
    progress, settings = progress or Progress(), fitted.setup.settings
    empty = empty_examples(fitted.setup.backbone.dimension)
    fitted = replace(
        fitted,
        banks=Banks(fitted.banks.negative),
        examples=replace(fitted.examples, defects=empty),
        models=replace(fitted.models, direction=None),
        refit=replace(fitted.refit, defect_distances={}, seen=Banks(fitted.banks.negative), changes=()),
    )
    fitted = _with_defects(fitted, defects)
    fitted = follow(_with_positive_bank(fitted, progress))
    names = [kind.name for kind in possible(fitted)]
    asked = {fusion.PatchCore.name, wanted(fitted), *(names if fusions is None else fusions)}
    fitted = fit_fusions(fitted, [name for name in names if name in asked], progress)
    automatic = settings.fusion == "auto"
    return with_fitted(fitted, fusion.default(fitted.defective_parts) if automatic else settings.fusion)


def _with_defects(fitted: Fitted, defects: Iterable[Marked]) -> Fitted:
    """Keep the clean patches of defects, and a sample of those outside the masks of real ones."""
    empty = empty_examples(fitted.setup.backbone.dimension)
    unmarked, clean = UnmarkedSample(FIT_UNMARKED, fitted.setup.settings.seed, empty), []
    for marked in defects:
        clean.append(examine(fitted, marked).cleaned())
        if marked.unmarked is not None:
            unmarked.add(marked.image, marked.unmarked)
    fitted, (sampled, stand_for) = known(fitted, clean), unmarked.taken()
    examples = replace(fitted.examples, unmarked=sampled, stand_for=stand_for)
    return replace(fitted, examples=examples, refit=replace(fitted.refit, unmarked_distances={}))


def _with_positive_bank(fitted: Fitted, progress: Progress) -> Fitted:
    """Choose the rows of the positive bank from the known defects; none where there are no defects."""
    defects = fitted.examples.defects
    if not len(defects):
        return replace(fitted, reference=replace(fitted.reference, built=0))
    fitted, counts = tried(fitted)
    positive = defects.take(kept_rows(fitted, counts, progress))
    positive.surroundings = None
    radius = of_full = covering_radius(defects.rows, positive.rows)
    if counts:
        of_full = covering_radius(*(parted(bank, counts)[0][1].rows for bank in (defects, positive)))
    reference = replace(fitted.reference, radius=radius, radius_of_full=of_full, built=len(positive))
    return replace(fitted, banks=Banks(fitted.banks.negative, positive), reference=reference)
