"""What a measurement found, key by key, as it is stored and shown: JSON.

Knows names and types. Does not know how anything is measured or who reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

SAME = 1e-9  # figures that differ by at most this are equal

Figures = dict[str, float]  # {metric: share}
Interval = list[float]  # [low, high], 95 %
FiguresWithMasks = dict[str, float | None]  # {metric: share}; pixel figures are None without any mask


class FoundOfType(TypedDict):
    """Defective images of one type: how many there are, and how many of them were found."""

    found: int
    count: int


class FoundByType(TypedDict):
    """The images above a threshold. normal: the number of normal images. types: {defect type: numbers}."""

    threshold: float
    false_alarms: int
    normal: int
    types: dict[str, FoundOfType]


class RegionCounts(TypedDict):
    """Regions of masks and of maps above their threshold, of the images whose mask is known.

    count: regions of masks, and found: those that a region of the map touches. false: regions of maps that touch no
    mask, on so many images.
    """

    found: int
    count: int
    false: int
    images: int


class MaskCounts(TypedDict):
    """The numbers of defective images with a usable mask and of those without."""

    used: int
    missing: int


class Bin(TypedDict):
    """A bin of predicted probabilities. said: their mean. found: the share that is true."""

    count: int
    said: float
    found: float


class Reliability(TypedDict):
    """How well probabilities are calibrated. ece: the expected calibration error, 0 to 1 (Guo et al. 2017)."""

    ece: float
    bins: list[Bin]


class Difference(TypedDict):
    """A difference between two methods with its 95 % interval. p: None with too few parts."""

    difference: float
    low: float
    high: float
    p: float | None


class FoundDifference(Difference):
    """The share of defects that `method` found minus that of `against`."""

    method: str
    against: str


class MetricDifference(FoundDifference):
    """One metric of `method` minus that of `against`."""

    metric: str


class RecallIntervals(TypedDict):
    """Intervals of the share of false alarms, of defects found, and of defects found of each type."""

    false_alarms: Interval
    defects: Interval
    types: dict[str, Interval]


class RecallAccount(TypedDict):
    """How certain the shares found at one threshold are: {method: intervals} and paired tests."""

    intervals: dict[str, RecallIntervals]
    comparisons: list[FoundDifference]


class PerImage(TypedDict):
    """The measured images in the order of their folds, as one list for each property."""

    id: list[str]
    group: list[str]
    label: list[str]
    defect_type: list[str]
    fold: list[int]


class NotSure(TypedDict):
    """The number of normal and of defective images with the verdict "not sure"."""

    normal: int
    defect: int


class ProbabilityAccount(TypedDict, total=False):
    """What a measurement says about verdicts and probabilities, by method.

    promised: the false-alarm rate that the thresholds of all folds are guaranteed to keep, or None. doubt:
    for each fold the calibrated score above which the verdict is "not sure"; None where no score is.
    probabilities: of a defect, for each image. reliability, patch_reliability: the calibration of the
    probabilities of images and of patches. Methods whose fusion gives no probability are missing in the last
    three.
    """

    not_sure: dict[str, NotSure]
    promised: dict[str, float | None]
    doubt: dict[str, list[float | None]]
    probabilities: dict[str, list[float]]
    reliability: dict[str, Reliability]
    patch_reliability: dict[str, Reliability]


class Account(ProbabilityAccount, total=False):
    """What a measurement says besides its figures, as JSON.

    rate: the false-alarm rate that recall is read at. intervals: {method: {metric: interval}}. at_rate,
    at_threshold: {method: images found} at that rate and at the method's own threshold. recall: {"at_rate",
    "at_threshold": how certain these are}. regions: {method: regions found at its own threshold of maps}.
    scores, calibrated: {method: a score for each image}.
    """

    rate: float
    intervals: dict[str, dict[str, Interval]]
    comparisons: list[MetricDifference]
    notes: list[str]
    regions: dict[str, RegionCounts]
    at_rate: dict[str, FoundByType]
    at_threshold: dict[str, FoundByType]
    recall: dict[str, RecallAccount]
    per_image: PerImage
    scores: dict[str, list[float]]
    calibrated: dict[str, list[float]]


class Cell(TypedDict):
    """What one draw measured. positive_rows: the size of its positive bank. seed, count: what was drawn."""

    figures: FiguresWithMasks
    fusion: str
    positive_rows: int
    seed: NotRequired[int]
    count: NotRequired[int]


class ByCount(TypedDict):
    """{count: {metric: mean or standard deviation over the seeds measured so far}}."""

    methods: dict[str, FiguresWithMasks]
    deviation: dict[str, FiguresWithMasks]


class RunResult(Account, total=False):
    """What a measurement found. Its kind and its age say which keys there are, those of `Account` included.

    methods, deviation: {method, or number of synthetic defects: figures}. banks: {method: name of its bank version}, or
    by folds the summary of each. changes: the last change of the bank versions. fusion: of "exdd", one or by fold.
    synthetic: the number of synthetic defects; in a stored sweep their ids. complete: False for an interrupted sweep.
    run: id of the stored run, and paper: the paper's figures; only in what a job or a command returns.
    """

    dataset: str
    state: int
    fingerprint: str
    bank: str
    bank_version: str
    banks: Mapping[str, str] | Sequence[Mapping[str, object]]
    changes: int | dict[str, int] | None
    fusion: str | list[str]
    fusions: dict[str, str]
    images: int
    defective: int
    synthetic: int | list[str]
    folds: int
    seed: int
    max_real_parts: int | None
    methods: dict[str, FiguresWithMasks]
    deviation: dict[str, FiguresWithMasks]
    per_fold: dict[str, list[FiguresWithMasks]]
    masks: MaskCounts | None
    seeds: int
    counts: list[int]
    cells: list[Cell]
    complete: bool
    libraries: dict[str, str]
    run: str
    paper: Mapping[str, Mapping[str, float]]
