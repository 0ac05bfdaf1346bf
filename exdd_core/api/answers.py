"""What the API answers: models of values that other rooms return.

Knows names and types. Does not know how a value is computed. Times are ISO 8601 in UTC, "" before they are known.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from exdd_core.review.regions import RegionRow
from exdd_core.review.table import ResultRow
from exdd_core.spec import Json

Box = tuple[int, int, int, int]


class Answer(BaseModel):
    """A value of ours, read from an object with attributes of these names."""

    model_config = ConfigDict(from_attributes=True)


class ImageListed(Answer):
    """A list of images. key: names it in other calls. title: for people. count: of its images. left_out: of files that
    it does not show."""

    key: str
    title: str
    count: int
    left_out: int = 0


class Image(Answer):
    """An image of a list. id: names it in other calls. name: of its file. label: normal, defect or "" where the truth
    is unknown. defect_type: of its defect, "" for none and for one without a name."""

    id: str
    name: str
    label: str
    defect_type: str


class Scored(ResultRow):
    """What both methods say of an image.

    id: names it in other calls. image: its name. truth: normal, defect or "" where it is unknown; defect_type: of
    that. fusion, bank_version: that ExDD judged by. patchcore_... and exdd_...: what either method says. score,
    threshold: raw, on the fusion's own scale. calibrated: the score where 0 is the median of normal images and 1 the
    threshold. Scores are null where they are no finite number. verdict: defect, not sure, normal or cannot judge;
    reason: of it, one sentence. probability: of a defect, 0 to 1; null where it is unknown or contradicts the
    verdict. regions: of ExDD's map; null where the threshold was changed since.
    """

    id: str


class ScoredUploads(Answer):
    """The results of uploaded images. refused: one sentence for each file that could not be scored."""

    images: list[Scored]
    refused: list[str]


class Regions(Answer):
    """The regions of ExDD's map, the highest peak first. width, height: of the image in pixels."""

    image: str
    width: int
    height: int
    regions: list[RegionRow]


class Neighbour(Answer):
    """The bank row nearest to a patch. image: that it comes from. group: the physical part that this shows.
    defect_type: "" in the negative bank. origin: real or synthetic. distance: Euclidean, between features. box: (x0,
    y0, x1, y1) in pixels of its image, ends excluded; null where that is gone."""

    image: str
    group: str
    defect_type: str
    origin: str
    distance: float
    box: Box | None = None


class Patch(Answer):
    """A patch, and its nearest rows in both banks. row, column: on the patch grid. box: (x0, y0, x1, y1) in pixels of
    the image, ends excluded. patchcore, exdd: the shown maps there, 1 being the threshold. probability: of a defect,
    0 to 1, or null. normal, defect: the rows; null without a positive bank. ratio: normal over defect distance, above
    1 nearer to a defect."""

    row: int
    column: int
    box: Box
    patchcore: float
    exdd: float
    probability: float | None
    normal: Neighbour
    defect: Neighbour | None
    ratio: float | None


class Decision(Answer):
    """What a decision did. ids: that it was made on. left_out: by id, why it was not decided on. bank: the version
    whose banks follow it, "" for none. rows: that the banks have gained; 0 while they wait to be fitted. sentence:
    all that for people. waits: whether the banks follow later. numbers: of the decisions, by which they can be
    undone."""

    ids: list[str]
    left_out: dict[str, str]
    bank: str
    rows: int
    sentence: str
    waits: bool
    numbers: list[int] = Field(default_factory=list)


class Marked(Decision):
    """A mark: ids, left_out, bank, rows, sentence, waits, numbers as in `Decision`. before, after: the image's
    calibrated score, 1 being the threshold; null where it is no finite number. verdict: the one after."""

    before: float | None
    after: float | None
    verdict: str


class Candidate(Answer):
    """A painted defect. id: names it in other calls. dataset: that it was painted for. status: draft, pending,
    accepted, rejected or deleted. engine, prompt, seed: that painted it. defect_type: "" for none. source: id of the
    normal image below. created: when. measures: by name, null where none was taken."""

    id: str
    dataset: str
    status: str
    engine: str
    prompt: str
    defect_type: str
    source: str
    seed: int
    created: str
    measures: dict[str, float | None] = Field(default_factory=dict)


class Measure(Answer):
    """A measure. name: visible, clean, plausible, new or effect; meaning: what it is. value: a share, a ratio, or
    percentage points of image AUROC for the effect; null where it cannot be taken. light: how good that is. text: the
    value in a sentence. error: the standard error of an effect, in its unit."""

    name: str
    value: float | None
    light: Literal["green", "amber", "red", "grey"]
    text: str
    meaning: str
    error: float | None


class Job(Answer):
    """A long computation. id: names it in other calls. kind: such as score, synthesize or build. title: for people.
    state: where it is. text: its progress in a line. fraction: done of the current stage, 0 to 1. seconds_left:
    about, or null. result: as the command line's --json, once it is done. error: one sentence, where it failed.
    created, started, ended: when. who: ordered it, "" where nobody signs in."""

    id: str
    kind: str
    title: str
    state: Literal["queued", "running", "done", "cancelled", "failed", "interrupted"]
    text: str
    fraction: float
    seconds_left: float | None
    result: Json | None
    error: str
    created: str
    started: str
    ended: str
    who: str


class ScoreQueued(Answer):
    """A job that scores a list, and the list's key, by which results are asked for."""

    job: Job
    list: str


class Version(Answer):
    """A bank version. id, name: either names it in other calls. dataset: that it was built from. created: when. who:
    built it. active: whether it judges. pinned: whether it is kept from deletion. negative_rows, positive_rows: of
    patches in either bank when it was built."""

    id: str
    name: str
    dataset: str
    created: str
    who: str
    active: bool
    pinned: bool
    negative_rows: int
    positive_rows: int


class Activated(Answer):
    """A version that is active now. sentence: that. lines: what the gate said of it, image by image."""

    sentence: str
    lines: list[str]


class HeldBack(Answer):
    """Why the gate held a version back. detail: one sentence. lines: image by image and figure by figure, what fails
    first."""

    detail: str
    lines: list[str]


class Blamed(Answer):
    """An image of a bank that marked patches are nearest to. image: its id. side: negative for missed defects, positive
    for false alarms. defect_type: of it, "" in the negative bank. patches: how many. alone: sum of the shares, 0 to 1,
    by which each is nearer to it than to any other image. marked: ids of the marked images. sentence: all that for
    people."""

    image: str
    side: Literal["negative", "positive"]
    defect_type: str
    patches: int
    alone: float
    marked: list[str]
    sentence: str


class Blame(Answer):
    """What the marks of a version lead to. version: its name. tried: how many marked images. images: those blamed.
    lost: ids of marked images whose file or mask is gone. sentence: all that for people."""

    version: str
    tried: int
    images: list[Blamed]
    lost: list[str]
    sentence: str


class Threshold(Answer):
    """Where a version's threshold lies. bank: the version's name. value: on its own scale, where 0 is the median of
    normal images and 1 the threshold that it was built with. said: how it was found. who: chose it, "" for the
    build."""

    bank: str
    value: float
    said: str
    who: str
