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
    """A list of images. key: names it in other calls. left_out: files that it does not show."""

    key: str
    title: str
    count: int
    left_out: int = 0


class Image(Answer):
    """An image of a list. label: normal, defect or "" where the truth is unknown."""

    id: str
    name: str
    label: str
    defect_type: str


class Scored(ResultRow):
    """What both methods say of an image; `id` names it in other calls."""

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
    """The bank row nearest to a patch. box: (x0, y0, x1, y1) in pixels of its image; None where that is gone."""

    image: str
    group: str
    defect_type: str
    origin: str
    distance: float
    box: Box | None = None


class Patch(Answer):
    """A patch, and its nearest rows in both banks. box: in pixels of the image. patchcore, exdd: the shown maps, 1
    being the threshold. ratio: normal over defect distance, above 1 nearer to a defect."""

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
    """What a decision did. left_out: by id, why it was not decided on. rows: that the banks have gained; 0 while they
    wait to be fitted. numbers: of the decisions, by which they can be undone."""

    ids: list[str]
    left_out: dict[str, str]
    bank: str
    rows: int
    sentence: str
    waits: bool
    numbers: list[int] = Field(default_factory=list)


class Marked(Decision):
    """A mark, and the image's score before and after it, 1 being the threshold."""

    before: float
    after: float
    verdict: str


class Candidate(Answer):
    """A painted defect. measures: by name, None where none was taken."""

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
    """A measure in its unit and in words. error: the standard error of an effect."""

    name: str
    value: float | None
    light: Literal["green", "amber", "red", "grey"]
    text: str
    error: float | None


class Job(Answer):
    """A long computation. fraction: done of the current stage, 0 to 1. result: as the command line's --json."""

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
    """A bank version. active: whether it judges."""

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
    """A version that is active now. lines: what the gate said of it, image by image."""

    sentence: str
    lines: list[str]


class HeldBack(Answer):
    """Why the gate held a version back. lines: image by image and figure by figure, what fails first."""

    detail: str
    lines: list[str]


class Threshold(Answer):
    """Where a version's threshold lies on its own scale, 1 being the one it was built with. said: how it was found."""

    bank: str
    value: float
    said: str
    who: str
