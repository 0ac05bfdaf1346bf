"""Fusions: equations worked by hand, the fitted ones against scikit-learn, PatchCore against anomalib."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from exdd_core.detector import fusion, likeness, thresholds
from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.direction import Direction
from exdd_core.detector.fusion import (
    DistanceRatio,
    Distances,
    Evidence,
    Fusion,
    OpenSet,
    Paper,
    PatchCore,
    Ratio,
    Stacked,
    Supervised,
    neighbour_softmax,
)
from exdd_core.errors import BadInput

# Everything by hand happens on a line in four dimensions, so sqrt(d) = 2: points (x, 0, 0, 0) by their x.
#   negative bank: 0, 2, 10 and -50          positive bank: 20, 21, 26 and 60
#   patch    N, from         P, to           the b = 3 rows nearest to the matched ones, as distances from the patch
#     4      2 (row 2)       16 (row 20)     2: itself, 0, 10: 2 4 6            20: itself, 21, 26: 16 17 22
#    14      4 (row 10)       6 (row 20)     10: itself, 2, 0: 4 12 14          20: itself, 21, 26: 6 7 12
#    -2      2 (row 0)       22 (row 20)     0: itself, 2, 10: 2 4 12           20: itself, 21, 26: 22 23 28
NEGATIVE, POSITIVE, PATCHES = (0, 2, 10, -50), (20, 21, 26, 60), (4, 14, -2)
DIMENSION = 4


def on_the_line(places: tuple[int, ...]) -> np.ndarray:
    points = np.zeros((len(places), DIMENSION), np.float32)
    points[:, 0] = places
    return points


def line_bank(places: tuple[int, ...]) -> Bank:
    n = len(places)
    return Bank(on_the_line(places), np.zeros(n), np.zeros((n, 2)), [BankImage("a", "a")])


@pytest.fixture(scope="module")
def line() -> Distances:
    """Distances of the three patches as an image of 1 x 3, as a detector asks the banks for them."""
    queries, parts = on_the_line(PATCHES), []
    for places in (NEGATIVE, POSITIVE):
        bank = line_bank(places)
        distances, rows = bank.search(queries)
        parts.append((distances.reshape(1, 3, 1), bank.around(queries, rows[:, 0], 3).reshape(1, 3, 3)))
    (negative, negative_around), (positive, positive_around) = parts
    return Distances(negative, positive, negative_around, positive_around)


def distances(n: Any, p: Any = None, direction: Any = None) -> Distances:
    """One neighbour each: N and P are what is given."""
    return Distances(
        np.asarray(n, np.float32)[..., None],
        None if p is None else np.asarray(p, np.float32)[..., None],
        direction=None if direction is None else np.asarray(direction, np.float32),
    )


# --- Eq. 12-15: distances ---------------------------------------------------------------------------------


def test_distances_to_both_banks(line: Distances) -> None:
    assert line.positive is not None
    assert line.negative[0, :, 0].tolist() == [2, 4, 2]
    assert line.positive[0, :, 0].tolist() == [16, 6, 22]


def test_neighbourhoods_in_both_banks(line: Distances) -> None:
    assert line.negative_around is not None and line.positive_around is not None
    assert line.negative_around[0].tolist() == [[2, 4, 6], [4, 12, 14], [2, 4, 12]]
    assert line.positive_around[0].tolist() == [[16, 17, 22], [6, 7, 12], [22, 23, 28]]


def test_n_and_p_are_means_of_the_five_nearest() -> None:
    several = Distances(np.array([[1, 2, 3, 4, 5, 99]], np.float32), np.array([[2, 2, 4]], np.float32))
    assert several.n == pytest.approx(3)  # (1 + 2 + 3 + 4 + 5) / 5
    assert several.p == pytest.approx(8 / 3)  # fewer than five are there


# --- Eq. 16-17: weights -----------------------------------------------------------------------------------


def test_weights_with_the_plus_sign(line: Distances) -> None:
    w_n, w_p = Paper(dimension=DIMENSION).weights(line)
    assert w_n.shape == w_p.shape == (1, 3)
    # Patch 14: exponents 4/2, 12/2, 14/2: e^2 / (e^2 + e^6 + e^7) = 1 / (1 + e^4 + e^5)
    # = 1 / (1 + 54.59815 + 148.41316) = 1 / 204.01131 = 0.00490169, and w_N is what is missing to 1.
    assert w_n[0, 1] == pytest.approx(1 - 0.00490169, rel=1e-6)
    # Patch 4: exponents 1, 2, 3: 1 / (1 + e + e^2) = 1 / (1 + 2.718282 + 7.389056) = 1 / 11.107338 = 0.09003057.
    assert w_n[0, 0] == pytest.approx(1 - 0.09003057, rel=1e-6)
    # Patch -2 against the positive bank: 22/2, 23/2, 28/2: 1 / (1 + e^0.5 + e^3) = 1 / (1 + 1.648721 + 20.085537)
    # = 1 / 22.734258 = 0.04398648. The other two have the same gaps of 1 and 6, hence the same weight.
    assert w_p[0].tolist() == pytest.approx([0.04398648] * 3, rel=1e-6)


def test_weights_with_the_minus_sign_of_the_paper(line: Distances) -> None:
    w_n, w_p = Paper(dimension=DIMENSION, sign=-1).weights(line)
    # Patch 14: e^-2 / (e^-2 + e^-6 + e^-7) = 1 / (1 + e^-4 + e^-5) = 1 / (1 + 0.01831564 + 0.00673795) = 0.97555876.
    assert w_n[0, 1] == pytest.approx(1 - 0.97555876, rel=1e-5)
    # Patch -2: 1 / (1 + e^-0.5 + e^-3) = 1 / (1 + 0.60653066 + 0.04978707) = 1 / 1.65631773 = 0.60374889.
    assert w_p[0, 2] == pytest.approx(0.60374889, rel=1e-6)


def test_weights_look_at_three_rows_even_where_more_are_known(line: Distances) -> None:
    assert line.negative_around is not None and line.positive_around is not None
    more = replace(
        line,
        negative_around=np.concatenate([line.negative_around, np.full((1, 3, 6), 50)], axis=2),
        positive_around=np.concatenate([line.positive_around, np.full((1, 3, 6), 50)], axis=2),
    )
    judge = Paper(dimension=DIMENSION)
    for few, many in zip(judge.weights(line), judge.weights(more), strict=True):
        np.testing.assert_allclose(few, many, rtol=1e-6)


def test_only_the_plus_sign_gives_an_isolated_match_more_weight() -> None:
    # At distance 4 either way; the matched row's neighbours are close by, or far away from it and the patch.
    crowded, isolated = np.array([[4.0, 4.1, 4.2]]), np.array([[4.0, 12, 14]])

    def w_n(around: np.ndarray, sign: int) -> float:
        seen = Distances(around[..., :1], around[..., :1], around, around)
        return float(Paper(dimension=DIMENSION, sign=sign).weights(seen)[0][0])

    assert w_n(isolated, 1) > w_n(crowded, 1)
    assert w_n(isolated, -1) < w_n(crowded, -1)


@settings(max_examples=60)
@given(
    hnp.arrays(np.float32, (4, 3), elements=st.floats(0, 5000, width=32)),
    st.sampled_from([1.0, 12.3, -1.0, -12.3]),
)
def test_fractions_are_shares_however_large_the_distances(around: np.ndarray, scale: float) -> None:
    share = neighbour_softmax(around, scale)
    assert ((share >= 0) & (share <= 1)).all()
    sums = sum(neighbour_softmax(np.roll(around, i, axis=1), scale) for i in range(3))
    np.testing.assert_allclose(sums, 1, rtol=1e-5)


# --- Eq. 18-20: the paper's score -------------------------------------------------------------------------


def test_paper_score_with_the_plus_sign(line: Distances) -> None:
    # Largest N is 4, of patch 14; largest P is 22, of patch -2: not one and the same patch.
    # s_N = 0.99509831 * 4 = 3.98039324; s_P = 0.04398648 * 22 = 0.96770256; 3.98039324 / 0.96770356 = 4.113237.
    assert Paper(dimension=DIMENSION).image_score(line) == pytest.approx(4.113237, rel=1e-6)


def test_paper_score_with_the_minus_sign(line: Distances) -> None:
    # s_N = 0.02444124 * 4 = 0.09776496; s_P = 0.60374889 * 22 = 13.28247558; 0.09776496 / 13.28247658 = 0.00736045.
    assert Paper(dimension=DIMENSION, sign=-1).image_score(line) == pytest.approx(0.00736045, rel=1e-5)


def test_paper_score_stays_finite_on_a_known_defect() -> None:
    # P = 0: only epsilon is left below the line. Two rows at equal distance: fraction 1/2, s_N = 2 / 2, score 1 / 1e-6.
    around = np.array([[[2.0, 2.0]]])
    seen = Distances(np.array([[[2.0]]]), np.array([[[0.0]]]), around, np.zeros((1, 1, 2)))
    assert Paper(dimension=DIMENSION).image_score(seen) == pytest.approx(1 / fusion.EPS)


# --- Eq. 21-23 and what SPEC adds: scores of patches ------------------------------------------------------


def test_ratio_of_each_patch(line: Distances) -> None:
    expected = [2 / 16, 4 / 6, 2 / 22]
    assert Ratio().patch_scores(line)[0].tolist() == pytest.approx(expected, rel=1e-5)
    assert Paper(dimension=DIMENSION).patch_scores(line)[0].tolist() == pytest.approx(expected, rel=1e-5)


def test_aligned_ratio_is_that_of_one_patch(line: Distances) -> None:
    # 4 / 6 at patch 14. Largest N over largest P, as the paper has it, would be 4 / 22.
    assert Ratio().image_score(line) == pytest.approx(4 / 6, rel=1e-5)


def test_a_known_defect_does_not_divide_by_zero() -> None:
    assert Ratio().patch_scores(distances([3], [0])).tolist() == pytest.approx([3 / fusion.EPS])


def test_distance_ratio_by_hand() -> None:
    seen = Distances(
        np.array([[[1, 2, 3, 4, 5], [2, 2, 2, 2, 2]]], np.float32),
        np.array([[[2, 2, 2, 2, 2], [6, 6, 8, 10, 10]]], np.float32),
    )
    # N = 3, P = 2: 3 * 3 / 2 = 4.5. N = 2, P = 8: 2 * 2 / 8 = 0.5.
    assert DistanceRatio().patch_scores(seen)[0].tolist() == pytest.approx([4.5, 0.5], rel=1e-5)
    assert DistanceRatio().image_score(seen) == pytest.approx(4.5, rel=1e-5)


def test_open_set_by_hand() -> None:
    judge = OpenSet(h_n=2, h_p=4)
    # 0.25 h_P = 1. P = 4: log(0.5 + 0.5 e^0) = 0. P = 8: log(0.5 + 0.5 e^-4) = log(0.50915782) = -0.67499729.
    # P = 0: log(0.5 + 0.5 e^4) = log(27.79907502) = 3.32500275. N / h_N = 3 / 2, 3 / 2 and 1 / 2.
    found = judge.patch_scores(distances([[3, 3, 1]], [[4, 8, 0]]))
    assert found[0].tolist() == pytest.approx([1.5, 1.5 - 0.67499729, 0.5 + 3.32500275], rel=1e-6)


def test_open_set_takes_no_more_than_log_two_from_an_unknown_defect() -> None:
    judge = OpenSet(h_n=2, h_p=4)
    found = judge.patch_scores(distances([6, 6, 6], [100, 1e9, np.inf]))
    assert found.tolist() == pytest.approx([3 - math.log(2)] * 3, rel=1e-6)


def test_open_set_fits_its_two_scales() -> None:
    # N of normals 1 and 3: standard deviation 1. P of defects 2, 4 and 10: median 4.
    fitted = OpenSet.fit(Evidence(distances([1, 3], [50, 60]), distances([9, 9, 9], [2, 4, 10])))
    assert (fitted.h_n, fitted.h_p) == pytest.approx((1, 4))


def test_open_set_of_a_single_part_takes_the_scale_of_normals() -> None:
    # Nothing is left when the only part is left out, so P of its patches is infinite: median P of normals, 55.
    fitted = OpenSet.fit(Evidence(distances([1, 3], [50, 60]), distances([9, 9], [np.inf, np.inf])))
    assert (fitted.h_n, fitted.h_p) == pytest.approx((1, 55))


def test_open_set_leaves_out_patches_without_another_part() -> None:
    fitted = OpenSet.fit(Evidence(distances([1, 3], [50, 60]), distances([9, 9, 9], [np.inf, 2, 4])))
    assert fitted.h_p == pytest.approx(3)


def test_open_set_survives_identical_normals() -> None:
    fitted = OpenSet.fit(Evidence(distances([2, 2], [5, 5]), distances([9], [0])))
    assert np.isfinite(fitted.patch_scores(distances([3], [1]))).all()


# --- supervised: against scikit-learn ---------------------------------------------------------------------


def two_clouds(length: int, normals: int = 300, defects: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping, of unlike spread and number, the columns on scales from 0.01 to 100."""
    rng = np.random.default_rng(length)
    scales = np.geomspace(0.01, 100, length)
    normal = rng.standard_normal((normals, length)) * scales + 3
    defect = (rng.standard_normal((defects, length)) * 1.5 + 0.8) * scales + 3
    return normal.astype(np.float32), defect.astype(np.float32)


