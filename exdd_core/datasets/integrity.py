"""The integrity report: what a data set holds, which of its files cannot be used, and where it leaks.

Reads every image and mask once. Knows records and pixels. Does not know layouts, features or who reads the
report.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from exdd_core.datasets.looks import Looks
from exdd_core.datasets.manifests import SPLITS
from exdd_core.datasets.near_duplicates import BITS, hash_of, near_duplicates
from exdd_core.datasets.record import DEFECT, NORMAL, Record, natural_key
from exdd_core.datasets.report_sentences import many_small, problems_of, small_defects, summary
from exdd_core.datasets.reports import Fault, MaskFaults, Report, Sizes, SourceReport
from exdd_core.datasets.survey import Survey
from exdd_core.depth import Depth
from exdd_core.errors import BadInput
from exdd_core.images import Size, mask_values, read_image, require_mask
from exdd_core.mask_rules import MaskRule
from exdd_core.progress import Progress

MOST = 0.5  # share of an image above which a mask is reported as covering it
HEALTHY = "Every file can be read, and no images leak across the split."


def check(
    root: Path,
    records: Sequence[Record],
    progress: Progress | None = None,
    found: Survey | None = None,
    unusable: Mapping[str, str] | None = None,
    size: Size | None = None,
) -> Report:
    """Read all images and masks below `root` once and report on them; the report is ready for JSON.

    found: the survey of the source, whose notes and problems the report repeats. unusable: image -> why its
    mask could not be written. size: the model's input that banks are built at; None reports no small defects.
    """
    progress = progress or Progress()
    progress.begin("Checking images", len(records))
    seen = _Seen(root, found.depth if found else None, unusable or {}, Looks(size))
    for record in records:
        seen.add(record)
        progress.advance()
    report: Report = {
        "images": len(records),
        "groups": len({record.group for record in records}),
        "counts": _counts(records),
        "types": _types(records),
        "sizes": _sizes(seen.sizes),
        "unreadable": seen.unreadable,
        "blank": seen.looks.blank,
        "masks": seen.mask_faults(),
        "grey": seen.looks.grey(),
        "near_duplicates": near_duplicates(seen.hashed, np.array(seen.hashes, dtype=bool).reshape(-1, BITS)),
        "torn": _torn(records),
        "of_both_labels": seen.of_both_labels(),
        "healthy": True,
        "sentences": [],
    }
    source: SourceReport = found.source_report() if found else {"notes": []}
    problems = [*problems_of(report, size), *(found.problems() if found else [])]
    if report["masks"]["small"] and not many_small(report):
        source["notes"] = [*source["notes"], small_defects(report, size)]
    report["healthy"] = not problems
    report["sentences"] = summary(report) + source["notes"] + (problems or [HEALTHY])
    return cast(Report, {**report, **source})


@dataclass
class _Seen:
    """What one pass over all images and masks finds. depth: by which deep images are read."""

    root: Path
    depth: Depth | None
    unusable: Mapping[str, str]
    looks: Looks
    unreadable: list[Fault] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)  # (width, height)
    hashed: list[Record] = field(default_factory=list)
    hashes: list[np.ndarray] = field(default_factory=list)  # of `hashed`: bool (BITS,) each
    labelled: dict[bytes, dict[str, str]] = field(
        default_factory=dict
    )  # digest of pixels -> label -> an image
    masks: MaskFaults = field(
        default_factory=lambda: MaskFaults(
            empty=[],
            missing=[],
            covering=[],
            inverted=[],
            wrong_size=[],
            unreadable=[],
            small=[],
            small_size="",
        )
    )

    def add(self, record: Record) -> None:
        image = None
        try:
            image = read_image(self.root / record.path, record.path, self.depth)
            self.sizes.append((image.shape[1], image.shape[0]))
            self.hashes.append(hash_of(image))
            self.hashed.append(record)
            pixels = hashlib.sha256(f"{image.shape}".encode() + image.tobytes()).digest()
            self.labelled.setdefault(pixels, {}).setdefault(record.label, record.path)
        except BadInput as error:
            self.unreadable.append({"path": record.path, "reason": str(error)})
        mask = self._checked_mask(record, image) if record.label == DEFECT else None
        if image is not None:
            self.looks.add(record, image, mask)

    def of_both_labels(self) -> list[str]:
        """Pairs of images with the same pixels of which one is normal and one is a defect."""
        return [f"{own[NORMAL]} and {own[DEFECT]}" for own in self.labelled.values() if len(own) > 1]

    def mask_faults(self) -> MaskFaults:
        self.masks["small"] = self.looks.small
        self.masks["inverted"] = self.looks.inverted()
        self.masks["small_size"] = self.looks.size_that_shows()
        return self.masks

    def _checked_mask(self, record: Record, image: np.ndarray | None) -> np.ndarray | None:
        """A record's mask as bool (H, W), or None and a row about what is wrong with it."""
        if record.path in self.unusable:
            reason = self.unusable[record.path]
            rows = self.masks["wrong_size" if "pixels but its image" in reason else "unreadable"]
            rows.append({"path": record.path, "reason": reason})
            return None
        if record.mask is None:
            self.masks["missing"].append(record.path)
            return None
        try:
            values = mask_values(self.root / record.mask, record.mask)
            require_mask(values, record.mask)
        except BadInput as error:
            self.masks["unreadable"].append({"path": record.path, "reason": str(error)})
            return None
        mask = MaskRule().marks(values)  # the rule for masks that the workspace keeps
        if image is not None and mask.shape != image.shape[:2]:
            height, width = image.shape[:2]
            reason = f"{mask.shape[1]} x {mask.shape[0]} instead of {width} x {height} pixels"
            self.masks["wrong_size"].append({"path": record.path, "reason": reason})
            return None
        if not mask.any():
            self.masks["empty"].append(record.path)
            return None
        if mask.mean() > MOST:
            self.masks["covering"].append(record.path)
        return mask


def _counts(records: Sequence[Record]) -> dict[str, dict[str, int]]:
    found = Counter((record.split, record.label) for record in records)
    return {split: {label: found[split, label] for label in (NORMAL, DEFECT)} for split in SPLITS}


def _torn(records: Sequence[Record]) -> list[str]:
    """The parts with images on both sides of the split, in natural order."""
    train, test = ({record.group for record in records if record.split == split} for split in SPLITS)
    return sorted(train & test, key=natural_key)


def _types(records: Sequence[Record]) -> dict[str, dict[str, int]]:
    found = Counter((record.defect_type, record.split) for record in records if record.label == DEFECT)
    return {kind: {split: found[kind, split] for split in SPLITS} for kind in sorted({k for k, _ in found})}


def _sizes(sizes: list[tuple[int, int]]) -> Sizes:
    if not sizes:
        return {"different": 0, "smallest": None, "largest": None, "most_common": None}
    by_area = sorted(set(sizes), key=lambda size: (size[0] * size[1], size))
    common = min(Counter(sizes).items(), key=lambda item: (-item[1], item[0]))[0]
    return {
        "different": len(by_area),
        "smallest": list(by_area[0]),
        "largest": list(by_area[-1]),
        "most_common": list(common),
    }
