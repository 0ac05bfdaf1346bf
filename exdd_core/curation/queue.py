"""The queue of candidates that wait for a decision, in the order of their measures.

Knows candidates and kept measures. Does not know how a measure is taken.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exdd_core.curation.measures import MEANINGS, Quality
from exdd_core.curation.sifting import LESS_IS_BETTER
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


# The number of the last change of the version :bank.
NEWEST = "coalesce((select max(id) from bank_changes where bank = :bank), 0)"
# Pending candidates of :dataset with whether their measures hold for the version :bank as it is now, and their effect
# for its banks after the change :start (null: the last one).
WAITING = f"""
    with now as (select id, rowid as row, :bank || ':' || {NEWEST} || ':' || {TRIMMED} as state,
                        :bank || ':' || coalesce(:start, {NEWEST}) || ':' || {TRIMMED} as start
                 from candidates where +dataset = :dataset and +status = 'pending' and OF),
    every as (select id, row, coalesce(measures.state = now.state, false) as measured,
                     coalesce(effect_state = now.start, false) as effect
              from now left join measures on candidate = id)"""
# In place of OF: of all candidates, by the index on these columns, or of a few, by their ids.
ALL = "dataset = :dataset and status = 'pending'"
FEW = "id in (select value from json_each(:ids))"


def waiting(
    workspace: Workspace, dataset: str, ids: Sequence[str] | None = None, start: int | None = None
) -> list[Waiting]:
    """The pending candidates of a data set (ids: of these), the newest first. Looks at no picture and at no bank.

    start: as `Judge.start` tells.
    """
    chosen, of = json.dumps(list(ids or [])), ALL if ids is None else FEW
    return _waiting(workspace, dataset, "order by row desc", of, ids=chosen, start=start)


def late(workspace: Workspace, dataset: str, without: Collection[str], start: int | None = None) -> int:
    """How many pending candidates wait for being measured. without: ids that do not count."""
    values = _values(workspace, dataset) | {"start": start, "without": json.dumps(list(without))}
    with workspace.reading() as db:
        query = f"{WAITING.replace('OF', ALL)} select count(*) from every where {LATE}"
        return int(db.execute(query, values).fetchone()[0])


def next_late(
    workspace: Workspace,
    dataset: str,
    without: Collection[str],
    wanted: Sequence[str],
    start: int | None = None,
    most: int = 1,
) -> list[Waiting]:
    """The candidates to measure next: the first of those that are wanted, then the others of them, then the rest.

    Among these, one that was not measured at all comes before one whose effect alone is late, the newest first.
    """
    first = wanted[0] if wanted else ""
    order = "id <> :first, id not in (select value from json_each(:wanted)), measured, row desc"
    given = {"first": first, "wanted": json.dumps(list(wanted)), "without": json.dumps(list(without))}
    return _waiting(workspace, dataset, f"where {LATE} order by {order} limit {most}", start=start, **given)


LATE = "not (measured and effect) and id not in (select value from json_each(:without))"


def _waiting(
    workspace: Workspace, dataset: str, clause: str, of: str = ALL, **given: str | int | None
) -> list[Waiting]:
    query = f"{WAITING.replace('OF', of)} select id, measured, effect from every {clause}"
    with workspace.reading() as db:
        rows = db.execute(query, _values(workspace, dataset) | given).fetchall()
    return [Waiting(id, bool(measured), bool(effect)) for id, measured, effect in rows]


def _values(workspace: Workspace, dataset: str) -> dict[str, str | int | None]:
    version = workspace.active_bank()
    return {"bank": version.id if version else "", "dataset": dataset}


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
    sign = 1 if order in LESS_IS_BETTER else -1

    def place(pair: tuple[Candidate, Quality | None]) -> tuple[bool, float]:
        value = getattr(pair[1], order).value if pair[1] else None
        return value is None, sign * (value or 0.0)

    return sorted(found, key=place)
