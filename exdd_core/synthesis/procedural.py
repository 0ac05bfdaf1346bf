"""Defects drawn by rules on the surface that an image shows; needs no weights.

A defect changes three things of a surface: how much light it gives back (tint), how it is inclined (shading
under the lamp) and its texture. Every type here is made of these three, with the sharpness, grain, contrast
and noise that are measured around the mask, so that nothing is sharper or cleaner than the camera saw the
rest. Words are read by `vocabulary`, courses of lines come from `lines`. It knows no model and no data set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.stats import norm

from exdd_core.synthesis import lines, vocabulary
from exdd_core.synthesis.engine import Control, Engine, Step, Window, is_grey, shared_controls
from exdd_core.synthesis.vocabulary import LINES, TYPES, Look

VERSION = "1"
PIECES = 64  # of a mask that are painted, the largest ones; each is a defect of its own
LARGE = 1_000_000  # pixels of a piece's surroundings above which its change is worked out in a reduced copy
GRAINED = 0.12  # coherence of the structure tensor from which a surface counts as grained
NO_GRAIN = "The surface has no clear grain, so along and across it are a guess."
MARGIN = 24  # pixels around a piece that are looked at for the surface's properties
DARKEST = 20.0  # grey level below which a surface cannot show that something is darker
EXPOSED = 110.0  # grey level of a usual surface, neither bright nor dark, in a well exposed picture
BRIGHT, LIGHTEST = 130.0, 232.0  # above which defects are rarely brighter; that no bright one exceeds by much


class Procedural(Engine):
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
            help="the type; by words: what the prompt names, else what suits the mask",
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

    def _render(self, window: Window, step: Step) -> np.ndarray:
        request = window.request
        reading = vocabulary.read(request.prompt, request.negative_prompt)
        window.notes.extend(reading.notes)
        look = replace(reading.look, contrast=reading.look.contrast * window.settings["strength"])
        if window.settings["defect"] != "by words":
            look = replace(look, types=(window.settings["defect"],))
        if look.colour and is_grey(window.image):
            window.notes.append("The image is grey, so a colour shows as its brightness only.")
        pieces = _pieces(window)
        pixels = window.image.astype(np.float32)
        lamp = _lamp(window.image)
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
            window.notes.append("The mask is narrow, so it sets the direction and not the words.")
        if not look.types:
            window.notes.append(f"The prompt names no defect; painted: {', '.join(dict.fromkeys(painted))}.")
        return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)


@dataclass(frozen=True)
class Piece:
    """One connected piece of the mask in its surroundings: `box` (left, top, right, bottom) in the window,
    `mask` bool (h, w) of the box, `course` the way along it, float (n, 2), where it is long and narrow."""

    box: tuple[int, int, int, int]
    mask: np.ndarray
    course: np.ndarray | None


@dataclass(frozen=True)
class Surface:
    """What the surroundings show: `base` float32 (h, w, 3) without texture and `texture` what it lacks;
    `noise` the spread of the texture in grey levels; `grain` its direction in radians and `coherence` 0..1 how
    clearly it has one; `blur` the sigma of the camera's own softness in pixels; `lamp` the unit vector to the
    light; `unit` about one pixel of a picture of 400 x 400, in which widths are thought."""

    base: np.ndarray
    texture: np.ndarray
    noise: float
    grain: float
    coherence: float
    blur: float
    lamp: np.ndarray
    unit: float


@dataclass
class Change:
    """What a defect does to a surface, all float32 (h, w): `tint` by how much light is multiplied, `light` grey
    levels added, `deposit` 0..1 how far a coloured film covers it, `keep` 0..1 how much texture is left."""

    tint: np.ndarray
    light: np.ndarray
    deposit: np.ndarray
    keep: np.ndarray

    @classmethod
    def none(cls, shape: tuple[int, ...]) -> Change:
        ones, zeros = np.ones(shape, np.float32), np.zeros(shape, np.float32)
        return cls(ones.copy(), zeros.copy(), zeros.copy(), ones.copy())


# --- the mask and the surface ---------------------------------------------------------------------


def _pieces(window: Window) -> list[Piece]:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(window.mask.astype(np.uint8), connectivity=8)
    order = 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")
    if len(order) > PIECES:
        window.notes.append(f"The mask has {len(order)} pieces; the largest {PIECES} were painted.")
    height, width = window.mask.shape
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
        pieces.append(Piece(box, mask, course if length * length > lines.LONG * area else None))
    return pieces


def _suitable(look: Look, piece: Piece, rng: np.random.Generator) -> str:
    """A type for a prompt that names none: lines for narrow masks, the others for broad ones."""
    suited = [t for t in TYPES if (t in LINES) == (piece.course is not None) and t not in look.excluded]
    return str(rng.choice(suited or [t for t in TYPES if t not in look.excluded]))


def _lamp(image: np.ndarray) -> np.ndarray:
    """The unit vector (x, y) towards the light: where the image grows brighter, else from the upper left."""
    small = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32).mean(axis=2)
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    slope = np.array([(small * x).sum() / (x * x).sum(), (small * y).sum() / (y * y).sum()])
    if np.hypot(*slope) < 0.06 * small.mean() + 1:
        slope = np.array([-0.6, -0.8])
    return slope / np.hypot(*slope)


def _surface(pixels: np.ndarray, lamp: np.ndarray, unit: float) -> Surface:
    grey = pixels.mean(axis=2)
    base = cv2.GaussianBlur(pixels, (0, 0), max(2.5, 4 * unit))
    texture = pixels - base
    residual = texture.mean(axis=2)
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(grey, cv2.CV_32F, 0, 1) / 8
    # The texture's own gradients; an edge of the part would outvote all of them.
    small = np.hypot(dx, dy) <= np.quantile(np.hypot(dx, dy), 0.95)
    xx, yy, xy = (float((a * b)[small].mean()) for a, b in ((dx, dx), (dy, dy), (dx, dy)))
    across = 0.5 * np.arctan2(2 * xy, xx - yy)
    coherence = float(np.hypot(xx - yy, 2 * xy) / max(xx + yy, 1e-6))
    quiet = np.clip(residual, *np.quantile(residual, [0.02, 0.98]))
    return Surface(
        base=base,
        texture=texture,
        noise=float(quiet.std()) + 0.5,
        grain=float(across + np.pi / 2),
        coherence=coherence,
        blur=_softness(residual),
        lamp=lamp,
        unit=unit,
    )


def _softness(residual: np.ndarray) -> float:
    """Sigma of the Gaussian that would give white noise this texture's likeness of neighbours, in pixels.

    White noise behind a Gaussian has the correlation exp(-1 / (4 sigma^2)) between neighbours. The direction
    in which neighbours are less alike tells it, since grain makes them alike along itself.
    """
    fine = residual - cv2.GaussianBlur(residual, (0, 0), 6.0)
    power = float((fine * fine).mean()) + 1e-6
    alike = min(float((fine[1:] * fine[:-1]).mean()), float((fine[:, 1:] * fine[:, :-1]).mean())) / power
    return float(np.clip(0.5 / np.sqrt(-np.log(np.clip(alike, 0.02, 0.97))), 0.7, 2.4))


def _field(shape: tuple[int, ...], scale: float, rng: np.random.Generator) -> np.ndarray:
    """float32 (h, w): isotropic noise that changes within `scale` pixels, mean 0, variance about 1."""
    coarse = max(1.0, scale / 2)
    size = (int(np.ceil(shape[1] / coarse)) + 4, int(np.ceil(shape[0] / coarse)) + 4)
    noise = cv2.GaussianBlur(rng.standard_normal(size[::-1]).astype(np.float32), (0, 0), scale / coarse / 1.4)
    noise = noise / (noise.std() + 1e-6)
    full = cv2.resize(noise, None, fx=coarse, fy=coarse, interpolation=cv2.INTER_CUBIC)
    return full[: shape[0], : shape[1]]


def _octaves(shape: tuple[int, ...], scale: float, rng: np.random.Generator, gain: float = 0.5) -> np.ndarray:
    """float32 (h, w): noise of four scales, the largest changing within `scale` pixels, variance about 1.

    Every scale is half as large as the one before and `gain` as strong.
    """
    strengths = [gain**i for i in range(4)]
    fields = (strength * _field(shape, scale / 2**i, rng) for i, strength in enumerate(strengths))
    return np.asarray(sum(fields), np.float32) / float(np.hypot.reduce(strengths))


def _step(low: float, high: float, values: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


# --- one defect -----------------------------------------------------------------------------------


def _paint(kind: str, look: Look, pixels: np.ndarray, piece: Piece, lamp: np.ndarray, window: Window) -> None:
    """Paint one type into one piece of the mask, in place."""
    left, top, right, bottom = piece.box
    area = pixels[top:bottom, left:right]
    height, width = window.request.image.shape[:2]
    scale = window.image.shape[1] / (window.box[2] - window.box[0])
    unit = float(np.clip(scale * np.sqrt(height * width) / 400, 0.6, 8.0))
    # A change has no detail finer than the camera's softness: of a vast area it is worked out in a reduced copy.
    by = int(np.ceil(np.sqrt(area.shape[0] * area.shape[1] / LARGE)))
    mask = piece.mask
    reduced, piece = (area, piece) if by == 1 else _reduced(area, piece, by)
    surface = _surface(reduced, lamp, unit / by)
    if look.to_grain is not None and surface.coherence < GRAINED and NO_GRAIN not in window.notes:
        window.notes.append(NO_GRAIN)
    rng = np.random.default_rng(window.rng.integers(2**63))
    if look.tone == 0 and look.colour is None:
        # Nobody said: what the surface can show.
        brightness = float(surface.base[piece.mask].mean())
        look = replace(look, tone=1 if brightness < DARKEST else -1 if brightness > LIGHTEST else 0)
    change = PAINTERS[kind](_varied(look, rng), surface, piece, rng)
    base, blur = surface.base, surface.blur
    if by > 1:
        size = (area.shape[1], area.shape[0])
        change = Change(*(cv2.resize(values, size) for values in vars(change).values()))
        base, blur = cv2.resize(base, size), 0.7
    area[mask] = _applied(change, look, area[mask], base[mask], blur, mask)


def _reduced(area: np.ndarray, piece: Piece, by: int) -> tuple[np.ndarray, Piece]:
    size = (max(1, area.shape[1] // by), max(1, area.shape[0] // by))
    mask = cv2.resize(piece.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    course = None if piece.course is None else lines.resample(piece.course / by)
    return cv2.resize(area, size, interpolation=cv2.INTER_AREA), Piece(piece.box, mask, course)


def _varied(look: Look, rng: np.random.Generator) -> Look:
    """No two defects of a kind are alike."""
    spread = {"contrast": 0.2, "width": 0.15, "depth": 0.15, "rough": 0.15, "soft": 0.2}
    factors = {name: getattr(look, name) * float(np.exp(rng.normal(0, s))) for name, s in spread.items()}
    return replace(look, **factors)


def _applied(
    change: Change, look: Look, area: np.ndarray, base: np.ndarray, blur: float, mask: np.ndarray
) -> np.ndarray:
    """float32 (k, 3): the pixels of a mask with a change, seen through the camera's softness.

    `area` and `base` float32 (k, 3) are those pixels and what they are without texture.
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
        # In a dim picture white chalk is no brighter than a lit surface several times as reflective as this one.
        exposure = float(np.clip(level.mean() / EXPOSED, 0.4, 1.0))
        # The surface's unevenness shows through a film, and so does some of its shading.
        uneven = np.clip(area.mean(axis=1, keepdims=True) / np.maximum(level, 8), 0.5, 1.6)
        lit = np.clip(level / max(float(level.mean()), 8.0), 0.3, 1.6)
        film = exposure * uneven * lit * np.array(look.colour, np.float32)
        shown = shown + deposit * (film - shown)
    result = shown * tint + light
    # As film and sensors do, brightness runs into white gently; what was as bright before stays.
    gently = np.maximum(np.minimum(area, result), LIGHTEST + 0.3 * (result - LIGHTEST))
    return np.where(result > LIGHTEST, gently, result)


