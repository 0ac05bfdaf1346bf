"""What painted rows count for in the score: nothing at weight 0, to the last bit, and more with the weight."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from exdd_core.bundle import scorer
from exdd_core.curation.bench import _effect
from exdd_core.curation.changing import Gained, idle_paintings
from exdd_core.detector import Detector, Settings, fusion, row_weights
from exdd_core.detector.bank import BankImage
from exdd_core.detector.examples import DefectImage, Marked, PatchSet
from exdd_core.detector.patch_features import PatchFeatures
from exdd_core.detector.weighted_distances import weighted_mean
from exdd_core.evaluation import Validation
from exdd_core.images import Size
from exdd_core.workspace import Workspace

SIDE, SIZE = 8, Size(64, 64)
# Features are made up here; nothing asks the network.
BACKBONE: Any = SimpleNamespace(
    name="efficientnet_lite0", layers=("a",), dimension=12, weights="none", fingerprint="none"
)
PARTS = [f"part{i:02d}" for i in range(20)]


def images(count: int, axis: int, seed: int, name: str, origin: str = "real", engine: str = "") -> PatchSet:
    """Images of a part each, with a square of patches that differ along one axis; of normal ones, along none."""
    rng = np.random.default_rng(seed)
    features = rng.normal(0, 1, (count, SIDE, SIDE, BACKBONE.dimension)).astype(np.float32)
    on = np.zeros((count, SIDE, SIDE), bool)
    if axis >= 0:
        on[:, 2:5, 3:6] = True
        features[on, axis] += 8
    several = [BankImage(f"{name}{i}", PARTS[i], "kind", origin, engine=engine) for i in range(count)]
    return PatchSet(PatchFeatures(features), on, several)


def painted(axis: int, engine: str, count: int = 12) -> list[Marked]:
    return list(images(count, axis, 7 + axis, engine, "synthetic", engine).marked())


NORMAL, DEFECTIVE = images(20, -1, 1, "normal"), images(6, 0, 2, "defect")
REAL, CRUDE, GOOD = list(DEFECTIVE.marked()), painted(1, "crude"), painted(0, "good")
SEEN = [*images(3, 0, 3, "new").features[:], *images(3, -1, 4, "clean").features[:]]


def built(defects: list[Marked]) -> Detector:
    """A detector of which a person vouched for all paintings. Half of all rows are kept."""
    settings = Settings(size=SIZE, likeness=1.0, positive_ratio=0.5)
    detector = Detector(BACKBONE, settings)
    return detector.fit_patches(NORMAL, NORMAL.take([])).fit_defects(defects, fusions=["context"])


@pytest.fixture(scope="module")
def bare() -> Detector:
    return built(REAL)


def assert_same(one: Detector, other: Detector) -> None:
    """The same scores, maps, thresholds and probabilities, to the last bit."""
    assert one.fusions["context"][1] == other.fusions["context"][1]
    states = [{**d.fusion.state(), "counts": {}} for d in (one, other)]
    assert states[0] == states[1]
    for features in SEEN:
        for a, b in zip(*(d.score_patches(features)[0] for d in (one, other)), strict=True):
            np.testing.assert_array_equal(a, b)


def test_paintings_that_find_no_real_defect_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the bank is built with them or they are accepted later, and whatever follows; few rows are kept."""
    monkeypatch.setattr("exdd_core.detector.change.FEWEST_POSITIVE_ROWS", 20)
    bare = built(REAL[:4])
    both = built([*REAL[:4], *CRUDE])
    (crude,) = both.fitted.models.paintings
    assert crude.weight() == 0 and "count for nothing" in crude.sentence()
    assert both.positive is not None and not both.positive.real.all()
    assert_same(both, bare)
    accepted = bare.changed(bare.additions(CRUDE[:1]))
    assert_same(accepted, bare)
    more = [d.changed(d.additions([REAL[4], REAL[5]])) for d in (both, accepted, bare)]
    assert_same(more[0], more[2])
    assert_same(more[1], more[2])
    assert_same(both.changed(both.removals("crude3")), bare)


def test_good_paintings_change_the_score_and_crude_ones_beside_them_do_not(bare: Detector) -> None:
    good, both = built([*REAL, *GOOD]), built([*REAL, *CRUDE, *GOOD])
    assert good.fitted.models.paintings[0].weight() == 1 and good.fusion.state().get("counts") is None
    assert both.fusion.state()["counts"] == {"crude": 0.0}
    assert_same(both, good)
    assert good.score_patches(SEEN[0])[0][0] != bare.score_patches(SEEN[0])[0][0]


