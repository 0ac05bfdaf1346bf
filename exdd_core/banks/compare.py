"""Two bank versions compared: what they hold, which settings differ, and how each was measured.

Knows versions, their changes and their measurements. Does not know how banks are built, nor pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exdd_core.banks.detectors import load_detector
from exdd_core.detector.coreset import covering_radius
from exdd_core.errors import BadInput
from exdd_core.sentences import percent
from exdd_core.workspace import bank_contents, runs

if TYPE_CHECKING:
    from exdd_core.detector.bank import Bank
    from exdd_core.workspace import BankVersion, Workspace

# A version for which no rebuild is due scores held-out images as a new build does, give or take this share of the
# scores' spread. Measured: 0.03 on 276 magnetic tiles with 20 accepted candidates (median 0.006; AUROC 0.909 and
# 0.906).
TOLERANCE = 0.05
SIDES = ("negative", "positive")
METRICS = ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap")


@dataclass(frozen=True)
class Side:
    """One bank of one version. radius: largest distance of a known patch of its kind to its rows; None where the
    version does not know any."""

    rows: int
    images: int
    radius: float | None


@dataclass(frozen=True)
class Measured:
    """The last measurement of a version on the test split. changes: how often its banks have changed since. method:
    what the run calls the version."""

    run: str
    metrics: dict[str, float | None]  # of METRICS
    images: int
    changes: int
    method: str = "exdd"


@dataclass(frozen=True)
class Comparison:
    """Two versions. sides: of each, by name. only: ids of the images that only one has rows of, by side. settings:
    those that differ. measured: None where a version was never measured."""

    versions: tuple[BankVersion, BankVersion]
    sides: tuple[dict[str, Side], dict[str, Side]]
    only: tuple[dict[str, list[str]], dict[str, list[str]]]
    settings: dict[str, tuple[Any, Any]]
    measured: tuple[Measured | None, Measured | None]


def compare(workspace: Workspace, first: str, second: str) -> Comparison:
    """Compare two versions as they are now, with every change since they were built. Raises BadInput."""
    a, b = workspace.bank(first), workspace.bank(second)
    if a.id == b.id:
        raise BadInput(f"{a.name} cannot be compared with itself; choose two bank versions.")
    sides_a, held_a = _sides(workspace, a)
    sides_b, held_b = _sides(workspace, b)
    keys = sorted((set(a.settings) | set(b.settings)) - {"made_for"})
    pairs = {key: (a.settings.get(key), b.settings.get(key)) for key in keys}
    pairs["region_of_interest"] = _region(workspace, a), _region(workspace, b)
    last = measured(workspace)
    return Comparison(
        (a, b),
        (sides_a, sides_b),
        (
            {side: sorted(held_a[side] - held_b[side]) for side in SIDES},
            {side: sorted(held_b[side] - held_a[side]) for side in SIDES},
        ),
        {key: pair for key, pair in pairs.items() if pair[0] != pair[1]},
        (last.get(a.id), last.get(b.id)),
    )


def _sides(workspace: Workspace, version: BankVersion) -> tuple[dict[str, Side], dict[str, set[str]]]:
    detector = load_detector(workspace, version.id)
    known = {
        "negative": (detector.negative, detector.fitted.examples.normals),
        "positive": (detector.positive, detector.fitted.examples.defects),
    }
    held = {side: _images(bank) for side, (bank, _) in known.items()}
    return {
        side: Side(
            len(bank) if bank else 0,
            len(held[side]),
            covering_radius(patches.rows, bank.rows) if bank and len(bank) and len(patches) else None,
        )
        for side, (bank, patches) in known.items()
    }, held


def _region(workspace: Workspace, version: BankVersion) -> str:
    """The share of an image that counts for a version, and a digest that tells regions of the same share apart."""
    detector = load_detector(workspace, version.id)
    region = detector.region
    if region is not None and not region.is_whole:
        return f"{percent(region.mask.mean())} of an image ({region.digest})"
    # Versions that were built before letterboxes were left out have no region.
    bordered = region is None and detector.settings.size.keep_aspect
    return "all of an image and the border of its letterbox" if bordered else "all of an image"


def _images(bank: Bank | None) -> set[str]:
    return set(bank.rows_by_image()) if bank else set()


def measured(workspace: Workspace) -> dict[str, Measured]:
    """The last measurement of every version that was measured on the test split of its data set with its own fusion, by
    its id."""
    found: dict[str, Measured] = {}
    versions = {version.id: version for version in workspace.banks()}
    for run in runs.listed(workspace):
        for bank, method, last in _versions_of(run):
            own, version = run.result.get("methods", {}).get(method), versions.get(bank)
            if bank in found or own is None or version is None or not isinstance(last, int):
                continue
            if run.result.get("dataset", version.dataset) != version.dataset:
                continue
            if run.kind == "evaluate" and run.spec.get("fusion") not in (None, version.summary.get("fusion")):
                continue
            metrics = {name: own.get(name) for name in METRICS}
            found[bank] = Measured(
                run.id, metrics, run.result.get("images", 0), changes(workspace, bank, last), method
            )
    return found


def _versions_of(run: runs.Run) -> list[tuple[str, str, Any]]:
    """The versions that a run measured on the test split: id, name of the method, and their last change then."""
    if run.kind == "evaluate":
        return [(run.bank, "exdd", run.result.get("changes"))]
    if run.kind != "table1":
        return []
    last = run.spec.get("changes")
    numbers = last if isinstance(last, dict) else {}
    of_method = runs.banks_of(run)
    return [(bank, name, numbers.get(name.removeprefix("exdd_"))) for name, bank in of_method.items()]


def changes(workspace: Workspace, id: str, after: int = 0) -> int:
    """Count the images whose rows in a bank differ from those after a change (0: from those that were built).

    id: of the version. An image that was added and removed again, or removed and put back, does not count.
    """
    with workspace.reading() as db:
        then, now = bank_contents.differing(db, id, after), bank_contents.differing(db, id)
    return sum(then.get(key) != now.get(key) for key in then.keys() | now.keys())
