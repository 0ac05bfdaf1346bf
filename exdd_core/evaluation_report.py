"""A stored measurement as something to hand on: curves, one HTML file that opens offline, and the paper's Figure 2.

Every number comes from the stored run; pictures come from the data set's images and, in Figure 2, from the bank
versions that the run names. Knows runs and the workspace's images. Does not measure anything.
"""

from __future__ import annotations

import base64
import html
import json
import math
import posixpath
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw
from sklearn.metrics import precision_recall_curve, roc_curve

from exdd_core import files, images, reports, runs, tables
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.runs import Run

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from exdd_core.detector import Detector
    from exdd_core.workspace import ImageRow, Workspace

# Readable on white and on black, and told apart without colour sense.
COLOURS = {"patchcore": "#8a94a3", "exdd": "#4c78e6", "exdd_base": "#0f9d8a", "exdd_full": "#4c78e6"}
OTHERS = ("#c2700f", "#8f63e8", "#2a93c9", "#d0558f")
NORMAL, DEFECT = "#8a94a3", "#4c78e6"
BINS = 40  # of a histogram
GALLERY = 60  # images of each kind and method that a report carries for when the line is dragged
THUMBNAIL, PANE = 160, 260  # pixels of the longer side
ASSETS = Path(__file__).resolve().parent.parent / "assets"
_IMPORTED = re.compile(r'^(?:import|export|\}).*"(\.{1,2}/[^"]+)";$', re.MULTILINE)
LEFT_OUT = ("scores", "per_fold", "libraries", "cells")  # what nobody is shown


def shown(run: Run) -> dict[str, Any]:
    """All that a page or a report shows of a run, JSON-able: figures as stored, and curves that follow from scores."""
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
        "titles": {name: tables.title(name) for name in names},
        "metrics": tables.METRIC_TITLES,
        "figures": {name: json.loads(figure.to_json()) for name, figure in figures.items()},
        "paper": {
            "dataset": tables.PAPER_DATASET,
            "figures": {str(n): values for n, values in tables.PAPER_SWEEP.items()}
            if run.kind == "sweep"
            else tables.PAPER,
        },
    }


def curves(run: Run) -> dict[str, go.Figure]:
    """{"roc", "pr"} of all methods where there are both classes, "histogram METHOD" of each and, where there are
    probabilities, "reliability" and "patch_reliability".

    Scores are calibrated: 0 is the median of normal training images, 1 the method's threshold. Raises BadInput for a
    run without scores of images, as a sweep's.
    """
    import plotly.graph_objects as go

    labels = _labels(run)
    roc, pr = go.Figure(), go.Figure()
    both = labels.any() and not labels.all()
    figures = {"roc": roc, "pr": pr} if both else {}
    for name, colour in _colours(run).items():
        scores = np.array(run.result["calibrated"][name])
        given = {"name": tables.short_title(name), "line": {"color": colour, "width": 2}, "mode": "lines"}
        if both:
            false, found, _ = roc_curve(labels, scores)
            precision, recall, _ = precision_recall_curve(labels, scores)
            roc.add_scatter(x=false, y=found, **given)
            pr.add_scatter(x=recall, y=precision, **given, line_shape="hv")
        doubt = run.result.get("doubt", {}).get(name, [])
        figures[f"histogram {name}"] = _histogram(scores, labels, doubt[0] if len(doubt) == 1 else None)
    _axes(roc, "false alarms, share of normal images", "defects found, share")
    _axes(pr, "defects found, share", "defects among the alarms, share")
    for figure in (roc, pr):
        figure.update_xaxes(range=[-0.01, 1.01])
        figure.update_yaxes(range=[0, 1.02])
    for told, things in (("reliability", "images"), ("patch_reliability", "patches")):
        if run.result.get(told):  # runs of older versions tell of images alone
            figures[told] = _reliability(run, told, things)
    return figures


