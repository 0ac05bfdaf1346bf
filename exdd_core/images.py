"""The one door for pixels: decode, check, orient, resize and restore images and masks.

It knows files, bytes and geometry, and every limit on what may come in. It does not know what an image is
for, where it is kept or who looks at it. Decoding is Pillow's, resizing OpenCV's.

Three spaces meet here: the *original image* (H, W), the *model input* (`Size`, what a backbone sees) and the
*grid* of patches (h, w) which evenly divides the model input. `Frame` says where the original image lies in
the model input; with `keep_aspect` a border around it is filled by repeating its edge.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image

from exdd_core.errors import BadInput

MAX_BYTES = 256 * 2**20
MAX_PIXELS = 80_000_000
MIN_SIDE = 16  # one step of the deepest feature map: anything smaller has nothing to look at
MIN_MODEL_SIDE, MAX_MODEL_SIDE = 32, 4096
MASK_THRESHOLD = 127  # a mask is set where it is brighter: JPEG rims and half-grey labels are not defect
# What tells a photograph from a mask: many levels, and many pixels neither near black nor near white. Real masks with
# the rims of JPEG have below 1 % of those, blurred by 8 pixels below 16 %; real images of surfaces have over 27 %.
MASK_LEVELS, BETWEEN, MOST_BETWEEN = 16, (48, 208), 0.25
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM")
FORMATS_TEXT = "PNG, JPEG, BMP, TIFF, WebP, PGM or PPM"
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
TWELVE_BIT, SIXTEEN_BIT = 4095, 65535

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Size:
    """The size of a model's input in pixels; `keep_aspect` letterboxes instead of stretching."""

    width: int
    height: int
    keep_aspect: bool = False

    @classmethod
    def parse(cls, text: str, keep_aspect: bool = False) -> Size:
        """Read "256x632" (width x height). Raises `BadInput`."""
        match = re.fullmatch(r"\s*(\d{1,6})\s*[xX×]\s*(\d{1,6})\s*", text)
        if not match:
            raise BadInput(f'"{text}" is not a size; write width x height in pixels, such as 256x632.')
        width, height = int(match[1]), int(match[2])
        for side in (width, height):
            if not MIN_MODEL_SIDE <= side <= MAX_MODEL_SIDE:
                raise BadInput(
                    f"The size {width}x{height} is out of range; "
                    f"choose sides from {MIN_MODEL_SIDE} to {MAX_MODEL_SIDE} pixels."
                )
        return cls(width, height, keep_aspect)

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


class Frame(NamedTuple):
    """The rectangle of the model input that the original image fills."""

    left: int
    top: int
    width: int
    height: int


# --- decoding -------------------------------------------------------------------------------------


def read_image(source: Path | str | bytes, name: str | None = None) -> np.ndarray:
    """Decode a file or its bytes to uint8 (H, W, 3) RGB, upright.

    Orientation is taken from EXIF. Transparent pixels are laid on black, which is what they hold in most
    files and what readers that ignore alpha show. Grey of more than 8 bits: values above 4095 anywhere mean
    16 bits, else 12 bits; the range of the type is scaled to 0..255, never the range of the values, so that
    the same brightness stays the same in every image of a camera. (10-bit data come out dark but alike:
    guessing 10 bits from the values would make a dark image four times as bright as its neighbour.)

    `name` is what messages call the image. Raises `BadInput`.
    """
    label = _label(source, name)
    with _opened(source, label) as image:
        return _to_rgb(_decode(image, label), label)


def read_mask(
    source: Path | str | bytes, shape: tuple[int, int] | None, name: str | None = None
) -> np.ndarray:
    """Decode a mask to bool (H, W): set where any channel is brighter than 127.

    `shape` is the (H, W) of its upright image; another size raises `BadInput`. None accepts any size. The raw
    values of a 16-bit mask are compared, because such masks mostly hold 0 and 255. Transparent is not set.
    """
    label = _label(source, name)
    return _of_shape(_brightness(source, label) > MASK_THRESHOLD, shape, label)


