"""The procedural engine: what it paints, where, how its words change it, and that it leaves the rest alone."""

from __future__ import annotations

import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from exdd_core import datasets
from exdd_core.errors import BadInput, Cancelled
from exdd_core.images import read_image
from exdd_core.progress import Progress
from exdd_core.synthesis import lines, vocabulary
from exdd_core.synthesis.procedural import Procedural
from exdd_core.synthesis.request import Painting, PaintRequest
from exdd_core.synthesis.vocabulary import LINES, TYPES, Look

ENGINE = Procedural()


def brushed(height: int = 200, width: int = 240, angle: float = 0.0, level: float = 120.0) -> np.ndarray:
    """A grained surface, uint8 (height, width, 3), slightly blue; grain at `angle` degrees, y downwards."""
    rng = np.random.default_rng(1)
    side = 2 * max(height, width)
    streaks = cv2.GaussianBlur(rng.standard_normal((side, side)).astype(np.float32), (0, 0), 20, sigmaY=0.7)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), -angle, 1)
    streaks = cv2.warpAffine(streaks, turn, (side, side))[height // 2 :, width // 2 :][:height, :width]
    grey = level + 6 * streaks / streaks.std() + rng.normal(0, 2, (height, width))
    return np.clip(grey[..., None] + np.array([-2, 0, 8]), 0, 255).astype(np.uint8)


def disc(shape: tuple[int, ...] = (200, 240), x: int = 120, y: int = 100, radius: int = 45) -> np.ndarray:
    mask = np.zeros(shape[:2], np.uint8)
    cv2.circle(mask, (x, y), radius, 1, -1)
    return mask > 0


def brushstroke(shape: tuple[int, ...] = (200, 240), thickness: int = 15) -> np.ndarray:
    mask = np.zeros(shape[:2], np.uint8)
    points = np.array([[30, 60], [90, 75], [150, 110], [205, 150]], np.int32)
    cv2.polylines(mask, [points], False, 1, thickness)
    return mask > 0


def paint(
    prompt: str,
    mask: np.ndarray | None = None,
    image: np.ndarray | None = None,
    seed: int = 0,
    negative: str = "",
    **chosen: Any,
) -> Painting:
    image = brushed() if image is None else image
    mask = disc(image.shape) if mask is None else mask
    return ENGINE.paint(PaintRequest(image, mask, prompt, negative, chosen, seed))


def change(prompt: str, mask: np.ndarray | None = None, seeds: int = 6, **chosen: Any) -> list[np.ndarray]:
    """Signed differences of brightness, float (H, W), for several seeds."""
    before = brushed().mean(axis=2)
    return [paint(prompt, mask, seed=seed, **chosen).image.mean(axis=2) - before for seed in range(seeds)]


def test_a_lip_goes_on_in_the_halo_and_beyond_it_nothing_changes() -> None:
    mask, image = brushstroke(thickness=5), brushed()
    reach = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) <= 3
    changed = [(paint("wide shiny scratch", mask, seed=s, halo=3).image != image).any(2) for s in range(4)]
    assert sum((one & ~mask).sum() for one in changed) > 50
    assert not any((one & ~reach).any() for one in changed)


def direction(mask: np.ndarray) -> float:
    """Degrees 0..180 of a mask's longer axis, y downwards."""
    rows, columns = np.nonzero(mask)
    values, vectors = np.linalg.eigh(np.cov(np.stack([columns, rows])))
    return float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])) % 180)


def turn(a: float, b: float) -> float:
    return abs((a - b + 90) % 180 - 90)


# --- what every painting keeps --------------------------------------------------------------------


def is_painted(request: PaintRequest) -> bool:
    try:
        ENGINE.paint(request)
    except BadInput:
        return False
    return True


