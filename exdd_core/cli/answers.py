"""The answers of other commands, key by key, as --json prints them: see also `dataset_answers` and `bank_answers`.

A command without a class in the three files answers with a value of a lower room.

Knows names and types. Does not know how an answer is computed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict

from exdd_core.review.table import ResultRow

if TYPE_CHECKING:
    from exdd_core.curation.measures import Measure
    from exdd_core.curation.searching import Arm
    from exdd_core.experiments import Difference
    from exdd_core.jobs import State
    from exdd_core.spec import Json
    from exdd_core.workspace.runs import RunSpec

# --- score --------------------------------------------------------------------------------------------------


class LeftOut(TypedDict):
    """A file that is not scored, and the reason in one sentence."""

    image: str
    reason: str


class ScoredRow(ResultRow):
    """A row of the table, with warnings on the image.

    in_bank: whether the bank was built from the image, which makes its score meaningless. depth: the bit depth
    that it was read with, None for 8 bits. clipped: share of its values above that depth. like_a_mask: whether
    it looks like a mask rather than a photograph.
    """

    in_bank: bool
    pages: int
    depth: str | None
    clipped: float
    like_a_mask: bool
    notes: list[str]


class Scored(TypedDict):
    """The answer of `score`."""

    bank_version: str
    bank: str
    images: list[ScoredRow]
    unreadable: list[LeftOut]
    left_out: list[LeftOut]
    notes: list[str]


# --- evaluate, sweep, runs ----------------------------------------------------------------------------------


class Compared(TypedDict):
    """Two measurements and their differences."""

    runs: list[str]
    differences: list[Difference]


class RunSaid(TypedDict):
    """A measurement that was renamed or deleted."""

    run: str
    title: str


class Written(TypedDict):
    """A measurement and the file that was written from it."""

    run: str
    path: Path


class RunRow(TypedDict):
    """A measurement as `runs.Run` has it, without its result."""

    id: str
    kind: str
    title: str
    spec: RunSpec
    bank: str
    created: str
    seconds: float


# --- synthesize, prompts ------------------------------------------------------------------------------------


class Synthesized(TypedDict):
    """The answer of `synthesize`: the data set and the engine, and what `Painted` or `Searched` says."""

    dataset: str
    engine: str
    ordered: int
    made: int
    failed: int
    reasons: list[str]
    candidates: list[str]
    arms: NotRequired[list[Arm]]
    stopped: NotRequired[str]


class PromptRow(TypedDict):
    """A prompt and what came of it, as `prompts.Score`; name: "" for one that is not in the library."""

    name: str
    prompt: str
    made: int
    accepted: int
    rejected: int
    pending: int
    deleted: int
    rate: float | None
    quality: float | None


class PromptsExported(TypedDict):
    """How many prompts were written, and the file."""

    exported: int
    file: str


class PromptsImported(TypedDict):
    """Names of the prompts that were added and of those that were replaced."""

    added: list[str]
    replaced: list[str]


class PromptRenamed(TypedDict):
    """The new name of a prompt, and that before."""

    name: str
    was: str


class PromptDeleted(TypedDict):
    """The name of a prompt that was deleted."""

    name: str
    deleted: bool


# --- teach, adapters ----------------------------------------------------------------------------------------


class AdapterRow(TypedDict):
    """An adapter as `adapters.Adapter` has it. in_use: whether it paints by default. images: their number."""

    name: str
    in_use: bool
    engine: str
    dataset: str
    base: str
    images: int
    parts: list[str]
    held_out: list[str]
    best: int
    losses: list[Json]
    created: str


class AdapterNow(TypedDict):
    """An adapter that is used from now on, or not any more; adapter: "" for none."""

    adapter: str
    in_use: bool


# --- candidates, mark ---------------------------------------------------------------------------------------


class CandidateRow(TypedDict):
    """A candidate with its measures by name; None where none was taken."""

    id: str
    status: str
    engine: str
    prompt: str
    defect_type: str
    source: str
    seed: int
    created: str
    image: str
    mask: str
    measures: dict[str, float | None] | None


class CandidatesListed(TypedDict):
    """The answer of `candidates list`."""

    dataset: str
    candidates: list[CandidateRow]


class CandidatesDeleted(TypedDict):
    """Ids of candidates that were deleted, and of those that were not."""

    deleted: list[str]
    left_out: list[str]


class CandidatesRestored(TypedDict):
    """Ids of candidates that wait for a decision again, and of those that were not deleted."""

    restored: list[str]
    left_out: list[str]


class NothingDecided(TypedDict):
    """The answer where there was no candidate to decide on."""

    ids: list[str]
    left_out: dict[str, str]
    rows: int
    sentence: str
    waits: bool


class TrialRow(TypedDict):
    """Groups of candidates that were tried together, and the change in AUROC with its standard error."""

    groups: tuple[str, ...]
    gain: float
    error: float


class Recommended(TypedDict):
    """The answer of `candidates effect --recommended`: ids to accept, out of how many."""

    recommended: list[str]
    of: int
    sentence: str
    trials: list[TrialRow]


class CandidateMeasured(TypedDict):
    """All measures of one candidate."""

    ids: list[str]
    measures: list[Measure]


class Transfer(TypedDict):
    """What the paintings of one group find of real defects: parts found of those tried, transfer, weight."""

    group: str
    candidates: int
    found: int
    parts: int
    transfer: float | None
    weight: float


class Effect(TypedDict):
    """The effect of accepting several candidates together."""

    ids: list[str]
    effect: Measure
    sentence: str


class Reason(TypedDict):
    """A reason for rejecting. own: whether somebody added it."""

    reason: str
    own: bool


class ReasonNow(TypedDict):
    """An own reason, and whether it is offered from now on."""

    reason: str
    offered: bool


class BlindTestRow(TypedDict):
    """A blind test. ended: "" while it goes on; outcomes: as `blind.Outcome`, of all crops, then by engine and type."""

    id: str
    who: str
    created: str
    ended: str
    crops: int
    answered: int
    outcomes: list[Json]


class BlindTestNow(TypedDict):
    """A blind test, and whether it is deleted from now on."""

    id: str
    deleted: bool


class Marked(TypedDict):
    """What `Decided` says of a marked image, its calibrated score before and after, and the decision's number."""

    ids: list[str]
    left_out: dict[str, str]
    bank: str
    rows: int
    sentence: str
    before: float
    after: float
    verdict: str
    decision: int


# --- jobs ---------------------------------------------------------------------------------------------------


class JobRow(TypedDict):
    """A job as `jobs.Job` has it, without what it takes."""

    id: str
    kind: str
    title: str
    state: State
    text: str
    fraction: float
    seconds_left: float | None
    result: Json | None
    error: str
    created: str
    started: str
    ended: str


class JobsCleared(TypedDict):
    """How many jobs that had ended were taken off the list."""

    cleared: int


class JobNow(TypedDict):
    """A job's id and its state, after somebody cancelled or resumed it."""

    job: str
    state: State