def take_mask(
    source: Path | str | bytes, shape: tuple[int, int] | None, name: str | None = None
) -> np.ndarray:
    """`read_mask` of what a person hands in for a mask: a photograph, too, raises `BadInput`."""
    label = _label(source, name)
    values = _brightness(source, label)
    if _is_photograph(values):
        raise BadInput(
            f"{label} is a photograph and no mask; a mask is white on the defect and black everywhere else."
        )
    return _of_shape(values > MASK_THRESHOLD, shape, label)


def _brightness(source: Path | str | bytes, label: str) -> np.ndarray:
    """The brightest channel of every pixel, (H, W), upright: 0 to 255, or the raw values of a deep image."""
    with _opened(source, label) as image:
        upright = _decode(image, label)
    if upright.mode == "L" or _is_deep(upright):
        return np.asarray(upright)
    return _to_rgb(upright, label).max(axis=2)


def _is_photograph(values: np.ndarray) -> bool:
    low, high = BETWEEN
    brightest = max(255, int(values.max()))  # a deep mask holds 0 and 255, or 0 and 65535
    between = (values > low) & (values < high * brightest / 255)
    return bool(between.mean() > MOST_BETWEEN) and len(np.unique(values)) > MASK_LEVELS


def _of_shape(mask: np.ndarray, shape: tuple[int, int] | None, label: str) -> np.ndarray:
    if shape is not None and mask.shape != tuple(shape):
        (height, width), (wanted_height, wanted_width) = mask.shape, shape
        turned = " (it seems turned by a quarter)" if (width, height) == (wanted_height, wanted_width) else ""
        raise BadInput(
            f"The mask {label} is {width} x {height} pixels but its image is {wanted_width} x {wanted_height}"
            f"{turned}; save the mask at the size of its image."
        )
    return mask


def probe(source: Path | str | bytes, name: str | None = None) -> tuple[int, int]:
    """The (width, height) of the upright image, from its header alone. Same limits as `read_image`."""
    with _opened(source, _label(source, name)) as image:
        width, height = image.size
        return (height, width) if _orientation(image) >= 5 else (width, height)


def _label(source: Path | str | bytes, name: str | None) -> str:
    if name is not None:
        return name
    return "the uploaded image" if isinstance(source, bytes) else str(source)


@contextmanager
def _opened(source: Path | str | bytes, label: str) -> Iterator[Image.Image]:
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
    return image.mode == "I" or image.mode.startswith("I;16")


def _to_rgb(image: Image.Image, label: str) -> np.ndarray:
    if _is_deep(image):
        grey = _scale_deep(np.asarray(image), label)
        return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    if image.mode == "F":
        raise BadInput(f"{label} holds floating-point values; save it with 8 or 16 bits a channel.")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGBA", layer.size, (0, 0, 0, 255))
        image.alpha_composite(layer)
    return np.array(image.convert("RGB"))


def _scale_deep(values: np.ndarray, label: str) -> np.ndarray:
    """Grey integers of more than 8 bits (H, W) to uint8 by the range of their type: 12 or 16 bits."""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > SIXTEEN_BIT:
        raise BadInput(f"{label} holds more than 16 bits a pixel; save it with 8 or 16 bits.")
    return (values >> (4 if high <= TWELVE_BIT else 8)).astype(np.uint8)


# --- sizes and places -----------------------------------------------------------------------------


def frame(size: Size, shape: tuple[int, int]) -> Frame:
    """Where an image of `shape` (H, W) lies in the model input: all of it, or centred when aspect is kept."""
    if not size.keep_aspect:
        return Frame(0, 0, size.width, size.height)
    height, width = shape
    scale = min(size.width / width, size.height / height)
    inner_width = min(size.width, max(1, round(width * scale)))
    inner_height = min(size.height, max(1, round(height * scale)))
    left, top = (size.width - inner_width) // 2, (size.height - inner_height) // 2
    return Frame(left, top, inner_width, inner_height)