@settings(max_examples=80)
@given(
    shape=st.tuples(st.integers(20, 120), st.integers(20, 120)),
    place=st.tuples(st.floats(0, 0.9), st.floats(0, 0.9)),
    size=st.tuples(st.integers(3, 90), st.integers(3, 90)),
    prompt=st.sampled_from(
        ["", *TYPES, "several small pits", "white marks on the wall", "copper metal scratches"]
    ),
    level=st.sampled_from([0, 8, 60, 128, 245, 255]),
    seed=st.integers(0, 2**63 - 1),
    geometry=st.sampled_from(["native", "paper"]),
)
def test_outside_stays_inside_changes_and_the_same_request_gives_the_same_pixels(
    shape, place, size, prompt, level, seed, geometry
):
    noise = np.random.default_rng(0).integers(-6, 7, (*shape, 1))
    image = np.broadcast_to(np.clip(level + noise, 0, 255), (*shape, 3)).astype(np.uint8)
    mask = np.zeros(shape, bool)
    top, left = int(place[0] * shape[0]), int(place[1] * shape[1])
    mask[top : top + size[0], left : left + size[1]] = True
    request = PaintRequest(image, mask, prompt, settings={"geometry": geometry}, seed=seed)
    try:
        painting = ENGINE.paint(request)
    except (
        BadInput
    ) as refused:  # a shadow on black, a white mark on white, a mask of a few pixels, a faint scratch
        assert "Nothing visible changed" in str(refused) and "try another seed" in str(refused)
        if min(mask.sum(0).max(), mask.sum(1).max()) >= 8 and 30 < level < 220:
            assert any(is_painted(replace(request, seed=other)) for other in range(10))
        return
    assert np.array_equal(painting.image[~mask], image[~mask])
    assert painting.mask.any() and not (painting.mask & ~mask).any()
    again = ENGINE.paint(request)
    assert np.array_equal(again.image, painting.image) and np.array_equal(again.mask, painting.mask)


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_paints_differs_with_the_seed_and_never_fills_flatly(kind):
    mask = brushstroke() if kind in LINES else disc()
    first, second = paint(kind, mask, seed=1), paint(kind, mask, seed=2)
    inside = first.mask & second.mask
    assert inside.sum() > 30
    assert np.abs(first.image[inside].astype(int) - second.image[inside]).mean() > 1.5
    assert first.image[first.mask].astype(float).mean(axis=1).std() > 2.0


def test_no_two_types_look_alike():
    results = {kind: paint(kind).image.astype(int) for kind in TYPES}
    for a in TYPES:
        for b in TYPES:
            if a < b:
                assert np.abs(results[a] - results[b])[disc()].mean() > 1, (a, b)


@pytest.mark.parametrize("kind", LINES)
def test_lines_follow_a_narrow_mask_from_end_to_end(kind):
    mask = brushstroke()
    painted = np.any([paint(kind, mask, seed=seed).mask for seed in range(4)], axis=0)
    columns = np.flatnonzero(painted.any(axis=0))
    assert columns[0] < 50 and columns[-1] > 185
    assert painted.sum() < 0.8 * mask.sum()  # a line, not the mask filled


@pytest.mark.parametrize("kind", ["pit", "spot", "stain", "grain break"])
def test_blobs_fill_a_broad_mask_with_an_outline_of_their_own(kind):
    share = np.mean([paint(kind, seed=seed).mask.sum() for seed in range(4)]) / disc().sum()
    assert 0.35 < share < 0.98
    outlines = [paint(kind, seed=seed).mask for seed in (1, 2)]
    assert (outlines[0] ^ outlines[1]).sum() > 100


def test_masks_at_every_border_and_a_mask_of_everything_work():
    image = brushed()
    for mask in (disc(x=0, y=0), disc(x=239, y=100), disc(x=120, y=199), np.ones((200, 240), bool)):
        for kind in TYPES:
            assert paint(kind, mask, image).mask.any()


def test_pieces_of_a_mask_are_painted_each_and_too_many_are_said():
    mask = disc(x=50, y=50, radius=20) | disc(x=190, y=150, radius=20)
    painted = paint("pit", mask).mask
    assert painted[:, :120].any() and painted[:, 120:].any()
    dots = np.zeros((200, 240), bool)
    dots[4::8, 4::8] = dots[5::8, 4::8] = dots[4::8, 5::8] = dots[5::8, 5::8] = True
    assert any("the largest 64" in note for note in paint("dark spots", dots, strength=2).notes)


def test_an_empty_prompt_paints_what_suits_the_mask_and_says_so():
    for mask, kinds in ((brushstroke(), LINES), (disc(), tuple(set(TYPES) - set(LINES)))):
        notes = [paint("", mask, seed=seed).notes for seed in range(6)]
        named = {note.split("painted: ")[1].rstrip(".") for lines_ in notes for note in lines_}
        assert named <= set(kinds) and len(named) > 1


