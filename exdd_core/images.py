"""The one door for pixels: decode, check, orient, resize and restore images and masks.

It knows files, bytes and every limit on what may come in, and offers `geometry` with it. It does not know what an
image is for, where it is kept or who looks at it. Decoding is Pillow's, and OpenCV's for colours of more than 8 bits,
which Pillow cuts.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image

from exdd_core import mask_rules
from exdd_core.depth import HIGHEST, Depth
from exdd_core.errors import BadInput
from exdd_core.formats import FORMATS, FORMATS_TEXT
from exdd_core.geometry import (
    Frame,
    Size,
    fit,
    frame,
    mask_share,
    patch_at,
    patch_box,
    resize_image,
    resize_mask,
    restore_map,
)
from exdd_core.mask_rules import MaskRule

__all__ = [
    "Frame",
    "Header",
    "Size",
    "by_brightest",
    "encode_jpeg",
    "encode_png",
    "exif_orientation",
    "frame",
    "header",
    "mask_share",
    "mask_values",
    "of_shape",
    "patch_at",
    "patch_box",
    "probe",
    "read_deep",
    "read_image",
    "read_layer",
    "read_mask",
    "require_mask",
    "resize_image",
    "resize_mask",
    "restore_map",
    "take_mask",
    "thumbnail",
    "turned",
]

Source = Path | str | bytes

MAX_BYTES = 256 * 2**20
MAX_PIXELS = 80_000_000
MIN_SIDE = 16  # one step of the deepest feature map: anything smaller has nothing to look at
TWELVE_BIT = 4095
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# The same for arrays, which OpenCV leaves as they lie in the file.
TURNED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}
BITS_PER_SAMPLE = 258  # of TIFF

# What tells a photograph from a mask: many levels, and many pixels neither near black nor near white. Real masks with
# the rims of JPEG have below 1 % of those, blurred by 8 pixels below 16 %; real images of surfaces have over 27 %.
MASK_LEVELS, BETWEEN, MOST_BETWEEN = 16, (48, 208), 0.25
FEW_COLOURS = 16  # a mask of at most so many colours, not all of them grey, tells its labels by colour


# --- decoding -------------------------------------------------------------------------------------


def read_image(source: Source, name: str | None = None, depth: Depth | None = None) -> np.ndarray:
    """Decode the first page of a file or its bytes to uint8 (H, W, 3) RGB, upright.

    Orientation is taken from EXIF. Transparent pixels are laid on black, which is what they hold in most
    files and what readers that ignore alpha show. depth: the window of values of an image with more than 8 bits a
    channel, grey or colour; None reads it as bank versions did that were built before depths were kept: values above
    4095, but for single bright pixels, mean 16 bits, else 12 bits. `name` is what messages call the image. Raises
    `BadInput`.
    """
    label = _label(source, name)
    with _opened(source, label) as image:
        if _is_deep(image):
            return _scaled(_deep_values(image, source, label), depth)
        return _to_rgb(_decode(image, label), label)


def read_deep(source: Source, name: str | None = None) -> np.ndarray | None:
    """The raw values of an image with more than 8 bits a channel, upright: uint16 (H, W) or (H, W, 3) RGB.

    None for an image of 8 bits. Raises `BadInput`.
    """
    label = _label(source, name)
    with _opened(source, label) as image:
        return _deep_values(image, source, label) if _is_deep(image) else None


def read_mask(
    source: Source,
    shape: tuple[int, int] | None,
    name: str | None = None,
) -> np.ndarray:
    """Decode a mask that is kept here to bool (H, W): set above 127.

    `shape` is the (H, W) of its upright image; another size raises `BadInput`. None accepts any size.
    """
    label = _label(source, name)
    return of_shape(MaskRule().marks(mask_values(source, label)), shape, label)


def take_mask(source: Source, shape: tuple[int, int] | None, name: str | None = None) -> np.ndarray:
    """`read_mask` of what a person hands in for a mask, by the rule that its own values call for.

    A photograph raises `BadInput`.
    """
    label = _label(source, name)
    values = mask_values(source, label)
    require_mask(values, label)
    return of_shape(mask_rules.decide([values]).marks(values), shape, label)


def read_layer(source: bytes, name: str) -> np.ndarray:
    """What is painted in an image of a browser's editor, by its opacity alone: bool (h, w).

    One without transparency is painted all over, in one colour. Raises `BadInput`.
    """
    with _opened(source, name) as image:
        layer = _decode(image, name)
    if layer.has_transparency_data:
        return np.asarray(layer.convert("RGBA").getchannel("A")) > mask_rules.USUAL
    pixels = _to_rgb(layer, name)
    if (pixels != pixels[0, 0]).any():
        raise BadInput(
            f"{name} has no transparency, so nothing tells what is painted; make what is not painted transparent."
        )
    return np.ones(pixels.shape[:2], bool)


def mask_values(source: Source, name: str | None = None) -> np.ndarray:
    """What a mask's file holds as grey values (H, W), upright: the brightest channel, or the raw values of a deep one.

    A mask whose labels are told by colour, by a palette or without, has 0 on its background and 255 elsewhere; a
    palette that gives several labels one colour is passed over for the numbers of the labels. Transparent is 0; where
    nothing else differs, what is opaque is marked.
    """
    label = _label(source, name)
    with _opened(source, label) as image:
        if _is_deep(image):
            values = _deep_values(image, source, label)
            return values if values.ndim == 2 else values.max(axis=2)
        upright = _decode(image, label)
    if upright.mode == "L":
        return np.asarray(upright)
    if upright.mode == "P" and "transparency" not in upright.info:
        return _by_palette(upright)
    values = _by_colour(_to_rgb(upright, label))
    if upright.mode in ("RGBA", "LA") and values.min() == values.max():  # black paint on a transparent layer
        return np.asarray(upright.getchannel("A"))
    return values


def _by_palette(image: Image.Image) -> np.ndarray:
    """Brightness of a palette of greys; 255 on every label but the background's of one of colours; else the labels."""
    numbers = np.asarray(image)
    used = np.flatnonzero(np.bincount(numbers.ravel()))
    palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    if used[-1] >= len(palette) or len(np.unique(palette[used], axis=0)) < len(used):
        return numbers
    if (palette[used] == palette[used, :1]).all():
        return palette[:, 0][numbers]
    black = used[(palette[used] == 0).all(axis=1)]
    return np.where(numbers == (black[0] if len(black) else used[0]), 0, 255).astype(np.uint8)


