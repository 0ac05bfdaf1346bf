"""What every engine that paints defects has in common: settings, window, compositing, the measured mask.

An engine paints into a window and may do there what it likes. This room cuts that window out of the image,
resizes it where the engine needs a size of its own, lays the result back inside the drawn mask only, and
measures what has changed. It does not know how a defect is made, where images come from or where results go.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from exdd_core.depth import Depth
from exdd_core.errors import BadInput, Cancelled
from exdd_core.images import Size, resize_image
from exdd_core.progress import Progress

CONTEXT = 0.5  # of the mask's longer side is shown around it in a native window,
LEAST_CONTEXT = 32  # but at least so many pixels: an engine learns the surface from them
LARGEST_RATIO = 4.0  # of the sides of a window that is resized: models know no narrower pictures
VISIBLE = 3.0  # difference in CIE Lab (Delta E 76), averaged over 3 x 3 pixels; 2.3 is just noticeable
SPECK = 6  # pixels; changed spots smaller than this are noise when there are larger ones
GREY = 3  # grey levels by which the channels of a grey camera's image may differ (JPEG)
MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class Control:
    """One setting of an engine: what pages and the command line need to build a widget for it and check it.

    `kind` is "number", "integer", "choice", "switch" or "text"; `minimum` and `maximum` are included.
    """

    name: str
    title: str
    kind: str
    default: Any
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    help: str = ""
    unit: str = ""

    def read(self, value: Any) -> Any:
        """`value` in this control's type; numbers may come as text. Raises `BadInput` naming the range."""
        if self.kind in ("number", "integer"):
            return self._number(value)
        if self.kind == "switch":
            return self._switch(value)
        if self.kind == "choice" and value not in self.choices:
            raise BadInput(
                f'{self.title} ({self.name}) cannot be "{value}"; choose {", ".join(self.choices)}.'
            )
        if not isinstance(value, str):
            raise BadInput(f"{self.title} ({self.name}) is a text; {value!r} is none.")
        return value

    def _number(self, value: Any) -> float | int:
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        whole = self.kind == "integer"
        # A comparison with nan is False, and infinity is neither a setting nor JSON.
        if not (low <= number <= high) or math.isinf(number) or (whole and number != int(number)):
            raise BadInput(
                f"{self.title} ({self.name}) cannot be {value!r}; give a {'whole ' if whole else ''}number"
                f"{self._range()}."
            )
        return int(number) if whole else number

    def _range(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if self.minimum is not None and self.maximum is not None:
            return f" from {self.minimum:g} to {self.maximum:g}{unit}"
        if self.minimum is not None:
            return f" of at least {self.minimum:g}{unit}"
        return f" of at most {self.maximum:g}{unit}" if self.maximum is not None else ""

    def _switch(self, value: Any) -> bool:
        known = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False}
        known["0"] = False
        answer = known.get(str(value).lower())
        if answer is None:
            raise BadInput(f"{self.title} ({self.name}) is on or off; {value!r} is neither.")
        return answer


def shared_controls(geometry: str, feather: float, match_brightness: bool) -> tuple[Control, ...]:
    """The controls that every engine has, with an engine's own defaults."""
    return (
        Control(
            "geometry",
            "Geometry",
            "choice",
            geometry,
            choices=("native", "paper"),
            help="native: a window around the mask at its own aspect ratio; paper: the whole image squeezed "
            "to a square, and back",
        ),
        Control(
            "feather",
            "Feather",
            "number",
            feather,
            minimum=0,
            maximum=64,
            step=0.5,
            unit="px",
            help="width of the soft edge, inside the mask only",
        ),
        Control(
            "match_brightness",
            "Match brightness",
            "switch",
            match_brightness,
            help="shift what was painted so that just inside the mask's edge it is as bright as its surroundings",
        ),
    )


@dataclass(frozen=True)
class Donor:
    """A real defect that lends itself: image and mask file, and where they come from. depth: of its data set."""

    id: str
    image: Path
    mask: Path
    defect_type: str
    group: str
    split: str
    depth: Depth | None = None


@dataclass(frozen=True)
class PaintRequest:
    """Paint into `image`, uint8 (H, W, 3) RGB, where `mask`, bool (H, W), is set."""

    image: np.ndarray
    mask: np.ndarray
    prompt: str = ""
    negative_prompt: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    donor: Donor | None = None


@dataclass(frozen=True)
class Painting:
    """What an engine made of a request.

    `image` uint8 (H, W, 3) is bit-identical to the request's outside its mask. `mask` bool (H, W) is measured:
    where the two differ visibly. `settings` are complete. `notes` are sentences for the person who asked.
    """

    image: np.ndarray
    mask: np.ndarray
    engine: str
    engine_version: str
    settings: dict[str, Any]
    seed: int
    notes: list[str]
    seconds: float


