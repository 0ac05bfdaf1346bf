"""Ways of painting that are compared, the paintings that they make, and the patches of these.

Knows data sets as folders and engines. Does not know what a painting is worth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from exdd_core import synthesis
from exdd_core.datasets import DEFECT, Record
from exdd_core.detector import backbones, context
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.examples import Marked, TrainingImage, patch_set
from exdd_core.errors import BadInput
from exdd_core.evaluation.resemblance import Pooled, pooled
from exdd_core.images import Size, probe, read_image, read_mask
from exdd_core.synthesis import mask_spec, prior
from exdd_core.synthesis.engines import LENDING
from exdd_core.synthesis.mask_spec import ANY, SHAPES, MaskSpec
from exdd_core.synthesis.masks import realise
from exdd_core.synthesis.request import Donor, PaintRequest

PAINTED = 40  # by each way
KINDS = tuple(shape for shape in SHAPES if shape != ANY)
EVERY = 8  # every how many patches of a normal image are compared
# Image, measured mask, what it was painted into, and the donor's part.
Painted = tuple[np.ndarray, np.ndarray, Record, str]


@dataclass(frozen=True)
class Way:
    """A way of painting.

    shapes: of generated masks; () borrows the masks of real defects. placed: by the prior of known defects.
    """

    engine: str
    settings: Mapping[str, object] = field(default_factory=dict)
    shapes: tuple[str, ...] = KINDS
    placed: bool = True

    @property
    def lent(self) -> bool:
        """Whether it needs real defects."""
        return self.engine in LENDING


WAYS = {
    "procedural, anywhere": Way("procedural", placed=False),
    "procedural": Way("procedural"),
    "procedural of any shape": Way("procedural", shapes=(ANY,)),
    "transplant, anywhere": Way("transplant", {"halo": 0}, (), placed=False),  # nor with a halo
    "transplant": Way("transplant", shapes=()),
    "quilt": Way("quilt", shapes=()),
}


@dataclass(frozen=True)
class Side:
    """Images to learn from, or to try on."""

    normals: list[Record]
    defects: list[Record]


class Reader:
    """Reads patches of images, each set of images once."""

    def __init__(self, root: Path, size: Size, backbone: Backbone | None = None):
        self.root, self.size = root, size
        self.backbone = backbone or backbones.load(backbones.EMBEDDED)
        self._kept: dict[tuple[str, ...], context.TrainingPatches] = {}
        self._real: dict[tuple[str, ...], list[Marked]] = {}

    def normals(self, records: Sequence[Record]) -> context.TrainingPatches:
        """Every EVERYth patch of these images, with its surroundings."""
        key = tuple(record.path for record in records)
        if key not in self._kept:
            several = patch_set(self.backbone, [self.training(r) for r in records], self.size)
            rows, around = [], []
            for features in several.features:
                rows.append(features.reshape(-1, features.shape[-1])[::EVERY])
                around.append(
                    context.around(features).reshape(-1, context.width(features.shape[-1]))[::EVERY]
                )
            self._kept[key] = patches_of(np.concatenate(rows), np.concatenate(around))
        return self._kept[key]

    def real(self, records: Sequence[Record]) -> list[Marked]:
        """The patches on the defects of these images."""
        key = tuple(record.path for record in records)
        if key not in self._real:
            self._real[key] = self.marked([self.training(record) for record in records])
        return self._real[key]

    def marked(self, training: Sequence[TrainingImage]) -> list[Marked]:
        return list(patch_set(self.backbone, training, self.size).marked())

    def painted(self, way: str, made: Sequence[Painted]) -> list[Marked]:
        return self.marked(self.paintings(way, made))

    @staticmethod
    def paintings(way: str, made: Sequence[Painted]) -> list[TrainingImage]:
        return [
            TrainingImage(f"{way}/{i}", image, record.group, mask, "", "synthetic", donor, way)
            for i, (image, mask, record, donor) in enumerate(made)
        ]

    def pooled(self, training: Sequence[TrainingImage]) -> Pooled:
        """Mean features of defects and of the rings around them."""
        several = patch_set(self.backbone, training, self.size)
        rows = [pooled(f, on) for f, on in zip(several.features, several.on_defect, strict=True)]
        known = [(row, image) for row, image in zip(rows, several.images, strict=True) if row]
        return Pooled(
            np.stack([own for (own, _), _ in known]),
            np.stack([ring for (_, ring), _ in known]),
            [image.group for _, image in known],
            [image.donor for _, image in known],
        )

    def training(self, record: Record) -> TrainingImage:
        mask = self.root / record.mask if record.mask and record.label == DEFECT else None
        return TrainingImage(record.path, self.root / record.path, record.group, mask, record.defect_type)


def patches_of(
    rows: np.ndarray, around: np.ndarray, weights: np.ndarray | None = None
) -> context.TrainingPatches:
    return context.TrainingPatches(
        rows, around, np.zeros((0, len(rows)), bool), np.ones(len(rows)) if weights is None else weights
    )


def paint(
    root: Path, way: Way, side: Side, rng: np.random.Generator, count: int, prompt: str = ""
) -> list[Painted]:
    """`count` paintings on normal images after a side's defects; those that change nothing visible do not count."""
    lying = {r.path: prior.lying_of(read_mask(root / str(r.mask), None)) for r in side.defects}
    parts = sorted({record.group for record in side.defects})
    made: list[Painted] = []
    while len(made) < count:
        source, seed = side.normals[int(rng.integers(len(side.normals)))], int(rng.integers(2**31))
        lender = None
        if way.lent:
            part = parts[int(rng.integers(len(parts)))]
            own = [record for record in side.defects if record.group == part]
            lender = own[int(rng.integers(len(own)))]
        kind = lender.defect_type if lender else None
        known = [(r.path, lying[r.path]) for r in side.defects if kind in (None, r.defect_type)]
        place = prior.draw([(p, one) for p, one in known if one], rng) if way.placed else None
        image = read_image(root / source.path)
        try:
            request = _request(root, way, image, place, lender, seed)
            painting = synthesis.engine_named(way.engine).paint(replace(request, prompt=prompt))
        except BadInput:  # nothing visible, or a mask that misses the part
            continue
        made.append((painting.image, painting.mask, source, lender.group if lender else ""))
    return made


def _request(
    root: Path, way: Way, image: np.ndarray, place: prior.Place | None, lender: Record | None, seed: int
) -> PaintRequest:
    donor, lent = None, None
    if lender:
        paths = root / lender.path, root / str(lender.mask)
        donor = Donor(lender.path, *paths, lender.defect_type, lender.group, "train")
        lent = read_mask(paths[1], probe(paths[0])[::-1])
    shape = way.shapes[seed % len(way.shapes)] if way.shapes else ""
    spec = replace(MaskSpec.from_json(mask_spec.varied(shape)), seed=seed, place=place)
    mask = realise(spec, image, seed, lent)
    return PaintRequest(image, mask, settings=way.settings, seed=seed, donor=donor)
