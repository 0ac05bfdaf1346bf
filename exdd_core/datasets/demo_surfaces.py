"""Surfaces of the demo data set, made from random numbers, and photographs of them.

A surface has a height, a colour and a gloss at each pixel, at twice the resolution of the images. Knows
materials, light and noise. Does not know files, parts or defects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

SIDE = 256  # pixels of an image
MARGIN = 8  # pixels of an image by which a shot may be shifted
FINE = 2  # pixels of a surface along one pixel of an image: averaging them blurs edges as a lens does
CANVAS = FINE * (SIDE + MARGIN)
Array = np.ndarray


@dataclass
class Surface:
    """Arrays of one piece of surface, float32.

    height: (H, W) in pixels of the surface. colour: (H, W, 3) reflectance, 0 to 1. gloss: (H, W), 0 to 1.
    lamp: its usual direction in degrees. lift: the tangent of its angle above the surface.
    """

    height: Array
    colour: Array
    gloss: Array
    lamp: float
    lift: float


def photograph(surface: Surface, window: tuple[slice, slice], rng: np.random.Generator) -> Array:
    """Render a window of a surface as uint8 (SIDE, SIDE, 3).

    Lambert's diffuse reflection and a soft highlight under one lamp, an exposure and sensor noise.
    """
    angle = np.deg2rad(surface.lamp + rng.uniform(-8, 8))
    lamp = np.array([np.cos(angle), np.sin(angle), surface.lift * rng.uniform(0.95, 1.05)])
    lamp /= np.linalg.norm(lamp)
    half = lamp + np.array([0, 0, 1])  # halfway between the lamp and the camera, which looks straight down
    half /= np.linalg.norm(half)
    height = surface.height[window]
    dx = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    dy = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    length = np.sqrt(1 + dx * dx + dy * dy)
    facing = np.maximum((lamp[2] - dx * lamp[0] - dy * lamp[1]) / length, 0) / lamp[2]
    shine = np.maximum((half[2] - dx * half[0] - dy * half[1]) / length, 0) / half[2]
    # Light is lost in pits.
    hollow = np.clip(1 + 0.12 * (height - cv2.GaussianBlur(height, (0, 0), 6)), 0.55, 1.1)
    light = (0.35 + 0.65 * facing) * hollow
    image = surface.colour[window] * light[..., None] + (surface.gloss[window] * 0.35 * shine**24)[..., None]
    image = cv2.resize(image.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    image *= _falloff(rng)[..., None] * rng.uniform(0.92, 1.08)
    image += rng.normal(0, 0.008, image.shape).astype(np.float32)
    return (np.clip(image, 0, 1) ** (1 / 1.1) * 255 + 0.5).astype(np.uint8)


def _falloff(rng: np.random.Generator) -> Array:
    """Factors (SIDE, SIDE) around 1: the lamp's uneven light and the lens's darker corners."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j].astype(np.float32)
    tilt = rng.uniform(-0.05, 0.05, 2).astype(np.float32)
    return 1 + tilt[0] * x + tilt[1] * y - 0.05 * (x * x + y * y)


