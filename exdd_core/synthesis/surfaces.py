"""Measures the surface around a mask (light, texture, grain, softness), and makes noise for defects.

Knows pixels, random numbers, and the tone and contrast of a `Look`. Does not know types of defects or
engines.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from exdd_core.synthesis.vocabulary import Look

DARKEST = 20.0  # grey level of a surface below which darker defects are invisible
EXPOSED = 110.0  # grey level of a surface of medium reflectance in a well exposed picture
BRIGHT = 130.0  # grey level of a surface above which defects are usually darker
LIGHTEST = 232.0  # grey level that bright defects hardly exceed


@dataclass(frozen=True)
class MaskPiece:
    """One connected piece of the mask with its surroundings.

    box: (left, top, right, bottom) in the window. mask: bool (h, w) of the box. reach: bool (h, w), the pixels that may
    change: the mask with its halo. course: the centreline, float (n, 2), of a long and narrow piece, else None.
    """

    box: tuple[int, int, int, int]
    mask: np.ndarray
    reach: np.ndarray
    course: np.ndarray | None


@dataclass(frozen=True)
class Surface:
    """The surface around a piece, as measured.

    base: float32 (h, w, 3), the pixels without texture. texture: float32 (h, w, 3), the pixels minus `base`.
    noise: spread of the texture, grey levels. grain: its direction, radians. coherence: how clear the direction
    is, 0 to 1. blur: sigma of the camera's blur, pixels. lamp: unit vector (x, y) towards the light. unit: of
    widths, about one pixel of a picture of 400 x 400.
    """

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
    """What a defect does to a surface, all float32 (h, w).

    tint: the factor on the light. light: grey levels added. deposit: share covered by a coloured film, 0 to 1.
    keep: share of the texture that is left, 0 to 1.
    """

    tint: np.ndarray
    light: np.ndarray
    deposit: np.ndarray
    keep: np.ndarray

    @classmethod
    def none(cls, shape: tuple[int, ...]) -> Change:
        ones, zeros = np.ones(shape, np.float32), np.zeros(shape, np.float32)
        return cls(ones.copy(), zeros.copy(), zeros.copy(), ones.copy())


def lamp_direction(image: np.ndarray) -> np.ndarray:
    """The unit vector (x, y) towards the light: where the image gets brighter, else the upper left."""
    small = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32).mean(axis=2)
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    slope = np.array([(small * x).sum() / (x * x).sum(), (small * y).sum() / (y * y).sum()])
    if np.hypot(*slope) < 0.06 * small.mean() + 1:
        slope = np.array([-0.6, -0.8])
    return slope / np.hypot(*slope)


def surface_of(pixels: np.ndarray, lamp: np.ndarray, unit: float) -> Surface:
    """Measure the surface of a piece's box, float32 (h, w, 3). lamp, unit: as in `Surface`."""
    grey = pixels.mean(axis=2)
    base = cv2.GaussianBlur(pixels, (0, 0), max(2.5, 4 * unit))
    texture = pixels - base
    residual = texture.mean(axis=2)
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(grey, cv2.CV_32F, 0, 1) / 8
    # Without the largest gradients, because an edge of the part would outweigh the texture.
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
    """The sigma in pixels of the Gaussian that gives white noise this texture's correlation of neighbours.

    After a Gaussian, neighbours in white noise have the correlation exp(-1 / (4 sigma^2)). The direction with the
    lower correlation counts, since neighbours along the grain are correlated anyway.
    """
    fine = residual - cv2.GaussianBlur(residual, (0, 0), 6.0)
    power = float((fine * fine).mean()) + 1e-6
    alike = min(float((fine[1:] * fine[:-1]).mean()), float((fine[:, 1:] * fine[:, :-1]).mean())) / power
    return float(np.clip(0.5 / np.sqrt(-np.log(np.clip(alike, 0.02, 0.97))), 0.7, 2.4))


def noise_field(shape: tuple[int, ...], scale: float, rng: np.random.Generator) -> np.ndarray:
    """Isotropic noise that changes within `scale` pixels, of mean 0 and variance about 1: float32 (h, w)."""
    coarse = max(1.0, scale / 2)
    size = (int(np.ceil(shape[1] / coarse)) + 4, int(np.ceil(shape[0] / coarse)) + 4)
    noise = cv2.GaussianBlur(rng.standard_normal(size[::-1]).astype(np.float32), (0, 0), scale / coarse / 1.4)
    noise = noise / (noise.std() + 1e-6)
    full = cv2.resize(noise, None, fx=coarse, fy=coarse, interpolation=cv2.INTER_CUBIC)
    return full[: shape[0], : shape[1]]


def octaves(shape: tuple[int, ...], scale: float, rng: np.random.Generator, gain: float = 0.5) -> np.ndarray:
    """The sum of noise on four scales, from `scale` pixels downwards, of variance about 1: float32 (h, w).

    Each scale is half the one before, its strength `gain` times that one's.
    """
    strengths = [gain**i for i in range(4)]
    fields = (strength * noise_field(shape, scale / 2**i, rng) for i, strength in enumerate(strengths))
    return np.asarray(sum(fields), np.float32) / float(np.hypot.reduce(strengths))


def smooth_step(low: float, high: float, values: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def tones(look: Look, surface: Surface, piece: MaskPiece) -> tuple[float, float]:
    """The strength of the dark and of the bright parts of a defect, enough to be seen above the texture."""
    brightness = max(float(surface.base[piece.mask].mean()), 4.0)
    least = 2.2 * surface.noise / brightness
    dark = float(np.clip(max(0.46, least) * look.contrast, 0.05, 0.92))
    room = max(0.12, (LIGHTEST - brightness) / brightness)
    bright = float(np.clip(max(0.45, least) * look.contrast, 0.05, room))
    return dark, bright


def usual_tone(look: Look, surface: Surface, piece: MaskPiece, rng: np.random.Generator) -> int:
    """The tone of the look, or a random one: -1 (darker) more often than 1, always -1 on a bright surface."""
    drawn = int(rng.choice([-1, -1, 1]))
    return look.tone or (-1 if float(surface.base[piece.mask].mean()) > BRIGHT else drawn)
