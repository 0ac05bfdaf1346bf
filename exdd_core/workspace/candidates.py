"""Candidates: painted defects that wait for a decision, each a folder of three pictures and a row.

    candidates/ID/image.png    the image with the defect, lossless
    candidates/ID/mask.png     the measured mask: where the image visibly differs from its source
    candidates/ID/drawn.png    the drawn mask: where the engine was allowed to paint
    candidates/ID/candidate.json    a copy of its row

A folder is written whole and renamed into place before its row is inserted. No file is ever removed: a deleted
candidate has the status "deleted" and can be restored. A new one is "pending", or a "draft", which waits for no
decision until somebody keeps it. Knows how candidates are stored and found. Does not know how they are painted,
measured or decided on.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from exdd_core.errors import BadInput
from exdd_core.images import encode_png, probe, read_mask
from exdd_core.progress import Progress
from exdd_core.spec import Json
from exdd_core.synthesis.orders import Axis
from exdd_core.workspace import copies, decisions
from exdd_core.workspace.clock import now
from exdd_core.workspace.drawn_masks import MASKS
from exdd_core.workspace.placing import making, placed

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.synthesis.orders import Recipe
    from exdd_core.synthesis.request import Painting
    from exdd_core.workspace import Workspace

FOLDER = "candidates"
STATUSES = ("draft", "pending", "accepted", "rejected", "deleted")


@dataclass(frozen=True)
class Candidate:
    """One painted defect with its complete record: the same record gives the same pixels.

    source: id of the image it was painted into. mask_spec: the `MaskSpec` as JSON. settings: the engine's, complete.
    notes: sentences of the engine. donor: id of the image that lent a mask or a defect, "" for none. taught_by: the
    physical parts whose images the engine was taught with. parent: the candidate that it is a variant of. axes: its
    cell of a comparison, a list of {"name", "values", "index"}. job, number: the job and the number of its recipe; ""
    and None without a job. quality: measures of curation, {} before they are computed. seconds: time that painting
    took.
    """

    id: str
    dataset: str
    source: str
    engine: str
    engine_version: str
    prompt_id: str
    template: str
    prompt: str
    negative_prompt: str
    settings: Json
    seed: int
    mask_spec: Json
    notes: list[str]
    donor: str
    taught_by: list[str]
    axes: list[Axis]
    defect_type: str
    parent: str
    job: str
    number: int | None
    seconds: float
    created: str
    status: str
    quality: Json
    folder: Path

    @property
    def image(self) -> Path:
        return self.folder / "image.png"

    @property
    def mask(self) -> Path:
        """The file of the measured mask."""
        return self.folder / "mask.png"

    @property
    def drawn(self) -> Path:
        return self.folder / "drawn.png"

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of its image in pixels."""
        return probe(self.image)


def add(
    workspace: Workspace,
    painting: Painting,
    recipe: Recipe,
    drawn: np.ndarray,
    job: str = "",
    number: int | None = None,
    draft: bool = False,
) -> Candidate:
    """Store a painting as a pending candidate or a draft. A second one with the same `job` and `number` changes
    nothing.

    drawn: the mask it was painted into, bool (H, W). Raises `BadInput` where it cannot be stored.
    """
    if job and (known := of_job(workspace, job, number)):
        return known
    files = {"image.png": painting.image, "mask.png": painting.mask, "drawn.png": drawn}
    encoded = {name: encode_png(pixels) for name, pixels in files.items()}  # encoded before the lock is taken
    row = _row(painting, recipe, job, number) | {"status": "draft" if draft else "pending"}
    with making(workspace, workspace.path / FOLDER, "painting", Progress()) as temporary:
        if job and (known := of_job(workspace, job, number)):
            return known
        whole = temporary / "whole"
        whole.mkdir()
        for name, content in encoded.items():
            (whole / name).write_bytes(content)
        (whole / copies.CANDIDATE).write_text(copies.candidate_text(row), encoding="utf-8")
        with placed(workspace, whole, workspace.path / FOLDER / str(row["id"])) as db:
            db.table("candidates").insert(row)
    return get(workspace, str(row["id"]))


def _row(painting: Painting, recipe: Recipe, job: str, number: int | None) -> Json:
    extra = {"notes": painting.notes, "donor": recipe.donor, "axes": recipe.axes}
    extra |= {"taught_by": painting.taught_by} if painting.taught_by else {}
    return {
        "id": uuid.uuid4().hex[:12],
        "dataset": recipe.dataset,
        "source": recipe.source,
        "engine": painting.engine,
        "engine_version": painting.engine_version,
        "prompt_id": recipe.prompt_id,
        "template": recipe.template,
        "prompt": recipe.prompt,
        "negative_prompt": recipe.negative_prompt,
        "settings": json.dumps(painting.settings),
        "seed": painting.seed,
        "mask": json.dumps(recipe.mask.to_json()),
        "notes": json.dumps(extra),
        "defect_type": recipe.defect_type,
        "parent": recipe.parent,
        "job": job or None,
        "number": number if job else None,
        "seconds": round(painting.seconds, 3),
        "created": now(),
        "quality": "{}",
        "mask_source": recipe.mask.source,
    }


