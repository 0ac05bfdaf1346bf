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
    """A list of images. key: identifies it in other calls. title: its display name. count: number of its images.
    left_out: number of files that it does not show."""

    key: str
    title: str
    count: int
    left_out: int = 0


class Image(Answer):
    """An image in a list. id: identifies it in other calls. name: its file name. label: normal or defect; "" if the
    truth is unknown. defect_type: the type of its defect; "" if it has no defect or the type has no name."""

    id: str
    name: str
    label: str
    defect_type: str


class Scored(ResultRow):
    """The results of both methods for an image.

    id: identifies it in other calls. image: its name. truth: normal or defect; "" if it is unknown. defect_type: the
    type of that defect. fusion, bank_version: what ExDD used. patchcore_... and exdd_...: the result of each method.
    score, threshold: raw, on the fusion's own scale. calibrated: the score on a scale where 0 is the median of normal
    images and 1 is the threshold. Scores are null if they are not finite. verdict: defect, not sure, normal or cannot
    judge. reason: the reason for the verdict, in one sentence. probability: the probability of a defect, 0 to 1; null
    if it is unknown or contradicts the verdict. regions: the regions of ExDD's map; null if the threshold has changed
    since the image was scored.
    """

    id: str


class ScoredUploads(Answer):
    """The results of uploaded images. refused: one sentence for each file that could not be scored. notes: sentences on
    how the others were read, such as that only the first of several pages was inspected."""

    images: list[Scored]
    refused: list[str]
    notes: list[str]


class Regions(Answer):
    """The regions of ExDD's map, highest peak first. width, height: the size of the image in pixels."""

    image: str
    width: int
    height: int
    regions: list[RegionRow]


class Neighbour(Answer):
    """The bank row nearest to a patch. image: the id of the image that it comes from. group: the physical part that
    this image shows. defect_type: "" in the negative bank. origin: real or synthetic. distance: the Euclidean distance
    between features. box: (x0, y0, x1, y1) in pixels of its image, ends excluded; null if that image is gone."""

    image: str
    group: str
    defect_type: str
    origin: str
    distance: float
    box: Box | None = None


class Patch(Answer):
    """A patch, and its nearest rows in both banks. row, column: its position on the patch grid. box: (x0, y0, x1, y1)
    in pixels of the image, ends excluded. patchcore, exdd: the values of the displayed maps there, where 1 is the
    threshold. probability: the probability of a defect, 0 to 1, or null. normal, defect: the nearest rows; defect is
    null without a positive bank. ratio: the normal distance divided by the defect distance; above 1, the patch is
    nearer to a defect."""

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
    """The result of a decision. ids: what was decided on. left_out: what was not decided on, and why, by id. bank: the
    version whose banks the decision updates; "" for none. rows: the number of rows that the banks have gained; 0 until
    they are fitted. sentence: a summary. waits: whether the banks are updated later. numbers: the numbers of the
    decisions, with which they can be undone."""

    ids: list[str]
    left_out: dict[str, str]
    bank: str
    rows: int
    sentence: str
    waits: bool
    numbers: list[int] = Field(default_factory=list)


class Marked(Decision):
    """The result of a mark: ids, left_out, bank, rows, sentence, waits and numbers as in `Decision`. before, after: the
    calibrated score of the image, where 1 is the threshold; null if it is not finite. verdict: the verdict after the
    mark."""

    before: float | None
    after: float | None
    verdict: str


class Candidate(Answer):
    """A painted defect. id: identifies it in other calls. dataset: the data set that it was painted for. status: draft,
    pending, accepted, rejected or deleted. engine, prompt, seed: what painted it. defect_type: "" for none. source: id
    of the normal image that it was painted on. created: when it was painted. measures: its measures by name; null if
    one was not taken."""

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
    """A measure. name: visible, clean, plausible, new or effect. meaning: what it measures. value: a share, a ratio, or
    percentage points of image AUROC for the effect; null if it cannot be measured. light: how good the value is. text:
    the value in a sentence. error: the standard error of an effect, in its unit."""

    name: str
    value: float | None
    light: Literal["green", "amber", "red", "grey"]
    text: str
    meaning: str
    error: float | None


class Job(Answer):
    """A long computation. id: identifies it in other calls. kind: such as score, synthesize or build. title: its
    display name. state: its current state. text: its progress in one line. fraction: the share of the current stage
    that is done, 0 to 1. seconds_left: an estimate, or null. result: what the command line prints with --json, once the
    job is done. error: why it failed, in one sentence. created, started, ended: times. who: the account that requested
    it; "" if no one signs in."""

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
    """A job that scores a list, and the key of the list, with which results are requested."""

    job: Job
    list: str


class Version(Answer):
    """A bank version. id, name: either identifies it in other calls. dataset: the data set that it was built from.
    created: when it was built. who: who built it. active: whether it is the one that judges. pinned: whether it is
    protected from deletion. negative_rows, positive_rows: the number of patches in each bank when it was built."""

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
    """A version that is now active. sentence: confirms this. lines: the findings of the gate, image by image."""

    sentence: str
    lines: list[str]


class HeldBack(Answer):
    """Why the gate held a version back. detail: the reason in one sentence. lines: the findings, image by image and
    figure by figure, failures first."""

    detail: str
    lines: list[str]


class Blamed(Answer):
    """A bank image that marked patches are nearest to. image: its id. side: negative for missed defects, positive for
    false alarms. defect_type: its defect type; "" in the negative bank. patches: the number of these patches. alone:
    the sum of the shares, 0 to 1, by which each patch is nearer to it than to any other image. marked: ids of the
    marked images. sentence: a summary."""

    image: str
    side: Literal["negative", "positive"]
    defect_type: str
    patches: int
    alone: float
    marked: list[str]
    sentence: str


class Blame(Answer):
    """The bank images behind a version's marks. version: its name. tried: the number of marked images that were
    examined. images: the bank images to blame. lost: ids of marked images whose file or mask is missing. sentence: a
    summary."""

    version: str
    tried: int
    images: list[Blamed]
    lost: list[str]
    sentence: str


class Threshold(Answer):
    """The threshold of a version. bank: the version's name. value: the threshold on a scale where 0 is the median of
    normal images and 1 is the threshold that the version was built with. said: how it was found. who: who chose it; ""
    for the build."""

    bank: str
    value: float
    said: str
    who: str
