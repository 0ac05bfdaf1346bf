"""Pits, spots, stains, dents and grain breaks: defects that fill the width of the mask.

Knows surfaces and looks. Does not know windows, prompts or engines.
"""

from __future__ import annotations

import cv2
import numpy as np

from exdd_core.synthesis import mask_geometry
from exdd_core.synthesis.surfaces import (
    Change,
    MaskPiece,
    Surface,
    noise_field,
    octaves,
    smooth_step,
    tones,
    usual_tone,
)
from exdd_core.synthesis.vocabulary import Look


def _blobs(
    look: Look, piece: MaskPiece, surface: Surface, share: float, ragged: float, rng: np.random.Generator
) -> np.ndarray:
    """float32 (h, w): the approximate depth in pixels of a point inside the outline of a blob, negative outside.

    A single blob takes the shape of the mask, a little smaller and roughened; several are scattered over the
    mask. share: of the mask's depth, filled by one blob. ragged: irregularity of its outline.
    """
    depth = mask_geometry.depth_of(piece.mask)
    deepest = float(depth.max())
    count = look.count if look.count else (int(rng.integers(2, 6)) if look.count == 0 else 1)
    share = float(np.clip(share * look.size * rng.uniform(0.9, 1.08), 0.12, 0.96))
    ragged *= look.rough**1.6
    if count == 1 and look.size > 0.6:
        noise = octaves(piece.mask.shape, max(4.0, 0.9 * deepest), rng, _fineness(look))
        inset = (1 - share) * deepest
        return depth - inset - ragged * 0.28 * deepest * (noise + 0.6)
    rows, columns = np.nonzero(piece.mask)
    y, x = np.mgrid[0 : piece.mask.shape[0], 0 : piece.mask.shape[1]].astype(np.float32)
    inside = np.full(piece.mask.shape, -np.inf, np.float32)
    # Sizes vary as those of droplets do; the first blob is the largest.
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
    """How strong the finest irregularities of an outline are, relative to the coarsest."""
    return float(np.clip(0.5 * look.rough**0.6, 0.25, 0.8))


def _ellipse(
    x: np.ndarray, y: np.ndarray, radius: float, ragged: float, fineness: float, rng: np.random.Generator
) -> np.ndarray:
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(1.0, 1.35)
    u = (x * np.cos(turn) + y * np.sin(turn)) * stretch
    v = y * np.cos(turn) - x * np.sin(turn)
    noise = octaves(x.shape, max(3.0, 0.9 * radius), rng, fineness)
    return radius - np.hypot(u, v) - ragged * 0.25 * radius * noise


def _shade(height: np.ndarray, surface: Surface, soft: float) -> np.ndarray:
    """float32 (h, w): the factor, around 1, by which the lamp brightens a relief of `height` (pixels)."""
    smooth = cv2.GaussianBlur(height, (0, 0), max(0.6, soft))
    dx, dy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(smooth, cv2.CV_32F, 0, 1) / 8
    towards = -(dx * surface.lamp[0] + dy * surface.lamp[1])
    return 1 + towards / np.sqrt(1 + dx * dx + dy * dy)


def pit(look: Look, surface: Surface, piece: MaskPiece, rng: np.random.Generator) -> Change:
    """A hollow: a dark floor, one wall that faces the lamp and one that does not, and a lit rim."""
    change = Change.none(piece.mask.shape)
    dark, bright = tones(look, surface, piece)
    inside = _blobs(look, piece, surface, 0.86, 0.45, rng)
    radius = max(1.5, float(inside.max()))
    wall = max(1.0, 0.22 * radius) * look.soft
    floor = smooth_step(0, wall, inside)
    uneven = octaves(piece.mask.shape, max(3.0, 0.6 * radius), rng)
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
    """float32 (h, w): the height of the shell-like waves on a fracture's face, denser towards its rim."""
    depth = np.clip(inside + 0.12 * radius * uneven, 0, None) / radius
    waves = np.sin(2 * np.pi * rng.uniform(2.0, 4.5) * np.sqrt(depth) + rng.uniform(0, 2 * np.pi))
    return (0.07 * radius * waves).astype(np.float32)


