"""Decodes the first page of an image file with OpenCV alone, by one rule for the workbench and for bundles.

What is refused is refused by the same sentence, and what is read has the same pixels. Knows bytes, limits, EXIF
orientations and transparency. Does not know what an image is for.
"""

from __future__ import annotations

import io
import re
import struct
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from exdd_core import file_tags, files, formats, tiffs
from exdd_core.depth import HIGHEST, Depth, guess
from exdd_core.errors import BadInput
from exdd_core.geometry import MIN_SIDE, turned
from exdd_core.sentences import count

Source = Path | str | bytes

MAX_BYTES = 256 * 2**20
MAX_PIXELS = 80_000_000
MAX_SIDE = 1_000_000  # of the PNG files that OpenCV reads
TWELVE_BIT = 4095
SEPARATE = 2  # how TIFF calls colours that are stored one after another
# What a further channel of a TIFF file is: anything, such as infrared, or an opacity not multiplied with the colours.
UNSPECIFIED, OPACITY = 0, 2
# Compressions of TIFF that may hold differences: LZW, Deflate, LZMA, Zstandard.
OF_DIFFERENCES = (5, 8, 32946, 34925, 50000)
UNREAD_COMPRESSIONS = {34925: "LZMA", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL"}
FLOATS = 3  # what TIFF calls the kind of its numbers
LAB = (8, 9, 10)  # photometric interpretations that OpenCV takes for RGB

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # a sentence says what is wrong with a file


def label_of(source: Source, name: str | None) -> str:
    """What messages call an image: `name`, else its path."""
    if name is not None:
        return name
    return "the uploaded image" if isinstance(source, bytes) else str(source)


def open_file(path: Path, label: str) -> io.BufferedReader:
    """Open a regular file. Raises `BadInput` for what cannot be opened."""
    try:
        if path.is_dir():
            raise BadInput(f"{label} is a folder; choose an image file in it.")
        files.require_regular(path, label)
        return path.open("rb")
    except BadInput:
        raise
    except FileNotFoundError:
        raise BadInput(f"{label} does not exist; check the path.") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise unreadable(label, error) from None


def unreadable(label: str, error: Exception) -> BadInput:
    """The error for a file that the system does not open or read."""
    reason = getattr(error, "strerror", None) or "not a path"
    return BadInput(f"{label} cannot be opened ({reason}); check the path and its permissions.")


def require_length(length: int, label: str) -> None:
    """Raise `BadInput` for a file of no or of too many bytes."""
    if length == 0:
        raise BadInput(f"{label} is empty (0 bytes); save or copy it again.")
    if length > MAX_BYTES:
        raise BadInput(
            f"{label} has {length / 2**20:.0f} MB, more than the limit of {MAX_BYTES // 2**20} MB; "
            "make it smaller or cut it into tiles."
        )


def require_size(width: int, height: int, label: str) -> None:
    """Raise `BadInput` for an image of too many or too few pixels."""
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise too_large(label)
    if min(width, height) < MIN_SIDE:
        raise BadInput(
            f"{label} is {width} x {height} pixels; an image needs at least {MIN_SIDE} on each side. "
            "Use the original image."
        )


def too_large(label: str) -> BadInput:
    return BadInput(
        f"{label} is larger than the limit of {MAX_PIXELS // 10**6} megapixels and {MAX_SIDE:,} pixels per side; "
        "make it smaller or cut it into tiles."
    )


def unknown(label: str) -> BadInput:
    return BadInput(
        f"{label} is not an image that can be read, or it is damaged; use {formats.FORMATS_TEXT}."
    )


def of_floats(label: str) -> BadInput:
    return BadInput(f"{label} contains floating-point values; save it with 8 or 16 bits per channel.")


def damaged(label: str, kind: str | None = None, content: bytes = b"") -> BadInput:
    """The error for a file that cannot be decoded. kind: its format. content: of a TIFF file, to say what is rare."""
    if rare := _rare_in_tiff(content):
        return BadInput(f"{label} is a TIFF file with {rare}, which cannot be read; save it as PNG.")
    if kind == "TIFF":  # whose kinds of numbers and compression are too many to read all
        return BadInput(
            f"{label} is damaged or incomplete, or a kind of TIFF that cannot be read; copy it again from its "
            "source, or save it as PNG with 8 or 16 bits per channel."
        )
    return BadInput(f"{label} is damaged or incomplete; copy it again from its source.")


def _rare_in_tiff(content: bytes) -> str:
    """What an intact TIFF file has that no reader here understands; "" for nothing, and for another format."""
    if formats.format_of(content[: formats.HEAD]) != "TIFF":
        return ""
    number = partial(file_tags.tag, io.BytesIO(content))
    bits = file_tags.tags(io.BytesIO(content), file_tags.BITS) or [1]
    if number(file_tags.COMPRESSION) in UNREAD_COMPRESSIONS:
        return f"{UNREAD_COMPRESSIONS[number(file_tags.COMPRESSION)]} compression"
    if bits[0] not in (1, 2, 4, 8, 12, 16, 32, 64):
        return f"{bits[0]} bits per value"
    return count(len(bits), "channel") if len(bits) > 4 else ""


def values_of(source: Source, label: str) -> np.ndarray:
    """The values of an image, upright: uint8, or uint16 of more than 8 bits a channel; (H, W) or (H, W, 3) RGB.

    Transparent pixels are laid on black, which they hold in most files and which readers that ignore alpha show.
    Raises `BadInput`.
    """
    content = source if isinstance(source, bytes) else _content(Path(source), label)
    require_length(len(content), label)
    kind = formats.format_of(content[: formats.HEAD])
    if kind not in formats.FORMATS:
        raise unknown(label)
    if kind == "PNG" and len(content) > 24:  # which promises most in fewest bytes
        width, height = struct.unpack(">II", content[16:24])
        require_size(width, height, label)
        content = _still(content)
    meant = file_tags.tag(io.BytesIO(content), file_tags.PHOTOMETRIC) if kind == "TIFF" else None
    if kind == "TIFF" and file_tags.tag(io.BytesIO(content), file_tags.DNG_VERSION, lacking=0):
        raise BadInput(
            f"{label} is a raw camera file, of which only a small preview could be read; develop it to PNG or TIFF."
        )
    if kind == "TIFF" and file_tags.tag(io.BytesIO(content), file_tags.SAMPLE_FORMAT) == FLOATS:
        raise of_floats(label)
    if meant in LAB:
        raise BadInput(f"{label} has L*a*b* colours; save it in greyscale or RGB.")
    if kind == "TIFF" and tiffs.is_damaged(content):
        raise damaged(label, kind)
    own = _decoded_here(content, label) if kind == "TIFF" else None
    stored = own if own is not None else _decoded(content, kind, label)
    if meant == tiffs.WHITE_IS_ZERO and own is None:
        stored = _white_is_high(stored, label)
    stored = _whole_numbers(stored, label)
    if kind == "TIFF" and file_tags.tags(io.BytesIO(content), file_tags.BITS)[:1] == [12]:
        stored = stored >> 4  # OpenCV returns values of 12 bits times 16
    if kind == "TIFF":
        _require_understood(content, label)
    if kind == "PPM" and stored.dtype == np.uint8 and (white := _white(content)) < 255:
        stored = np.rint(np.minimum(stored, white) * (255 / white)).astype(np.uint8)
    if kind == "PNG" and stored.ndim == 2 and (seen_through := _transparent_grey(content)) is not None:
        stored = np.where(stored == seen_through, 0, stored).astype(stored.dtype)
    if stored.ndim == 3 and stored.shape[2] == 4:
        is_opacity = kind != "TIFF" or file_tags.tag(io.BytesIO(content), file_tags.EXTRA) != UNSPECIFIED
        stored = _on_black(stored, multiplied=kind == "TIFF") if is_opacity else stored[..., :3]
    turn = 1 if kind == "TIFF" else file_tags.orientation(io.BytesIO(content))  # OpenCV turns TIFF itself
    upright = turned(stored, turn)
    upright = np.ascontiguousarray(upright)
    return upright if upright.ndim == 2 else cv2.cvtColor(upright, cv2.COLOR_BGR2RGB)


def _decoded_here(content: bytes, label: str) -> np.ndarray | None:
    """The values of a TIFF file that OpenCV refuses or misreads; None for any other."""
    width, height = (
        file_tags.tag(io.BytesIO(content), tag, lacking=0) for tag in (file_tags.WIDTH, file_tags.HEIGHT)
    )
    if not width or not height:
        return None
    require_size(width, height, label)
    return tiffs.values_of(content)


def _decoded(content: bytes, kind: str, label: str) -> np.ndarray:
    """The values of a file as OpenCV reads them, (H, W), or (H, W, 3 or 4) BGR."""
    if kind == "PPM":
        content += b"\n"  # OpenCV wants something after the last number
    try:
        stored = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        raise too_large(label) from None
    if stored is None or stored.shape[2:] not in ((), (3,), (4,)):
        raise damaged(label, kind, content)
    require_size(stored.shape[1], stored.shape[0], label)
    return stored


def to_rgb(values: np.ndarray, depth: Depth | None) -> np.ndarray:
    """Values of an image, (H, W) or (H, W, 3), as uint8 (H, W, 3). depth: of uint16; None for uint8."""
    small = values if depth is None else depth.to_8_bits(values)
    return cv2.cvtColor(small, cv2.COLOR_GRAY2RGB) if small.ndim == 2 else small


def depth_of(values: np.ndarray, by_brightest: bool = False) -> Depth:
    """Guess the depth of one deep image, uint16 (H, W) or (H, W, 3); single bright pixels are ignored.

    by_brightest: 16 bits if a value lies above 4095, else 12, as bank versions did that stored no depth.
    """
    smooth = cv2.medianBlur(values, 3)
    found = Depth.of_bits(12 if smooth.max() <= TWELVE_BIT else 16) if by_brightest else guess([smooth])
    assert found is not None  # a guess from an image always exists
    return found


def _content(path: Path, label: str) -> bytes:
    with open_file(path, label) as stream:
        try:
            return stream.read(MAX_BYTES + 1)
        except OSError as error:
            raise unreadable(label, error) from None


def _white_is_high(stored: np.ndarray, label: str) -> np.ndarray:
    """Values of a TIFF file in which 0 is white, as if 0 were black, as OpenCV returns those of 8 bits."""
    if stored.dtype not in (np.uint8, np.uint16):
        raise BadInput(f"{label} stores white as 0; save it with 8 or 16 bits per channel, without a sign.")
    return stored if stored.dtype == np.uint8 else HIGHEST - stored


def _whole_numbers(stored: np.ndarray, label: str) -> np.ndarray:
    """Values as uint8 or uint16, whatever kind of number holds them."""
    if stored.dtype.kind == "f":
        raise of_floats(label)
    if stored.dtype in (np.uint8, np.uint16):
        return stored
    if stored.min() < 0:
        raise BadInput(f"{label} has negative values; save it with 8 or 16 bits per channel, without a sign.")
    if stored.max() > HIGHEST:
        raise BadInput(f"{label} has more than 16 bits per pixel; save it with 8 or 16 bits.")
    return stored.astype(np.uint8 if stored.dtype == np.int8 else np.uint16)


def _require_understood(content: bytes, label: str) -> None:
    """Refuse a TIFF file that OpenCV misreads: of 16 bits with its colours one after another, with grey and opacity, or
    with differences where its compression has none."""
    number = partial(file_tags.tag, io.BytesIO(content))
    bits = file_tags.tags(io.BytesIO(content), file_tags.BITS)
    if len(bits) > 1 and max(bits) > 8 and number(file_tags.PLANES) == SEPARATE:
        raise BadInput(
            f"{label} has 16 bits per channel and stores each colour as a plane of its own; save it with the colours "
            "of a pixel together, or as PNG."
        )
    if number(file_tags.SAMPLES) == 2 and number(file_tags.EXTRA) == OPACITY:
        raise BadInput(
            f"{label} has grey values with an opacity, which TIFF files may not have here; save it as PNG."
        )
    if number(file_tags.PREDICTOR) != 1 and number(file_tags.COMPRESSION) not in OF_DIFFERENCES:
        raise damaged(label, "TIFF")


def _on_black(stored: np.ndarray, multiplied: bool) -> np.ndarray:
    """The colours of (H, W, 4), transparent pixels laid on black. multiplied: uint8 is, by its opacity, already."""
    colours, opaque = stored[..., :3], stored[..., 3:]
    if stored.dtype == np.uint16:
        return np.where(opaque > 0, colours, 0)
    return colours if multiplied else np.rint(colours * (opaque.astype(np.float32) / 255)).astype(np.uint8)


def _still(content: bytes) -> bytes:
    """A PNG file without the mark of an animation. Its first page is the image that every program shows; OpenCV would
    read the first frame, which may be another picture."""
    at = content.find(b"\0\0\0\x08acTL", 33, content.find(b"IDAT"))
    return content if at < 0 else content[:at] + content[at + 20 :]  # length, name, two numbers and checksum


def _transparent_grey(content: bytes) -> int | None:
    """The grey value that a PNG file without colours calls transparent, which OpenCV does not; None where none is."""
    at, bits = content.find(b"tRNS", 33, content.find(b"IDAT")), content[24]
    if at < 0 or content[25] != 0:  # 0: grey without alpha
        return None
    value = int.from_bytes(content[at + 4 : at + 6], "big")
    return value * 255 // (2**bits - 1) if bits < 8 else value


def _white(content: bytes) -> int:
    """The value of white in the header of a PGM or PPM file; 255 for a bitmap, which has none."""
    blank = rb"(?:\s|#[^\n]*\n)+"
    header = re.match(rb"P[2356]" + (blank + rb"\d+") * 2 + blank + rb"(\d{1,5})\s", content)
    return max(1, int(header[1])) if header else 255
