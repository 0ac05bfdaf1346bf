"""Marks on real images: a missed defect, a false alarm, an image dropped from a bank.

Knows images, masks and the active version. Does not know the queue of candidates, or pages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict

import numpy as np

from exdd_core import files, images
from exdd_core.banks.detectors import judging_detector
from exdd_core.banks.following import changing_banks
from exdd_core.banks.teachers import marked, marked_patches, pixels_of
from exdd_core.banks.update import BankUpdate
from exdd_core.curation.changing import Decided, Gained
from exdd_core.curation.deciding import undo
from exdd_core.datasets import incoming
from exdd_core.detector import Change
from exdd_core.detector.bank import BankImage
from exdd_core.errors import BadInput
from exdd_core.pixels import MAX_BYTES
from exdd_core.sentences import count
from exdd_core.synthesis import masks
from exdd_core.workspace import candidates
from exdd_core.workspace.decisions import in_force, write
from exdd_core.workspace.drawn_masks import keep_mask
from exdd_core.workspace.names import checked

if TYPE_CHECKING:
    from exdd_core.detector.inspection import Inspection
    from exdd_core.workspace import Workspace

MARKED = "taught"  # folder of marked images that are in no data set


def mark_missed(
    workspace: Workspace, image: str, path: Path, mask: np.ndarray, who: str, defect_type: str = ""
) -> Decided:
    """Mark a missed defect: its patches are added to the positive bank, and evaluation leaves its part out.

    image: an id of the workspace, or of an image elsewhere whose file is `path` (kept as a copy). mask: bool (H, W).
    Patches outside the mask enter the fit of probabilities (`examples.Unmarked`) with the next build, which takes the
    image like any training image with a mask. Raises BadInput for a training image, an empty mask, or an image that
    was marked already.
    """
    require_marked(mask)
    _require_untrained(workspace, image)
    check_missed(mask, images.probe(path)[::-1])
    origin = _origin(workspace, image, path)
    known = BankImage(image, origin["group"], checked(defect_type))
    return _mark(workspace, "missed", known, mask, who, origin)


def mark_false_alarm(
    workspace: Workspace, image: str, path: Path, who: str, mask: np.ndarray | None = None
) -> Decided:
    """Mark a false alarm: its patches are added to the negative bank, and evaluation leaves its part out.

    mask: bool (H, W), or None for the pixels that raised the alarm. Raises BadInput as `mark_missed` does, and for a
    defective image without a mask.
    """
    origin = _origin(workspace, image, path)
    if mask is None:
        if origin["label"] == "defect":
            raise BadInput("This image has a defect; mark the place that was a false alarm.")
        detector = judging_detector(workspace, workspace.bank().id)
        mask = alarming(detector.score([pixels_of(workspace, image, path, detector)])[0])
    if not mask.any():
        raise BadInput("The mask is empty; draw over the false alarm.")
    return _mark(workspace, "false_alarm", BankImage(image, origin["group"]), mask, who, origin)


def require_marked(mask: np.ndarray) -> None:
    """Raise `BadInput` for an empty mask of a missed defect."""
    if not mask.any():
        raise BadInput("The mask is empty; draw over the defect that was missed.")


def check_missed(mask: np.ndarray, shape: tuple[int, int]) -> None:
    """Raise `BadInput` where a mask, bool (H, W), cannot be that of a defect of an image of `shape` (H, W).

    That is one that is empty, of another size, marks most of the image, or is inverted.
    """
    require_marked(mask)
    if mask.shape != shape:
        raise BadInput("The mask is not the size of the image; draw it on the image itself.")
    incoming.require_defect(mask, masks.TOO_LARGE)


def alarming(seen: Inspection) -> np.ndarray:
    """The pixels that raised an alarm, bool (H, W): those above the map's threshold, or else the highest patch."""
    above = seen.map > seen.calibration.map_threshold
    if not above.any():
        y, x = seen.peak
        x0, y0, x1, y1 = seen.at(y, x).box
        above[y0:y1, x0:x1] = True
    return seen.within(above)


class Origin(TypedDict):
    """Where a marked image comes from: data set, physical part, label ("" for none), its file within the workspace.

    state: of the data set, for an image of one.
    """

    dataset: str
    group: str
    label: str
    path: str
    state: NotRequired[int]