def test_the_control_overrides_the_words():
    assert np.array_equal(paint("scratch", defect="pit").image, paint("pit").image)
    assert not np.array_equal(paint("scratch").image, paint("pit").image)


def test_it_never_calls_itself_diffusion():
    said = f"{ENGINE.TITLE} {ENGINE.DESCRIPTION} {ENGINE.version} {paint('pit').engine}"
    assert "diffusion" not in said.lower() and ENGINE.missing() == ""


def test_cancelling_stops_before_the_next_piece():
    mask = np.zeros((200, 240), bool)
    mask[::20, ::3] = mask[1::20, ::3] = True
    progress = Progress(lambda p: p.cancel() if p.done == 3 else None)
    with pytest.raises(Cancelled):
        ENGINE.paint(PaintRequest(brushed(), mask, "spot"), progress)


def test_a_vast_image_is_painted_alike_in_a_reduced_copy():
    image = cv2.resize(brushed(), None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    for kind in ("crack", "pit", "grain break"):
        mask = (brushstroke if kind in LINES else disc)()
        big = cv2.resize(mask.astype(np.uint8), None, fx=6, fy=6, interpolation=cv2.INTER_NEAREST) > 0
        painting, small = paint(kind, big, image), paint(kind, mask)
        assert np.array_equal(painting.image[~big], image[~big])
        assert 0.4 < painting.mask.mean() / small.mask.mean() < 2.5, kind


@pytest.mark.parametrize(("height", "width"), [(256, 256), (1260, 500)])
def test_an_image_takes_well_under_a_second(height, width):
    image, mask = brushed(height, width), np.zeros((height, width), np.uint8)
    cv2.line(mask, (20, 20), (width - 20, height - 20), 1, 25)
    for prompt in ("several scratches", "crack", "pit", "stain"):
        began = time.process_time()  # not the wall's clock: other tests may run at the same time
        paint(prompt, mask > 0, image)
        assert time.process_time() - began < 1.5


# --- words ----------------------------------------------------------------------------------------


def test_dark_is_darker_and_bright_brighter():
    for kind in ("scratch", "pit", "spot", "stain", "grain-break", "crack"):
        dark, bright = (
            np.mean([c[disc()].mean() for c in change(f"{word} {kind}", seeds=3)])
            for word in ("dark", "bright")
        )
        assert dark < -0.4 and bright > 0.4, (kind, dark, bright)


def test_faint_and_strong_scale_the_contrast():
    levels = [
        np.mean([np.abs(c[disc()]).mean() for c in change(f"{word} pit")]) for word in ("faint", "", "strong")
    ]
    assert levels[0] < 0.75 * levels[1] and levels[2] > 1.1 * levels[1]
    strengths = [np.abs(change("pit", seeds=1, strength=s)[0]).mean() for s in (0.4, 1.0)]
    assert strengths[0] < 0.75 * strengths[1]


@pytest.mark.parametrize("kind", LINES)
def test_fine_lines_cover_less_and_wide_ones_more(kind):
    areas = [
        np.mean(
            [paint(f"{word} {kind}", brushstroke(thickness=25), seed=seed).mask.sum() for seed in range(5)]
        )
        for word in ("fine", "", "wide")
    ]
    assert areas[0] < 0.85 * areas[1] and areas[2] > 1.2 * areas[1]


def test_very_makes_a_word_stronger_and_slightly_weaker():
    areas = [
        np.mean([paint(f"{word} scratch", brushstroke(thickness=35), seed=s).mask.sum() for s in range(5)])
        for word in ("slightly wide", "wide", "very wide")
    ]
    assert areas[0] < areas[1] < areas[2]


@pytest.mark.parametrize("kind", ["pit", "spot", "stain"])
def test_tiny_and_small_blobs_cover_less_than_large_ones(kind):
    areas = [
        np.mean([paint(f"{word} {kind}", seed=seed).mask.sum() for seed in range(4)])
        for word in ("tiny", "small", "large")
    ]
    assert areas[0] < 0.8 * areas[1] and areas[1] < 0.9 * areas[2]


def test_short_lines_are_shorter():
    def extent(prompt: str) -> float:
        return float(
            np.mean([np.ptp(np.nonzero(paint(prompt, brushstroke(), seed=s).mask)[1]) for s in range(5)])
        )

    assert extent("short scratch") < 0.75 * extent("long scratch")


@pytest.mark.parametrize(
    ("word", "degrees"), [("horizontal", 0), ("vertical", 90), ("along the grain", 30), ("across", 120)]
)
def test_directions_turn_lines_in_a_broad_mask(word, degrees):
    image = brushed(angle=30)
    found = [direction(paint(f"single {word} dark crack", None, image, seed=seed).mask) for seed in range(4)]
    assert np.median([turn(angle, degrees) for angle in found]) < 15


def test_a_surface_without_grain_is_said_where_words_refer_to_it():
    even = np.random.default_rng(0).integers(100, 130, (200, 240, 3), np.uint8)
    assert any("no clear grain" in note for note in paint("scratch along the grain", None, even).notes)
    assert paint("scratch along the grain").notes == []
    assert paint("scratch", None, even).notes == []


def test_in_a_narrow_mask_the_mask_sets_the_direction_and_that_is_said():
    painting = paint("vertical scratch", brushstroke())
    assert turn(direction(painting.mask), direction(brushstroke())) < 15
    assert any("direction" in note for note in painting.notes)


def test_counts_are_kept():
    def pieces(prompt: str) -> float:
        painted = [paint(f"dark small {prompt}", disc(radius=80), seed=s).mask for s in range(6)]
        return float(np.mean([cv2.connectedComponents(mask.astype(np.uint8))[0] - 1 for mask in painted]))

    assert pieces("single pit") <= 1.4 < pieces("three pits") < pieces("many pits")
    assert vocabulary.read("3 pits").look.count == 3
    assert vocabulary.read("(rust:1.3) pit").look.count is None
    assert vocabulary.read("many scratches on a wall").look.count == 9


@pytest.mark.parametrize(
    ("word", "hue"), [("copper", (1, -1)), ("rusty", (1, -1)), ("blue", (-1, 1)), ("green", (-1, 0))]
)
def test_colours_colour(word, hue):
    for kind in ("scratch", "spot", "stain"):
        painting = paint(f"wide {word} {kind}")
        shift = (painting.image.astype(int) - brushed())[painting.mask].mean(axis=0)
        red, blue = shift[0] - shift[1], shift[2] - shift[1]
        assert hue[0] * red > 1 if hue[0] else True
        assert hue[1] * blue > 1 if hue[1] else True


def test_on_a_grey_image_a_colour_shows_as_brightness_and_that_is_said():
    image = np.repeat(brushed()[..., :1], 3, axis=2)
    painting = paint("copper scratch", None, image)
    assert np.ptp(painting.image.astype(int), axis=2).max() == 0
    assert any("grey" in note for note in painting.notes)


def test_soft_edges_are_softer_and_jagged_outlines_longer():
    def steepest(prompt: str) -> float:
        changes = [cv2.GaussianBlur(c.astype(np.float32), (0, 0), 1.0) for c in change(prompt, seeds=4)]
        return float(
            np.mean([np.quantile(np.hypot(*np.gradient(c)), 0.998) / np.abs(c).max() for c in changes])
        )

    def outline(prompt: str) -> float:
        masks = [cv2.morphologyEx(paint(prompt, seed=s).mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5)))
                 for s in range(5)]  # fmt: skip
        found = [
            max(cv2.findContours(m, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len) for m in masks
        ]
        return float(np.mean([cv2.arcLength(c, True) ** 2 / cv2.contourArea(c) for c in found]))

    assert steepest("soft dark spot") < 0.8 * steepest("sharp dark spot")
    assert outline("jagged dark spot") > 1.1 * outline("smooth dark spot")


def test_broken_lines_have_gaps_and_unbroken_ones_none():
    def share(prompt: str) -> float:
        way = lines.centreline(brushstroke(thickness=5))
        found = []
        for seed in range(6):
            around = cv2.dilate(
                paint(prompt, brushstroke(thickness=5), seed=seed).mask.astype(np.uint8), np.ones((5, 5))
            )
            found.append(lines.at(around, way).mean())
        return float(np.mean(found))

    assert share("long broken dark scratch") < 0.8 * share("long continuous dark scratch")


def test_chips_show_the_ripples_of_a_fracture():
    smooth, rippled = (paint(word, disc(radius=70), seed=3).image.astype(int) for word in ("pit", "chip"))
    assert np.abs(smooth - rippled)[disc(radius=50)].mean() > 4


def test_the_papers_prompts_work():
    negative = "smooth, plain, black, dark, shadow"
    image, mask = brushed(level=110), disc()
    copper = paint("copper metal scratches", mask, image, negative=negative)
    white = paint("white marks on the wall", mask, image, negative=negative)
    assert copper.notes == []
    assert white.notes == ["The procedural engine does not know: 'wall'."]
    reddish = (copper.image.astype(int) - image)[copper.mask].mean(axis=0)
    assert reddish[0] > reddish[2] + 8
    lighter = (white.image.astype(int) - image)[white.mask]
    assert lighter.mean() > 8
    assert np.quantile(lighter, 0.02) > -20  # nothing dark: the negative prompt


def test_unknown_words_are_reported_once_and_fillers_not():
    reading = vocabulary.read("A wall with the wall and a scratch of flubber", "ghosts")
    assert reading.unknown == ("wall", "flubber", "ghosts")
    assert reading.notes == ["The procedural engine does not know: 'wall', 'flubber', 'ghosts'."]
    assert vocabulary.read("a scratch on the surface").notes == []
    assert vocabulary.read("scratches, cracks and pits").look.types == ("scratch", "crack", "pit")
    assert vocabulary.read("").look == Look()


def test_negative_words_exclude():
    for seed in range(8):
        notes = paint("", negative="pits, spots, dents, stains", seed=seed).notes
        assert "grain break" in notes[0]
    darkest = [c[disc()].min() for c in (change("pit", seeds=1)[0], change("pit", seeds=1)[0])]
    held = paint("pit", negative="dark, shadow").image.mean(axis=2) - brushed().mean(axis=2)
    assert held[disc()].min() > 0.5 * darkest[0]
    asked = vocabulary.read("deep scratch", "scratches")
    assert asked.look.types == ("scratch",) and not asked.look.excluded
    assert asked.notes == ["The prompt asks for 'scratch', so the negative prompt's 'scratches' was ignored."]
    dark = vocabulary.read("dark pit", "smooth, plain, black, dark, shadow")
    assert dark.look.tone < 0 and not dark.look.no_dark
    assert dark.notes[-1].startswith("The prompt asks for 'dark', so the negative prompt's 'black', 'dark'")
    with pytest.raises(BadInput, match="every defect type"):
        vocabulary.read("", "scratch crack pit spot stain dent fray")


def test_several_types_are_all_painted():
    both, one = paint("dark pit and bright scratch", seed=2), paint("dark pit", seed=2)
    assert not np.array_equal(both.image, one.image)


@pytest.mark.parametrize("word", sorted(vocabulary.KIND_OF_WORD))
def test_every_word_of_the_vocabulary_changes_the_look_and_says_how(word):
    reading = vocabulary.read(word)
    assert reading.look != Look() and not reading.unknown
    assert reading.known and all(reading.known.values())


def test_every_word_has_one_meaning_and_every_change_is_a_property_of_the_look():
    words = [word for entry in vocabulary.WORDS for word in entry.words]
    assert len(words) == len(set(words))
    assert not set(words) & (vocabulary.FILLERS | set(vocabulary.INTENSIFIERS))
    known = {field.name for field in fields(Look)}
    assert all(set(entry.changes) <= known for entry in vocabulary.WORDS)
    assert {kind for entry in vocabulary.WORDS for kind in entry.changes.get("types", ())} == set(TYPES)


# --- real surfaces --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["magnetic_tile", "kolektor_sdd"])
def test_on_real_surfaces_every_type_is_visible_and_no_cleaner_than_the_surface(
    real_data: Path, name: str
) -> None:
    _, records = datasets.read_layout(real_data / name)
    normal = [record for record in records if record.split == "train" and record.label == "normal"]
    for number, record in enumerate(normal[:: len(normal) // 3][:3]):
        image = read_image(real_data / name / record.path)
        height, width = image.shape[:2]
        mask = disc(image.shape, width // 2, height // 2, max(20, min(height, width) // 12))
        grain = image.mean(axis=2) - cv2.GaussianBlur(image.mean(axis=2), (0, 0), 3)
        for kind in TYPES:
            painting = paint(kind, mask, image, seed=number)
            assert painting.mask.sum() > 25, (record.path, kind)
            fine = painting.image.mean(axis=2) - cv2.GaussianBlur(painting.image.mean(axis=2), (0, 0), 3)
            assert fine[painting.mask].std() > 0.15 * grain[mask].std(), (record.path, kind)
