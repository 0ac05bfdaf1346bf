"""EfficientNet-Lite0 up to its fifth stage of blocks, as its weights in TensorFlow were trained.

MobileNetV2's inverted residuals without squeeze and excitation, ReLU6, and TensorFlow's padding (Tan and Le 2019;
Google's EfficientNet-Lite, 2020). Written out here, as the libraries that have it take two seconds to load on every
start. Module names are those of timm, on which the fingerprints of networks depend. Knows torch. Does not know weights.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

EPSILON = 1e-3  # of batch normalisation
STEM = 32  # channels
# Of each stage: blocks, kernel size, stride, expansion and channels put out.
STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112))


class PaddedConv(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding, whose odd pixel lies at the right and the bottom."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        # Of positive numbers alone, as exported networks round a quotient towards zero; no kernel is below its stride.
        shape = batch.shape[-2:]
        height, width = [(size + stride - 1) // stride * stride - stride + kernel - size for size in shape]
        top, left = height // 2, width // 2
        # With its value named, the padding joins the convolution in ONNX; by itself, in int8, it is computed wrongly.
        return super().forward(functional.pad(batch, (left, width - left, top, height - top), value=0))


def _convolution(taken: int, given: int, kernel: int = 1, stride: int = 1, **options: Any) -> nn.Conv2d:
    if stride == 1:
        return nn.Conv2d(taken, given, kernel, padding=kernel // 2, bias=False, **options)
    return PaddedConv(taken, given, kernel, stride, bias=False, **options)


class Block(nn.Module):
    """An inverted residual: expand by 1 x 1, filter each channel by itself, project; without the first where the
    expansion is 1. What comes in is added where the shape stays."""

    def __init__(self, taken: int, given: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        inner, self.is_residual = taken * expansion, stride == 1 and taken == given
        depthwise = _convolution(inner, inner, kernel, stride, groups=inner)
        if expansion == 1:
            named = {"conv_dw": depthwise, "conv_pw": _convolution(inner, given)}
        else:
            named = {"conv_pw": _convolution(taken, inner), "conv_dw": depthwise}
            named |= {"conv_pwl": _convolution(inner, given)}
        self.steps = tuple(named)
        for number, (name, convolution) in enumerate(named.items(), 1):
            self.add_module(name, convolution)
            self.add_module(f"bn{number}", nn.BatchNorm2d(convolution.out_channels, EPSILON))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        found = batch
        for number, name in enumerate(self.steps, 1):
            found = self.get_submodule(f"bn{number}")(self.get_submodule(name)(found))
            if number < len(self.steps):
                found = functional.relu6(found)
        return batch + found if self.is_residual else found


def efficientnet_lite0() -> dict[str, nn.Module]:
    """The stem and five stages of blocks by name, "stem" and "blocks.0" to "blocks.4", with random weights."""
    stem = nn.Sequential(_convolution(3, STEM, 3, 2), nn.BatchNorm2d(STEM, EPSILON), nn.ReLU6())
    stages, taken = {"stem": stem}, STEM
    for number, (count, kernel, stride, expansion, given) in enumerate(STAGES):
        blocks = []
        for place in range(count):
            blocks.append(Block(taken, given, kernel, 1 if place else stride, expansion))
            taken = given
        stages[f"blocks.{number}"] = nn.Sequential(*blocks)
    return dict(stages)
