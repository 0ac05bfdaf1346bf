"""Opens an image file, checks it against every limit, and decodes its first page upright.

Decoding is Pillow's, and OpenCV's for colours of more than 8 bits, which Pillow cuts to 8. Knows files,
bytes, EXIF orientations and the limits on what may come in. Does not know masks, bit depths of data sets or
what an image is for.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image

from exdd_core import files
from exdd_core.depth import HIGHEST
from exdd_core.errors import BadInput
from exdd_core.formats import FORMATS, FORMATS_TEXT
from exdd_core.geometry import MIN_SIDE, turned

Source = Path | str | bytes

MAX_BYTES = 256 * 2**20
MAX_PIXELS = 80_000_000

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


def label_of(source: Source, name: str | None) -> str:
    """What messages call an image: `name`, else its path."""
    if name is not None:
        return name
    return "the uploaded image" if isinstance(source, bytes) else str(source)


@contextmanager
def opened(source: Source, label: str) -> Iterator[Image.Image]:
    """Open an image and check its header; no pixel is decoded yet.

    Raises `BadInput` for a file that cannot be opened, is no image of a format that is read, or breaks a
    limit.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else _open_file(Path(source), label) as stream:
        length = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        if length == 0:
            raise BadInput(f"{label} is empty (0 bytes); save or copy it again.")
        if length > MAX_BYTES:
            raise BadInput(
                f"{label} has {length / 2**20:.0f} MB, more than the {MAX_BYTES // 2**20} MB that are read; "
                "save it smaller or cut it into tiles."
            )
        image = _identify(stream, label)
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise BadInput(_too_large(label, f"is {width} x {height} pixels"))
        if min(width, height) < MIN_SIDE:
            raise BadInput(
                f"{label} is {width} x {height} pixels; an image needs at least {MIN_SIDE} on each side, "
                "use the original picture."
            )
        yield image


def _open_file(path: Path, label: str) -> io.BufferedReader:
    try:
        if path.is_dir():
            raise BadInput(f"{label} is a folder; name an image file in it.")
        files.require_regular(path, label)
        return path.open("rb")
    except BadInput:
        raise
    except FileNotFoundError:
        raise BadInput(f"{label} does not exist; check the path.") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or "not a path"
        raise BadInput(f"{label} cannot be opened ({reason}); check the path and its permissions.") from None


def _identify(stream: io.BufferedIOBase, label: str) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow has a pixel limit of its own; `opened` checks ours
        try:
            return Image.open(stream, formats=FORMATS)  # type: ignore[arg-type]
        except Image.DecompressionBombError:
            raise BadInput(_too_large(label, "is far larger")) from None
        except Exception:  # the parsers of formats raise many kinds of errors for broken headers
            raise BadInput(
                f"{label} is not an image that can be read, or it is damaged; use {FORMATS_TEXT}."
            ) from None


def _too_large(label: str, how: str) -> str:
    return (
        f"{label} {how}, more than the {MAX_PIXELS // 10**6} megapixels that are read; "
        "save it smaller or cut it into tiles."
    )


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8, that is still to be applied; 1 where it cannot be read."""
    if image.format == "TIFF":  # Pillow applies it to TIFF images itself
        return 1
    if image.format == "PNG" and "exif" not in image.info:  # getexif would decode all pixels first
        return 1
    try:
        value = int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # malformed EXIF data do not make the pixels unreadable
        return 1
    return value if value in TURNS else 1


def decode(image: Image.Image, label: str) -> Image.Image:
    """Decode the pixels of an opened image and turn them upright. Raises `BadInput` for a damaged file."""
    turn = TURNS.get(orientation_of(image))
    try:
        image.load()
        return image.transpose(turn) if turn is not None else image
    except MemoryError:
        raise
    except Exception:  # decoders raise OSError, SyntaxError, ValueError, struct.error and others for damage
        raise BadInput(f"{label} is damaged or cut short; copy it again from where it came from.") from None


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


def deep_values(image: Image.Image, source: Source, label: str) -> np.ndarray:
    """The values of an opened deep image, upright: uint16 (H, W) or (H, W, 3) RGB.

    source: the image's file or bytes. Raises `BadInput` for a damaged file and for more than 16 bits a
    channel.
    """
    if image.mode == "I" or image.mode.startswith("I;16"):
        white = _largest_of_ppm(image) or HIGHEST
        values = np.asarray(decode(image, label))
        if white < HIGHEST:  # Pillow has scaled the values to 16 bits
            values = np.rint(values * (white / HIGHEST)).astype(np.int64)
    else:
        data = np.frombuffer(source if isinstance(source, bytes) else Path(source).read_bytes(), np.uint8)
        read = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)  # without EXIF orientation
        if read is None or read.ndim not in (2, 3):
            raise BadInput(f"{label} is damaged or cut short; copy it again from where it came from.")
        if read.ndim == 3:
            opaque = read[..., 3:] if read.shape[2] == 4 else None
            read = np.where(opaque > 0, read[..., :3], 0) if opaque is not None else read
            read = read[..., ::-1]
        values = turned(read, orientation_of(image))
    if values.dtype.kind not in "iu" or values.min() < 0 or values.max() > HIGHEST:
        raise BadInput(f"{label} holds more than 16 bits a pixel; save it with 8 or 16 bits.")
    return np.ascontiguousarray(values, np.uint16)


def to_rgb(image: Image.Image, label: str) -> np.ndarray:
    """A decoded image as uint8 (H, W, 3); transparent pixels are laid on black.

    Raises `BadInput` for floats.
    """
    if image.mode == "F":
        raise BadInput(f"{label} holds floating-point values; save it with 8 or 16 bits a channel.")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGBA", layer.size, (0, 0, 0, 255))
        image.alpha_composite(layer)
    return np.array(image.convert("RGB"))
