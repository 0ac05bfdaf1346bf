"""The demo data set: believable surfaces with defects, made from a seed.

A *part* is a small patch of surface: its height, its colour and its gloss at twice the resolution of the
images, with a defect worked into all three. Two *shots* of a part are rendered from it, the lamp, the
exposure and the part's place a little changed: as alike as two photographs of one thing. The files lie in the
layout of plain folders; the part is in the name, MATERIAL_NN_SHOT.png. Knows nothing of banks or scores.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from exdd_core.datasets import folder as plain
from exdd_core.datasets.groups import GroupRule
from exdd_core.datasets.record import Reading
from exdd_core.datasets.tree import Tree
from exdd_core.errors import BadInput
from exdd_core.images import Size, encode_png
from exdd_core.progress import Progress

NAME = "demo"
TITLE = "Demo surfaces (made by this program)"
DEFAULT_SIZE = Size(256, 256)
TEST_EVERY = plain.TEST_EVERY
PART_OF_NAME = GroupRule("pattern", r"^(.+)_\d+\.png$")
MARKER = "demo.json"

SIDE = 256  # of an image
MARGIN = 8  # how far a shot may be shifted, pixels of an image
FINE = 2  # surfaces are made at twice the resolution and averaged: edges come out as a lens shows them
CANVAS = FINE * (SIDE + MARGIN)
SHOTS = 2

Array = np.ndarray


def detect(tree: Tree) -> bool:
    return MARKER in tree.files and plain.detect(tree)


def read(tree: Tree) -> Reading:
    """One record an image, split "", grouped by part."""
    return plain.read(tree, PART_OF_NAME)


def generate(
    folder: Path,
    seed: int = 0,
    normal: int = 60,
    defective: int = 24,
    progress: Progress | None = None,
) -> Path:
    """Write `normal` + `defective` images and masks into `folder`, whole or not at all, and return it.

    The same seed gives the same files byte for byte. Raises `BadInput` where `folder` is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} already holds something; name a new folder for the demo images.")
    progress = progress or Progress()
    progress.begin("Painting demo surfaces", normal + defective)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".demo-", dir=folder.parent))
    try:
        counts = dict.fromkeys(MATERIALS, 0)
        for kind, images in (("good", normal), ("defect", defective)):
            for index, shots in enumerate(_shots(images)):
                material = list(MATERIALS)[index % len(MATERIALS)]
                # Turned by one from material to material: each type comes to both sides of the split.
                turn = index // len(MATERIALS) + index % len(MATERIALS)
                defect = list(DEFECTS)[turn % len(DEFECTS)] if kind == "defect" else None
                counts[material] += 1
                rng = np.random.default_rng([seed, kind == "defect", index])
                name = f"{material}_{counts[material]:02d}"
                _write_part(made, name, material, defect, shots, rng, progress)
        (made / MARKER).write_text(
            json.dumps({"seed": seed, "normal": normal, "defective": defective}) + "\n"
        )
        made.chmod(0o755)
        made.rename(folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return folder


def _shots(images: int) -> list[int]:
    """How many shots each part gets so that there are `images` in all."""
    return [min(SHOTS, images - start) for start in range(0, images, SHOTS)]


def _write_part(
    root: Path,
    name: str,
    material: str,
    defect: str | None,
    shots: int,
    rng: np.random.Generator,
    progress: Progress,
) -> None:
    surface = MATERIALS[material](rng)
    place = f"defect/{defect}" if defect else "good"
    mask = DEFECTS[defect](surface, rng) if defect else None
    for shot in range(1, shots + 1):
        top, left = rng.integers(0, MARGIN * FINE + 1, 2)
        window = np.s_[top : top + SIDE * FINE, left : left + SIDE * FINE]
        _write(root / place / f"{name}_{shot}.png", _photograph(surface, window, rng))
        if mask is not None:
            share = cv2.resize(mask[window].astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            _write(root / "masks" / place / f"{name}_{shot}.png", share >= 0.5)
        progress.advance()


def _write(path: Path, pixels: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(pixels))


# --- light --------------------------------------------------------------------------------------------


@dataclass
class Surface:
    """height (H, W) in fine pixels, colour (H, W, 3) reflectance 0..1, gloss (H, W) 0..1; lamp: its usual
    direction in degrees and its height above the surface."""

    height: Array
    colour: Array
    gloss: Array
    lamp: float
    lift: float


def _photograph(surface: Surface, window: tuple[slice, slice], rng: np.random.Generator) -> Array:
    """uint8 (SIDE, SIDE, 3): Lambert and a soft highlight under one lamp, exposure and sensor noise."""
    angle = np.deg2rad(surface.lamp + rng.uniform(-8, 8))
    lamp = np.array([np.cos(angle), np.sin(angle), surface.lift * rng.uniform(0.95, 1.05)])
    lamp /= np.linalg.norm(lamp)
    half = lamp + np.array([0, 0, 1])  # between the lamp and the camera, which looks straight down
    half /= np.linalg.norm(half)
    height = surface.height[window]
    dx = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    dy = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    length = np.sqrt(1 + dx * dx + dy * dy)
    facing = np.maximum((lamp[2] - dx * lamp[0] - dy * lamp[1]) / length, 0) / lamp[2]
    shine = np.maximum((half[2] - dx * half[0] - dy * half[1]) / length, 0) / half[2]
    hollow = np.clip(
        1 + 0.12 * (height - cv2.GaussianBlur(height, (0, 0), 6)), 0.55, 1.1
    )  # light lost in pits
    light = (0.35 + 0.65 * facing) * hollow
    image = surface.colour[window] * light[..., None] + (surface.gloss[window] * 0.35 * shine**24)[..., None]
    image = cv2.resize(image.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    image *= _falloff(rng)[..., None] * rng.uniform(0.92, 1.08)
    image += rng.normal(0, 0.008, image.shape).astype(np.float32)
    return (np.clip(image, 0, 1) ** (1 / 1.1) * 255 + 0.5).astype(np.uint8)


def _falloff(rng: np.random.Generator) -> Array:
    """The lamp's uneven field over the image and the lens's darker corners, about 1."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j].astype(np.float32)
    tilt = rng.uniform(-0.05, 0.05, 2).astype(np.float32)
    return 1 + tilt[0] * x + tilt[1] * y - 0.05 * (x * x + y * y)


# --- noise --------------------------------------------------------------------------------------------


def _noise(rng: np.random.Generator, sigma: float, across: float | None = None) -> Array:
    """Noise (CANVAS, CANVAS) smoothed by `sigma` fine pixels along x and `across` along y, variance 1."""
    noise: Array = rng.standard_normal((CANVAS, CANVAS), dtype=np.float32)
    vertical = sigma if across is None else across
    # Large sigmas are drawn coarsely and enlarged: same look, a fraction of the time.
    coarse = max(1, int(min(sigma, vertical) / 3))
    if coarse > 1:
        small = -(-CANVAS // coarse)
        noise = cv2.GaussianBlur(noise[:small, :small], (0, 0), sigma / coarse, sigmaY=vertical / coarse)
        noise = cv2.resize(noise, (CANVAS, CANVAS), interpolation=cv2.INTER_CUBIC)
    else:
        noise = cv2.GaussianBlur(noise, (0, 0), max(sigma, 0.01), sigmaY=max(vertical, 0.01))
    return (noise - noise.mean()) / noise.std()


def _octaves(rng: np.random.Generator, largest: float, count: int, gain: float = 0.6) -> Array:
    """Noise of `count` scales, each half as large as the last and `gain` as strong, variance about 1."""
    total = sum(gain**i * _noise(rng, largest / 2**i) for i in range(count))
    return np.asarray(total / np.sqrt(sum(gain ** (2 * i) for i in range(count))), dtype=np.float32)


def _cells(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
    """The distance of every pixel from the nearest of `count` random points, and that point's number."""
    points = np.ones((CANVAS, CANVAS), dtype=np.uint8)
    rows, columns = rng.integers(0, CANVAS, (2, count))
    points[rows, columns] = 0
    return cv2.distanceTransformWithLabels(points, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)


def _step(low: float, high: float, values: Array) -> Array:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


# --- materials ----------------------------------------------------------------------------------------


def _brushed_metal(rng: np.random.Generator) -> Surface:
    """Fine streaks along x with a slight slant, in a slowly changing sheen; cool grey."""
    streaks: Array = _noise(rng, 60, 0.6) + 0.8 * _noise(rng, 25, 0.6) + 0.6 * _noise(rng, 8, 0.6)
    streaks += 0.5 * _noise(rng, 120, 2.5)
    slant = cv2.getRotationMatrix2D((CANVAS / 2, CANVAS / 2), rng.uniform(-2, 2), 1.0)
    streaks = cv2.warpAffine(streaks, slant, (CANVAS, CANVAS), borderMode=cv2.BORDER_REFLECT)
    sheen = 0.025 * _noise(rng, 400, 60)
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
    size = 1 + 0.45 * rng.standard_normal(
        int(cells.max()) + 1, dtype=np.float32
    )  # how far a grain stands out
    domes = cv2.GaussianBlur(np.maximum(0, 5 - distance) * size[cells], (0, 0), 1.1)
    height = 0.55 * domes + 1.1 * _octaves(rng, 20, 3) + 0.25 * _noise(rng, 1.0)
    mottle = _octaves(rng, 60, 4)
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
    drift: list[Array] = [2.2 * _noise(rng, 2.5) for _ in range(2)]
    cells = cv2.remap(cells.astype(np.float32), x + drift[0], y + drift[1], cv2.INTER_NEAREST).astype(int)
    minerals = np.array([[0.72, 0.70, 0.67], [0.60, 0.585, 0.565], [0.53, 0.53, 0.53], [0.24, 0.235, 0.235]])
    count = int(cells.max()) + 1
    kind = rng.choice(4, size=count, p=[0.42, 0.30, 0.20, 0.08])
    shade = (minerals[kind] * (1 + 0.05 * rng.standard_normal((count, 1)))).astype(np.float32)
    colour: Array = cv2.GaussianBlur(shade[cells], (0, 0), 1.0)
    colour *= (1 + 0.03 * _octaves(rng, 40, 4))[..., None]
    return Surface(
        height=0.25 * _octaves(rng, 4, 3),
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


# --- defects ------------------------------------------------------------------------------------------
# Each works itself into the surface and returns its mask, bool (CANVAS, CANVAS).


def _place(rng: np.random.Generator, border: float) -> tuple[float, float]:
    """A point (x, y) that every shot sees, at least `border` image pixels inside."""
    low, high = FINE * (MARGIN + border), FINE * (SIDE - border)
    return float(rng.uniform(low, high)), float(rng.uniform(low, high))


def _blot(
    rng: np.random.Generator, at: tuple[float, float], radius: float, ragged: float, stretch: float = 1.0
) -> Array:
    """Distance from an irregular outline (H, W) in units of its radius: 0 on the outline, 1 at the middle.

    `ragged` roughens the outline, `stretch` draws it out in a random direction.
    """
    y, x = np.mgrid[0:CANVAS, 0:CANVAS].astype(np.float32)
    turn = rng.uniform(0, np.pi)
    u = ((x - at[0]) * np.cos(turn) + (y - at[1]) * np.sin(turn)) / stretch
    v = ((y - at[1]) * np.cos(turn) - (x - at[0]) * np.sin(turn)) * stretch
    return 1 - np.hypot(u, v) / radius + ragged * _octaves(rng, max(2.0, radius / 2.5), 4, gain=0.7)


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
        bare = (
            1 + 0.22 * rim - rng.uniform(0.1, 0.3) * groove
        )  # the rim is bare material, the groove holds dirt
        surface.colour *= bare[..., None]
        mask |= (distance < 2.2 * width) & (pressure > 0.25)
    return mask


def _stroke(rng: np.random.Generator, angle: float) -> tuple[Array, Array]:
    """A bent line: every pixel's distance (H, W) from it, and where along it, 0..1, the nearest point is."""
    length = FINE * rng.uniform(50, 190)
    middle = _place(rng, 40)
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
    """Pressure (512,) along a scratch, 0..1: the tool presses unevenly and now and then jumps."""
    wave = cv2.GaussianBlur(rng.standard_normal((1, 512)).astype(np.float32), (0, 0), 22)[0]
    return _step(-1.6, -0.4, wave / wave.std()) * (0.8 + 0.2 * np.tanh(wave / wave.std()))


def _pit(surface: Surface, rng: np.random.Generator) -> Array:
    """A few holes with a steep wall, a slightly raised lip and dirt at the bottom."""
    mask = np.zeros((CANVAS, CANVAS), dtype=bool)
    centre = _place(rng, 36)
    for i in range(rng.integers(1, 6)):
        at = centre if i == 0 else tuple(np.array(centre) + FINE * rng.normal(0, 20, 2))
        radius = FINE * (rng.uniform(3, 8) if i == 0 else rng.uniform(1.5, 4.5))
        blot = _blot(rng, at, radius, ragged=0.16, stretch=rng.uniform(1, 1.3))
        hole = _step(-0.05, 0.75, blot)
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
    tones = tones[np.abs(tones - look).max(axis=1) > 0.3]  # the others would hardly be seen
    tone = tones[rng.integers(len(tones))]
    strength = rng.uniform(0.4, 0.75)
    centre = _place(rng, 36)
    for i in range(rng.integers(1, 5)):
        at = centre if i == 0 else tuple(np.array(centre) + FINE * rng.normal(0, 24, 2))
        radius = FINE * (rng.uniform(5, 12) if i == 0 else rng.uniform(2, 5))
        blot = _blot(rng, at, radius, ragged=0.13, stretch=rng.uniform(1, 1.25))
        film = _step(0.0, 0.25, blot) * (0.75 + 0.25 * np.exp(-(((blot - 0.2) / 0.15) ** 2)))
        surface.colour += strength * film[..., None] * (tone - surface.colour)
        surface.gloss *= 1 - 0.7 * film
        mask |= blot > 0.08
    return mask


def _stain(surface: Surface, rng: np.random.Generator) -> Array:
    """A wide soft discolouration with an irregular edge and a tide line; the texture shows through."""
    blot = _blot(rng, _place(rng, 60), FINE * rng.uniform(18, 42), ragged=0.22, stretch=rng.uniform(1, 1.5))
    film = _step(-0.1, 0.45, blot) * (0.8 + 0.12 * _octaves(rng, 24, 4))
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
