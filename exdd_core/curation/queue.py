"""The queue of candidates that wait for a decision, in the order of their measures.

Knows candidates and kept measures. Does not know how a measure is taken.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exdd_core.curation.measures import MEANINGS, Quality
from exdd_core.detector import Detector
from exdd_core.detector.change import examine
from exdd_core.detector.examples import Marked
from exdd_core.errors import BadInput
from exdd_core.workspace import candidates
from exdd_core.workspace.candidates import Candidate

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace import Workspace

# The last decision that may have changed a candidate's mask, as the name of that mask.
TRIMMED = """coalesce((select max(id) from decisions where candidate = candidates.id
    and action in ('trim', 'undo')), 0)"""


def group_of(detector: Detector, engine: str, marked: Marked) -> str:
    """The group that a recommendation tries a candidate with: its engine, and whether it is clearly visible or faint.

    "" for a candidate none of whose patches differs from normal surface.
    """
    seen = examine(detector.fitted, marked)
    if not seen.clean.any():
        return ""
    visible = float((seen.distances.mean(-1) > detector.fitted.reference.visible_from).mean())
    return f"{engine}, {'visible' if visible >= 0.5 else 'faint'}"


def kept_quality(candidate: Candidate) -> Quality | None:
    """The stored measures of a candidate, even where the bank has changed since; None where there are none."""
    try:
        return Quality.from_json(candidate.quality) if candidate.quality else None
    except (KeyError, TypeError, ValueError):
        return None  # stored by another version of this program


def keep_quality(db: Database, id: str, quality: Quality) -> None:
    """Store the measures of a candidate, in a transaction that the caller has begun."""
    db.execute("update candidates set quality = ? where id = ?", [json.dumps(quality.to_json()), id])
    row: dict[str, object] = {"candidate": id, "state": quality.state, "effect_state": quality.effect_state}
    for measure in quality.measures:
        row |= {measure.name: measure.value, f"{measure.name}_light": measure.light}
    db.table("measures").upsert(row, pk="candidate")


@dataclass(frozen=True)
class Waiting:
    """A pending candidate, and whether its measures and its effect hold for the active version as it is now."""

    id: str
    measured: bool
    effect: bool


def waiting(workspace: Workspace, dataset: str) -> list[Waiting]:
    """All pending candidates of a data set, the newest first. Cheap: looks at no picture and at no bank."""
    version = workspace.active_bank()
    now = f"coalesce((select max(id) from bank_changes where bank = :bank), 0) || ':' || {TRIMMED}"
    query = f"""
        with now as (select id, rowid as row, :bank || ':' || {now} as state from candidates
                     where dataset = :dataset and status = 'pending')
        select id, measures.state = now.state, effect_state = now.state
        from now left join measures on candidate = id order by row desc"""
    with workspace.reading() as db:
        rows = db.execute(query, {"bank": version.id if version else "", "dataset": dataset}).fetchall()
    return [Waiting(id, bool(measured), bool(effect)) for id, measured, effect in rows]


def queue(
    workspace: Workspace, dataset: str | None = None, order: str = "effect", **filters: Any
) -> list[tuple[Candidate, Quality | None]]:
    """Pending candidates with the measures kept of them, best first by one of them, or "newest" or "oldest".

    filters: engine, prompt_id, defect_type or job as `candidates.listed` takes them. Those without measures come last.
    """
    found = [(c, kept_quality(c)) for c in candidates.listed(workspace, dataset, "pending", **filters)]
    if order == "oldest":
        return found[::-1]
    if order == "newest":
        return found
    if order not in MEANINGS:
        raise BadInput(
            f'Candidates cannot be sorted by "{order}"; choose {", ".join(MEANINGS)}, newest or oldest.'
        )
    sign = 1 if order in ("clean", "plausible") else -1  # of those, less is better

    def place(pair: tuple[Candidate, Quality | None]) -> tuple[bool, float]:
        value = getattr(pair[1], order).value if pair[1] else None
        return value is None, sign * (value or 0.0)

    return sorted(found, key=place)
