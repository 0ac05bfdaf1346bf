"""Pictures and tables: colours mean what the scale says, outlines surround, panes and CSV hold all."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image, ImageFont

from exdd_core import drawing
from exdd_core.detector import reduced_map
from exdd_core.detector.fusion import FUSIONS
from exdd_core.detector.inspection import Calibration, Inspection
from exdd_core.images import Size
from exdd_core.review import COLUMNS, panes, result_row, sheet as sheet_of, write_csv, write_panes
from exdd_core.review.table import agreeing


def luminance(rgb: np.ndarray) -> np.ndarray:
    """Relative luminance of sRGB colours (..., 3)."""
    linear = (rgb[..., :3] / 255.0) ** 2.2
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def inspection(score: float, peak: float, shape: tuple[int, int] = (90, 60)) -> Inspection:
    """What a detector would say of an image with a flat map of 3 but for one patch; median 2, threshold 6."""
    values = np.full((24, 16), 3.0, np.float32)
    values[5, 4] = peak
    grid = np.zeros((3, 2), np.float32)
    return Inspection(
        score=score,
        fusion="patchcore",
        calibration=Calibration(2.0, 6.0, 2.0, 6.0, 1.0),
        shape=shape,
        size=Size(16, 24),
        patch_scores=grid,
        model_map=values,
        negative_distance=grid,
        positive_distance=None,
        direction=None,
        _negative_rows=grid.astype(int),
        _positive_rows=None,
        _negative=None,  # type: ignore[arg-type]
        _positive=None,
    )


def test_a_higher_score_is_never_darker_and_the_ends_hold() -> None:
    ramp = np.linspace(-1, 3, 401)[None]
    colours = drawing.heatmap(ramp)
    assert colours.shape == (1, 401, 4) and colours.dtype == np.uint8 and (colours[..., 3] == 255).all()
    assert (np.diff(luminance(colours[0].astype(float))) > -0.004).all()  # 8-bit steps may waver, never fall
    low, high = drawing.CALIBRATED
    assert (colours[0, ramp[0] <= low] == drawing.heatmap(np.array([[low]]))[0, 0]).all()
    assert (colours[0, ramp[0] >= high] == drawing.heatmap(np.array([[high]]))[0, 0]).all()


def test_the_colour_of_a_value_is_where_the_scale_has_it() -> None:
    bar = drawing.colour_scale(256)  # highest on top
    for value in (0.0, 0.5, 1.0, 1.7, 2.0):
        row = round((1 - value / 2) * 255)
        np.testing.assert_allclose(drawing.heatmap(np.array([[value]]))[0, 0, :3], bar[row, 0], atol=4)


@given(st.floats(0.02, 2))
def test_a_difference_is_dark_at_zero_and_brighter_on_both_sides(size: float) -> None:
    zero, more, less = drawing.difference_heatmap(np.array([[0.0, size, -size]]))[0, :, :3].astype(float)
    assert np.ptp(zero) <= 4
    assert more[0] > more[2] or size < 0.04  # towards orange
    assert less[2] > less[0] or size < 0.04  # towards blue
    assert luminance(more) >= luminance(zero) - 0.002 and luminance(less) >= luminance(zero) - 0.002
    # Told apart without seeing red against green: the blue channel alone separates the two ends.
    assert less[2] - more[2] >= 50 * size


def test_difference_is_exdd_minus_patchcore() -> None:
    np.testing.assert_array_equal(
        drawing.difference(np.array([[1.0, 2.0, -3.0]]), np.array([[4.0, 0.5, -1.0]])), [[3.0, -1.5, 0.0]]
    )


def test_missing_values_are_grey_and_not_the_colour_of_normal() -> None:
    shown = drawing.heatmap(np.array([[np.nan, 0.0]]))
    np.testing.assert_array_equal(shown[0, 0], [128, 128, 128, 255])
    assert (shown[0, 1] != shown[0, 0]).any()


def test_a_scale_that_does_not_grow_is_refused() -> None:
    with pytest.raises(ValueError, match="must grow"):
        drawing.heatmap(np.zeros((2, 2)), 1.0, 1.0)


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 300))
def test_reduce_keeps_proportions_and_never_enlarges(height: int, width: int, longest: int) -> None:
    made = drawing.reduce(np.zeros((height, width, 3), np.uint8), longest).shape
    assert max(made[:2]) == min(longest, max(height, width))
    scale = max(made[:2]) / max(height, width)
    assert abs(made[0] - height * scale) < 1 and abs(made[1] - width * scale) < 1


def test_small_map_has_the_proportions_of_the_image_and_raw_scores_the_same_place() -> None:
    made = inspection(7.0, 30.0)
    made.model_map[4, 4] = 30.0  # the middle of the first patch
    small, raw = reduced_map.small_map(made, 30), reduced_map.small_map(made, 30, raw=True)
    assert small.shape == (30, 20)
    np.testing.assert_allclose(raw, 2 + 4 * small, rtol=1e-5)
    y, x = np.unravel_index(small.argmax(), small.shape)
    assert abs(y - 5.5 / 24 * 30) <= 1 and abs(x - 4.5 / 16 * 20) <= 1


@given(st.floats(-20, 60), st.floats(-20, 60))
def test_the_shown_map_has_the_score_of_the_image_where_that_comes_from(score: float, there: float) -> None:
    """And nowhere a higher one: what is red on the map is what made the verdict."""
    made = inspection(score, 3.0)
    made.patch_scores[1, 1] = 1.0
    made.model_map[12, 12] = there
    calibrated = made.calibrated_score
    assert reduced_map.score_at(made, 1, 1) == pytest.approx(calibrated, rel=1e-5, abs=1e-5)
    assert made.shown_model_map.max() <= np.float32(calibrated)
    low, high = reduced_map.raw_range(made)
    assert low <= min(score, 2.0) + 1e-4 and high == pytest.approx(max(score, 6.0), rel=1e-5)


@pytest.mark.parametrize(
    ("verdict", "likely", "shown"),
    [("defect", 0.38, None), ("defect", 0.62, 0.62), ("normal", 0.7, None), ("not sure", 0.3, 0.3)],
)
def test_no_probability_stands_beside_a_verdict_that_it_contradicts(
    verdict: str, likely: float, shown: float | None
) -> None:
    assert agreeing(verdict, likely) == shown and agreeing(verdict, None) is None


def test_an_outline_runs_around_the_defect_and_not_over_it() -> None:
    mask = np.zeros((40, 50), bool)
    mask[10:20, 12:30] = True
    mask[35, 45] = True  # a defect of one pixel
    lines = drawing.outline(mask)
    assert len(lines) == 2
    for line in lines:
        assert not any(mask[y, x] for x, y in line)
    large = (
        max(lines, key=len)
        if len(lines[0]) != len(lines[1])
        else max(lines, key=lambda li: np.ptp(li, 0).max())
    )
    corners = np.array(large)
    assert corners.min(0).tolist() == [11, 9] and corners.max(0).tolist() == [30, 20]


def test_an_outline_of_nothing_is_nothing_and_a_hole_has_its_own() -> None:
    assert drawing.outline(np.zeros((5, 5), bool)) == []
    ring = np.ones((40, 40), bool)
    ring[10:30, 10:30] = False
    assert len(drawing.outline(ring)) == 2


@given(st.integers(0, 199), st.integers(0, 119), st.integers(1, 40))
def test_a_crop_shows_the_whole_patch_wherever_it_lies(x0: int, y0: int, side: int) -> None:
    image = np.arange(120 * 200, dtype=np.uint32).reshape(120, 200)
    pixels = np.stack([image & 255, image >> 8 & 255, image >> 16 & 255], -1).astype(np.uint8)
    box = (x0, y0, min(x0 + side, 200), min(y0 + side, 120))
    view, (a0, b0, a1, b1) = drawing.crop_around(pixels, box)
    assert min(view.shape[:2]) >= 48
    np.testing.assert_array_equal(view[b0:b1, a0:a1], pixels[box[1] : box[3], box[0] : box[2]])


def test_a_crop_of_a_narrow_image_stays_square() -> None:
    view, box = drawing.crop_around(np.zeros((300, 60, 3), np.uint8), (20, 250, 24, 290))
    assert view.shape == (60, 60, 3) and box == (20, 10, 24, 50)


def test_a_crop_of_an_image_smaller_than_the_view_is_the_image() -> None:
    view, box = drawing.crop_around(np.zeros((20, 30, 3), np.uint8), (28, 18, 30, 20))
    assert view.shape == (20, 30, 3) and box == (28, 18, 30, 20)


@pytest.mark.parametrize("shape", [(90, 60), (1260, 500), (40, 900), (9, 9)])
def test_panes_hold_the_image_four_times_side_by_side(shape: tuple[int, int], tmp_path: Path) -> None:
    image = np.full((*shape, 3), 200, np.uint8)
    truth = np.zeros(shape, bool)
    truth[2:5, 2:5] = True
    path = tmp_path / "panes.png"
    alarmed, calm = inspection(7.0, 30.0, shape), inspection(3.0, 3.0, shape)
    write_panes(path, image, calm, alarmed, truth, "part 7")
    with Image.open(path) as opened:
        sheet = np.asarray(opened.convert("RGB")).astype(int)
    quiet = np.asarray(panes(image, calm, calm, truth, "part 7")).astype(int)
    assert sheet.shape == quiet.shape
    changed = np.flatnonzero(np.abs(sheet - quiet).sum((0, 2)))
    column = max(round(shape[1] * max(160, min(640, max(shape))) / max(shape)), sheet_of.CAPTION_WIDTH) + 16
    # Only ExDD's pane and the difference differ: nothing left of the third column has changed.
    assert changed.min() >= 16 + 2 * column and changed.max() >= 16 + 3 * column


def test_the_longest_caption_of_a_pane_does_not_reach_the_next_one() -> None:
    caption = "not sure: -123.45 (threshold 1), probability 100%, "
    longest = max(FUSIONS, key=len)
    assert drawing.font(11).getlength(caption + longest) <= sheet_of.CAPTION_WIDTH


@pytest.mark.parametrize("words", ["W" * 63, "Kratzer längs " * 9, "表面の傷" * 40])
@pytest.mark.parametrize("keeps_end", [True, False])
def test_a_long_line_of_any_letters_ends_in_dots_within_its_width(words: str, keeps_end: bool) -> None:
    shown, face = drawing.shortened(words, 13, 240, keeps_end=keeps_end)
    assert face.getlength(shown) <= 240 < face.getlength(shown + 9 * "W")
    assert shown.startswith("…") if keeps_end else shown.endswith("…")
    assert drawing.shortened("short", 13, 240)[0] == "short"


def test_letters_with_dots_are_drawn_and_no_sign_for_what_a_font_lacks() -> None:
    try:
        ImageFont.truetype("DejaVuSans.ttf", 13)
    except OSError:
        pytest.skip("this machine has no font DejaVu Sans")
    face = drawing.font(13, "Größe, Трещина")
    assert all(bytes(face.getmask(one)) != bytes(face.getmask("\uffff")) for one in "öТщ")


def test_a_title_of_panes_is_not_cut_off() -> None:
    image, calm = np.full((90, 60, 3), 200, np.uint8), inspection(3.0, 3.0, (90, 60))
    sheet = panes(image, calm, calm, None, "a/" * 200 + "part 7.png")
    assert sheet[:32, -16:].min() == 255  # the margin stays free


def test_csv_has_every_column_in_order_and_survives_commas_and_umlauts(tmp_path: Path) -> None:
    rows = [{"image": "Größe, 1.png", "truth": "defect", "exdd_score": 1.25, "id": "not exported"}]
    path = tmp_path / "results.csv"
    write_csv(path, rows)
    header, line = csv.reader(io.StringIO(path.read_text("utf-8")))
    assert tuple(header) == COLUMNS
    found = dict(zip(header, line, strict=True))
    assert (
        found["image"] == "Größe, 1.png" and found["exdd_score"] == "1.25" and found["patchcore_score"] == ""
    )


def test_a_row_has_every_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Inspection, "reason", "because")
    monkeypatch.setattr(Inspection, "regions", [])  # this inspection has no banks to match
    row = result_row("a.png", "normal", "", inspection(3.0, 3.0), inspection(7.0, 30.0), "v3")
    assert set(row) == set(COLUMNS)
    assert (row["patchcore_verdict"], row["exdd_verdict"]) == ("normal", "defect")
    assert row["exdd_calibrated"] == 1.25 and row["exdd_threshold"] == 6.0 and row["bank_version"] == "v3"
