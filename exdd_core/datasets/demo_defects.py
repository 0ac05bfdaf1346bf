"""Defects of the demo data set: each changes a surface and returns its mask, bool (CANVAS, CANVAS).

Knows surfaces and random numbers. Does not know files or photographs.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from exdd_core.datasets.demo_surfaces import CANVAS, FINE, Array, Surface, octaves, place, step


def _blot(
    rng: np.random.Generator, at: tuple[float, float], radius: float, ragged: float, stretch: float = 1.0
) -> Array:
    """Distances (CANVAS, CANVAS) from an irregular outline in units of its radius: 0 on it, 1 at its middle.

    ragged: how irregular the outline is. stretch: how much longer it is along a random direction.
    """
    y, x = np.mgrid[0:CANVAS, 0:CANVAS].astype(np.float32)
    turn = rng.uniform(0, np.pi)
    u = ((x - at[0]) * np.cos(turn) + (y - at[1]) * np.sin(turn)) / stretch
    v = ((y - at[1]) * np.cos(turn) - (x - at[0]) * np.sin(turn)) * stretch
    return 1 - np.hypot(u, v) / radius + ragged * octaves(rng, max(2.0, radius / 2.5), 4, gain=0.7)


def _scratch(surface: Surface, rng: np.random.Generator) -> Array:
    """One to three grooves with thrown-up rims, tapering, skipping, slightly bent."""
    mask = np.zeros((CANVAS, CANVAS), dtype=bool)
    angle = rng.uniform(0, np.pi)
    for _ in range(rng.choice([1, 1, 2, 3])):
        distance, along = _stroke(rng, angle + rng.normal(0, 0.12))
        width = FINE * rng.uniform(0.4, 0.95)
        pressure = np.maximum(np.sin(np.pi * along), 0) ** 0.7 * _skips(rng)[(along * 511).astype(int)]
        groove = np.exp(-((distance / width) ** 2)) * pressure
        rim = np.exp(-(((distance - 2 * width) / (0.8 * width)) ** 2)) * pressure
        depth = FINE * rng.uniform(0.6, 1.3)
        surface.height += depth * (0.45 * rim - groove)
        # The rim is bare material, the groove holds dirt.
        bare = 1 + 0.22 * rim - rng.uniform(0.1, 0.3) * groove
        surface.colour *= bare[..., None]
        mask |= (distance < 2.2 * width) & (pressure > 0.25)
    return mask


def _stroke(rng: np.random.Generator, angle: float) -> tuple[Array, Array]:
    """A bent line: distances (CANVAS, CANVAS) from it, and the position of its closest point along it, 0 to
    1."""
    length = FINE * rng.uniform(50, 190)
    middle = place(rng, 40)
    t = np.linspace(-0.5, 0.5, 600)
    bend = length * rng.normal(0, 0.025) * (4 * t * t) + length * 0.006 * np.sin(rng.uniform(4, 9) * t)
    x = middle[0] + t * length * np.cos(angle) - bend * np.sin(angle)
    y = middle[1] + t * length * np.sin(angle) + bend * np.cos(angle)
    inside = (x >= 0) & (x < CANVAS) & (y >= 0) & (y < CANVAS)
    columns, rows = x[inside].astype(int), y[inside].astype(int)
    line = np.ones((CANVAS, CANVAS), dtype=np.uint8)
    line[rows, columns] = 0
    distance, nearest = cv2.distanceTransformWithLabels(line, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    along = np.zeros(int(nearest.max()) + 1, dtype=np.float32)
    along[nearest[rows, columns]] = t[inside] + 0.5
    return distance, along[nearest]


def _skips(rng: np.random.Generator) -> Array:
    """Pressure (512,) along a scratch, 0 to 1: the tool presses unevenly and sometimes jumps."""
    wave = cv2.GaussianBlur(rng.standard_normal((1, 512)).astype(np.float32), (0, 0), 22)[0]
    return step(-1.6, -0.4, wave / wave.std()) * (0.8 + 0.2 * np.tanh(wave / wave.std()))


def _pit(surface: Surface, rng: np.random.Generator) -> Array:
    """A few holes with a steep wall, a slightly raised lip and dirt at the bottom."""
    mask = np.zeros((CANVAS, CANVAS), dtype=bool)
    centre = place(rng, 36)
    for i in range(rng.integers(1, 6)):
        at = centre if i == 0 else tuple(np.array(centre) + FINE * rng.normal(0, 20, 2))
        radius = FINE * (rng.uniform(3, 8) if i == 0 else rng.uniform(1.5, 4.5))
        blot = _blot(rng, at, radius, ragged=0.16, stretch=rng.uniform(1, 1.3))
        hole = step(-0.05, 0.75, blot)
        lip = np.exp(-(((blot + 0.12) / 0.16) ** 2))
        surface.height += radius * (0.06 * lip - rng.uniform(0.5, 0.8) * hole)
        surface.colour *= (1 - rng.uniform(0.3, 0.6) * hole)[..., None]
        surface.gloss *= 1 - hole
        mask |= blot > 0.02
    return mask


def _spot(surface: Surface, rng: np.random.Generator) -> Array:
    """Dried drops: a fairly sharp irregular edge, thickest at the rim, of rust, soot or lime."""
    mask = np.zeros((CANVAS, CANVAS), dtype=bool)
    rust, soot, lime = (0.40, 0.24, 0.14), (0.14, 0.14, 0.15), (0.88, 0.87, 0.83)
    tones = np.array([rust, soot, lime], dtype=np.float32)
    look = surface.colour.mean(axis=(0, 1)) + 0.3 * surface.gloss.mean()
    tones = tones[np.abs(tones - look).max(axis=1) > 0.3]  # other tones are too similar to the surface
    tone = tones[rng.integers(len(tones))]
    strength = rng.uniform(0.4, 0.75)
    centre = place(rng, 36)
    for i in range(rng.integers(1, 5)):
        at = centre if i == 0 else tuple(np.array(centre) + FINE * rng.normal(0, 24, 2))
        radius = FINE * (rng.uniform(5, 12) if i == 0 else rng.uniform(2, 5))
        blot = _blot(rng, at, radius, ragged=0.13, stretch=rng.uniform(1, 1.25))
        film = step(0.0, 0.25, blot) * (0.75 + 0.25 * np.exp(-(((blot - 0.2) / 0.15) ** 2)))
        surface.colour += strength * film[..., None] * (tone - surface.colour)
        surface.gloss *= 1 - 0.7 * film
        mask |= blot > 0.08
    return mask


def _stain(surface: Surface, rng: np.random.Generator) -> Array:
    """A wide soft discolouration with an irregular, darker edge; the texture stays visible."""
    blot = _blot(rng, place(rng, 60), FINE * rng.uniform(18, 42), ragged=0.22, stretch=rng.uniform(1, 1.5))
    film = step(-0.1, 0.45, blot) * (0.8 + 0.12 * octaves(rng, 24, 4))
    tide = 0.35 * np.exp(-(((blot - 0.12) / 0.1) ** 2))
    tone = np.array([[0.86, 0.72, 0.56], [0.68, 0.69, 0.72]][rng.integers(2)], dtype=np.float32)
    amount = rng.uniform(0.7, 1.1) * (film + tide)
    surface.colour *= 1 + np.clip(amount, 0, 1.3)[..., None] * (tone - 1)
    surface.gloss *= 1 - 0.6 * np.clip(film, 0, 1)
    return blot > 0.08


DEFECTS: dict[str, Callable[[Surface, np.random.Generator], Array]] = {
    "scratch": _scratch,
    "spot": _spot,
    "pit": _pit,
    "stain": _stain,
}
