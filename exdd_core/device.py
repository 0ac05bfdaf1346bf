"""Chooses the device for the network, the coreset and the search. Only this module reads EXDD_DEVICE.

Knows PyTorch. Does not know what is computed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exdd_core.errors import BadInput

if TYPE_CHECKING:
    import torch

NAMES = ("auto", "cpu", "cuda")


def asked() -> str:
    """The value of EXDD_DEVICE: "auto" (the default), "cpu" or "cuda". Raises `BadInput` for anything else."""
    name = os.environ.get("EXDD_DEVICE", "").strip().lower() or "auto"
    if name not in NAMES:
        raise BadInput(f"EXDD_DEVICE is '{name}', which is no device; set it to auto, cpu or cuda.")
    return name


def chosen() -> torch.device:
    """The device to compute on: for "auto" the GPU where PyTorch finds one.

    Raises `BadInput` where EXDD_DEVICE is no device, or is "cuda" without a GPU.
    """
    import torch  # takes seconds, and `asked` does not need it

    name = asked()
    if name == "cuda" and not torch.cuda.is_available():
        raise BadInput("EXDD_DEVICE is cuda, but PyTorch finds no GPU; set it to auto or cpu.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
