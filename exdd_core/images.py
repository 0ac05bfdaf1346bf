"""The one door for pixels: reads images and masks from files, encodes them, and offers all of `geometry`.

Knows images, bit depths and mask files; `decoding` opens the files, `pixels` reads images. Does not know what an image
is for, where it is kept or who looks at it.
"""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
from PIL import Image

from exdd_core import mask_rules, pixels
from exdd_core.decoding import decode, is_deep, opened, orientation_of, tiff_orientation, to_rgb
from exdd_core.depth import Depth
from exdd_core.errors import BadInput
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
    turned,
)
from exdd_core.mask_rules import MaskRule
from exdd_core.pixels import Source, label_of

__all__ = [
    "Frame",
    "Header",
    "Size",
    "encode_jpeg",
    "encode_png",
    "exif_orientation",
    "few_colours",
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
    "read_values",
    "require_mask",
    "resize_image",
    "resize_mask",
    "restore_map",
    "take_mask",
    "thumbnail",
    "turned",
]

# A photograph has many levels, and many pixels that are neither almost black nor almost white. Of these, real
# masks with JPEG artefacts at their edges have below 1 %, masks blurred by 8 pixels below 16 %, real images
# of surfaces over 27 %.
MASK_LEVELS, BETWEEN, MOST_BETWEEN = 16, (48, 208), 0.25

# A mask with at most this many colours, not all of them grey, marks its labels by colour.
FEW_COLOURS = 16
VOID, VOID_COLOUR = 255, (224, 224, 192)  # what Pascal VOC's palettes say of pixels whose class is not sure


def read_image(source: Source, name: str | None = None, depth: Depth | None = None) -> np.ndarray:
    """Decode the first page of a file or its bytes to uint8 (H, W, 3) RGB, upright.

    The EXIF orientation is applied. Transparent pixels are laid on black, which they hold in most files and
    which readers that ignore alpha show. depth: the window of values of an image with more than 8 bits a
    channel; None guesses it by its brightest values, as bank versions did that stored no depth. name: what messages
    call the image. Raises `BadInput`.
    """
    values = read_values(source, name)
    if values.dtype == np.uint8:
        return pixels.to_rgb(values, None)
    return pixels.to_rgb(values, depth or pixels.depth_of(values, by_brightest=True))


def read_values(source: Source, name: str | None = None) -> np.ndarray:
    """The values of an image, upright: uint8, or uint16 of more than 8 bits a channel; (H, W) or (H, W, 3) RGB.

    Raises `BadInput`.
    """
    label = label_of(source, name)
    with opened(source, label):  # what its header promises is refused before anything is decoded
        pass
    return pixels.values_of(source, label)


def read_deep(source: Source, name: str | None = None) -> np.ndarray | None:
    """The raw values of an image with more than 8 bits a channel, upright: uint16 (H, W) or (H, W, 3) RGB.

    None for an image of 8 bits. Raises `BadInput`.
    """
    with opened(source, label_of(source, name)) as image:
        deep = is_deep(image)
    return read_values(source, name) if deep else None


def read_mask(
    source: Source,
    shape: tuple[int, int] | None,
    name: str | None = None,
) -> np.ndarray:
    """Decode a mask that the workspace wrote to bool (H, W): True above 127.

    shape: (H, W) of its upright image, None for any. Raises `BadInput` for another size.
    """
    label = label_of(source, name)
    return of_shape(MaskRule().marks(mask_values(source, label)), shape, label)


def take_mask(source: Source, shape: tuple[int, int] | None, name: str | None = None) -> np.ndarray:
    """Decode a mask file from a person to bool (H, W), by the rule that fits its own values.

    shape: (H, W) of its upright image, None for any. Raises `BadInput` for another size and for a photograph.
    """
    label = label_of(source, name)
    values = mask_values(source, label)
    require_mask(values, label)
    return of_shape(mask_rules.decide([values]).marks(values), shape, label)


def read_layer(source: bytes, name: str) -> np.ndarray:
    """Which pixels are painted in a layer of a browser's editor, by their opacity alone: bool (h, w).

    A layer without transparency counts as painted everywhere, if it has one colour; else raises `BadInput`.
    """
    with opened(source, name) as image:
        layer = decode(image, name)
    if layer.has_transparency_data:
        return np.asarray(layer.convert("RGBA").getchannel("A")) > mask_rules.USUAL
    pixels = to_rgb(layer, name)
    if (pixels != pixels[0, 0]).any():
        raise BadInput(
            f"{name} has no transparency, so the painted area is unknown; make everything that is not painted "
            "transparent."
        )
    return np.ones(pixels.shape[:2], bool)


def mask_values(source: Source, name: str | None = None) -> np.ndarray:
    """Decode a mask file to grey values (H, W), upright: uint8, or uint16 of a deep image.

    A grey mask keeps its values. A mask that marks labels by colours has 0 on its background and 255
    elsewhere. A palette that gives several labels the same colour is ignored: the numbers of the labels are
    the values. Transparent pixels and those that Pascal VOC calls void are 0. If only the opacity varies, it is the
    value. Raises `BadInput`.
    """
    label = label_of(source, name)
    with opened(source, label) as image:
        if is_deep(image):
            values = pixels.values_of(source, label)
            return values if values.ndim == 2 else values.max(axis=2)
        upright = decode(image, label)
    if upright.mode == "L":
        return np.asarray(upright)
    if upright.mode == "P" and "transparency" not in upright.info:
        return _by_palette(upright)
    values = _by_colour(to_rgb(upright, label))
    if upright.mode in ("RGBA", "LA") and values.min() == values.max():
        # Such as black paint on a transparent layer. An image that is opaque everywhere marks nothing by its opacity.
        opacity = np.asarray(upright.getchannel("A"))
        return opacity if opacity.min() < opacity.max() else values
    return values


