"""Makes the active version follow all decisions; drops an image from a bank and puts it back.

Knows versions and decisions. Does not know pages.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exdd_core import images
from exdd_core.banks.compare import SIDES
from exdd_core.banks.drift import lacking
from exdd_core.curation import changing, deciding, marking
from exdd_core.errors import BadInput
from exdd_core.sentences import count
from exdd_core.workspace import decisions, drawn_masks

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace


def catch_up(workspace: Workspace, who: str) -> changing.Decided:
    """Make the active version hold what is accepted now, as after rolling back to an older version."""
    lacks, surplus = lacking(workspace)
    if not lacks and not surplus:
        raise BadInput("The active version already follows all decisions.")
    return marking.align(workspace, lacks, surplus, who)


def drop(workspace: Workspace, image: str, side: str, who: str) -> changing.Decided:
    """Drop an image from a bank ("positive" or "negative") of the active version; `put_back` takes that back."""
    if side not in SIDES:
        raise BadInput(f'There is no {side} bank; choose "positive" or "negative".')
    decided = marking.drop(workspace, image, side, who)
    painted = side == "positive" and not image.startswith("file:") and "/" not in image
    again = " The candidate is pending again." if painted else ""
    said = (
        f"Dropped it: {count(abs(decided.rows), 'row was', 'rows were')} removed from {decided.bank}.{again}"
    )
    return replace(decided, sentence=said)


def put_back(workspace: Workspace, image: str, who: str) -> changing.Decided:
    """Take the last `drop` of an image back. Where it was an undo of a decision, that decision is made again."""
    decided = _put_back(workspace, image, who)
    added = count(decided.rows, "row was", "rows were")
    return replace(decided, sentence=f"Put it back: {added} added to {decided.bank}.")


def _put_back(workspace: Workspace, image: str, who: str) -> changing.Decided:
    past = decisions.history(workspace, image)
    last = past[0] if past else None
    if last is not None and last.action == "drop":
        return deciding.undo(workspace, last.id, who)
    before = next((d for d in past if last is not None and d.id == last.detail.get("of")), None)
    if last is None or last.action != "undo" or before is None:
        raise BadInput("This image was not dropped, or someone has decided on it since.")
    if before.action == "accept":
        return deciding.accept(workspace, [image], who, alone=bool(before.detail.get("alone")))
    if before.action not in ("missed", "false_alarm"):
        raise BadInput("This image was not dropped, or someone has decided on it since.")
    path = workspace.path / before.detail["path"]
    mask = images.read_mask(workspace.path / drawn_masks.MASKS / before.detail["mask"], None, "the mask")
    if before.action == "missed":
        return marking.mark_missed(workspace, image, path, mask, who, before.detail["defect_type"])
    return marking.mark_false_alarm(workspace, image, path, who, mask)