def _tones(look: Look, surface: Surface, piece: Piece) -> tuple[float, float]:
    """Factors for the dark and the bright parts of a defect: strong enough to be seen above the texture."""
    brightness = max(float(surface.base[piece.mask].mean()), 4.0)
    least = 2.2 * surface.noise / brightness
    dark = float(np.clip(max(0.46, least) * look.contrast, 0.05, 0.92))
    room = max(0.12, (LIGHTEST - brightness) / brightness)
    bright = float(np.clip(max(0.45, least) * look.contrast, 0.05, room))
    return dark, bright


def _usual_tone(look: Look, surface: Surface, piece: Piece, rng: np.random.Generator) -> int:
    """Darker or brighter where the words leave it open: mostly darker, on a bright surface always."""
    drawn = int(rng.choice([-1, -1, 1]))
    return look.tone or (-1 if float(surface.base[piece.mask].mean()) > BRIGHT else drawn)


# --- lines ----------------------------------------------------------------------------------------


def _courses(
    look: Look, piece: Piece, surface: Surface, several: tuple[int, int], rng: np.random.Generator
) -> list[np.ndarray]:
    """The ways that lines take through a piece: along it where it is narrow, else across it as chords."""
    count = look.count if look.count else (int(rng.integers(*several)) if look.count == 0 else 1)
    depth = lines.depth_of(piece.mask)
    if piece.course is not None:
        ways = [piece.course]
        room = np.maximum(lines.at(depth, piece.course) - 1.5, 0)
        if count > 1 and room.max() > 2 * surface.unit:
            ways = [
                lines.shifted(piece.course, room * side + rng.normal(0, 0.08) * room)
                for side in np.linspace(-0.8, 0.8, count)
            ]
    else:
        rows, columns = np.nonzero(piece.mask)
        weight = depth[rows, columns] ** 1.5
        angle = _angle(look, piece, surface, rng)
        ways = []
        for _ in range(count):  # the longest of a few, lest one merely cuts a corner
            turned = angle + rng.normal(0, 0.09)
            tried = [
                lines.chord(piece.mask, (columns[i], rows[i]), turned, look.bend, rng)
                for i in rng.choice(len(rows), size=3, p=weight / weight.sum())
            ]
            ways.append(max(tried, key=len))
    return [_cut(way, look, piece.mask, rng) for way in ways]


