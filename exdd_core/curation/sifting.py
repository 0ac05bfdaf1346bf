"""The candidates of a data set by filters and order, counted and sorted by the database.

Knows what candidates can be told apart by. Does not know how a measure is taken, or how a candidate is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exdd_core.workspace.schema import MEASURES

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace import Workspace

TRAITS = ("prompt", "engine", "mask", "type")
FILTERS = (*TRAITS, *MEASURES)  # of a measure its light
LESS_IS_BETTER = ("clean", "plausible")
Filters = Mapping[str, str | None]  # by name of `FILTERS`; None lets everything pass


@dataclass(frozen=True)
class Sifted:
    """ids: of the first that pass the filters and have the status, in order. total: how many there are of them.

    counts: how many pass the filters, by status. options: what each filter may be set to among those of the status,
    and how many have that; the most frequent first.
    """

    ids: list[str]
    total: int
    counts: dict[str, int]
    options: dict[str, dict[str, int]]


def sift(workspace: Workspace, dataset: str, filters: Filters, status: str, sort: str, limit: int) -> Sifted:
    """The first `limit` candidates that pass, best first by a measure, or "newest" or "oldest" first.

    Those without the measure come last. status: "all" for every one that is neither deleted nor a draft.
    """
    where, values = _condition(filters)
    of_status, values["status"] = ":status in ('all', status)", status
    with _every(workspace, dataset) as db:
        counts = dict(
            db.execute(f"select status, count(*) from every where {where} group by status", values).fetchall()
        )
        query = f"select id from every where {where} and {of_status} order by {_order(sort)} limit :limit"
        ids = [row[0] for row in db.execute(query, values | {"limit": limit})]
        options = {
            name: dict(
                db.execute(
                    f"select {name}, count(*) from every where {of_status} group by 1 order by 2 desc, max(row) desc",
                    {"status": status},
                ).fetchall()
            )
            for name in FILTERS
        }
    total = sum(counts.values()) if status == "all" else counts.get(status, 0)
    return Sifted(ids, total, counts, options)


def passing(workspace: Workspace, dataset: str, filters: Filters) -> list[str]:
    """The ids of the pending candidates that pass the filters, the newest first."""
    where, values = _condition(filters)
    with _every(workspace, dataset) as db:
        query = f"select id from every where {where} and status = 'pending' order by row desc"
        return [row[0] for row in db.execute(query, values)]


@contextmanager
def _every(workspace: Workspace, dataset: str) -> Iterator[Database]:
    """A connection with the table `every`: a narrow row for each candidate that is neither deleted nor a draft."""
    lights = ", ".join(f"coalesce({name}_light, 'grey') as {name}" for name in MEASURES)
    figures = ", ".join(f"measures.{name} as {name}_value" for name in MEASURES)
    with workspace.reading() as db:
        db.execute(
            f"""create temp table every as
            select candidates.rowid as row, id, status, coalesce(nullif(template, ''), prompt) as prompt, engine,
                   coalesce(mask_source, '') as mask, defect_type as type, {lights}, {figures}
            from candidates left join measures on candidate = id where dataset = ?
            and status not in ('deleted', 'draft')""",
            [dataset],
        )
        try:
            yield db
        finally:
            db.execute("drop table every")


def _condition(filters: Filters) -> tuple[str, dict[str, object]]:
    values: dict[str, object] = {name: filters[name] for name in FILTERS if filters[name] is not None}
    return " and ".join(["true", *(f"{name} = :{name}" for name in values)]), values


def _order(sort: str) -> str:
    if sort not in MEASURES:
        return "row" if sort == "oldest" else "row desc"
    way = "" if sort in LESS_IS_BETTER else " desc"
    return f"{sort}_value is null, {sort}_value{way}, row desc"
