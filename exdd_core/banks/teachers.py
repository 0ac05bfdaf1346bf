"""The images that decisions add to a build or leave out: accepted candidates, missed defects, false alarms, drops.

Knows decisions, candidates and the features of their patches. Does not know how somebody decides.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from exdd_core import files, images, picture
from exdd_core.detector import Detector, context, scoring
from exdd_core.detector.bank import BankImage
from exdd_core.detector.change import marks
from exdd_core.detector.examples import Marked, TrainingImage
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.region import covered
from exdd_core.workspace import candidates
from exdd_core.workspace.candidates import Candidate
from exdd_core.workspace.decisions import Decision, in_force
from exdd_core.workspace.drawn_masks import MASKS

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

FEATURES = "cache/candidates"


def pixels_of(workspace: Workspace, id: str, path: Path, detector: Detector) -> np.ndarray:
    """The pixels of an image that the banks learn from, uint8 (H, W, 3), read as the bank's own images were."""
    own = None
    with suppress(BadInput):  # of a data set that is gone
        own = None if id.startswith("file:") else workspace.image(id).depth
    kept = detector.settings
    return picture.read(path, None, kept.depth, kept.by_brightest, own).pixels


def accepted(workspace: Workspace, dataset: str, lost: list[str] | None = None) -> list[TrainingImage]:
    """The accepted candidates of a data set, as a build takes them.

    lost: gets the ids of those whose files cannot be read; None raises BadInput for the first of them.
    """
    found, vouched = [], {d.subject for d in in_force(workspace, "accept", dataset=dataset) if _vouches(d)}
    for candidate in reversed(candidates.listed(workspace, dataset, status="accepted")):
        image = bank_image(workspace, candidate, candidate.id in vouched)
        with _or_lost(candidate.id, lost):
            images.probe(candidate.image)
            mask = candidates.mask_of(workspace, candidate)
            found.append(_training(image, candidate.image, mask))
    return found


def missed_defects(workspace: Workspace, dataset: str, lost: list[str] | None = None) -> list[TrainingImage]:
    """What people marked as missed defects, as a build takes it. lost: see `accepted`."""
    found = []
    for d in in_force(workspace, "missed", dataset=dataset):
        with _or_lost(d.subject, lost):
            path = workspace.path / d.detail["path"]
            images.probe(path)
            mask = images.read_mask(workspace.path / MASKS / d.detail["mask"], None, "the mask")
            image = BankImage(d.subject, d.detail["group"], d.detail["defect_type"])
            found.append(_training(image, path, mask))
    return found


@contextmanager
def _or_lost(id: str, lost: list[str] | None) -> Iterator[None]:
    """Note the id of an image that cannot be read, where a list is given."""
    try:
        yield
    except BadInput:
        if lost is None:
            raise
        lost.append(id)


def dropped(workspace: Workspace, dataset: str, side: str) -> set[str]:
    """Ids of training images that were taken out of one bank."""
    return {d.subject for d in in_force(workspace, "drop", dataset=dataset) if d.detail["side"] == side}


def marked_images(workspace: Workspace, dataset: str | None = None) -> dict[str, Decision]:
    """Marks, by image id, on images outside the training split. Evaluation leaves their parts out."""
    return {d.subject: d for d in in_force(workspace, "missed", "false_alarm", dataset=dataset)}


def without_false_alarms(
    workspace: Workspace,
    dataset: str,
    detector: Detector,
    progress: Progress | None = None,
    state: int | None = None,
) -> Detector:
    """A detector that was just built, with the patches of marked false alarms added to its negative bank.

    state: of the data set, None as it is now; marks on images that are retired in it are left out.
    """
    several = []
    known = {row.id for row in workspace.images(dataset, state=state)}
    for found in in_force(workspace, "false_alarm", dataset=dataset):
        if found.subject not in known and not found.subject.startswith("file:"):
            continue
        pixels = pixels_of(workspace, found.subject, workspace.path / found.detail["path"], detector)
        mask = images.read_mask(workspace.path / MASKS / found.detail["mask"], None, "the mask")
        several.append(
            marked_patches(pixels, mask, BankImage(found.subject, found.detail["group"]), detector)
        )
    if not several:
        return detector
    return detector.changed(detector.additions(several, "negative"), progress=progress)


