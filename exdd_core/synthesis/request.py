"""The values that go into an engine and come out of it: request, window, painting.

Knows arrays and their shapes. Does not know engines, where images come from or where results go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from exdd_core.depth import Depth
from exdd_core.synthesis.controls import Settings, SharedSettings

S = TypeVar("S", bound=SharedSettings)  # the settings of one engine, checked and complete


@dataclass(frozen=True)
class Donor:
    """A real defect that can be transplanted: image, mask and origin. depth: the bit depth of its data set."""

    id: str
    image: Path
    mask: Path
    defect_type: str
    group: str
    split: str
    depth: Depth | None = None


@dataclass(frozen=True)
class PaintRequest:
    """A request to paint into `image`, uint8 (H, W, 3) RGB, where `mask`, bool (H, W), is True.

    region: bool (H, W), the region of interest, out of which a halo may not reach; None for all of the image.
    """

    image: np.ndarray
    mask: np.ndarray
    prompt: str = ""
    negative_prompt: str = ""
    settings: Settings = field(default_factory=dict)
    seed: int = 0
    donor: Donor | None = None
    region: np.ndarray | None = None


@dataclass(frozen=True)
class Painting:
    """The result of one request.

    image: uint8 (H, W, 3), outside the mask and its halo bit-identical to the request's. mask: bool (H, W), True
    where the two differ visibly, as measured. settings: complete. notes: sentences for people. taught_by: the physical
    parts whose images the engine was taught with.
    """

    image: np.ndarray
    mask: np.ndarray
    engine: str
    engine_version: str
    settings: Settings
    seed: int
    notes: list[str]
    seconds: float
    taught_by: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Window(Generic[S]):
    """The section of the request's image that an engine paints, at the engine's own size.

    image: uint8 (h, w, 3). mask: bool (h, w), as drawn. haloed: bool (h, w), the mask with its halo, into which an
    engine may paint. box: (left, top, right, bottom) in the request's image, ends
    excluded. settings: checked and complete. notes: become those of the `Painting`. rng: depends on the
    request's seed alone. manner: how the engine computed the pixels, in words, where they depend on it.
    """

    image: np.ndarray
    mask: np.ndarray
    haloed: np.ndarray
    box: tuple[int, int, int, int]
    request: PaintRequest
    settings: S
    rng: np.random.Generator
    notes: list[str]
    manner: list[str] = field(default_factory=list)


# An engine calls this after each step with the number of steps done, the number of all steps, and the unfinished
# window, uint8 (h, w, 3), or None. Raises `Cancelled`.
Step = Callable[[int, int, "np.ndarray | None"], None]