def _fit(array: np.ndarray, width: int, height: int) -> np.ndarray:
    """Area averaging along what shrinks, bilinear along what grows."""
    # OpenCV's INTER_AREA silently becomes nearest-like as soon as one side grows, hence two steps.
    small = (min(array.shape[1], width), min(array.shape[0], height))
    if small != (array.shape[1], array.shape[0]):
        array = cv2.resize(array, small, interpolation=cv2.INTER_AREA)
    if small != (width, height):
        array = cv2.resize(array, (width, height), interpolation=cv2.INTER_LINEAR)
    return array


def resize_image(image: np.ndarray, size: Size) -> np.ndarray:
    """uint8 (H, W, 3) to uint8 (size.height, size.width, 3); a letterbox repeats the image's edge."""
    left, top, width, height = frame(size, image.shape[:2])
    inner = _fit(image, width, height)
    right, bottom = size.width - width - left, size.height - height - top
    if not (left or top or right or bottom):
        return np.ascontiguousarray(inner)
    return cv2.copyMakeBorder(inner, top, bottom, left, right, cv2.BORDER_REPLICATE)


def resize_mask(mask: np.ndarray, size: Size) -> np.ndarray:
    """bool (H, W) to bool (size.height, size.width) by nearest neighbour; the letterbox is False."""
    left, top, width, height = frame(size, mask.shape[:2])
    inner = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    result = np.zeros((size.height, size.width), dtype=bool)
    result[top : top + height, left : left + width] = inner > 0
    return result


def restore_map(map: np.ndarray, size: Size, shape: tuple[int, int]) -> np.ndarray:
    """A map at model size (size.height, size.width) to float32 (H, W) of the original image, bilinear."""
    if map.shape != (size.height, size.width):
        raise ValueError(f"a map of {map.shape} is not at model size {(size.height, size.width)}")
    left, top, width, height = frame(size, shape)
    inner = np.ascontiguousarray(map[top : top + height, left : left + width], dtype=np.float32)
    return cv2.resize(inner, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)


def patch_box(
    row: int, column: int, grid: tuple[int, int], size: Size, shape: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The pixels (x0, y0, x1, y1), ends excluded, of the original image that a patch covers; never empty.

    A pixel belongs to the patch that its centre lies in, so the boxes of a grid tile the image. A patch
    wholly in the letterbox gets the nearest pixels of the image, a patch smaller than a pixel that pixel.
    """
    inside = frame(size, shape)
    x0, x1 = _span(column, grid[1], size.width, inside.left, inside.width, shape[1])
    y0, y1 = _span(row, grid[0], size.height, inside.top, inside.height, shape[0])
    return x0, y0, x1, y1


def patch_at(y: int, x: int, grid: tuple[int, int], size: Size, shape: tuple[int, int]) -> tuple[int, int]:
    """The (row, column) of the patch that covers pixel (y, x) of the original image; outside, the nearest."""
    inside = frame(size, shape)
    return (
        _step(y, grid[0], size.height, inside.top, inside.height, shape[0]),
        _step(x, grid[1], size.width, inside.left, inside.width, shape[1]),
    )


# Along one axis: model coordinate X = offset + x * inner / length, patch = floor(X * steps / side). Whole
# numbers only, so that _span and _step agree on every pixel.
def _span(step: int, steps: int, side: int, offset: int, inner: int, length: int) -> tuple[int, int]:
    def first_pixel(edge: int) -> int:  # the first x whose centre x + 1/2 is not before this patch edge
        twice = 2 * length * (edge * side - offset * steps) - inner * steps
        return -(-twice // (2 * inner * steps))

    start = min(max(first_pixel(step), 0), length - 1)
    return start, min(max(first_pixel(step + 1), start + 1), length)


def _step(pixel: int, steps: int, side: int, offset: int, inner: int, length: int) -> int:
    step = ((2 * int(pixel) + 1) * inner + 2 * length * offset) * steps // (2 * length * side)
    return min(max(step, 0), steps - 1)


# --- going out ------------------------------------------------------------------------------------


def thumbnail(image: np.ndarray, side: int = 192) -> np.ndarray:
    """uint8 (H, W, 3) shrunk to at most `side` pixels on its longer side; a small image stays as it is."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    return _fit(image, max(1, round(width * scale)), max(1, round(height * scale)))


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
