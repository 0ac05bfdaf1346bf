"""Evaluation: metrics against scikit-learn and anomalib, and no physical part on both sides of anything."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from exdd_core import datasets, images
from exdd_core.cli.printing import print_recall
from exdd_core.detector import Detector, Settings, backbones
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.examples import PatchSet, TrainingImage
from exdd_core.errors import BadInput, Cancelled
from exdd_core.evaluation import (
    METRICS,
    aupro,
    compute_metrics,
    cross_validate,
    evaluate_methods,
    evaluate_split,
)
from exdd_core.images import Size
from exdd_core.measurements import FiguresWithMasks, RunResult
from exdd_core.progress import Progress
from exdd_core.workspace import runs

SIDE = 64
SMALL = Settings(size=Size(SIDE, SIDE), negative_ratio=0.05)


# --- metrics ----------------------------------------------------------------------------------------------


def share(figures: FiguresWithMasks, name: str) -> float:
    """A figure that is there."""
    value = figures[name]
    assert value is not None
    return value


def some_results(seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scores, labels, maps and masks of 12 images of 20 x 24 pixels; with ties, of few distinct values."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((12, 20, 24), bool)
    for mask in masks[:5]:
        for _ in range(rng.integers(1, 4)):
            y, x, h, w = *rng.integers(0, 14, 2), *rng.integers(1, 7, 2)
            mask[y : y + h, x : x + w] = True
    labels = np.array([mask.any() for mask in masks])
    scores = labels + rng.normal(0, 1, 12)
    maps = (0.7 * masks + rng.normal(0, 0.6, masks.shape)).astype(np.float32)
    return (scores.round(), labels, maps.round(1), masks) if ties else (scores, labels, maps, masks)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_metrics_are_scikit_learns(seed: int, ties: bool) -> None:
    scores, labels, maps, masks = some_results(seed, ties)
    found = compute_metrics(scores, labels, maps, masks)
    assert set(found) == set(METRICS) and all(type(v) is float for v in found.values())
    assert found["image_auroc"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert found["image_ap"] == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    truth, values = masks.ravel(), maps.ravel()  # all pixels of all images as one
    assert found["pixel_auroc"] == pytest.approx(roc_auc_score(truth, values), abs=1e-12)
    assert found["pixel_ap"] == pytest.approx(average_precision_score(truth, values), abs=1e-12)
    assert found["aupro"] == aupro(maps, masks)


def test_image_metrics_by_hand() -> None:
    scores, labels = np.array([1.0, 2, 2, 3]), np.array([False, False, True, True])
    nothing = np.zeros((4, 2, 2))
    found = compute_metrics(scores, labels, nothing, nothing.astype(bool))
    # Of four pairs of a defective and a normal image, 2 against 2 is a tie: (1 + 0.5 + 1 + 1) / 4.
    assert found["image_auroc"] == pytest.approx(3.5 / 4)
    # At 3: precision 1, recall 1/2. At 2: precision 2/3, recall 1. Area 1/2 * 1 + 1/2 * 2/3.
    assert found["image_ap"] == pytest.approx(1 / 2 + 1 / 3)


def test_one_class_alone_has_no_figures() -> None:
    scores, labels, maps, masks = some_results(0, ties=False)
    found = compute_metrics(scores[5:], labels[5:], maps[5:], masks[5:])
    assert all(math.isnan(v) for v in found.values())
    assert math.isnan(aupro(maps[:1], np.ones_like(masks[:1])))


# --- AUPRO ------------------------------------------------------------------------------------------------


def test_aupro_by_hand() -> None:
    # One image of 1 x 8. Regions: pixel 0, and pixels 2-3. The five others are outside any.
    masks = np.array([[[1, 0, 1, 1, 0, 0, 0, 0]]], bool)
    maps = np.array([[[9, 8, 7, 6, 5, 4, 3, 2]]], np.float32)
    # From the top: 9: overlap (1 + 0) / 2 = 0.5 at 0 of 5 false. 8: 1/5 false. 7: overlap (1 + 1/2) / 2 = 0.75. 6: 1.
    # So 0.5 from 0 to 0.2, straight up to 1 at 0.2, and 1 from there on.
    assert aupro(maps, masks, limit=0.2) == pytest.approx(0.5)
    assert aupro(maps, masks, limit=0.3) == pytest.approx((0.2 * 0.5 + 0.1 * 1) / 0.3)
    assert aupro(maps, masks, limit=1.0) == pytest.approx(0.2 * 0.5 + 0.8 * 1)


def test_aupro_weighs_regions_not_pixels() -> None:
    masks = np.zeros((1, 10, 40), bool)
    masks[0, :, :10], masks[0, 5, 30] = True, True  # 100 pixels and a single one
    found = aupro(masks.astype(np.float32) * np.where(np.arange(40) < 20, 1, -1).astype(np.float32), masks)
    # The large region is above everything, the single pixel below: half of the regions, then a straight line to 1.
    assert 0.5 <= found < 0.6


def test_aupro_of_a_map_that_says_nothing() -> None:
    masks = np.zeros((2, 9, 9), bool)
    masks[0, 2:4, 2:4] = True
    # All pixels pass at once: a straight line from (0, 0) to (1, 1), of which 0.3 * 0.3 / 2 lies before 0.3.
    assert aupro(np.ones((2, 9, 9), np.float32), masks) == pytest.approx(0.15)
    assert aupro(masks.astype(np.float32), masks) == pytest.approx(1)


def test_aupro_joins_pixels_that_touch_at_a_corner() -> None:
    masks = np.zeros((1, 6, 6), bool)
    masks[0, 1, 1] = masks[0, 2, 2] = masks[0, 2, 3] = True
    maps = np.zeros((1, 6, 6), np.float32)
    maps[0, 1, 1] = 1
    # One region of three pixels, of which a third is found before any false one (of two regions, a pixel and a pair, it
    # would be (1 + 0) / 2); then all the rest at once: a straight line from 1/3 to 1, whose mean up to 0.3 is at 0.15.
    assert aupro(maps, masks) == pytest.approx(1 / 3 + 2 / 3 * 0.15)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_aupro_of_one_region_up_to_the_end_is_auroc(seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = np.zeros((3, 8, 8), bool)
    masks[1, 2:6, 3:5] = True
    maps = rng.integers(0, 12, masks.shape).astype(np.float32)
    assert aupro(maps, masks, limit=1.0) == pytest.approx(roc_auc_score(masks.ravel(), maps.ravel()))


@pytest.fixture(scope="module")
def anomalib_aupro() -> Any:
    from anomalib.metrics.aupro import _AUPRO

    def value(maps: np.ndarray, masks: np.ndarray, limit: float) -> float:
        metric = _AUPRO(fpr_limit=limit)
        metric.update(torch.as_tensor(maps), torch.as_tensor(masks.astype(np.int64)))
        return float(metric.compute())

    return value


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_aupro_is_anomalibs(anomalib_aupro: Any, seed: int, limit: float, ties: bool) -> None:
    _, _, maps, masks = some_results(seed, ties)
    # They sum in float32.
    assert aupro(maps, masks, limit) == pytest.approx(anomalib_aupro(maps, masks, limit), abs=1e-4)


# --- a small data set -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    id: str
    path: Path
    label: str
    mask: Path | None
    group: str
    defect_type: str


def surface(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(0, 60, (SIDE, SIDE)), (0, 0), 1.5)
    return np.clip(130 + grain[..., None] + rng.normal(0, 4, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)


def make_rows(folder: Path, parts: Sequence[tuple[str, int, int]], seed: int = 0) -> list[Row]:
    """Images of parts (group, normal images, defective images), faint spots on the defective ones."""
    rows = []
    rng = np.random.default_rng(seed)
    for group, normal, defective in parts:
        for i in range(normal + defective):
            name = f"{group}_{i}"
            image, mask = surface(int(rng.integers(1 << 30))), None
            if i >= normal:
                marked = np.zeros((SIDE, SIDE), bool)
                y, x = rng.integers(4, 40, 2)
                marked[y : y + 14, x : x + 14] = True
                image[marked] = (0.75 * image[marked] + (20, 55, 30)).astype(np.uint8)
                mask = folder / f"{name}_mask.png"
                mask.write_bytes(images.encode_png(marked))
            file = folder / f"{name}.png"
            file.write_bytes(images.encode_png(image))
            label = "defect" if i >= normal else "normal"
            rows.append(Row(f"set/{name}.png", file, label, mask, group, "spot" if mask else ""))
    return rows


PARTS = [(f"n{i}", 2, 0) for i in range(5)] + [(f"d{i}", 1, 1 + i % 2) for i in range(6)]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """16 normal and 9 defective images; defective parts have a normal image too. Read only."""
    return make_rows(tmp_path_factory.mktemp("rows"), PARTS)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return backbones.load(device="cpu")


class Watch:
    """Which images are fitted and which are scored, fold by fold."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.normals: list[set[str]] = []
        self.defects: list[set[str]] = []
        self.fitted: list[set[bytes]] = []  # features of the images that were fitted
        self.scored: list[list[bytes]] = []
        self.seeds: list[int] = []
        fit, score = Detector.fit_patches, Detector.score_patches

        def spy_fit(detector: Detector, normals: PatchSet, defects: PatchSet, *more: Any) -> Detector:
            self.normals.append({i.id for i in normals.images})
            self.defects.append({i.id for i in defects.images})
            self.fitted.append({f.tobytes() for part in (normals, defects) for f in part.features})
            self.scored.append([])
            self.seeds.append(detector.settings.seed)
            assert not normals.on_defect.any() and defects.on_defect.any((1, 2)).all()
            return fit(detector, normals, defects, *more)

        def spy_score(detector: Detector, features: np.ndarray, *more: Any) -> Any:
            self.scored[-1].append(np.ascontiguousarray(features).tobytes())
            return score(detector, features, *more)

        monkeypatch.setattr(Detector, "fit_patches", spy_fit)
        monkeypatch.setattr(Detector, "score_patches", spy_score)