def _by_colour(pixels: np.ndarray) -> np.ndarray:
    """RGB (H, W, 3) to 0 on the background and 255 on any other colour; where colours are greys or many: brightness.

    The background is black where there is any, else the commonest colour.
    """
    brightest = pixels.max(axis=2)
    if (pixels == pixels[..., :1]).all():
        return brightest
    codes = pixels.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    colours, counts = np.unique(codes, return_counts=True)
    if len(colours) > FEW_COLOURS:
        return brightest
    return np.where(codes == (0 if colours[0] == 0 else colours[counts.argmax()]), 0, 255).astype(np.uint8)


def require_mask(values: np.ndarray, label: str) -> None:
    """Raise `BadInput` where the values of a mask file are those of a photograph."""
    if _is_photograph(values):
        raise BadInput(
            f"{label} is a photograph and no mask; a mask is white on the defect and black everywhere else."
        )


def _is_photograph(values: np.ndarray) -> bool:
    low, high = BETWEEN
    brightest = max(255, int(values.max()))  # a deep mask holds 0 and 255, or 0 and 65535
    between = (values > low) & (values < high * brightest / 255)
    return bool(between.mean() > MOST_BETWEEN) and len(np.unique(values)) > MASK_LEVELS


def of_shape(mask: np.ndarray, shape: tuple[int, int] | None, label: str) -> np.ndarray:
    if shape is not None and mask.shape != tuple(shape):
        (height, width), (wanted_height, wanted_width) = mask.shape, shape
        turn = " (it seems turned by a quarter)" if (width, height) == (wanted_height, wanted_width) else ""
        raise BadInput(
            f"The mask {label} is {width} x {height} pixels but its image is {wanted_width} x {wanted_height}"
            f"{turn}; save the mask at the size of its image."
        )
    return mask


