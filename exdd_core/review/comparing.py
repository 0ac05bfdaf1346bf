"""What both methods say of an image, computed with a bank version, stored as a row and remembered.

Knows bank states, detectors and results. Does not know marks or exports.

Results are stored for each bank version in cache/results/. A version whose banks change and change back finds
its former results again, because a row belongs to one state of the banks (`BankState`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from exdd_core.banks.detectors import judging_detector
from exdd_core.banks.training_images import TrainingImages, reason
from exdd_core.errors import BadInput
from exdd_core.images import read_mask
from exdd_core.progress import Progress
from exdd_core.review.lists import ShownImage, find_image
from exdd_core.review.results import Results, StoredRow
from exdd_core.review.states import BankState, KeptResults, followed_state, read, require_state
from exdd_core.review.table import result_row

if TYPE_CHECKING:
    from exdd_core.detector import Detector, Inspection
    from exdd_core.picture import Picture
    from exdd_core.workspace import BankVersion, Workspace

MEMORY = 384 * 2**20  # bytes of compared images that are remembered
BATCH = 4  # images that are scored before the job is asked whether it was cancelled


@dataclass(frozen=True)
class ComparedImage:
    """An image and what both methods say of it.

    pixels: uint8 (H, W, 3). truth: bool (H, W), None where there is no mask. in_bank: why the scores mean
    nothing, as `TrainingImages.sentence`; "" where they mean something.
    """

    image: ShownImage
    bank_state: BankState
    pixels: np.ndarray
    truth: np.ndarray | None
    patchcore: Inspection
    exdd: Inspection
    in_bank: str = ""

    @property
    def bank(self) -> BankVersion:
        return self.bank_state.version

    def reason(self, inspection: Inspection) -> str:
        """One sentence on why one of the methods gives its verdict."""
        return reason(inspection.verdict, self.in_bank, inspection.reason)

    @property
    def bytes(self) -> int:
        """The memory that all arrays take."""
        values = [self.pixels, self.truth, *vars(self.patchcore).values(), *vars(self.exdd).values()]
        return sum(value.nbytes for value in values if isinstance(value, np.ndarray))

    def row(self) -> StoredRow:
        """The row of the table of results."""
        image, methods = self.image, (self.patchcore, self.exdd)
        row = result_row(image.name, image.label, image.defect_type, *methods, self.bank.name, self.in_bank)
        return {"id": image.id, **row}


class Comparing:
    """Compares images of one workspace; remembers those compared last. Safe to call from any thread."""

    def __init__(self, workspace: Workspace):
        self._workspace = workspace
        self._results = KeptResults(workspace)
        self._remembered: OrderedDict[tuple[str, str], ComparedImage] = OrderedDict()
        self._training: tuple[str, TrainingImages] | None = None  # of one bank state
        self._lock = threading.Lock()

    def results(self, bank: BankVersion) -> Results:
        """The stored results of a bank version."""
        return self._results.of(bank)

    def compare(self, id: str, bank: str | None = None) -> ComparedImage:
        """Both methods on one image with a bank version (None: the active one). Raises BadInput."""
        key, image = (followed_state(self._workspace, bank).stamp, id), find_image(self._workspace, id)
        with self._lock:
            known = self._remembered.get(key)
            if known is not None and known.image == image:  # its label, mask and depth may have changed
                self._remembered.move_to_end(key)
                return known
        compared = self._compare(bank, [image], [read(self._workspace, image, bank)])[0]
        with self._lock:
            self._remembered[compared.bank_state.stamp, id] = compared
            while len(self._remembered) > 1 and sum(c.bytes for c in self._remembered.values()) > MEMORY:
                self._remembered.popitem(last=False)
        return compared

    def by_fusion(self, id: str, bank: str | None, fusion: str) -> ComparedImage:
        """Both methods on one image, with ExDD by any fusion of a bank version; that of the version is `compare`'s.

        Another one is neither stored nor remembered, since it judges nothing. Raises BadInput.
        """
        state, detector = self._detector(bank)
        if fusion == detector.fusion.name:
            return self.compare(id, bank)
        image = find_image(self._workspace, id)
        picture = read(self._workspace, image, state.version.id)
        return self._inspected(state, detector.with_fusion(fusion), [image], [picture])[0]

    def score(
        self, images: Sequence[ShownImage], progress: Progress | None = None, bank: str | None = None
    ) -> list[str]:
        """Score the images that a bank version (None: the active one) has not scored in its present state.

        Returns one sentence for each image that cannot be read. Results are stored batch by batch, so
        cancelling loses none.
        """
        progress, state = progress or Progress(), followed_state(self._workspace, bank)
        known = self.results(state.version).rows(state.state)
        left = [image for image in images if image.id not in known]
        progress.begin("Scoring images", len(left))
        refused = []
        for start in range(0, len(left), BATCH):
            batch = left[start : start + BATCH]
            readable, pictures = [], []
            for image in batch:
                try:
                    pictures.append(read(self._workspace, image, state.version.id))
                    readable.append(image)
                except BadInput as error:
                    refused.append(str(error))
            if readable:
                self._compare(state.version.id, readable, pictures)
            progress.advance(len(batch))
        return refused

    def _compare(
        self, bank: str | None, images: Sequence[ShownImage], pictures: Sequence[Picture]
    ) -> list[ComparedImage]:
        state, detector = self._detector(bank)
        compared = self._inspected(state, detector, images, pictures)
        self.results(state.version).add(state.state, [one.row() for one in compared])
        return compared

    def _inspected(
        self, state: BankState, detector: Detector, images: Sequence[ShownImage], pictures: Sequence[Picture]
    ) -> list[ComparedImage]:
        training = self._training_files(state, detector)
        inspected = detector.compare([picture.pixels for picture in pictures])
        return [
            ComparedImage(
                image,
                state,
                picture.pixels,
                truth_of(image, picture.pixels.shape[:2]),
                patchcore,
                exdd,
                training.sentence(image.id, image.path),
            )
            for image, picture, (patchcore, exdd) in zip(images, pictures, inspected, strict=True)
        ]

    def _detector(self, bank: str | None) -> tuple[BankState, Detector]:
        """The detector of a bank version and the state of its banks, which must not change in between."""
        while True:
            state = require_state(self._workspace, bank)
            detector = judging_detector(self._workspace, state.version.id)
            if require_state(self._workspace, bank) == state:
                return state, detector

    def _training_files(self, state: BankState, detector: Detector) -> TrainingImages:
        """The training files of a bank state. The last ones are kept, as listing them takes long."""
        with self._lock:
            if self._training is None or self._training[0] != state.stamp:
                self._training = state.stamp, TrainingImages(self._workspace, state.version, detector)
            return self._training[1]


def truth_of(image: ShownImage, shape: tuple[int, int]) -> np.ndarray | None:
    """The ground-truth mask, bool (H, W); None where there is none, or none that can be read."""
    if image.mask is None:
        return None
    try:
        return read_mask(image.mask, shape)
    except BadInput:
        return None  # the integrity report of the data set says so; the image itself can still be shown


def score_change(before: Inspection, after: Inspection) -> str:
    """How the score and the verdict of an image have changed, in words."""
    scores = " → ".join(f"{seen.calibrated_score:.2f}".replace("-", "−") for seen in (before, after))
    again = "now" if before.verdict != after.verdict else "still"
    return f"Score {scores}, {again} {after.verdict.capitalize()}"