def _reliability(run: Run, told: str, things: str) -> go.Figure:
    """Said against found; on the diagonal a probability is what it says. The size of a point: how many things, in
    powers of ten."""
    import plotly.graph_objects as go

    figure, colours = go.Figure(), _colours(run)
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": NORMAL, "dash": "dot"}, name="exact")
    for name, own in run.result[told].items():
        said, found, count = ([bin[key] for bin in own["bins"]] for key in ("said", "found", "count"))
        figure.add_scatter(
            x=said,
            y=found,
            mode="lines+markers",
            name=f"{tables.short_title(name)}, ECE {100 * own['ece']:.1f}",
            line={"color": colours[name], "width": 2},
            marker={"size": [5 + 3 * math.log10(n) for n in count], "opacity": 0.7},
            text=[f"{n:,} {things}" for n in count],
        )
    _axes(figure, "probability of a defect that is said", f"defects among these {things}, share")
    figure.update_xaxes(range=[-0.02, 1.02])
    figure.update_yaxes(range=[-0.02, 1.05])
    return figure


def sweep_curves(run: Run) -> dict[str, go.Figure]:
    """Table 2, a figure for each metric: a line with a band of one standard deviation over the seeds, and the paper's.

    Raises BadInput for a run of another kind.
    """
    if run.kind != "sweep" or not run.result.get("methods"):
        raise BadInput(f'"{run.title}" is no sweep with anything measured; measure one with "sweep".')
    return {metric: _sweep_curve(run, metric) for metric in tables.METRIC_TITLES}


def _sweep_curve(run: Run, metric: str) -> go.Figure:
    import plotly.graph_objects as go

    counts = [int(count) for count in run.result["methods"]]
    mean, spread = (
        np.array([run.result[of][str(c)][metric] for c in counts], float) for of in ("methods", "deviation")
    )
    figure = go.Figure()
    band = {"x": [*counts, *counts[::-1]], "y": [*(mean + spread), *(mean - spread)[::-1]]}
    figure.add_scatter(
        **band,
        fill="toself",
        mode="lines",
        line={"width": 0, "color": COLOURS["exdd"]},
        fillcolor="rgba(76,120,230,0.2)",
        name="one standard deviation",
        hoverinfo="skip",
    )
    line = {"color": COLOURS["exdd"], "width": 2}
    figure.add_scatter(x=counts, y=mean, name="ExDD, mean over seeds", mode="lines+markers", line=line)
    theirs = {count: values[metric] for count, values in tables.PAPER_SWEEP.items() if metric in values}
    if theirs:
        figure.add_scatter(
            x=list(theirs),
            y=list(theirs.values()),
            name=f"the paper's, on {tables.PAPER_DATASET}",
            mode="lines+markers",
            line={"color": NORMAL, "dash": "dot", "width": 2},
        )
    _axes(figure, "synthetic defects in the positive bank", tables.METRIC_TITLES[metric])
    return figure


def _histogram(scores: np.ndarray, labels: np.ndarray, doubt: float | None) -> go.Figure:
    """With an x axis that holds 0, the median of normals, and 1, the threshold, and room to drag beyond all scores.

    doubt: where "not sure" begins, which lasts up to the threshold; None where that is not one place.
    """
    import plotly.graph_objects as go

    low, high = min(0.0, float(scores.min())), max(1.0, float(scores.max()))
    edges = {"start": low, "end": high + 1e-6, "size": (high - low) / BINS + 1e-9}
    figure = go.Figure()
    for words, own, colour in (("normal", ~labels, NORMAL), ("defect", labels, DEFECT)):
        figure.add_histogram(x=scores[own], name=words, xbins=edges, marker_color=colour, opacity=0.75)
    figure.update_layout(barmode="overlay")
    _axes(figure, "score: 0 the median of normal images, 1 the method's own threshold", "images")
    most = max(np.histogram(scores[own], BINS, (low, high))[0].max() for own in (labels, ~labels))
    figure.update_yaxes(dtick=1 if most < 6 else None)  # there are no halves of images
    if doubt is not None and doubt < 1:
        figure.add_vrect(
            x0=doubt, x1=1, line_width=0, fillcolor=NORMAL, opacity=0.25, layer="below",
            label={"text": "not sure", "textposition": "top center", "font": {"size": 11}},
        )  # fmt: skip
    room = 0.04 * (high - low)
    figure.update_xaxes(range=[low - room, high + room])
    return figure


def _axes(figure: go.Figure, x: str, y: str) -> None:
    """Colours and sizes are the viewer's (assets/measured.js), who may prefer the dark."""
    figure.update_layout(template="none", xaxis_title=x, yaxis_title=y)


