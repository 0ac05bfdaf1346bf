"""What is an image is told by its first bytes, for import, score and upload alike."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image, TiffImagePlugin

from exdd_core import formats
from exdd_core.errors import BadInput
from exdd_core.formats import FORMATS, is_system_file, may_be_picture, picture_format
from exdd_core.images import header, mask_values, read_image


def encoded(format: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((20, 20), 90, np.uint8)).save(stream, format)
    return stream.getvalue()


@pytest.mark.parametrize("format", [*formats.FORMATS, "GIF"])
@pytest.mark.parametrize("name", ["a.png", "a.jfif", "a.dat", "a", "a.gif"])
def test_content_decides_and_no_name(tmp_path: Path, format: str, name: str) -> None:
    (tmp_path / name).write_bytes(encoded(format))
    assert picture_format(tmp_path / name) == format
    assert (picture_format(tmp_path / name) in FORMATS) == (format != "GIF")


@pytest.mark.parametrize("format", ["AVIF", "JPEG2000", "ICO", "PCX", "SGI"])
def test_other_pictures_are_told_apart(tmp_path: Path, format: str) -> None:
    try:
        content = encoded(format)
    except (KeyError, OSError):
        pytest.skip(f"this Pillow writes no {format}")
    name = {"PCX": "a.pcx", "SGI": "a.sgi"}.get(format, "a.ico")
    (tmp_path / name).write_bytes(content)
    assert picture_format(tmp_path / name) in formats.OTHER_SUFFIXES


def test_a_damaged_image_is_still_one(tmp_path: Path) -> None:
    """Whoever decodes it says what is wrong; a text file of any other name is none."""
    for name, wanted in (("a.png", True), ("b.JPG", True), ("notes.txt", False), ("c.heic", False)):
        (tmp_path / name).write_bytes(b"some text")
        assert (picture_format(tmp_path / name) in FORMATS) == wanted
    assert picture_format(tmp_path / "c.heic") == "HEIC"
    (tmp_path / "d.pfm").write_bytes(b"Pf\n4 4\n-1.0\n")
    assert picture_format(tmp_path / "d.pfm") == "portable float map"
    (tmp_path / "empty.tif").touch()
    assert picture_format(tmp_path / "empty.tif") in FORMATS


@pytest.mark.parametrize("text", [b"BMW built this", b"P6 is a bus line", b"II is a numeral", b"RIFFraff"])
def test_text_that_begins_like_a_signature_is_no_picture(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "notes").write_bytes(text)
    assert picture_format(tmp_path / "notes") == ""


@given(st.binary(max_size=200))
def test_any_bytes_are_sorted(content: bytes) -> None:
    assert isinstance(may_be_picture("file", content), bool)


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", "@eaDir", "__MACOSX", "._a.png", "desktop.ini"])
def test_what_systems_leave_is_known(name: str) -> None:
    assert is_system_file(name) and not is_system_file("thumbs.png")


def test_raw_camera_files_are_not_read_as_their_preview(tmp_path: Path) -> None:
    """Such files are TIFF files whose first page is a small preview."""
    for name in ("a.dng", "a.NEF", "a.arw"):
        (tmp_path / name).write_bytes(encoded("TIFF"))
        assert picture_format(tmp_path / name) == "raw camera" and "raw camera" not in FORMATS
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0xC612] = b"\x01\x04\x00\x00"
    tags.tagtype[0xC612] = 1
    Image.fromarray(np.full((20, 20), 90, np.uint8)).save(tmp_path / "renamed.tif", tiffinfo=tags)
    with pytest.raises(BadInput, match="renamed.tif is a raw camera file, of which only a small preview"):
        read_image(tmp_path / "renamed.tif", "renamed.tif")


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
@pytest.mark.parametrize("apart", [False, True])
def test_the_first_page_of_an_animation_is_what_every_program_shows(mode: str, apart: bool) -> None:
    """Also where it is no frame of it, and for a mask alike."""
    first, *others = (Image.fromarray(np.full((20, 24), v, np.uint8)).convert(mode) for v in (10, 100, 200))
    stream = io.BytesIO()
    first.save(stream, "PNG", save_all=True, append_images=others, default_image=apart)
    content = stream.getvalue()
    assert b"acTL" in content and header(content).pages == 3
    assert (read_image(content) == 10).all() and (mask_values(content) == mask_values(content)[0, 0]).all()
