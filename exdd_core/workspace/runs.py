"""Stored measurements ("runs"): their settings, bank version and all figures.

Every number on a page, in a table or in a report is from a run, so it can be traced and measured again: a run's `spec`
is the input of `jobs.kinds.KINDS[run.kind]`. A run that is not what was stored, by its digest, is never returned. Knows
rows and JSON. Does not know how anything is measured.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, TypedDict, cast

from exdd_core.errors import BadInput
from exdd_core.measurements import RunResult
from exdd_core.spec import Json
from exdd_core.workspace import dataset_states, names, run_digests
from exdd_core.workspace.clock import now

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

LAST = "last"
BULKY = ("per_image", "scores", "calibrated", "probabilities")  # left out of lists of runs
LIBRARIES = ("torch", "faiss-cpu", "faiss-gpu", "numpy", "scikit-learn", "opencv-python")


class RunSpec(TypedDict, total=False):
    """How a measurement was asked for, as `experiments.specs` reads it again.

    changes: the last change of its bank version, or of each of several. synthetic: ids of accepted defects.
    """

    dataset: str
    state: int
    bank: str | None
    base: str | None
    full: str | None
    changes: int | dict[str, int] | None
    folds: int | None
    fusion: str | None
    rate: float | None
    counts: list[int]
    seeds: int
    synthetic: list[str]
    without_missing: bool


@dataclass(frozen=True)
class Run:
    """One measurement."""

    id: str
    kind: str  # of `jobs.kinds.KINDS`
    title: str
    spec: RunSpec
    result: RunResult
    bank: str  # id of the bank version, "" where the measurement built its own
    created: str  # ISO 8601, UTC
    seconds: float


def store(
    workspace: Workspace,
    id: str,
    kind: str,
    title: str,
    spec: Mapping[str, object],
    result: Mapping[str, object],
    bank: str = "",
    seconds: float = 0.0,
) -> Run:
    """Store a measurement under the id of its job. It replaces an earlier one of that id."""
    _insert(
        workspace,
        {
            "id": id,
            "kind": kind,
            "title": title,
            "spec": _text(spec),
            "result": _text({**result, "libraries": _libraries()}),
            "bank": bank,
            "created": now("seconds"),
            "seconds": round(seconds, 2),
        },
    )
    return get(workspace, id)


def _insert(workspace: Workspace, row: Json) -> None:
    marks = ", ".join(f":{name}" for name in row)
    with workspace.writing() as db:
        db.execute(f"insert or replace into runs ({', '.join(row)}) values ({marks})", row)
        run_digests.take(db, "id = ?", [row["id"]])


def listed(workspace: Workspace, dataset: str | None = None, kind: str | None = None) -> list[Run]:
    """All runs, or those of one data set or kind, the newest first, with results without `BULKY`.

    Without damaged ones, which `damaged` names.
    """
    paths = ", ".join(f"'$.{name}'" for name in BULKY)
    columns = f"id, kind, title, spec, json_remove(result, {paths}) as result, bank, created, seconds"
    query = f"select {columns} from runs where {run_digests.WHOLE} order by created desc, rowid desc"
    with workspace.reading() as db:
        run_digests.prepare(db)
        found = [_run(row) for row in db.query(query)]
    return [
        run
        for run in found
        if (dataset is None or run.spec.get("dataset") == dataset) and (kind is None or run.kind == kind)
    ]


def without_bulky(result: RunResult) -> RunResult:
    """A result without the scores of images, which only the stored run holds."""
    return cast(RunResult, {key: value for key, value in result.items() if key not in BULKY})


def damaged(workspace: Workspace) -> list[str]:
    """A sentence on each run whose row is not what was stored."""
    query = f"select cast(id as blob) from runs where not {run_digests.WHOLE}"
    with workspace.reading() as db:
        run_digests.prepare(db)
        ids = [row[0].decode(errors="replace") for row in db.execute(query)]
    return [_damaged(id) for id in ids]


def _damaged(id: str) -> str:
    return (
        f"The stored measurement {id} is damaged: its figures are not what was measured, so they are not shown. "
        "Measure again, or restore a backup."
    )


def stamp(workspace: Workspace) -> str:
    """A text that changes whenever a run is added, deleted or replaced. Cheap."""
    with workspace.reading() as db:
        return str(db.execute("select count(*), max(rowid), max(created) from runs").fetchone())


def get(workspace: Workspace, id: str = LAST) -> Run:
    """The run of that id or prefix of an id; "last" for the newest. Raises `BadInput`."""
    with workspace.reading() as db:
        query = "select cast(id as blob) from runs order by created desc, rowid desc"
        ids = [row[0].decode(errors="replace") for row in db.execute(query)]
        matching = ids[:1] if id == LAST else [one for one in ids if one.startswith(id) and id]
        if id in ids:
            matching = [id]
        if len(matching) != 1:
            known = "is more than one" if matching else "is no"
            raise BadInput(f'There {known} stored measurement "{id}"; "runs list" shows them all.')
        run_digests.prepare(db)
        columns = "id, kind, title, spec, result, bank, created, seconds"
        query = f"select {columns} from runs where id = ? and {run_digests.WHOLE}"
        row = next(iter(db.query(query, matching)), None)
    if row is None:
        raise BadInput(_damaged(matching[0]))
    return _run(row)


def rename(workspace: Workspace, id: str, title: str) -> Run:
    """Give a run another title, and return it. Raises `BadInput`."""
    run, title = get(workspace, id), names.checked(title)
    if not title:
        raise BadInput("A measurement needs a name; enter one.")
    with workspace.writing() as db:
        db.execute("update runs set title = ? where id = ?", [title, run.id])
        run_digests.take(db, "id = ?", [run.id])
    return get(workspace, run.id)


def delete(workspace: Workspace, id: str) -> Run:
    """Delete a run and return it, for `restore`. Raises `BadInput`."""
    run = get(workspace, id)
    with workspace.writing() as db:
        db.execute("delete from runs where id = ?", [run.id])
    return run


def restore(workspace: Workspace, run: Run) -> None:
    """Store a deleted run again."""
    _insert(workspace, {**vars(run), "spec": _text(run.spec), "result": _text(run.result)})


def fingerprint(workspace: Workspace, dataset: str, state: int | None = None) -> str:
    """The digest of a data set's content in a state (None: the current one), which a run stores."""
    with workspace.reading() as db:
        return dataset_states.fingerprint(db, dataset, state)