def sklearn_decision(normals: np.ndarray, defects: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Log-odds at `at` of scikit-learn's own pipeline with its default solver."""
    model = LogisticRegression(class_weight="balanced", tol=1e-10, max_iter=5000)
    pipeline = make_pipeline(StandardScaler(), model)
    labels = np.repeat([0, 1], [len(normals), len(defects)])
    pipeline.fit(np.concatenate([normals, defects]).astype(float), labels)
    return pipeline.decision_function(at.astype(float))


def test_stacked_is_logistic_regression_on_n_p_and_l() -> None:
    normals, defects = two_clouds(3)
    fitted = Stacked.fit(
        Evidence(
            distances(normals[:, 0], normals[:, 1], normals[:, 2]),
            distances(defects[:, 0], defects[:, 1], defects[:, 2]),
        )
    )
    image = np.concatenate([normals[:6], defects[:6]]).reshape(3, 4, 3)
    found = fitted.patch_scores(distances(image[..., 0], image[..., 1], image[..., 2]))
    expected = sklearn_decision(normals, defects, image.reshape(-1, 3)).reshape(3, 4)
    assert found.shape == (3, 4) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_stacked_by_hand() -> None:
    # 1 + 2 * N - 0.5 * P + 3 * L, N and P each the mean of its neighbours: N = 3, P = 4, L = -1: 1 + 6 - 2 - 3 = 2.
    seen = Distances(np.array([[2.0, 4]]), np.array([[3.0, 5]]), direction=np.array([-1.0]))
    judge = Stacked((2.0, -0.5, 3.0), 1.0)
    assert judge.patch_scores(seen).tolist() == pytest.approx([2])


@pytest.mark.parametrize("length", [5, 40, 600])
def test_direction_is_logistic_regression_on_features(length: int) -> None:
    normals, defects = two_clouds(length)
    line = Direction.fit(normals, defects)
    grid = np.concatenate([normals[:8], defects[:8]]).reshape(4, 4, length)
    expected = sklearn_decision(normals, defects, grid.reshape(-1, length)).reshape(4, 4)
    found = line(grid)
    assert found.shape == (4, 4) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=0.005 * np.abs(expected).max())
    assert line(defects).mean() > 0 > line(normals).mean()


