"""Sizes, clocks and memory of the GPU benchmark. Knows nothing of what is measured."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from exdd_core.detector import backbones
from exdd_core.images import Size

GB = 1e9

Figures = dict[str, Any]
Step = Callable[["Sizes", Path], Iterator[Figures]]


@dataclass(frozen=True)
class Sizes:
    """How large everything is.

    rows: of each coreset. dimension: of synthetic features. bank: rows that are searched.

    images: (width, height) that backbones see. training: of one detector: backbone, size, images, share of rows kept.
    repeats: the fewest calls of which the median is taken.
    """

    name: str
    rows: tuple[int, ...]
    dimension: int
    bank: int
    images: tuple[Size, ...]
    batches: tuple[int, ...]
    training: tuple[tuple[str, Size, int, float], ...]
    backbones: tuple[str, str]
    seconds: float  # how long one throughput is measured
    repeats: int
    painting: dict[str, Any]


KSDD2 = Size(632, 224)  # 28 x 79 patches
REAL = Sizes(
    name="real",
    rows=(100_000, 400_000, 1_000_000, 2085 * 28 * 79),  # the last: KSDD2's 2,085 normal images
    dimension=1536,
    bank=46_120,
    images=(Size(256, 256), KSDD2),
    batches=(1, 8, 32),
    training=((backbones.EMBEDDED, Size(256, 256), 104, 0.2), (backbones.PREFERRED, KSDD2, 24, 0.2)),
    backbones=(backbones.EMBEDDED, backbones.PREFERRED),
    seconds=0.25,
    repeats=5,
    painting={
        "full": True,
        "sides": (512, 768, 1024, 1536, 2048),
        "counts": (1, 2, 4, 8),
        "resolution": 1024,
        "steps": 30,
        "budgets": (24, 16, 12, 8, 6, 4),
        "taught": (512, 768, 1024),
        "taught_within": (12, 16),
        "small_sides": (64, 128),
        "small_batch": 32,
    },
)
SMALL = Sizes(
    name="small",
    rows=(3_000, 12_000),
    dimension=160,
    bank=500,
    images=(Size(64, 64),),
    batches=(1, 2),
    training=((backbones.EMBEDDED, Size(64, 64), 12, 0.3),),
    backbones=(backbones.EMBEDDED, "resnet50"),
    seconds=0.0,
    repeats=1,
    painting={
        "full": False,
        "sides": (64,),
        "counts": (1, 2),
        "resolution": 128,
        "steps": 5,
        "budgets": (8,),
        "taught": (64,),
        "taught_within": (12,),
        "small_sides": (32,),
        "small_batch": 2,
    },
)


# --- measuring ------------------------------------------------------------------------------------


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def wait() -> None:
    """Until the GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def release() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def timed(call: Callable[..., Any], *given: Any) -> tuple[Any, Figures]:
    """What a call returns, its seconds, and the GPU memory (GB) that its peak added to what was there before."""
    if not torch.cuda.is_available():
        began = time.perf_counter()
        return call(*given), {"seconds": time.perf_counter() - began}
    wait()
    torch.cuda.reset_peak_memory_stats()
    before, began = torch.cuda.memory_allocated(), time.perf_counter()
    result = call(*given)
    wait()
    seconds = time.perf_counter() - began
    peak, reserved = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
    return result, {"seconds": seconds, "added_gb": (peak - before) / GB, "reserved_gb": reserved / GB}


def repeated(seconds: float, call: Callable[..., Any], *given: Any, fewest: int = 3) -> list[float]:
    """Seconds of each of several calls that take so long together, after one that warms up."""
    call(*given)
    wait()
    times: list[float] = []
    while len(times) < fewest or sum(times) < seconds:
        began = time.perf_counter()
        call(*given)
        wait()
        times.append(time.perf_counter() - began)
    return times
