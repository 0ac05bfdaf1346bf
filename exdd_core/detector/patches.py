"""Locally aware patch features (Eq. 2-4): feature maps in, one vector per patch out.

Knows backbones and image sizes. Knows nothing of banks, labels or scores. The patch grid is the shallower map's:
stride 8 of the model's input, so 256 x 256 gives 32 x 32 patches.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil
import torch
import torch.nn.functional as F

from exdd_core import images
from exdd_core.detector.backbones import Backbone
from exdd_core.errors import BadInput
from exdd_core.images import Size
from exdd_core.progress import Progress
from exdd_core.region import HALF, Region

BYTES_PER_PIXEL = 400  # of a batch at its peak, measured: wide_resnet50_2 takes 400, efficientnet_lite0 280
BATCH_SHARE, LARGEST_BATCH = 0.1, 16  # of the free memory, and images at once: more brings nothing
MEMORY_SHARE = 0.4  # features that need more of the free memory than this go to a file on disk

Source = str | Path | np.ndarray
Reader = Callable[[str | Path], np.ndarray]  # decodes a file to uint8 (H, W, 3) RGB


def neighbourhood_average(maps: torch.Tensor) -> torch.Tensor:
    """Eq. 2-3: mean over the 3x3 neighbourhood of every position, stride 1, size kept.

    maps: float32 (b, c, h, w). Positions outside the map count as zero, as in PatchCore's own code.
    """
    return F.avg_pool2d(maps, kernel_size=3, stride=1, padding=1)


def concatenate(maps: Sequence[torch.Tensor]) -> torch.Tensor:
    """Eq. 4: average every level, bring deeper ones to the first one's size bilinearly, join the channels.

    maps: float32 (b, c_i, h_i, w_i), the shallowest first. Returns float32 (b, sum c_i, h_0, w_0).
    """
    averaged = [neighbourhood_average(m) for m in maps]
    size = averaged[0].shape[-2:]
    same = [F.interpolate(m, size=size, mode="bilinear", align_corners=False) for m in averaged[1:]]
    return torch.cat([averaged[0], *same], dim=1)


def features(backbone: Backbone, batch: np.ndarray) -> np.ndarray:
    """Patch features of a batch: uint8 (b, H, W, 3) in, float32 (b, h, w, d) out."""
    joined = concatenate(backbone(batch))
    return joined.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def read(
    source: Source, size: Size, reader: Reader = images.read_image, region: Region | None = None
) -> tuple[np.ndarray, tuple[int, int]]:
    """One image at the model's size, uint8 (size.height, size.width, 3), painted over outside `region`; and the height
    and width that it had."""
    image = source if isinstance(source, np.ndarray) else reader(source)
    if region is not None:
        image = region.painted_over(image)
    return images.resize_image(image, size), (image.shape[0], image.shape[1])


def extract(
    backbone: Backbone,
    sources: Sequence[Source],
    size: Size,
    progress: Progress | None = None,
    reader: Reader = images.read_image,
    region: Region | None = None,
) -> np.ndarray:
    """Patch features of many images, each read, fitted to `size` and sent through the backbone.

    sources: paths, which `reader` decodes, or uint8 (H, W, 3) RGB arrays of any size. region: outside of it nothing
    counts, and patches have the features of the nearest one inside. Returns float32 (n, h, w, d); where that would
    fill the memory, the array lies in a temporary file that goes when the array does.
    """
    progress = progress or Progress()
    progress.begin("Computing features", len(sources))
    room = BATCH_SHARE * _free_memory(backbone.device) / (BYTES_PER_PIXEL * size.width * size.height)
    per_batch = min(LARGEST_BATCH, max(1, int(room)))
    out: np.ndarray | None = None
    for start in range(0, len(sources), per_batch):
        several = [read(s, size, reader, region) for s in sources[start : start + per_batch]]
        rows = features(backbone, np.stack([image for image, _ in several]))
        if region is not None:
            for at, (_, shape) in enumerate(several):
                rows[at] = region.spread(rows[at], inside(region, size, rows.shape[1:3], shape))
        if out is None:
            out = _room((len(sources), *rows.shape[1:]))
        out[start : start + len(rows)] = rows
        progress.advance(len(rows))
    return out if out is not None else np.zeros((0, 0, 0, backbone.dimension), np.float32)


def covered(mask: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Share of every patch's area that a mask covers.

    mask: bool (H, W) at the model's size, or how much of every pixel it covers, float32, 0 to 1. Returns float32
    (h, w), 0 to 1.
    """
    area = torch.from_numpy(mask.astype(np.float32))[None, None]
    return F.adaptive_avg_pool2d(area, grid)[0, 0].numpy()


def inside(
    region: Region, size: Size, grid: tuple[int, int], shape: tuple[int, int] | None = None
) -> np.ndarray:
    """Which patches of an image of `shape` (H, W) count: those that lie in the region by half or more, bool (h, w).

    shape: None takes that of the image that the region was drawn on. Raises BadInput where it holds no patch.
    """
    counts = covered(region.share(size, shape), grid) >= HALF
    if not counts.any():
        raise BadInput(
            f"The region of interest covers half of no patch at {size}; draw it larger, or build at a larger size."
        )
    return counts


def _free_memory(device: torch.device) -> int:
    """Bytes that are free where the network runs."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


def _room(shape: tuple[int, ...]) -> np.ndarray:
    """An uninitialised float32 array, in memory where it fits well, else in an unlinked temporary file."""
    if 4 * int(np.prod(shape)) < MEMORY_SHARE * psutil.virtual_memory().available:
        return np.empty(shape, np.float32)
    with tempfile.NamedTemporaryFile(prefix="exdd-features-") as file:
        return np.memmap(file.name, np.float32, "w+", shape=shape)
