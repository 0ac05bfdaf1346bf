"""What the active bank version says of a painting before anybody decides on it: found or not, new or not.

Knows candidates, the judge and detectors. Does not know pages, or how a map is coloured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from exdd_core.banks.detectors import judging_detector
from exdd_core.detector import reduced_map
from exdd_core.errors import BadInput
from exdd_core.images import read_image
from exdd_core.workspace import candidates

if TYPE_CHECKING:
    from exdd_core.curation.judge import Judge
    from exdd_core.curation.measures import Measure


@dataclass(frozen=True)
class Seen:
    """The judgement of a bank version on a painting.

    version: name of the bank version. score: calibrated, 0 at the median of normal images and 1 at the threshold.
    verdict: "defect", "not sure", "normal" or "cannot judge". map: calibrated, float32 (h, w) in the image's
    proportions. visible, new: measures of the painted patches.
    """

    version: str
    score: float
    verdict: str
    map: np.ndarray
    visible: Measure
    new: Measure

    @property
    def found(self) -> bool:
        return self.verdict == "defect"


def seen(judge: Judge, id: str, longest: int) -> Seen:
    """Score a draft, a pending or a rejected candidate with the active version, and measure it.

    longest: pixels of the map's longer side. Raises BadInput for an accepted one, whose patches the bank holds, and
    where the active version is of another data set.
    """
    workspace, made = judge.workspace, candidates.get(judge.workspace, id)
    if made.status == "accepted":
        raise BadInput(
            "The bank already holds the patches of an accepted candidate, so its score means nothing."
        )
    measured = judge.quality(id, effect=False)
    version = workspace.bank()
    inspection = judging_detector(workspace, version.id).score([read_image(made.image)])[0]
    return Seen(
        version=version.name,
        score=inspection.calibrated_score,
        verdict=inspection.verdict,
        map=reduced_map.small_map(inspection, longest),
        visible=measured.visible,
        new=measured.new,
    )
