"""The images that a detector is measured on: read once, and refused where a measurement would mean nothing.

Knows images, masks and regions of interest. Does not know how metrics are computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from exdd_core import images
from exdd_core.detector import Detector, Settings
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.bank import BankImage
from exdd_core.detector.examples import PatchSet, TrainingImage, patch_set
from exdd_core.detector.feature_cache import FeatureCache
from exdd_core.errors import BadInput
from exdd_core.evaluation import resampling
from exdd_core.evaluation.masks import Counted, Masks
from exdd_core.evaluation.metrics import Labelled, threshold_at
from exdd_core.measurements import FiguresWithMasks, MaskCounts
from exdd_core.progress import Progress
from exdd_core.region import Region
from exdd_core.sentences import count, listed


def reading_of(detector: Detector, rows: Sequence[Labelled]) -> tuple[object, ...]:
    """All that the features of these images depend on; the bit depth only if one has more than 8 bits."""
    settings = detector.settings
    deep = any(images.header(row.path).deep for row in rows)
    depth = (settings.depth, settings.by_brightest) if deep else ()
    return detector.backbone.fingerprint, settings.size, depth, detector.region


def require_unseen(detectors: Sequence[Detector], rows: Sequence[Labelled]) -> None:
    """Raise BadInput where a detector was built from one of these images, or from their parts."""
    known = images_in_banks(*detectors)
    if {i.id for i in known} & {r.id for r in rows}:
        raise BadInput("Some of these images are in the bank itself; evaluate on held-out images.")
    leaking = {r.group for r in rows} & {i.group for i in known}
    if leaking:
        raise BadInput(
            f"Part {min(leaking)} is on both sides of the split, or in the bank; move its images to one side and "
            "build again, or import the data set with its groups."
        )


def images_in_banks(*detectors: Detector) -> list[BankImage]:
    """Every image that the banks, fusions or thresholds of these detectors were made from; some several times."""
    return [image for detector in detectors for image in detector.fitted.known()]


def require_measurable(rows: Sequence[Labelled], rate: float = 0.0) -> None:
    """Raise BadInput where nothing can be measured on these images. rate: of false alarms, see `threshold_at`."""
    normal = sum(row.label != "defect" for row in rows)
    if not normal:
        raise BadInput(
            "There is no normal image to test with, so false alarms cannot be counted; import normal images."
        )
    threshold_at(np.zeros(normal), rate)


@dataclass(frozen=True)
class TestImages:
    """n images that a detector is measured on, as the backbone reads them.

    masks: at the model's size. labels: bool (n,), True for defective. known: bool (n,), False for a defective
    image whose mask is missing or empty, so that the labels of its pixels are unknown. counted: the pixels that
    pixel figures count; None for all.
    """

    __test__ = False  # pytest must not collect this class

    patches: PatchSet
    masks: Masks
    labels: np.ndarray
    known: np.ndarray
    counted: Counted | None

    def take(self, numbers: Sequence[int]) -> TestImages:
        """The images with these numbers."""
        counted = None if self.counted is None else self.counted.take(numbers)
        patches, masks = self.patches.take(numbers), self.masks.take(numbers)
        return TestImages(patches, masks, self.labels[numbers], self.known[numbers], counted)

    @property
    def masked(self) -> MaskCounts:
        return {
            "used": int((self.labels & self.known).sum()),
            "missing": int((self.labels & ~self.known).sum()),
        }

    @property
    def notes(self) -> list[str]:
        """At most one sentence, on the images that pixel figures leave out."""
        used, missing = self.masked["used"], self.masked["missing"]
        if not missing:
            return []
        if not used:
            return ["No defective image has a mask, so there are no pixel figures."]
        have = "has" if missing == 1 else "have"
        of = count(used + missing, "defective image")
        return [
            f"{missing} of {of} {have} no mask; pixel figures leave {'it' if missing == 1 else 'them'} out."
        ]

    def told(self, figures: Mapping[str, float]) -> FiguresWithMasks:
        """These figures as they are reported: pixel figures are None where no defective image has a mask."""
        none = () if self.masked["used"] or not self.masked["missing"] else resampling.PIXEL_FIGURES
        return {name: None if name in none else value for name, value in figures.items()}


def read_images(
    rows: Sequence[Labelled],
    backbone: Backbone,
    settings: Settings,
    progress: Progress,
    region: Region | None = None,
    cache: FeatureCache | None = None,
) -> TestImages:
    """Read all images and their masks, and compute the patches or find them in `cache`.

    Raises BadInput for unreadable files.
    """
    size, labels = settings.size, np.array([r.label == "defect" for r in rows])
    training, known = [], np.ones(len(rows), bool)
    masks = Masks(size, labels & [r.mask is not None for r in rows])
    for i, row in enumerate(rows):
        mask = _truth(row)
        known[i] = row.label != "defect" or mask is not None
        place = None if mask is None else row.mask
        training.append(TrainingImage(row.id, row.path, row.group, place, row.defect_type))
        if mask is not None:
            inside = mask if region is None else mask & region.at(mask.shape)
            masks.write(i, images.resize_mask(inside, size))
    counted = None
    needs_shapes = region is not None or size.keep_aspect  # which pixels count depends on the image's shape
    if needs_shapes or not known.all():
        shapes = [images.probe(r.path)[::-1] for r in rows] if needs_shapes else []
        counted = Counted(size, shapes, known, region)
    patches = patch_set(backbone, training, size, progress, settings.read, region, cache)
    return TestImages(patches, masks, labels, known, counted)


def judgeable(rows: Sequence[Labelled], read: TestImages) -> tuple[Sequence[Labelled], TestImages, list[str]]:
    """Leave out the images with features that are not finite, as no method can judge them.

    Returns the other rows and images, and at most one sentence on those left out.
    """
    unknown = set(read.patches.not_finite())
    if not unknown:
        return rows, read, []
    kept = [i for i in range(len(rows)) if i not in unknown]
    words = "image cannot be judged and is left out", "images cannot be judged and are left out"
    named = listed([rows[i].id for i in sorted(unknown)])
    said = f"{count(len(unknown), *words)} because of features that are not finite: {named}."
    return [rows[i] for i in kept], read.take(kept), [said]


def _truth(row: Labelled) -> np.ndarray | None:
    """The mask of a defect, bool (H, W); None for a normal image, and where the mask is missing or empty."""
    if row.label != "defect" or row.mask is None:
        return None
    mask = images.read_mask(row.mask, images.probe(row.path)[::-1])
    return mask if mask.any() else None


def without_outside(rows: Sequence[Labelled], region: Region | None) -> tuple[Sequence[Labelled], list[str]]:
    """Leave out the images whose defect lies wholly outside the region of interest, as they fit neither class.

    Returns the other images, and at most one sentence on those left out.
    """
    if region is None:
        return rows, []
    outside = []
    for row in rows:
        mask = _truth(row)
        if mask is not None and not (mask & region.at(mask.shape)).any():
            outside.append(row.id)
    if not outside:
        return rows, []
    words = ("image is left out: its defect lies", "images are left out: their defects lie")
    sentence = f"{count(len(outside), *words)} outside the region of interest ({listed(outside)})."
    return [row for row in rows if row.id not in set(outside)], [sentence]
