"""Which images of the banks cause what was marked: good ones that hide a defect, defects that mark good surface.

A patch of a missed defect looks normal as some row of the negative bank lies near to it; one of a false alarm looks
defective as some row of the positive bank does. Knows marks and banks. Does not know pages, and drops nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from exdd_core.banks.detectors import judging_detector
from exdd_core.banks.teachers import pixels_of
from exdd_core.curation.gate import mask_of, there
from exdd_core.detector import scoring
from exdd_core.detector.change import marks
from exdd_core.images import read_mask
from exdd_core.sentences import count, percent
from exdd_core.workspace.decisions import in_force

if TYPE_CHECKING:
    from exdd_core.detector.bank import Bank
    from exdd_core.workspace import Workspace

SEARCHED = 32  # nearest rows among which the next image is looked for
SIDES: dict[str, Literal["negative", "positive"]] = {"missed": "negative", "false_alarm": "positive"}


@dataclass
class Blamed:
    """An image of a bank that marked patches are nearest to.

    side: "negative" for misses, "positive" for false alarms. patches: how many. alone: the sum of the shares, 0 to 1,
    by which each of them is nearer to it than to any other image of that bank. marked: ids of the marked images.
    """

    image: str
    side: Literal["negative", "positive"]
    defect_type: str
    patches: int = 0
    alone: float = 0.0
    marked: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        by = f"{self.image}: the nearest image to {count(self.patches, 'patch', 'patches')} of"
        more = f"{percent(self.alone / self.patches)} nearer than any other"
        if self.side == "negative":
            return (
                f"{by} {count(len(self.marked), 'missed defect')}, {more} good image; does it contain an "
                "unmarked defect?"
            )
        return f"{by} {count(len(self.marked), 'false alarm')}, {more} defect; does its mask include normal surface?"


@dataclass(frozen=True)
class Blame:
    """The bank images that a version's marks lead to. tried: how many marked images were traced. lost: ids of those
    whose file or mask is gone."""

    version: str
    tried: int
    images: list[Blamed]
    lost: list[str]

    @property
    def sentence(self) -> str:
        left = f" {count(len(self.lost), 'marked image')} could not be read." if self.lost else ""
        if not self.tried:
            return f"There is no marked image to trace back to {self.version}.{left}"
        which = count(len(self.images), "image is", "images are")
        marked = count(self.tried, "marked image shows", "marked images show")
        return f"{which} the nearest in {self.version} to what {marked}.{left}"


def blame(workspace: Workspace, id: str | None = None) -> Blame:
    """The images of a version's banks (None: the active one) that marked patches are nearest to: suspicious good images
    first, and of either side first those that no other image stands for. Raises BadInput for an unknown version."""
    version, found, lost = workspace.bank(id), dict[tuple[str, str], Blamed](), []
    made = in_force(workspace, *SIDES, dataset=version.dataset)
    detector = judging_detector(workspace, version.id) if made else None
    for one in made:
        if detector is None or not there(workspace, one):
            lost.append(one.subject)
            continue
        side = SIDES[one.action]
        bank = detector.negative if side == "negative" else detector.positive
        if bank is None:
            continue
        pixels = pixels_of(workspace, one.subject, workspace.path / one.detail["path"], detector)
        on = marks(detector.fitted, read_mask(mask_of(workspace, one), pixels.shape[:2]))
        for image, alone in _nearest(bank, scoring.features(detector.fitted, pixels)[on]):
            its = bank.images[image]
            seen = found.setdefault((side, its.id), Blamed(its.id, side, its.defect_type))
            seen.patches += 1
            seen.alone += alone
            if one.subject not in seen.marked:
                seen.marked.append(one.subject)
    ranked = sorted(found.values(), key=lambda seen: (seen.side, -seen.alone, seen.image))
    return Blame(version.name, len(made) - len(lost), ranked, lost)


def _nearest(bank: Bank, queries: np.ndarray) -> Iterable[tuple[int, float]]:
    """For each query, float32 (q, d): the number of the image with the nearest row, and how much nearer it is than the
    next image, as a share of the distance to that one."""
    if not len(queries) or not len(bank):
        return
    distances, rows = bank.search(queries, min(SEARCHED, len(bank)))
    owners = bank.image[rows]
    for near, own in zip(distances, owners, strict=True):
        other = np.flatnonzero(own != own[0])
        next_ = float(near[other[0]]) if len(other) else float(near[-1])
        yield int(own[0]), 1 - float(near[0]) / next_ if next_ > 0 else 0.0
