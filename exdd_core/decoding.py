"""Opens an image file with Pillow: checks its header against every limit, and decodes masks and layers upright.

Pixels of images are `pixels`'s, which knows no header and no palette. Knows files and EXIF orientations. Does not know
masks, bit depths of data sets or what an image is for.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from exdd_core import file_tags, pixels
from exdd_core.formats import FORMATS, HEAD, format_of
from exdd_core.pixels import Source

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
BITS_PER_SAMPLE = 258  # of TIFF


@contextmanager
def opened(source: Source, label: str) -> Iterator[Image.Image]:
    """Open an image and check its header; no pixel is decoded yet.

    Raises `BadInput` for a file that cannot be opened, is no image of a format that is read, or breaks a
    limit.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else pixels.open_file(Path(source), label) as stream:
        try:
            pixels.require_length(stream.seek(0, io.SEEK_END), label)
            stream.seek(0)
            image = _identify(stream, label)
        except OSError as error:
            raise pixels.unreadable(label, error) from None
        pixels.require_size(*image.size, label)
        yield image


def _identify(stream: io.BufferedIOBase, label: str) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow has a pixel limit of its own; `opened` checks ours
        try:
            return Image.open(stream, formats=FORMATS)  # type: ignore[arg-type]
        except Image.DecompressionBombError:
            raise pixels.too_large(label) from None
        except Exception:  # the parsers of formats raise many kinds of errors for broken headers
            stream.seek(0)
            kind = format_of(stream.read(HEAD))
            if kind == "TIFF" and file_tags.tag(stream, file_tags.SAMPLE_FORMAT) == pixels.FLOATS:  # type: ignore[arg-type]
                raise pixels.of_floats(label) from None
            if kind not in FORMATS:
                raise pixels.unknown(label) from None
            raise pixels.damaged(label, kind, _content(stream)) from None


def _content(stream: io.BufferedIOBase | None) -> bytes:
    if stream is None or stream.closed:
        return b""
    stream.seek(0)
    return stream.read()


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8, that is still to be applied to an image that was not decoded yet."""
    stream = getattr(image, "fp", None)
    if image.format == "TIFF" or stream is None:  # Pillow applies it to TIFF images itself
        return 1
    before = stream.tell()
    try:
        return file_tags.orientation(stream)
    finally:
        stream.seek(before)


def tiff_orientation(image: Image.Image) -> int:
    """The orientation, 1 to 8, that Pillow and OpenCV apply to an opened TIFF image."""
    stream = image.fp  # type: ignore[attr-defined]
    before = stream.tell()
    try:
        value = file_tags.tag(stream, file_tags.ORIENTATION)
        return value if 1 <= value <= 8 else 1
    finally:
        stream.seek(before)


def decode(image: Image.Image, label: str) -> Image.Image:
    """Decode the pixels of an opened image and turn them upright. Raises `BadInput` for a damaged file."""
    turn = TURNS.get(orientation_of(image))
    try:
        image.load()
        return image.transpose(turn) if turn is not None else image
    except MemoryError:
        raise
    except Exception:  # decoders raise OSError, SyntaxError, ValueError, struct.error and others for damage
        raise pixels.damaged(label, image.format, _content(getattr(image, "fp", None))) from None


def is_deep(image: Image.Image) -> bool:
    """Whether an opened image has more than 8 bits a channel, which Pillow cuts to 8 for colours."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        return True
    if image.format == "TIFF":
        bits = image.tag_v2.get(BITS_PER_SAMPLE, (8,))  # type: ignore[attr-defined]
        return image.mode != "F" and max(bits) > 8
    tiles = getattr(image, "tile", ())
    return _largest_of_ppm(image) > 255 or (
        image.format == "PNG" and any(";16" in str(tile[3]) for tile in tiles)
    )


def _largest_of_ppm(image: Image.Image) -> int:
    """The value of white in the header of a PGM or PPM file; 0 for any other format."""
    if image.format != "PPM":
        return 0
    decoders = [args for tile in getattr(image, "tile", ()) if isinstance(args := tile[3], tuple)]
    return max((int(args[1]) for args in decoders if len(args) > 1), default=0)


def to_rgb(image: Image.Image, label: str) -> np.ndarray:
    """A decoded image as uint8 (H, W, 3); transparent pixels are laid on black.

    Raises `BadInput` for floats.
    """
    if image.mode == "F":
        raise pixels.of_floats(label)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGBA", layer.size, (0, 0, 0, 255))
        image.alpha_composite(layer)
    return np.array(image.convert("RGB"))
