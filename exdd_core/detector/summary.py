"""What a detector says about itself: counts, the images it was built from, and defects that it could not use.

Knows a fitted detector. Does not know scores.
"""

from __future__ import annotations

from typing import TypedDict

from exdd_core.detector.examples import EMPTY, OUTSIDE, SMALL
from exdd_core.detector.fitted import Fitted
from exdd_core.sentences import count, listed

FEW_ROWS = 3  # of a negative bank, below which it says little about normal surface


class Summary(TypedDict, total=False):
    """Counts and names.

    roi: share of the image in the region of interest; missing without a region. engine: what computed the features,
    with its version.
    """

    fusion: str
    fusions: list[str]
    negative_rows: int
    negative_images: int
    positive_rows: int
    positive_images: int
    defective_parts: int
    threshold: float
    guaranteed: bool
    roi: float
    engine: str


class StoredSummary(Summary, total=False):
    """The summary of a stored bank version.

    radius: covering radius of the positive bank. note: sentences of the build, such as on images that were left out.
    """

    radius: float
    note: str


def summary(fitted: Fitted) -> Summary:
    """Counts and names for people and manifests, as JSON."""
    banks, models, region = fitted.banks, fitted.models, fitted.setup.region
    found: Summary = {
        "fusion": models.fusion.name,
        "fusions": list(models.fusions),
        "negative_rows": len(banks.negative),
        "negative_images": len(banks.negative.images),
        "positive_rows": len(banks.positive) if banks.positive else 0,
        "positive_images": len(banks.positive.images) if banks.positive else 0,
        "defective_parts": fitted.defective_parts,
        "threshold": models.fusions[models.fusion.name][1].threshold,
        "guaranteed": fitted.reference.guaranteed,
    }
    if fitted.setup.engine:
        found["engine"] = fitted.setup.engine
    if region is not None and not region.is_whole:
        found["roi"] = round(float(region.mask.mean()), 4)
    return found


def knows(fitted: Fitted, image_id: str) -> bool:
    """Whether a bank, a fusion or a threshold was made from the image of this id."""
    return any(image.id == image_id for image in fitted.known())


def notes(fitted: Fitted, larger: str = "") -> list[str]:
    """Sentences about defects in training that add less than one may expect, and about what paintings count for.

    larger: the size, as "WxH", at which defects that are smaller than a patch would show; "" where none is
    known.
    """
    defects = fitted.examples.defects
    faults = fitted.examples.mask_faults
    of = {what: [id for id, fault in faults.items() if fault == what] for what in (EMPTY, OUTSIDE, SMALL)}
    known = defects.rows_by_image()
    of["plain"] = [image.id for image in defects.images if image.id not in known]
    lie = "outside the region of interest and teach"
    look = "like normal surface everywhere and teach"
    words = {
        EMPTY: ("mask is empty, so its defect teaches", "masks are empty, so their defects teach"),
        OUTSIDE: (f"defect lies {lie}es", f"defects lie {lie}"),
        "plain": (f"defect looks {look}es", f"defects look {look}"),
    }
    said = [f"{count(len(of[w]), *pair)} nothing: {listed(of[w])}." for w, pair in words.items() if of[w]]
    if of[SMALL]:
        few = count(len(of[SMALL]), "defect is", "defects are")
        advice = f"; --size {larger} would show {'it' if len(of[SMALL]) == 1 else 'them'}" if larger else ""
        said.append(
            f"{few} smaller than a patch at {fitted.setup.settings.size}: {listed(of[SMALL])}{advice}."
        )
    said += [one.sentence() for one in fitted.models.paintings]
    if said and fitted.banks.positive is None:
        said.insert(
            0,
            "No defect teaches the positive bank, so this version only compares with normal surface (PatchCore).",
        )
    if (rows := len(fitted.banks.negative)) < FEW_ROWS:
        said.append(
            f"The negative bank has only {count(rows, 'row')}, so most normal surface looks unlike it; keep a larger "
            "share of the normal patches."
        )
    return said
