"""Stored measurements: what was measured, with which settings and bank version, and every figure that came out.

Every number that a page, a table or a report shows is from here, so it can be traced and measured again: a run's
`spec` is what `jobs.kinds.KINDS[run.kind]` takes to repeat it. Knows rows and JSON. Does not know how anything is
measured.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from exdd_core.errors import BadInput
from exdd_core.workspace import dataset_states
from exdd_core.workspace.clock import now

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace import Workspace

LAST = "last"
BULKY = ("per_image", "scores", "calibrated", "probabilities")  # what a list of runs does without
LIBRARIES = ("torch", "timm", "faiss-cpu", "faiss-gpu", "numpy", "scikit-learn", "opencv-python")


@dataclass(frozen=True)
class Run:
    """One measurement. `result` holds "methods": {name: {figure: value}}; a figure that cannot be had is None."""

    id: str
    kind: str  # of `jobs.kinds.KINDS`
    title: str
    spec: dict[str, Any]
    result: dict[str, Any]
    bank: str  # id of the bank version, "" where the measurement built its own
    created: str  # ISO 8601, UTC
    seconds: float


def store(
    workspace: Workspace,
    id: str,
    kind: str,
    title: str,
    spec: Mapping[str, Any],
    result: Mapping[str, Any],
    bank: str = "",
    seconds: float = 0.0,
) -> Run:
    """Keep a measurement under the id of the job that made it. A second time under one id replaces the first."""
    with workspace.writing() as db:
        write(db, id, kind, title, spec, result, bank, seconds)
    return get(workspace, id)


def write(
    db: Database,
    id: str,
    kind: str,
    title: str,
    spec: Mapping[str, Any],
    result: Mapping[str, Any],
    bank: str = "",
    seconds: float = 0.0,
) -> None:
    """`store` within a transaction that the caller has begun."""
    created = now("seconds")
    full = {**result, "libraries": _libraries()}
    _insert(db, Run(id, kind, title, dict(spec), full, bank, created, round(seconds, 2)))


def _insert(db: Database, run: Run) -> None:
    row = {**vars(run), "spec": _text(run.spec), "result": _text(run.result)}
    marks = ", ".join(f":{name}" for name in row)
    db.execute(f"insert or replace into runs ({', '.join(row)}) values ({marks})", row)


def listed(workspace: Workspace, dataset: str | None = None, kind: str | None = None) -> list[Run]:
    """All runs, or those of one data set or kind, the newest first; their results without what `BULKY` names."""
    paths = ", ".join(f"'$.{name}'" for name in BULKY)
    columns = f"id, kind, title, spec, json_remove(result, {paths}) as result, bank, created, seconds"
    with workspace.reading() as db:
        found = [
            _run(row) for row in db.query(f"select {columns} from runs order by created desc, rowid desc")
        ]
    return [
        run
        for run in found
        if (dataset is None or run.spec.get("dataset") == dataset) and (kind is None or run.kind == kind)
    ]


def stamp(workspace: Workspace) -> str:
    """Differs as soon as there is another run, one has gone, or one was stored anew; cheap."""
    with workspace.reading() as db:
        return str(db.execute("select count(*), max(rowid), max(created) from runs").fetchone())


def get(workspace: Workspace, id: str = LAST) -> Run:
    """The run of that id, or of one that begins so; "last" is the newest. Raises BadInput."""
    with workspace.reading() as db:
        ids = [row[0] for row in db.execute("select id from runs order by created desc, rowid desc")]
        matching = ids[:1] if id == LAST else [one for one in ids if one.startswith(id) and id]
        if id in ids:
            matching = [id]
        if len(matching) != 1:
            known = "is more than one" if matching else "is no"
            raise BadInput(f'There {known} stored measurement "{id}"; "runs list" shows them all.')
        return _run(next(iter(db.query("select * from runs where id = ?", matching))))


def delete(workspace: Workspace, id: str) -> Run:
    """Forget a run; it is returned, for `restore`. Raises BadInput."""
    run = get(workspace, id)
    with workspace.writing() as db:
        db.execute("delete from runs where id = ?", [run.id])
    return run


def restore(workspace: Workspace, run: Run) -> None:
    """Keep a run again that was deleted, as it was."""
    with workspace.writing() as db:
        _insert(db, run)


def fingerprint(workspace: Workspace, dataset: str, state: int | None = None) -> str:
    """The number of what a data set held in a state (None: holds now); a run says with it what it was measured on."""
    with workspace.reading() as db:
        return dataset_states.fingerprint(db, dataset, state)


def banks_of(run: Run) -> dict[str, str]:
    """{method: id of the bank version that it was measured with}; empty where every fold had banks of its own."""
    named = {
        "exdd": run.spec.get("bank"),
        "exdd_base": run.spec.get("base"),
        "exdd_full": run.spec.get("full"),
    }
    return {name: bank for name, bank in named.items() if bank and not run.spec.get("folds")}


def settings(run: Run) -> dict[str, Any]:
    """What was asked for and what it was made of, flat."""
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
    known = {key: run.result[key] for key in made if key in run.result}
    if run.spec.get("folds"):
        known.pop("banks", None)  # every fold had its own, which are gone
    before = {"state": dataset_states.FIRST}  # of runs from before data sets had states
    return flattened({**before, **run.spec, **known})


def _libraries() -> dict[str, str]:
    """Versions of what figures depend on; what is not installed is left out."""
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


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(strict(value), allow_nan=False)


def strict(value: Any) -> Any:
    """The same with None for what is not a finite number: JSON, and whoever reads it, knows no NaN."""
    if isinstance(value, Mapping):
        return {str(key): strict(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def flattened(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested names joined by commas."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}, {name}": inner for name, inner in flattened(value).items()}
        else:
            flat[key] = value
    return flat