def noise(rng: np.random.Generator, sigma: float, across: float | None = None) -> Array:
    """Noise (CANVAS, CANVAS) smoothed by `sigma` fine pixels along x and `across` along y, variance 1."""
    noise: Array = rng.standard_normal((CANVAS, CANVAS), dtype=np.float32)
    vertical = sigma if across is None else across
    # Noise of a large sigma is made at a lower resolution and enlarged, which takes a fraction of the time.
    coarse = max(1, int(min(sigma, vertical) / 3))
    if coarse > 1:
        small = -(-CANVAS // coarse)
        noise = cv2.GaussianBlur(noise[:small, :small], (0, 0), sigma / coarse, sigmaY=vertical / coarse)
        noise = cv2.resize(noise, (CANVAS, CANVAS), interpolation=cv2.INTER_CUBIC)
    else:
        noise = cv2.GaussianBlur(noise, (0, 0), max(sigma, 0.01), sigmaY=max(vertical, 0.01))
    return (noise - noise.mean()) / noise.std()


def octaves(rng: np.random.Generator, largest: float, count: int, gain: float = 0.6) -> Array:
    """Noise of `count` scales, each half as large as the last and `gain` as strong, variance about 1."""
    total = sum(gain**i * noise(rng, largest / 2**i) for i in range(count))
    return np.asarray(total / np.sqrt(sum(gain ** (2 * i) for i in range(count))), dtype=np.float32)


def _cells(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
    """Distances (CANVAS, CANVAS) to the closest of `count` random points, and the number of that point."""
    points = np.ones((CANVAS, CANVAS), dtype=np.uint8)
    rows, columns = rng.integers(0, CANVAS, (2, count))
    points[rows, columns] = 0
    return cv2.distanceTransformWithLabels(points, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)


def step(low: float, high: float, values: Array) -> Array:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _brushed_metal(rng: np.random.Generator) -> Surface:
    """Fine streaks along x with a slight slant, in a slowly changing sheen; cool grey."""
    streaks: Array = noise(rng, 60, 0.6) + 0.8 * noise(rng, 25, 0.6) + 0.6 * noise(rng, 8, 0.6)
    streaks += 0.5 * noise(rng, 120, 2.5)
    slant = cv2.getRotationMatrix2D((CANVAS / 2, CANVAS / 2), rng.uniform(-2, 2), 1.0)
    streaks = cv2.warpAffine(streaks, slant, (CANVAS, CANVAS), borderMode=cv2.BORDER_REFLECT)
    sheen = 0.025 * noise(rng, 400, 60)
    grey = 0.50 + 0.030 * streaks + sheen
    tint = np.array([0.985, 1.0, 1.02], dtype=np.float32)
    return Surface(
        height=0.045 * streaks,
        colour=np.clip(grey, 0, 1)[..., None] * tint,
        gloss=np.full((CANVAS, CANVAS), 0.5, dtype=np.float32),
        lamp=-75,
        lift=1.1,
    )


def _cast_grain(rng: np.random.Generator) -> Surface:
    """Sand-cast iron: rounded grains in a gently wavy skin, dark, slightly warm, mottled by oxide."""
    distance, cells = _cells(rng, 9000)
    size = 1 + 0.45 * rng.standard_normal(int(cells.max()) + 1, dtype=np.float32)  # height of a grain
    domes = cv2.GaussianBlur(np.maximum(0, 5 - distance) * size[cells], (0, 0), 1.1)
    height = 0.55 * domes + 1.1 * octaves(rng, 20, 3) + 0.25 * noise(rng, 1.0)
    mottle = octaves(rng, 60, 4)
    grey = 0.40 + 0.022 * mottle + 0.012 * (domes - domes.mean())
    tint = np.array([1.02, 1.0, 0.97], dtype=np.float32)
    return Surface(
        height=height.astype(np.float32),
        colour=np.clip(grey, 0, 1)[..., None] * tint,
        gloss=np.clip(0.12 + 0.05 * mottle, 0, 1).astype(np.float32),
        lamp=-130,
        lift=1.4,
    )


def _stone(rng: np.random.Generator) -> Surface:
    """Sawn granite: crystals of feldspar, quartz and mica with ragged borders, nearly flat."""
    _, cells = _cells(rng, 5200)
    y, x = np.mgrid[0:CANVAS, 0:CANVAS].astype(np.float32)
    drift: list[Array] = [2.2 * noise(rng, 2.5) for _ in range(2)]
    cells = cv2.remap(cells.astype(np.float32), x + drift[0], y + drift[1], cv2.INTER_NEAREST).astype(int)
    minerals = np.array([[0.72, 0.70, 0.67], [0.60, 0.585, 0.565], [0.53, 0.53, 0.53], [0.24, 0.235, 0.235]])
    count = int(cells.max()) + 1
    kind = rng.choice(4, size=count, p=[0.42, 0.30, 0.20, 0.08])
    shade = (minerals[kind] * (1 + 0.05 * rng.standard_normal((count, 1)))).astype(np.float32)
    colour: Array = cv2.GaussianBlur(shade[cells], (0, 0), 1.0)
    colour *= (1 + 0.03 * octaves(rng, 40, 4))[..., None]
    return Surface(
        height=0.25 * octaves(rng, 4, 3),
        colour=np.clip(colour, 0, 1),
        gloss=np.full((CANVAS, CANVAS), 0.08, dtype=np.float32),
        lamp=-45,
        lift=1.5,
    )


MATERIALS: dict[str, Callable[[np.random.Generator], Surface]] = {
    "cast": _cast_grain,
    "metal": _brushed_metal,
    "stone": _stone,
}


def place(rng: np.random.Generator, border: float) -> tuple[float, float]:
    """A random point (x, y) on the surface, at least `border` pixels of an image inside every shot."""
    low, high = FINE * (MARGIN + border), FINE * (SIDE - border)
    return float(rng.uniform(low, high)), float(rng.uniform(low, high))
