"""Bank versions beside each other: what two of them hold, how far one has drifted, and what a rebuild would take.

Also takes an image out of a bank so that it can be put back. Knows the workspace's versions, its measurements and
what people decided. Does not know how banks are built, nor pages.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from exdd_core import candidates, curation, history, images, runs
from exdd_core.detector.coreset import covering_radius
from exdd_core.errors import BadInput
from exdd_core.sentences import count
from exdd_core.workspace import FORMER

if TYPE_CHECKING:
    from exdd_core.detector.bank import Bank
    from exdd_core.detector.detector import Drift
    from exdd_core.workspace import BankVersion, Workspace

UNCOVERED = 0.05  # share of known defect patches that no row is near, at which a rebuild is due
LOOSE = 1.5  # times the radius that a rebuild would reach
GROWN = 2.0  # times the rows that were built
# What drifts less scores held-out images as a bank built anew does, give or take this share of the scores' spread.
# Measured: 0.03 on 276 magnetic tiles with 20 accepted candidates (median 0.006; AUROC 0.909 and 0.906).
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
    """The last measurement of a version on the test split. changes: how often its banks have changed since."""

    run: str
    metrics: dict[str, float | None]  # of METRICS
    images: int
    changes: int


@dataclass(frozen=True)
class Comparison:
    """Two versions. sides: of each, by name. only: ids of the images that only one has rows of, by side. settings:
    those that differ. measured: None where a version was never measured."""

    versions: tuple[BankVersion, BankVersion]
    sides: tuple[dict[str, Side], dict[str, Side]]
    only: tuple[dict[str, list[str]], dict[str, list[str]]]
    settings: dict[str, tuple[Any, Any]]
    measured: tuple[Measured | None, Measured | None]


@dataclass(frozen=True)
class State:
    """How far a version has come from what a build would make of the same images, and in words whether one is due.

    behind: whether it does not follow what people decided, which `catch_up` mends without a build.
    """

    drift: Drift
    due: bool
    behind: bool
    sentence: str


# --- two versions ---------------------------------------------------------------------------------------------


def compare(workspace: Workspace, first: str, second: str) -> Comparison:
    """What two versions hold, with all that has come to their banks since. Raises BadInput for an unknown one."""
    a, b = workspace.bank(first), workspace.bank(second)
    if a.id == b.id:
        raise BadInput(f"{a.name} cannot be compared with itself; choose two bank versions.")
    sides_a, held_a = _sides(workspace, a)
    sides_b, held_b = _sides(workspace, b)
    keys = sorted(set(a.settings) | set(b.settings))
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
    detector = workspace.detector(version.id)
    known = {
        "negative": (detector.negative, detector.learnt),
        "positive": (detector.positive, detector.defects),
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
    """What of an image counts for a version; the letters are its region's alone, where two cover the same share."""
    region = workspace.detector(version.id).region
    return "all of an image" if region is None else f"{region.mask.mean():.0%} of an image ({region.digest})"


def _images(bank: Bank | None) -> set[str]:
    return set(bank.rows_by_image()) if bank else set()


def measured(workspace: Workspace) -> dict[str, Measured]:
    """The last measurement of every version that was measured on the test split of its data set, by its id."""
    found: dict[str, Measured] = {}
    for run in runs.listed(workspace, kind="evaluate"):
        own = run.result.get("methods", {}).get("exdd")
        if run.bank in found or own is None or "changes" not in run.result:
            continue
        since = changes(workspace, run.bank, run.result["changes"])
        metrics = {name: own.get(name) for name in METRICS}
        found[run.bank] = Measured(run.id, metrics, run.result.get("images", 0), since)
    return found


def changes(workspace: Workspace, id: str, after: int = 0) -> int:
    """How many images are otherwise in a bank of the version of this id than after that change (0: when it was built).

    What came and went again, or left and returned as it was, does not count.
    """
    with workspace.reading() as db:
        then, now = history.standing(db, id, after).there, history.standing(db, id).there
    return sum(then.get(key) != now.get(key) for key in then.keys() | now.keys())


def former(workspace: Workspace) -> BankVersion | None:
    """The version that `Workspace.roll_back` would make active again."""
    there = {bank.id: bank for bank in workspace.banks() if not bank.active}
    known = [id for id in workspace.setting(FORMER, []) if id in there]
    return there[known[-1]] if known else None


# --- one that has drifted -------------------------------------------------------------------------------------


def state(workspace: Workspace, id: str | None = None) -> State:
    """Whether a version (None: the active one) should be built again. Takes a second or two."""
    version = workspace.bank(id)
    detector = workspace.detector(version.id)
    found = detector.drift()
    reasons = []
    if found.uncovered > UNCOVERED:
        reasons.append(f"{found.uncovered:.0%} of the known defects' patches have no row near them any more")
    if found.fresh_radius and found.radius > LOOSE * found.fresh_radius:
        times = found.radius / found.fresh_radius
        reasons.append(f"its rows lie {times:.1f} times as far apart as after a build")
    if found.built and found.rows > GROWN * found.built:
        reasons.append(f"its positive bank has grown from {found.built:,} to {found.rows:,} rows")
    if not detector.can_change:
        reasons.append("it is of an older kind whose banks cannot be changed")
    more = found.rows - found.built
    grown = f" ({abs(more):,} {'more' if more > 0 else 'fewer'} than were built)" if more else ""
    if reasons:
        said = f"A full rebuild is due: {'; '.join(reasons)}."
    elif not found.rows:
        said = "No rebuild is due: this version knows normal surface only."
    else:
        said = f"No rebuild is due: {found.rows:,} defect rows{grown} cover what is known as well as a build would."
        said += f" Scores agree with one within {TOLERANCE:.0%} of their spread." if more else ""
    behind = _behind(workspace, version)
    return State(found, bool(reasons), bool(behind), f"{behind} {said}".strip())


