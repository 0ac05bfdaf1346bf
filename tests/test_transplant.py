"""Transplants: only the drawn mask changes, the defect arrives whole, matched and the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from exdd_core.errors import BadInput
from exdd_core.images import read_image, read_mask
from exdd_core.synthesis import engine_named, mask_shapes, masks, placing
from exdd_core.synthesis.cutouts import cut
from exdd_core.synthesis.mask_spec import MaskSpec
from exdd_core.synthesis.request import Donor, Painting, PaintRequest
from exdd_core.synthesis.transplant import Transplant
from tests.donors import lend, patch, surface

ENGINE = Transplant()


@pytest.fixture(scope="module")
def pit(tmp_path_factory: pytest.TempPathFactory) -> Donor:
    """A dark bean of about 22 x 10 pixels."""
    image, mask = surface(level=160, seed=1), np.zeros((140, 180), np.uint8)
    cv2.ellipse(mask, (80, 60), (11, 5), 20, 0, 360, 1, -1)
    dark = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1)[..., None]
    return lend(tmp_path_factory.mktemp("pit"), "pit", (image * (1 - 0.6 * dark)).astype(np.uint8), mask > 0)


@pytest.fixture(scope="module")
def crack(tmp_path_factory: pytest.TempPathFactory) -> Donor:
    """A dark line that comes in from the right edge."""
    image, mask = surface(seed=2), np.zeros((140, 180), np.uint8)
    cv2.line(mask, (120, 60), (179, 75), 1, 5)
    image[mask > 0] = image[mask > 0] // 3
    return lend(tmp_path_factory.mktemp("crack"), "crack", image, mask > 0, "crack")


def paint(
    donor: Donor | None, image: np.ndarray, mask: np.ndarray, seed: int = 0, **settings: object
) -> Painting:
    """Without a halo, unless the settings have one."""
    chosen = {"halo": 0, **settings}
    return ENGINE.paint(PaintRequest(image, mask, donor=donor, seed=seed, settings=chosen))


@given(
    seed=st.integers(0, 2**40),
    top=st.integers(0, 100),
    left=st.integers(0, 130),
    height=st.integers(12, 40),
    width=st.integers(12, 50),
    geometry=st.sampled_from(["native", "paper"]),
    placing=st.sampled_from(["fit", "as set"]),
    angle=st.floats(-180, 180),
    scale=st.floats(0.5, 2),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_the_mask_changes_and_the_same_request_gives_the_same_pixels(
    pit: Donor, seed: int, top: int, left: int, height: int, width: int, **settings: object
) -> None:
    image, mask = surface(seed=3), patch(box=(top, top + height, left, left + width))
    settings["flip"] = bool(seed % 2)
    painting = paint(pit, image, mask, seed, **settings)
    assert np.array_equal(painting.image[~mask], image[~mask])
    assert painting.mask.any() and not (painting.mask & ~mask).any()
    assert np.ptp(painting.image, axis=2).max() == 0  # grey stays grey
    assert np.array_equal(painting.image, paint(pit, image, mask, seed, **settings).image)


def test_a_defect_fades_out_in_the_halo_where_the_mask_would_cut_it_off(pit: Donor) -> None:
    """The pit is 10 px wide and the mask 6: without a halo it ends at the mask's edge."""
    image, mask = surface(seed=3), patch(box=(60, 66, 70, 92))
    hard, soft = (paint(pit, image, mask, 1, halo=halo).image.mean(2) - image.mean(2) for halo in (0, 4))
    beyond = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    assert not hard[~mask].any() and not soft[beyond > 4].any()
    assert soft[beyond == 1].mean() < soft[beyond == 3].mean() <= 0 and soft[beyond == 1].mean() < -3
    assert Transplant().complete({})["halo"] == 4


def test_the_defect_arrives_whole_at_its_own_size_and_as_dark_as_it_was(pit: Donor) -> None:
    image = surface(seed=4)
    painting = paint(pit, image, patch())
    lent = read_mask(pit.mask, None).sum()
    assert 0.5 < painting.mask.sum() / lent < 2.2
    inside = cv2.erode(painting.mask.astype(np.uint8), np.ones((5, 5))) > 0
    ratio = painting.image[inside].mean() / image[inside].mean()
    assert ratio == pytest.approx(0.4, abs=0.12)  # the pit lets 40 % of the light through, on any surface
    rim = cv2.dilate(painting.mask.astype(np.uint8), np.ones((9, 9))) > 0
    change = np.abs(painting.image.astype(int) - image)[rim & ~painting.mask & patch()]
    assert np.median(change) <= 6  # around it the surface stays


@pytest.mark.parametrize("level", [30, 70, 220])
def test_it_is_matched_to_a_darker_and_a_brighter_surface(pit: Donor, level: int) -> None:
    image = surface(level=level, seed=5)
    painting = paint(pit, image, patch())
    inside = cv2.erode(painting.mask.astype(np.uint8), np.ones((3, 3))) > 0
    assert 0.25 < painting.image[inside].mean() / level < 0.75


def test_a_drawn_line_turns_the_defect_along_it(crack: Donor) -> None:
    for angle in (0, 35, 90, 140):
        drawn = mask_shapes.generate(
            MaskSpec("generated", shape="scratch", length=60, width=8, angle=angle, irregularity=0),
            (200, 200),
        )
        painting = paint(crack, surface(200, 200, seed=6), drawn)
        rows, columns = np.nonzero(painting.mask)
        _, vectors = np.linalg.eigh(np.cov(np.stack([columns, rows])))
        found = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))
        assert abs((found - angle + 90) % 180 - 90) < 12


