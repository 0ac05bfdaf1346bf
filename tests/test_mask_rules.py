"""One rule for all masks of a data set: labels, palettes and two greys are read, grey rims stay out."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image, ImageFilter

from exdd_core.errors import BadInput
from exdd_core.images import encode_jpeg, mask_values, take_mask
from exdd_core.mask_rules import USUAL, MaskRule, decide


def square(value: int, ground: int = 0, at: int = 10) -> np.ndarray:
    mask = np.full((64, 64), ground, np.uint8)
    mask[at : at + 20, at : at + 20] = value
    return mask


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


WANTED = square(1) == 1


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 255), (100, 200), (0, 128), (1, 2), (7, 9), (0, 40)])
def test_two_levels_whatever_they_are(low: int, high: int) -> None:
    rule = decide([square(high, low), np.full((64, 64), low, np.uint8)])
    assert np.array_equal(rule.marks(square(high, low)), WANTED)
    assert not rule.marks(np.full((64, 64), low, np.uint8)).any()


@pytest.mark.parametrize("labels", [(1, 2), (1, 2, 3, 4, 5), (85, 170, 255), (64, 255), (1, 255)])
def test_numbers_of_labels_are_all_defects(labels: tuple[int, ...]) -> None:
    masks = [square(label) for label in labels]
    rule = decide(masks)
    for mask in masks:
        assert np.array_equal(rule.marks(mask), WANTED)


def test_grey_rims_stay_out() -> None:
    """As in magnetic tile: 0 and 255 with whatever JPEG or a soft brush left between."""
    soft = np.asarray(Image.fromarray(square(255)).filter(ImageFilter.GaussianBlur(1.5)))
    stream = io.BytesIO()
    Image.fromarray(square(255)).save(stream, "JPEG", quality=30)
    rims = mask_values(stream.getvalue())
    for masks in ([soft], [rims], [soft, rims, square(255)]):
        assert decide(masks).above == USUAL
    stray = square(255)
    stray[60, 60] = 85  # two pixels of the real commutators are so
    assert decide([stray]).above == USUAL


@pytest.mark.parametrize("quality", [20, 50, 75, 90, 97])
def test_masks_saved_as_jpeg_are_no_labels(quality: int) -> None:
    """What JPEG leaves around an edge are few different greys when all masks are alike, and defects of no kind."""
    masks = [mask_values(encode_jpeg(square(255, at=10 + n), quality)) for n in range(2)]
    rule = decide(masks)
    assert rule.above == USUAL
    assert np.array_equal(rule.marks(masks[0]), WANTED)


def test_black_paint_on_a_transparent_layer_is_a_mask() -> None:
    layer = np.dstack([np.zeros((64, 64, 3), np.uint8), square(255)])
    assert np.array_equal(take_mask(png(Image.fromarray(layer)), (64, 64)), WANTED)
    layer[..., :3] = 255  # white paint always was
    assert np.array_equal(take_mask(png(Image.fromarray(layer)), (64, 64)), WANTED)


def test_one_rule_for_all() -> None:
    """A mask alone would tell otherwise: one of two labels, and one that is empty."""
    rule = decide([square(1), square(2), square(0)])
    assert rule.marks(square(1)).sum() == rule.marks(square(2)).sum() == 400
    assert decide([]) == MaskRule() and decide([square(0)]).above == USUAL


@pytest.mark.parametrize(
    ("palette", "wanted"),
    [
        ([0, 0, 0, 128, 0, 0, 0, 128, 0], "VOC's colours"),
        ([0, 0, 0] * 3, "no colours at all"),
        ([255, 255, 255, 255, 0, 0, 0, 0, 255], "white ground"),
        ([10, 10, 10, 20, 20, 20, 30, 30, 30], "three dark greys"),
    ],
)
def test_palettes_are_read_by_label(palette: list[int], wanted: str) -> None:
    numbers = square(1)
    numbers[40:50, 40:50] = 2
    image = Image.frombytes("P", (64, 64), numbers.tobytes())
    image.putpalette(palette)
    mask = take_mask(png(image), (64, 64))
    assert np.array_equal(mask, numbers > 0), wanted


def test_what_pascal_voc_calls_void_is_no_defect() -> None:
    numbers = square(1)
    numbers[:3] = 255
    palette = [0, 0, 0, 128, 0, 0, *[0] * 759, 224, 224, 192]
    image = Image.frombytes("P", (64, 64), numbers.tobytes())
    image.putpalette(palette)
    assert np.array_equal(take_mask(png(image), (64, 64)), square(1) > 0)
    image.putpalette([*palette[:765], 0, 0, 192])  # a class of another palette
    assert np.array_equal(take_mask(png(image), (64, 64)), numbers > 0)


def test_a_grey_palette_is_read_by_its_greys() -> None:
    image = Image.frombytes("P", (64, 64), (1 - square(1)).tobytes())
    image.putpalette([255, 255, 255, 0, 0, 0])  # 0 is white, and white is the defect
    assert np.array_equal(take_mask(png(image), (64, 64)), WANTED)


@pytest.mark.parametrize("ground", [(0, 0, 0), (255, 255, 255), (0, 0, 60)])
def test_colours_mark_a_defect_on_any_ground(ground: tuple[int, int, int]) -> None:
    pixels = np.full((64, 64, 3), ground, np.uint8)
    pixels[WANTED] = (60, 0, 0)
    assert np.array_equal(take_mask(png(Image.fromarray(pixels)), (64, 64)), WANTED)


def test_deep_masks(tmp_path: Path) -> None:
    for high in (1, 255, 4095, 65535):
        image = Image.fromarray(square(1).astype(np.uint16) * high)
        assert np.array_equal(take_mask(png(image), (64, 64)), WANTED)


@pytest.mark.parametrize("text", ["labels", "above:127", "above:3", "labels inverted", "above:127 inverted"])
def test_rules_are_written_as_they_are_read(text: str) -> None:
    rule = MaskRule.parse(text)
    assert str(rule) == text and rule.inverted == text.endswith("inverted")
    values = np.arange(256, dtype=np.uint8)[None]
    assert np.array_equal(
        MaskRule.parse(text.removesuffix(" inverted")).marks(values), rule.marks(values) != rule.inverted
    )


@pytest.mark.parametrize("text", ["", "white", "above:", "above:x", "inverted labels"])
def test_other_rules_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is not a valid mask rule"):
        MaskRule.parse(text)


@given(st.lists(st.lists(st.integers(0, 255), min_size=16, max_size=16), min_size=1, max_size=4))
def test_a_rule_never_marks_the_darkest_value_nor_leaves_out_the_brightest(rows: list[list[int]]) -> None:
    masks = [np.array(row, np.uint8).reshape(4, 4) for row in rows]
    low, high = min(map(np.min, masks)), max(map(np.max, masks))
    rule = decide(masks)
    if low < high:
        assert not rule.marks(np.array([[low]])).any() and rule.marks(np.array([[high]])).all()
