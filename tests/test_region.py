"""A region of interest: outside of it nothing counts, for banks, scores, maps and figures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy import ndimage
from sklearn.metrics import average_precision_score, roc_auc_score

from exdd_core import curation, images, jobs
from exdd_core.banks import compare, features as features_
from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.detector import Detector, Settings, backbones
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.bank import BankImage
from exdd_core.detector.change import examine, marks
from exdd_core.detector.examples import DefectImage, Marked, TrainingImage
from exdd_core.detector.fitted import unfitted
from exdd_core.detector.scoring import features
from exdd_core.detector.summary import knows, notes
from exdd_core.errors import BadInput
from exdd_core.evaluation import (
    aupro,
    compute_metrics,
    cross_validate,
    evaluate_methods,
    evaluate_split,
    resampling,
)
from exdd_core.evaluation.effect import Validation
from exdd_core.evaluation.part_curves import contributions
from exdd_core.images import Size
from exdd_core.region import FILL, HALF, Region, covered, filled
from exdd_core.workspace import Workspace
from exdd_core.workspace.dataset_settings import set_region
from exdd_core.workspace.imports import import_dataset

SIDE = 64
SMALL = Settings(size=Size(SIDE, SIDE), negative_ratio=0.1)  # 8 x 8 patches
ROI = np.zeros((SIDE, SIDE), bool)
ROI[:, :37] = True  # of the fifth column of patches, pixels 32 to 39, more than a half
INSIDE = np.zeros((8, 8), bool)
INSIDE[:, :5] = True
LEFT, RIGHT = (20, 36, 6, 22), (20, 36, 44, 60)  # y0, y1, x0, x1 of defects


def texture(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(0, 60, (SIDE, SIDE)), (0, 0), 1.5)
    return np.clip(130 + grain[..., None] + rng.normal(0, 4, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)


def spotted(seed: int, box: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    image, mask = texture(seed), np.zeros((SIDE, SIDE), bool)
    y0, y1, x0, x1 = box
    mask[y0:y1, x0:x1] = True
    image[mask] = (0.3 * image[mask] + (150, 20, 20)).astype(np.uint8)
    return image, mask


def defect(i: int, box: tuple[int, int, int, int] = LEFT) -> TrainingImage:
    image, mask = spotted(1000 + i, box)
    return TrainingImage(f"defect/{i}", image, f"d{i}", mask, "spot")


NORMALS = [TrainingImage(f"normal/{i}", texture(i), f"n{i}") for i in range(8)]
DEFECTS = [defect(0), defect(1), defect(2), defect(3, RIGHT)]


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return backbones.load(device="cpu")


@pytest.fixture(scope="module")
def half(backbone: Backbone) -> Detector:
    """Sees the left half; read only."""
    return Detector(backbone, SMALL, ROI).fit(NORMALS, DEFECTS)


# --- where a region lies ----------------------------------------------------------------------------------------


def test_a_region_is_stretched_to_images_of_other_sizes() -> None:
    region = Region(np.array([[True, False], [True, True]]))
    assert region.at((2, 2)).tolist() == [[True, False], [True, True]]
    assert region.at((4, 2)).tolist() == [[True, False]] * 2 + [[True, True]] * 2


def test_a_letterbox_lies_outside() -> None:
    # An image of 64 x 32 lies in the middle of 64 x 64: rows 16 to 47. All of it is of interest.
    region = Region(np.ones((32, 64), bool))
    share = region.share(Size(64, 64, keep_aspect=True))
    assert share.dtype == np.float32
    assert share[16:48].min() == 1 and share[:16].max() == share[48:].max() == 0
    assert region.share(Size(64, 64)).min() == 1  # stretched there is none
    counts = region.inside(Size(64, 64, keep_aspect=True), (8, 8))
    assert counts.tolist() == [[2 <= row < 6] * 8 for row in range(8)]
    # Of an image of another shape it is another place: one of 32 x 64 fills the columns 16 to 47.
    counts = region.inside(Size(64, 64, keep_aspect=True), (8, 8), (64, 32))
    assert counts.tolist() == [[2 <= column < 6 for column in range(8)]] * 8


@given(
    size=st.tuples(st.integers(16, 80), st.integers(16, 80)),
    grid=st.tuples(st.integers(2, 12), st.integers(2, 12)),
    shape=st.tuples(st.integers(1, 200), st.integers(1, 200)),
)
def test_an_image_fills_the_patches_that_average_pooling_says(
    size: tuple[int, int], grid: tuple[int, int], shape: tuple[int, int]
) -> None:
    boxed = Size(*size, keep_aspect=True)
    share = covered(images.resize_mask(np.ones(shape, bool), boxed), grid)
    assert np.array_equal(filled(boxed, grid, shape), share >= min(HALF, share.max() - 1e-6))


def test_a_narrow_image_fills_the_patches_that_it_covers_most() -> None:
    # An image of 256 x 4 has 64 x 1 pixels of 64 x 64, row 31: an eighth of the fourth row of patches.
    found = filled(Size(64, 64, keep_aspect=True), (8, 8), (4, 256))
    assert found.tolist() == [[row == 3] * 8 for row in range(8)]


@given(
    box=st.tuples(st.integers(0, 5), st.integers(1, 6), st.integers(0, 6), st.integers(1, 7)),
    hole=st.booleans(),
)
def test_a_patch_outside_repeats_a_patch_at_the_least_distance(
    box: tuple[int, int, int, int], hole: bool
) -> None:
    top, height, left, width = box
    inside = np.zeros((12, 14), bool)
    inside[top : top + height, left : left + width] = True
    if hole and height > 2 and width > 2:
        inside[top + 1, left + 1] = False
    row, column = Region(np.ones((1, 1), bool)).nearest(inside)
    at = np.argwhere(inside)
    for y, x in np.ndindex(*inside.shape):
        assert inside[row[y, x], column[y, x]]
        squared = (row[y, x] - y) ** 2 + (column[y, x] - x) ** 2
        assert squared == ((at - (y, x)) ** 2).sum(1).min()


def test_the_border_of_a_letterbox_is_in_no_bank_and_never_judged(backbone: Backbone) -> None:
    size = Size(SIDE, SIDE, keep_aspect=True)
    normals = [replace(one, source=texture(i)[:32]) for i, one in enumerate(NORMALS)]  # twice as wide as high
    detector = Detector(backbone, replace(SMALL, size=size)).fit(normals)
    for bank in (detector.negative, detector.fitted.examples.normals):
        assert set(bank.position[:, 0].tolist()) <= {2, 3, 4, 5}
    for shape in ((SIDE, 32), (32, SIDE), (SIDE, 3)):
        found = detector.score([texture(700)[: shape[0], : shape[1]]])[0]
        assert found.inside is not None and np.array_equal(found.inside, filled(size, (8, 8), shape))
        assert found.score == pytest.approx(found.patch_scores[found.inside].max())
    assert "roi" not in notes(detector.fitted)
    former = Detector.of(unfitted(backbone, replace(SMALL, size=size))).fit(normals)  # as it was before
    assert set(former.negative.position[:, 0].tolist()) > {2, 3, 4, 5}
    with pytest.raises(BadInput, match="Build versions again that still count the border of letterboxes"):
        evaluate_methods({"now": detector, "before": former}, [])


def test_a_patch_counts_from_a_half_on() -> None:
    mask = np.zeros((32, 32), bool)
    mask[:8, :4] = True  # exactly half of the first patch,
    mask[8:16, 8:11] = True  # three eighths of another
    mask[16:24, 16:24] = True  # and all of a third
    assert np.argwhere(Region(mask).inside(Size(32, 32), (4, 4))).tolist() == [[0, 0], [2, 2]]
    # At twice the size the patches are half as large, so that the narrow piece fills some.
    found = Region(mask).inside(Size(64, 64), (8, 8))
    assert found[2:4, 2].all() and found[:2, 0].all()


def test_a_region_of_no_patch_is_refused(backbone: Backbone) -> None:
    speck = np.zeros((SIDE, SIDE), bool)
    speck[3:6, 3:6] = True
    with pytest.raises(BadInput, match="does not cover half of any patch at 64x64; draw it larger"):
        Detector(backbone, SMALL, speck).fit(NORMALS)
    with pytest.raises(BadInput, match="region of interest is empty"):
        Detector(backbone, SMALL, np.zeros((SIDE, SIDE), bool))


def test_patches_outside_repeat_the_nearest_inside() -> None:
    features = np.arange(6, dtype=np.float32).reshape(2, 3, 1)
    inside = np.array([[True, False, False], [False, False, True]])
    spread = Region(np.ones((2, 2), bool)).spread(features, inside)[..., 0]
    assert spread[0, 0] == 0 and spread[1, 2] == 5
    assert spread[1, 0] == 0 and spread[0, 2] == 5  # one step from one, more from the other
    assert set(spread.ravel().tolist()) == {0, 5}


@given(arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))).filter(np.any))
def test_the_nearest_patches_are_those_that_scipy_finds(inside: np.ndarray) -> None:
    found = Region(np.ones((1, 1), bool)).nearest(inside)
    expected = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all():
        assert np.array_equal(found, expected)
    assert inside[found].all()


def test_what_lies_outside_is_painted_over() -> None:
    image = texture(0)
    seen = Region(ROI).painted_over(image)
    assert np.array_equal(seen[:, :37], image[:, :37])
    assert (seen[:, 37:] == FILL).all() and seen.dtype == np.uint8


# --- banks ------------------------------------------------------------------------------------------------------


def test_no_row_comes_from_outside(half: Detector) -> None:
    banks = {"negative": half.negative, "positive": half.positive, "learnt": half.fitted.examples.normals}
    banks |= {"defects": half.fitted.examples.defects, "unmarked": half.fitted.examples.unmarked}
    for name, bank in banks.items():
        assert bank is not None and len(bank), name
        row, column = bank.position.T
        assert INSIDE[row, column].all(), name
    assert len(half.negative) == round(0.1 * 8 * INSIDE.sum())  # the share is of the patches that count
    assert half.summary()["roi"] == pytest.approx(37 / 64, abs=1e-4)


def test_a_defect_outside_teaches_nothing_and_is_named(half: Detector, backbone: Backbone) -> None:
    assert {image.id for image in half.fitted.examples.defects.images} == {"defect/0", "defect/1", "defect/2"}
    assert notes(half.fitted) == [
        "1 defect lies outside the region of interest and teaches nothing: defect/3."
    ]
    alone = Detector(backbone, SMALL, ROI).fit(NORMALS, [defect(5, RIGHT), defect(6, RIGHT)])
    assert alone.positive is None and alone.fusion.name == "patchcore"
    assert notes(alone.fitted) == [
        "No defect teaches the positive bank, so this version only compares with normal surface (PatchCore).",
        "2 defects lie outside the region of interest and teach nothing: defect/5, defect/6.",
    ]


def test_a_defect_across_the_border_teaches_by_what_lies_inside(backbone: Backbone) -> None:
    across = [replace(defect(i, (20, 36, 30, 60)), id=f"across/{i}") for i in range(3)]
    detector = Detector(backbone, SMALL, ROI).fit(NORMALS, across)
    columns = set(detector.fitted.examples.defects.position[:, 1].tolist())
    assert columns == {4}  # pixels 32 to 36 of the fifth column are more than half of it


def test_rows_that_come_later_come_from_inside(half: Detector) -> None:
    image, _ = spotted(3000, LEFT)
    whole = np.ones((8, 8), bool)
    marked = Marked.of(BankImage("later", "later", "spot"), features(half.fitted, image), whole)
    assert not examine(half.fitted, marked).clean.reshape(8, 8)[~INSIDE].any()
    for side in ("positive", "negative"):
        (change,) = half.additions([marked], side)
        assert len(change.rows) and INSIDE[tuple(change.position.T)].all()
    assert marks(half.fitted, np.ones((SIDE, SIDE), bool)).tolist() == INSIDE.tolist()


# --- scores and maps ----------------------------------------------------------------------------------------------


def test_nothing_that_happens_outside_changes_anything(half: Detector) -> None:
    quiet = texture(500)
    loud = quiet.copy()
    loud[:, 37:] = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE - 37, 3))
    for fusion in half.fusions:
        one, other = half.with_fusion(fusion).score([quiet, loud])
        assert one.score == other.score and one.peak == other.peak, fusion
        assert np.array_equal(one.map, other.map) and np.array_equal(one.patch_scores, other.patch_scores), (
            fusion
        )


def test_the_map_outside_is_empty(half: Detector) -> None:
    for image in (spotted(2000, LEFT)[0], spotted(2001, RIGHT)[0], texture(501)):
        for seen in half.compare([image])[0]:
            assert not seen.calibrated_map[~ROI].any()
            assert (seen.map[~ROI] == np.float32(seen.calibration.map_median)).all()
            assert seen.calibrated_map[ROI].std() > 0
            assert (seen.patch_scores[~INSIDE] <= seen.calibration.median).all()
            assert seen.patch_scores[~INSIDE].max() <= seen.patch_scores[INSIDE].min()
            assert seen.score == seen.patch_scores[INSIDE].max()
            assert ROI[seen.peak]
            assert not curation.alarming(seen)[~ROI].any()
            likely = seen.patch_probabilities
            assert likely is None or not likely[~INSIDE].any()


def test_a_defect_inside_is_found_and_one_outside_is_not(half: Detector, backbone: Backbone) -> None:
    left, right, normal = half.score([spotted(2000, LEFT)[0], spotted(2001, RIGHT)[0], texture(2001)])
    assert left.verdict == "defect" and curation.alarming(left)[20:36, 6:22].any()
    assert right.score == normal.score
    everywhere = Detector(backbone, SMALL).fit(NORMALS, DEFECTS)
    assert everywhere.score([spotted(2001, RIGHT)[0]])[0].verdict == "defect"


def test_thresholds_are_set_by_what_lies_inside(backbone: Backbone) -> None:
    """Normal images that go wild outside get the banks and thresholds of ones that do not."""
    rng = np.random.default_rng(3)
    wild = []
    for one in NORMALS:
        assert isinstance(one.source, np.ndarray)
        image = one.source.copy()
        image[:, 37:] = rng.integers(0, 256, (SIDE, SIDE - 37, 3))
        wild.append(replace(one, source=image))
    quiet, loud = (Detector(backbone, SMALL, ROI).fit(some, DEFECTS) for some in (NORMALS, wild))
    assert np.array_equal(quiet.negative.rows, loud.negative.rows)
    for name, (_, calibration) in quiet.fusions.items():
        assert calibration == loud.fusions[name][1], name


def test_a_region_of_everything_changes_nothing(backbone: Backbone) -> None:
    plain = Detector(backbone, SMALL).fit(NORMALS, DEFECTS)
    whole = Detector(backbone, SMALL, np.ones((SIDE, SIDE), bool)).fit(NORMALS, DEFECTS)
    for one, other in zip(plain.score(UNSEEN), whole.score(UNSEEN), strict=True):
        assert one.score == other.score and np.array_equal(one.calibrated_map, other.calibrated_map)


UNSEEN = [texture(500), spotted(2000, LEFT)[0], spotted(2001, RIGHT)[0]]


@settings(max_examples=8)
@given(seed=st.integers(0, 10_000))
def test_any_region_hides_what_lies_outside(backbone: Backbone, seed: int) -> None:
    rng = np.random.default_rng(seed)
    roi = cv2.GaussianBlur(rng.normal(0, 1, (SIDE, SIDE)), (0, 0), 8) > 0
    roi[8:24, 8:24] = True
    detector = Detector(backbone, SMALL, roi).fit(NORMALS[:3])
    image = texture(seed)
    other = np.where(roi[..., None], image, 255 - image)
    one, two = detector.score([image, other])
    assert one.score == two.score and np.array_equal(one.map, two.map)
    assert not one.calibrated_map[~roi].any() and roi[curation.alarming(one)].all()


def test_regions_follow_images_of_several_shapes_in_a_letterbox(backbone: Backbone) -> None:
    size = Size(SIDE, SIDE, keep_aspect=True)
    normals = [
        replace(one, source=texture(i)[: 40 + 8 * (i % 3)]) for i, one in enumerate(NORMALS)
    ]  # 40, 48 and 56 rows
    roi = np.zeros((48, SIDE), bool)
    roi[:24] = True  # the upper half
    detector = Detector(backbone, replace(SMALL, size=size), roi).fit(normals, [])
    for height in (40, 56):
        image = texture(700)[:height].copy()
        dirty = image.copy()
        dirty[height // 2 + 1 :] = 255
        one, other = detector.score([image, dirty])
        assert one.score == other.score
        assert not one.calibrated_map[height // 2 + 1 :].any() and one.calibrated_map[: height // 2 - 1].any()


# --- on disk and later --------------------------------------------------------------------------------------------


def test_a_region_is_kept_with_the_bank(half: Detector, backbone: Backbone, tmp_path: Path) -> None:
    half.save(tmp_path)
    loaded = Detector.load(tmp_path, backbone)
    assert loaded.region is not None and np.array_equal(loaded.region.mask, ROI)
    for one, other in zip(half.score(UNSEEN), loaded.score(UNSEEN), strict=True):
        assert one.score == other.score and np.array_equal(one.calibrated_map, other.calibrated_map)
    loaded.recall(half.fitted.held.features or [])
    again = loaded.changed(loaded.removals("defect/2"))
    assert (
        again.fusions[again.fusion.name][1]
        == half.changed(half.removals("defect/2")).fusions[again.fusion.name][1]
    )
    (tmp_path / "roi.safetensors").unlink()
    with pytest.raises(BadInput, match="are missing or cannot be read; build it again"):
        Detector.load(tmp_path, backbone)


def test_the_effect_of_further_rows_is_measured_inside(half: Detector) -> None:
    """What is held out is looked at as a detector scores it: patches outside repeat the nearest inside."""
    assert half.fitted.held.features is not None
    held = [
        DefectImage(image.bank_image, features(half.fitted, image.source).reshape(64, -1))
        for image in DEFECTS[:3]
    ]
    validation = Validation(half, held)
    context = validation._context(validation.discriminants, np.stack([h.features for h in held]))
    assert context is not None
    grid = context.reshape(-1, 8, 8)
    assert (grid[:, :, 5:] == grid[:, :, 4:5]).all()
    assert validation.before.auroc > 0.9


# --- figures ----------------------------------------------------------------------------------------------------


def test_pixel_figures_count_only_what_they_are_told_to() -> None:
    rng = np.random.default_rng(0)
    masks = np.zeros((6, 12, 16), bool)
    masks[:3, 2:8, 4:12] = True  # half inside, half outside
    maps = (masks + rng.normal(0, 1, masks.shape)).astype(np.float32)
    labels, scores = np.arange(6) < 3, rng.normal(0, 1, 6)
    counted = np.zeros_like(masks)
    counted[..., :8] = True
    found = compute_metrics(scores, labels, maps, masks, counted)
    truth, values = masks[counted], maps[counted]
    assert found["pixel_auroc"] == pytest.approx(roc_auc_score(truth, values), abs=1e-12)
    assert found["pixel_ap"] == pytest.approx(average_precision_score(truth, values), abs=1e-12)
    assert found["aupro"] == pytest.approx(aupro(maps[..., :8], masks[..., :8]), abs=1e-12)
    whole = compute_metrics(scores, labels, maps, masks)
    assert all(found[name] == whole[name] for name in ("image_auroc", "image_ap", "image_f1"))
    assert compute_metrics(scores, labels, maps, masks, np.ones_like(masks)) == whole
    wild = np.where(counted, maps, 1e6).astype(np.float32)
    groups = [f"g{i}" for i in range(6)]
    one = resampling.replicates([contributions(scores, labels, maps, masks, groups, counted)])
    crop = contributions(scores, labels, maps[..., :8], masks[..., :8], groups)
    other = resampling.replicates([crop])
    assert compute_metrics(scores, labels, wild, masks, counted) == found
    for name in ("pixel_auroc", "pixel_ap", "aupro"):
        assert one[name][0] == pytest.approx(other[name][0], abs=0.02)  # steps lie elsewhere


@dataclass(frozen=True)
class Row:
    id: str
    path: Path
    label: str
    mask: Path | None
    group: str
    defect_type: str = ""


def rows_in(folder: Path) -> list[Row]:
    """12 normal images, and 6 defective ones, the last of which has its defect outside."""
    rows = []
    for i in range(18):
        image, mask = spotted(4000 + i, RIGHT if i == 17 else LEFT) if i >= 12 else (texture(4000 + i), None)
        path, place = folder / f"{i}.png", folder / f"{i}_mask.png"
        path.write_bytes(images.encode_png(image))
        if mask is not None:
            place.write_bytes(images.encode_png(mask))
        label = "normal" if mask is None else "defect"
        rows.append(Row(f"set/{i}.png", path, label, None if mask is None else place, f"g{i}", "spot"))
    return rows


def test_an_image_whose_defect_lies_outside_is_in_no_figure(backbone: Backbone, tmp_path: Path) -> None:
    rows = rows_in(tmp_path)
    said = "1 image is left out: its defect lies outside the region of interest (set/17.png)."
    detector = Detector(backbone, SMALL, ROI).fit(NORMALS, DEFECTS[:3])
    result = evaluate_split(detector, rows)
    assert said in result["notes"] and result["images"] == 17 and result["defective"] == 5
    assert "set/17.png" not in result["per_image"]["id"]
    assert result["methods"]["exdd"]["image_auroc"] == 1
    folds = cross_validate(rows, backbone, SMALL, folds=2, roi=ROI)
    assert said in folds["notes"] and len(folds["per_image"]["id"]) == 17
    figure = folds["methods"]["exdd"]["pixel_auroc"]
    assert figure is not None and figure > 0.8
    assert all(bank["roi"] for bank in folds["banks"])


def test_pixels_outside_are_in_no_figure(backbone: Backbone, tmp_path: Path) -> None:
    """Masks that mark more outside the region leave every figure as it is."""
    rows = rows_in(tmp_path)[:17]
    detector = Detector(backbone, SMALL, ROI).fit(NORMALS, DEFECTS[:3])
    before = evaluate_split(detector, rows)["methods"]
    for row in rows[12:]:
        assert row.mask is not None
        mask = images.read_mask(row.mask, None)
        mask[:, 44:] = True
        row.mask.write_bytes(images.encode_png(mask))
    assert evaluate_split(detector, rows)["methods"] == before


def test_detectors_of_other_regions_are_not_compared(
    backbone: Backbone, half: Detector, tmp_path: Path
) -> None:
    from exdd_core.evaluation import evaluate_methods

    plain = Detector(backbone, SMALL).fit(NORMALS)
    rows = rows_in(tmp_path)
    with pytest.raises(BadInput, match="region of interest"):
        evaluate_methods({"a": half, "b": plain}, rows)


def test_detectors_of_other_depths_are_compared_only_on_images_of_8_bits(
    backbone: Backbone, tmp_path: Path
) -> None:
    from exdd_core.evaluation import evaluate_methods

    plain = Detector(backbone, SMALL).fit(NORMALS)
    older = Detector(backbone, replace(SMALL, by_brightest=True)).fit(NORMALS)
    rows = rows_in(tmp_path)
    figures = evaluate_methods({"a": plain, "b": older}, rows)["methods"]
    assert figures["a"] == figures["b"]
    shallow = np.asarray(Image.open(rows[0].path).convert("L"))
    Image.fromarray(shallow.astype(np.uint16) << 4).save(rows[0].path)
    with pytest.raises(BadInput, match="bit depth"):
        evaluate_methods({"a": plain, "b": older}, rows)


# --- a workspace ------------------------------------------------------------------------------------------------


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A data set whose region of interest is its left half, and nothing built."""
    for i in range(12):
        place = tmp_path / "set" / "good" / f"{i}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(images.encode_png(texture(i)))
    for i in range(8):
        image, mask = spotted(1000 + i, RIGHT if i in (1, 2, 3) else LEFT)
        if i == 0:
            mask[...] = False
            mask[20, 6] = True  # far smaller than a patch
        for folder, pixels in (("defect", image), ("masks", mask)):
            place = tmp_path / "set" / folder / f"{i}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(images.encode_png(pixels))
    made = Workspace.create(tmp_path / "workspace", backbone="efficientnet_lite0")
    import_dataset(made, tmp_path / "set", size=SMALL.size)
    set_region(made, "set", ROI)
    return made