def test_its_own_mask_moved_turned_and_scaled_is_met_again(pit: Donor) -> None:
    lent = read_mask(pit.mask, None)
    for turn, scale, flip in ((0, 1, False), (70, 1.3, True), (-40, 0.8, False)):
        drawn = placing.place(lent, (160, 200), 0.4, 0.6, turn, scale, flip)
        painting = paint(pit, surface(160, 200, seed=7), drawn)
        assert (painting.mask & drawn).sum() > 0.7 * drawn.sum()


def test_a_crack_that_came_in_from_an_edge_comes_in_from_an_edge(crack: Donor) -> None:
    for seed in range(4):
        image = surface(seed=8 + seed)
        drawn = masks.realise(MaskSpec("real", vary=True), image, seed, read_mask(crack.mask, None))
        painting = paint(crack, image, drawn, seed)
        assert painting.mask[:, -3:].any()
        assert (painting.mask & drawn).sum() > 0.6 * drawn.sum()


def test_as_set_turns_scales_and_flips_by_the_settings(pit: Donor) -> None:
    image, mask = surface(200, 240, seed=9), np.ones((200, 240), bool)
    mask[:8] = False
    sizes = {
        scale: paint(pit, image, mask, placing="as set", scale=scale).mask.sum() for scale in (0.5, 1.0, 2.0)
    }
    assert 2.2 < sizes[1.0] / sizes[0.5] < 6.5 and 2.5 < sizes[2.0] / sizes[1.0] < 5.5
    notes = paint(pit, image, mask, placing="as set", angle=33, flip=True).notes
    assert notes == ["The pit defect of pit, turned by 33°, scaled by 1.00, flipped."]


def test_strength_is_the_contrast_of_the_defect(pit: Donor) -> None:
    image = surface(seed=10)
    changes = []
    for strength in (0.4, 1.0, 1.6):
        painting = paint(pit, image, patch(), strength=strength)
        changes.append(np.abs(painting.image.astype(int) - image).max())
    assert changes[0] < 0.7 * changes[1] < changes[1] < changes[2]


def test_it_stays_on_the_part(pit: Donor) -> None:
    image = surface(seed=11)
    image[:, :70] = 250  # the background
    painting = paint(pit, image, patch(box=(40, 90, 30, 130)))
    assert not painting.mask[:, :66].any() and painting.mask.any()
    with pytest.raises(BadInput, match="outside the part"):
        paint(pit, image, patch(box=(40, 90, 5, 60)))


def test_colour_is_kept(pit: Donor) -> None:
    image = surface(seed=12)
    image[..., 2] //= 2
    painting = paint(pit, image, patch())
    inside = painting.mask
    red, blue = painting.image[inside][:, 0].mean(), painting.image[inside][:, 2].mean()
    assert blue < 0.75 * red


def test_what_cannot_be_used_is_a_sentence(pit: Donor, tmp_path: Path) -> None:
    image, mask = surface(), patch()
    with pytest.raises(BadInput, match="choose one"):
        paint(None, image, mask)
    with pytest.raises(BadInput, match="empty"):
        paint(lend(tmp_path, "none", image, np.zeros(mask.shape, bool)), image, mask)
    gone = Donor("gone", tmp_path / "gone.png", tmp_path / "gone_mask.png", "", "", "train")
    with pytest.raises(BadInput, match="does not exist"):
        paint(gone, image, mask)
    with pytest.raises(BadInput, match="Strength"):
        paint(pit, image, mask, strength=9)


def test_a_defect_that_fills_its_image_still_arrives(tmp_path: Path) -> None:
    """No surroundings to go by: every side of it is an edge."""
    image = surface(64, 64, level=60)
    donor = lend(tmp_path, "all", image, np.ones((64, 64), bool), "")
    painting = paint(donor, surface(level=180), patch(), strength=2)
    assert painting.notes[0].startswith("The defect of all")
    assert painting.mask.any()


def test_only_the_main_group_of_a_scattered_mask_is_cut() -> None:
    mask = np.zeros((200, 200), bool)
    mask[20:40, 20:40] = mask[42:50, 25:30] = mask[150:155, 180:184] = True
    piece = cut(surface(200, 200), mask)
    assert piece.mask.sum() == 20 * 20 + 8 * 5


@pytest.mark.parametrize("kind", ["Blowhole", "Break", "Crack", "Fray", "commutator"])
def test_real_defects_grow_into_real_surfaces(real_data: Path, kind: str) -> None:
    if kind == "commutator":
        folder = real_data / "kolektor_sdd"
        pairs = [
            (path.with_name(f"{path.stem}_label.bmp"), path)
            for path in sorted(folder.glob("kos0*/Part?.jpg"))
        ]
        pairs = [(label, path) for label, path in pairs if read_mask(label, None).any()][::2]
        hosts = [folder / "kos01" / "Part0.jpg", folder / "kos20" / "Part1.jpg"]
    else:
        folder = real_data / "magnetic_tile"
        pairs = [
            (path.with_suffix(".png"), path) for path in sorted((folder / f"MT_{kind}/Imgs").glob("*.jpg"))
        ][::8]
        hosts = sorted((folder / "MT_Free/Imgs").glob("*.jpg"))[::150]
    kept = []
    for number, (label, path) in enumerate(pairs[:5]):
        image, lent = read_image(hosts[number % len(hosts)]), read_mask(label, None)
        drawn = masks.realise(MaskSpec("real", vary=True), image, number, lent)
        painting = paint(Donor(path.stem, path, label, kind.lower(), "", "train"), image, drawn, number)
        assert np.array_equal(painting.image[~drawn], image[~drawn])
        kept.append((painting.mask & drawn).sum() / drawn.sum())
    assert np.median(kept) > 0.2


def test_the_engine_is_found_by_its_name() -> None:
    assert engine_named("transplant").TITLE == "Transplant"
