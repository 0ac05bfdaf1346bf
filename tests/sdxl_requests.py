"""Requests for SDXL's engine in tests, and a spy on the methods of its pipelines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from exdd_core.synthesis.compositing import with_halo
from exdd_core.synthesis.request import PaintRequest

QUICK = {"resolution": 64, "steps": 2, "strength": 1.0}
REAL = {"text_encoder": 123_060_480, "text_encoder_2": 694_659_840, "unet": 2_567_478_084, "vae": 83_653_863}


def request(seed: int = 0, prompt: str = "copper metal scratches", **settings: Any) -> PaintRequest:
    """A grey strip like a commutator's, 60 x 150, with a mask that touches its edge."""
    shade = np.random.default_rng(1).integers(90, 160, (150, 60, 1), dtype=np.uint8)
    mask = np.zeros((150, 60), bool)
    mask[40:75, 20:60] = True
    return PaintRequest(np.repeat(shade, 3, axis=2), mask, prompt, "smooth, plain", QUICK | settings, seed)


def haloed(asked: PaintRequest) -> np.ndarray:
    """The request's mask with the engine's usual halo, beyond which no pixel may change."""
    return with_halo(asked, 4)


def far_apart(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.abs(a.astype(int) - b).max())


class Spy:
    """Stands in for a method and keeps what it was called with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, instead: Any = None):
        real, self.calls, spy = instead or getattr(owner, name), list[dict[str, Any]](), self

        def method(that: Any, *args: Any, **kwargs: Any) -> Any:
            spy.calls.append({"self": that, "args": args, **kwargs})
            return real(that, *args, **kwargs)

        monkeypatch.setattr(owner, name, method)


def pipeline_class() -> Any:
    from diffusers import StableDiffusionXLInpaintPipeline

    return StableDiffusionXLInpaintPipeline