def test_supervised_is_the_direction_alone() -> None:
    seen = distances([[5, 6]], [[7, 8]], [[-1, 3]])
    judge = Supervised()
    assert judge.patch_scores(seen).tolist() == [[-1, 3]]
    assert judge.image_score(seen) == 3


def test_a_constant_feature_does_not_spoil_the_fit() -> None:
    normals, defects = two_clouds(4)
    normals[:, 2] = defects[:, 2] = 7
    line = Direction.fit(normals, defects)
    assert np.isfinite(line.weights).all() and line.weights[2] == 0
    assert line(defects).mean() > 0 > line(normals).mean()


# --- PatchCore: against anomalib --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def anomalib_patchcore() -> Any:
    """anomalib's own PatchCore, of which only what follows the features is used."""
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    return PatchcoreModel(layers=["layer1"], backbone="resnet18", pre_trained=False).eval()


@pytest.mark.parametrize("neighbours", [1, 9])
@pytest.mark.parametrize("rows", [5, 400])  # fewer rows than neighbours, and more
@pytest.mark.parametrize("centre", [0.0, 2.0])
def test_patchcore_scores_as_anomalib_does(
    anomalib_patchcore: Any, neighbours: int, rows: int, centre: float
) -> None:
    rng = np.random.default_rng(rows)
    kept = (centre + rng.standard_normal((rows, 48))).astype(np.float32)
    queries = (centre + 1.2 * rng.standard_normal((4, 6, 7, 48))).astype(
        np.float32
    )  # 4 images of 6 x 7 patches
    queries[1] = kept[rng.integers(0, rows, (6, 7))] + 0.05 * queries[1]  # an image that is well known

    anomalib_patchcore.num_neighbors = neighbours
    anomalib_patchcore.memory_bank = torch.as_tensor(kept)
    flat = torch.as_tensor(queries).reshape(-1, 48)
    with torch.inference_mode():
        nearest, rows_found = (v.reshape(4, 42) for v in anomalib_patchcore.nearest_neighbors(flat, 1))
        expected = anomalib_patchcore.compute_anomaly_score(nearest, rows_found, flat).numpy()

    bank = Bank(kept, np.zeros(rows), np.zeros((rows, 2)), [BankImage("a", "a")])
    judge = PatchCore(neighbours=neighbours)
    for i, image in enumerate(queries):
        patches = image.reshape(-1, 48)
        found, matched = bank.search(patches)
        around = bank.around(patches, matched[:, 0], judge.around).reshape(6, 7, -1) if judge.around else None
        seen = Distances(found.reshape(6, 7, 1), negative_around=around)
        np.testing.assert_allclose(judge.patch_scores(seen).ravel(), nearest[i], rtol=1e-4, atol=1e-4)
        assert judge.image_score(seen) == pytest.approx(float(expected[i]), rel=1e-4)