def _training(image: BankImage, path: Path, mask: np.ndarray) -> TrainingImage:
    return TrainingImage(source=path, mask=mask, **asdict(image))


def _vouches(decision: Decision) -> bool:
    """Whether a person accepted this candidate alone; older decisions do not say so, and count as not."""
    return bool(decision.detail.get("alone"))


def bank_image(workspace: Workspace, candidate: Candidate, vouched: bool) -> BankImage:
    """A candidate as an image of a bank: of the part of its source, that of its donor, and those of its adapters."""
    group = workspace.image(candidate.source).group
    donor = workspace.image(candidate.donor).group if candidate.donor else ""
    kind, taught_by = candidate.defect_type, tuple(candidate.taught_by)
    return BankImage(candidate.id, group, kind, "synthetic", donor, candidate.engine, vouched, taught_by)


def marked(workspace: Workspace, candidate: Candidate, detector: Detector) -> Marked:
    """The patches that a candidate's mask marks, with their features; computed once and kept in the cache."""
    size, grid = detector.settings.size, detector.grid
    fitted = "-fitted" if size.keep_aspect else ""
    kind = f"{detector.backbone.fingerprint[:12]}-{size}{fitted}-{detector.fitted.setup.region_name}"
    file = workspace.path / FEATURES / kind / f"{candidate.id}.npz"
    try:
        if files.holds(file) is False:
            raise ValueError("damaged")
        with np.load(file) as kept:
            rows, position, surroundings = kept["rows"], kept["position"], kept["beside"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        pixels = images.read_image(candidate.image)
        share = images.mask_share(images.read_mask(candidate.mask, None, ""), size)
        touched = covered(share, grid) > 0
        features = scoring.features(detector.fitted, pixels)
        rows, position = features[touched], np.argwhere(touched).astype(np.int16)
        surroundings = context.around(features)[touched]
        _keep(file, rows, position, surroundings)
    on = marks(detector.fitted, candidates.mask_of(workspace, candidate))[position[:, 0], position[:, 1]]
    vouched = any(_vouches(d) for d in in_force(workspace, "accept", subject=candidate.id))
    return Marked(bank_image(workspace, candidate, vouched), rows[on], position[on], surroundings[on])


def marked_patches(pixels: np.ndarray, mask: np.ndarray, image: BankImage, detector: Detector) -> Marked:
    """The patches of an image, uint8 (H, W, 3), that a mask, bool (H, W), marks. Raises BadInput for another size."""
    if mask.shape != pixels.shape[:2]:
        raise BadInput("The mask is not the size of the image; draw it on the image itself.")
    return Marked.of(image, scoring.features(detector.fitted, pixels), marks(detector.fitted, mask))


def marked_of_dropped(workspace: Workspace, id: str, side: str, detector: Detector) -> Marked:
    """The patches of a dropped image, to put it back: of a candidate or defect those its mask marks, else all."""
    if "/" not in id:
        return marked(workspace, candidates.get(workspace, id), detector)
    row = workspace.image(id)
    pixels = pixels_of(workspace, id, row.path, detector)
    mask = np.ones(pixels.shape[:2], bool)
    if side == "positive":
        mask = images.read_mask(row.mask, pixels.shape[:2]) if row.mask else mask
    return marked_patches(pixels, mask, BankImage(row.id, row.group, row.defect_type), detector)


def _keep(file: Path, rows: np.ndarray, position: np.ndarray, surroundings: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with files.sealed(file) as place:
        np.savez(place, rows=rows, position=position, beside=surroundings)
