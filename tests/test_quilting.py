"""Quilted defects: blocks join without seams, the rim comes to the rim, and only the mask and its halo change."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from exdd_core.errors import BadInput
from exdd_core.synthesis.mask_geometry import depth_of, grown
from exdd_core.synthesis.quilt import HALO, Quilt
from exdd_core.synthesis.quilting import Source, _path, quilted
from exdd_core.synthesis.request import Donor, Painting, PaintRequest
from tests.donors import lend, patch, surface

ENGINE = Quilt()


@pytest.fixture(scope="module")
def worn(tmp_path_factory: pytest.TempPathFactory) -> Donor:
    """A field half as bright as the surface, of the same grain."""
    image, mask = surface(level=160, seed=1), np.zeros((140, 180), np.uint8)
    cv2.ellipse(mask, (80, 60), (44, 30), 20, 0, 360, 1, -1)
    image[mask > 0] = image[mask > 0] // 2
    return lend(tmp_path_factory.mktemp("worn"), "worn", image, mask > 0, "fray")


def paint(donor: Donor | None, image: np.ndarray, mask: np.ndarray, seed: int = 0) -> Painting:
    return ENGINE.paint(PaintRequest(image, mask, donor=donor, seed=seed))


@given(
    seed=st.integers(0, 2**40),
    height=st.integers(24, 120),
    width=st.integers(24, 160),
    top=st.floats(0, 0.8),
    thick=st.integers(2, 60),
    colour=st.booleans(),
)
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_the_mask_and_its_halo_change_and_the_same_request_gives_the_same_pixels(
    worn: Donor, seed: int, height: int, width: int, top: float, thick: int, colour: bool
) -> None:
    """Any size of image, lines as thin as 2 pixels, grey and colour."""
    image, mask = surface(height, width, seed=3), np.zeros((height, width), bool)
    if colour:
        image = (image * np.array([1, 0.8, 0.5])).astype(np.uint8)
    first = int(top * height)
    mask[first : first + thick, 4:-4] = True
    painting = paint(worn, image, mask, seed)
    within = grown(mask, HALO)
    assert np.array_equal(painting.image[~within], image[~within])
    assert painting.mask.any() and not (painting.mask & ~within).any()
    assert (np.ptp(painting.image, axis=2).max() == 0) is not colour
    assert np.array_equal(painting.image, paint(worn, image, mask, seed).image)
    middle = depth_of(mask) == depth_of(mask).max()
    assert 0.3 < painting.image[middle].mean() / image[middle].mean() < 0.85  # as dark against this surface


def test_a_surface_of_another_level_and_grain_keeps_them(worn: Donor) -> None:
    image = surface(level=70, seed=5)
    painting = paint(worn, image, patch())
    inside = depth_of(patch()) > 4
    assert painting.image[inside].mean() / image[inside].mean() == pytest.approx(0.5, abs=0.1)
    assert not np.array_equal(painting.image, paint(worn, image, patch(), 1).image)


def test_the_guide_brings_the_rim_to_the_rim() -> None:
    """A source that tells its own guide: bright where the guide is high. The quilt does so, too."""
    profile = np.abs(np.arange(120, dtype=np.float32) - 60).clip(0, 30)
    guide = np.broadcast_to(profile, (60, 120))
    source = Source(guide[..., None].repeat(3, 2) / 30, guide, np.ones((60, 120), bool))
    wanted = np.broadcast_to(profile[20:100, None], (80, 50))
    canvas, fill = np.zeros((50, 80, 3), np.float32), np.ones((50, 80), bool)
    made = quilted(source, canvas, wanted.T, fill, np.random.default_rng(0))
    assert np.abs(made[..., 0] - wanted.T / 30).mean() < 0.1


def test_a_cut_follows_what_costs_nothing() -> None:
    error = np.ones((5, 4))
    error[[0, 1, 2, 3, 4], [1, 2, 3, 2, 1]] = 0
    assert _path(error).tolist() == [1, 2, 3, 2, 1]


def test_it_needs_a_real_defect_and_a_part_to_paint_on(worn: Donor) -> None:
    with pytest.raises(BadInput, match="to take the texture from"):
        paint(None, surface(), patch())


def test_a_donor_as_small_as_a_few_pixels_lends_what_it_has(tmp_path: Path) -> None:
    image, mask = surface(30, 30, level=160, seed=1), np.zeros((30, 30), bool)
    mask[13:16, 12:17] = True
    image[mask] //= 3
    assert paint(lend(tmp_path, "speck", image, mask), surface(), patch(box=(60, 66, 60, 100))).mask.any()
