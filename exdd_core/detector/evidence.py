"""The distances that fusions are fitted and calibrated on, none of which crosses a physical part with itself.

Knows a fitted detector's banks and examples. Does not know what fusions make of the distances.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from exdd_core.detector import direction, fusion, held_out, row_weights, transfer
from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.fitted import Fitted
from exdd_core.detector.fusion import Distances, Evidence
from exdd_core.detector.held_out import HeldOut, Neighbours
from exdd_core.detector.weighted_distances import weighted_mean
from exdd_core.progress import Progress

FIT_PATCHES = 10_000  # at most this many patches of each class are fitted on
FIT_FOLDS = 10  # physical parts with defects are left out in at most this many folds


def normality(fitted: Fitted, rows: np.ndarray, image: BankImage) -> np.ndarray:
    """Distances of patches (n, d) of an image to the nearest negative rows of other parts, float32 (n, k).

    Where all negative rows are of the image's own part, these are used.
    """
    negative = fitted.banks.negative
    own = negative.of(image.group, image.id, image.donor)
    return negative.search(rows, fusion.NEIGHBOURS, None if own.all() else own)[0]


def defect_distances(fitted: Fitted) -> np.ndarray:
    """`normality` of every row of `Examples.defects`, float32 (n, k)."""
    return _by_image(fitted, fitted.examples.defects, fitted.refit.defect_distances)


def unmarked_distances(fitted: Fitted) -> np.ndarray:
    """`normality` of every row of `Examples.unmarked`, float32 (n, k)."""
    return _by_image(fitted, fitted.examples.unmarked, fitted.refit.unmarked_distances)


def _by_image(fitted: Fitted, bank: Bank, known: dict[str, np.ndarray]) -> np.ndarray:
    """The distances of a bank's rows; those of images that are not `known` are computed and kept there."""
    out = np.empty((len(bank), fusion.NEIGHBOURS), np.float32)
    for number, image in enumerate(bank.images):
        own = bank.image == number
        if image.id not in known:
            known[image.id] = normality(fitted, bank.rows[own], image)
        out[own] = known[image.id]
    return out


def held_out_distances(fitted: Fitted) -> Distances:
    """Distances of all held-out normal images, (m, h, w, ...)."""
    found = _held_out(fitted, slice(None), 0)
    if not row_counts(fitted):
        return found
    counted = _counted_of_held_out(fitted).reshape(found.negative.shape[:-1])
    return replace(found, counted=counted)


def row_counts(fitted: Fitted) -> dict[str, float]:
    """`transfer.row_counts` of the fitted paintings; none where no row would count fully."""
    counts, positive = transfer.row_counts(fitted.models.paintings), fitted.banks.positive
    return counts if positive is not None and len(row_weights.parted(positive, counts)[0][1]) else {}


def _counted_of_held_out(fitted: Fitted) -> np.ndarray:
    """P of held-out images with rows counting as `row_counts` says, float32 (m, n)."""
    positive, held, known, kept = fitted.banks.positive, fitted.held, list(fitted.refit.counting), []
    assert positive is not None and held.features is not None
    several = []
    for weight, bank in row_weights.parted(positive, row_counts(fitted)):
        found = _followed(held, known, bank)
        kept.append((bank, found))
        distances = found.distances
        if weight < 1:  # no row is left where all are of the image's own part
            hidden = np.array([bank.of(part).all() for part in held.parts])
            distances = np.where(hidden[:, None, None], np.float32(np.inf), distances)
        several.append((weight, distances))
    fitted.refit.counting[:] = kept
    return weighted_mean(several, fusion.NEIGHBOURS)


def _followed(held: HeldOut, known: list[tuple[Bank, Neighbours]], bank: Bank) -> Neighbours:
    """The neighbours of held-out images in a part of the positive bank; from those in it before, if it is known."""
    assert held.features is not None
    for old, found in known:
        there = {image.id for image in bank.images}
        kept = ~old.of_images({image.id for image in old.images} - there)
        if kept.any() and np.array_equal(old.rows[kept], bank.rows[: kept.sum()]):
            same = kept.all() and len(old) == len(bank)
            return found if same else found.follow(old, bank, kept, held.features, held.parts)
    return Neighbours.find(bank, held.features, held.parts, fusion.NEIGHBOURS)


def held_out_image(fitted: Fitted, image: int, around: int) -> Distances:
    """Distances of one held-out image, (h, w, ...), with those to `around` rows around the matched ones."""
    return _held_out(fitted, slice(image, image + 1), around).each(lambda v: v[0])


def _held_out(fitted: Fitted, at: slice, around: int) -> Distances:
    held, (h, w), models = fitted.held, fitted.setup.grid, fitted.models
    assert held.features is not None
    columns: dict[str, np.ndarray] = {}
    sides = {
        "negative": (fitted.banks.negative, held.negative),
        "positive": (fitted.banks.positive, held.positive),
    }
    for side, (bank, found) in sides.items():
        if bank is None or found is None:
            continue
        columns[side] = found.distances[at]
        if around:
            queries = np.asarray(held.features[at.start], np.float32)
            left_out = held_out.rows_of_part(bank, held.parts[at.start])
            matched = found.rows[at.start, :, 0]
            columns[f"{side}_around"] = bank.around(queries, matched, around, left_out)[None]
    if models.direction is not None:
        several = [models.direction(np.asarray(f, np.float32)) for f in held.features[at]]
        columns["direction"] = np.stack(several)
    if models.discriminant is not None:
        columns["context"] = _contexts_of_held_out(fitted, at)
    return Distances(**{n: v.reshape(len(v), h, w, *v.shape[2:]) for n, v in columns.items()})


