"""Locally aware patch features (Eq. 2-4): feature maps in, one vector per patch out.

The patch grid is that of the shallowest map: stride 8 of the model's input, so 256 x 256 pixels give 32 x 32
patches. Knows backbones and image sizes. Does not know banks, labels or scores.
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

BYTES_PER_PIXEL = 400  # memory of a batch, measured: wide_resnet50_2 takes 400, efficientnet_lite0 280
BATCH_SHARE = 0.1  # share of the free memory that a batch may take
LARGEST_BATCH = 16  # images in a batch; larger batches are no faster
MEMORY_SHARE = 0.4  # features that need a larger share of the free memory are written to a file

Source = str | Path | np.ndarray
Reader = Callable[[str | Path], np.ndarray]  # decodes a file to uint8 (H, W, 3) RGB


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


def features(backbone: Backbone, batch: np.ndarray) -> np.ndarray:
    """Patch features of a batch: uint8 (b, H, W, 3) in, float32 (b, h, w, d) out."""
    joined = concatenate(backbone(batch))
    return joined.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def read(
    source: Source, size: Size, reader: Reader = images.read_image, region: Region | None = None
) -> tuple[np.ndarray, tuple[int, int]]:
    """Read one image at the model's size: uint8 (size.height, size.width, 3), painted over outside `region`.

    Returns it with its original height and width.
    """
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
    """Patch features of many images, each read, resized to `size` and sent through the backbone.

    sources: paths, which `reader` decodes, or uint8 (H, W, 3) RGB arrays of any size. region: patches outside
    it get the features of the nearest patch inside. Returns float32 (n, h, w, d); where that would fill the
    memory, the array is backed by a temporary file, which is deleted with the array.
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
    """The share of every patch's area that a mask covers.

    mask: at the model's size, bool (H, W), or float32 (H, W), the covered share of every pixel. Returns
    float32 (h, w), 0 to 1.
    """
    area = torch.from_numpy(mask.astype(np.float32))[None, None]
    return F.adaptive_avg_pool2d(area, grid)[0, 0].numpy()


def inside(
    region: Region, size: Size, grid: tuple[int, int], shape: tuple[int, int] | None = None
) -> np.ndarray:
    """Which patches of an image lie in the region by half or more: bool (h, w).

    shape: (H, W) of the image; None for the image that the region was drawn on. Raises BadInput where no
    patch does.
    """
    counts = covered(region.share(size, shape), grid) >= HALF
    if not counts.any():
        raise BadInput(
            f"The region of interest covers half of no patch at {size}; "
            "draw it larger, or build at a larger size."
        )
    return counts


def _free_memory(device: torch.device) -> int:
    """Free bytes of memory on the device of the network."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


def _room(shape: tuple[int, ...]) -> np.ndarray:
    """An uninitialised float32 array, in memory where it fits well, else in an unlinked temporary file."""
    if 4 * int(np.prod(shape)) < MEMORY_SHARE * psutil.virtual_memory().available:
        return np.empty(shape, np.float32)
    with tempfile.NamedTemporaryFile(prefix="exdd-features-") as file:
        return np.memmap(file.name, np.float32, "w+", shape=shape)