def banks_of(run: Run) -> dict[str, str]:
    """{method: id of its bank version}; empty where every fold had banks of its own."""
    named = {
        "exdd": run.spec.get("bank"),
        "exdd_base": run.spec.get("base"),
        "exdd_full": run.spec.get("full"),
    }
    return {name: bank for name, bank in named.items() if bank and not run.spec.get("folds")}


def using(workspace: Workspace, bank: str) -> list[Run]:
    """The runs that measured a bank version, by its id, and cannot be measured again without it."""
    return [run for run in listed(workspace) if bank in banks_of(run).values()]


def settings(run: Run) -> Json:
    """The spec of a run and the facts of its result that describe it, flat."""
    made = (
        "state",
        "fingerprint",
        "bank_version",
        "banks",
        "changes",
        "fusion",
        "fusions",
        "images",
        "synthetic",
        "libraries",
    )
    known = {key: run.result.get(key) for key in made if key in run.result}
    if run.spec.get("folds"):
        known.pop("banks", None)  # every fold had its own, which are not stored
    before = {"state": dataset_states.FIRST}  # of runs from before data sets had states
    return flattened({**before, **run.spec, **known})


def _libraries() -> dict[str, str]:
    """The versions of installed libraries that figures depend on."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _run(row: Mapping[str, Any]) -> Run:
    parsed = {key: json.loads(row[key]) for key in ("spec", "result")}
    return Run(**{**row, **parsed})


def _text(value: Mapping[str, object]) -> str:
    return json.dumps(strict(value), allow_nan=False)


def strict(value: Any) -> Any:
    """The same value with None in place of NaN and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {str(key): strict(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def flattened(values: Mapping[str, object]) -> Json:
    """A flat copy of nested mappings, with keys joined by commas."""
    flat: Json = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}, {name}": inner for name, inner in flattened(value).items()}
        else:
            flat[key] = value
    return flat