def test_a_candidate_that_counts_for_nothing_is_measured_to_change_nothing(bare: Detector) -> None:
    images = zip(DEFECTIVE.images, DEFECTIVE.features[:], strict=True)
    several = [DefectImage(image, f.reshape(SIDE * SIDE, -1)) for image, f in images]
    validation = Validation(bare, several)
    assert validation.outcome(bare.additions(CRUDE)) == validation.before
    both = validation.extended(bare.additions(CRUDE)).outcome(bare.additions(GOOD))
    assert both == validation.outcome(bare.additions(GOOD)) and both.auroc > 0.9
    assert _effect(validation, bare.additions(CRUDE)).text.startswith(
        "counts for nothing, because such paintings"
    )
    for changes in ([], bare.additions(GOOD), bare.additions([CRUDE[0], GOOD[0]])):
        assert "for nothing" not in _effect(validation, changes).text


def test_whoever_accepts_paintings_that_count_for_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    both, workspace = built([*REAL, *CRUDE, *GOOD]), cast(Workspace, None)
    monkeypatch.setattr("exdd_core.banks.stored.stored_detector", lambda _, bank: both)
    said = idle_paintings(workspace, Gained("v1", 3))
    assert (
        said.startswith(" 12 paintings by crude find ") and "count for nothing" in said and "good" not in said
    )
    assert idle_paintings(workspace, Gained("v1", None)) == idle_paintings(workspace, Gained()) == ""
    monkeypatch.setattr(
        "exdd_core.banks.stored.stored_detector", lambda _, bank: both.with_fusion("open_set")
    )
    assert idle_paintings(workspace, Gained("v1", 3)) == ""


def test_versions_of_before_score_as_they_did(bare: Detector, tmp_path: Path) -> None:
    """Their fusion names no weights, so that every row counts; today's comes back with them."""
    now = built([*REAL, *CRUDE])
    now.save(tmp_path)
    file = tmp_path / "detector.json"
    assert_same(Detector.load(tmp_path, BACKBONE), now)
    stored = json.loads(file.read_text())
    del stored["fusions"]["context"]["state"]["counts"], stored["distances"]["radius_of_full"]
    file.write_text(json.dumps(stored))
    before = Detector.load(tmp_path, BACKBONE)
    features = SEEN[0].reshape(SIDE * SIDE, -1)
    assert now.positive is not None
    every = now.positive.search(features, fusion.NEIGHBOURS)[0].mean(-1).reshape(SIDE, SIDE)
    found, expected = (d.score_patches(SEEN[0])[0][1] for d in (before, now))
    parts = row_weights.parted(now.positive, {"crude": 0.0})
    only = row_weights.of_patches(parts, lambda b: b.search(features, fusion.NEIGHBOURS)[0]).reshape(
        SIDE, SIDE
    )
    judge = now.fusion
    assert isinstance(judge, fusion.Context)
    more = judge.trust * (np.log(only) - np.log(every)) / judge.nearer[1] / 2
    assert np.abs(more).max() > 0
    np.testing.assert_allclose(found - expected, more, atol=1e-4)


def test_a_bundle_weighs_rows_as_the_detector_does() -> None:
    bank = built([*REAL, *CRUDE, *GOOD]).positive
    assert bank is not None
    counts = {"crude": 0.3, "good": 0.0}
    arrays = {"positive": bank.rows, "positive_engine": row_weights.engine_of_each(bank, list(counts))}
    kinds = scorer._counting(fusion.Context(counts=counts), arrays)
    features = SEEN[0].reshape(SIDE * SIDE, -1)
    parts = row_weights.parted(bank, counts)
    expected = row_weights.of_patches(parts, lambda b: b.search(features, fusion.NEIGHBOURS)[0])
    found = weighted_mean([(w, rows.nearest(features)[0]) for w, rows in kinds], fusion.NEIGHBOURS)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert scorer._counting(fusion.Context(), arrays) == []


DISTANCES = hnp.arrays(np.float32, (3, 5), elements=st.floats(0, 9, width=32)).map(lambda d: np.sort(d, -1))
WEIGHTS = st.floats(0, 1)


@given(DISTANCES, DISTANCES, WEIGHTS, WEIGHTS)
def test_influence_grows_continuously_from_nothing_to_that_of_a_real_row(
    real: np.ndarray, own: np.ndarray, one: float, other: float
) -> None:
    """P falls with the weight, by at most the largest difference in distance for each 1 of it."""
    low, high = sorted((one, other))
    none, less, more, full = (weighted_mean([(1.0, real), (w, own)], 5) for w in (0.0, low, high, 1.0))
    np.testing.assert_allclose(none, real.mean(-1), rtol=1e-5)
    np.testing.assert_allclose(full, np.sort(np.concatenate([real, own], -1), -1)[:, :5].mean(-1), rtol=1e-5)
    assert (less >= more - 1e-5).all() and (less - more <= 9 * (high - low) + 1e-5).all()


def test_weighted_mean_by_hand() -> None:
    """Painted rows at 1 and 2 count half, so four real ones fill the rest: (0.5 + 1 + 3 + 4 + 5 + 6) / 5."""
    real, own = np.array([[3, 4, 5, 6, 7]], np.float32), np.array([[1, 2, 8, 9, 9]], np.float32)
    assert weighted_mean([(1.0, real), (0.5, own)], 5) == pytest.approx(3.9)
