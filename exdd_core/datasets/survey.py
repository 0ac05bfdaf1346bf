"""Surveys a source: what a layout has read from it becomes a data set once its pixels are read.

The preview shows the survey and the import follows it, so both say the same. The survey decides the rule for
masks and the bit depth once for all images. It labels images by their masks where the layout left this open,
takes out pictures that look like masks and belong to no image, and names every picture that became neither an
image nor a mask. Knows readings of layouts, masks and depths. Does not know the workspace or what will be
copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np

from exdd_core import depth as depths, images
from exdd_core.datasets.choices import Choices
from exdd_core.datasets.left_out import LeftOut, by_folder
from exdd_core.datasets.mask_pixels import (
    is_clipped,
    marks_anything,
    mask_of,
    rule_of,
    turn_of,
    with_same_stem,
    without_masks,
)
from exdd_core.datasets.record import BY_MASK, DEFECT, NORMAL, Question, Reading, Record
from exdd_core.datasets.reports import SourceReport, SurveyReport
from exdd_core.datasets.tree import Tree
from exdd_core.depth import OUTLIERS, Depth
from exdd_core.errors import BadInput
from exdd_core.mask_rules import USUAL, MaskRule
from exdd_core.progress import Progress
from exdd_core.sentences import count, counted

UNCLAIMED = "the layout has no place for them; move them into one of its folders, or out of the data set"
UNPRINTABLE = "their names contain characters that cannot be stored, such as line breaks; rename them"
DIFFER = "that alone may change their brightness; save all of them alike"
FEW_LEVELS = 16  # of 256 that the values of deep images differ by: a narrower window would show more
LIKE_A_MASK = (
    "black and white like masks, but they match no image by name; name each after its image, ending in _mask"
)


@dataclass(frozen=True)
class Survey:
    """A source as a data set. `records` have their labels, and a split only if the layout has one.

    depth: None if all images have 8 bits a channel. clipped: image -> share of its pixels beyond the depth.
    turned: image -> how its mask was turned, if the two have different EXIF orientations. several_pages:
    image -> pages or frames of its file, of which the first is read. masks_of_normal: images that the layout
    calls normal although their mask marks something. doubts: sentences about what a person should look at.
    """

    tree: Tree
    records: list[Record]
    left_out: list[LeftOut]
    questions: list[Question]
    notes: list[str]
    rule: MaskRule
    depth: Depth | None
    clipped: dict[str, float] = field(default_factory=dict)
    turned: dict[str, str] = field(default_factory=dict)
    several_pages: dict[str, int] = field(default_factory=dict)
    masks_of_normal: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def mask_of(self, record: Record) -> np.ndarray | None:
        """The mask of a record as bool (H, W) of its upright image, by the rule of the data set; None if it
        has none.

        Raises `BadInput` for files that cannot be used.
        """
        return mask_of(self.tree, record, self.rule)

    def must_be_written(self, record: Record) -> bool:
        """Whether the mask of a record is anything but one file that is white above 127."""
        if not record.masks and not record.outlines:
            return False
        usual = (self.rule.above, self.rule.inverted) == (USUAL, False)
        return bool(record.outlines or record.more_masks or not usual or record.path in self.turned)

    def to_report(self) -> SurveyReport:
        """What the preview says of a source, ready for JSON."""
        return {**self.source_report(), "problems": self.problems()}

    def source_report(self) -> SourceReport:
        """What the integrity report keeps of the source, ready for JSON."""
        return {
            "left_out": [left.to_row() for left in self.left_out],
            "mask_rule": {
                "rule": str(self.rule),
                "title": self.rule.title,
                "sentence": self.rule.sentence if self._with_masks else "",
            },
            "masks_turned": self.turned,
            "masks_of_normal": self.masks_of_normal,
            "depth": {"value": str(self.depth), "title": self.depth.title, "clipped": self.clipped}
            if self.depth
            else None,
            "several_pages": self.several_pages,
            "questions": [
                {"folder": question.folder, "images": question.images, "guess": question.guess}
                for question in self.questions
            ],
            "notes": self._notes(),
        }

    @property
    def _with_masks(self) -> bool:
        return any(record.masks for record in self.records)

    def _notes(self) -> list[str]:
        lines = [*self.notes]
        united = sum(bool(record.more_masks) for record in self.records)
        if united:
            lines.append(f"{count(united, 'image')} with several masks each: they are merged.")
        if self._with_masks and (self.rule.above, self.rule.inverted) != (USUAL, False):
            lines.append(self.rule.sentence)
        if self.depth is not None:
            lines.append(
                f"Images of more than 8 bits are read with {self.depth.title}; if that is wrong, choose another bit "
                "depth (--depth on the command line)."
            )
        if self.clipped and max(self.clipped.values()) <= OUTLIERS:
            lines.append(self._clipping())
        lines += [left.sentence for left in self.left_out if not left.serious]
        return lines

    def _clipping(self) -> str:
        window = self.depth.title if self.depth else ""
        return (
            f"Values beyond {window} are clipped in {counted(list(self.clipped))}, up to "
            f"{float(f'{100 * max(self.clipped.values()):.2g}'):g} % of an image's pixels."
        )

    def problems(self) -> list[str]:
        """What of the source a person should look at, in sentences."""
        lines = [*self.doubts, *(left.sentence for left in self.left_out if left.serious)]
        if self.turned:
            lines.append(
                f"Masks that are not rotated like their images: {counted(list(self.turned))}; they are "
                "rotated here."
            )
        if self.masks_of_normal:
            lines.append(
                f"Labelled normal, but a mask marks a defect: {counted(self.masks_of_normal)}; move them "
                "to the defects, or remove the masks."
            )
        if self.several_pages:
            lines.append(
                "Several pages or frames in one file, of which only the first is read: "
                f"{counted(list(self.several_pages))}; save each page as a separate file."
            )
        if self.clipped and max(self.clipped.values()) > OUTLIERS:
            lines.append(self._clipping())
        return lines


def survey(tree: Tree, reading: Reading, choices: Choices, progress: Progress | None = None) -> Survey:
    """Survey what a layout has read from a tree, by the pixels of its images and masks."""
    progress = progress or Progress()
    records = with_same_stem(tree, reading.records)
    records, like_masks = without_masks(tree, records)
    unnamed = [r for r in records if not all(name.isprintable() for name in (r.path, *r.masks))]
    records = [record for record in records if record not in unnamed]
    rule = choices.masks or rule_of(tree, records, progress)
    records, turned, of_normal = _settled(tree, records, rule, progress)
    beyond = [record.path for record in records if is_clipped(tree, record)]
    notes = [f"Outlines beyond the image: clipped in {counted(beyond)}."] if beyond else []
    deep, shallow, pages = _headers(tree, records, progress)
    depth, clipped, narrow = _depth(tree, deep, choices.depth)
    claimed = {name for record in records for name in (record.path, *record.masks)}
    reasons = {name: reading.left_out.get(name, UNCLAIMED) for name in tree.images if name not in claimed}
    reasons |= {name: LIKE_A_MASK for name in like_masks if name not in claimed}
    reasons |= {name: UNPRINTABLE for record in unnamed for name in (record.path, *record.masks)}
    return Survey(
        tree,
        [
            record if record.label == DEFECT else replace(record, mask=None, more_masks=(), outlines=())
            for record in records
        ],
        by_folder(tree, reasons),
        reading.questions,
        [*reading.notes, *notes],
        rule,
        depth,
        clipped,
        turned,
        pages,
        of_normal,
        [*reading.problems, *_of_pages_of_masks(tree, records), *of_two_depths(deep, shallow), *narrow],
    )


def _settled(
    tree: Tree, records: Sequence[Record], rule: MaskRule, progress: Progress
) -> tuple[list[Record], dict[str, str], list[str]]:
    """The records with their labels; image -> how its mask is turned; normal images whose mask marks
    something."""
    settled, turned, of_normal = [], {}, []
    progress.begin("Checking masks", len(records))
    for record in records:
        if turn := turn_of(tree, record):
            turned[record.path] = turn
        if record.label != DEFECT and (record.masks or record.outlines):
            marks = marks_anything(tree, record, rule)
            if record.label == BY_MASK:
                record = replace(
                    record, label=DEFECT if marks else NORMAL, defect_type=record.defect_type if marks else ""
                )
            elif marks:
                of_normal.append(record.path)
        settled.append(record)
        progress.advance()
    return settled, turned, of_normal


def _headers(
    tree: Tree, records: Sequence[Record], progress: Progress
) -> tuple[list[str], list[str], dict[str, int]]:
    """Images of more than 8 bits a channel; images of 8 bits; image -> pages or frames, if there are
    several."""
    deep: list[str] = []
    shallow: list[str] = []
    pages: dict[str, int] = {}
    progress.begin("Reading headers", len(records))
    for record in records:
        with suppress(BadInput):
            header = images.header(tree.path(record.path), record.path)
            (deep if header.deep else shallow).append(record.path)
            if header.pages > 1:
                pages[record.path] = header.pages
        progress.advance()
    return deep, shallow, pages


def _of_pages_of_masks(tree: Tree, records: Sequence[Record]) -> list[str]:
    """A sentence on mask files of several pages; none where all have one."""
    several = []
    for name in dict.fromkeys(name for record in records for name in record.masks):
        with suppress(BadInput):
            if images.header(tree.path(name), name).pages > 1:
                several.append(name)
    if not several:
        return []
    return [
        f"Several pages in one mask file, of which only the first is read: {counted(several)}; save each by itself."
    ]


def _depth(
    tree: Tree, deep: Sequence[str], chosen: Depth | None
) -> tuple[Depth | None, dict[str, float], list[str]]:
    """The depth of all deep images together; image -> share of its pixels beyond it, above 0; and a sentence where the
    depth is guessed and much wider than their values."""

    def values() -> Iterator[tuple[str, np.ndarray]]:
        for name in deep:
            with suppress(BadInput):
                found = images.read_deep(tree.path(name), name)
                if found is not None:
                    yield name, found

    depth = chosen or depths.guess(found for _, found in values())
    if depth is None:
        return None, {}, []
    shares, often = {}, np.zeros(depths.HIGHEST + 1, np.int64)
    for name, found in values():
        shares[name] = depth.beyond(found)
        often += np.bincount(found.ravel(), minlength=len(often))
    return (
        depth,
        {name: share for name, share in shares.items() if share},
        [] if chosen else _narrow(depth, often),
    )


def _narrow(depth: Depth, often: np.ndarray) -> list[str]:
    """A sentence where values differ by few of the levels that a depth leaves. often: pixels of each value."""
    ends = np.searchsorted(often.cumsum(), often.sum() * np.array([OUTLIERS, 1 - OUTLIERS]))
    low, high = map(int, ends)
    levels = 256 * (high - low) / (depth.high - depth.low)
    if not 0 < levels < FEW_LEVELS:
        return []
    return [
        f"Values of images of more than 8 bits lie between {low} and {high}. Read with {depth.title}, they differ by "
        f"{max(1, round(levels))} of 256 levels; to see more of them, import again with these values as the bit depth "
        f"(--depth {low}-{high} on the command line)."
    ]


def of_two_depths(deep: Sequence[str], shallow: Sequence[str]) -> list[str]:
    """Sentences on images of 8 bits among images of more, by their paths; none where all are alike."""
    if not deep or not shallow:
        return []
    have, others = ("has" if len(one) == 1 else "have" for one in (shallow, deep))
    more = f"{count(len(deep), 'image')} {others} more"
    return [f"{counted(shallow)} {have} 8 bits per channel and {more}: {DIFFER}."]