def spot(look: Look, surface: Surface, piece: MaskPiece, rng: np.random.Generator) -> Change:
    """A deposit: an even film with a crisp edge and a thicker rim, through which the texture shows."""
    change = Change.none(piece.mask.shape)
    dark, bright = tones(look, surface, piece)
    inside = _blobs(look, piece, surface, 0.88, 0.35, rng)
    radius = max(1.5, float(inside.max()))
    edge = 1.2 * look.soft * max(1.0, surface.unit) + max(0.0, 0.25 * (look.soft - 1.4)) * radius
    film = smooth_step(0, min(edge, 0.9 * radius), inside)
    rim = np.exp(-(((inside - 0.14 * radius) / (0.12 * radius + 0.6)) ** 2)) * film
    thick = film * (0.82 + 0.12 * octaves(piece.mask.shape, max(4.0, radius), rng)) + 0.22 * rim
    tone = usual_tone(look, surface, piece, rng)
    change.tint = 1 + (bright * 1.2 if tone > 0 else -dark * 0.85) * thick
    change.deposit = np.clip(0.85 * look.contrast**0.5 * thick, 0, 0.97)
    if look.colour is not None:
        change.tint = 1 + 0.25 * (change.tint - 1)
    change.keep = 1 - 0.4 * film
    return change


def stain(look: Look, surface: Surface, piece: MaskPiece, rng: np.random.Generator) -> Change:
    """A cloudy tint with soft edges and a darker line along its rim, where it dried; the texture stays."""
    change = Change.none(piece.mask.shape)
    dark, bright = tones(look, surface, piece)
    inside = _blobs(look, piece, surface, 0.9, 0.5, rng)
    radius = max(2.0, float(inside.max()))
    film = smooth_step(0, max(2.0, min(0.7, 0.3 * look.soft) * radius), inside)
    cloud = np.clip(0.72 + 0.22 * octaves(piece.mask.shape, max(6.0, 0.8 * radius), rng), 0.2, 1.2)
    tide = np.exp(-(((inside - 0.18 * radius) / (0.1 * radius + 1)) ** 2)) * film
    amount = film * cloud + 0.45 * tide
    tone = look.tone or -1
    change.tint = 1 + (bright * 0.8 if tone > 0 else -dark * 0.65) * amount
    change.deposit = np.clip(0.55 * look.contrast * amount, 0, 0.9)
    if look.colour is not None:
        change.tint = 1 + 0.3 * (change.tint - 1)
    return change


def dent(look: Look, surface: Surface, piece: MaskPiece, rng: np.random.Generator) -> Change:
    """A smooth hollow: the side that faces the lamp is brighter, the other darker; the texture stays."""
    change = Change.none(piece.mask.shape)
    dark, bright = tones(look, surface, piece)
    inside = _blobs(look, piece, surface, 0.95, 0.15, rng)
    radius = max(2.0, float(inside.max()))
    bowl = smooth_step(0, radius, inside)
    wavy = 1 + 0.12 * look.rough * octaves(piece.mask.shape, max(4.0, radius), rng)
    relief = _shade(-radius * look.depth * bowl * wavy, surface, 0.12 * radius * look.soft) - 1
    relief /= max(float(np.abs(relief).max()), 1e-6)
    relief *= min(1.4, 0.5 + 0.5 * look.depth)
    shine = {1: 1.0, 0: 0.65, -1: 0.25}[look.tone] * look.gloss**0.5
    shadow = {1: 0.35, 0: 0.8, -1: 1.3}[look.tone]
    change.tint = 1 + np.where(relief > 0, bright * shine * relief, np.clip(dark * shadow, 0, 0.9) * relief)
    change.tint = change.tint.astype(np.float32)
    change.deposit = np.clip(0.5 * look.contrast * bowl, 0, 0.9)
    return change


def grain_break(look: Look, surface: Surface, piece: MaskPiece, rng: np.random.Generator) -> Change:
    """Torn or worn grain: another texture, made from the surface's own, a little darker or brighter."""
    change = Change.none(piece.mask.shape)
    dark, bright = tones(look, surface, piece)
    inside = _blobs(look, piece, surface, 0.92, 0.4, rng)
    worn = smooth_step(0, 2.0 * look.soft * max(1.0, surface.unit), inside)
    height, width = piece.mask.shape
    turn = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(50, 130)), 1.0))
    turn[:, 2] = turn[:, 2] + rng.uniform(-12, 12, 2)
    other = cv2.warpAffine(surface.texture.mean(axis=2), turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    other = cv2.GaussianBlur(other, (0, 0), 0.8 + surface.blur)
    fine = noise_field((height, width), 1.6 * surface.unit, rng)
    other = 0.25 * look.rough * other + 0.4 * surface.noise * look.rough * fine
    change.keep = 1 - 0.9 * worn
    change.light = (other * worn).astype(np.float32)
    tone = usual_tone(look, surface, piece, rng)
    cloud = np.clip(0.85 + 0.15 * octaves((height, width), max(8.0, 0.4 * max(height, width)), rng), 0.4, 1.2)
    change.tint = 1 + (0.5 * bright if tone > 0 else -0.5 * dark) * worn * cloud
    change.deposit = np.clip(0.5 * look.contrast * worn, 0, 0.9)
    return change
