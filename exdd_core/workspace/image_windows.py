"""The images of a data set a window at a time: filtered, counted and ordered by the database.

Knows rows and indexes. Does not know pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exdd_core.workspace.columns import image_rows

if TYPE_CHECKING:
    from exdd_core.workspace import ImageRow, Workspace


@dataclass(frozen=True)
class Which:
    """Which images of a data set that count; None filters nothing. size: (width, height) in pixels. words: a part of
    the path, in any case."""

    dataset: str
    split: str | None = None
    label: str | None = None
    defect_type: str | None = None
    size: tuple[int, int] | None = None
    words: str = ""

    def condition(self) -> tuple[str, list[str | int]]:
        """The condition of a query on `images`, and its values."""
        width, height = self.size or (None, None)
        wanted = {"split": self.split, "label": self.label, "defect_type": self.defect_type}
        given = {k: v for k, v in (wanted | {"width": width, "height": height}).items() if v is not None}
        terms = ["dataset = ?", "retired is null", *(f"{name} = ?" for name in given)]
        values: list[str | int] = [self.dataset, *given.values()]
        if self.words:
            terms, values = [*terms, "instr(lower(path), lower(?))"], [*values, self.words]
        return " and ".join(terms), values


def window(workspace: Workspace, which: Which, start: int, limit: int) -> list[ImageRow]:
    """Images number `start` and on, in natural order."""
    where, values = which.condition()
    query = f"select * from images where {where} order by place limit ? offset ?"
    with workspace.reading() as db:
        rows = image_rows(db, query, [*values, limit, start])
    return workspace.image_rows(which.dataset, rows)


def listed(workspace: Workspace, which: Which) -> list[tuple[str, str, str, str, int, int, str]]:
    """Id, path in the data set, label, type, width, height and mask ("" for none) of all, in natural order."""
    where, values = which.condition()
    fields = "id, path, label, defect_type, width, height, coalesce(mask, '')"
    query = f"select {fields} from images where {where} order by place"
    with workspace.reading() as db:
        return db.execute(query, values).fetchall()


def count(workspace: Workspace, which: Which) -> int:
    """How many there are."""
    where, values = which.condition()
    with workspace.reading() as db:
        return int(db.execute(f"select count(*) from images where {where}", values).fetchone()[0])


def number_of(workspace: Workspace, which: Which, id: str) -> int:
    """The number of an image among them, -1 where it is not one of them."""
    where, values = which.condition()
    with workspace.reading() as db:
        row = db.execute(f"select place from images where {where} and id = ?", [*values, id]).fetchone()
        if row is None:
            return -1
        before = f"select count(*) from images where {where} and place < ?"
        return int(db.execute(before, [*values, row[0]]).fetchone()[0])


def types(workspace: Workspace, which: Which) -> list[str]:
    """Their types of defect, in order, without ""."""
    where, values = which.condition()
    query = (
        f"select distinct defect_type from images where {where} and defect_type <> '' order by defect_type"
    )
    with workspace.reading() as db:
        return [row[0] for row in db.execute(query, values)]
