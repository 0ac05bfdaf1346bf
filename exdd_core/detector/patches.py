"""Locally aware patch features (Eq. 1-4): images in, one vector per patch out.

The patch grid is that of the shallowest map: stride 8 of the model's input, so 256 x 256 pixels give 32 x 32
patches. Knows backbones, inference engines and image sizes. Does not know banks, labels or scores.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil

from exdd_core import cluster, images
from exdd_core.detector import inference
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.feature_cache import FeatureCache
from exdd_core.detector.patch_features import PatchFeatures
from exdd_core.errors import BadInput
from exdd_core.images import Size
from exdd_core.later import torch
from exdd_core.progress import Progress
from exdd_core.region import Region
from exdd_core.spill import said

BYTES_PER_PIXEL = 400  # memory of a batch, measured: wide_resnet50_2 takes 400, efficientnet_lite0 280
BATCH_SHARE = 0.1  # share of the free memory that a batch may take
STAGE = "Computing features"
LARGEST_BATCH = 16  # images in a batch; larger batches are no faster

Source = str | Path | np.ndarray
Reader = Callable[[str | Path], np.ndarray]  # decodes a file to uint8 (H, W, 3) RGB


def features(backbone: Backbone, batch: np.ndarray) -> np.ndarray:
    """Patch features of a batch: uint8 (b, H, W, 3) in, float32 (b, h, w, d) out."""
    return inference.engine_for(backbone, batch.shape[1:3])(batch)


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
    cache: FeatureCache | None = None,
) -> PatchFeatures:
    """Patch features of many images, each read, resized to `size` and sent through the backbone.

    sources: paths, which `reader` decodes, or uint8 (H, W, 3) RGB arrays of any size. region: patches outside
    it get the features of the nearest patch inside. cache: where features are looked up first, and stored if
    there is room. Many images have their features on disk (`patch_features.IN_MEMORY`); the stage that
    `progress` shows says how large they are. Raises BadInput where the disk lacks the room, and where the
    memory of the GPU is too small for a single image; with less than a batch needs, batches are halved.
    """
    progress, look = progress or Progress(), _Look(backbone, size, reader, region, cache)
    progress.begin(STAGE, len(sources))
    room = BATCH_SHARE * _free_memory(backbone.device) / (BYTES_PER_PIXEL * size.width * size.height)
    per_batch, start = min(LARGEST_BATCH, max(1, int(room))), 0
    out: PatchFeatures | None = None
    compute = _on_cluster if cluster.address() else _here
    for found in compute(look, sources, per_batch, progress):
        if out is None:
            folder = cache.folder if cache is not None else None
            out = PatchFeatures.room(len(sources), found.shape[1:], folder)
            if out.bytes_on_disk:
                progress.begin(f"{STAGE} ({said(out.bytes_on_disk)} on disk)", len(sources))
        out.write(start, found)
        start += len(found)
        progress.advance(len(found))
    if cache is not None and cache.written:
        cache.trim()
    return out if out is not None else PatchFeatures(np.zeros((0, 0, 0, backbone.dimension), np.float32))


def _here(look: _Look, sources: Sequence[Source], per_batch: int, progress: Progress) -> Iterator[np.ndarray]:
    """Features of batch after batch, float32 (b, h, w, d), computed in this process."""
    start = 0
    while start < len(sources):
        some = sources[start : start + per_batch]
        keys, found = look.known(some)
        try:
            missing, shapes = look.missing(some, found)
            fresh = features(look.backbone, missing) if len(missing) else missing
        except torch.cuda.OutOfMemoryError as error:
            per_batch = _halved(len(some), look.size, error)
            continue
        yield look.completed(keys, found, look.spread(fresh, shapes), len(sources))
        start += len(some)


def _on_cluster(
    look: _Look, sources: Sequence[Source], per_batch: int, progress: Progress
) -> Iterator[np.ndarray]:
    """`_here` with the network on the machines of a cluster, which get pixels at the model's size."""
    backbone, engine = look.backbone, inference.asked()
    where = "cuda" if cluster.has_gpus() else "cpu"
    if where != backbone.device.type:  # the cache names features by this machine's engine
        look = replace(look, cache=None)
    elif where == "cpu":  # all machines take the engine that this one takes
        name = inference.engine_for(backbone, (look.size.height, look.size.width)).name
        engine = inference.TORCH if name.startswith(inference.TORCH) else inference.OPENVINO
    handed: deque[tuple[list[str], list[np.ndarray | None], list[tuple[int, int]]]] = deque()

    def batches() -> Iterator[np.ndarray]:
        for start in range(0, len(sources), per_batch):
            some = sources[start : start + per_batch]
            keys, found = look.known(some)
            missing, shapes = look.missing(some, found)
            handed.append((keys, found, shapes))
            yield missing

    for fresh in cluster.map_tasks(_features_there, (backbone, engine), batches(), progress):
        keys, found, shapes = handed.popleft()
        yield look.completed(keys, found, look.spread(np.array(fresh), shapes), len(sources))