def listed(
    workspace: Workspace,
    dataset: str | None = None,
    status: str | None = None,
    engine: str | None = None,
    prompt_id: str | None = None,
    job: str | None = None,
    defect_type: str | None = None,
    limit: int = -1,
    offset: int = 0,
) -> list[Candidate]:
    """Candidates, the newest first. None does not filter, but deleted ones are only found by their status."""
    others = {"engine": engine, "prompt_id": prompt_id, "job": job, "defect_type": defect_type}
    condition, values = _condition(dataset, status, **others)
    with workspace.reading() as db:
        query = f"select * from candidates where {condition} order by rowid desc limit :limit offset :offset"
        rows = list(db.query(query, values | {"limit": limit, "offset": offset}))
    return [_candidate(workspace, row) for row in rows]


def pending_and_accepted(workspace: Workspace, dataset: str) -> list[Candidate]:
    """The candidates of a data set that wait for a decision, then those that were accepted, each the newest first."""
    return [one for status in ("pending", "accepted") for one in listed(workspace, dataset, status)]


def count(
    workspace: Workspace, dataset: str | None = None, status: str | None = None, **others: str | None
) -> int:
    """The number of candidates that `listed` finds without a limit."""
    condition, values = _condition(dataset, status, **others)
    with workspace.reading() as db:
        return int(db.execute(f"select count(*) from candidates where {condition}", values).fetchone()[0])


def _condition(dataset: str | None, status: str | None, **others: str | None) -> tuple[str, dict[str, str]]:
    given = {"dataset": dataset, "status": status} | others
    wanted = {name: value for name, value in given.items() if value is not None}
    terms = [f"{name} = :{name}" for name in wanted] + ([] if status else ["status <> 'deleted'"])
    return " and ".join(terms), wanted


def get(workspace: Workspace, id: str) -> Candidate:
    """The candidate of that id. Raises `BadInput` where there is none."""
    with workspace.reading() as db:
        row = next(iter(db.query("select * from candidates where id = ?", [id])), None)
    if row is None:
        raise BadInput(f'There is no candidate "{id}" in this workspace.')
    return _candidate(workspace, row)


def of_ids(workspace: Workspace, ids: Sequence[str]) -> list[Candidate]:
    """These candidates in this order; those that there are not are left out."""
    query = "select * from candidates where id in (select value from json_each(?))"
    with workspace.reading() as db:
        found = {row["id"]: row for row in db.query(query, [json.dumps(list(ids))])}
    return [_candidate(workspace, found[id]) for id in ids if id in found]


def types(workspace: Workspace, dataset: str) -> list[str]:
    """The types of defect that candidates of a data set have, deleted ones left out."""
    query = "select distinct defect_type from candidates where dataset = ? and status <> 'deleted'"
    with workspace.reading() as db:
        return [row[0] for row in db.execute(query, [dataset])]


def of_job(workspace: Workspace, job: str, number: int | None) -> Candidate | None:
    """The candidate of a job's recipe `number`, deleted or not; None where there is none."""
    with workspace.reading() as db:
        found = db.query("select * from candidates where job = ? and number = ?", [job, number])
        row = next(iter(found), None)
    return _candidate(workspace, row) if row else None


def numbers(workspace: Workspace, job: str) -> set[int]:
    """The numbers of a job's recipes that have candidates, deleted ones included."""
    with workspace.reading() as db:
        return {row[0] for row in db.execute("select number from candidates where job = ?", [job])}


def _candidate(workspace: Workspace, row: Mapping[str, Any]) -> Candidate:
    values = dict(row) | {name: json.loads(row[name]) for name in ("settings", "quality", "notes")}
    del values["mask_source"]  # a copy of a field of `mask`
    extra = values.pop("notes")  # the column "notes" also holds the fields without a column
    values |= {name: extra[name] for name in ("notes", "donor", "axes")}
    values["taught_by"] = extra.get("taught_by", [])
    values["mask_spec"] = json.loads(values.pop("mask"))
    return Candidate(**values | {"job": row["job"] or "", "folder": workspace.path / FOLDER / row["id"]})


def keep(workspace: Workspace, ids: Iterable[str]) -> list[str]:
    """Make drafts pending candidates and return the ids of those that were drafts."""
    return _change(workspace, ids, "draft", "pending")


def delete_undecided(workspace: Workspace, ids: Iterable[str]) -> list[str]:
    """Delete drafts and pending candidates and return the ids of those; `restore` brings them back."""
    chosen = list(ids)
    drafts = _change(workspace, chosen, "draft", "deleted")
    return [*drafts, *_change(workspace, chosen, "pending", "deleted")]


def restore(workspace: Workspace, ids: Iterable[str], draft: bool = False) -> list[str]:
    """Make deleted candidates pending or drafts again and return the ids of those that were deleted."""
    return _change(workspace, ids, "deleted", "draft" if draft else "pending")


def _change(workspace: Workspace, ids: Iterable[str], old: str, new: str) -> list[str]:
    with workspace.writing() as db:
        return [id for id in ids if _changed(db, id, old, new)]


def _changed(db: Database, id: str, old: str, new: str) -> bool:
    found = db.execute("update candidates set status = ? where id = ? and status = ?", [new, id, old])
    return found.rowcount == 1


def mask_of(workspace: Workspace, candidate: Candidate) -> np.ndarray:
    """The valid mask, bool (H, W): the measured one, or the one that somebody trimmed."""
    trims = decisions.in_force(workspace, "trim", subject=candidate.id)
    file = workspace.path / MASKS / trims[-1].detail["mask"] if trims else candidate.mask
    return read_mask(file, None, "the mask")