def test_patchcore_is_blind_to_the_positive_bank() -> None:
    seen = distances([[1, 5, 2]])
    told = distances([[1, 5, 2]], [[0, 0, 0]], [[9, 9, 9]])
    assert PatchCore().image_score(seen) == PatchCore().image_score(told) == 5
    assert PatchCore().patch_scores(told).tolist() == [[1, 5, 2]]


def test_patchcore_weight_by_hand() -> None:
    # Largest N is 2; from it, the rows around the matched one are 2, 3 and 4 away:
    # 1 - e^2 / (e^2 + e^3 + e^4) = 1 - 1 / (1 + e + e^2) = 0.90996943, times 2.
    around = np.array([[[1.0, 9, 9], [2, 3, 4]]])
    seen = Distances(around[..., :1], negative_around=around)
    assert PatchCore(neighbours=3).image_score(seen) == pytest.approx(2 * 0.90996943, rel=1e-6)


# --- by name ----------------------------------------------------------------------------------------------


def test_every_fusion_of_the_specification_has_a_name() -> None:
    table = {
        "patchcore",
        "paper",
        "paper_literal",
        "ratio",
        "distance_ratio",
        "open_set",
        "supervised",
        "stacked",
        "context",
    }
    assert table == set(fusion.FUSIONS)
    for name, kind in fusion.FUSIONS.items():
        assert fusion.by_name(name) is kind and kind.name == name


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(BadInput, match="no fusion named 'magic'; choose one of auto, patchcore, paper"):
        fusion.by_name("magic")


