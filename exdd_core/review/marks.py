"""Marks that people make on images: missed defects, false alarms, and the masks proposed for them.

Knows decisions and what both methods say of an image. Does not know how a bank changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from exdd_core import curation
from exdd_core.banks.detectors import load_detector
from exdd_core.detector.fitted import FIXED
from exdd_core.errors import BadInput
from exdd_core.images import read_mask
from exdd_core.review.lists import find_image
from exdd_core.review.states import bank_state
from exdd_core.workspace import decisions, drawn_masks

if TYPE_CHECKING:
    from exdd_core.curation import Decided
    from exdd_core.detector import Inspection
    from exdd_core.workspace import Workspace


@dataclass(frozen=True)
class Mark:
    """A decision on an image that changed the banks.

    decision: its number. action: "missed" or "false_alarm". created: ISO 8601, UTC. mask: bool (H, W).
    """

    decision: int
    action: str
    who: str
    created: str
    defect_type: str
    mask: np.ndarray


def marks(workspace: Workspace, id: str) -> list[Mark]:
    """The marks of an image that are in force, the oldest first."""
    return [
        Mark(
            made.id,
            made.action,
            made.who,
            made.created,
            made.detail["defect_type"],
            read_mask(workspace.path / drawn_masks.MASKS / made.detail["mask"], None, "the mask"),
        )
        for made in _in_force(workspace)
        if made.subject == id
    ]


def marked(workspace: Workspace) -> set[str]:
    """The ids of the images that have a mark in force."""
    return {made.subject for made in _in_force(workspace)}


def _in_force(workspace: Workspace) -> list[decisions.Decision]:
    return decisions.in_force(workspace, "missed", "false_alarm")


def why_not(workspace: Workspace, id: str, bank: str | None = None) -> str:
    """One sentence on why an image cannot be marked with this bank version; "" where it can."""
    state = bank_state(workspace, bank)
    if state is None:
        return "There is no bank version that can learn from this image; build one in Banks."
    version = state.version
    judging = workspace.active_bank(version.dataset)
    if judging is None or judging.id != version.id:
        return f"Bank {version.name} is not the active one; activate it in Banks to mark this image."
    if not id.startswith("file:"):
        row = workspace.image(id)
        if row.split == "train":
            return (
                "This is a training image, so its label comes from its data set. Correct it there and "
                "import the data set again; other images can be marked here."
            )
        if row.dataset != version.dataset:
            return (
                f'Bank {version.name} was built from "{version.dataset}"; activate a bank version of '
                f'"{row.dataset}" in Banks to mark this image.'
            )
    if not load_detector(workspace, version.id).fitted.can_change:
        return f"Bank {version.name} is {FIXED}; build a new one in Banks."
    return ""


def mark_missed(workspace: Workspace, id: str, mask: np.ndarray, who: str, defect_type: str = "") -> Decided:
    """Mark a missed defect, see `curation.mark_missed`. mask: bool (H, W). Raises BadInput."""
    _check(workspace, id, who)
    return curation.mark_missed(workspace, id, find_image(workspace, id).path, mask, who.strip(), defect_type)


def mark_false_alarm(workspace: Workspace, id: str, mask: np.ndarray | None, who: str) -> Decided:
    """Mark a false alarm, see `curation.mark_false_alarm`.

    mask: bool (H, W); None: the region above the threshold. Raises BadInput.
    """
    _check(workspace, id, who)
    return curation.mark_false_alarm(workspace, id, find_image(workspace, id).path, who.strip(), mask)


def _check(workspace: Workspace, id: str, who: str) -> None:
    if not who.strip():
        raise BadInput("Enter your name; it is stored with the mark.")
    if sentence := why_not(workspace, id):
        raise BadInput(sentence)


def alarm_region(exdd: Inspection, label: str) -> tuple[np.ndarray, str]:
    """The proposed mask of a false alarm, bool (H, W), and that in words.

    The mask is empty for an image with a defect, where a person has to draw it.
    """
    if label == "defect":
        words = "This image has a defect: draw over the place that was a false alarm."
        return np.zeros(exdd.shape, bool), words
    return shown_region(exdd)


def shown_region(exdd: Inspection) -> tuple[np.ndarray, str]:
    """What the heatmap shows as a proposed mask, bool (H, W), and that in words."""
    region = curation.alarming(exdd)
    if (exdd.map[region] > exdd.calibration.map_threshold).any():
        return region, "The area above the threshold"
    return region, "Nothing is above the threshold; the most suspicious patch"