def _contexts_of_held_out(fitted: Fitted, at: slice) -> np.ndarray:
    """C of held-out images, each from the discriminant without its part: float32 (m, n)."""
    held, grid, region = fitted.held, fitted.setup.grid, fitted.setup.region
    assert held.features is not None
    contexts = [
        fitted.models.discriminant_for(i.group).of_image(np.asarray(f, np.float32).reshape(*grid, -1))
        for i, f in zip(held.images[at], held.features[at], strict=True)
    ]
    if region is not None and held.inside is not None:
        several = zip(contexts, held.inside[at], strict=True)
        contexts = [region.spread(c, inside.reshape(grid)) for c, inside in several]
    return np.stack([c.ravel() for c in contexts])


def evidence(fitted: Fitted, held: Distances, progress: Progress) -> Evidence:
    """What fusions are fitted on. held: of all held-out images, (m, h, w, ...)."""
    settings, examples, inside = fitted.setup.settings, fitted.examples, fitted.held.inside
    count = fitted.held.negative.distances[..., 0].size
    order = np.random.default_rng(settings.seed).permutation(count)
    if inside is not None:
        order = order[inside.ravel()[order]]
    some_normal = np.sort(order[:FIT_PATCHES])
    normals = held.each(lambda v: v.reshape(count, *v.shape[3:])[some_normal])
    if not fitted.banks.positive:
        return Evidence(normals, dimension=fitted.setup.backbone.dimension)
    sample = held_out.sample_apart if row_counts(fitted) else held_out.sample
    some = sample(examples.defects, FIT_PATCHES, settings.seed)
    there = np.flatnonzero(examples.unmarked.of_images(i.id for i in examples.defects.images))
    known, each = examples.defects.take(some), examples.stand_for[there]
    to_negative = np.concatenate([defect_distances(fitted)[some], unmarked_distances(fitted)[there]])
    found = _of_defects(fitted, known, examples.unmarked.take(there), to_negative, progress)
    real = [i.group if i.origin == "real" else "" for i in examples.defects.images]
    marked = int(examples.defects.real.sum()) or len(examples.defects)
    images = len(examples.normals.images)
    all_normal = images * fitted.setup.grid[0] * fitted.setup.grid[1]
    if inside is not None:
        all_normal = round(all_normal * float(inside.mean()))
    return Evidence(
        normals,
        found.each(lambda v: v[: len(known)]),
        fitted.setup.backbone.dimension,
        parts=np.array(real)[known.image],
        pictures=known.image,
        share=marked / (marked + all_normal + float(each.sum())),
        images=images,
        unmarked=found.each(lambda v: v[len(known) :]),
        each=each,
        each_normal=all_normal / len(some_normal),
        painted=[(one.weight(), one.defects) for one in fitted.models.paintings],
        counts=row_counts(fitted),
    )


def _of_defects(
    fitted: Fitted, known: Bank, unmarked: Bank, to_negative: np.ndarray, progress: Progress
) -> Distances:
    """N, P, L and C of known defect patches and then of unmarked ones, each without the rows of its own part.

    to_negative: float32 (n, k), their distances to negative rows. Synthetic defects are included: measured, a few
    real parts alone say too little about the value of P and L.
    """
    positive, models = fitted.banks.positive, fitted.models
    assert positive is not None
    asked = known.joined(unmarked)
    to_positive, along = np.full_like(to_negative, np.inf), np.zeros(len(to_negative), np.float32)
    counts, real, groups = row_counts(fitted), asked.real, asked.groups
    counted = np.full(len(asked), np.nan, np.float32) if counts else None
    folds = _folds(groups, row_weights.engine_of_each(asked, list(counts)) < 0)
    progress.begin("Fitting with each defective part left out", len(folds))
    for fold in folds:
        own = np.isin(groups, fold)
        to_positive[own] = positive.search(asked.rows[own], fusion.NEIGHBOURS, positive.of(*fold))[0]
        if counted is not None and (own & real).any():  # painted ones set no probabilities beside real ones
            rows, parts = asked.rows[own & real], row_weights.parted(positive, counts)
            counted[own & real] = row_weights.of_patches(
                parts,
                lambda bank: bank.search(rows, fusion.NEIGHBOURS, bank.of(*fold))[0],  # noqa: B023
            )
        # With fewer parts no fusion is fitted on L.
        if models.direction is not None and len(folds) >= fusion.FEWEST_PARTS:
            others = known.rows[~known.of(*fold)]
            normals = fitted.examples.normals.rows
            along[own] = direction.fit_direction(normals, others, models.direction)(asked.rows[own])
        progress.advance()
    context = _contexts(fitted, asked)
    return Distances(to_negative, to_positive, direction=along, context=context, counted=counted)


def _folds(groups: np.ndarray, first: np.ndarray) -> list[np.ndarray]:
    """The parts of defect patches in at most FIT_FOLDS folds. Those of the patches `first`, bool (n,), are spread
    evenly by themselves, so that the others do not move them."""
    parts = np.unique(groups[first])
    folds = np.array_split(parts, min(len(parts), FIT_FOLDS))
    others = np.array_split(np.setdiff1d(groups, parts), len(folds))
    return [np.concatenate(both) for both in zip(folds, others, strict=True)]


def _contexts(fitted: Fitted, known: Bank) -> np.ndarray | None:
    """C of rows (n, d), each from the discriminant without its part; NaN for unknown surroundings."""
    if fitted.models.discriminant is None or known.surroundings is None:
        return None
    out, groups, real = np.empty(len(known), np.float32), known.groups, known.real
    for part in np.unique(groups):
        own = groups == part
        for some in (own & real, own & ~real):  # separately: the last digits depend on the other rows
            out[some] = fitted.models.discriminant_for(part)(known.rows[some], known.surroundings[some])
    return out
