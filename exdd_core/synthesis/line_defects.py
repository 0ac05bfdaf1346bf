"""Scratches and cracks: defects that follow a line through the mask.

Knows surfaces, looks and the courses of lines, which are points (x, y), float32 (n, 2). Does not know windows,
prompts or engines.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.stats import norm

from exdd_core.synthesis import lines, mask_geometry
from exdd_core.synthesis.surfaces import Change, MaskPiece, Surface, smooth_step, tones
from exdd_core.synthesis.vocabulary import Look


def _courses(
    look: Look, piece: MaskPiece, surface: Surface, several: tuple[int, int], rng: np.random.Generator
) -> list[np.ndarray]:
    """The courses of lines through a piece: along a narrow piece, chords across a broad one."""
    count = look.count if look.count else (int(rng.integers(*several)) if look.count == 0 else 1)
    depth = mask_geometry.depth_of(piece.mask)
    if piece.course is not None:
        courses = [piece.course]
        room = np.maximum(lines.at(depth, piece.course) - 1.5, 0)
        if count > 1 and room.max() > 2 * surface.unit:
            courses = [
                lines.shifted(piece.course, room * side + rng.normal(0, 0.08) * room)
                for side in np.linspace(-0.8, 0.8, count)
            ]
    else:
        rows, columns = np.nonzero(piece.mask)
        weight = depth[rows, columns] ** 1.5
        angle = _angle(look, piece, surface, rng)
        courses = []
        for _ in range(count):  # the longest of three chords, since one may only cut a corner
            turned = angle + rng.normal(0, 0.09)
            tried = [
                lines.chord(piece.mask, (columns[i], rows[i]), turned, look.bend, rng)
                for i in rng.choice(len(rows), size=3, p=weight / weight.sum())
            ]
            courses.append(max(tried, key=len))
    return [_cut(course, look, piece.mask, rng) for course in courses]


def _angle(look: Look, piece: MaskPiece, surface: Surface, rng: np.random.Generator) -> float:
    """The prompt's angle, or about that of the mask's longer axis, in radians, y downwards."""
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


def _cut(course: np.ndarray, look: Look, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random section of a course, as long as the prompt asks for."""
    share = float(np.clip(look.length * rng.uniform(0.8, 1.0), 0.08, 1.0))
    length = max(4, int(len(course) * share))
    start = int(rng.integers(0, max(1, len(course) - length + 1)))
    return course[start : start + length]


def _line_unit(surface: Surface) -> float:
    """The unit of line widths in pixels. It is larger on rough surfaces, where nobody sees or labels finer lines."""
    relative = surface.noise / max(float(surface.base.mean()), 8.0)
    return max(0.75, surface.unit) * min(1.6, 1 + 2 * relative)


