"""A stored measurement as one HTML file that opens without a network: tables, curves and galleries.

Every number comes from the stored run, and every picture from the images of the data set. Knows runs, images
and the scripts in assets. Does not measure anything.
"""

from __future__ import annotations

import base64
import html
import json
import posixpath
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from exdd_core import files
from exdd_core.evaluation import REPLICATES
from exdd_core.experiments.curves import curves, sweep_curves
from exdd_core.experiments.figures import galleries_of, thumbnails
from exdd_core.experiments.names import METRIC_TITLES, PAPER, PAPER_DATASET, PAPER_SWEEP, title
from exdd_core.progress import Progress
from exdd_core.spec import Json
from exdd_core.workspace import runs
from exdd_core.workspace.runs import Run, RunSpec

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

ASSETS = Path(__file__).resolve().parents[2] / "assets"
_IMPORTED = re.compile(r'^(?:import|export|\}).*"(\.{1,2}/[^"]+)";$', re.MULTILINE)
LEFT_OUT = ("scores", "per_fold", "libraries", "cells")  # of a result; neither page nor report shows them


class Paper(TypedDict):
    """The paper's own figures, by method or by number of synthetic defects, and the data set they are of."""

    dataset: str
    figures: Mapping[str, Mapping[str, float]]


class Shown(TypedDict):
    """What a page or a report shows of a run. cells: number of measurements of a sweep. figures: of Plotly, by name."""

    id: str
    kind: str
    title: str
    created: str
    seconds: float
    spec: RunSpec
    result: Json
    cells: int
    draws: int
    titles: dict[str, str]
    metrics: dict[str, str]
    figures: dict[str, Json]
    paper: Paper


def shown(run: Run) -> Shown:
    """All that a page or a report shows of a run, as JSON: stored figures, and curves drawn from scores."""
    figures = sweep_curves(run) if run.kind == "sweep" else curves(run)
    names = run.result["methods"]
    return {
        "id": run.id,
        "kind": run.kind,
        "title": run.title,
        "created": run.created,
        "seconds": run.seconds,
        "spec": run.spec,
        "result": {key: value for key, value in run.result.items() if key not in LEFT_OUT},
        "cells": len(run.result.get("cells", ())),
        "draws": REPLICATES,
        "titles": {name: title(name) for name in names},
        "metrics": METRIC_TITLES,
        "figures": {name: json.loads(figure.to_json()) for name, figure in figures.items()},
        "paper": {
            "dataset": PAPER_DATASET,
            "figures": {str(n): values for n, values in PAPER_SWEEP.items()}
            if run.kind == "sweep"
            else PAPER,
        },
    }


def write_html(workspace: Workspace, run: Run, path: Path, progress: Progress | None = None) -> None:
    """Write the report of a run. Raises BadInput for a run without figures."""
    from plotly.offline import get_plotlyjs

    galleries = {} if run.kind == "sweep" else galleries_of(run)
    wanted = sorted({id for gallery in galleries.values() for id in gallery})
    small = thumbnails(workspace, wanted, progress or Progress(), run.spec.get("state"))
    data = {**shown(run), "thumbnails": small}
    record = {"spec": run.spec, "libraries": run.result["libraries"]}
    filled = {
        "TITLE": html.escape(run.title),
        "RECORD": html.escape(json.dumps(record, indent=2)),
        "MADE": html.escape(f"Measured {_when(run.created)} in {run.seconds:.0f} s, saved as {run.id}."),
        "AGAIN": html.escape(f"python -m exdd_core runs rerun {run.id} --workspace {workspace.path}"),
        "STYLE": (ASSETS / "measured.css").read_text("utf-8"),
        # No text of the data may end the script element that it stands in.
        "DATA": json.dumps(runs.strict(data)).replace("<", "\\u003c"),
        "MODULES": json.dumps({"imports": import_map("evaluate/measured.js")}),
        "PLOTLY": get_plotlyjs(),
    }
    text = (ASSETS / "report.html").read_text("utf-8")
    pieces = re.split(r"@@([A-Z]+)@@", text)  # split once: inserted text is not searched
    with files.whole(path) as place:
        place.write_text(
            "".join(filled[piece] if i % 2 else piece for i, piece in enumerate(pieces)), encoding="utf-8"
        )


def import_map(entry: str) -> dict[str, str]:
    """{file in assets: data address with its source} of the module `entry` and of all that it imports.

    A module in a data address has no folder that its relative imports could begin at: each becomes a key of
    the map.
    """
    sources: dict[str, str] = {}
    wanted = [entry]
    while wanted:
        name = wanted.pop()
        if name in sources:
            continue
        source = (ASSETS / name).read_text("utf-8")
        folder = posixpath.dirname(name)
        for relative in set(_IMPORTED.findall(source)):
            file = posixpath.normpath(posixpath.join(folder, relative))
            source = source.replace(f'"{relative}"', f'"{file}"')
            wanted.append(file)
        sources[name] = "data:text/javascript;base64," + base64.b64encode(source.encode()).decode()
    return sources


def _when(created: str) -> str:
    return f"{datetime.fromisoformat(created):%d %B %Y, %H:%M} UTC"
