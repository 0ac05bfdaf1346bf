"""Many images: features on disk, a disk without room, a GPU whose memory is full, and what a build holds in memory."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from exdd_core.detector import (
    Detector,
    Settings,
    backbones,
    coreset_of_blocks as coreset_of_blocks_module,
    patch_features,
    patches,
)
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.coreset import CHUNK, covering_radius, greedy_coreset, project
from exdd_core.detector.coreset_of_blocks import coreset_of_blocks, project_blocks
from exdd_core.detector.examples import TrainingImage, Unmarked, patch_set
from exdd_core.detector.feature_cache import FeatureCache
from exdd_core.detector.held_out import sample
from exdd_core.detector.patch_features import PatchFeatures
from exdd_core.detector.unmarked import UnmarkedSample
from exdd_core.errors import BadInput, Cancelled
from exdd_core.evaluation.metrics import compute_metrics
from exdd_core.evaluation.part_curves import contributions
from exdd_core.files import SEAL
from exdd_core.images import Size, encode_png
from exdd_core.progress import Progress
from exdd_core.region import Region
from exdd_core.spill import RESERVE, Spill, require_room

ROOT = Path(__file__).resolve().parents[1]
SIZE = Size(64, 64)
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return backbones.load()


def training(normals: int, defects: int) -> tuple[list[TrainingImage], list[TrainingImage]]:
    """Noisy plates, and the same with a dark square and its mask."""
    rng, good, bad = np.random.default_rng(0), [], []
    for number in range(normals + defects):
        image = rng.integers(120, 150, (64, 64, 3), np.uint8)
        if number < normals:
            good.append(TrainingImage(f"good/{number}", image, f"g{number}"))
            continue
        mask = np.zeros((64, 64), bool)
        mask[16:40, 20 + number % 8 : 44] = True
        image[mask] //= 3
        bad.append(TrainingImage(f"bad/{number}", image, f"b{number}", mask, "dark"))
    return good, bad


def pixels(count: int) -> list[np.ndarray]:
    return [t.source for t in training(count, 0)[0] if isinstance(t.source, np.ndarray)]


def deleted_files() -> list[str]:
    """Open files of this process that have no name, such as those of `Spill`."""
    gc.collect()
    links = [Path(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
    return [
        str(os.readlink(link)) for link in links if link.is_symlink() and "(deleted)" in os.readlink(link)
    ]


# --- arrays on disk ---------------------------------------------------------------------------------------


def test_a_spill_gives_back_what_was_written(tmp_path: Path) -> None:
    arrays = np.random.default_rng(0).normal(size=(5, 3, 4)).astype(np.float32)
    spill = Spill(5, (3, 4), np.float32, tmp_path)
    spill.write(2, arrays[2:])
    spill.write(0, arrays[:2])
    assert not list(tmp_path.iterdir())  # it has no name, so nothing is left of it after a kill
    np.testing.assert_array_equal(np.stack(list(spill)), arrays)
    np.testing.assert_array_equal(np.stack(spill[1:4]), arrays[1:4])
    np.testing.assert_array_equal(spill[-1], arrays[-1])
    numbers = np.array([14, 0, 7])
    np.testing.assert_array_equal(spill.rows(numbers), arrays.reshape(15, 4)[numbers])
    with pytest.raises(IndexError):
        spill[5]


def test_a_disk_without_room_is_a_plain_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(20 << 30, 10 << 30, 10 << 30))
    require_room(tmp_path, 9 << 30, "The features of 2,085 images")
    with pytest.raises(BadInput) as refused:
        Spill(2_085, (28, 79, 1_536), np.float16, tmp_path, "The features of 2,085 images")
    assert str(refused.value) == (
        f"The features of 2,085 images need 14.2 GB on the disk of {tmp_path}, but only 10.2 GB is available; "
        "free some space, or use fewer or smaller images."
    )
    assert not list(tmp_path.iterdir())


def test_a_build_on_a_full_disk_ends_before_it_computes_all(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patch_features, "IN_MEMORY", 0)
    monkeypatch.setattr(patches, "LARGEST_BATCH", 2)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(1 << 30, 1 << 30, 0))
    progress = Progress()
    with pytest.raises(BadInput, match="The features of 10 images need .* but only 0.0 MB is available"):
        Detector(backbone, Settings(size=SIZE)).fit(*training(6, 4), progress)
    assert progress.done == 0 and progress.total == 10


# --- features on disk -------------------------------------------------------------------------------------


def test_selections_share_what_is_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch_features, "IN_MEMORY", 0)
    values = np.random.default_rng(0).normal(size=(4, 2, 3, 5)).astype(np.float32)
    features = PatchFeatures.room(4, values.shape[1:])
    features.write(0, values)
    half, some = values.astype(np.float16).astype(np.float32), features.take([3, 1])
    assert some.stored is features.stored and some.shape == (2, 2, 3, 5)
    np.testing.assert_array_equal(np.stack(some[:]), half[[3, 1]])
    image, row, column = np.array([1, 0, 1]), np.array([1, 0, 0]), np.array([2, 1, 0])
    np.testing.assert_array_equal(some.rows(image, row, column), half[[3, 1]][image, row, column])
    alone = some.copied()
    assert alone.stored is not features.stored and alone.shape == some.shape
    np.testing.assert_array_equal(np.stack(alone[:]), half[[3, 1]])


@pytest.mark.parametrize("region", [False, True])
def test_a_build_from_disk_is_one_from_memory(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch, region: bool
) -> None:
    roi = Region(np.hypot(*np.mgrid[-32:32, -32:32]) < 28) if region else None
    normals, defects = training(8, 4)
    in_memory = patch_set(backbone, [*normals, *defects], SIZE, region=roi)
    monkeypatch.setattr(patch_features, "IN_MEMORY", 0)
    on_disk = patch_set(backbone, [*normals, *defects], SIZE, region=roi)
    rounded = PatchFeatures(np.stack(in_memory.features[:]).astype(np.float16).astype(np.float32))
    fitted = []
    for several in (on_disk, replace(in_memory, features=rounded), in_memory):
        detector = Detector(backbone, Settings(size=SIZE, negative_ratio=0.1, fusion="ratio"), roi)
        fitted.append(detector.fit_patches(several.take(range(8)), several.take(range(8, 12)), fusions=()))
    seen = [image.source for image in (normals[0], defects[0])]
    spilled, same, exact = (one.score(seen) for one in fitted)
    for one, other, unrounded in zip(spilled, same, exact, strict=True):
        assert one.score == other.score
        np.testing.assert_array_equal(one.map, other.map)  # to the last bit
        # A rounded row is off by at most 2^-11 of its length, and so is a distance to it.
        off = 2**-11 * float(np.linalg.norm(fitted[2].negative.rows, axis=1).max())
        np.testing.assert_allclose(one.negative_distance, unrounded.negative_distance, rtol=0, atol=off)


def test_the_large_file_goes_when_the_build_has_ended(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(deleted_files())
    monkeypatch.setattr(patch_features, "IN_MEMORY", 0)
    monkeypatch.setattr("exdd_core.detector.fit.CALIBRATION_IMAGES", 3)
    detector = Detector(backbone, Settings(size=SIZE)).fit(*training(8, 3))
    held = detector.fitted.held.features
    assert held is not None and len(held) == 3
    assert len(deleted_files()) == before + 1  # that of the held-out images, which later changes need
    del held, detector
    assert len(deleted_files()) == before


def test_a_cancelled_build_leaves_no_file(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(deleted_files())
    monkeypatch.setattr(patch_features, "IN_MEMORY", 0)

    def stop(progress: Progress) -> None:
        if progress.stage == "Projecting patches" and progress.done == 2:
            assert len(deleted_files()) == before + 1
            progress.cancel()

    with pytest.raises(Cancelled):
        Detector(backbone, Settings(size=SIZE)).fit(*training(8, 3), Progress(stop))
    assert len(deleted_files()) == before


# --- streamed and in memory -------------------------------------------------------------------------------


@pytest.mark.parametrize("dimension", [20, 200])
def test_blocks_give_the_same_coreset_as_all_rows_together(dimension: int) -> None:
    rows = np.random.default_rng(0).normal(size=(CHUNK + 700, dimension)).astype(np.float32)
    blocks = np.split(rows, [1, 500, 9_000, 17_000])
    together = project(rows, 128, 3)
    assert torch.equal(project_blocks(iter(blocks), len(rows), dimension, 128, 3), together)
    found = coreset_of_blocks(iter(blocks), len(rows), dimension, 40, 3)
    np.testing.assert_array_equal(found, greedy_coreset(rows, 40, seed=3))


@pytest.mark.parametrize("dimension", [20, 200])
def test_more_rows_than_the_memory_holds_are_thinned_and_still_covered(
    dimension: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coreset_of_blocks_module, "MOST_ROWS", 3_000)
    monkeypatch.setattr(coreset_of_blocks_module, "THINNED_AT_ONCE", 1_000)
    rng = np.random.default_rng(0)
    middles = 3 * rng.normal(size=(50, dimension))
    rows = (middles[rng.integers(50, size=20_500)] + rng.normal(size=(20_500, dimension))).astype(np.float32)
    rows[12_345] += 40  # a single strange patch must not be lost
    told: list[tuple[str, int, int]] = []
    progress = Progress(lambda p: told.append((p.stage, p.done, p.total)))
    found = coreset_of_blocks(iter(np.array_split(rows, 7)), len(rows), dimension, 200, 1, progress)
    thinning = [(done, of) for stage, done, of in told if stage == "Thinning the patches"]
    assert thinning[0] == (0, 20_500) and thinning[-1] == (20_500, 20_500) and len(thinning) > 2
    assert len(set(found.tolist())) == 200 and 12_345 in found
    best = covering_radius(rows, rows[greedy_coreset(rows, 200, seed=1)])
    at_random = covering_radius(rows, rows[rng.permutation(len(rows))[:200]])
    assert covering_radius(rows, rows[found]) < 1.15 * best < at_random
    with pytest.raises(
        BadInput, match="3,001 of 20,500 patches would be kept, but a bank holds at most 3,000"
    ):
        coreset_of_blocks(iter([rows]), len(rows), dimension, 3_001)


def test_a_sample_of_unmarked_patches_does_not_depend_on_how_often_it_is_pruned() -> None:
    rng, none = np.random.default_rng(0), np.zeros((0, 3))
    everything = Bank(none[:, :3], none[:, 0], none[:, :2], [], none[:, :2])
    streamed = UnmarkedSample(25, 7, copy(everything))
    each = []
    for number in range(30):
        n = int(rng.integers(0, 12))
        rows, position = (
            rng.normal(size=(n, 3)).astype(np.float32),
            rng.integers(0, 9, (n, 2)).astype(np.int16),
        )
        around, stands = rng.normal(size=(n, 2)).astype(np.float32), rng.random(n).astype(np.float32)
        image = BankImage(f"image {number}", f"part {number}")
        streamed.add(image, Unmarked(rows, position, around, stands))
        everything.add(image, rows, position, around)
        each.append(stands)
    kept = sample(everything, 25, 7)
    found, stand_for = streamed.taken()
    wanted, counts = everything.take(kept), np.concatenate(each)
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_array_equal(found.image, wanted.image)
    np.testing.assert_array_equal(found.surroundings, wanted.surroundings)
    np.testing.assert_array_equal(stand_for, counts[kept] * (counts.sum() / max(1.0, counts[kept].sum())))


def test_of_too_many_patches_on_defects_every_image_gives_its_share(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, defects = training(0, 6)
    patches_of = patch_set(backbone, defects, SIZE)
    every = list(patches_of.marked())
    row = 4 * (backbone.dimension + every[0].surroundings.shape[1])
    monkeypatch.setattr("exdd_core.detector.examples.MOST_BYTES", row * sum(len(m.rows) for m in every) // 2)
    fewer = list(patches_of.marked())
    for one, whole in zip(fewer, every, strict=True):
        assert len(one.rows) == round(len(whole.rows) / 2)
        places = {tuple(place) for place in whole.position.tolist()}
        assert len({tuple(place) for place in one.position.tolist()} & places) == len(one.rows)
        assert one.unmarked is not None and len(one.unmarked.rows) == len(whole.unmarked.rows)


# --- a GPU whose memory is full ---------------------------------------------------------------------------


def test_a_full_gpu_halves_the_batch_and_goes_on(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = pixels(7)
    whole, real, asked = patches.extract(backbone, pictures, SIZE), patches.features, []

    def full(network: Backbone, batch: np.ndarray) -> np.ndarray:
        asked.append(len(batch))
        if len(batch) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return real(network, batch)

    monkeypatch.setattr(patches, "features", full)
    progress = Progress()
    found = patches.extract(backbone, pictures, SIZE, progress)
    assert asked == [7, 3, 1, 1, 1, 1, 1, 1, 1]
    assert progress.done == 7
    for one, same in zip(found, whole, strict=True):
        np.testing.assert_allclose(one, same, rtol=1e-4, atol=1e-5)


def test_a_gpu_too_small_for_one_image_is_a_plain_sentence(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(network: Backbone, batch: np.ndarray) -> np.ndarray:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(patches, "features", full)
    with pytest.raises(
        BadInput, match="The GPU does not have enough memory for one image at 64x64; close other"
    ):
        patches.extract(backbone, pixels(1), SIZE)


# --- pixel figures of many images -------------------------------------------------------------------------


@pytest.mark.parametrize("partly", [False, True])
def test_figures_of_many_pixels_are_those_of_few(monkeypatch: pytest.MonkeyPatch, partly: bool) -> None:
    rng = np.random.default_rng(0)
    masks = np.zeros((30, 60, 70), bool)
    for number in range(0, 30, 3):
        y, x = rng.integers(0, 40, 2)
        masks[number, y : y + rng.integers(3, 20), x : x + rng.integers(3, 30)] = True
    maps = (rng.normal(size=masks.shape) + 1.5 * masks).astype(np.float32)
    labels, scores = np.array([m.any() for m in masks]), maps.max((1, 2))
    counted = rng.random(masks.shape) < 0.7 if partly else None
    exact = compute_metrics(scores, labels, maps, masks, counted)
    spill = Spill(30, (60, 70), np.float32)
    for number, one in enumerate(maps):
        spill[number] = one
    on_disk = compute_metrics(scores, labels, spill, masks, counted)
    monkeypatch.setattr("exdd_core.evaluation.metrics.EXACT_PIXELS", 0)
    assert compute_metrics(scores, labels, maps, masks, counted) == on_disk
    for name, value in exact.items():
        assert on_disk[name] == pytest.approx(value, abs=5e-4)
    curves = [contributions(scores, labels, m, masks, ["a", "b", "c"] * 10, counted) for m in (maps, spill)]
    np.testing.assert_array_equal(curves[0].pixels.overlap.toarray(), curves[1].pixels.overlap.toarray())
    np.testing.assert_array_equal(curves[0].pixels.negative.toarray(), curves[1].pixels.negative.toarray())


# --- features that computations share ---------------------------------------------------------------------


def stored(cache: FeatureCache) -> int:
    return sum(file.stat().st_size for file in cache.folder.glob("*.npy"))


def test_features_are_computed_once(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, pictures = FeatureCache(tmp_path / "features", 1 << 30), pixels(3)
    (tmp_path / "image.png").write_bytes(encode_png(pictures[2]))
    computed, real = [], patches.features

    def count(network: Backbone, batch: np.ndarray) -> np.ndarray:
        computed.append(len(batch))
        return real(network, batch)

    monkeypatch.setattr(patches, "features", count)
    first = patches.extract(backbone, [*pictures[:2], tmp_path / "image.png"], SIZE, cache=cache)
    again = patches.extract(backbone, [tmp_path / "image.png", pictures[0]], SIZE, cache=cache)
    assert computed == [3]
    np.testing.assert_array_equal(again[0], first[2])  # to the last bit
    np.testing.assert_array_equal(again[1], first[0])
    (tmp_path / "image.png").write_bytes(encode_png(pictures[1]))  # another image under the same name
    other = patches.extract(backbone, [tmp_path / "image.png"], SIZE, cache=cache)
    assert computed == [3, 1]
    np.testing.assert_allclose(other[0], first[1], rtol=1e-3, atol=1e-4)


def test_features_depend_on_all_that_makes_them(backbone: Backbone, tmp_path: Path) -> None:
    image, half = np.zeros((64, 64, 3), np.uint8), np.arange(64)[:, None] < 32
    region = Region(np.broadcast_to(half, (64, 64)).copy())
    cache = FeatureCache(tmp_path, 1 << 30)
    keys = {
        cache.key(backbone, SIZE, None, image),
        cache.key(backbone, SIZE, region, image),
        cache.key(backbone, Size(64, 72), None, image),
        cache.key(backbone, Size(64, 64, keep_aspect=True), None, image),
        cache.key(replace(backbone, fingerprint="another"), SIZE, None, image),
        cache.key(backbone, SIZE, None, image[:, :32]),
        FeatureCache(tmp_path, 1 << 30, "12 bits").key(backbone, SIZE, None, image),
    }
    assert len(keys) == 7
    assert cache.key(backbone, SIZE, None, image.copy()) in keys


def test_files_that_cannot_be_read_never_share_features(backbone: Backbone, tmp_path: Path) -> None:
    cache, gone = FeatureCache(tmp_path / "features", 1 << 30), tmp_path / "gone.png"
    assert cache.key(backbone, SIZE, None, gone) != cache.key(backbone, SIZE, None, gone)
    (tmp_path / "folder.png").mkdir()
    assert len({cache.key(backbone, SIZE, None, tmp_path / "folder.png") for _ in range(2)}) == 2


def test_the_cache_keeps_below_its_cap_and_forgets_what_was_used_longest_ago(tmp_path: Path) -> None:
    one = np.zeros((4, 4, 64), np.float32)
    file = one.nbytes + 128 + len(SEAL) + 32  # with NumPy's header and the seal
    cache = FeatureCache(tmp_path / "features", 10 * file)
    for number in range(10):
        cache.put(f"{number}", one + number)
        os.utime(cache.folder / f"{number}.npy", (1_000 + number, 1_000 + number))
    cache.trim()
    assert stored(cache) == cache.cap
    assert cache.get("0") is not None  # which makes it the one that was used last
    for number in range(10, 13):
        cache.put(f"{number}", one + number)
    assert stored(cache) <= cache.cap
    left = {file.stem for file in cache.folder.iterdir()}
    assert {"0", "12"} < left and not left & {"1", "2", "3"}
    np.testing.assert_array_equal(cache.get("12"), one + 12)
    assert cache.get("1") is None


def test_a_set_that_would_fill_the_cache_is_not_stored(backbone: Backbone, tmp_path: Path) -> None:
    pictures = pixels(4)
    whole = 4 * 8 * 8 * backbone.dimension * 4
    for cap, files in ((2 * whole - 1, 0), (2 * whole, 4)):
        cache = FeatureCache(tmp_path / str(cap), cap)
        patches.extract(backbone, pictures, SIZE, cache=cache)
        assert len(list(cache.folder.glob("*.npy"))) == files


def test_damaged_and_unfinished_files_do_no_harm(backbone: Backbone, tmp_path: Path) -> None:
    pictures, cache = pixels(2), FeatureCache(tmp_path, 1 << 30)
    first = patches.extract(backbone, pictures, SIZE, cache=cache)
    for file, content in zip(
        sorted(tmp_path.glob("*.npy")), (b"", b"\x93NUMPY\x01\x00v\x00{'descr'"), strict=True
    ):
        file.write_bytes(content)
    (tmp_path / ".0badcafe.npy").write_bytes(b"half")  # of a process that was killed
    os.utime(tmp_path / ".0badcafe.npy", (1, 1))
    again = patches.extract(backbone, pictures, SIZE, cache=cache)
    np.testing.assert_array_equal(np.stack(again[:]), np.stack(first[:]))
    assert not (tmp_path / ".0badcafe.npy").exists()


def test_a_read_only_disk_makes_the_cache_useless_not_wrong(backbone: Backbone, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder can be here")
    cache = FeatureCache(tmp_path / "file" / "features", 1 << 30)
    cache.put("key", np.zeros((1, 1, 4), np.float32))
    assert cache.get("key") is None


def test_the_cache_leaves_room_on_a_disk_that_is_nearly_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, usage = np.zeros((1, 1, 4), np.float32), shutil.disk_usage(tmp_path)
    cache = FeatureCache(tmp_path, 1 << 30)
    for free, kept in ((RESERVE + one.nbytes - 1, False), (RESERVE + one.nbytes, True)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage._replace(free=free))
        cache.put("key", one)
        assert (cache.get("key") is not None) is kept


# --- what a process holds ---------------------------------------------------------------------------------

BUILD = """
import sys
from pathlib import Path
import numpy as np
from exdd_core.detector import Detector, Settings, backbones, patch_features
from exdd_core.detector.bank import BankImage
from exdd_core.detector.examples import PatchSet
from exdd_core.detector.patch_features import PatchFeatures
from exdd_core.images import Size

