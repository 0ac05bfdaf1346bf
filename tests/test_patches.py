"""Patch features: the 3x3 average, the join of two levels, and the way from images to an array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings, strategies as st
from torch import nn

from exdd_core import images
from exdd_core.detector import patch_features, patch_network, patches
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.examples import EMPTY, OUTSIDE, SMALL, TrainingImage, defect_patches, patch_set
from exdd_core.errors import BadInput, Cancelled
from exdd_core.images import Size
from exdd_core.progress import Progress
from exdd_core.region import Region, covered


class Means(nn.Module):
    """A network whose maps can be told by hand: mean colour of every 8 x 8 square, and red of every 16 x 16."""

    def forward(self, batch: torch.Tensor) -> list[torch.Tensor]:
        return [F.avg_pool2d(batch, 8), F.avg_pool2d(batch[:, :1], 16)]


MEANS = Backbone("means", ("a", "b"), 4, "none", "0", torch.device("cpu"), Means(), (0.0,) * 3, (1.0,) * 3)


def picture(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


# --- Eq. 2-3 --------------------------------------------------------------------------------------------


def test_average_counts_nine_positions_and_zero_outside_the_map() -> None:
    values = torch.arange(1.0, 10).reshape(1, 1, 3, 3)  # 1 2 3 / 4 5 6 / 7 8 9
    averaged = patch_network.neighbourhood_average(values)[0, 0]
    assert averaged.shape == (3, 3)
    assert averaged[1, 1] == pytest.approx(45 / 9)  # all nine
    assert averaged[0, 0] == pytest.approx((1 + 2 + 4 + 5) / 9)  # five of the nine lie outside
    assert averaged[0, 1] == pytest.approx((1 + 2 + 3 + 4 + 5 + 6) / 9)
    assert averaged[2, 1] == pytest.approx((4 + 5 + 6 + 7 + 8 + 9) / 9)


def test_average_keeps_channels_and_images_apart() -> None:
    values = torch.zeros(2, 2, 3, 3)
    values[1, 0, 1, 1] = 9
    averaged = patch_network.neighbourhood_average(values)
    assert torch.equal(averaged[1, 0], torch.ones(3, 3))
    assert not averaged[0].any() and not averaged[1, 1].any()


# --- Eq. 4 ----------------------------------------------------------------------------------------------


def test_deeper_map_is_averaged_then_upsampled_bilinearly() -> None:
    shallow = torch.zeros(1, 1, 2, 8)
    deep = torch.tensor([[[[9.0, 0, 0, 18]]]])
    # Averages (one row, so three of the nine at most): (9+0)/9 = 1, (9+0+0)/9 = 1, (0+0+18)/9 = 2, (0+18)/9 = 2.
    # Twice as wide, column c looks at (c + 1/2) / 2 - 1/2 = -1/4, 1/4, 3/4, 5/4, 7/4, 9/4, 11/4, 13/4, held inside
    # 0..3: between positions 1 and 2, 5/4 is a quarter of the way from 1 to 2 and 7/4 three quarters.
    joined = patch_network.concatenate([shallow, deep])
    assert joined.shape == (1, 2, 2, 8)
    expected = torch.tensor([1, 1, 1, 1.25, 1.75, 2, 2, 2])
    assert torch.allclose(joined[0, 1], expected.expand(2, 8))  # one row becomes two alike


def test_one_by_two_becomes_two_by_four() -> None:
    # 9 and 18 average to (9 + 18) / 9 = 3 at both positions. Upsampled first, 9 11.25 15.75 18 in two rows, the
    # corner's average would be 2 * (9 + 11.25) / 9 = 4.5.
    joined = patch_network.concatenate([torch.zeros(1, 1, 2, 4), torch.tensor([[[[9.0, 18]]]])])
    assert torch.allclose(joined[0, 1], torch.full((2, 4), 3.0))


def test_shallow_channels_come_first() -> None:
    # 3x3 averages of a single position in the middle of zeros: a ninth of it.
    shallow = torch.tensor([9.0, 18]).reshape(1, 2, 1, 1)
    deep = torch.tensor([27.0, 36, 45]).reshape(1, 3, 1, 1)
    assert patch_network.concatenate([shallow, deep]).flatten().tolist() == pytest.approx([1, 2, 3, 4, 5])


def test_features_have_one_vector_per_patch() -> None:
    image = np.zeros((32, 48, 3), np.uint8)
    image[8:16, 16:24] = (255, 0, 51)  # patch (1, 2), all of it
    found = patches.features(MEANS, image[None])
    assert found.shape == (1, 4, 6, 4) and found.dtype == np.float32
    # Red 1, blue 51 / 255 = 0.2, an average over nine squares of which one counts.
    assert found[0, 1, 2, :3] == pytest.approx([1 / 9, 0, 0.2 / 9])
    assert found[0, 2, 3, :3] == pytest.approx([1 / 9, 0, 0.2 / 9])  # the diagonal neighbour shares it
    assert not found[0, 3, :, :3].any()  # two rows below: none of it


# --- images to an array ---------------------------------------------------------------------------------


def test_extract_keeps_the_order_over_several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    size = Size(32, 32)
    pictures = [picture(32, 32, seed) for seed in range(5)]
    monkeypatch.setattr(patches, "LARGEST_BATCH", 2)  # batches of two, two and one
    together = patches.extract(MEANS, pictures, size)
    assert together.shape == (5, 4, 4, 4) and together[0].dtype == np.float32
    for one, image in zip(together, pictures, strict=True):
        np.testing.assert_allclose(one, patches.features(MEANS, image[None])[0], rtol=1e-6)


def test_extract_reads_files_and_fits_them_to_the_size(tmp_path: Path) -> None:
    size, image = Size(64, 32), picture(50, 71, 0)
    (tmp_path / "image.png").write_bytes(images.encode_png(image))
    from_array, from_path, from_text = patches.extract(
        MEANS, [image, tmp_path / "image.png", str(tmp_path / "image.png")], size
    )
    fitted = images.resize_image(image, size)
    np.testing.assert_allclose(from_array, patches.features(MEANS, fitted[None])[0], rtol=1e-6)
    assert from_array.shape == (4, 8, 4)
    assert np.array_equal(from_array, from_path) and np.array_equal(from_array, from_text)


def test_batches_fit_into_the_memory_that_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    features = patches.features

    def count(backbone: Backbone, batch: np.ndarray) -> np.ndarray:
        batches.append(len(batch))
        return features(backbone, batch)

    monkeypatch.setattr(patches, "features", count)
    monkeypatch.setattr(patches, "BATCH_SHARE", 0.5)
    for images_worth, expected in ((0, [1] * 5), (2, [1] * 5), (6.1, [3, 2]), (100, [5])):
        room = int(images_worth * 32 * 32 * patches.BYTES_PER_PIXEL)
        monkeypatch.setattr(patches, "_free_memory", lambda device, room=room: room)
        patches.extract(MEANS, [picture(32, 32, 0)] * 5, Size(32, 32))
        assert batches == expected
        batches.clear()


def test_extract_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "LARGEST_BATCH", 1)  # one image at a time
    seen: list[tuple[str, int, int]] = []
    progress = Progress(lambda p: seen.append((p.stage, p.done, p.total)))
    patches.extract(MEANS, [picture(32, 32, 0)] * 3, Size(32, 32), progress)
    assert seen == [("Computing features", done, 3) for done in range(4)]


def test_extract_stops_when_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "LARGEST_BATCH", 1)

    def stop(progress: Progress) -> None:
        if progress.done == 1:
            progress.cancel()

    with pytest.raises(Cancelled):
        patches.extract(MEANS, [picture(32, 32, 0)] * 3, Size(32, 32), Progress(stop))


def test_features_of_many_images_lie_on_disk_at_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [picture(32, 32, seed) for seed in range(3)]
    in_memory = patches.extract(MEANS, pictures, Size(32, 32))
    monkeypatch.setattr(patch_features, "IN_MEMORY", 3 * 4 * 4 * 4 * 4 - 1)
    stages: list[str] = []
    on_disk = patches.extract(MEANS, pictures, Size(32, 32), Progress(lambda p: stages.append(p.stage)))
    assert on_disk.bytes_on_disk == 3 * 4 * 4 * 4 * 2 and not in_memory.bytes_on_disk
    assert stages[-1] == "Computing features (0.0 MB on disk)"
    for one, half in zip(in_memory, on_disk, strict=True):
        assert half.dtype == np.float32
        np.testing.assert_allclose(half, one, rtol=2**-11, atol=3e-8)
        np.testing.assert_array_equal(half, one.astype(np.float16))


def test_extract_of_no_images_is_empty() -> None:
    assert patches.extract(MEANS, [], Size(32, 32)).shape == (0, 0, 0, 4)


def test_extract_says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="gone.png does not exist"):
        patches.extract(MEANS, [tmp_path / "gone.png"], Size(32, 32))


# --- masks on the patch grid ----------------------------------------------------------------------------


def test_covered_is_the_share_of_each_patch() -> None:
    mask = np.zeros((16, 24), bool)
    mask[2:8, 4:10] = True
    # Patches of 8 x 8. The first holds rows 2-7 and columns 4-7: 6 * 4 / 64. The one right of it columns 8-9: 12 / 64.
    expected = np.array([[24 / 64, 12 / 64, 0], [0, 0, 0]])
    share = covered(mask, (2, 3))
    assert share.dtype == np.float32
    np.testing.assert_allclose(share, expected)


def test_covered_reaches_one_and_works_where_patches_do_not_divide_the_size() -> None:
    assert np.array_equal(covered(np.ones((60, 100), bool), (8, 13)), np.ones((8, 13), np.float32))
    mask = np.zeros((60, 100), bool)
    mask[59, 99] = True
    assert np.argwhere(covered(mask, (8, 13))).tolist() == [[7, 12]]


def test_covered_takes_shares_of_pixels() -> None:
    share = np.zeros((16, 16), np.float32)
    share[:8, :8], share[8:, 8:] = 0.25, 0.75
    np.testing.assert_allclose(covered(share, (2, 2)), [[0.25, 0], [0, 0.75]])


# --- which patches lie on a defect ------------------------------------------------------------------------


def test_a_patch_lies_on_a_defect_that_covers_half_of_it() -> None:
    mask = np.zeros((32, 32), bool)
    mask[:, :4] = True  # exactly half of the first column of patches
    mask[:8, 16:19] = True  # three eighths of another, but a region of its own, which keeps its only patch
    expected = np.zeros((4, 4), bool)
    expected[:, 0] = expected[0, 2] = True
    assert np.array_equal(defect_patches(mask, Size(32, 32), (4, 4)), expected)
    mask[:8, 8:16] = True  # now it is part of a larger one, of which all of a patch is marked
    expected[0, 1], expected[0, 2] = True, False
    assert np.array_equal(defect_patches(mask, Size(32, 32), (4, 4)), expected)


def test_the_share_is_that_of_the_mask_itself_and_not_of_its_pixels_at_the_models_size() -> None:
    # At half the size a pixel is 2 x 2 of the mask. Three of the four are marked in five of eight rows of the first
    # patch: 15/32 of it, though five eighths of its pixels are set. The patch right of it is marked wholly.
    mask = np.zeros((64, 64), bool)
    mask[:10, :16] = True
    mask[1:10:2, 1:16:2] = False
    mask[:16, 16:32] = True
    assert covered(images.resize_mask(mask, Size(32, 32)), (4, 4))[0, 0] == 5 / 8
    assert np.argwhere(defect_patches(mask, Size(32, 32), (4, 4))).tolist() == [[0, 1]]


def test_of_a_small_defect_the_most_covered_patch_is_left() -> None:
    mask = np.zeros((256, 256), bool)
    mask[10, 60:70] = True  # at a quarter of the size patches are 32 wide: 4 pixels in one, 6 in the next
    assert np.argwhere(defect_patches(mask, Size(64, 64), (8, 8))).tolist() == [[0, 2]]
    mask[200, 100] = True  # a speck elsewhere is kept as well
    assert np.argwhere(defect_patches(mask, Size(64, 64), (8, 8))).tolist() == [[0, 2], [6, 3]]


@settings(max_examples=60)
@given(
    shape=st.sampled_from([(1024, 1024), (160, 6000), (700, 300), (40, 50)]),
    box=st.tuples(*[st.floats(0, 1)] * 2, st.integers(1, 3), st.integers(1, 400)),
    turned=st.booleans(),
    keep_aspect=st.booleans(),
)
def test_no_scratch_is_lost_wherever_it_lies(
    shape: tuple[int, int], box: tuple[float, float, int, int], turned: bool, keep_aspect: bool
) -> None:
    """It keeps a patch and pixels, and these lie where it is."""
    size = Size(256, 256, keep_aspect)
    height, width = box[2:] if not turned else box[2:][::-1]
    y, x = (int(share * (length - 1)) for share, length in zip(box[:2], shape, strict=True))
    mask = np.zeros(shape, bool)
    mask[y : y + height, x : x + width] = True
    on, pixels = defect_patches(mask, size, (32, 32)), images.resize_mask(mask, size)
    assert on.any() and pixels.any()
    share = images.mask_share(mask, size)
    assert (share[pixels] > 0).all() and share[pixels].max() == share.max()
    shares = covered(share, (32, 32))
    assert (shares[on] > 0).all() and on[shares >= 0.5 + 1e-6].all()
    assert shares[on].max() == pytest.approx(shares.max(), abs=1e-6)


def test_every_region_of_many_keeps_its_own() -> None:
    mask = np.zeros((1024, 1024), bool)
    mask[100:400, 100:400] = True
    specks = [(20 + 64 * i, 980 - 96 * j) for i in range(15) for j in range(3)]
    for y, x in specks:
        mask[y, x] = True
    on = defect_patches(mask, Size(256, 256), (32, 32))
    pixels = images.resize_mask(mask, Size(256, 256))
    for y, x in specks:
        assert on[y // 32, x // 32] and pixels[y // 4, x // 4]


def test_what_is_wrong_with_masks_is_known_of_each_image() -> None:
    region = Region(np.tile(np.arange(64) < 32, (64, 1)))
    masks = {name: np.zeros((64, 64), bool) for name in ("nothing", "right", "speck", "large")}
    masks["right"][:, 40:], masks["speck"][3, 3], masks["large"][:32, :32] = True, True, True
    training = [TrainingImage(name, picture(64, 64, 0), name, mask) for name, mask in masks.items()]
    found = patch_set(MEANS, training, Size(64, 64), region=region)
    assert found.mask_faults == {"nothing": EMPTY, "right": OUTSIDE, "speck": SMALL}
    assert found.take([1, 3]).mask_faults == {"right": OUTSIDE}
    assert [int(on.sum()) for on in found.on_defect] == [0, 0, 1, 16]
    assert found.inside is not None and found.inside[:, :, :4].all() and not found.inside[:, :, 4:].any()
    plain = patch_set(MEANS, training, Size(64, 64))
    assert plain.inside is None and plain.mask_faults == {"nothing": EMPTY, "speck": SMALL}