def write_html(workspace: Workspace, run: Run, path: Path, progress: Progress | None = None) -> None:
    """One file with tables, curves and galleries that needs no network. Raises BadInput where it cannot be made."""
    from plotly.offline import get_plotlyjs

    galleries = {} if run.kind == "sweep" else _galleries(run)
    wanted = sorted({id for gallery in galleries.values() for id in gallery})
    small = _thumbnails(workspace, wanted, progress or Progress(), run.spec.get("state"))
    data = shown(run) | {"thumbnails": small}
    record = {"spec": run.spec, "libraries": run.result["libraries"]}
    filled = {
        "TITLE": html.escape(run.title),
        "RECORD": html.escape(json.dumps(record, indent=2)),
        "MADE": html.escape(f"Measured {_when(run.created)} in {run.seconds:.0f} s, kept as {run.id}."),
        "AGAIN": html.escape(f"python -m exdd_core runs rerun {run.id} --workspace {workspace.path}"),
        "STYLE": (ASSETS / "measured.css").read_text("utf-8"),
        "DATA": json.dumps(runs.strict(data)).replace("<", "\\u003c"),  # nothing in it can end the script
        "MODULES": json.dumps({"imports": import_map("shared/bridge.js")}),
        "MEASURED": (ASSETS / "measured.js").read_text("utf-8"),
        "PLOTLY": get_plotlyjs(),
    }
    text = (ASSETS / "report.html").read_text("utf-8")
    pieces = re.split(r"@@([A-Z]+)@@", text)  # in one go: what is filled in is not searched again
    with files.whole(path) as place:
        place.write_text(
            "".join(filled[piece] if i % 2 else piece for i, piece in enumerate(pieces)), encoding="utf-8"
        )


