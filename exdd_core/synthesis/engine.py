"""The base class of every engine that paints defects: settings, batches, progress and cancelling.

An engine paints a window and may change every pixel of it. The base class checks the request, cuts the window out
of the image, resizes it where the engine works at a size of its own, composites the result inside the drawn mask
only, and measures what changed. Does not know how a defect is made, where images come from or where results go.
"""

from __future__ import annotations

import itertools
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, cast

import numpy as np

from exdd_core.errors import BadInput, Cancelled
from exdd_core.progress import Progress
from exdd_core.synthesis.compositing import (
    Box,
    box_around,
    bucketed,
    composite,
    measure,
    resized,
    resized_mask,
    with_halo,
)
from exdd_core.synthesis.controls import Control, Settings
from exdd_core.synthesis.request import Painting, PaintRequest, S, Step, Window

MAX_SEED = 2**63 - 1


class NotReady(BadInput):
    """An engine cannot paint at all, because its weights are missing or do not fit into memory."""


class Engine(ABC, Generic[S]):
    """Paints defects. A subclass has a name and controls and implements `_render`; `S` is the type of its settings."""

    NAME: str
    TITLE: str
    DESCRIPTION: str
    CONTROLS: tuple[Control, ...]

    def __init__(self) -> None:
        self._loading = threading.Lock()
        self._loaded = False

    # --- for subclasses to define ---

    @property
    @abstractmethod
    def version(self) -> str:
        """The version of code and model. It changes whenever the same request would give other pixels."""

    def missing(self) -> str:
        """What this engine lacks: what to download, how large it is, where to put it. "" where nothing is missing."""
        return ""

    def _load(self, progress: Progress) -> None:
        """Load models or libraries before the first painting. Called once."""
        return

    def _ready(self, settings: Settings, progress: Progress | None) -> None:
        """Load the model that these settings choose."""
        self.load(progress)

    def _version(self, settings: S) -> str:
        """The version of code and model for these settings."""
        return self.version

    def _taught_by(self, settings: S) -> list[str]:
        """The physical parts of the user's data whose images the model was taught with."""
        return []

    def _resolution(self, settings: S) -> int:
        """The side in pixels of the square that this engine paints, 0 for the image's own size."""
        return 0

    def _padding(self, settings: S) -> int:
        """How many pixels of the image a native window shows around the mask; -1 for the usual surroundings."""
        return -1

    def _at_once(self, settings: S) -> int:
        """The number of requests that `_render_batch` takes in one call."""
        return 1

    @abstractmethod
    def _render(self, window: Window[S], step: Step) -> np.ndarray:
        """Paint a defect into a window: uint8 (h, w, 3). Changes outside the window's mask are ignored."""

    def _render_batch(self, windows: Sequence[Window[S]], step: Step) -> Sequence[np.ndarray]:
        """`_render` for several windows, which may differ in size and settings. `step` gets the first one's pixels."""
        return [self._render(window, step) for window in windows]

    # --- for callers ---

    def load(self, progress: Progress | None = None) -> None:
        """Load the engine once; other threads wait. Raises `BadInput` when something is missing."""
        with self._loading:
            if self._loaded:
                return
            missing = self.missing()
            if missing:
                raise BadInput(missing)
            self._load(progress or Progress())
            self._loaded = True

    def prepare(self, settings: Settings, progress: Progress | None = None) -> None:
        """Load the engine for requests with these settings, which may choose a model."""
        self._ready(settings, progress)

    def at_once(self, settings: Settings) -> int:
        """The number of requests with these settings that `paint_many` takes in one call, after `prepare`."""
        return self._at_once(self.complete(settings))

    def complete(self, settings: Settings) -> S:
        """Check settings and add the defaults of those left out. Raises `BadInput`."""
        known = {control.name: control for control in self.CONTROLS}
        for name in settings:
            if name not in known:
                raise BadInput(f'{self.TITLE} has no setting "{name}"; its settings are {", ".join(known)}.')
        full = {name: control.read(settings.get(name, control.default)) for name, control in known.items()}
        return cast(S, full)

    def paint(
        self,
        request: PaintRequest,
        progress: Progress | None = None,
        preview: Callable[[np.ndarray], None] | None = None,
    ) -> Painting:
        """Paint one request.

        `progress` counts the engine's steps; `preview` gets the unfinished image, uint8 (H, W, 3). Raises
        `BadInput` for unusable settings or masks and where nothing visible changed, and `Cancelled` within one
        step after `progress.cancel()`.
        """
        self._ready(request.settings, progress)
        step = _Steps(progress, preview, counting=True)
        return next(self._paint_batch([request], step))

    def paint_many(
        self,
        requests: Sequence[PaintRequest],
        progress: Progress | None = None,
    ) -> Iterator[Painting]:
        """Paint requests in order, several at once where the engine can. `progress` counts images."""
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
            image = composite(window, pixels)
            yield Painting(
                image=image,
                mask=measure(request.image, image, with_halo(request, window.settings["halo"])),
                engine=self.NAME,
                engine_version=", ".join([self._version(window.settings), *window.manner]),
                settings=window.settings,
                seed=request.seed,
                notes=window.notes,
                seconds=seconds,
                taught_by=self._taught_by(window.settings),
            )

    def _window(self, request: PaintRequest) -> Window[S]:
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
            raise BadInput("The mask is empty; mark where the defect should be.")
        if isinstance(request.seed, bool) or not 0 <= int(request.seed) <= MAX_SEED:
            raise BadInput(f"The seed {request.seed} cannot be used; choose a whole number, 0 or greater.")
        settings = self.complete(request.settings)
        haloed = with_halo(request, settings["halo"])
        box, size = self._frame(mask, settings)
        left, top, right, bottom = box
        return Window(
            image=resized(image[top:bottom, left:right], size),
            mask=resized_mask(mask[top:bottom, left:right], size),
            haloed=resized_mask(haloed[top:bottom, left:right], size),
            box=box,
            request=request,
            settings=settings,
            rng=np.random.default_rng(request.seed),
            notes=[],
        )

    def _frame(self, mask: np.ndarray, settings: S) -> tuple[Box, tuple[int, int]]:
        """The box of the image that a window shows, and the (width, height) at which it is painted."""
        side, (height, width) = self._resolution(settings), mask.shape
        if settings["geometry"] == "paper":
            return (0, 0, width, height), (side or max(width, height),) * 2
        padding = self._padding(settings)
        box = box_around(mask, bool(side), padding if padding < 0 else max(padding, settings["halo"]))
        if side:
            return bucketed(box, (width, height), side)
        return box, (box[2] - box[0], box[3] - box[1])


class _Steps:
    """The `Step` of one call: counts steps, shows the unfinished image and raises `Cancelled`."""

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
            self._preview(composite(self.window, pixels))
