"""Whether a bank version should be built again, and which decisions it does not follow.

Knows versions, decisions and detectors. Does not know how a version is brought in line.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from exdd_core.banks.compare import TOLERANCE
from exdd_core.banks.detectors import load_detector
from exdd_core.detector.change import drift
from exdd_core.sentences import count, percent
from exdd_core.workspace import decisions

if TYPE_CHECKING:
    from exdd_core.detector.records import Drift
    from exdd_core.workspace import BankVersion, Workspace

# A rebuild is due when a version exceeds one of these.
UNCOVERED = 0.05  # share of known defect patches outside the covering radius of every row
LOOSE = 1.5  # covering radius, in multiples of that after a rebuild
GROWN = 2.0  # rows of the positive bank, in multiples of those that were built


@dataclass(frozen=True)
class State:
    """How a version differs from what a build would make of the same images, and a sentence on whether one is due.

    behind: whether it does not follow all decisions; `aligning.catch_up` corrects that without a build.
    """

    drift: Drift
    due: bool
    behind: bool
    sentence: str


def state(workspace: Workspace, id: str | None = None) -> State:
    """Whether a version (None: the active one) should be built again. Takes a second or two."""
    version = workspace.bank(id)
    detector = load_detector(workspace, version.id)
    found = drift(detector.fitted)
    reasons = []
    if found.uncovered > UNCOVERED:
        reasons.append(
            f"{percent(found.uncovered)} of the known defects' patches are no longer covered by bank rows"
        )
    if found.fresh_radius and found.radius > LOOSE * found.fresh_radius:
        times = found.radius / found.fresh_radius
        reasons.append(f"its covering radius is {times:.1f} times that of a new build")
    if found.built and found.rows > GROWN * found.built:
        reasons.append(f"its positive bank has grown from {found.built:,} to {count(found.rows, 'row')}")
    if not detector.fitted.can_change and not version.imported:
        reasons.append("it has an older format whose banks cannot be changed")
    more = found.rows - found.built
    grown = f" ({abs(more):,} {'more' if more > 0 else 'fewer'} than at the build)" if more else ""
    if reasons:
        said = f"A full rebuild is due: {'; '.join(reasons)}."
    elif not found.rows:
        said = "No rebuild is due: this version knows normal surface only."
    else:
        said = (
            f"No rebuild is due: {count(found.rows, 'defect row')}{grown} cover{'s' if found.rows == 1 else ''} "
            "the known defects as well as a new build would."
        )
        if more:
            said += (
                f" Its scores agree with those of a new build within {percent(TOLERANCE)} of their spread."
            )
    behind = _behind(workspace, version)
    return State(found, bool(reasons), bool(behind), f"{behind} {said}".strip())


def _behind(workspace: Workspace, version: BankVersion) -> str:
    """A sentence on the decisions that a version does not follow, as after rolling back to it; "" for none."""
    lacks, surplus = lacking(workspace, version.id)
    words = ("candidate is", "candidates are")
    said = [f"{count(len(lacks), *(f'accepted {word}' for word in words))} not in it"] if lacks else []
    said += [f"{count(len(surplus), *words)} in it although no longer accepted"] if surplus else []
    return f"It does not follow all decisions: {'; '.join(said)}." if said else ""


def lacking(workspace: Workspace, id: str | None = None) -> tuple[list[str], list[str]]:
    """Accepted candidates that a version lacks, and candidates that it holds though they are accepted no longer.

    A version whose build left out the candidates of that time should hold only those accepted since.
    """
    version = workspace.bank(id)
    detector = load_detector(workspace, version.id)
    every = version.settings.get("positives") in ("both", "synthetic")
    accepted = decisions.in_force(workspace, "accept", dataset=version.dataset)
    began = datetime.fromisoformat(version.created) - timedelta(seconds=version.seconds)
    wanted = {d.subject for d in accepted if every or datetime.fromisoformat(d.created) > began}
    held = {i.id for i in detector.positive.images if i.origin == "synthetic"} if detector.positive else set()
    if version.settings.get("positives") == "none" and not held:
        return [], []
    return sorted(wanted - held), sorted(held - {d.subject for d in accepted})
