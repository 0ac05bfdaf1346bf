"""From pixels to locally aware patch features as one network (Eq. 1-4), which an inference engine can compile.

Knows tensors and a frozen backbone. Does not know which engine runs it, banks or scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from exdd_core.detector.backbones import Backbone


def neighbourhood_average(maps: torch.Tensor) -> torch.Tensor:
    """Eq. 2-3: mean over the 3x3 neighbourhood of every position, stride 1, size kept.

    maps: float32 (b, c, h, w). Positions outside the map count as zero, as in PatchCore's own code.
    """
    return F.avg_pool2d(maps, kernel_size=3, stride=1, padding=1)


def concatenate(maps: Sequence[torch.Tensor]) -> torch.Tensor:
    """Eq. 4: average every level, resize deeper ones bilinearly to the first one's size, join the channels.

    maps: float32 (b, c_i, h_i, w_i), the shallowest first. Returns float32 (b, sum c_i, h_0, w_0).
    """
    averaged = [neighbourhood_average(m) for m in maps]
    size = averaged[0].shape[-2:]
    same = [F.interpolate(m, size=size, mode="bilinear", align_corners=False) for m in averaged[1:]]
    return torch.cat([averaged[0], *same], dim=1)


class PatchNetwork(nn.Module):
    """uint8 (b, H, W, 3) RGB pixels to patch features (b, h, w, d): standardised, through the backbone, joined."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, backbone: Backbone):
        super().__init__()
        self.network = backbone.network
        for name, values in (("mean", backbone.mean), ("std", backbone.std)):
            self.register_buffer(name, torch.tensor(values, device=backbone.device).view(1, 3, 1, 1))
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        batch = images.permute(0, 3, 1, 2).float() / 255
        maps = self.network((batch - self.mean) / self.std)
        return concatenate(maps).permute(0, 2, 3, 1).contiguous()