def _mark(
    workspace: Workspace, action: str, image: BankImage, mask: np.ndarray, who: str, origin: Origin
) -> Decided:
    side = "negative" if action == "false_alarm" else "positive"
    name = keep_mask(workspace, mask)
    with changing_banks(workspace):
        if any(d.subject == image.id for d in in_force(workspace, action)):
            raise BadInput("This image already has such a mark; undo it first, then mark everything at once.")
        target = BankUpdate.active(workspace, origin["dataset"])
        changes: list[Change] = []
        if target is not None:
            if target.holds(image.id, side):
                raise BadInput(f"This image is already in the {side} bank.")
            pixels = pixels_of(workspace, image.id, workspace.path / origin["path"], target.detector)
            changes = target.add([marked_patches(pixels, mask, image, target.detector)], side)
        with workspace.writing() as db:
            kept = {k: v for k, v in origin.items() if k != "label"}
            number = write(db, image.id, action, who, (), mask=name, defect_type=image.defect_type, **kept)
            if target is not None:
                target.enter(changes, number)
            last = target.write(db) if target else 0
        if target is not None:
            target.publish(last)
    bank, rows = (target.version.name if target else ""), sum(int(change.kept.sum()) for change in changes)
    said = "Saved the missed defect" if action == "missed" else "Saved the false alarm"
    where = f"; {count(rows, 'row')} added to the {side} bank of {bank}" if target else ""
    return Decided([image.id], {}, bank, rows, f"{said}{where}. Evaluation leaves this part out.")


def _require_untrained(workspace: Workspace, image: str) -> None:
    if not image.startswith("file:") and workspace.image(image).split == "train":
        raise BadInput(
            f"{image} is a training image, so its label comes from its data set; correct it there and import "
            "the data set again. Only images that the banks have not learned from can be marked here."
        )


def _origin(workspace: Workspace, image: str, path: Path) -> Origin:
    """Where an image comes from: data set, physical part, label, and its file within the workspace."""
    _require_untrained(workspace, image)
    if not image.startswith("file:"):
        row = workspace.image(image)
        place = str(row.path.relative_to(workspace.path))
        state = workspace.dataset(row.dataset).state
        return {
            "dataset": row.dataset,
            "group": row.group,
            "label": row.label,
            "path": place,
            "state": state,
        }
    content = files.read_regular(path, path.name, MAX_BYTES)
    name = f"{hashlib.sha256(content).hexdigest()[:20]}{path.suffix.lower()}"
    kept = workspace.path / MARKED / name
    kept.parent.mkdir(exist_ok=True)
    if not kept.exists():
        with files.whole(kept) as unfinished:
            unfinished.write_bytes(content)
    dataset = workspace.bank().dataset
    return {"dataset": dataset, "group": f"file:{name}", "label": "", "path": f"{MARKED}/{name}"}


def drop(workspace: Workspace, image: str, side: str, who: str) -> Decided:
    """Remove an image's rows from a bank of the active version, and leave the image out of versions built later.

    An accepted candidate becomes pending again. Raises BadInput where the bank has no rows of it.
    """
    bank = workspace.bank()
    for found in in_force(workspace, "accept", "missed", "false_alarm"):
        if found.subject == image and (found.action == "false_alarm") == (side == "negative"):
            return undo(workspace, found.id, who)
    with changing_banks(workspace):
        target = BankUpdate.active(workspace, bank.dataset)
        assert target is not None
        changes = target.remove(image, side)
        with workspace.writing() as db:
            target.enter(changes, write(db, image, "drop", who, side=side, dataset=bank.dataset))
            last = target.write(db)
        target.publish(last)
    return Gained.made(target.version.name, changes).told("Dropped", [image], {})


def align(workspace: Workspace, missing: Sequence[str], surplus: Sequence[str], who: str) -> Decided:
    """Add the accepted candidates that the active version lacks, and remove those that are accepted no longer.

    No candidate's status changes.
    """
    with changing_banks(workspace):
        version = workspace.bank()
        target = BankUpdate.active(workspace, version.dataset)
        assert target is not None
        status = {id: candidates.get(workspace, id).status for id in (*missing, *surplus)}
        there = [id for id in surplus if status[id] != "accepted" and target.holds(id, "positive")]
        wanted = [candidates.get(workspace, id) for id in missing if status[id] == "accepted"]
        fresh = [c for c in wanted if not target.holds(c.id, "positive")]
        added = [marked(workspace, c, target.detector) for c in fresh]
        changes = target.exchange([(id, "positive") for id in there], [], {"positive": added})
        with workspace.writing() as db:
            number = write(db, version.id, "align", who, dataset=version.dataset)
            target.enter(changes, number)
            last = target.write(db)
        target.publish(last)
    ids = [*there, *(c.id for c in wanted)]
    return Gained.made(target.version.name, changes).told("Updated the bank for", ids, {})
