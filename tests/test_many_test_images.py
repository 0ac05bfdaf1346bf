"""Measuring on many test images: masks in little memory, and no memory that grows with their pixels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.sparse import csr_array

from exdd_core.evaluation import masks as masks_module, resampling
from exdd_core.evaluation.masks import Counted, Masks
from exdd_core.evaluation.metrics import compute_metrics
from exdd_core.evaluation.part_curves import Curve, contributions
from exdd_core.images import Size
from exdd_core.region import Region

ROOT = Path(__file__).resolve().parents[1]
SIZE = Size(14, 12)


@pytest.mark.parametrize("in_memory", [0, 1 << 20])
@given(seed=st.integers(0, 1000))
@settings(max_examples=15)
def test_masks_give_back_what_was_written(in_memory: int, seed: int) -> None:
    rng, before = np.random.default_rng(seed), masks_module.IN_MEMORY
    wanted = rng.random((9, 12, 14)) < rng.random((9, 1, 1))
    wanted[may_not := rng.random(9) < 0.4] = False
    masks_module.IN_MEMORY = in_memory
    try:
        stored = Masks(SIZE, ~may_not)
    finally:
        masks_module.IN_MEMORY = before
    for number in np.flatnonzero(~may_not & (rng.random(9) < 0.8)).tolist():
        stored.write(number, wanted[number])
    wanted[~stored._marked] = False
    numbers = rng.integers(0, 9, 5)
    np.testing.assert_array_equal(np.stack(list(stored)), wanted)
    np.testing.assert_array_equal(np.stack(list(stored.take(numbers))), wanted[numbers])
    np.testing.assert_array_equal(np.stack(list(stored.take(numbers).take([3, 0]))), wanted[numbers[[3, 0]]])


def test_of_an_unknown_mask_no_pixel_counts_and_of_others_those_in_the_region() -> None:
    half = np.arange(14)[None] < 7
    region = Region(np.broadcast_to(half, (12, 14)).copy())
    known, shapes = np.array([True, False, True]), [(12, 14), (12, 14), (24, 28)]
    counted = np.stack(list(Counted(SIZE, shapes, known, region)))
    np.testing.assert_array_equal(counted[[0, 2]], np.broadcast_to(half, (2, 12, 14)))
    assert not counted[1].any()
    assert [one.all() for one in Counted(SIZE, [], known, None).take([2, 1])] == [True, False]


def test_the_border_of_a_letterbox_does_not_count() -> None:
    boxed, shapes = Size(14, 12, keep_aspect=True), [(6, 14), (12, 14), (12, 7)]
    wide, full, tall = Counted(boxed, shapes, np.ones(3, bool), None)
    assert full.all() and wide.sum() == 6 * 14 and wide[3:9].all() and tall.sum() == 12 * 7
    tall_again, none = Counted(boxed, shapes, np.array([True, False, True]), None).take([2, 1])
    assert np.array_equal(tall_again, tall) and not none.any()


def test_figures_of_stored_masks_are_those_of_arrays() -> None:
    rng = np.random.default_rng(0)
    masks = np.zeros((8, 12, 14), bool)
    masks[:4, 2:7, 3:9] = True
    maps = (masks + rng.normal(0, 1, masks.shape)).astype(np.float32)
    labels, scores, groups = np.arange(8) < 4, rng.normal(size=8), [f"p{i // 2}" for i in range(8)]
    known = np.array([True, True, False, *[True] * 5])
    stored, counted = Masks(SIZE, labels), Counted(SIZE, [], known, None)
    for number in range(4):
        stored.write(number, masks[number])
    whole = np.stack(list(counted))
    assert compute_metrics(scores, labels, maps, stored, counted) == compute_metrics(
        scores, labels, maps, masks, whole
    )
    one, other = (
        contributions(scores, labels, maps, marks, groups, pixels)
        for marks, pixels in ((stored, counted), (masks, whole))
    )
    assert (
        resampling.replicates([one], 20)["aupro"].tolist()
        == resampling.replicates([other], 20)["aupro"].tolist()
    )


def test_what_a_part_adds_by_hand() -> None:
    """Two parts, three images of four pixels, steps of 0.5: counts and shares of regions."""
    maps = np.array([[[4, 3, 2, 1]], [[4, 4, 1, 1]], [[3, 2, 2, 1]]], np.float32)
    masks = np.array([[[1, 1, 0, 0]], [[1, 0, 0, 1]], [[0, 0, 0, 0]]], bool)
    found = contributions(
        np.array([4.0, 4.0, 3.0]), np.array([True, True, False]), maps, masks, ["b", "b", "a"]
    )
    assert found.parts == ["a", "b"] and found.defective.tolist() == [False, True]
    assert found.images.positive.toarray().tolist() == [[0, 0], [2, 0]]
    assert found.images.negative.toarray().tolist() == [[0, 1], [0, 0]]
    pixels = found.pixels
    assert pixels.overlap is not None and pixels.regions is not None
    assert pixels.regions.tolist() == [0, 3]  # the second mask has two
    assert pixels.positive.toarray().sum(1).tolist() == [0, 4]
    assert pixels.negative.toarray().sum(1).tolist() == [4, 4]
    assert pixels.overlap.toarray().sum(1) == pytest.approx([0, 3])
    # Above 3.5 lie the pixels of 4: two on defects, worth half a region and a whole one, and one outside.
    four = np.cumsum(pixels.positive.toarray()[1]) == 2
    assert np.cumsum(pixels.overlap.toarray()[1])[four].min() == pytest.approx(1.5)
    assert np.cumsum(pixels.negative.toarray()[1])[four].min() == 1


def test_replicates_do_not_depend_on_how_many_are_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    dense = [rng.integers(0, 4, (12, 9)).astype(float) for _ in range(2)]
    sides = [csr_array(side) for side in (*dense, dense[0] / 3)]
    curve = Curve(sides[0], sides[1], sides[2], np.ones(12))
    drawn = resampling._draws(np.arange(12) < 6, 40, [0])
    whole = resampling._replicated(curve, drawn)
    labels, scores = np.arange(12) < 6, rng.normal(size=12).round(1)
    types, groups = ["a", "b"] * 6, [str(i) for i in range(12)]
    recalled = [resampling.recall(scores, labels, types, groups, rate, 40) for rate in (None, 0.2)]
    monkeypatch.setattr(resampling, "AT_ONCE", 30)
    for name, values in resampling._replicated(curve, drawn).items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-12)
    for rate, one in zip((None, 0.2), recalled, strict=True):
        again = resampling.recall(scores, labels, types, groups, rate, 40)
        np.testing.assert_array_equal(again.false_alarms, one.false_alarms)
        np.testing.assert_array_equal(again.defects, one.defects)
        np.testing.assert_array_equal(again.types["b"], one.types["b"])


MEASURE = """
from pathlib import Path
import numpy as np
from exdd_core.detector import Detector, Settings, backbones, patch_features
from exdd_core.detector.bank import BankImage
from exdd_core.detector.examples import PatchSet
from exdd_core.detector.patch_features import PatchFeatures
from exdd_core.evaluation import masks as masks_module, measure, metrics
from exdd_core.evaluation.account import account
from exdd_core.evaluation.masks import Counted, Masks
from exdd_core.evaluation.test_images import TestImages
from exdd_core.images import Size
from exdd_core.progress import Progress
from exdd_core.region import Region
from collections import namedtuple

