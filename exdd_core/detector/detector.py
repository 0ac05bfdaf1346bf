"""The detector as one object: a value `Fitted`, and the functions of this room as methods.

A detector with no positive bank is PatchCore; with one it is ExDD. Knows how the functions belong together,
and does not compute anything itself. Does not know the database, where images are stored or who asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from exdd_core.detector import change, fit, fit_models, models_state, scoring, storage, summary, thresholds
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.bank import Bank
from exdd_core.detector.examples import Marked, PatchSet, TrainingImage
from exdd_core.detector.feature_cache import FeatureCache
from exdd_core.detector.fitted import Fitted, unfitted
from exdd_core.detector.fusion import Fusion
from exdd_core.detector.held_out import Features
from exdd_core.detector.inspection import Inspection
from exdd_core.detector.models_state import ModelsState
from exdd_core.detector.patches import Source
from exdd_core.detector.records import Change
from exdd_core.detector.settings import Settings
from exdd_core.detector.summary import Summary
from exdd_core.detector.thresholds import Calibration
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.region import Region, counted


class Detector:
    """A negative bank, possibly a positive one, and the fusions fitted to them.

    roi: bool (H, W), the region of interest of all images; patches outside it are ignored in training and
    scoring. None for whole images. Patches in the border of a letterbox are always ignored. Raises BadInput where the
    settings name another backbone.

    >>> from exdd_core.detector import backbones
    >>> from exdd_core.geometry import Size
    >>> grey = [np.full((64, 64, 3), 100 + part, np.uint8) for part in range(6)]
    >>> normals = [TrainingImage(f"{part}.png", image, str(part)) for part, image in enumerate(grey)]
    >>> detector = Detector(backbones.load(), Settings(size=Size(64, 64))).fit(normals)
    >>> spotted = grey[0].copy()
    >>> spotted[20:30, 20:30] = 255
    >>> [found.verdict for found in detector.score([grey[2], spotted])]
    ['normal', 'defect']
    """

    def __init__(
        self, backbone: Backbone, settings: Settings | None = None, roi: np.ndarray | Region | None = None
    ):
        settings = settings or Settings(backbone=backbone.name)
        region = roi if isinstance(roi, Region) else counted(roi, settings.size)
        self.fitted = unfitted(backbone, settings, region)

    @classmethod
    def of(cls, fitted: Fitted) -> Detector:
        """A detector of a value."""
        detector = cls.__new__(cls)
        detector.fitted = fitted
        return detector

    # Fitting: see the functions of `fit`. The detector is changed and returned.

    def fit(
        self,
        normals: Sequence[TrainingImage],
        defects: Sequence[TrainingImage] = (),
        progress: Progress | None = None,
        cache: FeatureCache | None = None,
        coreset_state: Path | None = None,
        negative: Bank | None = None,
    ) -> Detector:
        """Build both banks and fit every fusion that they allow, as `fit.fit` does."""
        self.fitted = fit.fit(self.fitted, normals, defects, progress, cache, coreset_state, negative)
        return self

    def fit_patches(
        self,
        normals: PatchSet,
        defects: PatchSet,
        progress: Progress | None = None,
        fusions: Sequence[str] | None = None,
    ) -> Detector:
        """Fit computed features, as `fit.fit_patches` does."""
        self.fitted = fit.fit_patches(self.fitted, normals, defects, progress, fusions)
        return self

    def fit_defects(
        self,
        defects: Iterable[Marked],
        progress: Progress | None = None,
        fusions: Sequence[str] | None = None,
    ) -> Detector:
        """Build the positive bank anew, as `fit.fit_defects` does."""
        self.fitted = fit.fit_defects(self.fitted, defects, progress, fusions)
        return self

    # Scoring: see the functions of `scoring`.

    def score(self, sources: Sequence[Source]) -> list[Inspection]:
        """Inspect images: paths, or uint8 (H, W, 3) RGB arrays of any size, as `scoring.score` does."""
        return scoring.score(self.fitted, sources)

    def compare(self, sources: Sequence[Source]) -> list[tuple[Inspection, Inspection]]:
        """The inspections of every image by PatchCore and by this detector."""
        return scoring.compare(self.fitted, sources)

    def score_patches(
        self, features: np.ndarray, fusions: Sequence[str] = (), inside: np.ndarray | None = None
    ) -> list[tuple[float, np.ndarray, np.ndarray]]:
        """Score one image's features, (h, w, d), by each fusion named, or by its own; see `scoring.patch_scores`."""
        for name in fusions:
            self.fitted = fit_models.with_fitted(self.fitted, name)
        chosen = [self.fusions[name][0] for name in fusions] or [self.fusion]
        return scoring.patch_scores(self.fitted, features, chosen, inside)

    def with_fusion(self, name: str) -> Detector:
        """A detector with the same banks that scores by another fusion, as `fit_models.scored_by` gives it."""
        self.fitted = fit_models.with_fitted(self.fitted, name)  # kept, as fitting takes a while
        return Detector.of(fit_models.scored_by(self.fitted, name))

    def with_threshold(self, to: float) -> Detector:
        """The same detector with the thresholds of its fusion at `to`, as `Calibration.moved` takes it."""
        models = self.fitted.models
        chosen, calibration = models.fusions[models.fusion.name]
        fusions = {**models.fusions, chosen.name: (chosen, calibration.moved(to))}
        return Detector.of(replace(self.fitted, models=replace(models, fusions=fusions)))

    def at_rate(self, rate: float) -> float:
        """Where the threshold lies, for `with_threshold`, that at most the share `rate` of normal images exceed, as
        `thresholds.conformal_threshold` sets it. Raises BadInput for a rate outside 0 to 1 and an old version."""
        if not 0 < rate < 1:
            raise BadInput(f"The false-alarm rate is {rate:g}; it must be a number between 0 and 1.")
        scores = fit_models.usual_scores(self.fitted)
        limit, _ = thresholds.conformal_threshold(scores, self.fitted.held.parts, rate)
        return self.fusions[self.fusion.name][1].calibrated(limit)

    def patchcore(self) -> Detector:
        """The same negative bank without the positive one."""
        return Detector.of(fit_models.patchcore(self.fitted))

    # Changing: see the functions of `change`. The detector stays as it is.

    def additions(self, several: Sequence[Marked], side: str = "positive") -> list[Change]:
        """The changes that add these images' patches to a bank, "positive" or "negative"."""
        return change.additions(self.fitted, several, side)

    def removals(self, image_id: str, side: str = "positive") -> list[Change]:
        """The change that removes an image from a bank."""
        return change.removals(self.fitted, image_id, side)

    def changed(
        self,
        changes: Sequence[Change],
        state: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> Detector:
        """A detector with these changes made, as `change.changed` makes them."""
        return Detector.of(change.changed(self.fitted, changes, state, progress))

    def fitted_state(self) -> ModelsState:
        """The models as JSON."""
        return models_state.state(self.fitted.models)

    def recall(self, features: Features) -> None:
        """Provide the held-out images' features, float16 or float32 (n, d) each, which `save` leaves out."""
        self.fitted = replace(self.fitted, held_out=replace(self.fitted.held, features=features))

    # Telling: see the functions of `summary`.

    def summary(self) -> Summary:
        """Counts and names, as JSON."""
        return summary.summary(self.fitted)

    # Storing: see the functions of `storage`.

    def save(self, folder: Path) -> None:
        """Write the detector into an existing, empty folder."""
        storage.save(self.fitted, folder)

    @classmethod
    def load(cls, folder: Path, backbone: Backbone | None = None) -> Detector:
        """Read a folder that `save` wrote. Raises BadInput where it is damaged or of another backbone."""
        return cls.of(storage.load(folder, backbone))

    # What most callers read of the value

    @property
    def backbone(self) -> Backbone:
        return self.fitted.setup.backbone

    @property
    def settings(self) -> Settings:
        return self.fitted.setup.settings

    @property
    def region(self) -> Region | None:
        return self.fitted.setup.region

    @property
    def grid(self) -> tuple[int, int]:
        return self.fitted.setup.grid

    @property
    def negative(self) -> Bank:
        return self.fitted.banks.negative

    @property
    def positive(self) -> Bank | None:
        return self.fitted.banks.positive

    @property
    def fusion(self) -> Fusion:
        return self.fitted.models.fusion

    @property
    def fusions(self) -> Mapping[str, tuple[Fusion, Calibration]]:
        return self.fitted.models.fusions
