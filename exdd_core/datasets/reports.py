"""What the reports on a source and on a data set hold, key by key; both are JSON.

Knows names and types. Does not know how a report is made or who reads it.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class ChoicesRow(TypedDict, total=False):
    """What a person chose for a source, each choice as the command line takes it; empty for a merged data set.

    None and "auto" leave the choice to the program.
    """

    layout: str
    groups: str | None
    roles: dict[str, str]
    depth: str | None
    masks: str | None


class LeftOutRow(TypedDict):
    """Pictures of one folder that are left out for one reason. `serious`: a person should look at them."""

    folder: str
    reason: str
    count: int
    paths: list[str]
    serious: bool


class MaskRuleRow(TypedDict):
    rule: str
    title: str
    sentence: str


class DepthRow(TypedDict):
    """value: as `Depth.parse` reads it. clipped: image -> share of its pixels beyond the depth, 0 to 1."""

    value: str
    title: str
    clipped: dict[str, float]


class QuestionRow(TypedDict):
    folder: str
    images: int
    guess: str


class SourceReport(TypedDict, total=False):
    """What the report on a data set keeps of its source.

    masks_turned: image -> how its mask was turned. masks_of_normal: normal images whose mask marks something.
    depth: None if all images have 8 bits. several_pages: image -> pages or frames of its file. notes:
    sentences.
    """

    left_out: list[LeftOutRow]
    mask_rule: MaskRuleRow
    masks_turned: dict[str, str]
    masks_of_normal: list[str]
    depth: DepthRow | None
    several_pages: dict[str, int]
    questions: list[QuestionRow]
    notes: list[str]


class SurveyReport(SourceReport):
    """The report on a source. problems: sentences about what a person should look at."""

    problems: list[str]


class Fault(TypedDict):
    """A file that cannot be used.

    The report on an import adds what is known of an image that cannot be read.
    """

    path: str
    reason: str
    label: NotRequired[str]
    defect_type: NotRequired[str]
    split: NotRequired[str]
    group: NotRequired[str]


class MaskFaults(TypedDict):
    """Defective images by what is wrong with their mask: paths, or rows with a path and a reason.

    covering: the mask marks more than half of the image. small: it covers too little of every patch of the
    model's input. small_size: the smallest "WxH" at which each of these defects is large enough, "" if there
    is none.
    """

    empty: list[str]
    missing: list[str]
    covering: list[str]
    inverted: list[str]
    wrong_size: list[Fault]
    unreadable: list[Fault]
    small: list[str]
    small_size: str


class Sizes(TypedDict):
    """How many different sizes images have, and three of them as [width, height] in pixels; None without
    images."""

    different: int
    smallest: list[int] | None
    largest: list[int] | None
    most_common: list[int] | None


class Twins(TypedDict):
    """Two groups with near-duplicates.

    images: their most similar pair. pairs: how many there are. difference: of the bits of that pair, 0 to 1.
    """

    groups: list[str]
    images: list[str]
    pairs: int
    difference: float
    across_split: bool


class NearDuplicates(TypedDict):
    """pairs, across_split: pairs of images of different groups.

    group_pairs: pairs of groups. listed: leaks first.
    """

    pairs: int
    across_split: int
    group_pairs: int
    listed: list[Twins]


class Report(SourceReport):
    """The integrity report of a data set.

    counts: split -> label -> images. types: defect type -> split -> images. blank: images of one value
    everywhere. grey: label -> share of its images without colour, 0 to 1. torn: parts with images on both sides of the
    split; missing in reports of earlier versions, as is of_both_labels: pairs of a normal image and a defect with the
    same pixels. healthy: nothing needs a person's attention. sentences: the whole report for people. choices, doubts:
    what a person chose at the import, and what the layout was not sure of; the import adds both.
    """

    images: int
    groups: int
    counts: dict[str, dict[str, int]]
    types: dict[str, dict[str, int]]
    sizes: Sizes
    unreadable: list[Fault]
    blank: list[str]
    masks: MaskFaults
    grey: dict[str, float]
    near_duplicates: NearDuplicates
    torn: NotRequired[list[str]]
    of_both_labels: NotRequired[list[str]]
    healthy: bool
    sentences: list[str]
    choices: NotRequired[ChoicesRow]
    doubts: NotRequired[list[str]]
