"""What the tests' tasks do on a Ray cluster: a module that workers import at once, without torch."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from exdd_core.errors import BadInput

HELD = 2


def tripled(shared: int, item: int) -> int:
    """Refuses 13."""
    if item == 13:
        raise BadInput("Thirteen cannot be used; give another number.")
    return 3 * item + shared


def slow(folder: str, item: int) -> np.ndarray:
    """Says who works on an item, and takes half a second."""
    with (Path(folder) / f"item{item}").open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(0.5)
    return drawn(item)


def held(folder: str, item: int) -> np.ndarray:
    """As `slow`, but whoever begins the item HELD first works on it until somebody kills that worker."""
    first = not (Path(folder) / f"item{item}").exists()
    found = slow(folder, item)
    while item == HELD and first:
        time.sleep(0.5)
    return found


def drawn(item: int) -> np.ndarray:
    """Numbers that follow from the item alone: 1 MB, which Ray keeps in the store of the machine that drew them."""
    return np.random.default_rng(item).normal(size=125_000)
