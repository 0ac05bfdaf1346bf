"""The surface around a mask, measured: light, texture, grain, softness; and the noise that defects are made with.

Knows pixels, random numbers, and the tone and contrast of a `Look`. Does not know types of defects or
engines.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from exdd_core.synthesis.vocabulary import Look

DARKEST = 20.0  # grey level below which a surface cannot show that something is darker
EXPOSED = 110.0  # grey level of a surface of medium reflectance in a well exposed picture
BRIGHT = 130.0  # grey level of a surface above which defects are usually darker
LIGHTEST = 232.0  # grey level that bright defects hardly exceed


@dataclass(frozen=True)
class MaskPiece:
    """One connected piece of the mask in its surroundings: `box` (left, top, right, bottom) in the window,
    `mask` bool (h, w) of the box, `course` the way along it, float (n, 2), where it is long and narrow."""

    box: tuple[int, int, int, int]
    mask: np.ndarray
    course: np.ndarray | None


@dataclass(frozen=True)
class Surface:
    """What the surroundings show: `base` float32 (h, w, 3) without texture and `texture` what it lacks;
    `noise` the spread of the texture in grey levels; `grain` its direction in radians and `coherence` 0..1
    how clearly it has one; `blur` the sigma of the camera's own softness in pixels; `lamp` the unit vector to
    the
    light; `unit` about one pixel of a picture of 400 x 400, the unit of widths."""

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
    levels added, `deposit` 0..1 how much of it a coloured film covers, `keep` 0..1 how much texture is left."""

    tint: np.ndarray
    light: np.ndarray
    deposit: np.ndarray
    keep: np.ndarray

    @classmethod
    def none(cls, shape: tuple[int, ...]) -> Change:
        ones, zeros = np.ones(shape, np.float32), np.zeros(shape, np.float32)
        return cls(ones.copy(), zeros.copy(), zeros.copy(), ones.copy())


def lamp_direction(image: np.ndarray) -> np.ndarray:
    """The unit vector (x, y) towards the light: where the image grows brighter, else from the upper left."""
    small = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32).mean(axis=2)
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    slope = np.array([(small * x).sum() / (x * x).sum(), (small * y).sum() / (y * y).sum()])
    if np.hypot(*slope) < 0.06 * small.mean() + 1:
        slope = np.array([-0.6, -0.8])
    return slope / np.hypot(*slope)


def surface_of(pixels: np.ndarray, lamp: np.ndarray, unit: float) -> Surface:
    grey = pixels.mean(axis=2)
    base = cv2.GaussianBlur(pixels, (0, 0), max(2.5, 4 * unit))
    texture = pixels - base
    residual = texture.mean(axis=2)
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(grey, cv2.CV_32F, 0, 1) / 8
    # Leaves out the largest gradients: an edge of the part would dominate those of the texture.
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
    """Sigma, in pixels, of the Gaussian that gives white noise this texture's correlation between neighbours.

    White noise behind a Gaussian has the correlation exp(-1 / (4 sigma^2)) between neighbours. The direction
    of the lower correlation counts, since grain correlates neighbours along itself.
    """
    fine = residual - cv2.GaussianBlur(residual, (0, 0), 6.0)
    power = float((fine * fine).mean()) + 1e-6
    alike = min(float((fine[1:] * fine[:-1]).mean()), float((fine[:, 1:] * fine[:, :-1]).mean())) / power
    return float(np.clip(0.5 / np.sqrt(-np.log(np.clip(alike, 0.02, 0.97))), 0.7, 2.4))


def noise_field(shape: tuple[int, ...], scale: float, rng: np.random.Generator) -> np.ndarray:
    """float32 (h, w): isotropic noise that changes within `scale` pixels, mean 0, variance about 1."""
    coarse = max(1.0, scale / 2)
    size = (int(np.ceil(shape[1] / coarse)) + 4, int(np.ceil(shape[0] / coarse)) + 4)
    noise = cv2.GaussianBlur(rng.standard_normal(size[::-1]).astype(np.float32), (0, 0), scale / coarse / 1.4)
    noise = noise / (noise.std() + 1e-6)
    full = cv2.resize(noise, None, fx=coarse, fy=coarse, interpolation=cv2.INTER_CUBIC)
    return full[: shape[0], : shape[1]]


def octaves(shape: tuple[int, ...], scale: float, rng: np.random.Generator, gain: float = 0.5) -> np.ndarray:
    """float32 (h, w): noise of four scales, the largest changing within `scale` pixels, variance about 1.

    Every scale is half as large as the one before and `gain` as strong.
    """
    strengths = [gain**i for i in range(4)]
    fields = (strength * noise_field(shape, scale / 2**i, rng) for i, strength in enumerate(strengths))
    return np.asarray(sum(fields), np.float32) / float(np.hypot.reduce(strengths))


def smooth_step(low: float, high: float, values: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def tones(look: Look, surface: Surface, piece: MaskPiece) -> tuple[float, float]:
    """Factors for the dark and the bright parts of a defect: strong enough to be seen above the texture."""
    brightness = max(float(surface.base[piece.mask].mean()), 4.0)
    least = 2.2 * surface.noise / brightness
    dark = float(np.clip(max(0.46, least) * look.contrast, 0.05, 0.92))
    room = max(0.12, (LIGHTEST - brightness) / brightness)
    bright = float(np.clip(max(0.45, least) * look.contrast, 0.05, room))
    return dark, bright


def usual_tone(look: Look, surface: Surface, piece: MaskPiece, rng: np.random.Generator) -> int:
    """Darker or brighter where the words leave it open: mostly darker, on a bright surface always."""
    drawn = int(rng.choice([-1, -1, 1]))
    return look.tone or (-1 if float(surface.base[piece.mask].mean()) > BRIGHT else drawn)
