"""Checks that the parts of a stored detector fit together, and that its numbers are finite.

Knows the fields of a fitted detector. Does not know files, nor how anything is computed.
"""

from __future__ import annotations

import math

import numpy as np

from exdd_core.detector.bank import Bank
from exdd_core.detector.fitted import Fitted
from exdd_core.detector.held_out import HeldOut, Neighbours
from exdd_core.detector.soundness import require
from exdd_core.detector.thresholds import Calibration


def require_sound(fitted: Fitted) -> None:
    """Raise `Damaged` where the parts of a detector that was read do not fit together."""
    banks, examples, dimension = fitted.banks, fitted.examples, fitted.setup.backbone.dimension
    known = {"negative": banks.negative, "positive": banks.positive, "normals": examples.normals}
    known |= {"defects": examples.defects, "unmarked": examples.unmarked}
    for name, bank in known.items():
        if bank is not None:
            _require_on_grid(name, bank, dimension, fitted.setup.grid)
    require(len(banks.negative) > 0, "the negative bank has no rows")
    stand_for = examples.stand_for
    require(len(stand_for) in (0, len(examples.unmarked)), "the unmarked examples have weights of other rows")
    require(bool(np.isfinite(stand_for).all()), "weights of unmarked examples are not finite")
    for name, (_, calibration) in fitted.models.fusions.items():
        require_calibration(name, calibration)
    _require_models(fitted)
    _require_reference(fitted)
    if fitted.held_out is not None:
        _require_held_out(fitted.held_out, banks.negative, banks.positive, fitted.setup.grid)


def _require_on_grid(name: str, bank: Bank, dimension: int, grid: tuple[int, int]) -> None:
    require(bank.dimension == dimension, f"the rows of the {name} bank are not {dimension} numbers long")
    inside = (bank.position >= 0).all() and (bank.position < np.array(grid)).all()
    require(bool(inside), f"rows of the {name} bank lie outside the patch grid")


def require_calibration(name: str, calibration: Calibration) -> None:
    """Raise `Damaged` where a calibration's numbers cannot judge a score."""
    c = calibration
    needed = (c.median, c.threshold, c.map_median, c.map_threshold, c.usual_distance)
    more = [value for pair in (c.odds, c.patch_odds) if pair is not None for value in pair]
    finite = all(math.isfinite(value) for value in (*needed, *more))
    require(finite and not math.isnan(c.doubt), f"the calibration of {name} is not finite")


def _require_models(fitted: Fitted) -> None:
    direction, discriminant = fitted.models.direction, fitted.models.discriminant
    dimension = fitted.setup.backbone.dimension
    if direction is not None:
        fits = direction.weights.shape == (dimension,) and bool(np.isfinite(direction.weights).all())
        require(fits and math.isfinite(direction.bias), "the supervised direction is not what was fitted")
    if discriminant is not None:
        own, around = discriminant.own, discriminant.surrounding
        fits = own.shape == (dimension,) and around.ndim == 2 and math.isfinite(discriminant.bias)
        finite = bool(np.isfinite(own).all() and np.isfinite(around).all())
        require(fits and finite, "the discriminant is not what was fitted")


def _require_reference(fitted: Fitted) -> None:
    reference = fitted.reference
    values = (reference.radius, reference.too_normal, reference.visible_from, reference.radius_of_full)
    require(all(0 <= value < math.inf for value in values), "the reference distances are not finite")
    for kept in (fitted.refit.defect_distances, fitted.refit.unmarked_distances):
        for distances in kept.values():
            require(bool((distances >= 0).all()), "distances of training patches are not numbers")


def _require_held_out(held: HeldOut, negative: Bank, positive: Bank | None, grid: tuple[int, int]) -> None:
    m, n = len(held.images), grid[0] * grid[1]
    require(len(held.parts) == m, "the held-out images have parts of other images")
    _require_neighbours("negative", held.negative, m, n, len(negative))
    # PatchCore keeps the neighbours of the detector that it was made from, without its positive bank.
    if held.positive is not None and positive is not None:
        _require_neighbours("positive", held.positive, m, n, len(positive))
    inside = held.inside
    fits = inside is None or (inside.dtype == bool and inside.shape == (m, n))
    require(fits, "the held-out patches in the region of interest are not bool (m, n)")


def _require_neighbours(name: str, found: Neighbours, m: int, n: int, rows: int) -> None:
    distances, numbers = found.distances, found.rows
    fits = distances.dtype == np.float32 and numbers.dtype == np.int32 and distances.shape == numbers.shape
    fits = fits and distances.ndim == 3 and distances.shape[:2] == (m, n)
    require(fits, f"the {name} neighbours of held-out images are not float32 and int32 (m, n, k)")
    if distances.size:
        there = -1 <= numbers.min() <= numbers.max() < rows and bool((distances >= 0).all())
        require(bool(there), f"the {name} neighbours of held-out images name rows that do not exist")
