"""Orientations of files as headers and pixels tell them, and kinds of TIFF files that OpenCV would misread."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from exdd_core import pixels
from exdd_core.errors import BadInput
from exdd_core.file_tags import ORIENTATION, pages, tag
from exdd_core.images import exif_orientation, header, mask_values, probe, read_image, read_values

PICTURE = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'


def exif(turn: int = 6, order: str = "<", kind: int = 3) -> bytes:
    """EXIF data of one tag. kind: 3 is a short, 4 a long number."""
    value = struct.pack(f"{order}{'HH' if kind == 3 else 'I'}", turn, *([0] if kind == 3 else []))
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(f"{order}IHHHI", 8, 1, ORIENTATION, kind, 1) + value + bytes(4)


def saved(format: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PICTURE).save(stream, format, lossless=True)
    return stream.getvalue()


def jpeg(marker: int, payload: bytes) -> bytes:
    """A JPEG file with a further segment behind its first marker."""
    whole = saved("JPEG")
    return whole[:2] + struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload + whole[2:]


def png(payload: bytes) -> bytes:
    """A PNG file with EXIF data behind its pixels."""
    whole, chunk = saved("PNG"), b"eXIf" + payload
    return (
        whole[:-12]
        + struct.pack(">I", len(payload))
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + whole[-12:]
    )


def webp(name: bytes, payload: bytes) -> bytes:
    """A WebP file with metadata."""
    stream = io.BytesIO()
    Image.fromarray(PICTURE).save(stream, "WEBP", lossless=True, **{name.decode().strip().lower(): payload})
    assert name in stream.getvalue()
    return stream.getvalue()


FILES = {
    "short": (jpeg(0xE1, b"Exif\0\0" + exif()), 6),
    "long of big bytes": (jpeg(0xE1, b"Exif\0\0" + exif(8, ">", 4)), 8),
    "out of range": (jpeg(0xE1, b"Exif\0\0" + exif(9)), 1),
    "XMP alone": (jpeg(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP), 1),
    "in a comment": (jpeg(0xFE, b"Exif\0\0" + exif()), 1),
    "of a preview behind the image": (saved("JPEG") + jpeg(0xE1, b"Exif\0\0" + exif()), 1),
    "PNG, behind the pixels": (png(exif()), 6),
    "PNG, cut off": (png(exif()[:15]), 1),
    "WebP": (webp(b"EXIF", exif(8)), 8),
    "WebP, XMP alone": (webp(b"XMP ", XMP), 1),
}


@pytest.mark.parametrize("name", FILES)
def test_header_pixels_and_masks_are_turned_alike(name: str) -> None:
    content, turn = FILES[name]
    assert exif_orientation(content) == turn
    shape = (20, 30) if turn == 1 else (30, 20)
    assert probe(content)[::-1] == read_image(content).shape[:2] == mask_values(content).shape == shape


def tiff(values: np.ndarray, **told: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **told)  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"compression": "zstd"}, "Zstandard compression"),
        ({"compression": "lzma"}, "LZMA compression"),
        ({"bitspersample": 10}, "10 bits per value"),
        ({"bitspersample": 14}, "14 bits per value"),
    ],
)
def test_an_intact_tiff_file_of_a_rare_kind_is_not_called_damaged(
    told: dict[str, object], words: str
) -> None:
    content = tiff(np.ones((20, 30), np.uint16), photometric="minisblack", **told)
    for reading in (read_image, read_values, mask_values):
        with pytest.raises(
            BadInput, match=rf"is a TIFF file with {words}, which cannot be read; save it as PNG\."
        ):
            reading(content)


def test_values_of_12_bits_are_as_they_were_stored() -> None:
    values = np.random.default_rng(0).integers(0, 4096, (20, 30), np.uint16)
    np.testing.assert_array_equal(
        read_values(tiff(values, bitspersample=12, photometric="minisblack")), values
    )


@pytest.mark.parametrize("big", [False, True])
def test_sixteen_bit_colours_in_planes_are_refused_instead_of_mixed_up(big: bool) -> None:
    planes = np.ascontiguousarray(np.moveaxis(PICTURE, -1, 0))
    told = {"photometric": "rgb", "planarconfig": "separate", "bigtiff": big}
    np.testing.assert_array_equal(read_image(tiff(planes, **told)), PICTURE)
    with pytest.raises(BadInput, match=r"plane of its own; save it with"):
        read_image(tiff(planes.astype(np.uint16), **told))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_tiff_in_which_zero_is_white_is_no_negative(dtype: type[np.unsignedinteger]) -> None:
    values = PICTURE[..., 0].astype(dtype)
    np.testing.assert_array_equal(
        read_values(tiff(values, photometric="miniswhite")), np.iinfo(dtype).max - values
    )
    with pytest.raises(BadInput, match=r"stores white as 0; save it with"):
        pixels.values_of(tiff(values.astype(np.uint32), photometric="miniswhite"), "x")


@pytest.mark.parametrize("tile", [(16, 16), (48, 48), (16, 48), (144, 16)])
@pytest.mark.parametrize("meant", ["minisblack", "miniswhite", "rgb"])
def test_uncompressed_tiles_of_any_size_are_read_as_other_readers_do(
    tile: tuple[int, int], meant: str
) -> None:
    values = np.random.default_rng(0).integers(0, 256, (100, 130, 3), np.uint8)
    content = tiff(values if meant == "rgb" else values[..., 0], tile=tile, photometric=meant)
    seen = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    np.testing.assert_array_equal(read_image(content), seen)
    cut = content[: len(content) // 2]
    with pytest.raises(BadInput, match="damaged or incomplete"):
        pixels.values_of(cut, "x")


def few_bits(
    values: np.ndarray, bits: int, meant: int, *more: tuple[int, int, int, int], end: bytes = b""
) -> bytes:
    """A grey or palette TIFF file, uncompressed. values: (H, W). more: further tags; what they point to is `end`."""
    each = (values[..., None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8)
    data = np.packbits(each.reshape(len(values), -1), axis=1).tobytes()
    height, width = values.shape
    tags = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, meant)]
    tags += [(273, 4, 1, 8 + len(end)), (277, 3, 1, 1), (278, 3, 1, height), (279, 4, 1, len(data)), *more]
    entries = b"".join(struct.pack("<HHII", *one) for one in sorted(tags))
    start = struct.pack("<2sHI", b"II", 42, 8 + len(end) + len(data))
    return start + end + data + struct.pack("<H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("meant", [0, 1, 3])
def test_few_bits_are_scaled_to_eight_as_other_readers_do(bits: int, meant: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**bits, (20, 33))
    palette = rng.integers(0, 256, (3, 2**bits)).astype("<u2") * 257
    content = few_bits(values, bits, meant)
    if meant == 3:
        content = few_bits(values, bits, meant, (320, 3, palette.size, 8), end=palette.tobytes())
    seen = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    np.testing.assert_array_equal(read_image(content), seen)
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(content)), values)
    odd = content.replace(struct.pack("<HHII", 258, 3, 1, bits), struct.pack("<HHII", 258, 3, 1, 7))
    with pytest.raises(BadInput, match="cannot be read"):
        pixels.values_of(odd, "x")
    with pytest.raises(BadInput, match="megapixels"):
        wide = struct.pack("<HHII", 256, 4, 1, 4_000_000)
        pixels.values_of(content.replace(struct.pack("<HHII", 256, 3, 1, 33), wide), "x")


def test_kinds_of_tiff_that_opencv_mixes_up_are_refused() -> None:
    two = np.ascontiguousarray(np.moveaxis(PICTURE[..., :2], -1, 0))
    planes = tiff(two.astype(np.uint16), photometric="minisblack", planarconfig="separate")
    with pytest.raises(BadInput, match="plane of its own"):
        read_image(planes)
    with pytest.raises(BadInput, match="grey values with an opacity"):
        read_image(tiff(PICTURE[..., :2], photometric="minisblack", extrasamples=["unassalpha"]))
    with pytest.raises(BadInput, match="kind of TIFF that cannot be read"):
        read_image(tiff(PICTURE[..., 0], compression="packbits", predictor=True))
    for compression in ("lzw", "zlib"):
        content = tiff(PICTURE, photometric="rgb", compression=compression, predictor=True)
        np.testing.assert_array_equal(read_image(content), PICTURE)


def test_a_fourth_channel_that_is_no_opacity_hides_nothing() -> None:
    infrared = np.zeros((20, 30, 1), np.uint8)
    values = np.concatenate([PICTURE, infrared], axis=2)
    for dtype in (np.uint8, np.uint16):
        for extra, wanted in (("unspecified", PICTURE), ("unassalpha", PICTURE * 0)):
            found = read_values(tiff(values.astype(dtype), photometric="rgb", extrasamples=[extra]))
            np.testing.assert_array_equal(found, wanted)


def test_the_orientation_of_a_tiff_is_told_as_that_of_other_files() -> None:
    told = {"photometric": "rgb", "extratags": [(ORIENTATION, 3, 1, 6, True)]}
    assert exif_orientation(tiff(PICTURE, **told)) == 6 and exif_orientation(tiff(PICTURE)) == 1
    assert read_image(tiff(PICTURE, **told)).shape == (30, 20, 3)


def test_signed_bytes_are_eight_bits() -> None:
    content = tiff((PICTURE[..., 0] // 2).astype(np.int8))
    assert not header(content).deep
    np.testing.assert_array_equal(read_values(content), PICTURE[..., 0] // 2)
    with pytest.raises(BadInput, match=r"negative values; save it"):
        read_image(tiff(PICTURE[..., 0].astype(np.int16) - 9))


def test_a_kind_of_tiff_that_cannot_be_read_is_not_called_damaged_alone() -> None:
    for kind, said in (
        (np.complex64, r"kind of TIFF that cannot be read; .* save it as PNG"),
        (np.float16, "floating-point values"),
        (np.float64, "floating-point values"),
    ):
        for read in (read_image, lambda content: pixels.values_of(content, "it")):
            with pytest.raises(BadInput, match=said):
                read(tiff(PICTURE[..., 0].astype(kind)))


@pytest.mark.parametrize("content", [b"", b"II*\0", exif()[:12], b"MM\0+" + bytes([255] * 12), bytes(64)])
def test_damaged_tags_are_no_tags(content: bytes) -> None:
    assert tag(io.BytesIO(content), ORIENTATION) == 1


@pytest.mark.parametrize("kind", ["TIFF", "BigTIFF", "PNG", "WEBP"])
@pytest.mark.parametrize("count", [1, 3])
def test_pages_are_counted_as_other_readers_do(kind: str, count: int) -> None:
    stream = io.BytesIO()
    if kind == "BigTIFF":
        with tifffile.TiffWriter(stream, bigtiff=True) as writer:
            for _ in range(count):
                writer.write(PICTURE)
    else:
        one, *others = [Image.fromarray(PICTURE + np.uint8(number)) for number in range(count)]
        one.save(stream, kind, save_all=True, append_images=others)
    assert pages(stream) == header(stream.getvalue()).pages == count
    assert pages(io.BytesIO(stream.getvalue()[:30])) == 1