@pytest.mark.parametrize(
    ("parts", "name"), [(0, "patchcore"), (1, "context"), (2, "context"), (3, "context"), (40, "context")]
)
def test_default_by_defective_parts(parts: int, name: str) -> None:
    assert fusion.default(parts) == name


@pytest.mark.parametrize(
    "fitted",
    [
        PatchCore(),
        PatchCore(neighbours=9),
        Paper(dimension=152, sign=-1),
        Ratio(),
        DistanceRatio(),
        OpenSet(h_n=0.1, h_p=2 / 3),
        Supervised(),
        Stacked((0.1, -2 / 3, 1e-9), -7.3),
    ],
    ids=lambda f: f.name,
)
def test_a_fitted_fusion_comes_back_from_its_state(fitted: Fusion, line: Distances) -> None:
    back = fusion.restore(json.loads(json.dumps(fitted.state())))
    assert back == fitted and type(back) is type(fitted)
    if fitted.around <= 3:
        told = replace(line, direction=np.zeros((1, 3), np.float32))
        assert back.image_score(told) == fitted.image_score(told)


def test_maps_are_blurred_as_their_source_says() -> None:
    assert PatchCore.sigma == fusion.Context.sigma == 4
    assert all(
        kind.sigma == 2 for name, kind in fusion.FUSIONS.items() if name not in ("patchcore", "context")
    )


