"""What surrounds a patch, and the discriminant: against plain loops, scikit-learn, and fits without a fold."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from exdd_core.detector import context
from exdd_core.detector.context import Discriminant, TrainingPatches
from tests.lines import fit


def features(h: int = 9, w: int = 13, d: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(h, w, d)).astype(np.float32)


def patches(count: int, shift: float, seed: int, d: int = 4) -> TrainingPatches:
    rng = np.random.default_rng(seed)
    rows = (rng.normal(size=(count, d)) + shift).astype(np.float32)
    around = rng.normal(size=(count, context.width(d))).astype(np.float32)
    left_out = np.arange(count)[None] % 3 == np.arange(3)[:, None]
    return TrainingPatches(rows, around, left_out, rng.uniform(0.5, 1.5, count))


def test_means_of_squares_and_of_the_whole_image() -> None:
    image = features()
    found = context.around(image)
    assert found.shape == (9, 13, context.width(4)) and found.dtype == np.float32
    for level, window in enumerate(context.WINDOWS):
        half = window // 2
        mirrored = np.pad(image, ((half, half), (half, half), (0, 0)), mode="symmetric")
        for row, column in ((0, 0), (4, 6), (8, 12)):
            expected = mirrored[row : row + window, column : column + window].mean((0, 1))
            np.testing.assert_allclose(found[row, column, 4 * level : 4 * level + 4], expected, atol=1e-5)
    np.testing.assert_allclose(found[3, 3, -4:], image.mean((0, 1)), atol=1e-6)


def test_long_features_are_shortened_alike_every_time() -> None:
    image = features(6, 6, 400)
    found = context.around(image)
    assert found.shape[-1] == context.width(400) == context.LEVELS * context.WIDEST
    np.testing.assert_array_equal(found, context.around(image.copy()))


@pytest.mark.parametrize("dimension", [4, 400])
def test_of_image_is_what_every_patch_says(dimension: int) -> None:
    image, rng = features(7, 8, dimension), np.random.default_rng(1)
    length = context.width(dimension) // context.LEVELS
    line = Discriminant(
        rng.normal(size=dimension).astype(np.float32),
        rng.normal(size=(context.LEVELS, length)).astype(np.float32),
        0.5,
    )
    one_by_one = line(image.reshape(-1, dimension), context.around(image).reshape(56, -1))
    np.testing.assert_allclose(line.of_image(image).ravel(), one_by_one, rtol=1e-3, atol=1e-3)
    again = Discriminant.restore(json.loads(json.dumps(line.state())))
    np.testing.assert_array_equal(again.of_image(image), line.of_image(image))


def test_the_line_is_fishers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ridge and with both classes' spread in equal shares it is scikit-learn's, but for its length."""
    monkeypatch.setattr(context, "RIDGE", 0.0)
    monkeypatch.setattr(context, "SHARED", 0.5)
    normals, defects = patches(4000, 0, 1), patches(4000, 0.5, 2)
    normals, defects = (
        TrainingPatches(s.rows, s.around, s.left_out, np.ones(4000)) for s in (normals, defects)
    )
    whole, _ = fit(normals, defects)
    x = np.concatenate([np.concatenate([s.rows, s.around], 1) for s in (normals, defects)])
    peer = LinearDiscriminantAnalysis().fit(x, np.repeat([0, 1], 4000)).coef_[0]
    ours = np.concatenate([whole.own, whole.surrounding.ravel()])
    assert float(peer @ ours / np.linalg.norm(peer) / np.linalg.norm(ours)) > 0.9999


def test_a_fold_is_as_if_it_had_never_been_there() -> None:
    normals, defects = patches(600, 0, 3), patches(90, 1, 4)
    _, folds = fit(normals, defects)
    for number, fold in enumerate(folds):
        one, other = (
            TrainingPatches(
                s.rows, s.around, np.zeros((0, len(s.rows)), bool), np.where(s.left_out[number], 0, s.weights)
            )
            for s in (normals, defects)
        )
        alone, _ = fit(one, other)
        assert fold is not None
        values = [line(defects.rows, defects.around) for line in (fold, alone)]
        assert (
            np.corrcoef(values[0], values[1])[0, 1] > 0.995
        )  # the same but for the scale, which all normals set


def test_a_fold_that_leaves_nothing_has_no_line() -> None:
    normals, defects = patches(50, 0, 5), patches(10, 1, 6)
    everything = np.ones((1, 10), bool)
    whole, folds = fit(
        TrainingPatches(normals.rows, normals.around, np.zeros((1, 50), bool), normals.weights),
        TrainingPatches(defects.rows, defects.around, everything, defects.weights),
    )
    assert folds == [None] and np.isfinite(whole.own).all()


@pytest.mark.filterwarnings("ignore::scipy.linalg.LinAlgWarning")
@pytest.mark.parametrize("spread", [1e-2, 1e-4, 1e-6])
def test_channels_that_normal_surface_hardly_uses_do_not_stop_a_fit(spread: float) -> None:
    """A network has channels that are almost silent on normal surface and loud on defects."""
    normals, defects = patches(400, 0.0, 1, d=24), patches(60, 1.0, 2, d=24)
    silent = np.concatenate([24 * level + np.arange(20) for level in range(context.LEVELS)])
    for one, loudness in ((normals, spread), (defects, 10)):
        one.rows[:, :20] *= loudness
        one.around[:, silent] *= loudness
    defects.rows[:, :20] = np.abs(defects.rows[:, :20])
    line, folds = fit(normals, defects)
    assert all(fold is not None for fold in folds)
    for found in [line, *filter(None, folds)]:
        on_normal, on_defects = (found(one.rows, one.around) for one in (normals, defects))
        assert np.isfinite(on_normal).all() and on_normal.max() < on_defects.min()
