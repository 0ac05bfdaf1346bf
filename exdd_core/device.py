"""Chooses the device for the network, the coreset and the search, and clears it and memory. Only this module reads
EXDD_DEVICE.

Knows PyTorch. Does not know what is computed.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from exdd_core.errors import BadInput

if TYPE_CHECKING:
    import torch

NAMES = ("auto", "cpu", "cuda")
_leaving: set[Callable[[], None]] = set()


def occupy(leave: Callable[[], None]) -> None:
    """Register what frees the memory of a large model that stays loaded, for `vacate`."""
    _leaving.add(leave)


def vacate() -> None:
    """Free the memory of all large models that stay loaded in this process, for other work that needs the device."""
    for leave in tuple(_leaving):
        leave()


def trim() -> None:
    """Give memory that is free back to the system. glibc keeps it between pieces in use: hundreds of MB in a year."""
    if os.name == "posix":
        give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries keep none
        if give_back is not None:
            give_back(0)


def asked() -> str:
    """The value of EXDD_DEVICE: "auto" (the default), "cpu" or "cuda". Raises `BadInput` for anything else."""
    name = os.environ.get("EXDD_DEVICE", "").strip().lower() or "auto"
    if name not in NAMES:
        raise BadInput(f"EXDD_DEVICE is '{name}', which is not a valid device; set it to auto, cpu or cuda.")
    return name


def metal() -> bool:
    """Whether a diffusion model may run on Apple's GPU; the detector does not."""
    import torch

    return asked() == "auto" and torch.backends.mps.is_available()


def chosen() -> torch.device:
    """The device to compute on: for "auto" the GPU where PyTorch finds one.

    Raises `BadInput` where EXDD_DEVICE is no device, or is "cuda" without a GPU.
    """
    import torch  # takes seconds, and `asked` does not need it

    name = asked()
    if name == "cuda" and not torch.cuda.is_available():
        raise BadInput("EXDD_DEVICE is cuda, but PyTorch finds no GPU; set it to auto or cpu.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