@dataclass(frozen=True)
class Window:
    """What an engine works on: a part of the image at the engine's own size.

    `image` uint8 (h, w, 3), `mask` bool (h, w). `box` (left, top, right, bottom) is where it lies in the
    request's image, ends excluded; `settings` are checked and complete; what is put into `notes` reaches the
    `Painting`. `rng` depends on the request's seed alone.
    """

    image: np.ndarray
    mask: np.ndarray
    box: tuple[int, int, int, int]
    request: PaintRequest
    settings: dict[str, Any]
    rng: np.random.Generator
    notes: list[str]


# Called by an engine while it works: steps done, steps in all, and the window as it looks by now, if anyone
# should see it. Raises `Cancelled`.
Step = Callable[[int, int, "np.ndarray | None"], None]


class Engine(ABC):
    """Paints defects. A subclass says its name and controls and implements `_render`."""

    NAME: str
    TITLE: str
    DESCRIPTION: str
    CONTROLS: tuple[Control, ...]

    def __init__(self) -> None:
        self._loading = threading.Lock()
        self._loaded = False

    # --- what a subclass says or does ---

    @property
    @abstractmethod
    def version(self) -> str:
        """Changes whenever the same request would give other pixels: of the code, of the model."""

    def missing(self) -> str:
        """Empty, or what is needed before this engine can work: what to download, how large, where to put it."""
        return ""

    def _load(self, progress: Progress) -> None:
        """Make ready to paint; called once."""
        return

    def _ready(self, settings: Mapping[str, Any], progress: Progress | None) -> None:
        """Make ready for a request's settings. An engine whose settings choose a model loads that one instead."""
        self.load(progress)

    def _version(self, settings: Mapping[str, Any]) -> str:
        """`version` of what has painted with these settings, which are complete."""
        return self.version

    def _resolution(self, settings: Mapping[str, Any]) -> int:
        """The side of the square this engine works at, in pixels; 0 for the image's own."""
        return 0

    def _at_once(self, settings: Mapping[str, Any]) -> int:
        """How many requests `_render_batch` takes in one call."""
        return 1

    @abstractmethod
    def _render(self, window: Window, step: Step) -> np.ndarray:
        """The window, uint8 (h, w, 3), with a defect where its mask is set; what else changes is not used."""

    def _render_batch(self, windows: Sequence[Window], step: Step) -> Sequence[np.ndarray]:
        """`_render` of several windows, which may differ in size and settings. `step` shows the first."""
        return [self._render(window, step) for window in windows]

    # --- what everyone else calls ---

    def load(self, progress: Progress | None = None) -> None:
        """Make ready to paint, once; whoever comes meanwhile waits. Raises `BadInput` when something is missing."""
        with self._loading:
            if self._loaded:
                return
            missing = self.missing()
            if missing:
                raise BadInput(missing)
            self._load(progress or Progress())
            self._loaded = True

    def prepare(self, settings: Mapping[str, Any], progress: Progress | None = None) -> None:
        """`load`, for requests with these settings: they may choose a model."""
        self._ready(settings, progress)

    def at_once(self, settings: Mapping[str, Any]) -> int:
        """How many requests with these settings `paint_many` takes in one call, once it is ready for them."""
        return self._at_once(self.complete(settings))

    def complete(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Every setting of this engine, checked, defaults filled in. Raises `BadInput`."""
        known = {control.name: control for control in self.CONTROLS}
        for name in settings:
            if name not in known:
                raise BadInput(f'{self.TITLE} has no setting "{name}"; it has {", ".join(known)}.')
        return {name: control.read(settings.get(name, control.default)) for name, control in known.items()}

    def paint(
        self,
        request: PaintRequest,
        progress: Progress | None = None,
        preview: Callable[[np.ndarray], None] | None = None,
    ) -> Painting:
        """Paint one. `progress` counts the engine's steps; `preview` gets the image, uint8 (H, W, 3), as it grows.

        Raises `BadInput` for settings or a mask that cannot be used and where nothing visible changed,
        `Cancelled` within one step after `progress.cancel()`.
        """
        self._ready(request.settings, progress)
        step = _Steps(progress, preview, counting=True)
        return next(self._paint_batch([request], step))

    def paint_many(
        self,
        requests: Sequence[PaintRequest],
        progress: Progress | None = None,
    ) -> Iterator[Painting]:
        """Paint one after another, in order, or several at once where the engine can. `progress` counts images."""
        if requests:
            self._ready(requests[0].settings, progress)
        if progress:
            progress.begin("Painting", len(requests))
        step = _Steps(progress, None, counting=False)
        left = iter(requests)
        while first := next(left, None):
            rest = itertools.islice(left, self._at_once(self.complete(first.settings)) - 1)
            for painting in self._paint_batch([first, *rest], step):
                yield painting
                if progress:
                    progress.advance()

    def _paint_batch(self, requests: Iterable[PaintRequest], step: _Steps) -> Iterator[Painting]:
        began = time.monotonic()
        windows = [self._window(request) for request in requests]
        step.window = windows[0]
        step(0, 1, None)
        rendered = self._render_batch(windows, step)
        seconds = (time.monotonic() - began) / len(windows)
        for window, pixels in zip(windows, rendered, strict=True):
            request = window.request
            image = lay_back(window, pixels)
            yield Painting(
                image=image,
                mask=measure(request.image, image, request.mask),
                engine=self.NAME,
                engine_version=self._version(window.settings),
                settings=window.settings,
                seed=request.seed,
                notes=window.notes,
                seconds=seconds,
            )

    def _window(self, request: PaintRequest) -> Window:
        image, mask = request.image, request.mask
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or mask.dtype != bool:
            raise ValueError(
                f"image {image.dtype} {image.shape}, mask {mask.dtype}: need uint8 (H, W, 3), bool"
            )
        if mask.shape != image.shape[:2]:
            raise BadInput(
                f"The mask is {mask.shape[1]} x {mask.shape[0]} pixels but the image is {image.shape[1]} x "
                f"{image.shape[0]}; use a mask of the image's size."
            )
        if not mask.any():
            raise BadInput("The mask is empty; mark where the defect shall be.")
        if isinstance(request.seed, bool) or not 0 <= int(request.seed) <= MAX_SEED:
            raise BadInput(f"The seed {request.seed} cannot be used; give a whole number from 0.")
        settings = self.complete(request.settings)
        paper = settings["geometry"] == "paper"
        box = (
            (0, 0, mask.shape[1], mask.shape[0]) if paper else _around(mask, bool(self._resolution(settings)))
        )
        left, top, right, bottom = box
        size = self._size(right - left, bottom - top, settings)
        return Window(
            image=_resized(image[top:bottom, left:right], size),
            mask=_resized_mask(mask[top:bottom, left:right], size),
            box=box,
            request=request,
            settings=settings,
            rng=np.random.default_rng(request.seed),
            notes=[],
        )

    def _size(self, width: int, height: int, settings: Mapping[str, Any]) -> tuple[int, int]:
        """(width, height) at which a window of the image is painted."""
        side = self._resolution(settings)
        if settings["geometry"] == "paper":
            side = side or max(width, height)
            return side, side
        if not side:
            return width, height
        scale = side / math.sqrt(width * height)
        # Diffusion models see the image at an eighth of its size.
        return max(8, round(width * scale / 8) * 8), max(8, round(height * scale / 8) * 8)


class _Steps:
    """The `Step` of one call: asks whether to stop, counts, shows."""

    def __init__(
        self, progress: Progress | None, preview: Callable[[np.ndarray], None] | None, counting: bool
    ):
        self.window: Window | None = None
        self._progress, self._preview, self._counting = progress, preview, counting

    def __call__(self, done: int, total: int, pixels: np.ndarray | None = None) -> None:
        if self._progress and self._progress.cancelled:
            raise Cancelled("Painting")
        if self._progress and self._counting:
            if done == 0 or self._progress.total != total:
                self._progress.begin("Painting", total)
            self._progress.advance(done - self._progress.done)
        if self._preview and pixels is not None and self.window is not None:
            self._preview(lay_back(self.window, pixels))


# --- the window -----------------------------------------------------------------------------------


def _around(mask: np.ndarray, resized: bool) -> tuple[int, int, int, int]:
    """The box around a mask with its context, within the image; where it is resized, never too narrow."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
    pad = max(LEAST_CONTEXT, math.ceil(CONTEXT * max(height, width)))
    wide, high = width + 2 * pad, height + 2 * pad
    if resized:
        wide, high = max(wide, math.ceil(high / LARGEST_RATIO)), max(high, math.ceil(wide / LARGEST_RATIO))
    left, right = _span(int(columns[0]), width, wide, mask.shape[1])
    top, bottom = _span(int(rows[0]), height, high, mask.shape[0])
    return left, top, right, bottom


def _span(start: int, length: int, wanted: int, limit: int) -> tuple[int, int]:
    """`wanted` pixels with `length` from `start` in their middle, moved and cut to lie within 0..limit."""
    first = min(max(0, start - (wanted - length) // 2), max(0, limit - wanted))
    return first, min(limit, first + wanted)


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if (image.shape[1], image.shape[0]) == size:
        return np.ascontiguousarray(image)
    return resize_image(np.ascontiguousarray(image), Size(*size))


def _resized_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Whatever touches the mask belongs to it: a thin scratch must not vanish where a mask shrinks."""
    share = _resized(mask.astype(np.float32), size) if (mask.shape[1], mask.shape[0]) != size else mask
    return share > 0 if share.dtype == bool or min(size) < min(mask.shape) else share >= 0.5


# --- laying back ----------------------------------------------------------------------------------


def lay_back(window: Window, pixels: np.ndarray) -> np.ndarray:
    """The request's image, uint8 (H, W, 3), with a painted window `pixels`, uint8 (h, w, 3), inside its mask.

    Pixels outside the mask are bit-identical. Where the image is grey, as a grey camera's, the result is.
    """
    request, settings = window.request, window.settings
    left, top, right, bottom = window.box
    source = request.image[top:bottom, left:right]
    mask = request.mask[top:bottom, left:right]
    painted = _resized(pixels, (right - left, bottom - top)).astype(np.float32)
    if is_grey(source):
        painted[:] = cv2.cvtColor(painted, cv2.COLOR_RGB2GRAY)[..., None]
    if settings["match_brightness"]:
        painted += _brightness_gap(source, painted, mask)[..., None]
    share = _feathered(mask, settings["feather"])[..., None]
    blended = np.rint(np.clip(source + share * (painted - source), 0, 255)).astype(np.uint8)
    result = request.image.copy()
    result[top:bottom, left:right][mask] = blended[mask]
    return result


def is_grey(image: np.ndarray) -> bool:
    """Whether uint8 (H, W, 3) shows no colour at all."""
    low = np.minimum(np.minimum(image[..., 0], image[..., 1]), image[..., 2])
    high = np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])
    return bool((high - low).max() <= GREY)


def _feathered(mask: np.ndarray, feather: float) -> np.ndarray:
    """float32 (h, w): 0 outside the mask, rising over `feather` pixels inside it to 1.

    In every connected piece the innermost pixels get 1: a soft edge must not swallow a thin scratch. The
    image's border is no edge.
    """
    depth = _depth(mask)
    count, pieces = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    deepest = np.zeros(count, np.float32)
    np.maximum.at(deepest, pieces[mask], depth[mask])
    width = np.clip(deepest - 1, 0, feather)[pieces]
    return np.where(mask, np.clip(depth / (width + 1), 0, 1), 0).astype(np.float32)


def _depth(mask: np.ndarray) -> np.ndarray:
    """float32 (h, w): how many pixels lie between a pixel of the mask and the nearest outside it, that included."""
    if mask.all():
        return np.full(mask.shape, max(mask.shape), np.float32)
    return cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1, mode="edge"), cv2.DIST_L2, 5)[1:-1, 1:-1]


def _brightness_gap(source: np.ndarray, painted: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """float32 (h, w): what has to be added to `painted` to be as bright as `source` just inside the mask's edge.

    The source under the ring continues the surroundings, also where the mask lies beside an edge of the part,
    whose far side an average over the outside would mix in. The gap is known in the ring and carried inwards.
    """
    depth = _depth(mask)
    ring = (mask & (depth <= max(3.0, 0.25 * float(depth[mask].max())))).astype(np.float32)
    gap = cv2.cvtColor(source.astype(np.float32) - painted, cv2.COLOR_RGB2GRAY) * ring
    sigma = max(4.0, float(depth[mask].max()))
    known = cv2.GaussianBlur(ring, (0, 0), sigma)
    return cv2.GaussianBlur(gap, (0, 0), sigma) / np.maximum(known, 1e-3)


# --- measuring ------------------------------------------------------------------------------------


def measure(original: np.ndarray, result: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """bool (H, W): where two images, uint8 (H, W, 3), differ visibly within the mask `drawn`.

    Visibly: a Delta E (CIE 1976) of 3, averaged over 3 x 3 pixels. Gaps of a pixel or two are closed, specks
    removed unless there is nothing else. Raises `BadInput` when nothing differs.
    """
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    # With the pixel around it that an average of 3 x 3 looks at.
    window = np.s_[max(0, rows[0] - 1) : rows[-1] + 2, max(0, columns[0] - 1) : columns[-1] + 2]
    before, after = (
        cv2.cvtColor(image[window].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        for image in (original, result)
    )
    difference = np.linalg.norm(after - before, axis=2)
    # The average reaches a pixel beyond what changed, hence the second condition.
    visible = ((cv2.blur(difference, (3, 3)) >= VISIBLE) & (difference >= VISIBLE / 3)).astype(np.uint8)
    closed = cv2.morphologyEx(visible, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) & drawn[window]
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    if count == 1:
        raise BadInput(
            "Nothing visible changed inside the mask; enlarge the mask, ask for a stronger defect or try "
            "another seed."
        )
    areas = stats[:, cv2.CC_STAT_AREA]
    keep = areas >= min(SPECK, int(areas[1:].max()))
    keep[0] = False
    measured = np.zeros(drawn.shape, bool)
    measured[window] = keep[pieces]
    return measured