grid, size = (16, 16), Size(512, 512)
patch_features.IN_MEMORY = masks_module.IN_MEMORY = measure.MAPS_IN_MEMORY = metrics.EXACT_PIXELS = 0
rng = np.random.default_rng(0)

def several(count, part):
    features, on_defect = PatchFeatures.room(count, (*grid, 152)), np.zeros((count, *grid), bool)
    on_defect[: count // 2, 4:8, 4:8] = True
    for number in range(count):
        features.write(number, rng.random((1, *grid, 152), np.float32) + 2 * on_defect[number][..., None])
    origins = [BankImage(f"{part}{i}", f"{part}{i}") for i in range(count)]
    return PatchSet(features, on_defect, origins)

def status(name):
    line = next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith(name))
    return int(line.split()[1]) * 1024

training = several(12, "training")
detector = Detector(backbones.load(), Settings(size=size, negative_ratio=0.02, fusion="ratio"))
detector.fit_patches(training.take(range(6, 12)), training.take(range(6)), None, ["ratio"])

def evaluate(count):
    patches, labels = several(count, "test"), np.arange(count) < count // 2
    masks, mask = Masks(size, labels), np.zeros((512, 512), bool)
    mask[128:256, 128:256] = True
    for number in np.flatnonzero(labels):
        masks.write(number, mask)
    counted = Counted(size, [(512, 512)] * count, np.ones(count, bool), Region(np.ones((512, 512), bool)))
    read, numbers = TestImages(patches, masks, labels, np.ones(count, bool), counted), list(range(count))
    row = namedtuple("Row", "id label group defect_type")
    rows = [row(i.id, "defect" if d else "normal", i.group, "") for i, d in zip(patches.images, labels)]
    found = measure.measure(detector, read, numbers, {"patchcore": "patchcore", "exdd": ""}, Progress())
    return account(rows, [numbers], {name: [one] for name, one in found.items()}, 0.05, Progress())

evaluate(8)
for count in (80, 160):
    Path("/proc/self/clear_refs").write_text("5")
    evaluate(count)
    print(status("VmHWM"))
"""


@pytest.mark.slow
def test_an_evaluation_holds_far_less_than_its_masks_and_maps() -> None:
    """40 KB an image are a seventh of its mask as bytes, and a fiftieth of its mask, pixels that count and two maps."""
    # Threads that allocate in arenas of their own, and pages of files that happen to be in memory, add some megabytes.
    alone = os.environ | {"MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"}
    given = [sys.executable, "-c", MEASURE]
    grown: list[int] = []
    while len(grown) < 3 and not (grown and min(grown) < 80 * 40e3):
        made = subprocess.run(given, cwd=ROOT, env=alone, capture_output=True, text=True, check=True)
        few, twice = map(int, made.stdout.split())
        grown.append(twice - few)
    assert min(grown) < 80 * 40e3, grown
