"""The one door for pixels: every limit has its sentence, and places map back to where they came from."""

from __future__ import annotations

import io
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from PIL import Image, ImageFilter

from exdd_core import decoding, images, pixels
from exdd_core.errors import BadInput
from exdd_core.images import (
    Size,
    encode_jpeg,
    encode_png,
    patch_at,
    patch_box,
    probe,
    read_image,
    read_mask,
    resize_image,
    resize_mask,
    restore_map,
    take_mask,
    thumbnail,
)


def picture(height: int = 40, width: int = 60, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def saved(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format=format, **options)
    return stream.getvalue()


def refused(source: Path | bytes, *words: str) -> str:
    """The sentence with which `source` is refused: one sentence, with all `words`."""
    with pytest.raises(BadInput) as caught:
        read_image(source)
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text and "Traceback" not in text
    assert all(word in text for word in words), text
    return text


# --- what is read -------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_come_back_as_they_were(format: str) -> None:
    pixels = picture()
    assert np.array_equal(read_image(saved(Image.fromarray(pixels), format)), pixels)


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_lossy_formats_come_back_nearly(format: str) -> None:
    pixels = np.full((40, 60, 3), (200, 120, 40), dtype=np.uint8)
    difference = read_image(saved(Image.fromarray(pixels), format, quality=95)).astype(int) - pixels
    assert np.abs(difference).max() <= 4


def test_grey_becomes_three_equal_channels() -> None:
    grey = picture()[..., 0]
    assert np.array_equal(read_image(saved(Image.fromarray(grey))), np.repeat(grey[..., None], 3, axis=2))


def test_palette_is_looked_up() -> None:
    pixels = np.zeros((20, 20, 3), dtype=np.uint8)
    pixels[:, :10] = (250, 10, 10)
    assert np.array_equal(read_image(saved(Image.fromarray(pixels).quantize(4))), pixels)


@pytest.mark.parametrize("colour", [(79, 216, 255), (0, 0, 0), (255, 255, 255)])
def test_what_is_painted_in_an_editor_is_told_by_its_opacity(colour: tuple[int, int, int]) -> None:
    layer = np.zeros((20, 30, 4), np.uint8)
    layer[..., :3] = colour
    assert not images.read_layer(saved(Image.fromarray(layer)), "It").any()
    layer[5:9, 3:20, 3] = 255
    layer[0, 0, 3] = 100
    assert np.array_equal(images.read_layer(saved(Image.fromarray(layer)), "It"), layer[..., 3] == 255)
    layer[..., 3] = 255  # all over: neither its colour nor a missing opacity makes it empty
    for mode in ("RGBA", "RGB"):
        whole = images.read_layer(saved(Image.fromarray(layer).convert(mode)), "It")
        assert whole.shape == (20, 30) and whole.all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("grey", [0, 255])
def test_a_mask_of_one_colour_that_is_opaque_everywhere_has_its_colour(mode: str, grey: int) -> None:
    mask = Image.new("L", (30, 20), grey).convert(mode)
    assert (images.mask_values(saved(mask), "It") == grey).all()


def test_a_picture_is_no_layer_of_an_editor() -> None:
    half = np.zeros((20, 30), np.uint8)
    half[:10] = 255
    with pytest.raises(BadInput, match="It has no transparency"):
        images.read_layer(saved(Image.fromarray(half)), "It")


def test_transparent_pixels_lie_on_black() -> None:
    layer = np.full((20, 20, 4), 255, dtype=np.uint8)
    layer[0, 0, 3] = 0
    layer[1, 1, 3] = 128
    pixels = read_image(saved(Image.fromarray(layer)))
    assert pixels.shape == (20, 20, 3)
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[1, 1].tolist() == [128, 128, 128]
    assert pixels[2, 2].tolist() == [255, 255, 255]


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_by_their_range(format: str) -> None:
    deep = np.full((20, 20), 256 * 100 + 17, dtype=np.uint16)
    deep[0, 0] = 65535
    pixels = read_image(saved(Image.fromarray(deep), format))
    assert pixels[0, 0, 0] == 255 and pixels[5, 5, 0] == 100


def test_twelve_bits_in_sixteen_are_scaled_by_twelve() -> None:
    deep = np.full((20, 20), 2048, dtype=np.uint16)
    assert read_image(saved(Image.fromarray(deep)))[5, 5, 0] == 128
    # A dark image of the same camera keeps its brightness relative to the others.
    assert read_image(saved(Image.fromarray(deep // 8)))[5, 5, 0] == 16


def test_floating_point_images_are_refused() -> None:
    refused(saved(Image.fromarray(np.ones((20, 20), dtype=np.float32)), "TIFF"), "floating-point")
    refused(saved(Image.frombytes("LAB", (20, 20), bytes(1200)), "TIFF"), "has L")


@pytest.mark.parametrize("bits", [1, 8])
def test_a_grey_value_that_is_transparent_is_black(bits: int) -> None:
    grey = Image.fromarray(np.tile(np.array([0, 255], dtype=np.uint8), (20, 10)))
    content = io.BytesIO()
    grey.convert("1" if bits == 1 else "L").save(content, "PNG", transparency=1 if bits == 1 else 255)
    assert b"tRNS" in content.getvalue() and not read_image(content.getvalue()).any()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied_once(orientation: int, format: str) -> None:
    """The four quarters of the upright image tell where they are; the file holds it turned."""
    upright = np.zeros((32, 48), dtype=np.uint8)
    upright[:16, 24:], upright[16:, :24], upright[16:, 24:] = 80, 160, 240
    undo = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    turn = decoding.TURNS.get(undo)
    stored = Image.fromarray(upright)
    stored = stored.transpose(turn) if turn is not None else stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(stored, format, exif=exif)
    assert probe(data) == (48, 32)
    pixels = read_image(data)[..., 0].astype(int)
    assert pixels.shape == (32, 48)
    assert np.abs(pixels[8::16, 12::24] - upright[8::16, 12::24]).max() <= 6


def test_probe_reads_no_pixels(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    path.write_bytes(encode_png(picture(300, 400))[:4000])
    assert probe(path) == (400, 300)
    refused(path, "cut.png", "damaged")


def test_a_large_photograph_is_read_in_reasonable_time() -> None:
    photograph = encode_jpeg(resize_image(picture(75, 100), Size(4000, 3000)))
    began = time.process_time()
    assert read_image(photograph).shape == (3000, 4000, 3)
    assert time.process_time() - began < 3  # 0.15 s on an idle core


# --- what is refused ----------------------------------------------------------------------------------


def test_truncated_files_are_refused(tmp_path: Path) -> None:
    for name, data in (("a.png", encode_png(picture())), ("b.jpg", encode_jpeg(picture(200, 200)))):
        path = tmp_path / name
        path.write_bytes(data[: len(data) // 2])
        refused(path, name, "damaged or incomplete", "copy it again")


def test_a_flipped_byte_inside_a_png_is_refused() -> None:
    data = bytearray(encode_png(picture()))
    data[len(data) // 2] ^= 0xFF
    refused(bytes(data), "the uploaded image")


def test_a_text_file_named_png_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("not pixels")
    refused(path, "notes.png", "not an image", "PNG, JPEG")


def test_formats_outside_the_list_are_refused() -> None:
    refused(saved(Image.fromarray(picture()), "GIF"), "not an image that can be read")


def test_one_pixel_is_refused() -> None:
    refused(saved(Image.new("L", (1, 1))), "1 x 1", "at least 16")
    assert read_image(saved(Image.new("L", (16, 16)))).shape == (16, 16, 3)


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_a_bomb_is_refused_from_its_header(side: int) -> None:
    """A few bytes that promise 100 megapixels and more, with no pixel behind them."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")
    refused(bomb, "80 megapixels", "make it smaller")
    with pytest.raises(BadInput, match="80 megapixels"):
        probe(bomb)


def test_too_many_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "MAX_BYTES", 2**10)
    refused(encode_png(picture()), "MB", "make it smaller")


def test_empty_missing_and_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    refused(tmp_path / "empty.png", "empty.png", "0 bytes")
    refused(b"", "the uploaded image", "0 bytes")
    refused(tmp_path / "nowhere.png", "nowhere.png", "does not exist")
    refused(tmp_path, tmp_path.name, "is a folder")
    refused(Path("null\0character.png"), "cannot be opened")
    refused(Path("/proc/self/mem"), "cannot be opened")  # a file that opens and cannot be read


def test_messages_use_the_name_that_is_given(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^part7\.png does not exist"):
        read_image(tmp_path / "upload-3fa9.tmp", name="part7.png")


@settings(max_examples=150)
@given(
    data=st.binary(max_size=200), cut=st.integers(0, 400), at=st.integers(0, 400), kind=st.sampled_from("PJT")
)
def test_no_bytes_end_in_anything_but_pixels_or_a_sentence(data: bytes, cut: int, at: int, kind: str) -> None:
    image = Image.fromarray(picture(20, 20))
    whole = saved(image, {"P": "PNG", "J": "JPEG", "T": "TIFF"}[kind])
    spoiled = whole[:at] + data + whole[at + cut :]
    try:
        pixels = read_image(spoiled)
    except BadInput as error:
        assert str(error).endswith(".")
    else:
        assert pixels.dtype == np.uint8 and pixels.ndim == 3


# --- masks --------------------------------------------------------------------------------------------


def test_masks_are_set_above_127() -> None:
    grey = np.tile(np.arange(120, 136, dtype=np.uint8), (16, 1))
    assert np.array_equal(read_mask(saved(Image.fromarray(grey)), (16, 16)), grey > 127)


def test_masks_in_colour_palette_one_bit_and_sixteen_bits() -> None:
    wanted = np.zeros((20, 30), dtype=bool)
    wanted[3:9, 4:20] = True
    red = np.zeros((20, 30, 3), dtype=np.uint8)
    red[wanted, 0] = 255  # grey value 76 only
    sources = [
        Image.fromarray(red),
        Image.fromarray(red).quantize(2),
        Image.fromarray(wanted),
        Image.fromarray(wanted.astype(np.uint16) * 255),
        Image.fromarray(wanted.astype(np.uint16) * 65535),
    ]
    for source in sources:
        assert np.array_equal(read_mask(saved(source), (20, 30)), wanted), source.mode


def test_a_mask_of_another_size_is_refused() -> None:
    mask = saved(Image.new("L", (30, 20)))
    with pytest.raises(BadInput, match=r"30 x 20 pixels but its image is 31 x 20;"):
        read_mask(mask, (20, 31))
    with pytest.raises(BadInput, match="rotated by 90°"):
        read_mask(mask, (30, 20))
    assert read_mask(mask, None).shape == (20, 30)


@pytest.mark.parametrize("kind", ["grain", "narrow", "deep", "dark ground"])
def test_a_photograph_is_no_mask(kind: str) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (64, 64)).astype(np.uint8)
    if kind == "narrow":  # an even surface: few levels, all of them grey
        pixels = rng.integers(90, 110, (64, 64)).astype(np.uint8)
    elif kind == "dark ground":
        pixels[:, :32] = 0
    image = Image.fromarray(pixels.astype(np.uint16) * 257 if kind == "deep" else pixels)
    assert read_mask(saved(image), (64, 64)).shape == (64, 64)  # what is kept already can still be read
    with pytest.raises(BadInput, match="surface.png is a photograph, not a mask; a mask is white"):
        take_mask(saved(image), (64, 64), "surface.png")


def test_masks_with_soft_rims_or_labels_are_taken() -> None:
    wanted = np.zeros((96, 128), dtype=np.uint8)
    wanted[20:60, 30:36] = wanted[70:90, 50:110] = 255
    labels = np.where(np.arange(128) < 60, wanted, wanted // 2)  # half grey over a large part
    labels[:, 90:] = 128
    for source in (
        saved(Image.fromarray(wanted)),
        saved(Image.fromarray(wanted), "JPEG", quality=10),
        saved(Image.fromarray(wanted).filter(ImageFilter.GaussianBlur(4))),
        saved(Image.fromarray(labels.astype(np.uint8))),
        saved(Image.fromarray(wanted.astype(np.uint16) * 257)),
        saved(Image.new("L", (128, 96))),
    ):
        assert np.array_equal(take_mask(source, (96, 128)), read_mask(source, (96, 128)))
    with pytest.raises(BadInput, match="its image is"):
        take_mask(saved(Image.fromarray(wanted)), (96, 127))


# --- sizes --------------------------------------------------------------------------------------------


def test_size_reads_what_it_writes() -> None:
    assert Size.parse(" 256X632 ") == Size(256, 632)
    assert str(Size(256, 632)) == "256x632"


@pytest.mark.parametrize("text", ["", "256", "256x", "0x10", "256x9999", "-5x256", "a x b"])
def test_wrong_sizes_are_refused(text: str) -> None:
    with pytest.raises(BadInput):
        Size.parse(text)


def test_shrinking_averages_areas() -> None:
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 200
    image = np.repeat(checks.astype(np.uint8)[..., None], 3, axis=2)
    assert np.unique(resize_image(image, Size(32, 32))).tolist() == [100]
    # Also where only one side shrinks: the other must not switch the averaging off.
    assert np.unique(resize_image(image[:32], Size(32, 64))[8:-8]).tolist() == [100]


def test_letterbox_keeps_the_shape_and_repeats_the_edge() -> None:
    image = np.zeros((50, 100, 3), dtype=np.uint8)
    image[0], image[-1] = 255, 90
    image[:, :, 2] = 7
    out = resize_image(image, Size(100, 100, keep_aspect=True))
    assert out.shape == (100, 100, 3)
    assert np.array_equal(out[25:75], image)
    assert (out[:25] == image[0]).all() and (out[75:] == image[-1]).all()
    mask = resize_mask(np.ones((50, 100), dtype=bool), Size(100, 100, keep_aspect=True))
    assert mask[25:75].all() and not mask[:25].any() and not mask[75:].any()


def test_masks_are_resized_by_nearest_neighbour_without_drift() -> None:
    mask = np.zeros((64, 64), dtype=bool)
    mask[16:48, 8:24] = True
    small = resize_mask(mask, Size(32, 32))
    assert small.dtype == bool
    assert np.array_equal(small, mask[::2, ::2])
    assert np.array_equal(resize_mask(mask[:, ::-1], Size(32, 32)), small[:, ::-1])


shapes = st.tuples(st.integers(16, 300), st.integers(16, 300))
sizes = st.builds(Size, st.integers(32, 300), st.integers(32, 300), st.booleans())
grids = st.tuples(st.integers(1, 40), st.integers(1, 40))


@settings(max_examples=60)
@given(shape=shapes, size=sizes)
def test_restore_map_undoes_resizing(shape: tuple[int, int], size: Size) -> None:
    """A plane resized to the model and restored is the same plane, but for the edges' half pixel."""
    assume(shape[0] * 20 > shape[1] and shape[1] * 20 > shape[0])
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    plane = (y / shape[0] + x / shape[1]) * 100
    image = np.repeat(plane.astype(np.uint8)[..., None], 3, axis=2)
    restored = restore_map(resize_image(image, size)[..., 0].astype(np.float32), size, shape)
    assert restored.shape == shape and restored.dtype == np.float32
    inner = images.frame(size, shape)
    step = 100 / min(inner.width, *shape) + 100 / min(inner.height, *shape) + 2  # a pixel, and rounding
    assert np.abs(restored - plane).max() <= step


def test_restore_map_refuses_a_map_of_another_size() -> None:
    with pytest.raises(ValueError, match="model size"):
        restore_map(np.zeros((10, 10), np.float32), Size(32, 32), (50, 50))


@settings(max_examples=200)
@given(shape=shapes, size=sizes, grid=grids, data=st.data())
def test_every_pixel_lies_in_the_box_of_its_patch(
    shape: tuple[int, int], size: Size, grid: tuple[int, int], data: st.DataObject
) -> None:
    y, x = data.draw(st.integers(0, shape[0] - 1)), data.draw(st.integers(0, shape[1] - 1))
    row, column = patch_at(y, x, grid, size, shape)
    assert 0 <= row < grid[0] and 0 <= column < grid[1]
    x0, y0, x1, y1 = patch_box(row, column, grid, size, shape)
    assert x0 <= x < x1 and y0 <= y < y1


@settings(max_examples=40)
@given(shape=shapes, size=sizes, grid=grids)
def test_boxes_stay_inside_and_tile_the_image(
    shape: tuple[int, int], size: Size, grid: tuple[int, int]
) -> None:
    covered = np.zeros(shape, dtype=int)
    for row in range(grid[0]):
        for column in range(grid[1]):
            x0, y0, x1, y1 = patch_box(row, column, grid, size, shape)
            assert 0 <= x0 < x1 <= shape[1] and 0 <= y0 < y1 <= shape[0]
            if patch_at(y0, x0, grid, size, shape) == (row, column):  # not one from the letterbox
                assert patch_at(y1 - 1, x1 - 1, grid, size, shape) == (row, column)
                covered[y0:y1, x0:x1] += 1
    assert (covered == 1).all()


def test_a_patch_box_worked_by_hand() -> None:
    # 200 x 100 stretched to 64 x 64 with 8 x 8 patches: each covers 25 by 12.5 pixels. The centre of pixel 37
    # lies on the edge of the next row.
    assert patch_box(2, 3, (8, 8), Size(64, 64), (100, 200)) == (75, 25, 100, 37)
    # Letterboxed it fills rows 16..48: patch rows 2..5, each 25 pixels high.
    boxed = Size(64, 64, keep_aspect=True)
    assert patch_box(2, 0, (8, 8), boxed, (100, 200)) == (0, 0, 25, 25)
    assert patch_box(5, 7, (8, 8), boxed, (100, 200)) == (175, 75, 200, 100)
    assert patch_at(99, 199, (8, 8), boxed, (100, 200)) == (5, 7)
    assert patch_box(0, 0, (8, 8), boxed, (100, 200)) == (0, 0, 25, 1)  # in the letterbox: the nearest pixels


# --- going out ----------------------------------------------------------------------------------------


def test_png_round_trip_and_masks_as_black_and_white() -> None:
    pixels = picture()
    assert np.array_equal(read_image(encode_png(pixels)), pixels)
    mask = pixels[..., 0] > 100
    assert np.array_equal(read_mask(encode_png(mask), mask.shape), mask)
    assert np.unique(np.asarray(Image.open(io.BytesIO(encode_png(mask))))).tolist() == [0, 255]


def test_thumbnails_shrink_and_never_grow() -> None:
    assert thumbnail(picture(400, 200), 100).shape == (100, 50, 3)
    assert thumbnail(picture(40, 20), 100).shape == (40, 20, 3)
    assert thumbnail(picture(16, 2000), 100).shape == (1, 100, 3)


def test_real_images_and_masks_are_read(real_data: Path) -> None:
    path = real_data / "kolektor_sdd" / "kos01" / "Part5.jpg"
    image = read_image(path)
    assert image.shape == (1270, 500, 3) and probe(path) == (500, 1270)
    mask = read_mask(path.with_name("Part5_label.bmp"), image.shape[:2])
    assert 0 < mask.mean() < 0.1
    files = [*real_data.glob("kolektor_sdd/kos0[1-5]/*"), *real_data.glob("magnetic_tile/MT_[BC]*/Imgs/*3.*")]
    assert len(files) > 100
    for file in files:
        if file.suffix == ".jpg":
            with pytest.raises(BadInput, match="is a photograph, not a mask"):
                take_mask(file, None)
        else:
            assert np.array_equal(take_mask(file, None), read_mask(file, None))
