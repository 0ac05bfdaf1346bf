"""The first stages of a network, and the outputs of the layers that a backbone takes its features from.

Knows torch's modules. Does not know weights or where they come from.
"""

from __future__ import annotations

import torch
from torch import nn


class Taps(nn.Module):
    """The stages of a network up to the last of the given layers; returns the outputs of these layers."""

    def __init__(self, stages: dict[str, nn.Module], layers: tuple[str, ...]):
        super().__init__()
        last = list(stages).index(layers[-1])
        self.names = list(stages)[: last + 1]
        self.stages = nn.ModuleList(stages[name] for name in self.names)
        self.layers = layers

    def forward(self, batch: torch.Tensor) -> list[torch.Tensor]:
        maps = []
        for name, stage in zip(self.names, self.stages, strict=True):
            batch = stage(batch)
            if name in self.layers:
                maps.append(batch)
        return maps
