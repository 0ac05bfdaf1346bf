"""Pictures and masks that a person hands in: how they are read, what is refused and what is said."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from exdd_core import images, picture as picture_
from exdd_core.cli.score import LONGEST, pane_names
from exdd_core.datasets import incoming
from exdd_core.datasets.tree import Tree, name_key
from exdd_core.depth import Depth
from exdd_core.errors import BadInput
from exdd_core.images import encode_png, read_image

SHAPE = (48, 64)


def deep(path: Path, values: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), values)
    return path


def plate(bits: int, seed: int = 0, channels: int = 1) -> np.ndarray:
    """A surface with grain whose brightest values are below 2 ** bits."""
    shape = SHAPE if channels == 1 else (*SHAPE, channels)
    values = np.random.default_rng(seed).integers(2**bits * 5 // 8, 2**bits * 6 // 8, shape)
    return values.astype(np.uint16)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_a_single_bright_pixel_changes_no_other_pixel(tmp_path: Path, bits: int, channels: int) -> None:
    values = plate(bits, channels=channels)
    bright = values.copy()
    bright[20, 30] = 60000
    for depth in (None, Depth.of_bits(bits)):  # of the picture itself, and of the bank
        plain = picture_.read(deep(tmp_path / "a.png", values), depth=depth)
        one = picture_.read(deep(tmp_path / "b.png", bright), depth=depth)
        assert plain.depth == one.depth == Depth.of_bits(bits)
        assert plain.clipped == 0 and one.clipped == pytest.approx(1 / (48 * 64))
        differs = (plain.pixels != one.pixels).any(axis=2)
        assert differs.sum() == 1 and differs[20, 30]
    assert np.abs(plain.pixels.astype(int).mean() - 255 * 5.5 / 8) < 3


def test_the_depth_of_the_bank_counts_and_what_it_clips_is_said(tmp_path: Path) -> None:
    file = deep(tmp_path / "a.png", plate(14))
    picture = picture_.read(file, depth=Depth.of_bits(12))
    assert picture.depth == Depth.of_bits(12) and picture.clipped == 1 and (picture.pixels == 255).all()
    (said,) = incoming.notes(picture, "v3", Depth.of_bits(12))
    assert (
        said
        == "100 % of its values are outside 12 bits (0 to 4095), the bit depth of bank v3, and were clipped."
    )
    (said,) = incoming.notes(picture_.read(file), "v3", None)
    assert said.startswith("Read as 14 bits (0 to 16383); bank v3 was built from 8-bit images")
    window = picture_.read(file, depth=Depth(11000, 12000))
    assert 0 < window.clipped < 1 and window.pixels.max() == 255


def test_a_bank_that_kept_no_depth_reads_as_it_was_built_whatever_its_data_set_says_now(
    tmp_path: Path,
) -> None:
    values = plate(12)
    values[:4] = 5000  # a strip, and no single bright pixel
    path, ten = deep(tmp_path / "a.png", values), Depth.of_bits(10)
    kept = picture_.read(path, by_brightest=True, own=ten)
    assert kept.depth == Depth.of_bits(16)
    assert np.array_equal(kept.pixels, images.read_image(path))
    assert picture_.read(path, own=ten).depth == ten  # of a bank of images of 8 bits
    assert picture_.read(path, depth=Depth.of_bits(14), own=ten).depth == Depth.of_bits(14)


def test_an_image_of_8_bits_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode_png(np.full((*SHAPE, 3), 77, np.uint8)))
    picture = picture_.read(tmp_path / "a.png", depth=Depth.of_bits(12))
    assert (picture.pixels == 77).all() and picture.depth is None and picture.clipped == 0
    assert incoming.notes(picture, "v1", Depth.of_bits(12)) == []
    assert "8 bits" in incoming.shallow_note(1, "v1", Depth.of_bits(12))


@pytest.mark.parametrize("suffix", [".tif", ".webp", ".png"])
def test_only_the_first_of_several_pages_is_looked_at_and_said(tmp_path: Path, suffix: str) -> None:
    pages = [Image.fromarray(np.full((*SHAPE, 3), value, np.uint8)) for value in (40, 120, 200)]
    file = tmp_path / f"stack{suffix}"
    pages[0].save(file, save_all=True, append_images=pages[1:], lossless=True)
    picture = picture_.read(file)
    assert picture.pages == 3 and np.abs(picture.pixels.astype(int) - 40).max() <= 1
    assert incoming.notes(picture)[0].startswith("Only page 1 of 3 was inspected")


@pytest.mark.parametrize(
    ("share", "words"),
    [(1e-6, "less than 0.01 %"), (0.004, "0.4 %"), (0.1234, "12 %"), (1.0, "100 %"), (0, "0 %")],
)
def test_a_share_that_is_there_is_never_called_none(share: float, words: str) -> None:
    assert incoming.percent(share) == words


def test_what_of_a_folder_is_not_looked_at_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode_png(np.full((*SHAPE, 3), 77, np.uint8)))
    (tmp_path / "sub").mkdir()
    for number in range(5):
        Image.new("RGB", (32, 32)).save(tmp_path / "sub" / f"{number}.gif")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    tree = Tree.read(tmp_path)
    assert set(incoming.left_out(tree)) == {"gone.png", *(f"sub/{n}.gif" for n in range(5))}
    said = " ".join(incoming.left_out_sentences(tree))
    assert "and 2 more" in said and "GIF" in said and "gone.png" in said and "a broken link" in said
    with pytest.raises(BadInput, match="GIF images are not supported"):
        incoming.require_picture(tmp_path / "sub" / "0.gif", "0.gif")
    incoming.require_picture(tmp_path / "a.png", "a.png")


def test_a_picture_of_two_levels_is_said_to_look_like_a_mask(tmp_path: Path) -> None:
    mask = np.zeros(SHAPE, bool)
    mask[10:20, 10:20] = True
    (tmp_path / "007_mask.png").write_bytes(encode_png(mask))
    (tmp_path / "007.png").write_bytes(encode_png((plate(8)[..., None] * [1, 1, 1]).astype(np.uint8)))
    assert "looks like a black-and-white mask" in incoming.mask_note(tmp_path / "007_mask.png")
    assert incoming.mask_note(tmp_path / "007.png") == ""


# --- masks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [(0, 255), (0, 1), (0, 2), (100, 200), (0, 3), (0, 128)])
def test_a_mask_is_read_by_its_own_values(tmp_path: Path, levels: tuple[int, int]) -> None:
    wanted = np.zeros(SHAPE, bool)
    wanted[10:20, 10:40] = True
    values = np.where(wanted, levels[1], levels[0]).astype(np.uint8)
    Image.fromarray(values).save(tmp_path / "mask.png")
    assert np.array_equal(incoming.take_mask(tmp_path / "mask.png", SHAPE), wanted)
    palette = Image.fromarray(wanted.astype(np.uint8), mode="P")
    palette.putpalette([10, 20, 30, 200, 30, 30])
    palette.save(tmp_path / "palette.png")
    assert np.array_equal(incoming.take_mask(tmp_path / "palette.png", SHAPE), wanted)


def test_a_mask_that_marks_nothing_or_has_another_size_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros(SHAPE, np.uint8)).save(tmp_path / "empty.png")
    with pytest.raises(BadInput, match=r"empty\.png marks nothing"):
        incoming.take_mask(tmp_path / "empty.png", SHAPE)
    with pytest.raises(BadInput, match="seems to be rotated by 90°"):
        incoming.take_mask(tmp_path / "empty.png", SHAPE[::-1])


def test_a_mask_that_lies_as_the_camera_held_the_image_is_refused(tmp_path: Path) -> None:
    """A turn of 180 degrees keeps the size: only the picture tells."""
    upright = np.random.default_rng(0).integers(90, 110, (*SHAPE, 3)).astype(np.uint8)
    upright[5:12, 8:30] = 220
    wanted = np.zeros(SHAPE, bool)
    wanted[5:12, 8:30] = True
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(upright[::-1, ::-1]).save(tmp_path / "part.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "part.png"), upright)
    (tmp_path / "right.png").write_bytes(encode_png(wanted))
    (tmp_path / "held.png").write_bytes(encode_png(wanted[::-1, ::-1]))
    image = tmp_path / "part.png"
    assert np.array_equal(incoming.take_mask(tmp_path / "right.png", SHAPE, image=image), wanted)
    with pytest.raises(BadInput, match="but part.png is rotated"):
        incoming.take_mask(tmp_path / "held.png", SHAPE, image=image)


def test_a_mask_of_nearly_everything_and_an_inverted_one_are_no_defect() -> None:
    mask = np.zeros(SHAPE, bool)
    mask[10:30, 10:40] = True
    incoming.require_defect(mask, 0.75)
    with pytest.raises(BadInput, match=r"marks 80 % of the image.*invert the mask"):
        incoming.require_defect(~mask, 0.75)
    mask[2:40, 2:50] = True  # a large defect: what is left marks less than half of the image
    incoming.require_defect(mask, 0.75)
    with pytest.raises(BadInput, match="inverted"):
        incoming.require_defect(~mask, 0.75)
    band = np.zeros(SHAPE, bool)
    band[:30] = True  # a large one that touches three borders
    incoming.require_defect(band, 0.75)


# --- names of pictures that are written -----------------------------------------------------------------------


def names_of(root: Path, *relative: str, named: tuple[str, ...]) -> list[str]:
    paths = [root / name for name in relative]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = pane_names(paths, [root / name for name in named])
    return [found[path] for path in paths]


def test_pictures_of_folders_with_one_name_get_the_shortest_names_that_differ(tmp_path: Path) -> None:
    assert names_of(
        tmp_path,
        "line1/good/0.png",
        "line2/good/0.png",
        "line1/good/1.png",
        named=("line1/good", "line2/good"),
    ) == ["line1-good-0-png", "line2-good-0-png", "good-1-png"]
    assert names_of(tmp_path, "x/0.png", "x/0.bmp", named=("x",)) == ["x-0-png", "x-0-bmp"]


def test_names_that_are_equal_once_they_are_flat_are_numbered(tmp_path: Path) -> None:
    found = names_of(tmp_path, "in/a-b/c.png", "in/a/b-c.png", "in/A-b/C.PNG", named=("in",))
    assert len({name_key(name) for name in found}) == 3 and found[0] == "in-a-b-c-png"
    long = [f"in/{'x' * 150}/{'y' * 200}{end}.png" for end in ("1", "2")]
    found = names_of(tmp_path, *long, named=("in",))
    assert len(set(found)) == 2 and all(len(name.encode()) <= LONGEST + 20 for name in found)


LAST = st.sampled_from(["c", "b-c", "C", "a.b"])
NAMES = st.sampled_from(["a", "A", "a-b", "b", "b-c", "c", "é", "e\u0301", "-", "x" * 90])


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(NAMES, NAMES, st.sampled_from(["c", "b-c", "C", "a.b"])),
        min_size=1,
        max_size=12,
        unique=True,
    )
)
def test_no_two_pictures_ever_get_one_name(parts: list[tuple[str, str, str]]) -> None:
    paths = [Path("/data", first, second, f"{last}.png") for first, second, last in parts]
    named = [Path("/data", first, second) for first, second, _ in parts[:3]]
    found = pane_names(paths, named)
    assert set(found) == set(paths)
    assert len({name_key(name) for name in found.values()}) == len(paths)
    assert all("/" not in name and not name.startswith((".", "-")) for name in found.values())
