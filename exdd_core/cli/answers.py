"""The answers of commands, key by key, as --json prints them. Other commands answer with a value of a lower room.

Knows names and types. Does not know how an answer is computed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from exdd_core.jobs.results import Built
from exdd_core.review.table import ResultRow

if TYPE_CHECKING:
    from exdd_core.banks.bank_map import MapColumns
    from exdd_core.banks.compare import Measured
    from exdd_core.curation.measures import Measure
    from exdd_core.datasets.reports import Report
    from exdd_core.detector.records import Drift
    from exdd_core.experiments import Difference
    from exdd_core.jobs import State
    from exdd_core.spec import Json
    from exdd_core.workspace.dataset_states import Change
    from exdd_core.workspace.dataset_uses import Uses

# --- import, build ---------------------------------------------------------------------------------------


class JoinedFiles(TypedDict, total=False):
    """What an import with --into says besides, as `joining.Joined`."""

    joined: list[str]
    passed_over: list[str]
    renamed: dict[str, str]
    copies: dict[str, str]
    sentences: list[str]


class DatasetImported(JoinedFiles):
    """The answer of `import`. changed: False where the data set was there already. size: "256x632"."""

    dataset: str
    changed: bool
    layout: str
    size: str
    counts: dict[str, dict[str, int]]
    state: int
    healthy: bool
    report: Report


# --- datasets --------------------------------------------------------------------------------------------


class Summary(TypedDict):
    """A data set as `workspace.DatasetInfo` has it; size is "256x632", depth as `Depth.parse` takes it."""

    dataset: str
    called: str
    layout: str
    title: str
    size: str
    created: str
    counts: dict[str, dict[str, int]]
    state: int
    depth: str | None
    mask_rule: str
    roi: str | None
    healthy: bool


class DatasetRow(Summary):
    """A data set in a list, and whether it is the active one."""

    active: bool


class DatasetShown(Summary):
    """A data set, what was made from it, its changes and its integrity report."""

    used_by: Uses
    changes: list[Change]
    report: Report


class DatasetJoined(Summary):
    """A data set that was made of others, and its integrity report."""

    report: Report
    sentence: str


class RegionSet(TypedDict):
    """A data set's region of interest: its file, and the share of an image that counts; None where all does."""

    dataset: str
    state: int
    roi: str | None
    share: float | None
    sentence: str


class DatasetDeleted(TypedDict):
    """A data set that was deleted, and what was deleted with it."""

    dataset: str
    deleted: Uses
    sentence: str


# --- score -----------------------------------------------------------------------------------------------


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


# --- evaluate, sweep, runs -------------------------------------------------------------------------------


class Compared(TypedDict):
    """Two measurements and their differences."""

    runs: list[str]
    differences: list[Difference]


class Written(TypedDict):
    """A measurement and the file that was written from it."""

    run: str
    path: Path


class RunRow(TypedDict):
    """A measurement as `runs.Run` has it, without its result."""

    id: str
    kind: str
    title: str
    spec: Json
    bank: str
    created: str
    seconds: float


# --- synthesize, prompts ---------------------------------------------------------------------------------


class Synthesized(TypedDict):
    """The answer of `synthesize`: the data set and the engine, and what `Painted` says."""

    dataset: str
    engine: str
    ordered: int
    made: int
    failed: int
    reasons: list[str]
    candidates: list[str]


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


# --- candidates, mark ------------------------------------------------------------------------------------


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


class Effect(TypedDict):
    """The effect of accepting several candidates together."""

    ids: list[str]
    effect: Measure
    sentence: str


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


# --- banks -----------------------------------------------------------------------------------------------


class BankRow(TypedDict):
    """A version in a list. rows: by side. changes: how many images' rows have changed since it was built."""

    id: str
    name: str
    dataset: str
    state: int
    created: str
    who: str
    active: bool
    pinned: bool
    rows: dict[str, int]
    changes: int
    measured: Measured | None


class BanksCompared(TypedDict):
    """Two versions by name. values: what each has, by name. only: ids of images that only one has, by side."""

    versions: list[str]
    values: dict[str, list[object]]
    only: dict[str, dict[str, list[str]]]


class BankSaid(TypedDict):
    """A version, and what was done to it."""

    bank: str
    name: str
    sentence: str


class BankState(TypedDict):
    """Whether a version should be built again, as `drift.State`. changed: what became of its data set."""

    bank: str
    name: str
    due: bool
    behind: bool
    drift: Drift
    changed: str
    sentence: str


class BankAligned(TypedDict):
    """Ids of the images whose rows came or went, and the name of the version that changed."""

    images: list[str]
    name: str
    sentence: str


class BankRebuilt(Built):
    """A version that was built anew. rebuilt: name of the one whose settings it has."""

    rebuilt: str
    sentence: str


class ImagePutBack(TypedDict):
    """An image whose rows were put back."""

    image: str
    sentence: str


class ImageDropped(ImagePutBack):
    """An image whose rows were taken out of the bank of a side."""

    side: str


class BankMapped(TypedDict):
    """A version and the map of its banks."""

    bank: str
    name: str
    map: MapColumns


# --- jobs ------------------------------------------------------------------------------------------------


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


class JobNow(TypedDict):
    """A job's id and its state, after somebody cancelled or resumed it."""

    job: str
    state: State