def probe(source: Source, name: str | None = None) -> tuple[int, int]:
    """The (width, height) of the upright image, from its header alone. Same limits as `read_image`."""
    with _opened(source, _label(source, name)) as image:
        width, height = image.size
        return (height, width) if _orientation(image) >= 5 else (width, height)


class Header(NamedTuple):
    """What an image's header tells: more than 8 bits a channel or not, and how many pages or frames there are."""

    deep: bool
    pages: int


def header(source: Source, name: str | None = None) -> Header:
    """Only the first page of a file is ever read. Raises `BadInput`."""
    with _opened(source, _label(source, name)) as image:
        try:
            return Header(_is_deep(image), int(getattr(image, "n_frames", 1)))
        except Exception:  # a damaged directory of pages is told when the pixels are read
            return Header(_is_deep(image), 1)


def exif_orientation(source: Source, name: str | None = None) -> int:
    """The EXIF orientation, 1 to 8, by which `read_image` turns the image; 1 is upright. Raises `BadInput`."""
    with _opened(source, _label(source, name)) as image:
        return _orientation(image)


# --- files ---


def turned(array: np.ndarray, turn: int) -> np.ndarray:
    """An array (H, W, ...) as stored in a file, turned by its EXIF orientation, 1 to 8."""
    return TURNED[turn](array) if turn in TURNED else array


def _label(source: Source, name: str | None) -> str:
    if name is not None:
        return name
    return "the uploaded image" if isinstance(source, bytes) else str(source)


@contextmanager
def _opened(source: Source, label: str) -> Iterator[Image.Image]:
    """The header, past every limit that can be known from it; no pixel is decoded yet."""
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
        return path.open("rb")
    except IsADirectoryError:
        raise BadInput(f"{label} is a folder; name an image file in it.") from None
    except FileNotFoundError:
        raise BadInput(f"{label} does not exist; check the path.") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or "not a path"
        raise BadInput(f"{label} cannot be opened ({reason}); check the path and its permissions.") from None


def _identify(stream: io.BufferedIOBase, label: str) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns near its own pixel limit; ours is checked right after
        try:
            return Image.open(stream, formats=FORMATS)  # type: ignore[arg-type]
        except Image.DecompressionBombError:
            raise BadInput(_too_large(label, "is far larger")) from None
        except Exception:  # broken headers raise whatever the format's parser trips over
            raise BadInput(
                f"{label} is not an image that can be read, or it is damaged; use {FORMATS_TEXT}."
            ) from None


def _too_large(label: str, how: str) -> str:
    return (
        f"{label} {how}, more than the {MAX_PIXELS // 10**6} megapixels that are read; "
        "save it smaller or cut it into tiles."
    )


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1..8 still to be applied; anything unreadable counts as upright."""
    if image.format == "TIFF":  # Pillow turns TIFF by itself, size included
        return 1
    if image.format == "PNG" and "exif" not in image.info:  # getexif would decode the PNG to look behind it
        return 1
    try:
        value = int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # malformed EXIF is no reason to refuse the pixels
        return 1
    return value if value in TURNS else 1


def _decode(image: Image.Image, label: str) -> Image.Image:
    turn = TURNS.get(_orientation(image))
    try:
        image.load()
        return image.transpose(turn) if turn is not None else image
    except MemoryError:
        raise
    except Exception:  # decoders raise OSError, SyntaxError, ValueError, struct.error, ... for the same thing
        raise BadInput(f"{label} is damaged or cut short; copy it again from where it came from.") from None


def _is_deep(image: Image.Image) -> bool:
    """Whether it has more than 8 bits a channel, which Pillow cuts to 8 where it has colours."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        return True
    if image.format == "TIFF":
        return image.mode != "F" and max(image.tag_v2.get(BITS_PER_SAMPLE, (8,))) > 8  # type: ignore[attr-defined]
    tiles = getattr(image, "tile", ())
    return _largest_of_ppm(image) > 255 or (
        image.format == "PNG" and any(";16" in str(tile[3]) for tile in tiles)
    )