def _features_there(network: tuple[Backbone, str], batch: np.ndarray) -> np.ndarray:
    """`features` on a machine of a cluster, by a backbone and the engine of this name.

    A batch that is too large for the machine's GPU is halved.
    """
    if not len(batch):
        return batch
    backbone, os.environ[inference.SWITCH] = network
    try:
        return features(backbone, batch)
    except torch.cuda.OutOfMemoryError as error:
        half = _halved(len(batch), Size(batch.shape[2], batch.shape[1]), error)
        return np.concatenate([_features_there(network, part) for part in (batch[:half], batch[half:])])


@dataclass(frozen=True)
class _Look:
    """How images become features; see `extract`."""

    backbone: Backbone
    size: Size
    reader: Reader
    region: Region | None
    cache: FeatureCache | None

    def known(self, sources: Sequence[Source]) -> tuple[list[str], list[np.ndarray | None]]:
        """The name of each image in the cache, and its features from there; None where they are not known."""
        if self.cache is None:
            return [], [None] * len(sources)
        keys = [self.cache.key(self.backbone, self.size, self.region, source) for source in sources]
        return keys, [self.cache.get(key) for key in keys]

    def missing(
        self, sources: Sequence[Source], found: Sequence[np.ndarray | None]
    ) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """The images without features, uint8 (b, height, width, 3), and their original heights and widths."""
        several = [
            read(source, self.size, self.reader, self.region)
            for source, one in zip(sources, found, strict=True)
            if one is None
        ]
        images = [image for image, _ in several]
        return np.stack(images) if images else np.zeros((0, 0, 0, 3), np.uint8), [s for _, s in several]

    def spread(self, fresh: np.ndarray, shapes: Sequence[tuple[int, int]]) -> np.ndarray:
        """Features with those of patches outside the region replaced, in place. shapes: as `missing` gives them."""
        if self.region is not None:
            for at, shape in enumerate(shapes):
                counts = self.region.inside(self.size, fresh.shape[1:3], shape)
                fresh[at] = self.region.spread(fresh[at], counts)
        return fresh

    def completed(
        self, keys: Sequence[str], found: list[np.ndarray | None], fresh: np.ndarray, count: int
    ) -> np.ndarray:
        """Known and computed features together, float32 (b, h, w, d); the computed ones go into the cache.

        count: the number of all images that are asked for.
        """
        if self.cache is None:
            return fresh
        missing = [at for at, one in enumerate(found) if one is None]
        for at, one in zip(missing, fresh, strict=True):
            found[at] = one
            if self.cache.takes(count * one.nbytes):
                self.cache.put(keys[at], one)
        return np.stack([one for one in found if one is not None])


def _halved(count: int, size: Size, error: Exception) -> int:
    """The images of the next batches after `count` at once filled the memory of the GPU."""
    if count == 1:
        raise BadInput(
            f"The GPU does not have enough memory for one image at {size}; close other programs that use it, "
            "or choose a smaller size."
        ) from error
    torch.cuda.empty_cache()
    return count // 2


def _free_memory(device: torch.device) -> int:
    """Free bytes of memory on the device of the network."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available
