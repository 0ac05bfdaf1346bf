"""What every engine gets from its base: settings, windows, compositing, the measured mask, progress and cancel."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from exdd_core.errors import BadInput, Cancelled
from exdd_core.progress import Progress
from exdd_core.synthesis import ENGINES, default_engine, engine_named
from exdd_core.synthesis.compositing import composite, measure
from exdd_core.synthesis.controls import Control, shared_controls
from exdd_core.synthesis.engine import Engine
from exdd_core.synthesis.request import Painting, PaintRequest, Step, Window


class Flat(Engine):
    """Fills the whole window with one grey level, in three steps."""

    NAME = "flat"
    TITLE = "Flat"
    DESCRIPTION = "For tests."
    CONTROLS = (
        Control("level", "Level", "integer", 230, minimum=0, maximum=255),
        Control("word", "Word", "text", ""),
        *shared_controls(geometry="native", feather=0, match_brightness=False),
    )

    def __init__(self, resolution: int = 0, at_once: int = 1):
        super().__init__()
        self.resolution, self.batch = resolution, at_once
        self.windows: list[Window] = []
        self.batches: list[int] = []
        self.loads = 0

    @property
    def version(self) -> str:
        return "1"

    def _load(self, progress: Progress) -> None:
        self.loads += 1

    def _resolution(self, settings: object) -> int:
        return self.resolution

    def _at_once(self, settings: object) -> int:
        return self.batch

    def _render_batch(self, windows: Sequence[Window], step: Step) -> Sequence[np.ndarray]:
        self.batches.append(len(windows))
        return super()._render_batch(windows, step)

    def _render(self, window: Window, step: Step) -> np.ndarray:
        self.windows.append(window)
        painted = np.full_like(window.image, window.settings["level"])
        for done in (1, 2, 3):
            step(done, 3, painted)
        return painted


def surface(height: int = 60, width: int = 80, seed: int = 0, colour: bool = True) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = rng.integers(70, 130, (height, width, 3), np.uint8)
    return image if colour else np.repeat(image[..., :1], 3, axis=2)


def box(shape: tuple[int, ...], top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros(shape[:2], bool)
    mask[top:bottom, left:right] = True
    return mask


def paint(image: np.ndarray, mask: np.ndarray, resolution: int = 0, **chosen: object) -> Painting:
    return Flat(resolution).paint(PaintRequest(image, mask, settings=chosen))


@settings(max_examples=60)
@given(
    shape=st.tuples(st.integers(16, 90), st.integers(16, 90)),
    corner=st.tuples(st.floats(0, 0.75), st.floats(0, 0.75)),
    size=st.tuples(st.integers(4, 60), st.integers(4, 60)),
    geometry=st.sampled_from(["native", "paper"]),
    resolution=st.sampled_from([0, 40, 128]),
    feather=st.sampled_from([0, 1.5, 12]),
    match=st.booleans(),
)
def test_outside_the_mask_nothing_changes(shape, corner, size, geometry, resolution, feather, match):
    image = surface(*shape)
    top, left = int(corner[0] * shape[0]), int(corner[1] * shape[1])
    mask = box(shape, top, left, top + size[0], left + size[1])
    request = PaintRequest(
        image, mask, settings={"geometry": geometry, "feather": feather, "match_brightness": match}
    )
    before = image.copy()
    painting = Flat(resolution).paint(request)
    assert painting.image.shape == image.shape and painting.image.dtype == np.uint8
    assert np.array_equal(painting.image[~mask], image[~mask])
    assert not np.array_equal(painting.image[mask], image[mask])
    assert painting.mask.shape == mask.shape and painting.mask.any() and not (painting.mask & ~mask).any()
    assert np.array_equal(image, before)


def test_without_feather_all_of_the_mask_is_painted_to_its_edge():
    mask = box((60, 80), 10, 20, 30, 50)
    painting = paint(surface(), mask)
    assert (painting.image[mask] == 230).all() and np.array_equal(painting.mask, mask)


@pytest.mark.parametrize("resolution", [0, 96])
def test_paper_squeezes_the_whole_image_to_a_square_and_native_keeps_the_windows_proportions(resolution):
    image, mask = surface(632, 224), box((632, 224), 400, 20, 440, 50)
    engine = Flat(resolution)
    engine.paint(PaintRequest(image, mask, settings={"geometry": "paper"}))
    engine.paint(PaintRequest(image, mask, settings={"geometry": "native"}))
    paper, native = engine.windows
    side = resolution or 632
    assert paper.box == (0, 0, 224, 632) and paper.image.shape == (side, side, 3)
    assert paper.mask.shape == (side, side)
    left, top, right, bottom = native.box
    assert left == 0 and top < 400 - 20 and 50 + 20 < right < 224 and 440 + 20 < bottom < 632
    height, width = native.image.shape[:2]
    assert abs(np.log((width / height) / ((right - left) / (bottom - top)))) < 0.15
    if resolution:
        assert width % 8 == height % 8 == 0 and 0.7 < width * height / resolution**2 < 1.4
    else:
        assert np.array_equal(native.image, image[top:bottom, left:right])


def test_a_thin_mask_gets_no_needle_of_a_window_where_it_is_resized():
    engine = Flat(128)
    engine.paint(PaintRequest(surface(40, 1000), box((40, 1000), 20, 0, 22, 1000)))
    engine.paint(PaintRequest(surface(1000, 1000), box((1000, 1000), 500, 0, 502, 1000)))
    assert engine.windows[1].image.shape[1] / engine.windows[1].image.shape[0] <= 4.1


def test_a_thin_scratch_survives_the_way_through_a_smaller_window():
    image = surface(1200, 900)
    mask = box(image.shape, 600, 100, 602, 800)
    engine = Flat(64)
    painting = engine.paint(PaintRequest(image, mask, settings={"geometry": "paper"}))
    assert np.asarray(engine.windows[0].mask.any(axis=0))[8:56].all()
    assert (painting.mask & mask).sum() > 0.9 * mask.sum()


def test_feathering_softens_the_edge_inside_the_mask_and_leaves_the_middle():
    image = np.full((80, 80, 3), 100, np.uint8)
    mask = box(image.shape, 20, 20, 60, 60)
    change = paint(image, mask, feather=8).image[..., 0].astype(int) - 100
    assert change[40, 40] == 130
    along = np.asarray(change[40, 20:30])
    assert 0 < along[0] < 40 and (np.diff(along) >= 0).all() and (np.diff(along) > 0).sum() >= 7
    assert (change[:20] == 0).all()


def test_feathering_does_not_swallow_a_thin_piece_beside_a_broad_one():
    image = np.full((80, 80, 3), 100, np.uint8)
    mask = box(image.shape, 20, 20, 60, 60) | box(image.shape, 70, 0, 71, 80)
    painting = paint(image, mask, feather=20)
    assert (painting.image[70, :, 0] == 230).all()


def test_the_images_border_is_no_edge_to_be_softened():
    image = np.full((60, 60, 3), 100, np.uint8)
    painting = paint(image, box(image.shape, 0, 0, 60, 30), feather=6)
    assert (painting.image[0, :10] == 230).all() and painting.image[0, 29, 0] < 160


def test_matching_brightness_brings_the_edge_to_its_surroundings():
    image = np.tile(np.linspace(60, 180, 120).astype(np.uint8)[None, :, None], (120, 1, 3))
    mask = box(image.shape, 30, 30, 90, 90)
    plain, matched = (paint(image, mask, match_brightness=match).image for match in (False, True))
    ring = mask & ~box(image.shape, 33, 33, 87, 87)
    gap = [abs(result[ring].mean() - image[ring].mean()) for result in (plain, matched)]
    assert gap[0] > 80 and gap[1] < 6
    # The surroundings are darker on the left, and so is what was painted.
    assert matched[60, 34:40].mean() + 20 < matched[60, 80:86].mean()


def test_a_grey_cameras_image_stays_grey_and_a_coloured_one_does_not():
    class Red(Flat):
        def _render(self, window: Window, step: Step) -> np.ndarray:
            return np.broadcast_to(np.array([200, 20, 20], np.uint8), window.image.shape).copy()

    mask = box((60, 80), 10, 20, 30, 50)
    grey = Red().paint(PaintRequest(surface(colour=False), mask)).image[mask].astype(int)
    assert np.ptp(grey, axis=1).max() == 0
    assert (Red().paint(PaintRequest(surface(), mask)).image[mask] == [200, 20, 20]).all()


# --- the measured mask ----------------------------------------------------------------------------


def test_the_mask_is_what_changed_not_what_was_drawn():
    image, drawn = surface(), box((60, 80), 10, 10, 50, 70)
    result = image.copy()
    result[20:30, 20:40] = 255
    result[45, 60] = 255  # a speck
    measured = measure(image, result, drawn)
    assert measured[20:30, 20:40].all() and not measured[45, 60]
    assert measured.sum() == 200


def test_changes_outside_the_drawn_mask_do_not_count():
    image, drawn = surface(), box((60, 80), 10, 10, 50, 40)
    result = image.copy()
    result[20:30, 20:60] = 255
    assert not measure(image, result, drawn)[:, 40:].any()


def test_a_change_nobody_can_see_is_refused():
    image, drawn = surface(), box((60, 80), 10, 10, 50, 40)
    with pytest.raises(BadInput, match="Nothing visible changed"):
        measure(image, image + drawn[..., None].astype(np.uint8), drawn)
    with pytest.raises(BadInput, match="Nothing visible changed"):
        paint(np.full((40, 40, 3), 230, np.uint8), box((40, 40), 5, 5, 20, 20))


def test_gaps_of_a_pixel_are_closed():
    image = np.full((40, 40, 3), 90, np.uint8)
    result = image.copy()
    result[10:30, 10:30] = 160
    result[20, 10:30] = 90
    assert measure(image, result, box((40, 40), 5, 5, 35, 35))[20, 12:28].all()


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"level": 256}, r"Level \(level\) cannot be 256; it must be a whole number from 0 to 255"),
        ({"level": -1}, "from 0 to 255"),
        ({"level": 1.5}, "whole number"),
        ({"level": "many"}, "whole number"),
        ({"level": True}, "whole number"),
        (
            {"feather": float("nan")},
            r"Feather \(feather\) cannot be nan; it must be a number from 0 to 64 px",
        ),
        ({"feather": None}, "Feather"),
        ({"geometry": "round"}, r"Geometry \(geometry\) cannot be \"round\"; choose native, paper"),
        ({"match_brightness": "perhaps"}, "on or off"),
        ({"word": 3}, "must be text"),
        ({"stregnth": 1}, 'Flat has no setting "stregnth"; its settings are level, word, geometry'),
    ],
)
def test_settings_out_of_range_and_unknown_ones_are_refused_with_their_range(chosen, message):
    with pytest.raises(BadInput, match=message):
        paint(surface(), box((60, 80), 10, 20, 30, 50), **chosen)


def test_numbers_may_come_as_text_or_as_whole_floats_and_defaults_are_filled_in():
    painting = paint(
        surface(), box((60, 80), 10, 20, 30, 50), level="200", feather="2", match_brightness="on"
    )
    expected = {
        "level": 200,
        "word": "",
        "geometry": "native",
        "feather": 2.0,
        "halo": 0,
        "match_brightness": True,
    }
    assert painting.settings == expected
    assert Flat().complete({"level": 12.0})["level"] == 12


def test_masks_and_seeds_that_cannot_be_used_are_refused():
    image = surface()
    with pytest.raises(BadInput, match="The mask is empty"):
        paint(image, np.zeros((60, 80), bool))
    with pytest.raises(BadInput, match="80 x 60"):
        paint(image, np.ones((80, 60), bool))
    with pytest.raises(BadInput, match="seed -1"):
        Flat().paint(PaintRequest(image, box(image.shape, 1, 1, 9, 9), seed=-1))


# --- progress, cancel, previews, batches ----------------------------------------------------------


def test_a_single_painting_counts_its_steps_and_shows_them():
    image, mask = surface(), box((60, 80), 10, 20, 30, 50)
    seen: list[tuple[int, int]] = []
    shown: list[np.ndarray] = []
    progress = Progress(lambda p: seen.append((p.done, p.total)))
    Flat(40).paint(PaintRequest(image, mask), progress, shown.append)
    assert seen[-1] == (3, 3) and (1, 3) in seen
    assert len(shown) == 3 and shown[0].shape == image.shape
    assert np.array_equal(shown[0][~mask], image[~mask]) and not np.array_equal(shown[0], image)


def test_many_paintings_are_counted_by_image_and_cancelled_between_them():
    requests = [PaintRequest(surface(seed=i), box((60, 80), 10, 20, 30, 50), seed=i) for i in range(5)]
    progress = Progress()
    made = []
    with pytest.raises(Cancelled):
        for painting in Flat().paint_many(requests, progress):
            made.append(painting)
            assert progress.total == 5
            if len(made) == 3:
                progress.cancel()
    assert [painting.seed for painting in made] == [0, 1, 2]


def test_cancel_is_heard_within_a_step():
    progress = Progress()
    shown: list[np.ndarray] = []

    def look(image: np.ndarray) -> None:
        shown.append(image)
        progress.cancel()

    with pytest.raises(Cancelled):
        Flat().paint(PaintRequest(surface(), box((60, 80), 10, 20, 30, 50)), progress, look)
    assert len(shown) == 1


def test_batches_paint_what_single_requests_do():
    requests = [PaintRequest(surface(seed=i), box((60, 80), 10, 20 + i, 30, 50), seed=i) for i in range(5)]
    several = Flat(48, at_once=2)
    together = list(several.paint_many(requests))
    assert several.batches == [2, 2, 1]
    alone = [Flat(48).paint(request) for request in requests]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(together, alone, strict=True))


def test_an_engine_loads_once_whoever_asks():
    engine = Flat()
    threads = [threading.Thread(target=engine.load) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    paint_one = PaintRequest(surface(), box((60, 80), 10, 20, 30, 50))
    engine.paint(paint_one)
    assert engine.loads == 1


def test_what_is_missing_is_said():
    class Weightless(Flat):
        def missing(self) -> str:
            return "Download the weights (7 GB) and put them into models/."

    with pytest.raises(BadInput, match="7 GB"):
        Weightless().paint(PaintRequest(surface(), box((60, 80), 10, 20, 30, 50)))


# --- the engines by name --------------------------------------------------------------------------


def test_engines_are_found_by_name_made_once_and_described():
    assert list(ENGINES) == ["sdxl", "procedural", "transplant", "quilt", "learned"]
    assert engine_named("procedural") is engine_named("procedural")
    with pytest.raises(BadInput, match="sdxl, procedural, transplant, quilt"):
        engine_named("dall-e")
    for name, kind in ENGINES.items():
        assert name == kind.NAME and kind.TITLE and kind.DESCRIPTION
        names = [control.name for control in kind.CONTROLS]
        assert len(names) == len(set(names)) and {"geometry", "feather", "match_brightness"} <= set(names)
        for control in kind.CONTROLS:
            assert control.read(control.default) == control.default, (name, control.name)


def test_the_default_engine_is_one_that_can_paint():
    assert engine_named(default_engine()).missing() == ""


def test_lay_back_scales_what_was_painted_small():
    image = np.full((100, 100, 3), 50, np.uint8)
    engine = Flat(32)
    engine.paint(PaintRequest(image, np.ones((100, 100), bool)))
    window = engine.windows[0]
    pixels = np.zeros_like(window.image)
    pixels[:, window.image.shape[1] // 2 :] = 200
    result = composite(window, pixels)
    assert (result[:, 60:] == 200).all() and (result[:, :40] == 0).all()
