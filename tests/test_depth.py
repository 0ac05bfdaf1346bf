"""One window of values for all images of a data set, whatever a single pixel says."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from exdd_core.depth import BITS, Depth, guess
from exdd_core.errors import BadInput
from exdd_core.images import read_deep, read_image


def png(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(("text", "low", "high"), [("12", 0, 4095), ("8", 0, 255), ("100-3000", 100, 3000)])
def test_depths_are_written_as_they_are_read(text: str, low: int, high: int) -> None:
    depth = Depth.parse(text)
    assert (depth.low, depth.high, str(depth)) == (low, high, text)


@pytest.mark.parametrize("text", ["", "11", "many", "300-100", "5-5", "0-65536", "-1-7", "12 bits"])
def test_other_depths_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is not a valid bit depth"):
        Depth.parse(text)


def test_values_by_hand() -> None:
    values = np.array([[0, 15, 16], [4095, 4096, 65535]], np.uint16)
    assert Depth.of_bits(12).to_8_bits(values).tolist() == [[0, 0, 1], [255, 255, 255]]
    assert Depth.of_bits(16).to_8_bits(values).tolist() == [[0, 0, 0], [15, 16, 255]]
    # 100 is black, 610 is white: 2 values a step.
    dark = Depth.parse("0-127").to_8_bits(np.array([0, 63, 127, 9000], np.uint16))  # a window of 7 bits
    assert dark.tolist() == [0, 126, 255, 255]
    window = Depth(100, 610).to_8_bits(np.array([0, 100, 102, 355, 610, 9000], np.uint16))
    assert window.tolist() == [0, 0, 1, 127, 255, 255]
    assert Depth(100, 610).beyond(np.array([99, 100, 610, 611])) == 0.5


@given(st.sampled_from(BITS), st.integers(0, 65535), st.integers(0, 65535))
def test_brighter_stays_brighter(bits: int, one: int, other: int) -> None:
    low, high = np.sort(np.array([one, other], np.uint16))
    small = Depth.of_bits(bits).to_8_bits(np.array([low, high]))
    assert small[0] <= small[1]


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_the_depth_of_a_camera_is_guessed_from_all_images(bits: int) -> None:
    rng = np.random.default_rng(bits)
    shots = [rng.integers(0, 2**bits, (64, 64)).astype(np.uint16) for _ in range(4)]
    assert guess(shots) == Depth.of_bits(bits)
    assert guess([shot // 40 for shot in shots] + shots) == Depth.of_bits(
        bits
    )  # dark ones are of the same camera


def test_a_hot_pixel_changes_nothing() -> None:
    shots = [np.full((128, 128), 2900, np.uint16) for _ in range(3)]
    shots[1][5, 5] = 4200
    assert guess(shots) == Depth.of_bits(12)
    alone = np.full((128, 128), 2900, np.uint16)
    bright = alone.copy()
    bright[0, 0] = 65535
    assert guess([alone]) == guess([bright]) == Depth.of_bits(12)
    changed = read_image(png(bright), None, Depth.of_bits(12)) != read_image(
        png(alone), None, Depth.of_bits(12)
    )
    assert changed.any(axis=2).sum() == 1


def test_no_deep_image_no_depth() -> None:
    assert guess([]) is None
    assert read_deep(png(np.full((20, 20), 7, np.uint8))) is None


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colours_keep_all_their_bits(tmp_path: Path, suffix: str) -> None:
    """12 bits of colour in 16: Pillow alone would leave next to nothing of them."""
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 4096, (24, 40, 3)).astype(np.uint16)
    file = tmp_path / f"deep{suffix}"
    assert cv2.imwrite(str(file), rgb[..., ::-1])
    raw = read_deep(file)
    assert raw is not None and np.array_equal(raw, rgb)
    assert np.array_equal(read_image(file, None, Depth.of_bits(12)), (rgb >> 4).astype(np.uint8))
    assert np.array_equal(read_image(file.read_bytes(), None, Depth.of_bits(12)), (rgb >> 4).astype(np.uint8))


@pytest.mark.parametrize("white", [1023, 4095, 65535])
@pytest.mark.parametrize("kind", ["P2", "P5", "P6"])
def test_portable_maps_keep_the_values_that_they_hold(white: int, kind: str) -> None:
    """Pillow stretches grey ones to 16 bits and cuts colours to 8: neither is what the camera wrote."""
    values = (np.arange(32 * 32).reshape(32, 32) * 61 % (white + 1)).astype(">u2")
    header = f"{kind}\n32 32\n{white}\n".encode()
    if kind == "P2":
        file = header + b" ".join(str(value).encode() for value in values.ravel().tolist()) + b"\n"
    else:
        file = header + (values if kind == "P5" else np.repeat(values[..., None], 3, 2)).tobytes()
    raw = read_deep(file)
    assert raw is not None and np.array_equal(raw if kind != "P6" else raw[..., 0], values)
    assert guess([np.full((20, 20), white, np.uint16)]) == Depth(0, white)
    assert np.array_equal(read_image(file, None, Depth(0, white))[..., 0], Depth(0, white).to_8_bits(values))


def test_deep_colours_are_turned_by_exif(tmp_path: Path) -> None:
    rgb = np.zeros((20, 32, 3), np.uint16)
    rgb[:10, :8] = 4095
    assert cv2.imwrite(str(tmp_path / "plain.png"), rgb)
    import struct
    import zlib

    data = (tmp_path / "plain.png").read_bytes()
    exif = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0) + b"\0\0\0\0"
    chunk = b"eXIf" + exif
    turned = (
        data[:33] + struct.pack(">I", len(exif)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]
    )
    pixels = read_image(turned, None, Depth.of_bits(12))
    assert pixels.shape == (32, 20, 3)
    assert np.array_equal(pixels[..., 0] > 0, np.rot90(rgb[..., 0] > 0, -1))
