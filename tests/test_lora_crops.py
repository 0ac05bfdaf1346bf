"""The crops that a LoRA learns defects from: windows, masks, prompts, and what the seed decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from exdd_core.synthesis import lora_crops
from exdd_core.synthesis.lora_crops import Crop, Picture, Words, crops, pieces, symmetries, window

WORDS = Words("grey tile", "exdd")
STILL = ((False, 0),)


def picture(
    name: str, shape: tuple[int, int], box: tuple[int, int, int, int] | None, kind: str = ""
) -> Picture:
    pixels = np.full((*shape, 3), 100, np.uint8)
    mask = None
    if box:
        mask = np.zeros(shape, bool)
        mask[box[0] : box[2], box[1] : box[3]] = True
        pixels[mask] = 200
    return Picture(name, f"part of {name}", kind, lambda: (pixels, mask))


def made(each: int = 20, seed: int = 0, allowed: tuple[tuple[bool, int], ...] = STILL) -> list[Crop]:
    defects = [picture("a", (120, 200), (30, 40, 60, 70), "scratch"), picture("b", (90, 90), (5, 5, 25, 15))]
    normals = [picture("c", (100, 80), None), picture("d", (300, 300), None)]
    return list(crops(defects, normals, WORDS, 64, allowed, each, seed))


@given(st.data())
def test_a_window_lies_in_the_image_and_shows_the_defect(data: st.DataObject) -> None:
    height, width = (data.draw(st.integers(8, 400)) for _ in range(2))
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    bottom, right = data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width))
    y, x, side = window(
        (top, left, bottom, right), (height, width), np.random.default_rng(data.draw(st.integers(0)))
    )
    assert 0 <= y <= y + side <= height and 0 <= x <= x + side <= width
    assert side >= min(64, height, width) and side <= max(64, 3.75 * max(bottom - top, right - left) + 1)
    for first, end, start in ((top, bottom, y), (left, right, x)):
        inside = start <= first and end <= start + side
        assert inside if end - first <= side else first <= start and start + side <= end


def test_crops_hold_their_defect_and_three_in_ten_are_normal() -> None:
    found = made()
    normal = [crop for crop in found if not crop.defect]
    assert len(found) - len(normal) == 40 and len(normal) / len(found) == pytest.approx(0.3, abs=0.01)
    assert all(crop.pixels.shape == (64, 64, 3) and crop.mask.shape == (64, 64) for crop in found)
    assert all(
        crop.mask.any() and crop.pixels.dtype == np.uint8 and crop.mask.dtype == bool for crop in found
    )
    for crop in found:
        bright = crop.pixels[..., 0] > 150  # 200 and at least 0.9 of it; the surface is at most 110
        assert not (bright & ~crop.mask).any() if crop.defect else not bright.any()
        assert not crop.defect or bright.any()
    assert {crop.image for crop in normal} == {"c", "d"} and {crop.part for crop in normal} == {
        "part of c",
        "part of d",
    }
    shades = {int(crop.pixels[0, 0, 0]) for crop in normal}
    assert min(shades) >= 90 and max(shades) <= 110 and len(shades) > 5


def test_prompts_name_the_surface_and_the_type_and_one_in_ten_is_empty() -> None:
    found = made(each=200)
    said = {crop.prompt for crop in found if crop.image == "a"}
    assert said == {"grey tile with exdd scratch", ""}
    assert {crop.prompt for crop in found if crop.image == "b"} == {"grey tile with exdd defect", ""}
    assert {crop.prompt for crop in found if not crop.defect} == {"grey tile", ""}
    assert np.mean([crop.prompt == "" for crop in found]) == pytest.approx(0.1, abs=0.04)


def test_the_seed_decides_everything() -> None:
    first, again, other = made(2), made(2), made(2, seed=1)
    same = [
        np.array_equal(a.pixels, b.pixels) and np.array_equal(a.mask, b.mask)
        for a, b in zip(first, again, strict=True)
    ]
    assert all(same) and [crop.prompt for crop in first] == [crop.prompt for crop in again]
    assert any(not np.array_equal(a.pixels, b.pixels) for a, b in zip(first, other, strict=True))


def test_grain_is_never_turned() -> None:
    assert len(symmetries([None, None])) == 8
    assert set(symmetries([None, 90.0, 3.0])) == {(False, 0), (False, 2), (True, 0), (True, 2)}
    assert set(symmetries([45.0])) == {(False, 0), (False, 2)}
    lines = np.zeros((64, 64, 3), np.uint8)
    lines[::8] = 255
    mask = np.zeros((64, 64), bool)
    mask[20:30, 10:50] = True
    lined = Picture("lines", "p", "", lambda: (lines, mask))
    for crop in crops([lined], [], WORDS, 64, symmetries([0.0]), 12, 3):
        assert np.ptp(crop.pixels, axis=1).max() == 0  # each row is of one shade


def test_pieces_are_found_one_by_one_without_specks() -> None:
    mask = np.zeros((50, 60), bool)
    mask[5:10, 5:30] = mask[30:45, 40:50] = mask[48, 2] = True
    assert pieces(mask) == [(30, 40, 45, 50), (5, 5, 10, 30)]
    mask[:] = False
    assert pieces(mask) == []
    mask[48, 2] = True
    assert pieces(mask) == [(48, 2, 49, 3)]


def test_an_image_smaller_than_a_window_is_shown_whole() -> None:
    (crop, *_) = crops([picture("small", (20, 30), (4, 4, 9, 9))], [], WORDS, 32, STILL, 1, 0)
    assert crop.mask.any() and not crop.mask.all()
    assert lora_crops.LEAST_SIDE > 30