count, grid = int(sys.argv[1]), (32, 32)
patch_features.IN_MEMORY = 0
features, rng = PatchFeatures.room(count, (*grid, 152)), np.random.default_rng(0)
on_defect = np.zeros((count, *grid), bool)
on_defect[:4, 4:8, 4:8] = True
for number in range(count):
    features.write(number, rng.random((1, *grid, 152), np.float32) + 2 * on_defect[number][..., None])
several = PatchSet(features, on_defect, [BankImage(str(i), str(i)) for i in range(count)])

def status(name):
    line = next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith(name))
    return int(line.split()[1]) * 1024

settings = Settings(size=Size(256, 256), negative_ratio=0.0005, fusion="ratio")
detector = Detector(backbones.load(), settings)
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS")
detector.fit_patches(several.take(range(4, count)), several.take(range(4)), None, ["ratio"])
print(status("VmHWM") - before, detector.negative.rows.nbytes)
"""


@pytest.mark.slow
def test_a_build_holds_far_less_than_its_features() -> None:
    """1,000 images have 622 MB of features; only their projections, 524 MB, may grow with their number."""
    peaks = []
    for count in (500, 1_000):
        given = [sys.executable, "-c", BUILD, str(count)]
        made = subprocess.run(given, cwd=ROOT, capture_output=True, text=True, check=True)
        peaks.append(int(made.stdout.split()[0]))
    projections, features = 500 * 1_024 * 128 * 4, 500 * 1_024 * 152 * 4
    assert peaks[1] - peaks[0] < 1.15 * projections  # nothing else grows
    assert peaks[0] < projections + 350e6 < projections + 2 * features