def _angle(look: Look, piece: Piece, surface: Surface, rng: np.random.Generator) -> float:
    """Radians, y downwards: as the words say, else along the mask, a little oblique to it."""
    if look.to_grain is not None:
        return surface.grain + float(np.deg2rad(look.to_grain))
    if look.angle is not None:
        return -float(np.deg2rad(look.angle))
    rows, columns = np.nonzero(piece.mask)
    spread = np.cov(np.stack([columns, rows])) if len(rows) > 2 else np.eye(2)
    values, vectors = np.linalg.eigh(spread)
    main = float(np.arctan2(vectors[1, 1], vectors[0, 1]))
    round_ = float(np.clip(values[0] / max(values[1], 1e-6), 0, 1))
    return main + float(rng.normal(0, 0.15 + 0.9 * round_**2))


def _cut(way: np.ndarray, look: Look, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The part of a way that a line takes: most of it, less where short ones are asked for."""
    share = float(np.clip(look.length * rng.uniform(0.8, 1.0), 0.08, 1.0))
    length = max(4, int(len(way) * share))
    start = int(rng.integers(0, max(1, len(way) - length + 1)))
    return way[start : start + length]


def _line_unit(surface: Surface) -> float:
    """Pixels; lines are wider on coarse and rough surfaces, where finer ones are neither seen nor labelled."""
    relative = surface.noise / max(float(surface.base.mean()), 8.0)
    return max(0.75, surface.unit) * min(1.6, 1 + 2 * relative)


def _ends(way: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """float (n,): 1 along the line, falling to 0 towards its ends, but not where it leaves the image."""
    n = len(way)
    taper = max(3.0, 0.16 * n)
    rise = np.ones(n)
    for sense, end in ((np.arange(n), way[0]), (np.arange(n)[::-1], way[-1])):
        x, y = end
        if 1.5 < x < mask.shape[1] - 2.5 and 1.5 < y < mask.shape[0] - 2.5:
            rise *= np.clip((sense + 1) / taper, 0, 1) ** 0.6
    return rise


def _unbroken(n: int, gaps: float, unit: float, rng: np.random.Generator) -> np.ndarray:
    """float (n,): 0 in the gaps of a line, 1 elsewhere; `gaps` 1 leaves out about a tenth of it."""
    noise = lines.wave(n, 14 * unit, rng)
    share = min(0.6, 0.12 * gaps)
    if share <= 0:
        return np.ones(n)
    noise += max(0.0, 0.5 - float(noise.max()))  # a short line is not all gap
    return _step(-0.3, 0.3, noise - norm.ppf(share))


def _scratch(look: Look, surface: Surface, piece: Piece, rng: np.random.Generator) -> Change:
    """A groove that lies in shadow and the lip beside it, on the side away from the lamp, that is lit."""
    change = Change.none(piece.mask.shape)
    dark, bright = _tones(look, surface, piece)
    groove, lip = np.zeros((2, *piece.mask.shape), np.float32)
    for way in _courses(look, piece, surface, (2, 5), rng):
        for _ in range(look.strands if look.strands == 1 else int(rng.integers(3, look.strands + 1))):
            _stroke(groove, lip, way, look, surface, piece, rng)
    tone = look.tone
    to_dark = {0: 1.0, -1: 1.25, 1: 0.3}[tone] * min(1.4, 0.6 + 0.4 * look.depth)
    to_bright = {0: 0.8, -1: 0.15, 1: 1.5}[tone] * look.gloss**0.7
    change.tint = np.clip(1 - np.clip(dark * to_dark, 0, 0.9) * groove, 0.06, 1) * (
        1 + bright * to_bright * lip
    )
    if tone > 0:
        change.tint += bright * 0.9 * groove
    # A scratch lays open what is below: the film's colour lies in the groove and on the lip.
    change.deposit = np.clip(0.75 * look.contrast * np.maximum(groove, lip), 0, 0.92)
    if look.colour is not None:
        change.tint = 1 + 0.7 * (change.tint - 1)
    change.keep = np.clip(1 - 0.6 * np.maximum(groove, lip), 0, 1)
    return change


def _stroke(
    groove: np.ndarray,
    lip: np.ndarray,
    way: np.ndarray,
    look: Look,
    surface: Surface,
    piece: Piece,
    rng: np.random.Generator,
) -> None:
    """Scratch once along a way: uneven pressure, uneven width, broken places."""
    depth = lines.depth_of(piece.mask)
    unit = surface.unit
    fan = 1.0 if look.strands > 1 else 0.25  # hairlines lie side by side, one stroke keeps to the middle
    room = np.maximum(lines.at(depth, way) - 1.5 * unit, 0)
    aside = np.clip(
        rng.uniform(-1, 1) * fan + 0.15 * look.rough * lines.wave(len(way), 60 * unit, rng), -1, 1
    )
    if look.strands > 1:
        way = lines.shifted(way, aside * min(float(room.max()), 4 * unit * look.width))
    else:
        way = lines.shifted(way, aside * room)
    n = len(way)
    nominal = _line_unit(surface) * (1.0 if look.strands == 1 else 0.45) * look.width * rng.uniform(0.8, 1.25)
    width = nominal * np.exp(0.25 * look.rough * lines.wave(n, 20 * unit, rng))
    width = np.clip(width, 0.45, np.maximum(0.45, lines.at(depth, way) / 1.8))
    press = np.clip(lines.at(depth, way) / (1.5 * unit), 0, 1) * _sharpened(width, surface)
    press = press * _ends(way, piece.mask) * _unbroken(n, look.gaps, unit, rng)
    press *= np.clip(0.85 + 0.3 * look.rough * lines.wave(n, 9 * unit, rng), 0.15, 1.2)
    if look.strands > 1:
        press *= rng.uniform(0.35, 1.0)
    near = lines.band(way, 4.5 * float(width.max()) + 1, piece.mask)
    if not len(near.rows):
        return
    # Texture makes the tool skid: the groove's edges follow the surface's own noise.
    rough = 0.25 * look.rough * surface.texture.mean(axis=2)[near.rows, near.columns] / surface.noise
    w, p = width[near.nearest] * look.soft**0.5, press[near.nearest]
    across = near.across + np.clip(rough, -0.6, 0.6) * w
    away = np.where((near.normal * surface.lamp).sum(axis=1) > 0, -1.0, 1.0)
    hollow = p * np.exp(-((across / w) ** 2))
    raised = p * np.exp(-(((across * away - 1.7 * w) / (0.8 * w)) ** 2))
    raised += 0.35 * p * np.exp(-(((across * away + 1.7 * w) / (0.7 * w)) ** 2))
    where = (near.rows, near.columns)
    groove[where] = np.maximum(groove[where], hollow)
    lip[where] = np.maximum(lip[where], raised)


def _sharpened(width: np.ndarray, surface: Surface) -> np.ndarray:
    """What the camera's softness will take from the middle of a line of such a width (sigma, pixels), beforehand."""
    return np.minimum(np.sqrt(1 + (surface.blur / width) ** 2), 1.5)


def _crack(look: Look, surface: Surface, piece: Piece, rng: np.random.Generator) -> Change:
    """A gap that no light leaves: thin, jagged, branching, of changing width; its edges follow the texture."""
    change = Change.none(piece.mask.shape)
    dark, bright = _tones(look, surface, piece)
    gap = np.zeros(piece.mask.shape, np.float32)
    for way in _courses(look, piece, surface, (2, 4), rng):
        line = _jagged(way, look, surface, piece, rng)
        _cleft(gap, line, 1.0, look, surface, piece, rng)
        for branch in _branches(line, look, piece, rng):
            _cleft(gap, _jagged(branch, look, surface, piece, rng), 0.6, look, surface, piece, rng)
    if look.tone > 0:
        change.tint = 1 + 1.6 * bright * gap
    else:
        deep = np.clip(dark * 1.35 * min(1.3, 0.7 + 0.3 * look.depth), 0, 0.93)
        change.tint = np.clip(1 - deep * gap, 0.05, 1)
    change.deposit = np.clip(0.85 * look.contrast * gap, 0, 0.95)
    if look.colour is not None:
        change.tint = 1 + 0.4 * (change.tint - 1)
    change.keep = np.clip(1 - 0.75 * gap, 0, 1)
    return change


def _jagged(
    way: np.ndarray, look: Look, surface: Surface, piece: Piece, rng: np.random.Generator
) -> np.ndarray:
    """The way with the zigzag of a crack, from long bows to short teeth, within the mask."""
    room = np.maximum(lines.at(lines.depth_of(piece.mask), way) - surface.unit, 0)
    zigzag = np.zeros(len(way))
    for scale, size in ((90, 3.0), (35, 1.5), (12, 0.7), (5, 0.35)):
        zigzag += size * lines.wave(len(way), scale * surface.unit, rng)
    zigzag *= surface.unit * look.rough * min(1.0, 0.4 + 0.6 * look.bend)
    return lines.shifted(way, np.clip(zigzag, -room, room))


def _branches(line: np.ndarray, look: Look, piece: Piece, rng: np.random.Generator) -> list[np.ndarray]:
    found = []
    for _ in range(rng.poisson(1.2 * look.branches)):
        start = int(rng.integers(0, len(line)))
        ahead = line[min(start + 6, len(line) - 1)] - line[max(start - 6, 0)]
        angle = np.arctan2(ahead[1], ahead[0]) + rng.choice([-1, 1]) * rng.uniform(0.35, 0.9)
        length = int(len(line) * rng.uniform(0.1, 0.3))
        half = lines.chord(piece.mask, tuple(line[start]), float(angle), look.bend, rng)
        first = int(np.argmin(((half - line[start]) ** 2).sum(axis=1))) if len(half) else 0
        if len(half) - first > 6:
            found.append(half[first : first + max(6, length)])
    return found


def _cleft(
    gap: np.ndarray,
    line: np.ndarray,
    share: float,
    look: Look,
    surface: Surface,
    piece: Piece,
    rng: np.random.Generator,
) -> None:
    n, unit = len(line), surface.unit
    # A hand-drawn or labelled mask pinches here and there; the crack in it does not.
    room = gaussian_filter1d(lines.at(lines.depth_of(piece.mask), line), 12 * unit, mode="nearest")
    width = 1.25 * _line_unit(surface) * share * look.width * rng.uniform(0.8, 1.3)
    widths = width * np.exp(0.45 * look.rough**0.5 * lines.wave(n, 30 * unit, rng))
    widths = np.clip(widths * (0.45 + 0.55 * _ends(line, piece.mask)), 0.4, np.maximum(0.4, room / 1.1))
    open_ = (
        _sharpened(widths, surface)
        * _ends(line, piece.mask) ** 0.5
        * (0.75 + 0.25 * _unbroken(n, look.gaps, unit, rng))
    )
    open_ *= np.clip(0.9 + 0.22 * lines.wave(n, 24 * unit, rng), 0.3, 1.15)
    near = lines.band(line, 3.5 * float(widths.max()) + 1, piece.mask)
    if not len(near.rows):
        return
    # What is finer than a pixel or two covers it in part only, hence is greyer.
    open_ = open_ * np.clip(widths / (0.9 * _line_unit(surface)), 0.45, 1)
    local = surface.texture.mean(axis=2)[near.rows, near.columns] / surface.noise
    w = widths[near.nearest] * look.soft**0.5
    # Dark grains join the crack and bright ones bridge it.
    across = np.abs(near.across) / w + 0.3 * np.clip(local, -1.5, 1.5) * look.rough**0.5
    cleft = open_[near.nearest] * np.exp(-(np.clip(across, 0, None) ** 1.6))
    where = (near.rows, near.columns)
    gap[where] = np.maximum(gap[where], cleft)


# --- blobs ----------------------------------------------------------------------------------------


def _blobs(
    look: Look, piece: Piece, surface: Surface, share: float, ragged: float, rng: np.random.Generator
) -> np.ndarray:
    """float32 (h, w): about how many pixels a point lies within the outline of a blob, negative outside.

    One blob takes the mask's own shape, drawn in a little and roughened; several are strewn over it. `share`
    is how much of the mask's depth one fills.
    """
    depth = lines.depth_of(piece.mask)
    deepest = float(depth.max())
    count = look.count if look.count else (int(rng.integers(2, 6)) if look.count == 0 else 1)
    share = float(np.clip(share * look.size * rng.uniform(0.9, 1.08), 0.12, 0.96))
    ragged *= look.rough**1.6
    if count == 1 and look.size > 0.6:
        noise = _octaves(piece.mask.shape, max(4.0, 0.9 * deepest), rng, _fineness(look))
        inset = (1 - share) * deepest
        return depth - inset - ragged * 0.28 * deepest * (noise + 0.6)
    rows, columns = np.nonzero(piece.mask)
    y, x = np.mgrid[0 : piece.mask.shape[0], 0 : piece.mask.shape[1]].astype(np.float32)
    inside = np.full(piece.mask.shape, -np.inf, np.float32)
    # Their sizes are as different as those of droplets; the first is the largest.
    weight = depth[rows, columns] ** 2
    for number, i in enumerate(rng.choice(len(rows), size=count, p=weight / weight.sum())):
        most = depth[rows[i], columns[i]]
        typical = deepest * share * (0.75 if count == 1 else 0.9 / np.sqrt(count))
        radius = float(
            np.clip(typical * (1.0 if number == 0 else rng.uniform(0.4, 1.0)), 1.0, max(1.0, most * 0.95))
        )
        inside = np.maximum(
            inside, _ellipse(x - columns[i], y - rows[i], radius, ragged, _fineness(look), rng)
        )
    return np.where(piece.mask, inside, np.minimum(inside, 0))


def _fineness(look: Look) -> float:
    """How strong the small teeth of an outline are against the large ones."""
    return float(np.clip(0.5 * look.rough**0.6, 0.25, 0.8))


def _ellipse(
    x: np.ndarray, y: np.ndarray, radius: float, ragged: float, fineness: float, rng: np.random.Generator
) -> np.ndarray:
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(1.0, 1.35)
    u = (x * np.cos(turn) + y * np.sin(turn)) * stretch
    v = y * np.cos(turn) - x * np.sin(turn)
    noise = _octaves(x.shape, max(3.0, 0.9 * radius), rng, fineness)
    return radius - np.hypot(u, v) - ragged * 0.25 * radius * noise


def _shade(height: np.ndarray, surface: Surface, soft: float) -> np.ndarray:
    """float32 (h, w): how much brighter or darker a relief of `height` (pixels) is under the lamp, about 1."""
    smooth = cv2.GaussianBlur(height, (0, 0), max(0.6, soft))
    dx, dy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(smooth, cv2.CV_32F, 0, 1) / 8
    towards = -(dx * surface.lamp[0] + dy * surface.lamp[1])
    return 1 + towards / np.sqrt(1 + dx * dx + dy * dy)


def _pit(look: Look, surface: Surface, piece: Piece, rng: np.random.Generator) -> Change:
    """A hollow: a floor that gets little light, a wall that faces the lamp and one that does not, a lit rim."""
    change = Change.none(piece.mask.shape)
    dark, bright = _tones(look, surface, piece)
    inside = _blobs(look, piece, surface, 0.86, 0.45, rng)
    radius = max(1.5, float(inside.max()))
    wall = max(1.0, 0.22 * radius) * look.soft
    floor = _step(0, wall, inside)
    uneven = _octaves(piece.mask.shape, max(3.0, 0.6 * radius), rng)
    height = -radius * 0.5 * look.depth * floor * (1 + 0.15 * look.rough * uneven)
    if look.ripples:
        height = height + look.ripples * _ripples(inside, radius, uneven, rng) * floor
    relief = (0.7 - 0.25 * look.ripples) * look.contrast
    shade = np.clip(1 + relief * (_shade(height, surface, 0.5 * wall) - 1), 0.45, 1.6)
    rim = np.exp(-(((inside + 0.4 * wall) / (0.45 * wall + 0.6)) ** 2)) * np.clip(shade - 0.85, 0, 1)
    if look.tone > 0:
        body = 1 + 1.2 * bright * floor
    else:
        deep = (
            dark * (1.1 if look.tone else 0.95) * min(1.3, 0.7 + 0.3 * look.depth) * (1 - 0.55 * look.ripples)
        )
        body = 1 - np.clip(deep, 0, 0.9) * floor * (1 + 0.1 * uneven)
    change.tint = (body * (1 + (shade - 1) * (0.35 + 0.4 * np.maximum(1 - floor, look.ripples)))).astype(
        np.float32
    )
    change.tint = change.tint + 0.3 * min(bright, 0.5) * look.gloss * rim * (1 - floor)
    change.deposit = np.clip(0.8 * look.contrast * floor, 0, 0.95)
    if look.colour is not None:
        change.tint = 1 + 0.5 * (change.tint - 1)
    change.keep = 1 - (0.6 + 0.2 * look.ripples) * floor
    return change


def _ripples(inside: np.ndarray, radius: float, uneven: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """float32 (h, w): the shell-like waves on the face of a fracture, closer together towards its rim."""
    depth = np.clip(inside + 0.12 * radius * uneven, 0, None) / radius
    waves = np.sin(2 * np.pi * rng.uniform(2.0, 4.5) * np.sqrt(depth) + rng.uniform(0, 2 * np.pi))
    return (0.07 * radius * waves).astype(np.float32)


def _spot(look: Look, surface: Surface, piece: Piece, rng: np.random.Generator) -> Change:
    """A deposit: an even film with a crisp edge, thicker along its rim, the texture showing through."""
    change = Change.none(piece.mask.shape)
    dark, bright = _tones(look, surface, piece)
    inside = _blobs(look, piece, surface, 0.88, 0.35, rng)
    radius = max(1.5, float(inside.max()))
    edge = 1.2 * look.soft * max(1.0, surface.unit) + max(0.0, 0.25 * (look.soft - 1.4)) * radius
    film = _step(0, min(edge, 0.9 * radius), inside)
    rim = np.exp(-(((inside - 0.14 * radius) / (0.12 * radius + 0.6)) ** 2)) * film
    thick = film * (0.82 + 0.12 * _octaves(piece.mask.shape, max(4.0, radius), rng)) + 0.22 * rim
    tone = _usual_tone(look, surface, piece, rng)
    change.tint = 1 + (bright * 1.2 if tone > 0 else -dark * 0.85) * thick
    change.deposit = np.clip(0.85 * look.contrast**0.5 * thick, 0, 0.97)
    if look.colour is not None:
        change.tint = 1 + 0.25 * (change.tint - 1)
    change.keep = 1 - 0.4 * film
    return change


def _stain(look: Look, surface: Surface, piece: Piece, rng: np.random.Generator) -> Change:
    """A tint that fades in softly, cloudy within, with the darker tide line where it dried; texture stays."""
    change = Change.none(piece.mask.shape)
    dark, bright = _tones(look, surface, piece)
    inside = _blobs(look, piece, surface, 0.9, 0.5, rng)
    radius = max(2.0, float(inside.max()))
    film = _step(0, max(2.0, min(0.7, 0.3 * look.soft) * radius), inside)
    cloud = np.clip(0.72 + 0.22 * _octaves(piece.mask.shape, max(6.0, 0.8 * radius), rng), 0.2, 1.2)
    tide = np.exp(-(((inside - 0.18 * radius) / (0.1 * radius + 1)) ** 2)) * film
    amount = film * cloud + 0.45 * tide
    tone = look.tone or -1
    change.tint = 1 + (bright * 0.8 if tone > 0 else -dark * 0.65) * amount
    change.deposit = np.clip(0.55 * look.contrast * amount, 0, 0.9)
    if look.colour is not None:
        change.tint = 1 + 0.3 * (change.tint - 1)
    return change


def _dent(look: Look, surface: Surface, piece: Piece, rng: np.random.Generator) -> Change:
    """A smooth hollow: the side that faces the lamp brighter, the other darker, nothing else changed."""
    change = Change.none(piece.mask.shape)
    dark, bright = _tones(look, surface, piece)
    inside = _blobs(look, piece, surface, 0.95, 0.15, rng)
    radius = max(2.0, float(inside.max()))
    bowl = _step(0, radius, inside)
    wavy = 1 + 0.12 * look.rough * _octaves(piece.mask.shape, max(4.0, radius), rng)
    relief = _shade(-radius * look.depth * bowl * wavy, surface, 0.12 * radius * look.soft) - 1
    relief /= max(float(np.abs(relief).max()), 1e-6)
    relief *= min(1.4, 0.5 + 0.5 * look.depth)
    shine = {1: 1.0, 0: 0.65, -1: 0.25}[look.tone] * look.gloss**0.5
    shadow = {1: 0.35, 0: 0.8, -1: 1.3}[look.tone]
    change.tint = 1 + np.where(relief > 0, bright * shine * relief, np.clip(dark * shadow, 0, 0.9) * relief)
    change.tint = change.tint.astype(np.float32)
    change.deposit = np.clip(0.5 * look.contrast * bowl, 0, 0.9)
    return change


def _grain_break(look: Look, surface: Surface, piece: Piece, rng: np.random.Generator) -> Change:
    """The grain torn or worn away: another texture, made from the surface's own, a little darker or brighter."""
    change = Change.none(piece.mask.shape)
    dark, bright = _tones(look, surface, piece)
    inside = _blobs(look, piece, surface, 0.92, 0.4, rng)
    worn = _step(0, 2.0 * look.soft * max(1.0, surface.unit), inside)
    height, width = piece.mask.shape
    turn = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(50, 130)), 1.0))
    turn[:, 2] = turn[:, 2] + rng.uniform(-12, 12, 2)
    other = cv2.warpAffine(surface.texture.mean(axis=2), turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    other = cv2.GaussianBlur(other, (0, 0), 0.8 + surface.blur)
    fine = _field((height, width), 1.6 * surface.unit, rng)
    other = 0.25 * look.rough * other + 0.4 * surface.noise * look.rough * fine
    change.keep = 1 - 0.9 * worn
    change.light = (other * worn).astype(np.float32)
    tone = _usual_tone(look, surface, piece, rng)
    cloud = np.clip(
        0.85 + 0.15 * _octaves((height, width), max(8.0, 0.4 * max(height, width)), rng), 0.4, 1.2
    )
    change.tint = 1 + (0.5 * bright if tone > 0 else -0.5 * dark) * worn * cloud
    change.deposit = np.clip(0.5 * look.contrast * worn, 0, 0.9)
    return change


PAINTERS: dict[str, Callable[[Look, Surface, Piece, np.random.Generator], Change]] = {
    "scratch": _scratch,
    "crack": _crack,
    "pit": _pit,
    "spot": _spot,
    "stain": _stain,
    "dent": _dent,
    "grain break": _grain_break,
}