def _by_palette(image: Image.Image) -> np.ndarray:
    """The values of a mask with a palette, uint8 (H, W).

    Greys for a palette of greys; for a palette of colours 0 on the background and 255 elsewhere; the numbers
    of the labels if the palette gives several of them the same colour.
    """
    numbers = np.asarray(image)
    palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    if len(palette) > VOID and tuple(palette[VOID]) == VOID_COLOUR:
        numbers = np.where(numbers == VOID, 0, numbers)
    used = np.flatnonzero(np.bincount(numbers.ravel()))
    if used[-1] >= len(palette) or len(np.unique(palette[used], axis=0)) < len(used):
        return numbers
    if (palette[used] == palette[used, :1]).all():
        return palette[:, 0][numbers]
    black = used[(palette[used] == 0).all(axis=1)]
    return np.where(numbers == (black[0] if len(black) else used[0]), 0, 255).astype(np.uint8)


def _by_colour(pixels: np.ndarray) -> np.ndarray:
    """RGB (H, W, 3) to 0 on the background and 255 on any other colour; to brightness for greys and many colours.

    The background is black, if any pixel is, else the most common colour.
    """
    brightest = pixels.max(axis=2)
    if (pixels == pixels[..., :1]).all():
        return brightest
    codes = _codes(pixels)
    colours, counts = np.unique(codes, return_counts=True)
    if len(colours) > FEW_COLOURS:
        return brightest
    return np.where(codes == (0 if colours[0] == 0 else colours[counts.argmax()]), 0, 255).astype(np.uint8)


def few_colours(values: np.ndarray) -> bool:
    """Whether an image, (H, W, 3), has so few colours that they may be labels."""
    return len(np.unique(_codes(values))) <= FEW_COLOURS


def _codes(values: np.ndarray) -> np.ndarray:
    """A number for each colour of (H, W, 3), 0 for black."""
    return values.astype(np.uint64) @ np.array([1 << 32, 1 << 16, 1], np.uint64)


def require_mask(values: np.ndarray, label: str) -> None:
    """Raise `BadInput` if the values of a mask file are those of a photograph."""
    if _is_photograph(values):
        raise BadInput(
            f"{label} is a photograph, not a mask; a mask is white on the defect and black everywhere else."
        )


def _is_photograph(values: np.ndarray) -> bool:
    low, high = BETWEEN
    brightest = max(255, int(values.max()))  # a deep mask holds 0 and 255, or 0 and 65535
    between = (values > low) & (values < high * brightest / 255)
    return bool(between.mean() > MOST_BETWEEN) and len(np.unique(values)) > MASK_LEVELS


def of_shape(mask: np.ndarray, shape: tuple[int, int] | None, label: str) -> np.ndarray:
    """The mask itself. Raises `BadInput` unless it has the (H, W) of its image; None accepts any."""
    if shape is not None and mask.shape != tuple(shape):
        (height, width), (wanted_height, wanted_width) = mask.shape, shape
        turn = " (it seems to be rotated by 90°)" if (width, height) == (wanted_height, wanted_width) else ""
        raise BadInput(
            f"The mask {label} is {width} x {height} pixels but its image is {wanted_width} x {wanted_height}"
            f"{turn}; save the mask at the size of its image."
        )
    return mask


def probe(source: Source, name: str | None = None) -> tuple[int, int]:
    """The (width, height) of the upright image, from its header alone. Same limits as `read_image`."""
    with opened(source, label_of(source, name)) as image:
        width, height = image.size
        return (height, width) if orientation_of(image) >= 5 else (width, height)


class Header(NamedTuple):
    """From a file's header: whether the image has more than 8 bits a channel, and the number of pages or frames."""

    deep: bool
    pages: int


def header(source: Source, name: str | None = None) -> Header:
    """The header of a file, of which only the first page is ever decoded. Raises `BadInput`."""
    with opened(source, label_of(source, name)) as image:
        try:
            return Header(is_deep(image), int(getattr(image, "n_frames", 1)))
        except Exception:  # a damaged directory of pages is reported when the pixels are read
            return Header(is_deep(image), 1)


def exif_orientation(source: Source, name: str | None = None) -> int:
    """The EXIF orientation, 1 to 8, by which `read_image` turns the image; 1 is upright.

    Raises `BadInput`.
    """
    with opened(source, label_of(source, name)) as image:
        return tiff_orientation(image) if image.format == "TIFF" else orientation_of(image)


def thumbnail(image: np.ndarray, side: int = 192) -> np.ndarray:
    """Shrink uint8 (H, W, 3) to at most `side` pixels on its longer side; a small image stays as it is."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    return fit(image, max(1, round(width * scale)), max(1, round(height * scale)))


def encode_png(array: np.ndarray) -> bytes:
    """Encode uint8 (H, W), uint8 (H, W, 3 or 4) or bool (H, W), as 0 and 255, as a PNG file."""
    pixels = array.astype(np.uint8) * 255 if array.dtype == bool else array
    return _encode(pixels, "PNG", compress_level=1)


def encode_jpeg(array: np.ndarray, quality: int = 90) -> bytes:
    """Encode uint8 (H, W) or (H, W, 3) as a JPEG file."""
    return _encode(array, "JPEG", quality=quality)


def _encode(array: np.ndarray, format: str, **options: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(stream, format=format, **options)
    return stream.getvalue()