def test_a_bank_is_built_of_the_region_and_says_what_that_leaves_out(workspace: Workspace) -> None:
    bank = build_bank(workspace, negative_ratio=0.2)
    outside = [
        r.id for r in workspace.images("set", split="train", label="defect") if int(r.path.stem) in (1, 2, 3)
    ]
    small = [r.id for r in workspace.images("set", split="train", label="defect") if r.path.stem == "0"]
    assert outside and small, "the split has changed: let the test have one of each in training"
    assert (
        f"{outside[0]}" in bank.summary["note"] and "outside the region of interest" in bank.summary["note"]
    )
    assert "1 defect is smaller than a patch at 64x64: set/defect/0.png" in bank.summary["note"]
    detector = load_detector(workspace, bank.id)
    assert detector.positive is not None
    for rows in (detector.negative, detector.positive):
        assert INSIDE[tuple(rows.position.T)].all()
    assert not {image.id for image in detector.fitted.examples.defects.images} & set(outside)
    recalled = features_.defects(workspace, bank.id, detector)  # made again from the files
    for one in recalled:
        whole = np.asarray(one.features, np.float32).reshape(8, 8, -1)
        assert (whole[:, 5:] == whole[:, 4:5]).all()


def test_versions_of_other_regions_differ_in_a_setting(workspace: Workspace) -> None:
    build_bank(workspace, negative_ratio=0.2)
    set_region(workspace, "set", None)
    build_bank(workspace, negative_ratio=0.2)
    first, second = compare.compare(workspace, "v1", "v2").settings["region_of_interest"]
    assert first.startswith(f"{round(100 * ROI.mean())} % of an image (") and second == "all of an image"


def test_marks_and_measurements_keep_to_the_region(workspace: Workspace) -> None:
    build_bank(workspace, negative_ratio=0.2)
    test = [r for r in workspace.images("set", split="test") if r.label == "normal"]
    mask = np.zeros((SIDE, SIDE), bool)
    mask[20:36, 30:50] = True  # across the border
    curation.mark_missed(workspace, test[0].id, test[0].path, mask, "somebody", "spot")
    curation.mark_false_alarm(workspace, test[1].id, test[1].path, "somebody")
    detector = load_detector(workspace)
    assert (
        detector.positive is not None
        and knows(detector.fitted, test[0].id)
        and knows(detector.fitted, test[1].id)
    )
    examples = detector.fitted.examples
    for rows in (detector.negative, detector.positive, examples.defects, examples.normals):
        assert INSIDE[tuple(rows.position.T)].all()
    result = jobs.run_here(workspace, "evaluate", "", {"folds": 2})
    assert any("outside the region of interest" in sentence for sentence in result["notes"])
    again = build_bank(workspace, negative_ratio=0.2)  # with what was marked
    rows = load_detector(workspace, again.id).fitted.examples.defects
    assert INSIDE[tuple(rows.position.T)].all() and test[0].id in {image.id for image in rows.images}