def _behind(workspace: Workspace, version: BankVersion) -> str:
    """What people decided and this version does not follow, as after rolling back to it, in words."""
    lacks, surplus = lacking(workspace, version.id)
    words = ("candidate is", "candidates are")
    said = [f"{count(len(lacks), *(f'accepted {word}' for word in words))} not in it"] if lacks else []
    said += [f"{count(len(surplus), *words)} in it though no longer accepted"] if surplus else []
    return f"It does not follow what was decided: {'; '.join(said)}." if said else ""


def lacking(workspace: Workspace, id: str | None = None) -> tuple[list[str], list[str]]:
    """Accepted candidates that a version should hold and does not, and those it holds that are accepted no longer.

    One that was built without the candidates there were then, as somebody chose, should hold the later ones only.
    """
    version = workspace.bank(id)
    detector = workspace.detector(version.id)
    every = version.settings.get("positives") in ("both", "synthetic")
    accepted = curation.in_force(workspace, "accept", dataset=version.dataset)
    began = datetime.fromisoformat(version.created) - timedelta(seconds=version.seconds)
    wanted = {d.subject for d in accepted if every or datetime.fromisoformat(d.created) > began}
    held = {i.id for i in detector.positive.images if i.origin == "synthetic"} if detector.positive else set()
    if version.settings.get("positives") == "none" and not held:
        return [], []
    return sorted(wanted - held), sorted(held - {d.subject for d in accepted})


def catch_up(workspace: Workspace, who: str) -> curation.Decided:
    """Bring the active version in line with what is accepted now, as after rolling back to an older one."""
    lacks, surplus = lacking(workspace)
    if not lacks and not surplus:
        raise BadInput("The active version follows what was decided already.")
    return curation.align(workspace, lacks, surplus, who)


def rebuild_spec(workspace: Workspace, id: str | None = None) -> dict[str, Any]:
    """What the job "build" takes to build a version (None: the active one) again, of what is known and decided now."""
    version = workspace.bank(id)
    kept = version.settings
    positives = kept.get("positives", "real")
    if positives == "real" and candidates.count(workspace, version.dataset, "accepted"):
        positives = "both"  # what was accepted has come to it since, and is to stay
    names = (
        "max_real_parts",
        "seed",
        "negative_ratio",
        "positive_ratio",
        "size",
        "keep_aspect",
        "backbone",
        "fusion",
    )
    return {"dataset": version.dataset, "positives": positives} | {name: kept.get(name) for name in names}


# --- an image that leaves a bank -------------------------------------------------------------------------------


def drop(workspace: Workspace, image: str, side: str, who: str) -> curation.Decided:
    """`curation.drop`: out of a bank ("positive" or "negative") of the active version; `put_back` is the undo."""
    if side not in SIDES:
        raise BadInput(f'There is no {side} bank; choose "positive" or "negative".')
    decided = curation.drop(workspace, image, side, who)
    painted = side == "positive" and not image.startswith("file:") and "/" not in image
    again = " The candidate is pending again." if painted else ""
    said = f"Dropped it: {abs(decided.rows):,} rows left {decided.bank}.{again}"
    return replace(decided, sentence=said)


def put_back(workspace: Workspace, image: str, who: str) -> curation.Decided:
    """Take the last `drop` of an image back, whichever way it left: a decision that it undid is made again."""
    decided = _put_back(workspace, image, who)
    return replace(decided, sentence=f"Put it back: {decided.rows:,} rows came to {decided.bank}.")


def _put_back(workspace: Workspace, image: str, who: str) -> curation.Decided:
    past = curation.decisions(workspace, image)
    last = past[0] if past else None
    if last is not None and last.action == "drop":
        return curation.undo(workspace, last.id, who)
    before = next((d for d in past if last is not None and d.id == last.detail.get("of")), None)
    if last is None or last.action != "undo" or before is None:
        raise BadInput("This image was not dropped, or somebody has decided on it since.")
    if before.action == "accept":
        return curation.accept(workspace, [image], who)
    if before.action not in ("missed", "false_alarm"):
        raise BadInput("This image was not dropped, or somebody has decided on it since.")
    path = workspace.path / before.detail["path"]
    mask = images.read_mask(workspace.path / curation.MASKS / before.detail["mask"], None, "the mask")
    if before.action == "missed":
        return curation.missed(workspace, image, path, mask, who, before.detail["defect_type"])
    return curation.false_alarm(workspace, image, path, who, mask)