def _largest_of_ppm(image: Image.Image) -> int:
    """The value of white that the header of a PGM or PPM file names; 0 for another format and for plain bytes."""
    if image.format != "PPM":
        return 0
    told = [args for tile in getattr(image, "tile", ()) if isinstance(args := tile[3], tuple)]
    return max((int(args[1]) for args in told if len(args) > 1), default=0)


def _deep_values(image: Image.Image, source: Source, label: str) -> np.ndarray:
    """uint16 (H, W) or (H, W, 3) RGB, upright."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        white = _largest_of_ppm(image) or HIGHEST
        values = np.asarray(_decode(image, label))
        if white < HIGHEST:  # Pillow has stretched them to 16 bits
            values = np.rint(values * (white / HIGHEST)).astype(np.int64)
    else:
        data = np.frombuffer(source if isinstance(source, bytes) else Path(source).read_bytes(), np.uint8)
        read = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)  # without EXIF
        if read is None or read.ndim not in (2, 3):
            raise BadInput(f"{label} is damaged or cut short; copy it again from where it came from.")
        if read.ndim == 3:
            opaque = read[..., 3:] if read.shape[2] == 4 else None
            read = np.where(opaque > 0, read[..., :3], 0) if opaque is not None else read
            read = read[..., ::-1]
        values = turned(read, _orientation(image))
    if values.dtype.kind not in "iu" or values.min() < 0 or values.max() > HIGHEST:
        raise BadInput(f"{label} holds more than 16 bits a pixel; save it with 8 or 16 bits.")
    return np.ascontiguousarray(values, np.uint16)


def by_brightest(values: np.ndarray) -> Depth:
    """12 or 16 bits, by the brightest of an image's values, (H, W) or (H, W, 3), that is no single bright pixel."""
    return Depth.of_bits(12 if cv2.medianBlur(values, 3).max() <= TWELVE_BIT else 16)


def _scaled(values: np.ndarray, depth: Depth | None) -> np.ndarray:
    """Values of more than 8 bits, (H, W) or (H, W, 3), to uint8 (H, W, 3)."""
    small = (depth or by_brightest(values)).to_8_bits(values)
    return cv2.cvtColor(small, cv2.COLOR_GRAY2RGB) if small.ndim == 2 else small


def _to_rgb(image: Image.Image, label: str) -> np.ndarray:
    if image.mode == "F":
        raise BadInput(f"{label} holds floating-point values; save it with 8 or 16 bits a channel.")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGBA", layer.size, (0, 0, 0, 255))
        image.alpha_composite(layer)
    return np.array(image.convert("RGB"))


# --- going out ------------------------------------------------------------------------------------


def thumbnail(image: np.ndarray, side: int = 192) -> np.ndarray:
    """uint8 (H, W, 3) shrunk to at most `side` pixels on its longer side; a small image stays as it is."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    return fit(image, max(1, round(width * scale)), max(1, round(height * scale)))


def encode_png(array: np.ndarray) -> bytes:
    """uint8 (H, W), uint8 (H, W, 3 or 4) or bool (H, W), written as 0 and 255, to a PNG file's bytes."""
    pixels = array.astype(np.uint8) * 255 if array.dtype == bool else array
    return _encode(pixels, "PNG", compress_level=1)


def encode_jpeg(array: np.ndarray, quality: int = 90) -> bytes:
    """uint8 (H, W) or (H, W, 3) to a JPEG file's bytes."""
    return _encode(array, "JPEG", quality=quality)


def _encode(array: np.ndarray, format: str, **options: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(stream, format=format, **options)
    return stream.getvalue()
