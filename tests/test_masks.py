"""Masks: every shape at every slider, borrowed masks found again, the editor's way there and back, the part."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from hypothesis.extra import numpy as arrays

from exdd_core.errors import BadInput
from exdd_core.images import read_image, read_mask
from exdd_core.synthesis import foreground, mask_geometry, mask_layers, mask_shapes, mask_spec, masks, placing
from exdd_core.synthesis.mask_spec import MaskSpec

SHAPES = st.tuples(st.integers(16, 90), st.integers(16, 90))
ANY_MASK = SHAPES.flatmap(lambda shape: arrays.arrays(bool, shape))


def plain(height: int = 120, width: int = 160) -> np.ndarray:
    """A surface that fills its image."""
    rng = np.random.default_rng(0)
    return np.clip(rng.normal(120, 12, (height, width, 1)).repeat(3, 2), 0, 255).astype(np.uint8)


def on_white(height: int = 160, width: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """A round part before a white background, and where it is."""
    image = plain(height, width)
    part = np.zeros((height, width), np.uint8)
    cv2.circle(part, (width // 2, height // 2), height // 3, 1, -1)
    image[part == 0] = 245
    return image, part > 0


def slider(name: str) -> st.SearchStrategy:
    control = mask_spec.CONTROLS[name]
    if control.kind == "integer":
        return st.integers(int(control.minimum or 0), int(control.maximum or 0))
    return st.floats(control.minimum, control.maximum)


GENERATED = st.builds(
    MaskSpec,
    source=st.just("generated"),
    shape=st.sampled_from(mask_spec.SHAPES),
    **{name: slider(name) for name in mask_spec.GENERATED},
)


# --- specs --------------------------------------------------------------------------------------------


@given(GENERATED)
def test_a_spec_survives_json(spec: MaskSpec) -> None:
    assert MaskSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"source": "copied"}, "copied"),
        ({"shape": "dragon"}, "dragon"),
        ({"length": 0}, "1 to 100"),
        ({"length": float("nan")}, "1 to 100"),
        ({"count": 2.5}, "whole number"),
        ({"scale": "big"}, "0.1 to 4"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_a_spec_cannot_be_is_said_in_a_sentence(values: dict, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        MaskSpec.from_json(values)


def test_a_spec_without_its_mask_is_a_sentence() -> None:
    for spec in (MaskSpec("drawn"), MaskSpec("real", vary=True)):
        with pytest.raises(BadInput, match="draw one"):
            masks.realise(spec, plain(), 0, None)
        with pytest.raises(BadInput, match="empty"):
            masks.realise(spec, plain(), 0, np.zeros((20, 20), bool))


# --- generated ----------------------------------------------------------------------------------------


@given(GENERATED, SHAPES)
@settings(max_examples=100)
def test_every_shape_at_every_slider_is_a_mask(spec: MaskSpec, shape: tuple[int, int]) -> None:
    mask = mask_shapes.generate(spec, shape)
    assert mask.shape == shape and mask.dtype == bool and mask.any()
    assert np.array_equal(mask, mask_shapes.generate(spec, shape))


@pytest.mark.parametrize("shape", [shape for shape in mask_spec.SHAPES if shape != mask_spec.ANY])
def test_sliders_mean_what_they_say(shape: str) -> None:
    values = {control.name: control.default for control in mask_spec.controls("generated", shape)}
    changed = {"irregularity": 0.0, "angle": 0.0, "length": 40.0}
    base = MaskSpec.from_json({"source": "generated", "shape": shape, **values, **changed})
    mask = mask_shapes.generate(base, (200, 300))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    assert abs(len(columns) - 80) <= 4  # 40 % of 200
    assert abs(len(rows) - max(1, base.width * 2)) <= 3
    upright = mask_shapes.generate(replace(base, angle=90.0), (200, 300))
    assert abs(upright.any(1).sum() - 80) <= 4
    assert mask_shapes.generate(replace(base, count=6, seed=3), (200, 300)).sum() > mask.sum()
    ragged = replace(base, irregularity=0.8)
    assert not np.array_equal(
        mask_shapes.generate(ragged, (200, 300)), mask_shapes.generate(replace(ragged, seed=1), (200, 300))
    )


def test_any_shape_is_from_a_pit_to_a_field_and_cut_off_by_edges() -> None:
    """Its seed decides all but the place, and no size is rare."""
    names = [control.name for control in mask_spec.controls("generated", mask_spec.ANY)]
    assert names == ["count", "x", "y", "seed"]
    spec, image = MaskSpec.from_json(mask_spec.varied(mask_spec.ANY)), plain(160, 160)
    made = [masks.realise(spec, image, seed) for seed in range(60)]
    shares = np.sort([mask.mean() for mask in made])
    assert shares[0] < 0.002 and shares[-1] > 0.15 and 0.003 < np.median(shares) < 0.05
    cut = [mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any() for mask in made]
    assert 10 < sum(cut) < 50
    small, part = on_white()  # where a field could cover the whole part, and then be refused
    for seed in range(30):
        mask = masks.realise(spec, small, seed)
        masks.check(mask, small)
        assert not (mask & ~cv2.dilate(part.astype(np.uint8), np.ones((5, 5))).astype(bool)).any()
    still = replace(spec, vary=False)
    assert len({masks.realise(replace(still, seed=seed), image, 0).tobytes() for seed in range(9)}) == 9


def test_a_quarter_turn_is_clockwise() -> None:
    spec = MaskSpec("generated", shape="scratch", length=60, width=2, irregularity=0, angle=30)
    rows, columns = np.nonzero(mask_shapes.generate(spec, (200, 200)))
    assert np.corrcoef(rows, columns)[0, 1] > 0.9  # falls to the right: rows count downwards
    corner = np.zeros((21, 21), bool)
    corner[0, :] = corner[:, 0] = True  # along the top and the left
    turned = placing.place(corner, (21, 21), angle=90)
    assert turned[0].all() and turned[:, -1].all() and turned.sum() == corner.sum()


# --- borrowed -----------------------------------------------------------------------------------------


@given(ANY_MASK)
def test_a_borrowed_mask_at_its_own_place_is_itself(mask: np.ndarray) -> None:
    x, y = placing.centre(mask)
    assert np.array_equal(placing.place(mask, mask.shape, x, y), mask)


@given(
    ANY_MASK, st.booleans(), st.sampled_from([0, 90, 180, -90]), st.integers(-30, 30), st.integers(-30, 30)
)
def test_moved_flipped_and_turned_by_right_angles_every_pixel_is_found_again(
    mask: np.ndarray, flip: bool, angle: int, right: int, down: int
) -> None:
    shape = (240, 260)  # another size, with room all around
    placed = placing.place(mask, shape, (130 + right) / 260, (120 + down) / 240, angle, 1.0, flip)
    expected = np.rot90(mask[:, ::-1] if flip else mask, -angle // 90)
    if not mask.any():
        assert not placed.any()
        return
    top, bottom, left, right = mask_geometry.bounds(placed)
    rows, columns = np.nonzero(expected)
    tight = expected[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert np.array_equal(placed[top:bottom, left:right], tight)


@given(ANY_MASK, slider("angle"), slider("scale"), st.booleans(), slider("x"), slider("y"))
@example(np.ones((1, 1), bool), 1.0, 1.0, False, 0.0, 0.0)  # a single pixel between four
@settings(max_examples=100)
def test_a_borrowed_mask_grows_with_its_scale_and_is_cut_at_the_edge(
    mask: np.ndarray, angle: float, scale: float, flip: bool, x: float, y: float
) -> None:
    placed = placing.place(mask, (100, 80), x, y, angle, scale, flip)
    assert placed.shape == (100, 80)
    assert placed.sum() <= mask.sum() * max(1, scale + 1.5) ** 2 + 1
    inside = placing.place(mask, (800, 800), 0.5, 0.5, angle, scale, flip)
    assert inside.any() == mask.any()  # a hairline does not fall between the pixels


def test_a_shrunken_hairline_stays_whole() -> None:
    mask = np.zeros((200, 200), bool)
    mask[100, 20:180] = True
    placed = placing.place(mask, (200, 200), scale=0.23, angle=17)
    pieces, _ = cv2.connectedComponents(placed.astype(np.uint8))
    assert pieces == 2 and placed.any(0).sum() >= 0.23 * 160 * 0.9


# --- different each time ------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["generated", "real", "drawn"])
def test_a_varied_mask_differs_each_time_and_lies_on_the_part(source: str) -> None:
    image, part = on_white()
    lender = np.zeros((160, 200), bool)
    lender[70:76, 60:100] = True
    spec = MaskSpec(source, vary=True)
    made = [masks.realise(spec, image, seed, lender) for seed in range(12)]
    grown = cv2.dilate(part.astype(np.uint8), np.ones((3, 3))) > 0  # the background is told to within a pixel
    for mask in made:
        assert mask.any() and not (mask & ~grown).any()
        masks.check(mask, image)
    assert len({mask.tobytes() for mask in made}) == len(made)
    assert np.array_equal(made[3], masks.realise(spec, image, 3, lender))


@given(GENERATED, st.integers(0, 2**40))
@settings(max_examples=15)
def test_varied_shapes_are_never_empty(spec: MaskSpec, seed: int) -> None:
    image, _ = on_white(90, 110)
    mask = masks.realise(replace(spec, vary=True), image, seed)
    assert mask.any() and not (mask & ~foreground.foreground(image)).any()


@pytest.mark.parametrize("edge", range(4))
def test_a_mask_cut_off_by_an_edge_lies_at_that_edge_again(edge: int) -> None:
    lender = np.zeros((120, 90), bool)
    cv2.line(view := lender.astype(np.uint8), (50, 60), (89, 66), 1, 5)
    lender = np.ascontiguousarray(np.rot90(view > 0, edge))
    for seed in range(8):
        mask = masks.realise(MaskSpec("real", vary=True), plain(150, 140), seed, lender)
        assert np.rot90(mask, -edge)[:, -1].any()
        assert 0.3 < mask.sum() / lender.sum() < 2.5
        pieces, _ = cv2.connectedComponents(mask.astype(np.uint8))
        assert pieces == 2


def test_a_field_that_several_edges_cut_off_lies_in_its_corner_again() -> None:
    corner = np.zeros((100, 140), bool)
    corner[:40, :60] = True
    band = np.zeros((100, 140), bool)
    band[70:] = True
    made = []
    for seed in range(8):
        image = plain(150, 130)
        mask = masks.realise(MaskSpec("real", vary=True), image, seed, corner)
        left, right = mask[0, 0], mask[0, -1]
        assert left != right and mask[:, 0 if left else -1].any()
        assert not mask[-1].any() and 0.4 < mask.mean() / corner.mean() < 2.1
        across = masks.realise(MaskSpec("real", vary=True), image, seed, band)
        assert across[-1].all() and not across[0].any()
        made += [mask.tobytes(), across.tobytes()]
    assert len(set(made)) >= 12  # a straight band differs by its height alone


# --- the part -----------------------------------------------------------------------------------------


def test_the_background_is_what_is_even_and_reaches_the_border() -> None:
    image, part = on_white()
    assert (foreground.foreground(image) == part).mean() > 0.97
    assert foreground.foreground(plain()).all()
    shaded = plain(200, 300)
    shaded[:] = np.clip(shaded * np.linspace(0.15, 1.2, 300)[None, :, None], 0, 255)
    assert foreground.foreground(shaded).all()  # dark on one side, but there is no step
    assert foreground.foreground(np.full((64, 64, 3), 200, np.uint8)).all()
    for level in (250, 0):  # a strip next to the part, whether the part is rough or even
        for strip in (plain(140, 180), np.full((140, 180, 3), 120, np.uint8)):
            strip[:, :50] = level
            found = foreground.foreground(strip)
            assert not found[:, :48].any() and found[:, 52:].all()


def test_the_parts_of_real_images_are_found(real_data: Path) -> None:
    tiles = sorted((real_data / "magnetic_tile" / "MT_Free" / "Imgs").glob("*.jpg"))[::25]
    whole = [foreground.foreground(read_image(path)).mean() for path in tiles]
    assert min(whole) > 0.8 and np.median(whole) > 0.97
    parts = sorted((real_data / "kolektor_sdd").glob("kos*/Part?.jpg"))[::10]
    assert min(foreground.foreground(read_image(path)).mean() for path in parts) > 0.95


def test_every_real_defect_may_be_painted(real_data: Path) -> None:
    """What people draw by is what real masks look like: none of them may be refused."""
    folder = real_data / "magnetic_tile"
    found = [*folder.glob("MT_[BCU]*/Imgs/*.jpg")][::5]
    found += [*folder.glob("MT_Fray/Imgs/*.jpg")]
    checked = 0
    for path in found:
        mask = read_mask(path.with_suffix(".png"), None)
        if mask.any():
            masks.check(mask, read_image(path))
            checked += 1
    assert checked > 40


def test_masks_that_make_no_sense_are_refused_in_a_sentence() -> None:
    image, part = on_white()
    with pytest.raises(BadInput, match="empty"):
        masks.check(np.zeros(part.shape, bool), image)
    with pytest.raises(BadInput, match="outside the part"):
        masks.check(~part, image)
    with pytest.raises(BadInput, match="covers"):
        masks.check(part, image)
    with pytest.raises(BadInput, match="covers 100 %"):
        masks.check(np.ones((120, 160), bool), plain())
    with pytest.raises(BadInput, match="size"):
        masks.check(part[:-1], image)
    small = np.zeros(part.shape, bool)
    small[80, 100] = True
    masks.check(small, image)


# --- the editor ---------------------------------------------------------------------------------------

IMAGE_SHAPES = st.tuples(st.integers(16, 3000), st.integers(16, 3000))


def editor_shape(shape: tuple[int, int], side: int = 1024) -> tuple[int, int]:
    return mask_layers.editor_copy(np.zeros((*shape, 3), np.uint8), side).shape[:2]


@given(IMAGE_SHAPES, st.sampled_from([64, 1024]))
@settings(max_examples=25)
def test_a_painted_editor_is_a_full_mask_and_its_rim_the_rim(shape: tuple[int, int], side: int) -> None:
    small = editor_shape(shape, side)
    assert max(small) <= side
    layer = np.zeros((*small, 4), np.uint8)
    layer[..., 3] = 255
    assert mask_layers.from_editor({"background": None, "layers": [layer], "composite": None}, shape).all()
    layer[1:-1, 1:-1] = 0
    rim = mask_layers.from_editor(layer, shape)
    assert rim[0].all() and rim[-1].all() and rim[:, 0].all() and rim[:, -1].all()
    if min(small) > 2:
        assert not rim[shape[0] // 2, shape[1] // 2]


@given(
    arrays.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))), st.floats(1, 5), st.floats(1, 5)
)
@settings(max_examples=80)
def test_what_was_painted_comes_back_to_the_editor_unchanged(
    painted: np.ndarray, down: float, across: float
) -> None:
    shape = (int(painted.shape[0] * down), int(painted.shape[1] * across))
    mask = mask_layers.from_editor(painted, shape)
    layer = mask_layers.to_editor(mask, painted.shape)
    assert np.array_equal(layer[..., 3] > 0, painted)
    assert np.array_equal(mask_layers.from_editor(layer, shape), mask)


@given(st.data())
@settings(max_examples=40)
def test_a_fine_mask_that_was_only_shown_keeps_its_own_pixels(data: st.DataObject) -> None:
    mask = data.draw(arrays.arrays(bool, st.tuples(st.integers(20, 60), st.integers(20, 60))))
    small = (mask.shape[0] // 3, mask.shape[1] // 2)
    layer = mask_layers.to_editor(mask, small)
    assert np.array_equal(mask_layers.from_editor(layer, mask.shape, shown=mask), mask)
    layer[0, 0] = 0  # and what the person wiped out is gone
    wiped = mask_layers.from_editor(layer, mask.shape, shown=mask)
    assert not wiped[0, 0] and np.array_equal(wiped[4:, 3:], mask[4:, 3:])


def test_hairlines_can_be_seen_in_the_editor_and_see_through_paint_counts() -> None:
    mask = np.zeros((3000, 4000), bool)
    mask[1501, 100:3900] = True
    layer = mask_layers.to_editor(mask, (768, 1024))
    assert (layer[..., 3] > 0).any(0).sum() >= 970
    glass = np.zeros((10, 10, 4), np.uint8)
    glass[2:4, 2:4, 3], glass[6:8, 6:8, 3] = 100, 10
    assert mask_layers.from_editor(glass, (10, 10)).sum() == 4
    assert not mask_layers.from_editor({"background": None, "layers": [], "composite": None}, (10, 10)).any()
    assert not mask_layers.from_editor(None, (10, 10)).any()