# --- context: strangeness and likeness -----------------------------------------------------------------------


def in_context(n: Any, p: Any, c: Any) -> Distances:
    return replace(distances(n, p), context=np.asarray(c, np.float32))


def test_context_by_hand() -> None:
    """z(N) = (6 - 4) / 2 = 1, z(C) = (5 - 3) / 1 = 2, z(log N/P) = (log 6/2 - log 1) / log 3 = 1: 1 + 2 (2 + 1/2)."""
    fitted = fusion.Context((4.0, 2.0), (3.0, 1.0), (0.0, math.log(3)), trust=2.0)
    assert fitted.patch_scores(in_context([6], [2], [5]))[0] == pytest.approx(6.0, rel=1e-5)


def test_context_standardises_by_normal_patches_and_trusts_by_real_parts() -> None:
    normals = in_context([1.0, 3.0], [2.0, 2.0], [10.0, 14.0])
    fitted = fusion.Context.fit(Evidence(normals, normals, parts=np.array(["a", "b", "", "c", "c"])))
    assert fitted.strange == pytest.approx((2, 1)) and fitted.known == pytest.approx((12, 2))
    ratios = np.log([1 / 2, 3 / 2])
    assert fitted.nearer == pytest.approx((ratios.mean(), ratios.std()), rel=1e-4)
    assert fitted.trust == likeness.trust(3) == pytest.approx(1)  # painted defects are no parts