def import_map(entry: str) -> dict[str, str]:
    """{file in assets: data address with its source} of the module `entry` and of all that it imports.

    A module in a data address has no folder that its relative imports could begin at: each becomes a key of the map.
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


def _galleries(run: Run) -> dict[str, list[str]]:
    """{method: image ids} that a dragged line turns over first: the lowest defects and the highest normals."""
    ids, labels = run.result["per_image"]["id"], run.result["per_image"]["label"]
    made = {}
    for name, scores in run.result["calibrated"].items():
        every = sorted(zip(scores, ids, labels, strict=True))
        low = [id for _, id, label in every if label == "defect"]
        high = [id for _, id, label in reversed(every) if label == "normal"]
        made[name] = [*low[:GALLERY], *high[:GALLERY]]
    return made


def _thumbnails(
    workspace: Workspace, ids: Sequence[str], progress: Progress, state: int | None
) -> dict[str, str]:
    """{image id: data URI} with the defect outlined, as it was in a state of its data set; an image that is gone is
    left out."""
    made = {}
    progress.begin("Making small pictures", len(ids))
    for id in ids:
        progress.advance()
        try:
            row = workspace.image(id, state)
            picture = _with_truth(row, THUMBNAIL)
        except BadInput:
            continue
        made[id] = "data:image/jpeg;base64," + base64.b64encode(images.encode_jpeg(picture)).decode()
    return made


def _with_truth(row: ImageRow, longest: int) -> np.ndarray:
    image = images.read_image(row.path, row.id, row.depth)
    small = reports.reduce(image, longest)
    if row.mask is None:
        return small
    lines = reports.outline(images.read_mask(row.mask, image.shape[:2]))
    return reports.outlined(small, lines, small.shape[1] / image.shape[1])


def disagreements(run: Run, count: int) -> list[str]:
    """Ids of the images on which the methods' calibrated scores lie farthest apart: of every physical part the
    farthest, then the others. Images of one part resemble each other, and one of them says it.

    Scores beyond the colour scale count as its end: how normal "normal" is makes no difference.
    """
    _labels(run)
    scores = np.clip(np.array(list(run.result["calibrated"].values())), *reports.CALIBRATED)
    order = np.argsort(-np.ptp(scores, axis=0), kind="stable")
    _, first = np.unique(np.array(run.result["per_image"]["group"])[order], return_index=True)
    chosen = [*order[np.sort(first)], *np.delete(order, first)]
    return [run.result["per_image"]["id"][i] for i in chosen[:count]]


def figure_two(
    workspace: Workspace,
    run: Run,
    ids: Sequence[str] = (),
    count: int = 4,
    progress: Progress | None = None,
) -> np.ndarray:
    """Rows of image, truth, and each method's heatmap, as one sheet uint8 (H, W, 3).

    ids: of images; none chooses the `count` of largest disagreement. All heatmaps share one scale, 0 the median of
    normals and 1 the threshold. Raises BadInput for a run that names no bank version.
    """
    banks, progress = runs.banks_of(run), progress or Progress()
    if not banks:
        raise BadInput(f'"{run.title}" names no bank version; make the figure of Table 1 or of a test split.')
    changes = runs.changes_of(run)
    detectors = {name: workspace.detector(bank, changes.get(name)) for name, bank in banks.items()}
    if run.spec.get("fusion"):
        detectors = {name: judge.with_fusion(run.spec["fusion"]) for name, judge in detectors.items()}
    detectors = {"patchcore": next(iter(detectors.values())).patchcore(), **detectors}
    sheet_rows = []
    chosen = ids or disagreements(run, count)
    progress.begin("Drawing rows", len(chosen))
    for id in chosen:
        sheet_rows.append(_row(workspace.image(id, run.spec.get("state")), list(detectors.values())))
        progress.advance()
    return _sheet(["Image", "Truth", *map(tables.short_title, detectors)], sheet_rows)


def _row(row: ImageRow, detectors: Sequence[Detector]) -> list[tuple[np.ndarray, str]]:
    """Panes of one image, each with what stands under it."""
    image = images.read_image(row.path, row.id, row.depth)
    small = reports.reduce(image, PANE)
    truth = np.zeros(image.shape[:2], bool)
    if row.mask is not None:
        truth = images.read_mask(row.mask, image.shape[:2])
    drawn = Image.fromarray(np.where(truth, 255, 0).astype(np.uint8)).resize(small.shape[1::-1])
    panes = [(small, row.id.partition("/")[2]), (np.repeat(np.asarray(drawn)[..., None], 3, 2), row.label)]
    for detector in detectors:
        found = detector.score([row.path])[0]
        heat = reports.heatmap(reports.small_map(found, max(small.shape[:2])))
        picture = np.asarray(Image.fromarray(heat[..., :3]).resize(small.shape[1::-1]))
        panes.append((picture, f"{found.calibrated_score:.2f} {found.verdict}"))
    return panes


def _sheet(titles: Sequence[str], rows: Sequence[list[tuple[np.ndarray, str]]]) -> np.ndarray:
    gap, top, under, scale = 8, 28, 22, 32
    width = max(max(pane.shape[1] for panes in rows for pane, _ in panes), 120)
    heights = [panes[0][0].shape[0] + under for panes in rows]
    size = (gap + len(titles) * (width + gap), top + sum(heights) + gap * len(rows) + scale)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    grey, small = "#60646c", reports.font(11)
    for column, words in enumerate(titles):
        draw.text((gap + column * (width + gap), 6), words, fill="black", font=reports.font(14))
    y = top
    for panes, height in zip(rows, heights, strict=True):
        for column, (pane, words) in enumerate(panes):
            x = gap + column * (width + gap)
            sheet.paste(Image.fromarray(pane), (x, y))
            while draw.textlength(words, font=small) > width:
                words = f"…{words[2:]}"  # names differ at their ends
            draw.text((x, y + height - under + 4), words, fill=grey, font=small)
        y += height + gap
    bar = Image.fromarray(np.rot90(reports.colour_scale(256), -1)).resize((256, 10))
    sheet.paste(bar, (gap, y + 4))
    meaning = "0 median of normal images, 1 (middle) threshold, 2 and above"
    draw.text((gap + 264, y + 2), meaning, fill=grey, font=small)
    return np.asarray(sheet)


def write_figure(sheet: np.ndarray, path: Path) -> None:
    """As PNG or PDF, by the name's ending. Raises BadInput for another."""
    kind = {".png": "PNG", ".pdf": "PDF"}.get(path.suffix.lower())
    if kind is None:
        raise BadInput(f"{path.name} is neither a .png nor a .pdf file; name one of these.")
    with files.whole(path) as place:
        Image.fromarray(sheet).save(place, format=kind, resolution=150.0)


def _labels(run: Run) -> np.ndarray:
    if not run.result.get("calibrated"):
        raise BadInput(f'"{run.title}" keeps no scores of images; choose an evaluation.')
    return np.array([label == "defect" for label in run.result["per_image"]["label"]])


def _colours(run: Run) -> dict[str, str]:
    names = list(run.result["calibrated"])
    return {name: COLOURS.get(name, OTHERS[i % len(OTHERS)]) for i, name in enumerate(names)}
