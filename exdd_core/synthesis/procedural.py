"""Draws defects by rules on the surface that an image shows. Needs no weights.

A defect changes three properties of a surface: reflectance (tint), inclination (shading under the lamp) and
texture. Every type combines these three, with the sharpness, grain, contrast and noise that are measured
around the mask, so that no defect is sharper or cleaner than the rest of the image. Knows windows, looks and
the types of defects. Does not know models or data sets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from exdd_core.sentences import count
from exdd_core.synthesis import lines, vocabulary
from exdd_core.synthesis.area_defects import dent, grain_break, pit, spot, stain
from exdd_core.synthesis.compositing import is_grey
from exdd_core.synthesis.controls import Control, SharedSettings, shared_controls
from exdd_core.synthesis.engine import Engine
from exdd_core.synthesis.line_defects import crack, scratch
from exdd_core.synthesis.mask_geometry import grown
from exdd_core.synthesis.request import Step, Window
from exdd_core.synthesis.surfaces import (
    DARKEST,
    EXPOSED,
    LIGHTEST,
    Change,
    MaskPiece,
    Surface,
    lamp_direction,
    surface_of,
)
from exdd_core.synthesis.vocabulary import LINES, TYPES, Look

VERSION = "1"
PIECES = 64  # the largest number of a mask's pieces that are painted, each as a defect of its own
LARGE = 1_000_000  # pixels of a piece's box above which its change is computed in a reduced copy
GRAINED = 0.12  # coherence of the structure tensor from which a surface counts as grained
NO_GRAIN = "The surface has no clear grain, so the directions along and across it are guesses."
MARGIN = 24  # pixels around a piece in which the surface's properties are measured


class ProceduralSettings(SharedSettings):
    """The settings of the procedural engine, checked and complete. `Procedural.CONTROLS` explains each."""

    defect: str
    strength: float


class Procedural(Engine[ProceduralSettings]):
    NAME = "procedural"
    TITLE = "Procedural"
    DESCRIPTION = (
        "Draws scratches, cracks, pits, spots, stains, dents and grain breaks by rules, with the surface's own "
        "noise, grain and shading. Needs no weights and understands the words of a fixed vocabulary."
    )
    CONTROLS = (
        Control(
            "defect",
            "Defect",
            "choice",
            "by words",
            choices=("by words", *TYPES),
            help="defect type; by words: what the prompt names, or else what suits the mask",
        ),
        Control(
            "strength",
            "Strength",
            "number",
            1.0,
            minimum=0.2,
            maximum=2.5,
            step=0.05,
            help="contrast of the defect against its surroundings",
        ),
        *shared_controls(geometry="native", feather=1.0, match_brightness=False),
    )

    @property
    def version(self) -> str:
        return VERSION

    def _render(self, window: Window[ProceduralSettings], step: Step) -> np.ndarray:
        request = window.request
        reading = vocabulary.read(request.prompt, request.negative_prompt)
        window.notes.extend(reading.notes)
        look = replace(reading.look, contrast=reading.look.contrast * window.settings["strength"])
        if window.settings["defect"] != "by words":
            look = replace(look, types=(window.settings["defect"],))
        if look.colour and is_grey(window.image):
            window.notes.append("The image is grey, so a colour only shows as brightness.")
        pieces = _pieces(window)
        pixels = window.image.astype(np.float32)
        lamp = lamp_direction(window.image)
        painted: list[str] = []
        for number, piece in enumerate(pieces):
            step(number, len(pieces), None)
            kinds = look.types or (_suitable(look, piece, window.rng),)
            for kind in kinds:
                _paint(kind, look, pixels, piece, lamp, window)
            painted.extend(kinds)
        step(len(pieces), len(pieces), None)
        directed = look.angle is not None or look.to_grain is not None
        if directed and any(piece.course is not None for piece in pieces) and set(painted) & set(LINES):
            window.notes.append("The mask is narrow, so it sets the direction, not the prompt.")
        if not look.types:
            window.notes.append(f"The prompt names no defect; painted: {', '.join(dict.fromkeys(painted))}.")
        return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)


def _pieces(window: Window) -> list[MaskPiece]:
    number, labels, stats, _ = cv2.connectedComponentsWithStats(window.mask.astype(np.uint8), connectivity=8)
    order = 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")
    if len(order) > PIECES:
        window.notes.append(
            f"The mask has {count(len(order), 'piece')}; only the largest {PIECES} were painted."
        )
    height, width = window.mask.shape
    halo = window.settings["halo"] * _scale(window)
    pieces = []
    for number in order[:PIECES]:
        x, y, w, h, area = (int(value) for value in stats[number])
        box = (
            max(0, x - MARGIN),
            max(0, y - MARGIN),
            min(width, x + w + MARGIN),
            min(height, y + h + MARGIN),
        )
        mask = labels[box[1] : box[3], box[0] : box[2]] == number
        course = lines.centreline(mask)
        length = len(course) * lines.SPACING
        reach = grown(mask, halo) & window.haloed[box[1] : box[3], box[0] : box[2]] | mask
        pieces.append(MaskPiece(box, mask, reach, course if length * length > lines.LONG * area else None))
    return pieces


def _scale(window: Window) -> float:
    """Pixels of the window a pixel of the image."""
    return window.image.shape[1] / (window.box[2] - window.box[0])


def _suitable(look: Look, piece: MaskPiece, rng: np.random.Generator) -> str:
    """A type for a prompt that names none: lines for narrow masks, the others for broad ones."""
    suited = [t for t in TYPES if (t in LINES) == (piece.course is not None) and t not in look.excluded]
    return str(rng.choice(suited or [t for t in TYPES if t not in look.excluded]))


def _paint(
    kind: str, look: Look, pixels: np.ndarray, piece: MaskPiece, lamp: np.ndarray, window: Window
) -> None:
    """Paint one type into one piece of the mask, in place."""
    left, top, right, bottom = piece.box
    area = pixels[top:bottom, left:right]
    height, width = window.request.image.shape[:2]
    unit = float(np.clip(_scale(window) * np.sqrt(height * width) / 400, 0.6, 8.0))
    # A change has no detail finer than the camera's blur, so a large one is computed in a reduced copy.
    by = int(np.ceil(np.sqrt(area.shape[0] * area.shape[1] / LARGE)))
    reach = piece.reach
    reduced, piece = (area, piece) if by == 1 else _reduced(area, piece, by)
    surface = surface_of(reduced, lamp, unit / by)
    if look.to_grain is not None and surface.coherence < GRAINED and NO_GRAIN not in window.notes:
        window.notes.append(NO_GRAIN)
    rng = np.random.default_rng(window.rng.integers(2**63))
    if look.tone == 0 and look.colour is None:
        # Without a tone in the prompt, a black surface gets brighter defects and a white one darker ones.
        brightness = float(surface.base[piece.mask].mean())
        look = replace(look, tone=1 if brightness < DARKEST else -1 if brightness > LIGHTEST else 0)
    change = PAINTERS[kind](_varied(look, rng), surface, piece, rng)
    base, blur = surface.base, surface.blur
    if by > 1:
        size = (area.shape[1], area.shape[0])
        change = Change(*(cv2.resize(values, size) for values in vars(change).values()))
        base, blur = cv2.resize(base, size), 0.7
    area[reach] = _applied(change, look, area[reach], base[reach], blur, reach)


def _reduced(area: np.ndarray, piece: MaskPiece, by: int) -> tuple[np.ndarray, MaskPiece]:
    size = (max(1, area.shape[1] // by), max(1, area.shape[0] // by))
    mask, reach = (
        cv2.resize(layer.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
        for layer in (piece.mask, piece.reach)
    )
    course = None if piece.course is None else lines.resample(piece.course / by)
    return cv2.resize(area, size, interpolation=cv2.INTER_AREA), MaskPiece(piece.box, mask, reach, course)


def _varied(look: Look, rng: np.random.Generator) -> Look:
    """The look with random factors, so that no two defects of a type are alike."""
    spread = {"contrast": 0.2, "width": 0.15, "depth": 0.15, "rough": 0.15, "soft": 0.2}
    factors = {name: getattr(look, name) * float(np.exp(rng.normal(0, s))) for name, s in spread.items()}
    return replace(look, **factors)


def _applied(
    change: Change, look: Look, area: np.ndarray, base: np.ndarray, blur: float, mask: np.ndarray
) -> np.ndarray:
    """The pixels of a mask after a change, blurred as the camera blurs: float32 (k, 3).

    area: these pixels before the change; base: the same without texture; both float32 (k, 3).
    """
    tint, light, deposit, keep = (
        cv2.GaussianBlur(values.astype(np.float32), (0, 0), blur)[mask][:, None]
        for values in (change.tint, change.light, change.deposit, change.keep)
    )
    if look.no_dark:
        tint = np.maximum(tint, 1 - 0.15 * (1 - tint))
    if look.no_bright:
        tint, light = np.minimum(tint, 1.05), np.minimum(light, 0)
    shown = base + keep * (area - base)
    if look.colour is not None:
        level = base.mean(axis=1, keepdims=True)
        # In a dark picture even a white film is dark.
        exposure = float(np.clip(level.mean() / EXPOSED, 0.4, 1.0))
        # The surface's unevenness and some of its shading show through a film.
        uneven = np.clip(area.mean(axis=1, keepdims=True) / np.maximum(level, 8), 0.5, 1.6)
        lit = np.clip(level / max(float(level.mean()), 8.0), 0.3, 1.6)
        film = exposure * uneven * lit * np.array(look.colour, np.float32)
        shown = shown + deposit * (film - shown)
    result = shown * tint + light
    # Highlights are compressed, as film and sensors do; pixels that were as bright before stay.
    gently = np.maximum(np.minimum(area, result), LIGHTEST + 0.3 * (result - LIGHTEST))
    return np.where(result > LIGHTEST, gently, result)


PAINTERS: dict[str, Callable[[Look, Surface, MaskPiece, np.random.Generator], Change]] = {
    "scratch": scratch,
    "crack": crack,
    "pit": pit,
    "spot": spot,
    "stain": stain,
    "dent": dent,
    "grain break": grain_break,
}