def _ends(course: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """float (n,): 1 along the line, falling to 0 towards its ends unless the line leaves the image there."""
    n = len(course)
    taper = max(3.0, 0.16 * n)
    rise = np.ones(n)
    for sense, end in ((np.arange(n), course[0]), (np.arange(n)[::-1], course[-1])):
        x, y = end
        if 1.5 < x < mask.shape[1] - 2.5 and 1.5 < y < mask.shape[0] - 2.5:
            rise *= np.clip((sense + 1) / taper, 0, 1) ** 0.6
    return rise


def _unbroken(n: int, gaps: float, unit: float, rng: np.random.Generator) -> np.ndarray:
    """float (n,): 0 in the gaps of a line, 1 elsewhere. With `gaps` 1 about a tenth of the line is gaps."""
    noise = lines.wave(n, 14 * unit, rng)
    share = min(0.6, 0.12 * gaps)
    if share <= 0:
        return np.ones(n)
    noise += max(0.0, 0.5 - float(noise.max()))  # keeps at least one section of a short line
    return smooth_step(-0.3, 0.3, noise - norm.ppf(share))


def scratch(look: Look, surface: Surface, piece: MaskPiece, rng: np.random.Generator) -> Change:
    """A dark groove, and a lit lip along the side that faces away from the lamp."""
    change = Change.none(piece.mask.shape)
    dark, bright = tones(look, surface, piece)
    groove, lip = np.zeros((2, *piece.mask.shape), np.float32)
    for course in _courses(look, piece, surface, (2, 5), rng):
        for _ in range(look.strands if look.strands == 1 else int(rng.integers(3, look.strands + 1))):
            _stroke(groove, lip, course, look, surface, piece, rng)
    tone = look.tone
    to_dark = {0: 1.0, -1: 1.25, 1: 0.3}[tone] * min(1.4, 0.6 + 0.4 * look.depth)
    to_bright = {0: 0.8, -1: 0.15, 1: 1.5}[tone] * look.gloss**0.7
    change.tint = np.clip(1 - np.clip(dark * to_dark, 0, 0.9) * groove, 0.06, 1) * (
        1 + bright * to_bright * lip
    )
    if tone > 0:
        change.tint += bright * 0.9 * groove
    # A scratch exposes the material below, so the colour is that of the groove and the lip.
    change.deposit = np.clip(0.75 * look.contrast * np.maximum(groove, lip), 0, 0.92)
    if look.colour is not None:
        change.tint = 1 + 0.7 * (change.tint - 1)
    change.keep = np.clip(1 - 0.6 * np.maximum(groove, lip), 0, 1)
    return change


def _stroke(
    groove: np.ndarray,
    lip: np.ndarray,
    course: np.ndarray,
    look: Look,
    surface: Surface,
    piece: MaskPiece,
    rng: np.random.Generator,
) -> None:
    """Scratch once along a course, with uneven pressure and width and with gaps."""
    depth = mask_geometry.depth_of(piece.mask)
    unit = surface.unit
    fan = 1.0 if look.strands > 1 else 0.25  # hairlines spread over the mask, one stroke keeps to the middle
    room = np.maximum(lines.at(depth, course) - 1.5 * unit, 0)
    aside = np.clip(
        rng.uniform(-1, 1) * fan + 0.15 * look.rough * lines.wave(len(course), 60 * unit, rng), -1, 1
    )
    if look.strands > 1:
        course = lines.shifted(course, aside * min(float(room.max()), 4 * unit * look.width))
    else:
        course = lines.shifted(course, aside * room)
    n = len(course)
    nominal = _line_unit(surface) * (1.0 if look.strands == 1 else 0.45) * look.width * rng.uniform(0.8, 1.25)
    width = nominal * np.exp(0.25 * look.rough * lines.wave(n, 20 * unit, rng))
    width = np.clip(width, 0.45, np.maximum(0.45, lines.at(depth, course) / 1.8))
    press = np.clip(lines.at(depth, course) / (1.5 * unit), 0, 1) * _sharpened(width, surface)
    press = press * _ends(course, piece.mask) * _unbroken(n, look.gaps, unit, rng)
    press *= np.clip(0.85 + 0.3 * look.rough * lines.wave(n, 9 * unit, rng), 0.15, 1.2)
    if look.strands > 1:
        press *= rng.uniform(0.35, 1.0)
    band = lines.band(course, 4.5 * float(width.max()) + 1, piece.reach)
    if not len(band.rows):
        return
    # Texture deflects the tool, so the groove's edges follow the surface's noise.
    rough = 0.25 * look.rough * surface.texture.mean(axis=2)[band.rows, band.columns] / surface.noise
    w, p = width[band.nearest] * look.soft**0.5, press[band.nearest]
    across = band.across + np.clip(rough, -0.6, 0.6) * w
    away = np.where((band.normal * surface.lamp).sum(axis=1) > 0, -1.0, 1.0)
    hollow = p * np.exp(-((across / w) ** 2))
    raised = p * np.exp(-(((across * away - 1.7 * w) / (0.8 * w)) ** 2))
    raised += 0.35 * p * np.exp(-(((across * away + 1.7 * w) / (0.7 * w)) ** 2))
    where = (band.rows, band.columns)
    groove[where] = np.maximum(groove[where], hollow)
    lip[where] = np.maximum(lip[where], raised)


def _sharpened(width: np.ndarray, surface: Surface) -> np.ndarray:
    """The factor that compensates the camera's blur of a line of this width (sigma, in pixels)."""
    return np.minimum(np.sqrt(1 + (surface.blur / width) ** 2), 1.5)


def crack(look: Look, surface: Surface, piece: MaskPiece, rng: np.random.Generator) -> Change:
    """A thin, jagged, branching dark gap of varying width, whose edges follow the texture."""
    change = Change.none(piece.mask.shape)
    dark, bright = tones(look, surface, piece)
    gap = np.zeros(piece.mask.shape, np.float32)
    for course in _courses(look, piece, surface, (2, 4), rng):
        line = _jagged(course, look, surface, piece, rng)
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
    course: np.ndarray, look: Look, surface: Surface, piece: MaskPiece, rng: np.random.Generator
) -> np.ndarray:
    """Add the zigzag of a crack to a course, on four scales, within the mask."""
    room = np.maximum(lines.at(mask_geometry.depth_of(piece.mask), course) - surface.unit, 0)
    zigzag = np.zeros(len(course))
    for scale, size in ((90, 3.0), (35, 1.5), (12, 0.7), (5, 0.35)):
        zigzag += size * lines.wave(len(course), scale * surface.unit, rng)
    zigzag *= surface.unit * look.rough * min(1.0, 0.4 + 0.6 * look.bend)
    return lines.shifted(course, np.clip(zigzag, -room, room))


def _branches(line: np.ndarray, look: Look, piece: MaskPiece, rng: np.random.Generator) -> list[np.ndarray]:
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
    piece: MaskPiece,
    rng: np.random.Generator,
) -> None:
    n, unit = len(line), surface.unit
    # A hand-drawn mask is narrow in places where the crack in it is not.
    room = gaussian_filter1d(lines.at(mask_geometry.depth_of(piece.mask), line), 12 * unit, mode="nearest")
    width = 1.25 * _line_unit(surface) * share * look.width * rng.uniform(0.8, 1.3)
    widths = width * np.exp(0.45 * look.rough**0.5 * lines.wave(n, 30 * unit, rng))
    widths = np.clip(widths * (0.45 + 0.55 * _ends(line, piece.mask)), 0.4, np.maximum(0.4, room / 1.1))
    open_ = (
        _sharpened(widths, surface)
        * _ends(line, piece.mask) ** 0.5
        * (0.75 + 0.25 * _unbroken(n, look.gaps, unit, rng))
    )
    open_ *= np.clip(0.9 + 0.22 * lines.wave(n, 24 * unit, rng), 0.3, 1.15)
    band = lines.band(line, 3.5 * float(widths.max()) + 1, piece.reach)
    if not len(band.rows):
        return
    # A crack finer than a pixel covers part of the pixel, which makes it lighter.
    open_ = open_ * np.clip(widths / (0.9 * _line_unit(surface)), 0.45, 1)
    local = surface.texture.mean(axis=2)[band.rows, band.columns] / surface.noise
    w = widths[band.nearest] * look.soft**0.5
    # Dark grains join the crack and bright ones bridge it.
    across = np.abs(band.across) / w + 0.3 * np.clip(local, -1.5, 1.5) * look.rough**0.5
    cleft = open_[band.nearest] * np.exp(-(np.clip(across, 0, None) ** 1.6))
    where = (band.rows, band.columns)
    gap[where] = np.maximum(gap[where], cleft)