# --- cross-validation -------------------------------------------------------------------------------------


def test_no_part_is_on_both_sides(
    rows: list[Row], backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(monkeypatch)
    result = cross_validate(rows, backbone, SMALL, folds=3, seed=4)
    group = {r.id: r.group for r in rows}
    everything = {r.id for r in rows}
    tested: list[str] = []
    for normals, defects, fitted, scored in zip(
        watch.normals, watch.defects, watch.fitted, watch.scored, strict=True
    ):
        held_out = everything - normals - defects
        assert held_out and not {group[i] for i in held_out} & {group[i] for i in normals | defects}
        assert all(
            r.label == ("normal" if r.id in normals else "defect") for r in rows if r.id not in held_out
        )
        assert len(scored) == len(held_out) and not fitted & set(scored)
        tested += held_out
    assert sorted(tested) == sorted(everything)  # every image is held out exactly once
    sides = [{rows[i].id for i in fold} for fold in datasets.folds(rows, 3, 4)]
    assert [everything - n - d for n, d in zip(watch.normals, watch.defects, strict=True)] == sides
    assert watch.seeds == [4, 4, 4]
    assert result["folds"] == 3 and result["seed"] == 4


def test_figures_are_those_of_the_folds(rows: list[Row], backbone: Backbone) -> None:
    names = ["patchcore", "exdd", "distance_ratio"]
    result = cross_validate(rows, backbone, SMALL, folds=2, seed=1, fusions=names)
    assert json.loads(json.dumps(result)) == result
    assert list(result["methods"]) == list(result["deviation"]) == list(result["per_fold"]) == names
    assert result["fusion"] == ["context", "context"] and len(result["banks"]) == 2
    for name in names:
        for metric in METRICS:
            values = [share(fold, metric) for fold in result["per_fold"][name]]
            assert len(values) == 2 and all(0 <= v <= 1 for v in values)
            assert result["methods"][name][metric] == pytest.approx(sum(values) / 2)
            assert result["deviation"][name][metric] == pytest.approx(abs(values[0] - values[1]) / 2)
    assert result["methods"]["patchcore"] != result["methods"]["exdd"]
    assert share(result["methods"]["exdd"], "pixel_auroc") > 0.7  # it does find spots
    assert result == cross_validate(rows, backbone, SMALL, folds=2, seed=1, fusions=names)


def test_a_fold_by_hand(rows: list[Row], backbone: Backbone) -> None:
    result = cross_validate(rows, backbone, SMALL, folds=2, seed=1)
    test = sorted(datasets.folds(rows, 2, 1)[0])
    training = [
        TrainingImage(r.id, r.path, r.group, r.mask, r.defect_type)
        for i, r in enumerate(rows)
        if i not in test
    ]
    normals, defects = [t for t in training if t.mask is None], [t for t in training if t.mask is not None]
    detector = Detector(backbone, replace(SMALL, seed=1)).fit(normals, defects)
    labels = np.array([rows[i].label == "defect" for i in test])
    masks = np.zeros((len(test), SIDE, SIDE), bool)
    for at, i in enumerate(test):
        mask = rows[i].mask
        if mask is not None:
            masks[at] = images.read_mask(mask, (SIDE, SIDE))
    pairs = detector.compare([rows[i].path for i in test])
    for method, name in enumerate(("patchcore", "exdd")):
        scores = np.array([pair[method].score for pair in pairs])
        maps = np.stack([pair[method].map for pair in pairs])  # the model's size is the images'
        expected = compute_metrics(scores, labels, maps, masks)
        assert result["per_fold"][name][0] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("most", [0, 1, 2])
def test_no_more_real_parts_than_allowed(
    rows: list[Row], backbone: Backbone, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    watch = Watch(monkeypatch)
    result = cross_validate(rows, backbone, SMALL, folds=2, seed=2, max_real_parts=most)
    group, label = {r.id: r.group for r in rows}, {r.id: r.label for r in rows}
    for normals, defects, test in zip(watch.normals, watch.defects, datasets.folds(rows, 2, 2), strict=True):
        assert len({group[i] for i in defects}) == most
        held_out = {rows[i].id for i in test}
        assert normals == {r.id for r in rows if r.label == "normal"} - held_out  # of all parts, still
        whole = {i for i in label if label[i] == "defect" and group[i] in {group[d] for d in defects}}
        assert defects == whole  # all images of those parts
    assert result["max_real_parts"] == most
    assert result["fusion"] == ["context" if most else "patchcore"] * 2
    if not most:
        assert result["methods"]["exdd"] == result["methods"]["patchcore"]


def test_another_seed_deals_other_folds(
    rows: list[Row], backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(monkeypatch)
    for seed in (0, 1):
        cross_validate(rows, backbone, SMALL, folds=2, seed=seed, max_real_parts=0)
    assert watch.normals[0] != watch.normals[2] and watch.seeds == [0, 0, 1, 1]


def test_more_folds_than_parts_are_refused(rows: list[Row], backbone: Backbone) -> None:
    with pytest.raises(BadInput, match="11 parts cannot be divided into 12 folds"):
        cross_validate(rows, backbone, SMALL, folds=12)


def test_a_fold_of_one_class_is_refused(tmp_path: Path, backbone: Backbone) -> None:
    one_defective = make_rows(tmp_path, [("n0", 2, 0), ("n1", 2, 0), ("n2", 2, 0), ("d0", 0, 1)])
    with pytest.raises(BadInput) as caught:
        cross_validate(one_defective, backbone, SMALL, folds=2)
    assert str(caught.value).endswith(".")


def test_a_fusion_that_the_parts_do_not_allow_is_refused(rows: list[Row], backbone: Backbone) -> None:
    with pytest.raises(BadInput, match="The fusion stacked needs"):
        cross_validate(rows, backbone, SMALL, folds=2, max_real_parts=2, fusions=["stacked"])
    with pytest.raises(BadInput, match="no fusion named 'magic'"):
        cross_validate(rows, backbone, SMALL, folds=2, max_real_parts=0, fusions=["magic"])


def without_masks(rows: list[Row], groups: set[str], empty: Path | None = None) -> list[Row]:
    """The same rows where the defects of these parts have no mask, or an empty one."""
    return [replace(r, mask=empty if r.label == "defect" else None) if r.group in groups else r for r in rows]


@pytest.fixture
def empty_mask(tmp_path: Path) -> Path:
    file = tmp_path / "empty.png"
    file.write_bytes(images.encode_png(np.zeros((SIDE, SIDE), bool)))
    return file


def test_a_defect_without_a_mask_counts_as_an_image_and_not_as_background(
    rows: list[Row], backbone: Backbone, empty_mask: Path
) -> None:
    """Pixel figures are those of the other images; a mask that marks nothing is none."""
    detector = Detector(backbone, SMALL).fit(*training_images())
    all_there = evaluate_split(detector, rows)
    assert all_there["masks"] == {"used": 9, "missing": 0}
    missing = {"d3", "d4"}
    lack = sum(r.group in missing and r.label == "defect" for r in rows)
    others = [r for r in rows if not (r.group in missing and r.label == "defect")]
    rest = evaluate_split(detector, others)
    for empty in (None, empty_mask):
        found = evaluate_split(detector, without_masks(rows, missing, empty))
        assert found["masks"] == {"used": 9 - lack, "missing": lack}
        assert found["images"] == len(rows) and found["defective"] == 9
        said = f"{lack} of 9 defective images have no mask; pixel figures leave them out."
        assert said in found["notes"]
        for method, figures in found["methods"].items():
            for name, value in figures.items():
                same_as = rest if name in ("pixel_auroc", "pixel_ap", "aupro") else all_there
                assert value == pytest.approx(same_as["methods"][method][name], abs=1e-12), name
        for name, tally in found["patch_reliability"].items():
            counted = sum(bin["count"] for bin in tally["bins"])
            assert counted == (len(rows) - lack) * 64, name


def test_without_any_mask_there_are_image_figures_alone(rows: list[Row], backbone: Backbone) -> None:
    bare = without_masks(rows, {r.group for r in rows})
    detector = Detector(backbone, SMALL).fit(*training_images())
    for found in (evaluate_split(detector, bare), cross_validate(bare, backbone, SMALL, folds=2)):
        assert found["masks"] == {"used": 0, "missing": 9}
        assert found["notes"][0] == "No defective image has a mask, so there are no pixel figures."
        for figures in found["methods"].values():
            assert [name for name, value in figures.items() if value is None] == [
                "pixel_auroc",
                "pixel_ap",
                "aupro",
            ]
            assert all(0 <= share(figures, n) <= 1 for n in ("image_auroc", "image_ap", "image_f1"))
        text = json.dumps(runs.strict(found))  # as it is kept
        assert json.loads(text)["methods"]["exdd"]["aupro"] is None
    # No defect can be placed, so that there is nothing but PatchCore.
    assert found["fusion"] == ["patchcore"] * 2
    assert found["methods"]["exdd"] == found["methods"]["patchcore"]


def test_a_fold_without_masks_leaves_pixel_figures_to_the_others(rows: list[Row], backbone: Backbone) -> None:
    sides = datasets.folds(rows, 2, 0)
    of_first = {rows[i].group for i in sides[0] if rows[i].label == "defect"}
    found = cross_validate(without_masks(rows, of_first), backbone, SMALL, folds=2)
    first, second = found["per_fold"]["patchcore"]
    assert math.isnan(share(first, "pixel_auroc")) and not math.isnan(share(first, "image_auroc"))
    assert found["methods"]["patchcore"]["pixel_auroc"] == second["pixel_auroc"]
    low, high = found["intervals"]["patchcore"]["pixel_auroc"]
    assert 0 <= low <= share(second, "pixel_auroc") <= high <= 1


def training_images() -> tuple[list[TrainingImage], list[TrainingImage]]:
    """Six normal and two defective images of other parts than those of `rows`."""
    normals = [TrainingImage(f"train/n{i}", surface(9000 + i), f"train{i}") for i in range(6)]
    defects = []
    for i in range(2):
        image, mask = surface(9100 + i), np.zeros((SIDE, SIDE), bool)
        mask[20:36, 24:40] = True
        image[mask] = (0.6 * image[mask] + (60, 0, 0)).astype(np.uint8)
        defects.append(TrainingImage(f"train/d{i}", image, f"traind{i}", mask, "spot"))
    return normals, defects


def test_cross_validation_can_be_cancelled(rows: list[Row], backbone: Backbone) -> None:
    stages: list[str] = []

    def stop(progress: Progress) -> None:
        if progress.stage not in stages:
            stages.append(progress.stage)
        if progress.stage.startswith("Fold 2"):
            progress.cancel()

    with pytest.raises(Cancelled):
        cross_validate(rows, backbone, SMALL, folds=2, max_real_parts=0, progress=Progress(stop))
    assert any(s.startswith("Fold 1 of 2") for s in stages) and "Scoring held-out images" in stages


# --- the data set's own split -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def split(rows: list[Row], backbone: Backbone) -> tuple[Detector, list[Row]]:
    """A detector of some parts and the images of the others."""
    known = {"n0", "n1", "n2", "d0", "d1", "d2"}
    training = [TrainingImage(r.id, r.path, r.group, r.mask, r.defect_type) for r in rows if r.group in known]
    detector = Detector(backbone, SMALL).fit(
        [t for t in training if t.mask is None], [t for t in training if t.mask is not None]
    )
    return detector, [r for r in rows if r.group not in known]


def test_split_compares_patchcore_and_exdd(split: tuple[Detector, list[Row]]) -> None:
    detector, test = split
    result = evaluate_split(detector, test)
    assert json.loads(json.dumps(result)) == result
    assert list(result["methods"]) == ["patchcore", "exdd"] and result["fusion"] == "context"
    assert (result["images"], result["defective"]) == (len(test), sum(r.label == "defect" for r in test))
    labels = np.array([r.label == "defect" for r in test])
    for name, judge in (("patchcore", detector.patchcore()), ("exdd", detector)):
        scores = [i.score for i in judge.score([r.path for r in test])]
        assert result["methods"][name]["image_auroc"] == pytest.approx(roc_auc_score(labels, scores))


def test_both_methods_share_one_search_and_are_as_if_alone(
    split: tuple[Detector, list[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    detector, test = split
    alone = evaluate_methods({"patchcore": detector.patchcore()}, test)["methods"]["patchcore"]
    searched, search = list[Bank](), Bank.search

    def counted(bank: Bank, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        searched.append(bank)
        return search(bank, queries, count)

    monkeypatch.setattr(Bank, "search", counted)
    both = evaluate_split(detector, test)["methods"]
    assert both["patchcore"] == alone != both["exdd"]
    assert sum(bank is detector.negative for bank in searched) == len(test)


def test_split_by_another_fusion(split: tuple[Detector, list[Row]]) -> None:
    detector, test = split
    result = evaluate_split(detector, test, "ratio")
    assert result["fusion"] == "ratio" and detector.fusion.name == "context"
    labels = np.array([r.label == "defect" for r in test])
    scores = [i.score for i in detector.with_fusion("ratio").score([r.path for r in test])]
    assert result["methods"]["exdd"]["image_auroc"] == pytest.approx(roc_auc_score(labels, scores))
    with pytest.raises(BadInput, match="no fusion named 'magic'"):
        evaluate_split(detector, test, "magic")


def test_split_of_patchcore_alone(split: tuple[Detector, list[Row]]) -> None:
    detector, test = split
    methods = evaluate_split(detector.patchcore(), test)["methods"]
    assert methods["exdd"] == methods["patchcore"]


@pytest.mark.parametrize("label", ["normal", "defect"])
def test_images_of_the_bank_are_refused(
    split: tuple[Detector, list[Row]], rows: list[Row], label: str
) -> None:
    detector, test = split
    known = next(r for r in rows if r.group == "d1" and r.label == label)
    with pytest.raises(BadInput, match="in the bank itself"):
        evaluate_split(detector, [*test, known])
    renamed = replace(known, group="another")  # the group's name does not make it another image
    with pytest.raises(BadInput, match="in the bank itself"):
        evaluate_split(detector, [*test, renamed])


@pytest.mark.parametrize("group", ["n0", "d1"])
def test_parts_of_the_bank_are_refused(split: tuple[Detector, list[Row]], group: str) -> None:
    detector, test = split
    with pytest.raises(BadInput, match=f"Part {group} is on both sides"):
        evaluate_split(detector, [*test[1:], replace(test[0], group=group)])


def test_parts_without_a_row_in_the_bank_are_refused_too(tmp_path: Path, backbone: Backbone) -> None:
    rows = make_rows(tmp_path, [(f"n{i}", 1, 0) for i in range(6)])
    training = [TrainingImage(r.id, r.path, r.group) for r in rows]
    detector = Detector(backbone, replace(SMALL, negative_ratio=0.01)).fit(training)  # 4 rows of 6 images
    unused = {r.id for r in rows} - set(detector.negative.rows_by_image())
    assert unused
    for row in rows:
        with pytest.raises(BadInput, match="on both sides"):
            evaluate_split(detector, [replace(row, id="set/new.png")])


def test_parts_that_set_a_threshold_are_refused_too(split: tuple[Detector, list[Row]]) -> None:
    """Normal images that are held out for the threshold are in no bank."""
    detector, test = split
    judge = copy(detector)
    held = replace(detector.fitted.held, images=[BankImage("set/held.png", "held out")])
    judge.fitted = replace(detector.fitted, held_out=held)
    with pytest.raises(BadInput, match="Part held out is on both sides"):
        evaluate_split(judge, [*test, replace(test[0], id="set/new.png", group="held out")])


def test_without_a_normal_image_nothing_is_begun(split: tuple[Detector, list[Row]]) -> None:
    detector, test = split
    with pytest.raises(BadInput, match="no normal image to test with"):
        evaluate_split(detector, [r for r in test if r.label == "defect"])
    with pytest.raises(BadInput, match="A false-alarm rate of 1.0 cannot be measured on"):
        evaluate_split(detector, test, rate=1.0)


def test_without_a_defect_false_alarms_are_counted(
    split: tuple[Detector, list[Row]], capsys: pytest.CaptureFixture[str]
) -> None:
    detector, test = split
    result = evaluate_split(detector, [r for r in test if r.label == "normal"])
    assert result["notes"] == ["None of these images has a defect: only false alarms can be counted."]
    figures = result["methods"]["exdd"]
    assert all(math.isnan(share(figures, name)) for name in figures)
    print_recall(cast(RunResult, result))
    assert "at its own threshold: false alarms " in capsys.readouterr().out
    assert result["at_threshold"]["exdd"]["normal"] == result["images"] and result["defective"] == 0


def test_test_images_without_masks_have_image_figures(split: tuple[Detector, list[Row]]) -> None:
    detector, test = split
    before, found = (
        evaluate_split(detector, test),
        evaluate_split(detector, [replace(r, mask=None) for r in test]),
    )
    for method, figures in found["methods"].items():
        for name in ("image_auroc", "image_ap", "image_f1"):
            assert figures[name] == before["methods"][method][name]
        assert figures["pixel_auroc"] is figures["pixel_ap"] is figures["aupro"] is None
    assert found["at_threshold"] == before["at_threshold"] and found["scores"] == before["scores"]
