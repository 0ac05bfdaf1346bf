"""Draws maps and masks: heatmaps, outlines, colour scales, crops.

Knows arrays, colours and fonts. Does not know detectors, banks or files of a workspace.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from PIL import ImageFont

CALIBRATED = (0.0, 2.0)  # the range of every calibrated map: the threshold, 1, sits in the middle
UNKNOWN = (128, 128, 128)  # of what is no number
DEFECT = (79, 216, 255)  # RGB of outlines of defects, as --defect of assets/theme.css
# Fonts of the system for letters that Pillow's own lacks, even those with dots: of Linux, Windows and macOS, then for
# Chinese and Japanese.
FONTS = (
    *("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "arial.ttf", "Arial Unicode.ttf", "Arial.ttf"),
    *("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "msgothic.ttc", "Hiragino Sans GB.ttc"),
)
DIFFERENCE = (-2.0, 2.0)  # calibrated ExDD minus calibrated PatchCore


def _inferno() -> np.ndarray:
    """The 256 colours of inferno, uint8 (256, 3) RGB."""
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[:, 0, ::-1].copy()


def _diverging() -> np.ndarray:
    """Colours from blue over black to orange, uint8 (256, 3) RGB; linear in CIELAB, so steps look even.

    Black in the middle means no difference, as black in a heatmap means no anomaly.
    """
    anchors = np.array([[163, 213, 255], [44, 116, 204], [20, 20, 20], [196, 92, 20], [255, 196, 130]])
    lab = cv2.cvtColor((anchors[None] / 255).astype(np.float32), cv2.COLOR_RGB2LAB)[0]
    position = np.linspace(0, len(anchors) - 1, 256)
    line = np.stack([np.interp(position, np.arange(len(anchors)), lab[:, c]) for c in range(3)], axis=1)
    rgb = cv2.cvtColor(line[None].astype(np.float32), cv2.COLOR_LAB2RGB)[0]
    return np.clip(np.rint(rgb * 255), 0, 255).astype(np.uint8)


SCORE_COLOURS = _inferno()
DIFFERENCE_COLOURS = _diverging()


def _paint(values: np.ndarray, low: float, high: float, colours: np.ndarray) -> np.ndarray:
    """Colour values (H, W) as uint8 RGBA (H, W, 4); values outside low..high get the colour of the closer
    end, and what is no number is grey."""
    if not high > low:
        raise ValueError(f"The range of a colour scale must grow, not {low} to {high}.")
    values = np.asarray(values, np.float32)
    position = (np.nan_to_num(values, nan=low) - low) / (high - low)
    index = np.clip(np.rint(position * 255), 0, 255).astype(np.uint8)
    rgba = np.full((*index.shape, 4), 255, np.uint8)
    rgba[..., :3] = colours[index]
    rgba[np.isnan(values), :3] = UNKNOWN
    return rgba


def heatmap(values: np.ndarray, low: float = CALIBRATED[0], high: float = CALIBRATED[1]) -> np.ndarray:
    """Colour a score map: float (H, W) -> opaque uint8 (H, W, 4) RGBA in inferno, black at `low`."""
    return _paint(values, low, high, SCORE_COLOURS)


def difference(patchcore: np.ndarray, exdd: np.ndarray) -> np.ndarray:
    """Calibrated ExDD minus calibrated PatchCore, float32 (H, W): above 0 where ExDD's anomaly score is higher.

    Values below 0, the median of normal images, count as 0, so differences between normal scores do not show.
    """
    return np.maximum(exdd, 0, dtype=np.float32) - np.maximum(patchcore, 0, dtype=np.float32)


def difference_heatmap(values: np.ndarray) -> np.ndarray:
    """Colour a difference: float (H, W) -> opaque uint8 (H, W, 4), blue below 0, black at 0, orange above."""
    return _paint(values, *DIFFERENCE, DIFFERENCE_COLOURS)


def reduce(values: np.ndarray, longest: int) -> np.ndarray:
    """Shrink a picture or map (H, W, ...) to at most `longest` pixels on its longer side, by averaging."""
    height, width = values.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return values
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA)


def outline(mask: np.ndarray) -> list[list[tuple[int, int]]]:
    """Closed polylines around a mask: bool (H, W) -> a list of [(x, y), ...] in pixels of the mask.

    The line runs one pixel outside of the defect, so it never covers it; holes have lines as well.
    """
    grown = cv2.dilate(np.asarray(mask, np.uint8), np.ones((3, 3), np.uint8))
    lines, _ = cv2.findContours(grown, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    tolerance = max(mask.shape) / 1500  # less than a pixel on the screen, and large masks have short lists
    short = [cv2.approxPolyDP(line, tolerance, True) for line in lines]
    return [[(int(x), int(y)) for x, y in line[:, 0]] for line in short]


def colour_scale(height: int = 256, diverging: bool = False) -> np.ndarray:
    """A vertical bar of all colours, highest value on top: uint8 (height, 1, 3) RGB."""
    colours = DIFFERENCE_COLOURS if diverging else SCORE_COLOURS
    rows = np.rint(np.linspace(255, 0, height)).astype(int)
    return colours[rows][:, None]


def crop_around(
    image: np.ndarray, box: tuple[int, int, int, int], context: float = 3.0
) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """A square view of a patch and its context, uint8 (S, S, 3), and the patch's box in the view.

    box: (x0, y0, x1, y1). The view is `context` times the longer side of the box and at least 48 pixels. At
    the border of the image it is moved inwards. Where the image is smaller, so is the view: it has less context as
    long as it stays square, since a page that shows a square of it could cut off the patch.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    longer = max(x1 - x0, y1 - y0)
    side = min(int(max(48, context * longer)), max(48, min(height, width), longer))
    side_x, side_y = min(side, width), min(side, height)
    left = int(np.clip((x0 + x1) // 2 - side_x // 2, 0, width - side_x))
    top = int(np.clip((y0 + y1) // 2 - side_y // 2, 0, height - side_y))
    view = image[top : top + side_y, left : left + side_x]
    return view, (x0 - left, y0 - top, x1 - left, y1 - top)


Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def font(size: int, words: str = "") -> Font:
    """The first font that has all letters of `words`; without one, the font that lacks fewest."""
    return (
        min((_face("", size), *_faces(size)), key=lambda face: _lacking(face, words))
        if words
        else _face("", size)
    )


def shortened(words: str, size: int, width: float, *, keeps_end: bool = False) -> tuple[str, Font]:
    """As much of a line as is at most `width` pixels wide, its end or beginning replaced by dots, and its font."""
    face, kept = font(size, words), len(words)
    shown = words
    while kept > 1 and face.getlength(shown) > width:
        kept -= 1
        shown = f"…{words[-kept:].lstrip()}" if keeps_end else f"{words[:kept].rstrip()}…"
    return shown, face


@cache
def _face(name: str, size: int) -> Font:
    return ImageFont.truetype(name, size) if name else ImageFont.load_default(size)


@cache
def _faces(size: int) -> list[Font]:
    found = []
    for name in FONTS:
        try:
            found.append(_face(name, size))
        except OSError:
            continue  # this system does not have it
    return found


def _lacking(face: Font, words: str) -> int:
    """How many letters of `words` a font draws as the sign for those that it lacks."""
    lacked = bytes(face.getmask("\uffff"))
    return sum(bytes(face.getmask(letter)) == lacked for letter in set(words) if not letter.isspace())


def outlined(picture: np.ndarray, lines: list[list[tuple[int, int]]], scale: float) -> np.ndarray:
    """A copy of a picture, uint8 (H, W, 3), with closed lines as from `outline`, their points times `scale`."""
    drawn = picture.copy()
    scaled = [np.rint(np.array(line) * scale).astype(np.int32) for line in lines]
    cv2.polylines(drawn, scaled, True, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.polylines(drawn, scaled, True, DEFECT, 1, cv2.LINE_AA)
    return drawn