@given(parts=st.integers(0, 100))
def test_more_real_parts_never_earn_less_trust(parts: int) -> None:
    assert (
        likeness.WEIGHT_OF_PAINTED
        <= likeness.trust(parts)
        <= likeness.trust(parts + 1)
        <= likeness.LARGEST_WEIGHT
    )


# --- thresholds and probabilities ----------------------------------------------------------------------------


def test_conformal_threshold_by_hand() -> None:
    """With one image a part the ceil((n + 1)(1 - rate))-th smallest: of 9 parts at 20 %, the eighth."""
    scores = np.array([5, 1, 9, 3, 7, 2, 8, 4, 6], float)
    parts = [str(i) for i in range(9)]
    assert thresholds.conformal_threshold(scores, parts, 0.2) == (8.0, 0.2)
    assert thresholds.conformal_threshold(scores, parts, 0.1) == (9.0, 0.1)
    assert thresholds.conformal_threshold(scores, parts, 0.05) == (9.0, pytest.approx(0.1))  # too few for 5 %


def test_a_part_photographed_often_weighs_as_one() -> None:
    """Two parts, one with three images: weights 1/9, 1/9, 1/9, 1/3; at 60 % false alarms 0.4 is reached at 10."""
    scores, parts = np.array([1.0, 2.0, 3.0, 10.0]), ["a", "a", "a", "b"]
    assert thresholds.conformal_threshold(scores, parts, 0.6)[0] == 10.0
    assert thresholds.conformal_threshold(scores, parts, 0.7)[0] == 3.0


@settings(max_examples=20)
@given(count=st.integers(5, 60), rate=st.sampled_from([0.05, 0.1, 0.25]), seed=st.integers(0, 1000))
def test_new_parts_exceed_the_threshold_no_more_often_than_promised(
    count: int, rate: float, seed: int
) -> None:
    """Over 2,000 draws of all parts; each tells how often one more exceeds it, and five standard errors are allowed."""
    draws = np.random.default_rng(seed).exponential(size=(2000, count))
    names = [str(i) for i in range(count)]
    limits, promises = zip(
        *(thresholds.conformal_threshold(known, names, rate) for known in draws), strict=True
    )
    above, promise = (
        np.exp(-np.array(limits)),
        promises[0],
    )  # the share of an exponential distribution above it
    assert set(promises) == {promise}
    assert above.mean() <= promise + 5 * above.std() / math.sqrt(len(draws))


def test_odds_are_those_of_two_normal_distributions() -> None:
    """N(0, 1) against N(2, 1) at a share of 1/3: log-odds 2 x - 2 + log(1/2)."""
    rng = np.random.default_rng(0)
    found = thresholds.odds(rng.normal(0, 1, 20_000), rng.normal(2, 1, 20_000), 1 / 3)
    assert found == pytest.approx((2, -2 - math.log(2)), abs=0.1)


def test_few_scores_that_lie_apart_leave_doubt() -> None:
    slope, offset = thresholds.odds(np.zeros(8) + np.arange(8) / 8, np.array([5.0, 6.0]), 0.5) or (0, 0)
    sure = 1 / (1 + math.exp(-(slope * 6 + offset)))
    assert 0.7 < sure < 0.9  # Platt's target of two defects is 3/4
    assert (
        thresholds.odds(np.array([5.0, 6.0]), np.array([1.0, 2.0]), 0.5) is None
    )  # high scores tell nothing


def test_what_stands_for_several_weighs_as_they_do() -> None:
    rng = np.random.default_rng(0)
    usual, adjacent, defects = rng.normal(0, 1, 6000), rng.normal(1, 1, 3000), rng.normal(3, 1, 2000)
    every = thresholds.odds(np.concatenate([usual, np.tile(adjacent, 4)]), defects, 0.1)
    each = np.repeat([1.0, 4.0], [len(usual), len(adjacent)])
    assert thresholds.odds(np.concatenate([usual, adjacent]), defects, 0.1, each) == pytest.approx(
        every, rel=2e-3
    )
