"""Recognises image files by their first bytes, in one place for import, score and upload.

Knows signatures and names of files. Does not know how to decode them or what an image is for.
"""

from __future__ import annotations

import re
from pathlib import Path

from exdd_core.files import is_regular

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM")
FORMATS_TEXT = "PNG, JPEG, BMP, TIFF, WebP, PGM or PPM"
SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".tif", ".tiff", ".webp"),
    *(".pgm", ".ppm", ".pnm", ".pbm"),
)
RAW = "raw camera"
# Formats of pictures that are reported and not read: name of the format -> suffixes.
OTHER_SUFFIXES = {
    "GIF": (".gif",),
    "HEIC": (".heic", ".heif", ".hif"),
    "AVIF": (".avif",),
    "JPEG 2000": (".jp2", ".j2k", ".jpf", ".jpx"),
    "JPEG XL": (".jxl",),
    "DICOM": (".dcm", ".dicom"),
    "Photoshop": (".psd", ".psb"),
    "OpenEXR": (".exr",),
    "Radiance": (".hdr",),
    "FITS": (".fits", ".fit"),
    RAW: (".raw", ".dng", ".nef", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".raf"),
    "Targa": (".tga",),
    "JPEG XR": (".jxr", ".wdp"),
    "portable float map": (".pfm",),
    "portable arbitrary map": (".pam",),
    "SVG": (".svg",),
    "icon": (".ico",),
    "PCX": (".pcx",),
    "Sun raster": (".ras",),
    "SGI": (".sgi",),
    "JPEG-LS": (".jls",),
    "NumPy": (".npy", ".npz"),
    "MATLAB": (".mat",),
    "microscope": (".czi", ".nd2", ".lif", ".vk4"),
}
_BY_SUFFIX = {suffix: name for name, suffixes in OTHER_SUFFIXES.items() for suffix in suffixes}
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")
PACKED = "an archive inside the data set, which is not opened: unpack it, or import it separately"
HEAD = 132  # bytes that are read to recognise a format; DICOM has its signature after 128

# Signatures at the beginning of a file.
_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    *((mark, "TIFF") for mark in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    (b"GIF8", "GIF"),
    *((mark, "JPEG 2000") for mark in (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")),
    *((mark, "JPEG XL") for mark in (b"\0\0\0\x0cJXL ", b"\xff\x0a")),
    (b"8BPS", "Photoshop"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance"),
    (b"SIMPLE  =", "FITS"),
)
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # lengths of the header that follows the first 14 bytes
_HEIF_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC", b"avif": "AVIF"}

# Files and folders that operating systems and file servers create.
_SYSTEM_NAMES = {"__macosx", "@eadir", "thumbs.db", "ehthumbs.db", "desktop.ini", "#recycle", "$recycle.bin"}


def picture_format(path: Path) -> str:
    """The format of a picture: one of `FORMATS`, a key of `OTHER_SUFFIXES`, or "" for a file that is no
    picture.

    The content decides. If it has no known signature, as in a damaged file, the suffix decides, and decoding
    reports the damage; any suffix of `SUFFIXES` then counts as PNG. Raw files of many cameras are TIFF files whose
    first page is a small preview, so there the suffix decides as well.
    """
    kind, suffix = format_of(_head(path)), path.suffix.lower()
    if kind == "TIFF" and _BY_SUFFIX.get(suffix) == RAW:
        return RAW
    if kind:
        return kind
    return "PNG" if suffix in SUFFIXES else _BY_SUFFIX.get(suffix, "")


def is_system_file(name: str) -> bool:
    """Whether a file or folder of this name is hidden or created by an operating system."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def is_archive(name: str) -> bool:
    """Whether a file of this name is an archive, which may hold images."""
    return Path(name).suffix.lower() in ARCHIVES


def may_be_picture(name: str, head: bytes) -> bool:
    """Whether a file of this name and these first bytes is a picture of any format, decoded or not."""
    suffix = Path(name).suffix.lower()
    return bool(format_of(head)) or suffix in SUFFIXES or suffix in _BY_SUFFIX


def _head(path: Path) -> bytes:
    if not is_regular(path):
        return b""
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""


def format_of(head: bytes) -> str:
    """The format of a picture by its first `HEAD` bytes, named as by `picture_format`; "" for no known signature."""
    for mark, name in _BEGINNINGS:
        if head.startswith(mark):
            return name
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return _HEIF_BRANDS.get(head[8:12], "")
    if head[128:132] == b"DICM":
        return "DICOM"
    return "PPM" if re.match(rb"P[1-6]\s+(#|\d)", head) else ""
